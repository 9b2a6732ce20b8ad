"""The line of large documents: what a submission of 20 or 35 MB costs in memory, and what a small neighbour feels of it.

A hub of its own process takes them at a door and sends them to a partner that reads whatever comes. The neighbour is
a small record system: asks for a sign of life and hands over a small document, again and again, in a process of its own.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

from hub.errors import HubError
from ops.bench import soap
from ops.bench.harness import Neighbours, process_bytes
from ops.bench.line import Figure, Line, Part
from ops.bench.load import Running, hub_process, ports
from ops.bench.material import LOCAL, REMOTE, Bed, bed, document
from ops.doors import REST, SOAP

SIZES = (20_000_000, 35_000_000)
#: Pairs of a ping and a small submission that are timed, without and during; seconds between two of them.
PAIRS, PAUSE = 150, 0.01
#: No more pairs are timed beside large ones.
MOST_PAIRS = 1_000
#: Large ones in a row, while the neighbour is timed.
IN_A_ROW = 4
#: Seconds after which something is wrong.
PATIENCE = 60.0
#: Bytes of document that a submission may cost, and how much longer the neighbour may wait.
MEMORY, WAIT = 3.0, 2.0


@dataclass(frozen=True, slots=True)
class Order:
    """A request that hands a document over."""

    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    good: int = 202


def _rest(found: Bed, content: bytes) -> Order:
    order = {
        "senderHerId": int(LOCAL.her_id),
        "receiverHerIds": [int(REMOTE.her_id)],
        "businessDocument": base64.b64encode(content).decode(),
    }
    headers = {"X-API-Key": found.site.keys[LOCAL.system], "Content-Type": "application/json"}
    return Order(f"{REST}/messages", headers, json.dumps(order).encode())


def _soap(found: Bed, content: bytes) -> Order:
    headers, body = soap.submitted(found.site.keys[LOCAL.system], base64.b64encode(content))
    return Order(SOAP, headers, body, 200)


def _mtom(found: Bed, content: bytes) -> Order:
    include = b'<x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="cid:document"/>'
    headers, envelope = soap.submitted(found.site.keys[LOCAL.system], include)
    kind = 'multipart/related; type="application/xop+xml"; start="<e>"; start-info="text/xml"; boundary="bench"'
    binary = b"Content-Transfer-Encoding: binary\r\nContent-ID: "
    root = b'--bench\r\nContent-Type: application/xop+xml; charset=UTF-8; type="text/xml"\r\n' + binary + b"<e>\r\n\r\n"
    beside = b"\r\n--bench\r\nContent-Type: application/octet-stream\r\n" + binary + b"<document>\r\n\r\n"
    body = b"".join((root, envelope, beside, content, b"\r\n--bench--\r\n"))
    return Order(SOAP, {**headers, "Content-Type": kind}, body, 200)


#: Every door that takes documents from record systems: its name → the request that hands one over there.
DOORS: Mapping[str, Callable[[Bed, bytes], Order]] = {"REST base64": _rest, "SOAP base64": _soap, "MTOM": _mtom}


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one size at one door: bytes above what the process held before, and seconds of the neighbour's 95th of 100."""

    taken: int  #: until it was answered
    sent: int  #: until it had gone out, too
    without: float
    during: float
    seconds: float  #: until it was answered


async def documents(*, sizes: tuple[int, ...] = SIZES, pairs: int = PAIRS) -> Line:
    """Memory ÷ size of the document, and the neighbour's p95 during ÷ without, at every door."""
    figures, parts = [], []
    with Neighbours() as neighbours:
        for door in DOORS:
            for size in sizes:
                cost = await measured(door, size, pairs)
                name = f"{door}, {size // 1_000_000} MB"
                figures.append(Figure(f"{name}: memory ÷ document", cost.taken / size, MEMORY, 2.0))
                figures.append(
                    Figure(f"{name}: neighbour's p95 during ÷ without", cost.during / cost.without, WAIT, 1.3)
                )
                parts.append(Part(f"{name}: neighbour's p95", 1000 * cost.during, 1000 * cost.without, "ms"))
                parts.append(Part(f"{name}: memory until it has gone out ÷ document", cost.sent / size, unit="×"))
                parts.append(Part(f"{name}: until it was answered", 1000 * cost.seconds, unit="ms"))
    what = "a large submission: peak of memory above idle ÷ document; p95 of a small neighbour's ping and submission"
    return Line(
        what, figures, parts, neighbours.used, "the neighbour and the large one share the processors with the hub"
    )


async def measured(door: str, size: int, pairs: int = PAIRS) -> Cost:
    """One size at one door, on a hub of its own. Raises HubError where it is not taken or not sent."""
    async with _field() as (found, hub, partner):
        small = Neighbour(found, hub)
        await small.pairs(30)
        without = await small.pairs(pairs)
        taken, sent, seconds = await _alone(found, hub, door, size, partner)
        during = await _beside(found, hub, door, size, small)
    return Cost(taken, sent, _p95(without), _p95(during), seconds)


async def memory(door: str, size: int) -> tuple[float, float]:
    """Peak ÷ document until it was answered, and until it had gone out, of a hub that has had a small one before."""
    async with _field() as (found, hub, partner):
        await asyncio.to_thread(_handed_over, hub, _order(door, found, 5_000))
        taken, sent, _ = await _alone(found, hub, door, size, partner)
    return taken / size, sent / size


@asynccontextmanager
async def _field() -> AsyncIterator[tuple[Bed, Running, Partner]]:
    hub_port, partner_port = ports()
    endpoint, log = f"http://127.0.0.1:{partner_port}/ebxml", {"level": "warning", "form": "json"}
    with bed(endpoint=endpoint, http={"port": hub_port}, log=log) as found:
        async with _partner(partner_port) as partner, hub_process(found, hub_port) as hub:
            yield found, hub, partner


async def _alone(found: Bed, hub: Running, door: str, size: int, partner: Partner) -> tuple[int, int, float]:
    order, before = _order(door, found, size), process_bytes(hub.pid)
    forget_peak(hub.pid)
    begun = time.monotonic()
    await asyncio.to_thread(_handed_over, hub, order)
    seconds, taken = time.monotonic() - begun, process_bytes(hub.pid, "VmHWM")
    await partner.has(size)
    return taken - before, process_bytes(hub.pid, "VmHWM") - before, seconds


async def _beside(found: Bed, hub: Running, door: str, size: int, small: Neighbour) -> list[float]:
    orders = [_order(door, found, size) for _ in range(IN_A_ROW)]
    async with small.beside() as seconds:
        for order in orders:
            await asyncio.to_thread(_handed_over, hub, order)
    return seconds


def _order(door: str, found: Bed, size: int) -> Order:
    return DOORS[door](found, document(size, out=True))


def _p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


def forget_peak(pid: int) -> None:
    """From here on VmHWM tells the peak of what comes (proc(5), clear_refs)."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _handed_over(hub: Running, order: Order) -> None:
    with closing(http.client.HTTPConnection(hub.url.removeprefix("http://"), timeout=PATIENCE)) as connection:
        connection.request("POST", order.path, order.body, dict(order.headers))
        answer = connection.getresponse()
        said = answer.read()
    if answer.status != order.good:
        raise HubError(f"the hub under test said {answer.status} {said[:200]!r}")


class Neighbour:
    """A small record system, in a process of its own: what it feels is the hub, and not who measures."""

    def __init__(self, found: Bed, hub: Running) -> None:
        self._bed, self._hub = found, hub

    async def pairs(self, count: int) -> list[float]:
        """Seconds of each of so many pairs."""
        async with self._at_it(count) as process:
            told, _ = await process.communicate()
        return _told(told)

    @asynccontextmanager
    async def beside(self) -> AsyncIterator[list[float]]:
        """While inside it goes on; the seconds of each pair are there afterwards."""
        found: list[float] = []
        async with self._at_it(MOST_PAIRS) as process:
            yield found
            process.terminate()
            told, _ = await process.communicate()
        found += _told(told)

    @asynccontextmanager
    async def _at_it(self, count: int) -> AsyncIterator[asyncio.subprocess.Process]:
        orders = [_rest(self._bed, document(5_000, out=True)) for _ in range(count)]
        file = self._bed.folder / "orders.json"
        written = [[order.path, dict(order.headers), order.body.decode()] for order in orders]
        file.write_text(json.dumps(written), "utf-8")
        words = [sys.executable, "-m", "ops.bench.child", "pairs", self._hub.url, str(file), str(PAUSE)]
        process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        await process.stdout.readline()  # it has begun
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def _told(lines: bytes) -> list[float]:
    return [float(line) for line in lines.split()]


class Partner:
    """A message handler that takes whatever comes, says nothing of it, and counts the bytes."""

    def __init__(self) -> None:
        self._largest = 0

    async def has(self, size: int) -> None:
        """Waits until something of that size has come. Raises HubError when nothing does."""
        end = time.monotonic() + PATIENCE
        while self._largest < size:
            if time.monotonic() > end:
                raise HubError("the hub under test has not sent the large message")
            await asyncio.sleep(0.02)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, for as long as it is kept."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                size = left = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
                while left and (came := await reader.read(min(left, 1_000_000))):
                    left -= len(came)
                self._largest = max(self._largest, size - left)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def _partner(port: int) -> AsyncIterator[Partner]:
    partner = Partner()
    async with await asyncio.start_server(partner.serve, "127.0.0.1", port):
        yield partner
