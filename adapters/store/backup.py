"""Copies of a store: taken while the hub runs, whole in a folder of their own."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from adapters.store.bodies import Bodies, sync_folder
from adapters.store.pairing import NEXT, NOW, marks, write


def bodies_beside(path: Path) -> Bodies:
    """The large bodies of the store in `path`."""
    return Bodies(path.parent / f"{path.stem}-bodies")


def backup(connection: sqlite3.Connection, path: Path, bodies: Bodies, folder: Path) -> Path:
    """Copies the store in `path` into `folder` and returns the copy. Raises FileExistsError rather than write over one."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / path.name
    if target.exists():
        raise FileExistsError(f"{target} is there already")
    with closing(sqlite3.connect(target)) as copy:
        connection.backup(copy)
        large = [row[0] for row in copy.execute("SELECT sha256 FROM bodies WHERE content IS NULL")]
        gone = [digest for digest in large if not _copied(digest, bodies, bodies_beside(target))]
        if NOW in (known := marks(copy)):
            write(bodies_beside(target), known[NOW])
            copy.execute("DELETE FROM bookmarks WHERE name = ?", (NEXT,))
        copy.executemany("UPDATE bodies SET content = x'' WHERE sha256 = ?", [(digest,) for digest in gone])
        copy.commit()
    sync_folder(folder)
    return target


def _copied(digest: str, bodies: Bodies, other: Bodies) -> bool:
    """False when it was purged while the copy was taken."""
    try:
        content = bodies.path(digest).read_bytes()
    except FileNotFoundError:
        return False
    other.prepared(content)
    return True


def copy_of(folder: Path) -> Path:
    """The one copy in a folder. Raises FileNotFoundError."""
    found = sorted(folder.glob("*.db"))
    if len(found) != 1:
        raise FileNotFoundError(f"{folder}: {len(found)} stores in it; one is wanted, as samhub db backup writes it")
    return found[0]


def copied(copy: Path, target: Path) -> None:
    """Copies a copy and its bodies to `target`, which is not there yet; the copy itself is not opened."""
    target.parent.mkdir(parents=True)
    shutil.copyfile(copy, target)
    bodies = bodies_beside(copy)
    if bodies.mark.exists():
        bodies_beside(target).mark.parent.mkdir()
        shutil.copyfile(bodies.mark, bodies_beside(target).mark)
    for file in bodies.files():
        place = bodies_beside(target).path(file.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
