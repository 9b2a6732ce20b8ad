"""What several nodes that share a store ask of it: leases that count for all, work handed out, duties and bookmarks."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from hub.ports import Applied, Change, Lane, Store
from hub.states import Move
from tests.conformance import values as v
from tests.conformance.stores import Place

ALONE = frozenset({v.HERE})
MOMENT = timedelta(microseconds=1)


async def some(store: Store, count: int = 3, **given: object) -> list[str]:
    """Ids of deliveries that are due one after another."""
    return [(await v.promised(store, **({"next_at": v.later(n - 100)} | given))).id for n in range(count)]


async def settled(store: Store, delivery_id: str, attempt: int = 1) -> None:
    """The attempt is over, and the delivery with it."""
    change = Change(moves=(v.move(delivery_id, Move.FINISH),))
    assert await store.settle(delivery_id, attempt, v.outcome(), v.later(1), change) == Applied()


# --- how many at once


async def test_what_is_under_way_counts_whoever_claimed_it(store: Store) -> None:
    """Two of one address at once: the third waits until one of them is settled, and gets its place then."""
    ids = await some(store)
    assert await v.taken(store, per_address=2) == ids[:2]
    assert await v.taken(store, per_address=2) == []
    await settled(store, ids[0])
    assert await v.taken(store, per_address=2) == [ids[2]]


async def test_other_addresses_are_not_counted(store: Store) -> None:
    """A partner that is busy leaves the others all of their share."""
    here, there = await some(store), await some(store, address=v.THERE)
    assert await v.taken(store, limit=2, per_address=2) == [here[0], there[0]]
    assert await v.taken(store, per_address=2) == [here[1], there[1]]
    assert await v.taken(store, per_address=2) == []


async def test_a_lease_that_has_run_out_counts_no_longer(store: Store) -> None:
    """A node that died holds no place for longer than its lease; what it had tried is due again first."""
    ids = await some(store)
    assert await v.taken(store, per_address=1) == ids[:1]
    assert await v.taken(store, v.NOW + v.LEASE - MOMENT, per_address=1) == []
    assert await v.taken(store, v.NOW + v.LEASE, per_address=1) == [ids[1]]
    assert await v.taken(store, v.NOW + v.LEASE, per_address=2) == [ids[2]]


async def test_moved_is_not_settled(store: Store) -> None:
    """A receipt that overtakes its attempt frees no place: the connection is still busy until the attempt is over."""
    ids = await some(store)
    await v.taken(store, per_address=1)
    await store.apply(Change(moves=(v.move(ids[0], Move.ACKNOWLEDGE),)))
    assert await v.taken(store, per_address=1) == []
    await store.settle(ids[0], 1, v.outcome(), v.later(1), Change())
    assert await v.taken(store, per_address=1) == [ids[1]]


async def test_an_attempt_that_comes_home_late_does_not_end_the_lease_of_the_next(store: Store) -> None:
    """The first node was slow and its delivery is tried by a second; the first one's outcome frees nothing."""
    ids = await some(store, 1)
    await v.taken(store)
    assert await v.taken(store, v.NOW + v.LEASE) == ids
    ids += await some(store, 1)
    again = Change(moves=(v.move(ids[0], Move.TRY_AGAIN, next_at=v.later(1e6)),))
    await store.settle(ids[0], 1, v.outcome(), v.later(130), again)
    assert await v.taken(store, v.NOW + v.LEASE, per_address=1) == []
    await store.settle(ids[0], 2, v.outcome(), v.later(140), again)
    assert await v.taken(store, v.NOW + v.LEASE, per_address=1) == [ids[1]]


async def test_a_refused_outcome_leaves_the_attempt_under_way(store: Store) -> None:
    """Nothing of a change that met a conflict is kept, not even that a place is free."""
    ids = await some(store, 2)
    await v.taken(store, limit=1)
    await store.apply(Change(moves=(v.move(ids[0], Move.HOLD),)))
    await store.settle(ids[0], 1, v.outcome(), v.later(1), Change(moves=(v.move(ids[0], Move.HAND_OVER),)))
    assert await v.taken(store, per_address=1) == []


async def test_a_single_one_gets_one_at_once(store: Store) -> None:
    """A partner that is being probed: one, then none until it is settled; the others get their usual share."""
    here, there = await some(store), await some(store, address=v.THERE)
    assert set(await v.taken(store, per_address=2, single=ALONE)) == {here[0], there[0], there[1]}
    assert await v.taken(store, per_address=2, single=ALONE) == []
    await settled(store, here[0])
    assert await v.taken(store, per_address=2, single=ALONE) == [here[1]]


async def test_what_was_claimed_before_counts_for_a_single_one_too(store: Store) -> None:
    """Two were under way when the circuit opened: no third beside them, not even the one."""
    ids = await some(store)
    assert await v.taken(store, per_address=2) == ids[:2]
    await settled(store, ids[0])
    assert await v.taken(store, per_address=4, single=ALONE) == []
    assert await v.taken(store, per_address=4) == [ids[2]]


async def test_who_is_to_be_left_alone_is_left_alone_single_or_not(store: Store) -> None:
    """Skipping is the stronger word."""
    await some(store)
    assert await v.taken(store, skip=ALONE, single=ALONE) == []


async def test_claims_at_one_moment_never_exceed_the_limit_together(store: Store) -> None:
    """Twenty takers, three places at each of two addresses: six are taken, whoever was quickest."""
    for address in (v.HERE, v.THERE):
        await some(store, 20, address=address)
    takers = [v.taken(store, limit=5, per_address=3) for _ in range(20)]
    found = [one for group in await asyncio.gather(*takers) for one in group]
    assert len(found) == len(set(found)) == 6


# --- only these


async def test_only_the_addresses_that_were_named_are_looked_at(store: Store) -> None:
    """However much is due elsewhere; among them in the order of claiming."""
    here, there = await some(store), await some(store, address=v.THERE)
    urgent = await v.promised(store, priority=0, address=v.THERE)
    assert await v.taken(store, only=frozenset((v.THERE, "http://nobody.invalid/"))) == [urgent.id, *there]
    assert await v.taken(store, only=frozenset((v.THERE,))) == []
    assert await v.taken(store) == here


async def test_naming_does_not_make_due(store: Store) -> None:
    """What is not due, or is settled, stays as it is."""
    early = await v.promised(store, next_at=v.later(60))
    await v.promised(store, state="held")
    assert await v.taken(store, only=ALONE) == []
    assert await v.standing(store, early.id) == early


async def test_the_limits_hold_for_those_that_were_named(store: Store) -> None:
    """Of one address, of all together, and of addresses to be left alone."""
    here, there = await some(store, 4), await some(store, 1, address=v.THERE)
    both = frozenset((v.HERE, v.THERE))
    assert await v.taken(store, only=both, skip=both) == []
    assert set(await v.taken(store, only=both, per_address=1)) == {here[0], there[0]}
    assert await v.taken(store, only=both, limit=1) == [here[1]]
    assert await v.taken(store, only=both, single=ALONE) == []


async def test_of_none_none_is_taken(store: Store) -> None:
    """Naming nobody is not the same as not naming."""
    ids = await some(store)
    assert await v.taken(store, only=frozenset()) == []
    assert await v.taken(store, only=None) == ids


# --- lanes


async def test_lanes_are_told_with_their_most_urgent_first(store: Store) -> None:
    """One for each address with something due, however much it is; no more than asked for."""
    await some(store, 5, address=v.THERE)
    await v.promised(store, priority=9)
    await v.promised(store, priority=0, next_at=v.later(-1))
    await v.promised(store, priority=1, next_at=v.later(1), address="http://later.invalid/ebxml")
    await v.promised(store, state="dead", address="http://dead.invalid/ebxml")
    expected = [Lane(v.HERE, 0), Lane(v.THERE, 5)]
    assert await store.lanes(v.NOW, 100) == expected
    assert await store.lanes(v.NOW, 1) == expected[:1]
    assert await store.lanes(v.later(-101), 100) == []


async def test_looking_at_lanes_changes_nothing(store: Store) -> None:
    """No attempt, no lease: all of it can be claimed afterwards."""
    ids = await some(store)
    before = [await v.standing(store, one) for one in ids]
    assert await store.lanes(v.NOW, 10) == await store.lanes(v.NOW, 10)
    assert [await v.standing(store, one) for one in ids] == before
    assert [await store.attempts(one) for one in ids] == [[], [], []]
    assert await v.taken(store) == ids


async def test_what_is_under_way_opens_no_lane(store: Store) -> None:
    """Until its lease has run out."""
    await some(store, 1)
    await v.taken(store)
    assert await store.lanes(v.NOW + v.LEASE - MOMENT, 10) == []
    assert await store.lanes(v.NOW + v.LEASE, 10) == [Lane(v.HERE, 5)]


# --- longer


async def test_a_lease_that_was_extended_holds_until_then(store: Store) -> None:
    """An attempt that takes long while its node lives is not begun a second time, and keeps its place."""
    ids = await some(store, 2)
    await v.taken(store, limit=1)
    until = v.NOW + 3 * v.LEASE
    await store.extend([ids[0], "nobody's"], until)
    assert (await v.standing(store, ids[0])).next_at == until
    assert await v.taken(store, until - MOMENT, per_address=1) == []
    assert await v.taken(store, until, per_address=1, lease=v.LEASE) == [ids[1]]
    assert await v.taken(store, until, per_address=2) == [ids[0]]


async def test_a_lease_is_never_shortened(store: Store) -> None:
    """A word that comes late takes nothing away."""
    (one,) = await some(store, 1)
    await v.taken(store)
    await store.extend([one], v.NOW + v.LEASE - MOMENT)
    assert (await v.standing(store, one)).next_at == v.NOW + v.LEASE


async def test_what_was_settled_or_never_taken_is_not_extended(store: Store) -> None:
    """Each stands as it stood, and can be taken at its own time."""
    ids = await some(store, 3)
    await v.taken(store, limit=2)
    await settled(store, ids[0])
    again = Change(moves=(v.move(ids[1], Move.TRY_AGAIN, next_at=v.later(5)),))
    await store.settle(ids[1], 1, v.outcome(), v.later(1), again)
    before = [await v.standing(store, one) for one in ids]
    await store.extend(ids, v.later(1e6))
    assert [await v.standing(store, one) for one in ids] == before
    assert await v.taken(store, v.later(5), per_address=2) == [ids[2], ids[1]]


async def test_a_time_that_somebody_else_has_set_meanwhile_stands(store: Store) -> None:
    """A person held it and let it go while it was tried: it is due when they said."""
    (one,) = await some(store, 1)
    await v.taken(store)
    orders = (v.move(one, Move.HOLD), v.move(one, Move.RELEASE, next_at=v.later(7)))
    await store.apply(Change(moves=orders))
    await store.extend([one], v.later(1e6))
    assert (await v.standing(store, one)).next_at == v.later(7)


async def test_nothing_to_extend_is_nothing(store: Store) -> None:
    """A quiet node asks for nothing."""
    await store.extend([], v.later(1))


# --- duties


async def test_of_two_nodes_one_has_the_duty_until_its_term_has_passed(store: Store) -> None:
    """The second gets it the moment the first one's term is over, not before; then the first has lost it."""
    term = timedelta(seconds=30)
    assert await store.lead("watch", "one", v.NOW, term)
    assert not await store.lead("watch", "two", v.NOW + term - MOMENT, term)
    assert await store.lead("watch", "two", v.NOW + term, term)
    assert not await store.lead("watch", "one", v.NOW + term, term)


async def test_who_has_a_duty_keeps_it_by_asking_in_time(store: Store) -> None:
    """Each word lengthens the term; no other comes between."""
    term = timedelta(seconds=30)
    for n in range(5):
        assert await store.lead("watch", "one", v.NOW + n * term / 2, term)
        assert not await store.lead("watch", "two", v.NOW + n * term / 2, term)
    assert await store.lead("watch", "two", v.NOW + 3 * term, term)


async def test_a_duty_can_be_laid_down(store: Store) -> None:
    """A node that stops asks for no more time, and the next need not wait."""
    await store.lead("watch", "one", v.NOW, timedelta(hours=1))
    assert await store.lead("watch", "one", v.NOW, timedelta())
    assert await store.lead("watch", "two", v.NOW, timedelta(hours=1))


async def test_duties_are_apart(store: Store) -> None:
    """One node may have one, another the other."""
    assert await store.lead("watch", "one", v.NOW, timedelta(hours=1))
    assert await store.lead("collect", "two", v.NOW, timedelta(hours=1))
    assert not await store.lead("collect", "one", v.NOW, timedelta(hours=1))


async def test_of_many_who_ask_at_once_one_gets_it(store: Store) -> None:
    """Whoever was first; also when a term has just passed."""
    for moment in (v.NOW, v.later(60)):
        asked = (store.lead("watch", f"node {n}", moment, timedelta(seconds=60)) for n in range(20))
        assert sum(await asyncio.gather(*asked)) == 1


async def test_a_duty_outlives_closing(place: Place) -> None:
    """A node that starts again has it still; another has not."""
    async with place.open() as store:
        await store.lead("watch", "one", v.NOW, timedelta(hours=1))
    async with place.open() as store:
        assert not await store.lead("watch", "two", v.later(1), timedelta(hours=1))
        assert await store.lead("watch", "one", v.later(1), timedelta(hours=1))


# --- bookmarks


async def test_a_bookmark_begins_at_nothing_and_goes_forward(place: Place) -> None:
    """Each by its name; also after closing."""
    async with place.open() as store:
        assert await store.bookmark("feed") == 0
        await store.keep_bookmark("feed", 7)
    async with place.open() as store:
        assert (await store.bookmark("feed"), await store.bookmark("other")) == (7, 0)


@pytest.mark.parametrize("value", [0, 6, 7])
async def test_a_bookmark_never_goes_back(store: Store, value: int) -> None:
    """A reader that was slow does not make the next one read again."""
    await store.keep_bookmark("feed", 7)
    await store.keep_bookmark("feed", value)
    assert await store.bookmark("feed") == 7


async def test_of_many_who_move_a_bookmark_the_farthest_counts(store: Store) -> None:
    """In whatever order they come; as far as any offset goes."""
    values = [2**62, *range(50)]
    await asyncio.gather(*(store.keep_bookmark("feed", value) for value in values))
    assert await store.bookmark("feed") == 2**62
