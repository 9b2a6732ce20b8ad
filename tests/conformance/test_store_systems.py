"""Record systems and API keys that are made by command: each act whole or not at all, and seen by whoever shares the store."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.register.file import Read
from adapters.store.opening import KeptStore
from hub.digest import sha256
from hub.events import Entry, Event
from hub.message import FILE_KEY, ApiKey, Channel, RecordSystem
from hub.record_systems.kept import REVISION, Kept, KeptChange, SystemRecord
from hub.record_systems.keys import Act
from ops import systems
from tests.conformance import values as v
from tests.conformance.stores import Place

OFFICE = SystemRecord("office", '{"id": "office", "her_ids": ["8000202"]}', v.NOW)
KEY = ApiKey("aa" * 32, "office", 1, v.NOW)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


async def made(store: KeptStore, *keys: ApiKey, **more: object) -> Kept:
    """What is kept once these have been made."""
    kept = await store.systems_kept()
    assert await store.change_systems(kept.revision, KeptChange(systems=(OFFICE,), keys=keys, **more))  # type: ignore[arg-type]
    return await store.systems_kept()


async def test_nothing_is_there_at_first_and_what_is_made_outlives_closing(place: Place) -> None:
    """For whoever opens the store; every change raises the revision."""
    ending = ApiKey("bb" * 32, "office", 2, v.NOW, v.later(60), v.later(30))
    async with place.open() as store:
        assert await store.systems_kept() == Kept()
        entry = Entry(v.NOW, Event.SYSTEM, "system-added", "office", actor="kari")
        await made(store, KEY, ending, journal=(entry,))
        assert [(e.code, e.actor) for e in await store.journal()] == [("system-added", "kari")]
    async with place.open() as store, place.open() as other:
        assert await store.systems_kept() == await other.systems_kept() == Kept(1, (OFFICE,), (KEY, ending))
        await made(other, replace(KEY, revoked_at=v.later(1)))
        assert await store.bookmark(REVISION) == 2
        assert (await store.systems_kept()).keys == (replace(KEY, revoked_at=v.later(1)), ending)


async def test_of_two_who_knew_the_same_only_one_changes_it(place: Place) -> None:
    """The other is told, with nothing of its change kept: neither systems nor keys nor a line of the journal."""
    async with place.open() as store, place.open() as other:
        changes = [KeptChange(keys=(ApiKey(f"{n:064}", "office", 1, v.NOW),), gone=("x",)) for n in range(8)]
        took = await asyncio.gather(*((store, other)[n % 2].change_systems(0, c) for n, c in enumerate(changes)))
        assert took.count(True) == 1
        [winner] = [change for change, won in zip(changes, took, strict=True) if won]
        assert await store.systems_kept() == Kept(1, (), winner.keys)


async def test_a_change_that_fails_raises_no_revision(store: KeptStore) -> None:
    """A number is given once for each system, whatever somebody thought."""
    kept = await made(store, KEY)
    with pytest.raises(Exception, match=r"(?i)unique"):
        await store.change_systems(kept.revision, KeptChange(keys=(replace(KEY, sha256="cc" * 32),), gone=("y",)))
    assert await store.systems_kept() == kept


async def test_what_is_taken_away_goes_with_its_keys(store: KeptStore) -> None:
    """Another's stay; and what was said of a key of the party file, which else would open again."""
    other, ended = ApiKey("dd" * 32, "hospital", 1, v.NOW), ApiKey("ee" * 32, "office", FILE_KEY, revoked_at=v.NOW)
    kept = await made(store, KEY, other, ended)
    assert await store.change_systems(kept.revision, KeptChange(gone=("office",)))
    assert await store.systems_kept() == Kept(2, (), (other, ended))


@pytest.mark.parametrize("number", [1, FILE_KEY])
async def test_use_is_kept_raises_no_revision_and_only_grows(store: KeptStore, number: int) -> None:
    """Also of a key that stands in the party file, which the store need not have known."""
    one = replace(KEY, number=number, made_at=v.NOW if number else None)
    before = await made(store, *([one] if number else []))
    for at, shown in ((v.NOW + MINUTE, v.NOW + MINUTE), (v.NOW, v.NOW + MINUTE), (v.NOW + 2 * MINUTE,) * 2):
        await store.keys_used({one: at})
        assert await store.systems_kept() == replace(before, keys=(replace(one, used_at=shown),))


async def test_use_of_a_key_that_is_gone_brings_nothing_back(store: KeptStore) -> None:
    """Taken away meanwhile."""
    await store.keys_used({KEY: v.NOW})
    assert await store.systems_kept() == Kept()
    kept = await made(store, KEY)
    await store.keys_used({KEY: v.NOW})
    await store.change_systems(kept.revision, KeptChange(keys=(replace(KEY, revoked_at=v.NOW),)))
    assert (await store.systems_kept()).keys == (replace(KEY, revoked_at=v.NOW, used_at=v.NOW),)


# --- commands at once

FILE = Read({"one": RecordSystem("one", frozenset({"1"}), Channel.MAILBOX, key_sha256="aa")}, {}, {}, Path())


async def test_keys_that_are_made_at_once_all_hold_each_with_its_number(place: Place) -> None:
    """Whoever came later made the earlier ones end as agreed; nothing that was printed is worthless."""
    async with place.open() as store, place.open() as other:
        acts = [
            systems.rotated((store, other)[n % 2], FILE, "one", 14 * DAY, None, Act(v.later(n), "kari"))
            for n in range(6)
        ]
        printed = [sha256(key.encode()) for key, _ in await asyncio.gather(*acts)]
        kept = await store.systems_kept()
        assert kept.revision == 6 and len(await store.journal()) == 6
        holding = {key.sha256 for key in kept.keys if key.holds(v.NOW + 13 * DAY)}
        assert holding == {*printed, "aa"}
        assert sorted(key.number for key in kept.keys) == [FILE_KEY, *range(1, 7)]
        assert [key.expires_at is None for key in kept.keys] == [False] * 6 + [True]


async def test_a_key_that_is_made_while_all_are_taken_away_is_there_or_not_and_never_both(place: Place) -> None:
    """In one order or the other: revoked with the rest, or new beside what was taken away."""
    async with place.open() as store, place.open() as other:
        made, gone = await asyncio.gather(
            systems.rotated(store, FILE, "one", DAY, None, Act(v.NOW, "kari")),
            systems.revoked(other, FILE, "one", None, Act(v.NOW, "ola")),
        )
        own = {key.number: key for key in (await store.systems_kept()).keys}
        assert not own[FILE_KEY].holds(v.NOW) and own[1].sha256 == sha256(made[0].encode())
        assert own[1].holds(v.NOW) is (1 not in {key.number for key in gone.keys})
        codes = [entry.code for entry in await store.journal()]
        assert codes == (["key-revoked", "key-made"] if own[1].holds(v.NOW) else ["key-made", "key-revoked"])
