"""What record systems have said of their HER-ids, and which notifications were deleted: the same on every store."""

from __future__ import annotations

import asyncio

from hub.configured import REVISION
from hub.events import Entry, Event
from hub.message import Configuration
from hub.ports import Change, Store
from tests.conformance import values as v
from tests.conformance.stores import Place

ONE = Configuration("8000202", rejects=("EPIKRISE", "SVAR_LAB"), refused_notices=True, client="epj")
TWO = Configuration("8000302", channel="ApiPolling", locked=True, client="epj")


async def test_the_last_that_was_said_counts_whole(store: Store) -> None:
    """By HER-id; what is not named stays as it is."""
    assert await store.configure((ONE, TWO), (), "epj", ()) == ""
    again = Configuration("8000202", client="epj")
    assert await store.configure((again,), (), "epj", ()) == ""
    assert await store.configurations(()) == [again, TWO]
    assert await store.configurations(("8000302", "8000402")) == [TWO]
    assert await store.configure((), ("8000302", "8000402"), "epj", ()) == ""
    assert await store.configurations(()) == [again]


async def test_who_has_locked_one_keeps_all_others_from_changing_it(store: Store) -> None:
    """Nothing of a change is kept that names it, nor its line of the journal; who locked it goes on as before."""
    await store.configure((ONE, TWO), (), "epj", ())
    line = Entry(v.NOW, Event.RELOADED, "reloaded", "not kept", actor="other")
    other = (Configuration("8000202", client="other"), Configuration("8000302", client="other"))
    assert await store.configure(other, (), "other", (line,)) == "8000302"
    assert await store.configure((), ("8000202", "8000302"), "other", (line,)) == "8000302"
    assert await store.configurations(()) == [ONE, TWO]
    assert line not in await store.journal()
    free = Configuration("8000302", client="epj")
    assert await store.configure((free,), (), "epj", ()) == ""
    assert await store.configure((), ("8000302",), "other", (line,)) == ""
    assert await store.configurations(()) == [ONE]
    assert [e.because for e in await store.journal()] == ["not kept"]


async def test_of_many_who_lock_one_at_once_one_has_it(store: Store) -> None:
    wanted = [Configuration("8000202", locked=True, client=f"c{n}") for n in range(12)]
    said = await asyncio.gather(*(store.configure((one,), (), one.client, ()) for one in wanted))
    [kept] = await store.configurations(())
    assert [s == "" for s in said] == [one.client == kept.client for one in wanted]


async def test_every_change_is_seen_by_its_number(store: Store) -> None:
    seen = [await store.bookmark(REVISION)]
    for change in (((ONE,), ()), ((), ("8000202",))):
        await store.configure(*change, "epj", ())
        seen.append(await store.bookmark(REVISION))
    assert seen == sorted(set(seen))


async def test_what_was_deleted_is_read_by_offset_and_no_more_without(store: Store) -> None:
    """The two ways of reading do not disturb one another (EDI 2.0 A6.2)."""
    told = [v.notification(her, f"m{n}") for n, her in enumerate("abcab")]
    await store.apply(Change(notifications=tuple(told)))
    every = await store.notifications(("a", "b", "c"), 0, 99)
    assert await store.undeleted(("a", "b"), 99) == [n for n in every if n.receiver in "ab"]
    assert await store.undeleted(("a", "b"), 2) == every[:2]
    first, later = every[0], every[3]
    assert await store.delete_notifications(("a",), (first.offset, every[2].offset, 2**62), v.NOW) == 1
    assert await store.delete_notifications(("a",), (first.offset,), v.NOW) == 0
    assert await store.undeleted(("a",), 99) == [later]
    assert await store.undeleted(("c",), 99) == [every[2]], "it is another's"
    assert await store.notifications(("a", "b", "c"), 0, 99) == every
    assert await store.undeleted((), 99) == []


async def test_of_many_who_delete_the_same_each_is_counted_once(store: Store) -> None:
    await store.apply(Change(notifications=tuple(v.notification("a", f"m{n}") for n in range(40))))
    offsets = [n.offset for n in await store.notifications(("a",), 0, 99)]
    counts = await asyncio.gather(*(store.delete_notifications(("a",), offsets[n : n + 30], v.NOW) for n in range(10)))
    assert sum(counts) == 39
    assert [n.offset for n in await store.undeleted(("a",), 99)] == offsets[39:]


async def test_both_are_there_after_closing(place: Place) -> None:
    async with place.open() as store:
        await store.apply(Change(notifications=(v.notification("a", "m0"), v.notification("a", "m1"))))
        first = (await store.notifications(("a",), 0, 1))[0]
        await store.delete_notifications(("a",), (first.offset,), v.NOW)
        await store.configure((ONE, TWO), (), "epj", ())
    async with place.open() as store:
        assert await store.configurations(()) == [ONE, TWO]
        assert [n.message_id for n in await store.undeleted(("a",), 9)] == ["m1"]
