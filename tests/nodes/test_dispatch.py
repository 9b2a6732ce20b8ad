"""Lanes over a real RabbitMQ: whoever is free gets one, a dead node's go to another, and a broker may come and go."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from uuid import uuid4

import pytest
from pydantic import ValidationError

from adapters.dispatch import rabbitmq
from adapters.dispatch.rabbitmq import RabbitDispatch
from adapters.dispatch.settings import DispatchSettings
from hub.ports import Lane
from ops.servers.rabbitmq import Broker, Depth
from tests.support.logins import login

SECONDS = 20


async def until(condition: Callable[[], object]) -> None:
    """Waits for something that must come."""
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


class Node:
    """Takes lanes and writes them down; while `held` it does not finish any."""

    def __init__(self, dispatch: RabbitDispatch) -> None:
        self.dispatch, self.taken = dispatch, Counter[str]()
        self.free = asyncio.Event()
        self.free.set()
        self._task = asyncio.create_task(dispatch.serve(self._work))

    async def _work(self, address: str) -> None:
        self.taken[address] += 1
        await self.free.wait()

    async def end(self) -> None:
        """As the process does."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


def _hears(told: list[str]) -> Callable[[str, str], None]:
    return lambda what, why: told.append(f"{what} {why}")


@pytest.fixture
def queue() -> Iterator[str]:
    """A name that no other test uses."""
    return f"lanes-{uuid4()}"


@asynccontextmanager
async def node(url: str, queue: str, told: list[str] | None = None, **more: object) -> AsyncIterator[Node]:
    """A node that is connected, unless the broker is away."""
    settings = DispatchSettings(**login(url), queue=queue, **more)
    async with RabbitDispatch(settings, _hears(told if told is not None else [])) as dispatch:
        made = Node(dispatch)
        try:
            if told is None:
                await until(lambda: dispatch.connected)
            yield made
        finally:
            await made.end()


def lanes(count: int, priority: int = 5) -> list[Lane]:
    """So many different ones."""
    return [Lane(f"http://{n}.invalid/ebxml", priority) for n in range(count)]


async def test_every_lane_that_is_offered_is_worked_on_once_by_one_of_them(amqp_url: str, queue: str) -> None:
    """Two nodes, two hundred lanes; urgent ones take another queue to the same place."""
    async with node(amqp_url, queue) as one, node(amqp_url, queue) as two:
        one.dispatch.offer([*lanes(100), *(Lane(f"urgent {n}", 0) for n in range(100))])
        await until(lambda: one.taken.total() + two.taken.total() == 200)
        assert set((one.taken + two.taken).values()) == {1}
        assert min(one.taken.total(), two.taken.total()) > 0


async def test_what_a_node_has_not_finished_goes_to_another_when_it_ends(own_broker: Broker, queue: str) -> None:
    """And nothing is left in the queue when that one has."""
    async with node(own_broker.url, queue) as two:
        two.free.clear()
        async with node(own_broker.url, queue) as one:
            one.free.clear()
            two.dispatch.offer(lanes(10))
            await until(lambda: one.taken.total() + two.taken.total() == 10)
            begun = dict(one.taken)
            assert begun
        await until(lambda: two.taken.total() == 10)
        two.free.set()
        await _empty(own_broker, queue)


async def test_no_node_gets_more_than_it_can_work_on(amqp_url: str, queue: str) -> None:
    """The others wait at the broker."""
    async with node(amqp_url, queue, lanes_at_once=3) as one:
        one.free.clear()
        one.dispatch.offer(lanes(10))
        await until(lambda: one.taken.total() == 3)
        await asyncio.sleep(0.2)
        assert one.taken.total() == 3
        one.free.set()
        await until(lambda: one.taken.total() == 10)


FAULTS: dict[str, Callable[[Broker], object]] = {"restart": Broker.restart, "cut": Broker.cut}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_broker_that_goes_away_is_found_again(own_broker: Broker, queue: str, fault: str) -> None:
    """Meanwhile the node says that it is not connected; it is told in words, once."""
    told: list[str] = []
    async with node(own_broker.url, queue, told) as one:
        await until(lambda: one.dispatch.connected)
        await asyncio.to_thread(FAULTS[fault], own_broker)
        await until(lambda: told)
        await until(lambda: one.dispatch.connected)
        one.dispatch.offer(lanes(5))
        await until(lambda: one.taken.total() == 5)
    assert 1 <= len(told) <= 10  # lost, unreachable and reached of two connections; not a word for each try
    assert "guest" not in " ".join(told)


async def test_a_node_begins_without_a_broker(own_broker: Broker, queue: str) -> None:
    """Offers are lost then, and that is no trouble: the sweep offers again."""
    own_broker.stop()
    told: list[str] = []
    async with node(own_broker.url, queue, told) as one:
        await until(lambda: len(told) == 2)
        assert not one.dispatch.connected
        one.dispatch.offer(lanes(3))
        await asyncio.to_thread(own_broker.start)
        await until(lambda: one.dispatch.connected)
        one.dispatch.offer(lanes(1))
        await until(lambda: one.taken.total() == 1)


async def test_a_broker_short_of_memory_takes_no_offers_but_gives_what_it_has(own_broker: Broker, queue: str) -> None:
    """Publishing and taking travel apart, so that the second goes on; afterwards offers go through again."""
    told: list[str] = []
    async with node(own_broker.url, queue, told, offer_seconds=0.5) as one:
        await until(lambda: one.dispatch.connected)
        await asyncio.to_thread(own_broker.alarm, True)
        one.dispatch.offer(lanes(1))
        await until(lambda: told)
        await asyncio.to_thread(own_broker.alarm, False)
        await until(lambda: one.dispatch.connected)
        one.dispatch.offer([Lane("after", 5)])
        await until(lambda: one.taken["after"])


async def test_what_nobody_foresaw_stops_neither_offers_nor_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that is none of ours, such as one without confirms: told, and tried for as long as the hub runs."""
    told: list[str] = []
    dispatch = RabbitDispatch(DispatchSettings(), _hears(told))

    def channel(**_: object) -> None:
        raise ValueError("the server does not support publisher confirms")

    async def opened() -> object:
        return SimpleNamespace(channel=channel)

    monkeypatch.setattr(rabbitmq, "PAUSE", 0)
    monkeypatch.setattr(dispatch._taking_link, "opened", opened)
    serving = asyncio.create_task(dispatch.serve(lambda _: asyncio.sleep(0)))
    await until(lambda: len(told) > 2 or serving.done())
    assert not serving.done()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"url": "http://127.0.0.1/"}, "must be amqp://host:port/virtual-host"),
        ({"url": "amqp://samhub:x@127.0.0.1/"}, "must not hold a login"),
        ({"url": "amqp://127.0.0.1/"}, "url is set, but password_file is missing"),
    ],
)
def test_what_cannot_be_used_is_said_at_once(given: dict[str, str], said: str) -> None:
    """At the start, in words."""
    with pytest.raises(ValidationError) as told:
        DispatchSettings(**given)
    assert said in str(told.value)


async def _empty(broker: Broker, queue: str) -> None:
    async with asyncio.timeout(SECONDS):
        while await asyncio.to_thread(broker.depth, queue) != Depth(0, 0):
            await asyncio.sleep(0.1)


async def test_a_queue_that_is_deleted_is_made_anew(own_broker: Broker, queue: str) -> None:
    """By an operator, or by a node that found it stuck: whoever took from it notices and comes back."""
    told: list[str] = []
    async with node(own_broker.url, queue, told) as one:
        await until(lambda: one.dispatch.connected)
        await asyncio.to_thread(own_broker.manage, "DELETE", f"queues/%2F/{queue}")
        await until(lambda: not one.dispatch.connected)
        await until(lambda: one.dispatch.connected)
        one.dispatch.offer(lanes(3))
        await until(lambda: one.taken.total() == 3)


async def test_a_queue_that_never_answers_is_thrown_away_and_made_anew(own_broker: Broker, queue: str) -> None:
    """As a young quorum queue may be after its broker lost power."""
    for _ in range(3):
        told: list[str] = []
        name = f"{queue}-{uuid4()}"
        async with node(own_broker.url, name, told, connect_seconds=3) as one:
            await until(lambda: one.dispatch.connected)
            await asyncio.to_thread(lambda: (own_broker.kill(), own_broker.start()))
            async with asyncio.timeout(60):
                while not one.taken["after"]:
                    one.dispatch.offer([Lane("after", 5)])
                    await asyncio.sleep(0.5)
