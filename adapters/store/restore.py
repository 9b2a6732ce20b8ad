"""Puts a copy in the place of a store: checked first, while nobody has the store open; what was there is put aside."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from adapters.store.backup import copied, copy_of
from adapters.store.bodies import sync_folder
from adapters.store.file import connect
from adapters.store.migrate import behind, version_of
from adapters.store.sqlite import SqliteStore
from adapters.store.statements import migrations
from hub.errors import StoreUnavailable


async def restore(folder: Path, target: Path, *, replace: bool, aside: str) -> Path | None:
    """Restores the copy in `folder` to `target`; returns where the store that was there lies now, if there was one.

    `aside` names that folder. Raises StoreUnavailable, with everything as it was, when the copy does not keep its
    promises, when a store is there and `replace` is not given, or when a hub has it open.
    """
    _may_go(target, replace)
    staging = target.parent / f"{target.stem}-restoring"
    try:
        shutil.rmtree(staging, ignore_errors=True)
        copied(copy_of(folder), staging / target.name)
        await _checked(staging / target.name, folder)
        return _put_in_place(staging, target, target.parent / aside)
    except OSError as error:
        raise StoreUnavailable(f"{folder}: the copy could not be restored: {error}") from None
    finally:
        shutil.rmtree(staging, ignore_errors=True)


async def _checked(copy: Path, folder: Path) -> None:
    """Asked whether it keeps its promises; of one that an older hub wrote, whether it is whole."""
    with closing(connect(copy)) as connection:
        older = version_of(connection) < migrations()[-1][0]
        if not older and (newer := behind(connection)):
            raise StoreUnavailable(f"{folder}: {newer}")
        broken = (
            [str(row[0]) for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"] if older else []
        )
    if not older:
        async with await SqliteStore.open(copy, min_free_bytes=0, may_migrate=False) as opened:
            broken = await opened.check()
    if broken:
        raise StoreUnavailable(f"{folder}: the copy does not keep its promises: {'; '.join(broken)}")


def _may_go(target: Path, replace: bool) -> None:
    """Leaving WAL needs the file for oneself alone; it also brings everything into the one file."""
    if not target.exists():
        return
    if not replace:
        raise StoreUnavailable(f"{target}: a store is there already; --replace puts it aside and restores the copy")
    try:
        with closing(sqlite3.connect(target, timeout=0)) as connection:
            connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError:
        text = f"{target}: it is open: a hub runs on it, or a command looks at it; stop the hub first"
        raise StoreUnavailable(text) from None
    except sqlite3.DatabaseError:
        return  # broken: all the more reason to restore


def _put_in_place(staging: Path, target: Path, aside: Path) -> Path | None:
    replaced = None
    old = [path for path in _parts(target) if path.exists()]
    if old:
        aside.mkdir()
        replaced = aside
        for path in old:
            path.replace(aside / path.name)
    for path in _parts(staging / target.name):
        if path.exists():
            _durably(path)
            path.replace(target.parent / path.name)
    sync_folder(target.parent)
    return replaced


def _parts(store: Path) -> list[Path]:
    """A store's files; the database last, so that it is there only when all of it is."""
    return [
        store.with_name(f"{store.stem}-bodies"),
        *(store.with_name(store.name + end) for end in ("-wal", "-shm", "")),
    ]


def _durably(path: Path) -> None:
    for one in [*path.rglob("*"), path]:
        handle = os.open(one, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
