"""Who reads notifications on from an offset misses none, in whatever order they are committed."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import psycopg

from adapters.store.postgres import PostgresStore
from hub.ports import Applied, Change
from tests.conformance import values as v
from tests.postgres.conftest import Held, Open


def telling(name: str) -> Change:
    """A word to one receiver."""
    return Change(notifications=(v.notification("a", name),))


async def test_what_was_written_first_and_committed_last_is_not_missed(node: Open) -> None:
    """The reader has gone past it before it was there; it comes all the same."""
    held = Held()
    slow, quick = await node(on_step=held), await node()
    held.wanted = True
    going = asyncio.create_task(slow.apply(telling("written first")))
    assert await asyncio.to_thread(held.reached.wait, 20)
    await quick.apply(telling("committed first"))
    (first,) = await quick.notifications(("a",), 0, 10)
    held.let_go()
    assert await going == Applied()
    (second,) = await quick.notifications(("a",), first.offset, 10)
    assert (first.message_id, second.message_id) == ("committed first", "written first")


async def test_a_reader_whose_offsets_are_not_committed_yet_holds_nobody_back_for_ever(
    node: Open, other: psycopg.Connection[Any]
) -> None:
    """Two readers at once give the same offsets or wait for one another: what both have seen has one order."""
    held = Held()
    first, second = await node(on_step=held), await node()
    await second.apply(telling("one"))
    held.wanted = True
    reading = asyncio.create_task(first.notifications(("a",), 0, 10))
    assert await asyncio.to_thread(held.reached.wait, 20)  # the offset is given, and not committed
    await second.apply(telling("two"))
    beside = asyncio.create_task(second.notifications(("a",), 0, 10))
    await asyncio.sleep(0.2)
    assert not beside.done()
    held.let_go()
    assert [n.message_id for n in await beside] == ["one", "two"]
    seen = await reading
    assert [n.message_id for n in seen] in (["one"], ["one", "two"])
    assert await second.notifications(("a",), seen[-1].offset, 10) == (await beside)[len(seen) :]


async def test_readers_on_every_node_see_every_word_once_and_in_one_order(node: Open) -> None:
    """Four nodes write, four read by pages of their own size, none looks back."""
    nodes = [await node() for _ in range(4)]
    dice, writing = random.Random(3), True
    names = [f"{n}" for n in range(200)]

    async def write(store: PostgresStore, some: list[str]) -> None:
        for name in some:
            await store.apply(telling(name))

    async def read(store: PostgresStore) -> list[tuple[int, str]]:
        seen: list[tuple[int, str]] = []
        while True:
            last = not writing
            page = await store.notifications(("a", "b"), seen[-1][0] if seen else 0, dice.randrange(1, 9))
            seen += [(n.offset, n.message_id) for n in page]
            if last and not page:
                return seen

    readers = [asyncio.create_task(read(one)) for one in nodes]
    await asyncio.gather(*(write(one, names[n::4]) for n, one in enumerate(nodes)))
    writing = False
    seen = await asyncio.gather(*readers)
    assert all(one == seen[0] for one in seen)
    assert sorted(name for _, name in seen[0]) == sorted(names)


async def test_offsets_go_on_where_they_were(node: Open) -> None:
    """Also when the newest have been deleted."""
    store = await node()
    await store.apply(telling("one"))
    (first,) = await store.notifications(("a",), 0, 10)
    assert first.offset > 0
    with psycopg.connect(store.address.url, autocommit=True) as connection:
        connection.execute("DELETE FROM notifications")
    await store.apply(telling("two"))
    (second,) = await store.notifications(("a",), 0, 10)
    assert second.offset > first.offset
