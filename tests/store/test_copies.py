"""Copies are taken while the hub runs, and restored only when they are whole and nobody is in the way."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from adapters.store.restore import restore
from adapters.store.sqlite import SqliteStore
from hub.errors import StoreUnavailable
from hub.ports import Applied, MessageFilter
from tests.conformance import values as v

LARGE = b"large " * 60_000


async def stored(path: Path, *documents: bytes) -> list[str]:
    """A store with these documents; ids of their messages."""
    changes = [v.accepted(document) for document in documents]
    async with await SqliteStore.open(path, min_free_bytes=0) as store:
        for change in changes:
            assert await store.apply(change) == Applied()
    return [change.messages[0].record.id for change in changes]


async def backed_up(path: Path, folder: Path) -> None:
    """A copy of the store."""
    async with await SqliteStore.open(path, min_free_bytes=0) as store:
        assert await store.backup(folder) == folder / path.name


async def documents(path: Path, ids: list[str]) -> list[bytes | None]:
    """What a store has under these ids, once it has been checked."""
    async with await SqliteStore.open(path, min_free_bytes=0) as store:
        assert await store.check() == []
        return [await store.document(one) for one in ids]


async def test_a_copy_is_restored_where_there_was_nothing(tmp_path: Path) -> None:
    """On another machine, under another name: small and large bodies are there."""
    ids = await stored(tmp_path / "here" / "samhub.db", b"small", LARGE)
    await backed_up(tmp_path / "here" / "samhub.db", tmp_path / "copy")
    shutil.rmtree(tmp_path / "here")
    target = tmp_path / "there" / "other.db"
    assert await restore(tmp_path / "copy", target, replace=False, aside="aside") is None
    assert await documents(target, ids) == [b"small", LARGE]
    assert sorted(p.name for p in target.parent.iterdir()) == ["other-bodies", "other.db"]


async def test_the_copy_can_be_restored_again(tmp_path: Path) -> None:
    """Restoring leaves it as it is, byte for byte."""
    ids = await stored(tmp_path / "samhub.db", b"small", LARGE)
    await backed_up(tmp_path / "samhub.db", tmp_path / "copy")
    before = {p.name: p.read_bytes() for p in (tmp_path / "copy").rglob("*") if p.is_file()}
    for name in ("one.db", "two.db"):
        await restore(tmp_path / "copy", tmp_path / name, replace=False, aside="aside")
        assert await documents(tmp_path / name, ids) == [b"small", LARGE]
    assert {p.name: p.read_bytes() for p in (tmp_path / "copy").rglob("*") if p.is_file()} == before


async def test_a_store_that_is_there_is_put_aside_only_when_told(tmp_path: Path) -> None:
    """And nothing of it is lost: it opens where it lies."""
    old = await stored(tmp_path / "samhub.db", b"in the copy", LARGE)
    await backed_up(tmp_path / "samhub.db", tmp_path / "copy")
    new = await stored(tmp_path / "samhub.db", b"since the copy")
    with pytest.raises(StoreUnavailable, match="a store is there already; --replace"):
        await restore(tmp_path / "copy", tmp_path / "samhub.db", replace=False, aside="aside")
    aside = await restore(tmp_path / "copy", tmp_path / "samhub.db", replace=True, aside="aside")
    assert aside == tmp_path / "aside"
    assert await documents(tmp_path / "samhub.db", old + new) == [b"in the copy", LARGE, None]
    assert await documents(aside / "samhub.db", old + new) == [b"in the copy", LARGE, b"since the copy"]


async def test_nothing_is_restored_under_a_hub_that_runs(tmp_path: Path) -> None:
    """Who has the store open keeps it; once it is closed the copy is restored."""
    ids = await stored(tmp_path / "samhub.db", b"a document")
    await backed_up(tmp_path / "samhub.db", tmp_path / "copy")
    async with await SqliteStore.open(tmp_path / "samhub.db", min_free_bytes=0) as running:
        with pytest.raises(StoreUnavailable, match="it is open: a hub runs on it"):
            await restore(tmp_path / "copy", tmp_path / "samhub.db", replace=True, aside="aside")
        assert await running.apply(v.accepted()) == Applied()
        assert len(await running.messages(MessageFilter())) == 2
    await restore(tmp_path / "copy", tmp_path / "samhub.db", replace=True, aside="aside")
    assert await documents(tmp_path / "samhub.db", ids) == [b"a document"]


def overwritten(copy: Path) -> None:
    """In the middle of a page."""
    with copy.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096 * 4)


def without_its_bodies(copy: Path) -> None:
    """Its large documents did not come along."""
    shutil.rmtree(copy.with_name(f"{copy.stem}-bodies"))


def without_a_message(copy: Path) -> None:
    """A delivery of nothing."""
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("DELETE FROM messages")
        connection.commit()


def by_a_newer_hub(copy: Path) -> None:
    """With a schema that nobody here knows."""
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA user_version = 9999")


@pytest.mark.parametrize("spoil", [overwritten, without_its_bodies, without_a_message, by_a_newer_hub, Path.unlink])
async def test_a_copy_that_is_not_whole_is_not_restored(tmp_path: Path, spoil: object) -> None:
    """The store that is there stays as it is, with nothing beside it."""
    ids = await stored(tmp_path / "samhub.db", b"small", LARGE)
    await backed_up(tmp_path / "samhub.db", tmp_path / "copy")
    spoil(tmp_path / "copy" / "samhub.db")  # type: ignore[operator]
    with pytest.raises(StoreUnavailable):
        await restore(tmp_path / "copy", tmp_path / "samhub.db", replace=True, aside="aside")
    assert await documents(tmp_path / "samhub.db", ids) == [b"small", LARGE]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy", "samhub-bodies", "samhub.db"]


async def test_a_copy_is_never_written_over(tmp_path: Path) -> None:
    """Yesterday's is worth more than the keystroke."""
    await stored(tmp_path / "samhub.db", b"a document")
    await backed_up(tmp_path / "samhub.db", tmp_path / "copy")
    with pytest.raises(StoreUnavailable, match="is there already"):
        await backed_up(tmp_path / "samhub.db", tmp_path / "copy")


async def test_a_copy_taken_while_many_write_is_one_moment(tmp_path: Path) -> None:
    """Every message in it is whole: document, delivery and journal; and it is whole as a store."""
    async with await SqliteStore.open(tmp_path / "samhub.db", min_free_bytes=0) as store:
        going = True

        async def write() -> None:
            while going:
                assert await store.apply(v.accepted(LARGE + v.new_id("one").encode())) == Applied()

        writers = [asyncio.create_task(write()) for _ in range(4)]
        for number in range(3):
            await store.backup(tmp_path / str(number))
        going = False
        await asyncio.gather(*writers)
    for number in range(3):
        target = tmp_path / f"restored {number}.db"
        await restore(tmp_path / str(number), target, replace=False, aside="aside")
        async with await SqliteStore.open(target, min_free_bytes=0) as again:
            found = [await again.document(m.id) for m in await again.messages(MessageFilter(limit=1000))]
            assert all(document and document.startswith(LARGE) for document in found)
