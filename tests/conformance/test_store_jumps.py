"""Clocks that differ and clocks that are set: no lease is stolen, each ends, and nothing waits longer than it ever should."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.store.opening import untrusted
from hub.events import Event
from hub.ports import Applied, Change, Store
from hub.states import Move, State
from tests.conformance import values as v

HOUR, WEEK = timedelta(hours=1), timedelta(weeks=1)
LONGEST, AGAIN = timedelta(hours=2), timedelta(minutes=5)
MOMENT = timedelta(microseconds=1)
DAY = timedelta(days=1)


@pytest.mark.parametrize("ahead", [-WEEK, -HOUR, HOUR, WEEK], ids=["week-back", "hour-back", "hour-on", "week-on"])
async def test_a_node_with_another_wall_clock_steals_no_lease_and_inherits_each(store: Store, ahead: timedelta) -> None:
    """What one has claimed another gets when the lease has ended by the clock that both share, and not before."""
    one = await v.promised(store)
    assert await v.taken(store, v.NOW, by=v.NOW) == [one.id]
    for seconds in (1, 60, 119):
        by = v.later(seconds)
        await store.pull_back(by + ahead, by, v.LEASE, LONGEST, AGAIN)
        assert await v.taken(store, by + ahead, by=by) == []
    await store.extend([one.id], v.later(119) + v.LEASE)
    by = v.later(238)
    await store.pull_back(by + ahead, by, v.LEASE, LONGEST, AGAIN)
    assert await v.taken(store, by + ahead, by=by) == []
    by = v.later(240)
    await store.pull_back(by + ahead, by, v.LEASE, LONGEST, AGAIN)
    assert await v.taken(store, by + ahead, by=by) == [one.id]


@pytest.mark.parametrize("ahead", [-WEEK, WEEK], ids=["back", "on"])
async def test_what_another_node_has_counts_for_its_address(store: Store, ahead: timedelta) -> None:
    """Also where the two disagree about the time of day."""
    ids = [(await v.promised(store, created_at=v.NOW - 2 * WEEK, next_at=v.NOW - 2 * WEEK)).id for _ in range(3)]
    first = await v.taken(store, v.NOW, by=v.NOW, per_address=2)
    second = await v.taken(store, v.NOW + ahead, by=v.later(1), per_address=2)
    assert (len(first), second) == (2, [])
    third = await v.taken(store, v.NOW + ahead, by=v.later(1), per_address=3)
    assert sorted(first + third) == sorted(ids)


async def test_a_lease_ends_though_the_shared_clock_was_set_back(store: Store) -> None:
    """Within its own length from then, whoever had it."""
    one = await v.promised(store)
    assert await v.taken(store, v.NOW, by=v.NOW + WEEK) == [one.id]
    assert await store.pull_back(v.NOW, v.NOW, v.LEASE, LONGEST, AGAIN) == 1
    assert await v.taken(store, v.NOW + v.LEASE - MOMENT, by=v.NOW + v.LEASE - MOMENT) == []
    assert await v.taken(store, v.NOW + v.LEASE, by=v.NOW + v.LEASE) == [one.id]


async def test_a_time_too_far_ahead_comes_back_to_the_longest_interval(store: Store) -> None:
    """What was handed over to the delivery's own, where that is longer; what is within it stands, and what waits for nothing."""
    short, long = timedelta(minutes=5), timedelta(hours=12)
    ahead = await v.promised(store, next_at=v.NOW + WEEK, retry_interval=short)
    agreed = await v.promised(store, next_at=v.NOW + WEEK, retry_interval=long, state=State.SENT)
    within = await v.promised(store, next_at=v.NOW + LONGEST, retry_interval=short)
    longer = await v.promised(store, next_at=v.NOW + long, retry_interval=long)
    done = await v.promised(store, state=State.DONE)
    assert await store.pull_back(v.NOW, v.NOW, v.LEASE, LONGEST, AGAIN) == 2
    at = {one: (await v.standing(store, one.id)).next_at for one in (ahead, agreed, within, longer, done)}
    assert at == {
        ahead: v.NOW + LONGEST,
        agreed: v.NOW + long * 1.2,
        within: v.NOW + LONGEST,
        longer: v.NOW + long,
        done: None,
    }
    assert await store.pull_back(v.NOW, v.NOW, v.LEASE, LONGEST, AGAIN) == 0


@pytest.mark.parametrize(("state", "after"), [(State.WAITING, MOMENT), (State.SENT, timedelta(hours=12) * 1.2)])
async def test_what_was_not_handed_over_may_come_back_sooner(store: Store, state: State, after: timedelta) -> None:
    """A wait that the other side asked for may be longer than our own; one that a clock has made ends soon."""
    asked = await v.promised(store, state=state, next_at=v.NOW + LONGEST, retry_interval=timedelta(hours=12))
    made = await v.promised(store, state=state, next_at=v.NOW + WEEK, retry_interval=timedelta(hours=12))
    assert await store.pull_back(v.NOW, v.NOW, v.LEASE, LONGEST, AGAIN, MOMENT) == 1
    assert [(await v.standing(store, one.id)).next_at for one in (asked, made)] == [v.NOW + LONGEST, v.NOW + after]


async def test_an_arrival_too_far_ahead_is_judged_again_in_time(store: Store) -> None:
    """The same for what waits to be judged."""
    record = v.arrival_record("undecided", next_at=v.NOW + WEEK, answer=b"")
    assert await store.apply(Change(arrival=record)) == Applied()
    assert await store.pull_back(v.NOW, v.NOW, v.LEASE, LONGEST, AGAIN) == 1
    assert await store.undecided(v.NOW + AGAIN - MOMENT, 10, v.LEASE) == []
    assert len(await store.undecided(v.NOW + AGAIN, 10, v.LEASE)) == 1


async def test_a_persons_time_stands_beside_a_lease(store: Store) -> None:
    """Held and let go while it was tried: it is due when they said, whoever has it by whichever clock."""
    one = await v.promised(store)
    await v.taken(store, v.NOW, by=v.NOW + HOUR)
    orders = (v.move(one.id, Move.HOLD), v.move(one.id, Move.RELEASE, next_at=v.later(7)))
    await store.apply(Change(moves=orders))
    assert await store.pull_back(v.NOW, v.NOW + HOUR, v.LEASE, LONGEST, AGAIN) == 0
    assert await v.taken(store, v.later(6), by=v.NOW + HOUR) == []
    assert await v.taken(store, v.later(7), by=v.NOW + HOUR) == [one.id]


async def test_no_duty_is_kept_by_a_node_whose_clock_was_days_ahead(store: Store) -> None:
    """A term that is longer than any is none; another node has the duty, and the watch does not stand still."""
    term = timedelta(seconds=15)
    assert await store.lead("watch", "one", v.NOW + DAY, term)
    assert await store.lead("watch", "two", v.NOW, term)
    assert not await store.lead("watch", "three", v.NOW, term)


async def test_a_shared_store_tells_its_time_and_an_embedded_one_has_none(store: Store) -> None:
    """Two nodes that ask it are told the same, whatever their own clocks tell."""
    told = [await store.clock() for _ in range(2)]
    if type(store).__name__ == "SqliteStore":
        assert told == [None, None]
    else:
        assert told[0] is not None and told[1] is not None and timedelta(0) <= told[1] - told[0] < HOUR


JUMPS = {
    "none": (None, ""),
    "stood": (-timedelta(minutes=11), ""),
    "young": (-timedelta(minutes=9), "jumped"),
    "set back since": (DAY, "newest line of the journal"),
}


@pytest.mark.parametrize("name", JUMPS)
async def test_nothing_is_removed_by_a_clock_that_has_just_jumped(store: Store, name: str) -> None:
    """Said in words, for whoever purges by it."""
    at, why = JUMPS[name]
    now = await store.clock() or v.NOW
    if at is not None:
        line = v.entry(event=Event.CLOCK_JUMPED, at=now + at)
        assert await store.apply(Change(journal=(line, v.entry(at=now + at)))) == Applied()
    said = await untrusted(store, now)  # type: ignore[arg-type]
    assert (why in said) if why else said == ""


async def test_nothing_is_removed_by_a_clock_that_is_not_the_servers(store: Store) -> None:
    """Where there is one."""
    shared = await store.clock()
    said = await untrusted(store, (shared or v.NOW) + DAY)  # type: ignore[arg-type]
    assert bool(said) == (shared is not None)
