"""How far record systems have been told over their webhooks: kept for all nodes, and past a restart."""

from __future__ import annotations

from dataclasses import replace

from hub.ports import HookLane, Store
from tests.conformance import values as v
from tests.conformance.stores import Place as StorePlace

NEW = HookLane("epj", "", 7)
APART = HookLane("epj", "message-1", 3, 5, 4, v.NOW, v.later(60), "http-permanent", "HTTP 400 ø", v.later(1))


async def test_lanes_are_kept_by_system_and_name_each_in_place_of_the_one_before(store: Store) -> None:
    other = HookLane("Ærlig", "", 1)
    await store.keep_hooks([other, APART, NEW], [], [v.entry()])
    assert await store.hooks() == [NEW, APART, other]
    later = replace(NEW, told=9, tries=1, since=v.NOW, next_at=v.later(60), code="timed-out", because="no answer")
    await store.keep_hooks([later], [("epj", "message-1"), ("epj", "nobody's")])
    assert await store.hooks() == [later, other]
    again = replace(APART, told=1)
    await store.keep_hooks([again], [])
    assert await store.hooks() == [later, again, other]
    assert len(await store.journal()) == 1


async def test_none_goes_back(store: Store) -> None:
    """A node that lost the duty, and does not know it yet, takes nothing back from the one that has it."""
    await store.keep_hooks([NEW], [])
    await store.keep_hooks([replace(NEW, told=6, tries=3)], [])
    assert await store.hooks() == [NEW]
    await store.keep_hooks([replace(NEW, tries=3)], [])
    assert await store.hooks() == [replace(NEW, tries=3)]


async def test_a_lane_that_is_dropped_and_kept_at_once_begins_anew(store: Store) -> None:
    """Then it may go back: a person has it told again."""
    await store.keep_hooks([APART], [])
    await store.keep_hooks([replace(APART, told=0)], [("epj", "message-1")])
    assert await store.hooks() == [replace(APART, told=0)]


async def test_they_are_there_after_a_restart(place: StorePlace) -> None:
    async with place.open() as store:
        await store.keep_hooks([NEW, APART], [])
    async with place.open() as store:
        assert await store.hooks() == [NEW, APART]
