"""Nodes that take up deliveries at the same moment: nothing twice, no partner more than its share, nobody waits."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from datetime import timedelta
from typing import Any

import psycopg

from adapters.store.postgres import PostgresStore
from hub.ports import Applied, Change
from hub.states import Move
from tests.conformance import values as v
from tests.postgres.conftest import Held, Open

ADDRESSES = [f"http://{n}.invalid/ebxml" for n in range(5)]


async def fill(store: PostgresStore, count: int) -> list[str]:
    """So many deliveries, to each address in turn."""
    changes = [v.accepted(address=ADDRESSES[n % 5], next_at=v.later(n - 10_000)) for n in range(count)]
    assert set(await asyncio.gather(*map(store.apply, changes))) == {Applied()}
    return [change.deliveries[0].id for change in changes]


async def test_nodes_together_never_exceed_a_partners_share(node: Open) -> None:
    """Six nodes claim and settle as fast as they can: at no moment are more than two under way to one address."""
    nodes = [await node() for _ in range(6)]
    ids = await fill(nodes[0], 150)
    under_way: dict[str, int] = dict.fromkeys(ADDRESSES, 0)
    done: list[str] = []

    async def work(store: PostgresStore) -> None:
        while len(done) < len(ids):
            taken = await store.claim(v.NOW, 4, timedelta(hours=1), v.NOBODY, 2)
            for one in taken:
                under_way[one.delivery.address] += 1
            assert max(under_way.values()) <= 2
            for one in taken:
                await asyncio.sleep(0)
                change = Change(moves=(v.move(one.delivery.id, Move.FINISH),))
                under_way[one.delivery.address] -= 1  # before the store knows: we never count more than it does
                assert await store.settle(one.delivery.id, one.attempt, v.outcome(), v.NOW, change) == Applied()
                done.append(one.delivery.id)

    await asyncio.gather(*map(work, nodes))
    assert sorted(done) == sorted(ids)


async def test_a_claim_that_is_not_committed_yet_counts(node: Open) -> None:
    """The second node waits for the lane of that address, and then finds it full."""
    held = Held()
    first, second = await node(on_step=held), await node()
    await fill(second, 20)
    held.wanted = True
    going = asyncio.create_task(v.taken(first, limit=3, per_address=1, only=frozenset(ADDRESSES[:3])))
    assert await asyncio.to_thread(held.reached.wait, 20)
    waiting = asyncio.create_task(v.taken(second, per_address=1, only=frozenset(ADDRESSES[:3])))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    held.let_go()
    assert len(await going) == 3
    assert await waiting == []


async def test_lanes_do_not_wait_for_one_another(node: Open) -> None:
    """While one node claims for one address, another gets what is due to the next."""
    held = Held()
    first, second = await node(on_step=held), await node()
    await fill(second, 20)
    held.wanted = True
    going = asyncio.create_task(v.taken(first, only=frozenset(ADDRESSES[:1])))
    assert await asyncio.to_thread(held.reached.wait, 20)
    assert len(await v.taken(second, only=frozenset(ADDRESSES[1:2]))) == 4
    held.let_go()
    assert len(await going) == 4


async def test_a_delivery_that_is_just_being_moved_is_passed_over(node: Open, other: psycopg.Connection[Any]) -> None:
    """Nobody waits for it, and it is not taken for what it was before."""
    store = await node()
    ids = await fill(store, 10)
    with other.transaction():
        other.execute("UPDATE deliveries SET state = 'held', next_at = NULL WHERE id = %s", (ids[0],))
        begun = time.monotonic()
        assert sorted(await v.taken(store)) == sorted(ids[1:])
        assert time.monotonic() - begun < 5
    assert await v.taken(store, v.later(1e6)) == ids[1:]


async def test_nothing_is_left_when_many_want_everything(node: Open) -> None:
    """Of five hundred deliveries each goes to one of eight nodes, and none is overlooked because others were busy."""
    nodes = [await node() for _ in range(8)]
    ids = await fill(nodes[0], 500)
    taken = await asyncio.gather(*(v.taken(one, limit=20) for one in nodes * 5))
    found = [one for group in taken for one in group]
    assert sorted(found) == sorted(ids)


def _process(url: str, results: Any) -> None:
    async def claim() -> list[str]:
        found: list[str] = []
        async with await PostgresStore.open(url, min_free_bytes=0) as store:
            while taken := await store.claim(v.NOW, 7, timedelta(hours=1), v.NOBODY, 1000):
                found += [one.delivery.id for one in taken]
        return found

    results.put(asyncio.run(claim()))


async def test_processes_share_the_work(node: Open, url: str) -> None:
    """Three processes, each with its own store: every delivery goes to one of them."""
    ids = await fill(await node(), 300)
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=_process, args=(url, results)) for _ in range(3)]
    for process in processes:
        process.start()
    found = [one for _ in processes for one in await asyncio.to_thread(results.get, True, 60)]
    for process in processes:
        process.join(20)
    assert sorted(found) == sorted(ids)
