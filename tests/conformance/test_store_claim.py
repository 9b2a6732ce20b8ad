"""Due deliveries are taken up: the most urgent first, by one taker, for as long as a lease lasts."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from hub.message import Reached
from hub.ports import Applied, AttemptRecord, Change, Claim, Store
from hub.states import TRYING, Move, State
from tests.conformance import values as v
from tests.conformance.stores import Place


async def test_a_claim_brings_all_that_an_attempt_needs(store: Store) -> None:
    """The delivery as it now stands, its message, the number of the attempt, and the parcel if it was sealed before."""
    change = v.accepted()
    await store.apply(change)
    (first,) = await store.claim(v.NOW, 5, v.LEASE, v.NOBODY, 5)
    assert first.message == change.messages[0].record
    assert first.delivery == await v.standing(store, change.deliveries[0].id)
    assert (first.attempt, first.delivery.attempts, first.parcel) == (1, 1, None)
    await store.keep_parcel(first.delivery.id, v.parcel(), "sealed as")
    (second,) = await store.claim(v.NOW + v.LEASE, 5, v.LEASE, v.NOBODY, 5)
    assert (second.attempt, second.parcel, second.delivery.eb_message_id) == (2, v.parcel(), "sealed as")


async def test_the_most_urgent_go_first_then_the_oldest_due(store: Store) -> None:
    """Priority 0 before 9; within one priority by the time they fell due."""
    wanted = [(0, -1), (0, 0), (4, -99), (5, -98), (5, -97), (9, -1000)]
    ids = {}
    for priority, due in reversed(wanted):
        ids[priority, due] = (await v.promised(store, priority=priority, next_at=v.later(due))).id
    assert await v.taken(store) == [ids[key] for key in wanted]


async def test_the_order_holds_from_claim_to_claim(store: Store) -> None:
    """Taken two at a time they come in the same order."""
    made = [await v.promised(store, priority=n % 3, next_at=v.later(-n)) for n in range(9)]
    expected = [d.id for d in sorted(made, key=lambda d: (d.priority, d.next_at))]
    found = [one for _ in range(5) for one in await v.taken(store, limit=2)]
    assert found == expected


async def test_only_what_is_due_is_taken(store: Store) -> None:
    """A moment before its time it is left alone; at its time it is taken."""
    due = await v.promised(store, next_at=v.later(60))
    assert await v.taken(store, v.later(60) - timedelta(microseconds=1)) == []
    assert await v.taken(store, v.later(60)) == [due.id]


@pytest.mark.parametrize("state", State)
async def test_only_states_in_which_the_hub_tries_are_taken(store: Store, state: State) -> None:
    """Waiting, and sent without an Acknowledgment."""
    kept = await v.promised(store, state=state, next_at=v.NOW if state in TRYING else None)
    assert await v.taken(store) == ([kept.id] if state in TRYING else [])


async def test_no_more_than_the_limit_are_taken(store: Store) -> None:
    """The rest is left for the next claim."""
    for _ in range(5):
        await v.promised(store)
    assert [len(await v.taken(store, limit=2)) for _ in range(4)] == [2, 2, 1, 0]


async def test_no_more_than_its_share_of_one_address_is_taken(store: Store) -> None:
    """Other addresses get the room that is left."""
    for _ in range(7):
        await v.promised(store, next_at=v.later(-5))
    there = [await v.promised(store, address=v.THERE) for _ in range(2)]
    found = await v.taken(store, limit=6, per_address=3)
    assert len(found) == 5
    assert set(found[3:]) == {d.id for d in there}


async def test_addresses_to_be_left_alone_are_left_alone(store: Store) -> None:
    """What waits for a partner with an open circuit stays as it is, not even its time changes."""
    alone = await v.promised(store)
    there = await v.promised(store, address=v.THERE)
    assert await v.taken(store, skip=frozenset({v.HERE})) == [there.id]
    assert await v.standing(store, alone.id) == alone
    assert await v.taken(store) == [alone.id]


@pytest.mark.parametrize("skipped", [True, False])
async def test_one_partners_backlog_does_not_hide_the_others(store: Store, skipped: bool) -> None:
    """Three hundred older and more urgent deliveries to one address: those of the others are taken all the same."""
    for _ in range(6):
        some = [v.accepted(priority=n % 2, next_at=v.later(-n)) for n in range(50)]
        assert set(await asyncio.gather(*map(store.apply, some))) == {Applied()}
    others = [await v.promised(store, address=f"http://{n}.invalid", priority=1, next_at=v.NOW) for n in range(9)]
    skip = frozenset({v.HERE}) if skipped else v.NOBODY
    found = await v.taken(store, limit=12, per_address=2, skip=skip)
    assert {d.id for d in others} <= set(found)
    assert len(found) == 9 + (0 if skipped else 2)


async def test_within_its_lease_a_delivery_is_not_taken_again_and_after_it_is(store: Store) -> None:
    """A process that died while it tried delays the delivery by its lease, and no longer."""
    kept = await v.promised(store)
    lease = timedelta(seconds=90)
    assert await v.taken(store, lease=lease) == [kept.id]
    assert await v.taken(store, v.NOW + lease - timedelta(microseconds=1)) == []
    assert await v.taken(store, v.NOW + lease, lease=lease) == [kept.id]
    assert await v.taken(store, v.NOW + lease) == []


async def test_the_attempt_is_recorded_before_it_is_tried(place: Place) -> None:
    """Who comes after a crash finds the attempt begun and not ended, and the next one timed."""
    async with place.open() as store:
        kept = await v.promised(store)
        await v.taken(store)
    async with place.open() as store:
        assert await store.attempts(kept.id) == [AttemptRecord(kept.id, 1, v.NOW, None, "", "", "")]
        found = await v.standing(store, kept.id)
        assert (found.attempts, found.next_at, found.state) == (1, v.NOW + v.LEASE, "waiting")


async def test_of_many_takers_each_delivery_goes_to_one(store: Store) -> None:
    """Twenty takers at once over a hundred deliveries: nothing is taken twice, nothing is left."""
    some = [v.accepted(address=f"http://{n % 7}.invalid") for n in range(100)]
    await asyncio.gather(*map(store.apply, some))
    taken = await asyncio.gather(*(v.taken(store, limit=10) for _ in range(20)))
    found = [one for group in taken for one in group]
    assert sorted(found) == sorted(change.deliveries[0].id for change in some)


async def test_claiming_beside_moving_never_brings_back_what_is_settled(store: Store) -> None:
    """Receipts that come while deliveries are taken up: what they settled is not tried at its next time."""
    made = [await v.promised(store) for _ in range(40)]
    acknowledging = [store.apply(Change(moves=(v.move(d.id, Move.FINISH),))) for d in made]
    await asyncio.gather(*acknowledging, *(v.taken(store, limit=7) for _ in range(6)))
    assert await v.taken(store, v.later(1e6)) == []
    assert {(await v.standing(store, d.id)).state for d in made} == {"done"}


async def test_a_key_and_a_due_delivery_are_two_things(store: Store) -> None:
    """Taking up a delivery takes no claim, and a claim hides no delivery."""
    kept = await v.promised(store, claims=(Claim("key", "x"),))
    assert await v.taken(store) == [kept.id]
    assert await store.earlier(kept.id) is None


ALONE = frozenset({v.HERE})


async def tried_in_vain(store: Store, at: float, wait: float) -> list[str]:
    """What is taken of an address that gets one try at a time; it fails, and is due again after `wait`."""
    taken = await store.claim(v.later(at), 100, v.LEASE, v.NOBODY, 4, single=ALONE)
    for one in taken:
        move = v.move(one.delivery.id, Move.TRY_AGAIN, next_at=v.later(at + wait))
        failed = v.outcome("connect-failed", reached=Reached.NO)
        assert await store.settle(one.delivery.id, one.attempt, failed, v.later(at), Change(moves=(move,))) == Applied()
    return [one.delivery.id for one in taken]


async def test_each_try_of_a_probed_address_goes_to_another_delivery(store: Store) -> None:
    """Two receipts that are more urgent than the four documents behind them: all six have their turn, then again."""
    receipts = [(await v.promised(store, priority=2, kind="signal", next_at=v.later(n - 9))).id for n in range(2)]
    documents = [(await v.promised(store, priority=5 + n // 2, next_at=v.later(n - 7))).id for n in range(4)]
    found = [await tried_in_vain(store, at, wait=10) for at in range(0, 120, 10)]
    assert found == [[one] for one in receipts + documents] * 2


async def test_what_was_tried_often_lets_others_go_first_and_the_urgent_go_before_them(store: Store) -> None:
    """A receipt that has failed three times, a document that came later, and an urgent one that came last."""
    receipt = (await v.promised(store, priority=2, next_at=v.later(-9))).id
    assert [await tried_in_vain(store, at, wait=1) for at in range(3)] == [[receipt]] * 3
    document = (await v.promised(store, priority=5, next_at=v.later(3))).id
    urgent = (await v.promised(store, priority=1, next_at=v.later(4))).id
    found = [await tried_in_vain(store, at, wait=1) for at in range(5, 15)]
    assert found[:2] == [[urgent], [document]]
    assert {one for group in found for one in group} == {receipt, document, urgent}


async def test_the_urgent_of_others_go_before_a_probe(store: Store) -> None:
    """A turn is one among its own; beside other addresses it stands where its priority puts it."""
    tried = await v.promised(store, priority=2, next_at=v.later(-10))
    await tried_in_vain(store, 0, wait=0)
    turn = await v.promised(store, priority=5, next_at=v.later(-900))
    urgent = await v.promised(store, priority=3, next_at=v.NOW, address=v.THERE)
    assert tried.priority < urgent.priority
    assert await v.taken(store, limit=5, single=ALONE) == [urgent.id, turn.id]


async def test_a_probe_is_found_behind_any_backlog(store: Store) -> None:
    """Hundreds that are more urgent, of its own address and of others: the one that has not been tried has the turn."""
    for _ in range(3):
        some = [v.accepted(priority=0, next_at=v.later(-n), address=(v.HERE, v.THERE)[n % 2]) for n in range(50)]
        assert set(await asyncio.gather(*map(store.apply, some))) == {Applied()}
    for one in await store.claim(v.NOW, 100, timedelta(seconds=1), frozenset({v.THERE}), 100):
        await store.settle(one.delivery.id, 1, v.outcome(), v.NOW, Change())
    longest = await v.promised(store, priority=9, next_at=v.NOW)
    found = await v.taken(store, v.later(2), limit=8, per_address=3, single=ALONE)
    assert longest.id in found and len(found) == 4
    assert await v.taken(store, v.later(2), limit=8, per_address=3, single=ALONE, only=ALONE) == []


@pytest.mark.parametrize("only", [None, ALONE])
async def test_the_turn_is_the_same_lane_by_lane(store: Store, only: frozenset[str] | None) -> None:
    """Whether a node looks at all that is due or works on one lane."""
    first = await v.promised(store, priority=7, next_at=v.later(-6))
    assert await tried_in_vain(store, 0, wait=1) == [first.id]
    second = await v.promised(store, priority=8, next_at=v.later(1))
    assert await v.taken(store, v.later(2), single=ALONE, only=only) == [second.id]
