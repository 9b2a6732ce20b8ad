"""Lines of a running hub: end to end (P6, P7), latency (P15), memory (P19), and what journal, metrics and log cost (P21).

A message's whole way here: posted by a partner, proven, kept, acknowledged, written into the record system's folder,
answered by an AppRec that is sealed and posted to the partner, whose Acknowledgment is proven.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from adapters.store.sqlite import SqliteStore
from hub.errors import HubError
from ops.bench import floors
from ops.bench.harness import ROUNDS, Neighbours, process_bytes
from ops.bench.kernel import SIZE, judged, stages
from ops.bench.line import Figure, Line, Part
from ops.bench.load import Burst, Running, Sink, burst, hub_process, ports
from ops.bench.material import Bed, Wire, bed, document, idle_hub
from ops.bench.stores import accepted_change

CONNECTIONS = 16
#: Seconds after which a burst is given up: something is wrong.
PATIENCE = 20.0


@dataclass(frozen=True, slots=True)
class Round:
    """One burst, per message in seconds: processor time of the hub, wall time, and the libraries' floor just after."""

    processor: float
    wall: float
    floor: float
    burst: Burst


@dataclass(frozen=True, slots=True)
class Field:
    """A hub under test with its partner."""

    bed: Bed
    hub: Running
    sink: Sink


@asynccontextmanager
async def field(bits: int = 2048, *, quiet: bool = False) -> AsyncIterator[Field]:
    """A hub of its own process on a store of its own, and the partner in ours."""
    hub_port, sink_port = ports()
    with _bed(bits, hub_port, sink_port) as found:
        async with Sink(found).listening(sink_port) as sink, hub_process(found, hub_port, quiet=quiet) as hub:
            yield Field(found, hub, sink)


@contextmanager
def _bed(bits: int, hub_port: int, sink_port: int) -> Iterator[Bed]:
    endpoint = f"http://127.0.0.1:{sink_port}/ebxml"
    log = {"level": "info", "form": "json"}
    with bed(bits, endpoint, folder_door=True, http={"port": hub_port}, log=log) as found:
        yield found


def prepared(found: Bed, size: int, count: int) -> list[Wire]:
    """Messages that differ in every id."""
    return [found.message(document(size)) for _ in range(count)]


async def whole_way(at: Field, size: int, count: int, rounds: int, connections: int = CONNECTIONS) -> list[Round]:
    """Bursts of messages, each measured until the last AppRec has come back, with the floor taken after each."""
    bare = await _floor(at.bed, size)
    await _measured(at, prepared(at.bed, size, max(4, count // 4)), connections)  # warms up: schemas, connections
    found = []
    for _ in range(rounds):
        processor, wall, done = await _measured(at, prepared(at.bed, size, count), connections)
        found.append(Round(processor / count, wall / count, bare.once(), done))
    return found


async def _measured(at: Field, messages: Sequence[Wire], connections: int) -> tuple[float, float, Burst]:
    before, expected, begun = at.hub.seconds, at.sink.received + len(messages), time.perf_counter()
    done = await burst(at.hub, messages, connections)
    await at.sink.until(expected, PATIENCE)
    wall = time.perf_counter() - begun
    if done.refused or at.sink.received < expected:
        lost = expected - at.sink.received
        raise HubError(f"the hub under test refused {done.refused} and left {lost} of {len(messages)} unanswered")
    return at.hub.seconds - before, wall, done


async def _floor(found: Bed, size: int) -> floors.WholeWay:
    wire = found.message(document(size))
    async with idle_hub(found) as hub:
        accepted = judged(wire, hub.kit, stages())
        return floors.whole_way(accepted, found.decryption, found.sender, hub.kit.schemas)


async def share(*, rounds: int = ROUNDS, count: int = 40) -> Line:
    """P6: the floor's share of the hub's processor time."""
    figures, parts, disturbed = [], [], 0.0
    for bits, gate, goal in ((2048, 45.0, 60.0), (3072, 60.0, 75.0)):
        async with field(bits) as at:
            with Neighbours(also=lambda at=at: at.hub.seconds) as neighbours:  # type: ignore[misc]
                found = await whole_way(at, SIZE, count, rounds)
        disturbed = max(disturbed, neighbours.used)
        value = 100 * statistics.median(r.floor / r.processor for r in found)
        figures.append(Figure(f"20 kB, RSA-{bits}", value, gate, goal, at_most=False, unit="%"))
        ours, floor = (1e6 * statistics.median(getattr(r, of) for r in found) for of in ("processor", "floor"))
        parts.append(Part(f"processor time of a message, RSA-{bits}", ours, floor))
    what = "a message's whole way: floor ÷ processor time of the hub (in, kept, folder, AppRec out, its receipt proven)"
    return Line(what, figures, parts, disturbed)


async def rate(*, rounds: int = ROUNDS) -> Line:
    """P7: messages a second ÷ what two processors could do if only the libraries ran."""
    plan = (
        (2048, 5_000, 30, 45.0, 60.0),
        (2048, SIZE, 30, 45.0, 60.0),
        (2048, 1_000_000, 8, 35.0, 60.0),
        (3072, SIZE, 25, 60.0, 75.0),
    )
    figures, parts, disturbed = [], [], 0.0
    for bits in (2048, 3072):
        async with field(bits) as at:
            with Neighbours(also=lambda at=at: at.hub.seconds) as neighbours:  # type: ignore[misc]
                for _, size, count, gate, goal in (row for row in plan if row[0] == bits):
                    found = await whole_way(at, size, count, rounds if size < 1_000_000 else 3)
                    value = 100 * statistics.median(r.floor / 2 / r.wall for r in found)
                    name = f"{size // 1000} kB, RSA-{bits}"
                    figures.append(Figure(name, value, gate, goal, at_most=False, unit="%"))
                    walls, bare = (statistics.median(getattr(r, of) for r in found) for of in ("wall", "floor"))
                    parts.append(Part(f"messages a second, {name}", 1 / walls, 2 / bare, "per s"))
        disturbed = max(disturbed, neighbours.used)
    note = "one worker process; partner and load share the two processors with it"
    return Line("whole way: messages a second ÷ (2 ÷ floor)", figures, parts, disturbed, note)


async def latency(*, count: int = 60, rounds: int = ROUNDS) -> Line:
    """P15: how long an Acknowledgment takes, alone and under load."""
    async with field() as at:
        with Neighbours(also=lambda: at.hub.seconds) as neighbours:
            alone, bare = await _alone(at, count // 3, rounds)
            loaded = [await _measured(at, prepared(at.bed, SIZE, 4 * count), CONNECTIONS) for _ in range(3)]
    worst = 1000 * statistics.median(done.percentile(0.99) for _, _, done in loaded)
    ratios = statistics.median(a / b for a, b in zip(alone, bare, strict=True))
    figures = [
        Figure("one connection: p50 ÷ (floor + one commit)", ratios, 2.0, 1.5),
        Figure("16 connections: p99", worst, 60.0, 30.0, unit="ms"),
    ]
    parts = [Part("p50, one connection", 1e6 * statistics.median(alone), 1e6 * statistics.median(bare))]
    return Line("latency of the Acknowledgment, 20 kB, RSA-2048", figures, parts, neighbours.used)


async def _alone(at: Field, count: int, rounds: int) -> tuple[list[float], list[float]]:
    """Median latency with one connection, and accepting's floor with one commit, round by round."""
    bare = await _floor(at.bed, SIZE)
    taken, floor = [], []
    async with await SqliteStore.open(at.bed.folder / "lone.db", min_free_bytes=0) as store:
        for _ in range(rounds):
            _, _, done = await _measured(at, prepared(at.bed, SIZE, count), 1)
            taken.append(done.median)
            change = accepted_change(SIZE)
            begun = time.perf_counter()
            await store.apply(change)
            committed = time.perf_counter() - begun
            floor.append(bare.answered() + committed)
    return taken, floor


async def memory(*, count: int = 1_000) -> Line:
    """P19: what a worker holds when it idles, and after messages of every size."""
    async with field() as at:
        idle = process_bytes(at.hub.pid)
        with Neighbours(also=lambda: at.hub.seconds) as neighbours:
            for _ in range(4):
                await _measured(at, _mixed(at.bed, count // 4), CONNECTIONS)
        after = process_bytes(at.hub.pid)
    figures = [
        Figure("idle", idle / 1e6, 120, 70, unit="MB"),
        Figure(f"after {count} messages ÷ idle", after / idle, 1.2, 1.05),
    ]
    note = f"{count} messages instead of 100,000, one in 40 of 1 MB"
    return Line("memory of a worker: idle; after messages of mixed size", figures, (), neighbours.used, note)


def _mixed(found: Bed, count: int) -> list[Wire]:
    sizes = [5_000, SIZE, 5_000, SIZE, 100_000] * 8
    sizes[-1] = 1_000_000
    return [found.message(document(sizes[i % len(sizes)])) for i in range(count)]


async def switched_on(*, rounds: int = ROUNDS, count: int = 50) -> Line:
    """P21: the hub as it is ÷ the hub without journal, metrics and log, processor time."""
    async with field() as loud, field(quiet=True) as quiet:
        with Neighbours(also=lambda: loud.hub.seconds + quiet.hub.seconds) as neighbours:
            for at in (loud, quiet):
                await _measured(at, prepared(at.bed, SIZE, count), CONNECTIONS)
            ratios, spent = [], []
            for number in range(rounds):
                used = {}
                for at in (loud, quiet) if number % 2 else (quiet, loud):
                    used[at.hub.pid] = (await _measured(at, prepared(at.bed, SIZE, count), CONNECTIONS))[0] / count
                ratios.append(used[loud.hub.pid] / used[quiet.hub.pid])
                spent.append((used[loud.hub.pid], used[quiet.hub.pid]))
    on, off = (1e6 * statistics.median(each) for each in zip(*spent, strict=True))
    figure = Figure("20 kB, whole way", statistics.median(ratios), 1.15, 1.05)
    parts = [Part("processor time of a message, all on and all off", on, off)]
    return Line("journal, metrics and log switched on ÷ off, processor time", [figure], parts, neighbours.used)
