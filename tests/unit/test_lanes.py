"""Nodes share lanes: nothing waits while a node is idle, and none has more under way than it may, whoever was asked first."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from hub.circuit import Circuits
from hub.ports import Lane
from hub.retry import Backoff
from hub.settings import Settings
from ops.serve import attempts, lanes
from ops.serve.attempts import Attempts
from ops.serve.duties import Duties
from ops.serve.lanes import Lanes
from ops.serve.leases import LeaseClock
from ops.serve.worker import Worker

#: Lanes that the broker gives to one node.
AT_ONCE = 64
#: So many are enough for every case here; a real one has as many as it takes.
SWEEPS = 60
Work = Callable[[str], Awaitable[None]]


@dataclass
class Shelf:
    """The part of a shared store that lanes ask: what waits for an address, and what is under way to it anywhere."""

    waiting: Counter[str] = field(default_factory=Counter)
    under_way: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    over: asyncio.Event = field(default_factory=asyncio.Event)  #: partners answer

    async def claim(
        self, _now: datetime, most: int, _lease: Any, _skip: Any, per_address: int, **named: Any
    ) -> list[Any]:
        """See hub.ports.Store."""
        await asyncio.sleep(0)
        (address,) = named["only"]
        count = min(most, per_address - self.under_way[address], self.waiting[address])
        self.waiting[address] -= count
        self.under_way[address] += count
        await asyncio.sleep(0)
        return [SimpleNamespace(delivery=SimpleNamespace(id="", address=address, priority=5)) for _ in range(count)]

    async def attempt(self, claimed: Any, *_: object) -> None:
        """Waits for the partner's answer."""
        await self.over.wait()
        self.under_way[claimed.delivery.address] -= 1
        self.done[claimed.delivery.address] += 1

    def due(self) -> list[Lane]:
        """See hub.ports.Store.lanes."""
        return [Lane(address, 5) for address, count in self.waiting.items() if count]


class Post:
    """The broker: gives what is offered to each node in turn, so many at once."""

    def __init__(self, at_once: int) -> None:
        self._at_once, self._offers, self._nodes = at_once, deque[str](), deque[tuple[Work, set[asyncio.Task[None]]]]()

    connected = True

    def offer(self, offered: Sequence[Lane]) -> None:
        """See hub.ports.Dispatch."""
        self._offers.extend(lane.address for lane in offered)
        self._give()

    async def serve(self, work: Work) -> None:
        """See hub.ports.Dispatch."""
        given = set[asyncio.Task[None]]()
        self._nodes.append((work, given))
        try:
            await asyncio.Event().wait()
        finally:
            self._nodes.clear()
            for task in given:
                task.cancel()
            await asyncio.gather(*given, return_exceptions=True)

    def _give(self) -> None:
        for _ in range(len(self._nodes)):
            work, under_way = self._nodes[0]
            self._nodes.rotate(-1)
            if self._offers and len(under_way) < self._at_once:
                task = asyncio.ensure_future(work(self._offers.popleft()))
                under_way.add(task)
                task.add_done_callback(lambda task, own=under_way: (own.discard(task), self._give()))
                self._give()
                return


@dataclass
class Town:
    """Several nodes over one shelf."""

    shelf: Shelf
    nodes: list[tuple[Attempts, Lanes]]
    per_partner: int
    dice: Random
    most: int = 0  #: that any node had under way

    async def calm(self) -> None:
        """Until nothing moves by itself."""
        for _ in range(300):
            await asyncio.sleep(0)
            self.most = max(self.most, *(len(node._tasks) for node, _ in self.nodes))

    async def swept_until(self, condition: Callable[[], bool], leader: int) -> None:
        """That node leads; each of its sweeps gives one more chance."""
        await self.calm()
        for _ in range(SWEEPS):
            if condition():
                return
            found = self.shelf.due()
            self.dice.shuffle(found)
            self.nodes[leader][1].sweep(found)
            await self.calm()
        raise AssertionError(f"{self.shelf}, {[len(node._tasks) for node, _ in self.nodes]}")

    def idle(self) -> list[str]:
        """What waits though its partner would take more and a node has room."""
        open_ = [a for a, n in self.shelf.waiting.items() if n and self.shelf.under_way[a] < self.per_partner]
        return [a for a in open_ if any(not node.full and not node.short(a) for node, _ in self.nodes)]


@asynccontextmanager
async def town(nodes: int, **said: int) -> AsyncIterator[Town]:
    """Its nodes serve while inside."""
    shelf, post = Shelf(), Post(AT_ONCE)
    clock = SimpleNamespace(now=lambda: datetime(2026, 3, 2, tzinfo=UTC), monotonic=lambda: 0.0)
    circuits = Circuits(3, Backoff())
    settings = Settings(**({"lease_seconds": 60, "slow_seconds": 3_600} | said))
    kit: Any = SimpleNamespace(settings=settings, clock=clock, store=shelf)
    kit.present = lambda: kit
    made: list[tuple[Attempts, Lanes]] = []
    for number in range(nodes):
        own = LeaseClock(kit)
        node = Attempts(kit, {}, circuits, lambda address, number=number: made[number][1].poke(address), own)  # type: ignore[misc]
        made.append((node, Lanes(node, post)))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(lanes, "OFFERED_FOR", 0.0)
        patched.setattr(attempts.delivery, "attempt", shelf.attempt)
        serving = [asyncio.create_task(lane.serve()) for _, lane in made]
        here = Town(shelf, made, said["per_partner"], Random(1))
        await here.calm()
        try:
            yield here
        finally:
            for task in serving:
                task.cancel()
            await asyncio.gather(*serving, *(node.stop(0) for node, _ in made), return_exceptions=True)


#: Which node promises how many to which partner, in one change.
PROMISES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(1, 12)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 4), st.integers(1, 8), st.integers(1, 9), PROMISES, st.integers(0, 3))
def test_nothing_waits_while_a_node_is_idle(
    nodes: int, at_once: int, per_partner: int, promises: list[tuple[int, int, int]], leader: int
) -> None:
    """Whoever promised it, whoever leads, however little room each has: and all of it is brought out, once."""

    async def shared() -> None:
        async with town(nodes, at_once=at_once, per_partner=per_partner) as here:
            for node, partner, count in promises:
                here.shelf.waiting[f"partner {partner}"] += count
                here.nodes[node % nodes][1].offer([Lane(f"partner {partner}", 5)])
            await here.swept_until(lambda: not here.idle(), leader % nodes)
            here.shelf.over.set()
            wanted = sum(count for *_, count in promises)
            await here.swept_until(lambda: here.shelf.done.total() == wanted, leader % nodes)
            assert here.most <= at_once

    asyncio.run(shared())


@pytest.mark.parametrize(("count", "had"), [(5, [5, 0, 0]), (500, [56, 56, 56])])
async def test_one_change_with_many_lanes_does_not_open_all_of_them_here(count: int, had: list[int]) -> None:
    """A node that is idle keeps what it has little to do with; the rest is for whoever is free, before any sweep: all places
    but an eighth, which is kept for the urgent."""
    async with town(3, at_once=64, per_partner=4) as here:
        here.shelf.waiting.update({f"partner {number}": 1 for number in range(count)})
        here.nodes[0][1].offer(here.shelf.due())
        await here.calm()
        assert [len(node._tasks) for node, _ in here.nodes] == had
        assert max(len(lane._open) for _, lane in here.nodes) <= 64 // 4 + AT_ONCE


async def test_a_full_node_says_so_before_any_sweep() -> None:
    """The next one in turn begins at once; whether it has to say so too, to whom, is left to the broker's turn."""
    async with town(3, at_once=4, per_partner=12) as here:
        here.shelf.waiting["partner"] = 12
        here.nodes[1][1].offer([Lane("partner", 5)])
        await here.calm()
        assert [len(node._tasks) for node, _ in here.nodes] == [4, 4, 0]


async def test_a_lane_that_gets_no_room_is_given_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """No broker waits too long for its answer, though this node be full all the time."""
    async with town(1, at_once=1, per_partner=1) as here:
        here.shelf.waiting.update({"one": 1, "other": 1})
        here.nodes[0][1].offer([Lane("one", 5)])
        await here.calm()
        monkeypatch.setattr(lanes, "LONGEST", 0.05)
        await Lanes(here.nodes[0][0], Post(0)).work("other")  # type: ignore[arg-type]
        assert here.shelf.waiting["other"] == 1


async def test_who_cannot_reach_the_others_leads_nobody() -> None:
    """A node that is cut off from the broker leaves it to another to offer what is due."""
    asked: list[str] = []

    async def lead(duty: str, *_: object) -> bool:
        asked.append(duty)
        return True

    async def none(*_: object) -> list[Lane]:
        return []

    kit: Any = SimpleNamespace(
        settings=Settings(lease_seconds=60),
        clock=SimpleNamespace(now=lambda: datetime(2026, 3, 2, tzinfo=UTC), monotonic=lambda: 0.0),
        store=SimpleNamespace(lead=lead, lanes=none),
        dice=Random(1),
    )
    post: Any = Post(AT_ONCE)
    duties = Duties(CollectorRegistry())
    nobody: Any = SimpleNamespace()
    worker = Worker(kit, {}, nobody, nobody, nobody, node="a", dispatch=post, duties=duties, leases=LeaseClock(kit))
    turn = worker._if_spread(worker._led("lanes", 1, worker._put_up))
    post.connected = False
    await turn()
    assert asked == []
    post.connected = True
    await turn()
    assert asked == ["lanes"]
