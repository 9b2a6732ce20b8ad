"""What runs beside the messages: word to the other nodes, counts, and the purge of what was settled long ago."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from adapters.store.postgres import PostgresStore
from adapters.store.postgres import purge as purging
from adapters.store.purge import Purged
from hub.ports import Applied, ArrivalFilter, Change, MessageFilter
from hub.states import Move, State
from ops.servers.postgres import PostgresServer
from tests.conformance import values as v
from tests.postgres.conftest import Held, Open

LONG_AGO = v.NOW - timedelta(days=1000)
BEFORE = v.NOW - timedelta(days=1)


# --- word to the others


class Rung:
    """Counts how often it is called, and waits for the next time."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1

    async def until(self, times: int, seconds: float = 10) -> None:
        """Until it has been called so often."""
        async with asyncio.timeout(seconds):
            while self.times < times:
                await asyncio.sleep(0.01)


async def quiet(rung: Rung) -> int:
    """How often it had been called once nothing more comes."""
    await rung.until(1)
    await asyncio.sleep(0.3)
    return rung.times


async def test_other_nodes_are_told_when_something_is_due(node: Open) -> None:
    """A new delivery, and one that a person sends again; who made it due is not told, it knows."""
    mine, theirs = Rung(), Rung()
    here, _ = await node(on_due=mine), await node(on_due=theirs)
    at_first = await quiet(mine), await quiet(theirs)
    assert at_first == (1, 1)  # who begins to listen looks once
    kept = await v.promised(here)
    await theirs.until(2)
    await here.apply(Change(moves=(v.move(kept.id, Move.GIVE_UP),)))
    await asyncio.sleep(0.3)
    assert theirs.times == 2
    await here.apply(Change(moves=(v.move(kept.id, Move.RESEND),)))
    await theirs.until(3)
    assert mine.times == 1


async def test_nobody_is_told_of_what_is_due_later(node: Open) -> None:
    """Whoever looks at that time finds it."""
    rung = Rung()
    here, _ = await node(), await node(on_due=rung)
    before = await quiet(rung)
    await v.promised(here, next_at=datetime.now(UTC) + timedelta(minutes=5))
    await v.promised(here, state=State.HELD)
    await asyncio.sleep(0.3)
    assert rung.times == before


async def test_a_hundred_at_once_are_told_in_a_few_words(node: Open) -> None:
    """The last one is told of after it is there: who looks then finds it."""
    rung = Rung()
    here, there = await node(), await node(on_due=rung)
    before = await quiet(rung)
    await asyncio.gather(*(v.promised(here) for _ in range(100)))
    await rung.until(before + 1)
    await asyncio.sleep(0.3)
    assert rung.times - before < 100
    assert len(await v.taken(there)) == 100


async def test_the_word_is_heard_again_after_the_database_was_away(own_postgres: PostgresServer) -> None:
    """By itself; and since something may have been missed, the node looks once."""
    rung = Rung()
    async with (
        await PostgresStore.open(own_postgres.url, min_free_bytes=0) as here,
        await PostgresStore.open(own_postgres.url, min_free_bytes=0, on_due=rung),
    ):
        await quiet(rung)
        own_postgres.restart()
        await rung.until(2)
        await v.promised(here)
        await rung.until(3)


# --- counts


async def test_counts_are_right_while_many_nodes_write(node: Open, other: psycopg.Connection[Any]) -> None:
    """Eight nodes make and move deliveries while others ask and sum up: in the end each state counts what stands in it."""
    nodes = [await node(connections=2) for _ in range(4)]

    async def work(store: PostgresStore) -> None:
        for n in range(25):
            kept = await v.promised(store)
            move = (Move.FINISH, Move.GIVE_UP, Move.HOLD)[n % 3]
            await store.apply(Change(moves=(v.move(kept.id, move),), arrival=v.arrival_record("refused")))

    async def ask() -> None:
        for n in range(30):
            counts = await nodes[n % 4].counts()
            assert all(number >= 0 for number in counts.values())
            if n % 3 == 0:
                await nodes[n % 4].sum_up()

    await asyncio.gather(*(work(one) for one in nodes * 2), ask())
    stands = {state: number for state, number in (await nodes[0].counts()).items() if number}
    assert stands == {"done": 72, "dead": 64, "held": 64, "arrival:refused": 200}
    await nodes[0].sum_up()
    lines = other.execute("SELECT kind, state, number FROM standing").fetchall()
    assert Counter({s if k == "delivery" else f"{k}:{s}": int(n) for k, s, n in lines}) == stands


async def test_counting_makes_no_writer_wait_for_another(node: Open) -> None:
    """One node has moved a delivery and not committed; another moves the next from and to the same states."""
    held = Held()
    slow, quick = await node(on_step=held), await node()
    first, second = await v.promised(quick), await v.promised(quick)
    held.wanted = True
    going = asyncio.create_task(slow.apply(Change(moves=(v.move(first.id, Move.FINISH),))))
    assert await asyncio.to_thread(held.reached.wait, 20)
    assert await quick.apply(Change(moves=(v.move(second.id, Move.FINISH),))) == Applied()
    held.let_go()
    assert await going == Applied()


async def test_lines_are_summed_up_by_themselves(node: Open, other: psycopg.Connection[Any]) -> None:
    """However long a hub runs, there are never very many of them."""
    store = await node()
    for _ in range(3):
        await asyncio.gather(*(v.promised(store) for _ in range(400)))
    row = other.execute("SELECT COUNT(*) FROM standing").fetchone()
    assert row is not None
    assert row[0] < 800


# --- purge


async def kept(store: PostgresStore, document: bytes, state: State = State.DONE, **given: Any) -> tuple[str, str]:
    """A message of long ago and its delivery."""
    record = v.message(received_at=LONG_AGO)
    delivery = v.delivery(record.id, state=state, **({"changed_at": LONG_AGO, "created_at": LONG_AGO} | given))
    assert await store.apply(v.accepted(document, record=record, deliveries=(delivery,))) == Applied()
    return record.id, delivery.id


@pytest.mark.parametrize("state", State)
async def test_only_what_is_settled_goes(node: Open, state: State) -> None:
    """A delivery that asks for a person, or is still tried, needs its document."""
    store = await node()
    message, _ = await kept(store, b"content", state)
    gone = state in (State.DONE, State.REJECTED, State.DISCARDED)
    assert await store.purge(BEFORE, really=False) == (Purged(1, 7, 0) if gone else Purged(0, 0, 0))
    assert await store.document(message) == b"content"
    await store.purge(BEFORE, really=True)
    assert await store.document(message) == (None if gone else b"content")
    assert (await store.message(message)) is not None


async def test_arrivals_and_parcels_go_with_their_messages(node: Open) -> None:
    """And what somebody else still needs of the same content stays."""
    store = await node()
    record = v.arrival_record(arrival=v.arrival(received_at=LONG_AGO, body=b"as it came"))
    message = v.message(received_at=LONG_AGO, arrival_id=record.arrival.id)
    delivery = v.delivery(message.id, state=State.DONE, changed_at=LONG_AGO, created_at=LONG_AGO)
    change = v.accepted(b"shared", record=message, deliveries=(delivery,))
    await store.apply(
        Change(arrival=record, messages=change.messages, deliveries=change.deliveries, journal=change.journal)
    )
    await store.keep_parcel(delivery.id, v.parcel(b"sealed"), "x")
    young = v.accepted(b"shared")
    await store.apply(young)
    refused = v.arrival_record("refused", arrival=v.arrival(received_at=LONG_AGO, body=b"refused"))
    undecided = v.arrival_record("undecided", arrival=v.arrival(received_at=LONG_AGO, body=b"undecided"), next_at=v.NOW)
    for one in (refused, undecided):
        await store.apply(Change(arrival=one))
    assert await store.purge(BEFORE, really=True) == Purged(3, len(b"as it came" + b"sealed" + b"refused"), 0)
    assert await store.parcel(delivery.id) is None
    assert await store.document(young.messages[0].record.id) == b"shared"
    bodies = {a.arrival.id: a.arrival.body for a in await store.arrivals(ArrivalFilter())}
    assert bodies == {record.arrival.id: b"", refused.arrival.id: b"", undecided.arrival.id: b"undecided"}
    assert await store.purge(BEFORE, really=True) == Purged(0, 0, 0)


async def test_a_resend_that_is_not_committed_yet_keeps_its_document(node: Open) -> None:
    """The purge waits for it, looks again, and leaves what has come to be needed."""
    held = Held()
    slow, store = await node(on_step=held), await node()
    message, delivery = await kept(store, b"content", State.REJECTED)
    held.wanted = True
    resend = Change(moves=(v.move(delivery, Move.RESEND),))
    going = asyncio.create_task(slow.apply(resend))
    assert await asyncio.to_thread(held.reached.wait, 20)
    purge = asyncio.create_task(store.purge(BEFORE, really=True))
    await asyncio.sleep(0.3)
    assert not purge.done()
    held.let_go()
    assert (await going, await purge) == (Applied(), Purged(0, 0, 0))
    assert await store.document(message) == b"content"


async def test_content_that_comes_again_while_it_is_purged_is_kept_whole(node: Open) -> None:
    """Written before the purge and committed after it looked, or written while it goes."""
    held = Held()
    slow, store = await node(on_step=held), await node()
    old, _ = await kept(store, b"content")
    again = v.accepted(b"content")
    held.wanted = True
    going = asyncio.create_task(slow.apply(again))
    assert await asyncio.to_thread(held.reached.wait, 20)
    purge = asyncio.create_task(store.purge(BEFORE, really=True))
    await asyncio.sleep(0.3)
    assert not purge.done()
    held.let_go()
    assert (await going, await purge) == (Applied(), Purged(0, 0, 0))
    assert await store.document(again.messages[0].record.id) == b"content"
    assert await store.document(old) == b"content"


async def test_what_was_purged_comes_back_with_the_next_message_of_that_content(node: Open) -> None:
    """For all who name it."""
    store = await node()
    old, _ = await kept(store, b"content")
    await store.purge(BEFORE, really=True)
    new = v.accepted(b"content")
    await store.apply(new)
    assert await store.document(new.messages[0].record.id) == await store.document(old) == b"content"


async def test_everybody_goes_on_while_much_is_purged(node: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """In batches, with nobody waiting for the whole; what was young is whole afterwards."""
    monkeypatch.setattr(purging, "BATCH", 10)
    store = await node()
    some = [await kept(store, f"content {n % 80}".encode()) for n in range(100)]
    purge = asyncio.create_task(store.purge(BEFORE, really=True))
    young = [v.accepted(f"content {n}".encode()) for n in range(0, 160, 2)]
    assert set(await asyncio.gather(*map(store.apply, young))) == {Applied()}
    gone = await purge
    assert 0 < gone.bodies <= 80
    for change in young:
        assert await store.document(change.messages[0].record.id) == change.messages[0].document
    assert len(await store.messages(MessageFilter(limit=1000))) == len(some) + len(young)


# --- size


async def test_the_largest_documents_come_back_as_they_were_given(node: Open) -> None:
    """Fifty megabytes as document, as arrival and as parcel, while others go on beside them."""
    store = await node()
    large = hashlib.shake_256(b"large").digest(50_000_000)
    change, record = v.accepted(large), v.arrival_record(arrival=v.arrival(body=large[1:]))
    beside = [store.apply(v.accepted()) for _ in range(20)]
    answers = await asyncio.gather(store.apply(replace(change, arrival=record)), *beside)
    assert set(answers) == {Applied()}
    await store.keep_parcel(change.deliveries[0].id, v.parcel(large[2:]), "sealed")
    assert await store.document(change.messages[0].record.id) == large
    assert (await store.arrivals(ArrivalFilter(ids=(record.arrival.id,))))[0].arrival.body == large[1:]
    assert await store.parcel(change.deliveries[0].id) == v.parcel(large[2:])
