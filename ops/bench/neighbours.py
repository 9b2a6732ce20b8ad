"""What silent neighbours cost the others: a hub with addresses that take the connection and say nothing, beside one without.

A record system hands over documents to partners that answer, and waits until they have them. Beside these wait documents to
silent addresses, as many as would take every place that a hub has.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from hub.errors import HubError
from ops.bench.harness import Neighbours
from ops.bench.line import Figure, Line, Part
from ops.bench.load import Running, Sink, hub_process
from ops.bench.material import LOCAL, REMOTE, Bed, bed
from ops.demo.stage import free_ports
from ops.epj import RecordSystemClient
from ops.samples.make import make
from ops.sector import SECTOR, Member
from ops.serve import process
from ops.system import SystemDice

#: How many silent addresses there are, and of which kind.
CASES = {
    "1 silent address": ("hosts", 1),
    "17 silent addresses": ("hosts", 17),
    "100 silent addresses": ("hosts", 100),
    "1,000 silent addresses": ("hosts", 1_000),
    "one host with 1,000 silent paths": ("paths", 1_000),
    "a silent relay with 100 addresses": ("relay", 100),
}
#: Documents that wait for silent addresses, at the least: more than a hub has places.
WAITING = 68
#: Partners that answer, and how many seconds each takes.
HEALTHY, ANSWER = 4, 0.02
ROUNDS, COUNT, URGENT, NEAR = 4, 32, 10, 10
PATIENCE = 30.0
#: The second record system, which takes its documents from a folder.
OTHER = replace(SECTOR[1], organisation=LOCAL.organisation, organisation_number=LOCAL.organisation_number)


@dataclass(frozen=True, slots=True)
class Town:
    """A hub with its partners, and the record system that hands over to them."""

    bed: Bed
    hub: Running
    sinks: Sequence[Sink]  #: those that answer; the last gets what is urgent
    system: RecordSystemClient
    silent: Sequence[Member]

    async def hand_over(self, receiver: Member, *, urgent: bool = False) -> None:
        """One document, taken by the hub."""
        now = datetime.now(UTC)
        found = make(
            "dialog-helsefaglig",
            sender=LOCAL,
            receiver=receiver,
            gen_date=now,
            msg_id=SystemDice().uuid(),
            urgent=urgent,
        )
        status, answer = await self.system.send(found.document, LOCAL.her_id)
        if status >= 300:
            raise HubError(f"the hub under test refused a document: {answer}")

    async def to_all_silent(self) -> None:
        """What waits for the silent ones; several at once, as a record system hands over."""
        times = -(-WAITING // len(self.silent)) if self.silent else 0
        waiting = iter([one for one in self.silent for _ in range(times)])

        async def some() -> None:
            for one in waiting:
                await self.hand_over(one)

        await asyncio.gather(*(some() for _ in range(8)))

    async def pace(self) -> float:
        """Seconds until as many documents have reached the partners that answer."""
        ordinary = self.sinks[:-1]
        expected = [sink.received + COUNT // HEALTHY for sink in ordinary]
        begun = time.perf_counter()
        await asyncio.gather(*(self.hand_over(partner(n % HEALTHY)) for n in range(COUNT)))
        for sink, count in zip(ordinary, expected, strict=True):
            await _come(sink, count)
        return time.perf_counter() - begun

    async def urgent(self) -> list[float]:
        """Seconds of each urgent document, one after another."""
        found = []
        for _ in range(URGENT):
            begun, expected = time.perf_counter(), self.sinks[-1].received + 1
            await self.hand_over(partner(HEALTHY), urgent=True)
            await _come(self.sinks[-1], expected)
            found.append(time.perf_counter() - begun)
        return found

    async def near(self) -> list[float]:
        """Seconds of each document to a local system, one after another."""
        inbox, found = self.bed.site.folder / "systems" / OTHER.system / "inbox", []
        for _ in range(NEAR):
            begun, before = time.perf_counter(), _files(inbox)
            await self.hand_over(OTHER)
            while _files(inbox) == before:
                if time.perf_counter() - begun > PATIENCE:
                    raise HubError("the hub under test brought nothing to a local system")
                await asyncio.sleep(0.005)
            found.append(time.perf_counter() - begun)
        return found


def partner(number: int) -> Member:
    """One of those that answer."""
    return replace(REMOTE, her_id=f"{8_100_000 + number}", name=f"Partner {number}")


def _files(folder: Path) -> int:
    return sum(1 for one in folder.iterdir() if one.suffix == ".xml")


async def _come(sink: Sink, count: int) -> None:
    await sink.until(count, PATIENCE)
    if sink.received < count:
        raise HubError(f"a partner that answers got {sink.received} of {count} documents")


@asynccontextmanager
async def town(kind: str, count: int, port: int) -> AsyncIterator[Town]:
    """A hub in a process of its own; `port` is where nobody says anything."""
    own, *ports = free_ports(HEALTHY + 2)
    silent = [replace(REMOTE, her_id=f"{8_200_000 + n}", name=f"Taus {n}") for n in range(count)]
    remote = [(partner(n), f"http://127.0.0.1:{at}/ebxml") for n, at in enumerate(ports)]
    remote += [(one, _address(kind, n, port)) for n, one in enumerate(silent)]
    with bed(
        remote=remote,
        local=[LOCAL, OTHER],
        folders=(OTHER.system,),
        manners={LOCAL.her_id: {"mail": "ours@bench.example"}},
        http={"port": own},
        log={"level": "info", "form": "json"},
        relay={"host": "127.0.0.1", "port": port, "tls": "off"},
    ) as found:
        async with AsyncExitStack() as stack:
            sinks = [await stack.enter_async_context(Sink(found).listening(at)) for at in ports]
            for sink in sinks:
                sink.slow = ANSWER
            running = await stack.enter_async_context(hub_process(found, own))
            system = RecordSystemClient(running.url, found.site.keys[LOCAL.system])
            yield Town(found, running, sinks, await stack.enter_async_context(system), silent)


def _address(kind: str, number: int, port: int) -> str:
    if kind == "relay":
        return f"mailto:taus{number}@bench.example"
    if kind == "paths":
        return f"http://127.0.0.1:{port}/{number}"
    return f"http://127.1.{number // 250}.{number % 250 + 1}:{port}/ebxml"


@asynccontextmanager
async def _silent() -> AsyncIterator[int]:
    """A port at which every connection is taken, whatever the address, and nothing is ever said."""
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "0.0.0.0", 0, backlog=1_024)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def beside() -> Line:
    """`neighbours`: the pace of partners that answer beside silent ones ÷ without, urgent and local ones beside them."""
    process.open_many()
    figures, parts, disturbed = [], [], 0.0
    async with _silent() as port, town("hosts", 0, port) as alone:
        await alone.pace()  # warms up
        for name, (kind, count) in CASES.items():
            async with town(kind, count, port) as with_them:
                with Neighbours(also=lambda at=with_them: alone.hub.seconds + at.hub.seconds) as others:  # type: ignore[misc]
                    pace, urgent, near, seconds = await _measured(with_them, alone)
            disturbed = max(disturbed, others.used)
            figures.append(Figure(f"{name}: pace", 100 * pace, 95, 100, at_most=False, unit="%"))
            figures.append(Figure(f"{name}: urgent, p95", urgent, 2.0, 0.2, unit="s"))
            figures.append(Figure(f"{name}: local, p95", near, 2.0, 0.2, unit="s"))
            parts.append(Part(f"documents a second beside {name}, and without", *seconds, unit="per s"))
    what = "partners that answer beside silent ones: their pace ÷ without them; urgent and local ones"
    return Line(what, figures, parts, disturbed)


async def _measured(at: Town, alone: Town) -> tuple[float, float, float, tuple[float, float]]:
    """The pace beside and alone, turn about; then what is urgent and what is local."""
    await at.to_all_silent()
    await at.pace()
    both: list[tuple[float, float]] = []
    for number in range(ROUNDS):
        turn = (at, alone) if number % 2 else (alone, at)
        spent = {id(each): await each.pace() for each in turn}
        both.append((spent[id(at)], spent[id(alone)]))
    urgent, near = await at.urgent(), await at.near()
    pace = statistics.median(without / beside for beside, without in both)
    rates = COUNT / statistics.median(b for b, _ in both), COUNT / statistics.median(w for _, w in both)
    return pace, _p95(urgent), _p95(near), rates


def _p95(found: Sequence[float]) -> float:
    return sorted(found)[round(0.95 * (len(found) - 1))]
