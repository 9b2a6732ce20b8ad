"""A whole store moves from one database to the other and back: everything is there, and the numbers go on."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.store.moving import move as moving
from adapters.store.moving.move import end, move
from adapters.store.moving.tables import TABLES, columns
from adapters.store.opening import KeptStore
from adapters.store.postgres import PostgresStore
from adapters.store.sqlite import SqliteStore
from adapters.store.statements import migrations
from hub.errors import StoreUnavailable
from hub.message import ApiKey, Configuration, Transport
from hub.ports import Applied, ArrivalFilter, Change, Claim, DeliveryFilter, HookLane, Learnt, MessageFilter
from hub.record_systems.kept import KeptChange, SystemRecord
from hub.states import Move, State
from ops.servers import databases
from tests.conformance import values as v

LARGE = b"large and awkward \x00\xff " * 40_000
RECEIVERS = ("8000102", "8000202")


async def opened(place: str) -> KeptStore:
    """The store there."""
    if place.startswith("postgresql:"):
        return await PostgresStore.open(place, min_free_bytes=0)
    return await SqliteStore.open(Path(place), min_free_bytes=0)


@pytest.fixture(params=["sqlite to postgres", "postgres to sqlite"])
def ends(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Where a store is and where it shall be."""
    with databases.database(empty=True) as url:
        path = str(tmp_path / "store" / "samhub.db")
        yield (path, url) if request.param.startswith("sqlite") else (url, path)


async def fill(place: str) -> None:
    """Some of everything: every state, attempts, parcels, receipts, words, a purged body, duties, bookmarks and what was learnt."""
    async with await opened(place) as store:
        for n, state in enumerate([*State] * 3):
            record = v.arrival_record(arrival=v.arrival(body=LARGE if n == 3 else f"body {n}".encode()))
            message = v.message(arrival_id=record.arrival.id, gen_date=None if n % 2 else v.NOW)
            delivery = v.delivery(message.id, state=state, address=f"http://{n % 3}.invalid", priority=n % 10)
            change = v.accepted(LARGE if n == 5 else b"<same/>", record=message, deliveries=(delivery,))
            done = replace(
                change,
                arrival=record,
                claims=(Claim(f"key {n}", f"digest {n}"),),
                receipts=(v.receipt(message.id, delivery.id, body=bytes([n, 0, 255])),),
                notifications=(v.notification(RECEIVERS[n % 2], message.id, description="æøå '\"\\\t\n"),),
            )
            assert await store.apply(done) == Applied()
        for one in await store.claim(v.later(0), 4, v.LEASE, v.NOBODY, 2):
            await store.keep_parcel(one.delivery.id, v.parcel(LARGE if one.attempt else b"x"), "sealed")
        old = v.message(received_at=v.NOW - timedelta(days=900))
        settled = v.delivery(old.id, state=State.DONE, created_at=old.received_at, changed_at=old.received_at)
        await store.apply(v.accepted(b"purged", record=old, deliveries=(settled,)))
        assert (await store.purge(v.NOW - timedelta(days=9), really=True)).bodies == 1
        await store.lead("watch", "one", v.NOW, timedelta(hours=1))
        await store.keep_bookmark("feed", 2**40)
        lane = HookLane("epj", "behind", 1, 2**40, 3, v.NOW, v.later(60), "timed-out", "no answer")
        await store.keep_hooks([HookLane("epj", "", 7), lane], [])
        await store.apply(Change(learnt=(Learnt("8000402", "fact", "yes", v.NOW),)))
        key = ApiKey("aa" * 32, "office", 1, v.NOW, v.later(60))
        made = KeptChange(
            (SystemRecord("office", '{"id": "office"}', v.NOW),), keys=(key, replace(key, sha256="bb", number=2))
        )
        assert await store.change_systems(0, made)
        await store.keys_used({key: v.later(1)})
        first, *_ = await store.notifications(RECEIVERS, 0, 3)
        await store.delete_notifications(RECEIVERS, (first.offset,), v.NOW)
        await store.configure((Configuration("8000202", locked=True, rejects=("EPIKRISE",), client="c"),), (), "c", ())
        wished = v.message(transport=Transport(cpa_id="cpa", compress=False, sender_level_1=True))
        await store.apply(v.accepted(b"as wished", record=wished))
        await store.apply(Change(arrival=v.arrival_record("undecided", next_at=v.later(60))))


async def everything(place: str) -> list[Any]:
    """All that a store tells through its port."""
    async with await opened(place) as store:
        assert await store.check() == []
        messages = await store.messages(MessageFilter(limit=1000))
        deliveries = await store.deliveries(DeliveryFilter(limit=1000))
        told: list[Any] = [messages, deliveries, await store.arrivals(ArrivalFilter(limit=1000)), await store.counts()]
        told += [await store.journal(limit=1000), await store.notifications(RECEIVERS, 0, 1000)]
        for message in messages:
            told += [
                await store.document(message.id),
                await store.receipts(message.id),
                await store.journal(message.id),
            ]
        for delivery in deliveries:
            told += [await store.attempts(delivery.id), await store.parcel(delivery.id)]
        told += [await store.earlier(f"key {n}") for n in range(40)]
        told += [
            await store.hooks(),
            await store.learnt(),
            await store.systems_kept(),
            await store.configurations(()),
            await store.undeleted(RECEIVERS, 1000),
            await store.bookmark("feed"),
            await store.lanes(v.later(1e6), 100),
        ]
        told.append(sorted(await store.missing_apprecs(v.later(1e9), 1000), key=lambda d: d.id))  # all due at once
        return told


async def test_everything_is_there_afterwards_and_back_again(ends: tuple[str, str], tmp_path: Path) -> None:
    """Through the port nobody can tell the difference; the source is as it was; and the way back ends where it began."""
    source, target = ends
    await fill(source)
    before = await everything(source)
    counts = await asyncio.to_thread(move, end(source, None), end(target, None), lambda table, count: None)
    assert counts["messages"] == len(before[0]) == 35
    assert counts["journal"] == len(before[4])
    assert await everything(target) == before
    assert await everything(source) == before
    with databases.database(empty=True) as url:
        third = str(tmp_path / "third.db") if target.startswith("postgresql:") else url
        await asyncio.to_thread(move, end(target, None), end(third, None), lambda table, count: None)
        assert await everything(third) == before


async def test_life_goes_on_in_the_new_store(ends: tuple[str, str]) -> None:
    """Claims are taken still, leases and duties run on, orders and numbers go on where they were."""
    source, target = ends
    await fill(source)
    async with await opened(source) as store:
        last = (await store.notifications(RECEIVERS, 0, 1000))[-1].offset
        taken = [d for d in await store.deliveries(DeliveryFilter(limit=1000)) if d.attempts]
        newest = (await store.messages(MessageFilter(limit=1)))[0]
    await asyncio.to_thread(move, end(source, None), end(target, None), lambda table, count: None)
    async with await opened(target) as store:
        again = await store.apply(v.accepted(claims=(Claim("key 1"),)))
        assert not isinstance(again, Applied)
        assert not await store.lead("watch", "two", v.later(1), timedelta(hours=1))
        assert not set(await v.taken(store, v.later(1))) & {d.id for d in taken}
        change = v.accepted()
        await store.apply(replace(change, notifications=(v.notification(RECEIVERS[0], "new"),)))
        (note,) = await store.notifications(RECEIVERS, last, 10)
        assert note.message_id == "new"
        assert [m.id for m in await store.messages(MessageFilter(limit=2))] == [change.messages[0].record.id, newest.id]
        one = taken[0]
        settled = Change(moves=(v.move(one.id, Move.FINISH),))
        assert await store.settle(one.id, 1, v.outcome(), v.later(3), settled) == Applied()
        assert await store.check() == []


async def test_offsets_go_on_also_when_the_newest_had_been_deleted(ends: tuple[str, str]) -> None:
    """Who has read up to there would miss what gets the same number again."""
    source, target = ends
    await fill(source)
    async with await opened(source) as store:
        last = (await store.notifications(RECEIVERS, 0, 1000))[-1].offset
    if source.startswith("postgresql:"):
        with psycopg.connect(source, autocommit=True) as there:
            there.execute("DELETE FROM notifications")
    else:
        with closing(sqlite3.connect(source)) as here, here:
            here.execute("DELETE FROM notifications")
    await asyncio.to_thread(move, end(source, None), end(target, None), lambda table, count: None)
    async with await opened(target) as store:
        await store.apply(Change(notifications=(v.notification("a"),)))
        assert (await store.notifications(("a",), 0, 10))[0].offset > last


async def test_nothing_is_moved_onto_another_store(ends: tuple[str, str]) -> None:
    """The target keeps what it has."""
    source, target = ends
    await fill(source)
    async with await opened(target) as store:
        kept = v.accepted(b"there already")
        await store.apply(kept)
    with pytest.raises(StoreUnavailable, match=r"is there already|is not empty"):
        await asyncio.to_thread(move, end(source, None), end(target, None), lambda table, count: None)
    async with await opened(target) as store:
        assert [m.id for m in await store.messages(MessageFilter())] == [kept.messages[0].record.id]


@pytest.mark.parametrize("which", [0, 1], ids=["source", "target"])
async def test_nothing_is_moved_while_a_hub_is_on_it(ends: tuple[str, str], which: int) -> None:
    """It is told to stop; and goes on undisturbed."""
    await fill(ends[0])
    async with await opened(ends[which]) as store:
        await store.apply(v.accepted())
        with pytest.raises(StoreUnavailable, match=r"stop|already"):
            await asyncio.to_thread(move, end(ends[0], None), end(ends[1], None), lambda table, count: None)
        assert await store.apply(v.accepted()) == Applied()


async def test_what_is_not_the_same_afterwards_is_refused(
    ends: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One letter of one row, and it is said which table."""
    source, target = ends
    await fill(source)
    there = end(target, None)
    fill_ = type(there).fill

    def spoilt(self: Any, table: str, rows: Any) -> None:
        place = columns("journal").index("because")
        fill_(self, table, ((*r[:place], "said otherwise", *r[place + 1 :]) if table == "journal" else r for r in rows))

    monkeypatch.setattr(type(there), "fill", spoilt)
    with pytest.raises(StoreUnavailable, match="journal is not what it was"):
        await asyncio.to_thread(move, end(source, None), there, lambda table, count: None)


async def test_a_move_that_breaks_off_leaves_an_empty_target(ends: tuple[str, str]) -> None:
    """And can be made again."""
    source, target = ends
    await fill(source)

    def broken(table: str, count: int) -> None:
        if table == "deliveries":
            raise OSError("no more room")

    with pytest.raises((StoreUnavailable, OSError), match="no more room"):
        await asyncio.to_thread(move, end(source, None), end(target, None), broken)
    async with await opened(target) as store:
        assert await store.messages(MessageFilter()) == []
        assert await store.check() == []


def test_every_table_is_moved() -> None:
    """A migration that makes a new one has to name it here; counts are made anew by the triggers."""
    for dialect in ("sqlite", "postgres"):
        made = {
            line.split()[2]
            for _, sql in migrations(dialect)
            for line in sql.splitlines()
            if line.startswith("CREATE TABLE")
        }
        assert made == {*TABLES, "standing"}
    assert moving.TABLES == TABLES
