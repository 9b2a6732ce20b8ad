"""Lines of several nodes over one PostgreSQL and one RabbitMQ: what sharing costs, how soon a dead node's work is taken over.

A message's way here is that of P6: posted by a partner, proven, kept, laid into the record system's folder, answered by an
AppRec that is sealed and posted to the partner.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aio_pika

from adapters.broker.link import Link
from adapters.queue.publish import Publisher
from adapters.queue.settings import QueueSettings
from adapters.queue.wire import Written
from hub.errors import HubError
from ops.bench.harness import ROUNDS, Neighbours
from ops.bench.line import Figure, Line, Part
from ops.bench.load import Running, Sink, burst, hub_process
from ops.bench.material import Bed, Wire, bed, document
from ops.bench.servers import Servers, servers
from ops.demo.stage import free_ports

SIZE = 20_000
CONNECTIONS = 16
PATIENCE = 30.0
#: How long a node keeps what it has under way after it died.
LEASE = 3.0
BARE = 500


@dataclass(frozen=True, slots=True)
class Fleet:
    """Nodes under test, with their partner."""

    bed: Bed
    nodes: Sequence[Running]
    sink: Sink

    @property
    def seconds(self) -> float:
        """Processor time of all of them."""
        return sum(node.seconds for node in self.nodes)


@asynccontextmanager
async def fleet(count: int, at: Servers) -> AsyncIterator[Fleet]:
    """So many nodes on an empty database and queues of their own."""
    sink_port, *ports = free_ports(count + 1)
    with (
        at.store() as store,
        bed(
            endpoint=f"http://127.0.0.1:{sink_port}/ebxml",
            folder_door=True,
            http={"port": ports[0]},
            store=store,
            dispatch={**at.broker, "queue": f"samhub-bench-{ports[0]}"},
            hub={"lease_seconds": LEASE, "backoff_first_seconds": 0.2},
            log={"level": "info", "form": "json"},
        ) as found,
    ):
        async with AsyncExitStack() as stack:
            sink = await stack.enter_async_context(Sink(found).listening(sink_port))
            files = [_variant(found.site.configuration, ports[0], port) for port in ports]
            nodes = [
                await stack.enter_async_context(hub_process(found, port, file=file))
                for port, file in zip(ports, files, strict=True)
            ]
            yield Fleet(found, nodes, sink)


def _variant(file: Path, first: int, port: int) -> Path:
    """The same configuration with another port."""
    other = file.with_name(f"node-{port}.toml")
    other.write_text(file.read_text("utf-8").replace(f"port = {first}", f"port = {port}"), "utf-8")
    return other


async def _burst(at: Fleet, messages: Sequence[Wire]) -> tuple[float, float]:
    """Messages spread over the nodes, until every AppRec has come; processor time of the nodes and wall time of each."""
    before, expected, begun = at.seconds, at.sink.received + len(messages), time.perf_counter()
    shares = [messages[n :: len(at.nodes)] for n in range(len(at.nodes))]
    connections = max(1, CONNECTIONS // len(at.nodes))
    done = await asyncio.gather(*(burst(n, share, connections) for n, share in zip(at.nodes, shares, strict=True)))
    await at.sink.until(expected, PATIENCE)
    if sum(one.refused for one in done) or at.sink.received < expected:
        raise HubError(f"the nodes under test left {expected - at.sink.received} of {len(messages)} unanswered")
    return (at.seconds - before) / len(messages), (time.perf_counter() - begun) / len(messages)


def _messages(found: Bed, count: int) -> list[Wire]:
    return [found.message(document(SIZE)) for _ in range(count)]


async def shared(*, rounds: int = ROUNDS, count: int = 60) -> Line:
    """`nodes`: processor time of a message with three nodes ÷ with one, and how soon a dead node's work is taken over."""
    async with servers() as at, fleet(1, at) as one, fleet(3, at) as three:
        with Neighbours(also=lambda: one.seconds + three.seconds) as neighbours:
            for each in (one, three):
                await _burst(each, _messages(each.bed, count))  # warms up
            every = []
            for number in range(rounds):
                turn = (one, three) if number % 2 else (three, one)
                spent = {id(each): await _burst(each, _messages(each.bed, count)) for each in turn}
                every.append((*spent[id(one)], *spent[id(three)], await _bare(at.amqp_url)))
        over = await _taken_over(three)
    return _told(every, over, neighbours.used)


def _told(every: Sequence[tuple[float, ...]], over: float, disturbed: float) -> Line:
    ratio = statistics.median(three / one for one, _, three, _, _ in every)
    one, wall_one, three, wall_three, bare = (statistics.median(each) for each in zip(*every, strict=True))
    figures = [
        Figure("three nodes ÷ one, processor time of a message", ratio, 1.25, 1.05),
        Figure("taken over after a node's death ÷ its lease", over / LEASE, 2.0, 1.2),
    ]
    parts = [
        Part("processor time of a message, three nodes and one", 1e6 * three, 1e6 * one),
        Part("messages a second, three nodes and one", 1 / wall_three, 1 / wall_one, "per s"),
        Part("aio-pika alone, published with confirm, consumed, answered", 1 / bare, unit="per s"),
        Part("from a node's death until its work was done", over, unit="s"),
    ]
    note = "nodes, servers, partner and load share the same processors: rates say little, processor time says more"
    return Line("three nodes over one PostgreSQL and one RabbitMQ, whole way, 20 kB", figures, parts, disturbed, note)


async def _bare(url: str) -> float:
    """Seconds for each message of aio-pika's own loop: published persistent with confirm, consumed, acknowledged."""
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel(publisher_confirms=True)
        await channel.set_qos(CONNECTIONS)
        queue = await channel.declare_queue(f"samhub-bench-bare-{os.getpid()}", durable=True)
        got, body, all_here = 0, os.urandom(SIZE), asyncio.Event()

        async def taken(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            nonlocal got
            await message.ack()
            got += 1
            if got == BARE:
                all_here.set()

        async def publish(count: int) -> None:
            for _ in range(count):
                message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
                await channel.default_exchange.publish(message, queue.name, timeout=10)

        begun = time.perf_counter()
        consumer = await queue.consume(taken)
        await asyncio.gather(*(publish(BARE // 10) for _ in range(10)))
        async with asyncio.timeout(PATIENCE):
            await all_here.wait()
        spent = time.perf_counter() - begun
        await queue.cancel(consumer)
        await queue.delete(if_empty=False, if_unused=False)
    return spent / BARE


async def _taken_over(at: Fleet) -> float:
    """Seconds from the death of a node, killed while it waits for its partner's answers, until others had done its work."""
    at.sink.slow = 2 * LEASE
    expected = at.sink.received + 4
    await burst(at.nodes[0], _messages(at.bed, 4), 4)
    await at.sink.until(expected, PATIENCE)  # they wait for their answers
    at.sink.slow = 0.0
    os.kill(at.nodes[0].pid, signal.SIGKILL)
    died = time.perf_counter()
    await at.sink.until(expected + 4, PATIENCE)
    if at.sink.received < expected + 4:
        raise HubError("nobody took over what the dead node had under way")
    return time.perf_counter() - died


async def two_workers(*, rounds: int = ROUNDS, count: int = 60) -> Line:
    """P8: messages a second of `samhub serve --workers 2` ÷ those of one, over the same PostgreSQL."""
    async with servers() as at, _served(1, at) as one, _served(2, at) as two:
        with Neighbours(also=lambda: one.seconds + two.seconds) as neighbours:
            for each in (one, two):
                await _burst(each, _messages(each.bed, count))
            walls = []
            for number in range(rounds):
                turn = (one, two) if number % 2 else (two, one)
                spent = {id(each): (await _burst(each, _messages(each.bed, count)))[1] for each in turn}
                walls.append((spent[id(one)], spent[id(two)]))
    alone, both = (statistics.median(each) for each in zip(*walls, strict=True))
    figure = Figure("messages a second, 20 kB", statistics.median(a / b for a, b in walls), 1.4, 1.7, at_most=False)
    parts = [Part("messages a second, two workers and one", 1 / both, 1 / alone, "per s")]
    note = "workers, database, partner and load share the same processors: on two of them little is left to gain"
    return Line("two workers ÷ one, whole way over PostgreSQL", [figure], parts, neighbours.used, note)


@asynccontextmanager
async def _served(workers: int, at: Servers) -> AsyncIterator[Fleet]:
    """`samhub serve` with so many workers; its processor time is that of its workers."""
    sink_port, port = free_ports(2)
    with (
        at.store() as store,
        bed(
            endpoint=f"http://127.0.0.1:{sink_port}/ebxml",
            folder_door=True,
            http={"port": port},
            store=store,
            log={"level": "info", "form": "json"},
        ) as found,
    ):
        async with Sink(found).listening(sink_port) as sink, hub_process(found, port, workers=workers) as running:
            yield Fleet(found, [running], sink)


async def published(*, rounds: int = ROUNDS, count: int = 640) -> Line:
    """P14: documents a second into a record system's queue, 64 at once ÷ bare aio-pika with the same bytes."""
    body, every = os.urandom(SIZE), []
    async with servers() as at:
        queue = QueueSettings(**at.broker, kind="classic")
        link = Link(queue, "bench", lambda *_: None)
        publisher = Publisher(queue, link)
        connection = await aio_pika.connect(at.amqp_url)
        try:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            name = f"samhub-bench-published-{os.getpid()}"
            declared = await channel.declare_queue(name, durable=True)

            async def ours(number: int) -> None:
                written = Written(f"{number}", "document", "application/xml", {"fromHerId": "8000102"}, body)
                outcome = await publisher.publish(name, written)
                if outcome.code != "fetched":
                    raise HubError(f"not published: {outcome.because}")

            async def bare(number: int) -> None:
                message = aio_pika.Message(
                    body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT, message_id=f"{number}", type="document"
                )
                await channel.default_exchange.publish(message, name, mandatory=True, timeout=30)

            with Neighbours() as neighbours:
                for number in range(rounds + 1):
                    turn = (ours, bare) if number % 2 else (bare, ours)
                    spent = {act: await _rate(act, count) for act in turn}
                    every.append((spent[ours], spent[bare]))
                    await declared.purge()
            await declared.delete(if_empty=False, if_unused=False)
        finally:
            await connection.close()
            await link.close()
    mine, theirs = (statistics.median(each) for each in zip(*every[1:], strict=True))
    figure = Figure(
        "messages a second", 100 * statistics.median(a / b for a, b in every[1:]), 70, 90, at_most=False, unit="%"
    )
    parts = [Part("published with confirm, ours and aio-pika alone", mine, theirs, "per s")]
    return Line("AMQP publish, 64 outstanding, 20 kB ÷ bare aio-pika", [figure], parts, neighbours.used)


async def _rate(act: Callable[[int], Awaitable[None]], count: int) -> float:
    """So many a second, 64 at once."""
    numbers = iter(range(count))

    async def one() -> None:
        for number in numbers:
            await act(number)

    begun = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(64)))
    return count / (time.perf_counter() - begun)
