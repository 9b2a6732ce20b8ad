"""What waits for its time: arrivals to be judged again, and AppRecs that should have been home."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from hub.ports import Applied, Change, Store
from hub.states import MOVES, Move, State
from tests.conformance import values as v

LEASE = timedelta(seconds=60)


async def undecided(store: Store, after: float = 0) -> str:
    """An arrival that could not be judged; returns its id."""
    record = v.arrival_record("undecided", next_at=v.later(after), answer_status=202, answer_headers=(), answer=b"")
    assert await store.apply(Change(arrival=record)) == Applied()
    return record.arrival.id


async def found(store: Store, after: float, limit: int = 10) -> list[str]:
    """Ids of those that are to be judged at that time."""
    return [one.id for one in await store.undecided(v.later(after), limit, LEASE)]


async def test_an_undecided_arrival_comes_back_at_its_time_as_it_came(store: Store) -> None:
    """Bytes, headers and all that its door knew."""
    record = v.arrival_record("undecided", next_at=v.later(10))
    await store.apply(Change(arrival=record))
    assert await found(store, 9.999999) == []
    assert await store.undecided(v.later(10), 10, LEASE) == [record.arrival]


async def test_an_undecided_arrival_is_leased(store: Store) -> None:
    """Not given out twice within the lease; given out again after it, by whoever asks."""
    kept = await undecided(store)
    assert await found(store, 0) == [kept]
    assert await found(store, 59.999999) == []
    assert await found(store, 60) == [kept]


async def test_the_oldest_undecided_come_first_and_no_more_than_the_limit(store: Store) -> None:
    """The rest at the next look."""
    kept = [await undecided(store, after) for after in (3, 1, 2)]
    assert await found(store, 5, limit=2) == [kept[1], kept[2]]
    assert await found(store, 5, limit=2) == [kept[0]]


async def test_many_who_look_at_once_never_get_the_same_arrival(store: Store) -> None:
    """Two nodes that watch do not judge the same message side by side."""
    kept = [await undecided(store) for _ in range(20)]
    looks = await asyncio.gather(*(found(store, 1, limit=4) for _ in range(10)))
    assert sorted(one for look in looks for one in look) == sorted(kept)


async def test_what_was_decided_does_not_come_again(store: Store) -> None:
    """The change that decides replaces the state, and with it the time."""
    record = v.arrival_record("undecided", next_at=v.NOW)
    await store.apply(Change(arrival=record))
    await store.apply(Change(arrival=replace(record, state="accepted", next_at=None)))
    assert await found(store, 1e6) == []


async def test_an_apprec_is_missing_in_exactly_the_states_that_may_miss_it(store: Store) -> None:
    """The states that the move MISS allows, and those only once their time has come."""
    made = {state: await v.promised(store, state=state, apprec_due_at=v.later(10)) for state in State}
    assert await store.missing_apprecs(v.later(9.999999), 100) == []
    missing = await store.missing_apprecs(v.later(10), 100)
    assert {State(d.state) for d in missing} == MOVES[Move.MISS][0]
    assert sorted(missing, key=lambda d: d.id) == [made[s] for s in State if s in MOVES[Move.MISS][0]]


async def test_a_delivery_without_an_apprec_due_never_misses_one(store: Store) -> None:
    """An AppRec is not answered by an AppRec."""
    await v.promised(store, state=State.SENT, apprec_due_at=None)
    assert await store.missing_apprecs(v.later(1e9), 100) == []


async def test_the_longest_missing_come_first_and_no_more_than_the_limit(store: Store) -> None:
    """The rest at the next look; what was marked as missed does not come again."""
    made = [await v.promised(store, state=State.SENT, apprec_due_at=v.later(n)) for n in (3, 1, 2)]
    first = await store.missing_apprecs(v.later(5), 2)
    assert [d.id for d in first] == [made[1].id, made[2].id]
    await store.apply(Change(moves=tuple(v.move(d.id, Move.MISS) for d in first)))
    assert [d.id for d in await store.missing_apprecs(v.later(5), 2)] == [made[0].id]
