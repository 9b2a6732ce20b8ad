"""A store is used beside its own large bodies only: neither beside those of another day, nor where they are without it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from adapters.store import pairing
from adapters.store.backup import bodies_beside
from adapters.store.opening import adopted
from adapters.store.restore import restore
from adapters.store.settings import StoreSettings
from adapters.store.sqlite import SqliteStore
from hub.digest import sha256
from hub.errors import ContentLost, StoreUnavailable
from tests.conformance import values as v
from tests.conformance.test_store_bodies import content

OLD, NEW = content(300_000, "yesterday"), content(300_000, "today")


async def day(path: Path, *documents: bytes) -> list[str]:
    """A hub serves the store for a day, and takes these; ids of their messages."""
    async with await SqliteStore.open(path, min_free_bytes=0) as store:
        await store.pair()
        changes = [v.accepted(document) for document in documents]
        for change in changes:
            await store.apply(change)
    return [change.messages[0].record.id for change in changes]


@pytest.fixture
async def two_days(tmp_path: Path) -> Path:
    """A store of today, and in `yesterday` a copy of it and of its bodies as both were then."""
    path = tmp_path / "samhub.db"
    await day(path, OLD)
    shutil.copytree(tmp_path, tmp_path / "yesterday")
    await day(path, NEW)
    return path


async def opens(path: Path) -> bool:
    """Whether it does; else it must say what to do."""
    try:
        async with await SqliteStore.open(path, min_free_bytes=0):
            return True
    except StoreUnavailable as error:
        assert "samhub db restore" in str(error) and str(path) in str(error)
        return False


def put_back(path: Path, *, store: bool = False, bodies: bool = False) -> None:
    """What lay there yesterday, instead of what lies there now."""
    yesterday = path.parent / "yesterday"
    if store:
        shutil.copyfile(yesterday / path.name, path)
    if bodies:
        shutil.rmtree(path.parent / "samhub-bodies")
        shutil.copytree(yesterday / "samhub-bodies", path.parent / "samhub-bodies")


async def test_both_of_one_day_are_used(two_days: Path) -> None:
    assert await opens(two_days)
    put_back(two_days, store=True, bodies=True)
    assert await opens(two_days)


@pytest.mark.parametrize("which", ["store", "bodies"])
async def test_one_of_another_day_is_refused_and_can_be_adopted(two_days: Path, which: str) -> None:
    """What is missing then is named, and told when it is needed; what is there is given."""
    put_back(two_days, **{which: True})
    with pytest.raises(StoreUnavailable, match=r"one of the two is of another day.*samhub db adopt"):
        await SqliteStore.open(two_days, min_free_bytes=0)
    told = await adopted(StoreSettings(path=two_days))
    assert [sha256(NEW) in words for words in told] == ([True] if which == "bodies" else [])
    assert await opens(two_days)


async def test_a_missing_folder_and_a_missing_store_are_refused(two_days: Path) -> None:
    """Neither is begun anew beside what is left of the other."""
    shutil.move(two_days.parent / "samhub-bodies", two_days.parent / "aside")
    assert not await opens(two_days)
    shutil.move(two_days.parent / "aside", two_days.parent / "samhub-bodies")
    two_days.unlink()
    assert not await opens(two_days)
    assert not two_days.exists()


async def test_a_store_without_large_bodies_needs_no_folder(tmp_path: Path) -> None:
    """There is nothing that could be missing."""
    await day(tmp_path / "samhub.db", b"small")
    shutil.rmtree(tmp_path / "samhub-bodies")
    assert await opens(tmp_path / "samhub.db")


@pytest.mark.parametrize("step", ["before the folder", "after the folder"])
async def test_killed_while_it_is_marked_both_belong_together(
    two_days: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever that is; and the copies of yesterday still do not."""
    write: Callable[..., None] = pairing.write

    def killed(*given: object) -> None:
        if step == "after the folder":
            write(*given)
        raise KeyboardInterrupt

    monkeypatch.setattr(pairing, "write", killed)
    with closing(sqlite3.connect(two_days, isolation_level=None)) as connection, pytest.raises(KeyboardInterrupt):
        pairing.pair(connection, bodies_beside(two_days))
    assert await opens(two_days)
    put_back(two_days, bodies=True)
    assert not await opens(two_days)


async def test_a_copy_belongs_to_itself_and_to_where_it_is_restored(two_days: Path) -> None:
    """But its bodies to no other store, and no other bodies to it."""
    here = two_days.parent
    async with await SqliteStore.open(two_days, min_free_bytes=0) as store:
        await store.backup(here / "copy")
    await day(two_days)
    assert await opens(here / "copy" / "samhub.db")
    assert await restore(here / "copy", two_days, replace=True, aside="aside") == here / "aside"
    assert await opens(two_days)
    shutil.rmtree(here / "samhub-bodies")
    shutil.move(here / "aside" / "samhub-bodies", here / "samhub-bodies")
    assert not await opens(two_days)


async def test_what_is_missing_is_seen_at_the_start_without_reading_all(two_days: Path) -> None:
    """Files that are not there, or not of their size; the rest of the store is used."""
    (name,) = await day(two_days, content(400_000))
    bodies_beside(two_days).path(sha256(NEW)).unlink()
    bodies_beside(two_days).path(sha256(OLD)).write_bytes(b"short")
    async with await SqliteStore.open(two_days, min_free_bytes=0) as store:
        found = await store.missing()
        assert [sha256(lost) in " ".join(found) for lost in (OLD, NEW)] == [True, True]
        assert len(found) == 2 and set(found) <= set(await store.check()) | set(found)
        assert await store.document(name) == content(400_000)
        with pytest.raises(ContentLost):
            bodies_beside(two_days).read(sha256(NEW), None)
