"""A record system that reads on from the last offset misses nothing, however many write meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from hub.events import NotificationType
from hub.ports import Applied, Change, Claim, Store
from tests.conformance import values as v
from tests.conformance.stores import Place


async def test_notifications_are_read_on_from_an_offset(store: Store) -> None:
    """Those of any of the receivers asked for, in order, with what was said."""
    told = [v.notification(r, f"m{n}", type=t) for n, (r, t) in enumerate(zip("abcac", NotificationType, strict=True))]
    await store.apply(Change(notifications=tuple(told)))
    found = await store.notifications(("a", "b"), 0, 100)
    assert [replace(n, offset=0) for n in found] == [told[0], told[1], told[3]]
    assert await store.notifications(("a", "b"), found[0].offset, 100) == found[1:]
    assert await store.notifications(("a", "b"), 0, 2) == found[:2]
    assert await store.notifications(("a", "b"), found[-1].offset, 100) == []
    assert await store.notifications((), 0, 100) == []


async def test_the_first_offset_is_greater_than_zero(store: Store) -> None:
    """Who has read nothing asks from 0 and gets everything."""
    await store.apply(Change(notifications=(v.notification("a"),)))
    assert (await store.notifications(("a",), 0, 1))[0].offset > 0


async def test_the_newest_offset_is_that_of_the_last_notification_to_any_of_them(store: Store) -> None:
    """What comes after it is above it; 0 where nothing was ever told."""
    assert await store.newest_offset(("a", "b")) == 0
    await store.apply(Change(notifications=tuple(v.notification(one) for one in "abc")))
    newest = await store.newest_offset(("a", "b"))
    assert newest == (await store.notifications(("b",), 0, 9))[-1].offset < await store.newest_offset(("c",))
    await store.apply(Change(notifications=(v.notification("a"),)))
    assert [n.offset for n in await store.notifications(("a", "b"), newest, 9)] == [await store.newest_offset("ab")]
    assert await store.newest_offset(()) == 0


async def test_offsets_grow_also_after_closing(place: Place) -> None:
    """What is told tomorrow has a greater offset than what was told today."""
    offsets: list[int] = []
    for _ in range(3):
        async with place.open() as store:
            await store.apply(Change(notifications=(v.notification("a"),)))
            offsets += [n.offset for n in await store.notifications(("a",), max(offsets, default=0), 9)]
    assert len(offsets) == 3
    assert offsets == sorted(set(offsets))


async def test_offsets_go_on_above_what_was_given_before_a_restore(place: Place) -> None:
    """Empty, or with fewer than were ever given; never lowered, and what waited for its offset keeps its place."""
    async with place.open() as store:
        await store.raise_offsets(500)  # type: ignore[attr-defined]
        told = [v.notification("a", f"m{n}") for n in range(3)]
        await store.apply(Change(notifications=(told[0],)))
        assert [n.message_id for n in await store.notifications(("a",), 500, 9)] == ["m0"]
        await store.apply(Change(notifications=(told[1],)))
        await store.raise_offsets(10)  # type: ignore[attr-defined]
        await store.raise_offsets(2**40)  # type: ignore[attr-defined]
        await store.apply(Change(notifications=(told[2],)))
        found = await store.notifications(("a",), 0, 9)
    assert [n.message_id for n in found] == ["m0", "m1", "m2"]
    assert found[1].offset < 2**40 < found[2].offset


async def test_a_reader_that_polls_while_many_write_sees_every_notification_in_order(store: Store) -> None:
    """Thirty writers, some of whose changes are refused; the reader never looks back and misses nothing."""
    expected, seen, writing = set(), [], True
    await store.apply(v.accepted(claims=(Claim("taken", "x"),)))

    async def write(writer: int) -> None:
        for number in range(10):
            name = f"{writer}:{number}"
            refused = number % 4 == 3
            claims = (Claim("taken" if refused else name, ""),)
            done = await store.apply(_told(name, claims))
            assert (done == Applied()) is not refused
            if not refused:
                expected.add(name)

    async def read() -> None:
        offset = 0
        while writing or await store.notifications(("a", "b"), offset, 1):
            for note in await store.notifications(("a", "b"), offset, 7):
                assert note.offset > offset
                offset = note.offset
                seen.append(note.message_id)

    reader = asyncio.create_task(read())
    await asyncio.gather(*map(write, range(30)))
    writing = False
    await reader
    assert len(seen) == len(expected)
    assert set(seen) == expected


def _told(name: str, claims: tuple[Claim, ...]) -> Change:
    receiver = "a" if len(name) % 2 else "b"
    return Change(claims=claims, notifications=(v.notification(receiver, name),))
