"""What partners have shown of themselves: kept with the change that taught it, one for each fact, the newest counts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import permutations

import pytest

from hub.ports import Applied, Change, Claim, Conflict, DeliveryFilter, Learnt, MoveOrder, Store, Taken
from hub.states import Move
from tests.conformance import values as v
from tests.conformance.stores import Place


def learnt(value: str, *, her_id: str = "8000402", fact: str = "acknowledgment-refers", seconds: float = 0) -> Learnt:
    return Learnt(her_id, fact, value, v.later(seconds))


async def test_nothing_is_known_at_first_and_what_is_learnt_outlives_closing(place: Place) -> None:
    """For whoever opens the store."""
    async with place.open() as store:
        assert await store.learnt() == []
        assert await store.apply(Change(learnt=(learnt("yes"),))) == Applied()
        assert await store.learnt() == [learnt("yes")]
    async with place.open() as store, place.open() as other:
        assert await store.learnt() == await other.learnt() == [learnt("yes")]


async def test_each_partner_has_each_fact_once(store: Store) -> None:
    """In the order of their names."""
    known = (learnt("yes", her_id="2"), learnt("no", her_id="1"), learnt("x", her_id="1", fact="a"))
    await store.apply(Change(learnt=known))
    assert await store.learnt() == sorted(known, key=lambda one: (one.her_id, one.fact))


@pytest.mark.parametrize("order", list(permutations(range(3))))
async def test_the_newest_counts_in_whatever_order_they_come(store: Store, order: tuple[int, ...]) -> None:
    """A node that was slow does not bring back what was."""
    values = ("yes", "no", "yes, again")
    for at in order:
        await store.apply(Change(learnt=(learnt(values[at], seconds=at),)))
    assert await store.learnt() == [learnt("yes, again", seconds=2)]


async def test_many_who_learn_the_same_at_once_do_not_hinder_one_another(store: Store) -> None:
    """Several facts of several partners, in whatever order they are given."""
    facts = [learnt("yes", her_id=str(number)) for number in range(20)]
    changes = [Change(learnt=tuple(facts[n:] + facts[:n])) for n in range(20)]
    assert await asyncio.gather(*(store.apply(change) for change in changes)) == [Applied()] * 20
    assert len(await store.learnt()) == 20


async def test_nothing_is_learnt_from_what_was_not_kept(store: Store) -> None:
    """A change is whole or not at all."""
    kept = v.accepted(claims=(Claim("key", "digest"),))
    assert await store.apply(kept) == Applied()
    again = v.accepted(claims=(Claim("key", "other"),))
    assert isinstance(await store.apply(replace(again, learnt=(learnt("yes"),))), Taken)
    order = MoveOrder(kept.deliveries[0].id, Move.FINISH, v.NOW, "done", "")
    assert await store.apply(Change(moves=(order,))) == Applied()
    assert isinstance(await store.apply(Change(moves=(order,), learnt=(learnt("yes"),))), Conflict)
    assert await store.learnt() == []


async def test_a_move_that_gives_it_a_new_lifetime_keeps_it_and_none_leaves_it(store: Store) -> None:
    """MoveOrder.expires_at."""
    kept = v.accepted()
    await store.apply(kept)
    [made] = kept.deliveries
    held = MoveOrder(made.id, Move.HOLD, v.NOW, "held", "", expires_at=v.later(60))
    await store.apply(Change(moves=(held,)))
    await store.apply(Change(moves=(MoveOrder(made.id, Move.RELEASE, v.NOW, "released", "", v.NOW),)))
    [found] = await store.deliveries(DeliveryFilter(ids=(made.id,)))
    assert found.expires_at == v.later(60)
