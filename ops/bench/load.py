"""A hub of its own process under load from this one: started on a bed, posted to over kept connections, measured from outside."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientSession, web

from hub.errors import HubError
from hub.formats import envelope as envelopes
from ops.bench.harness import children, process_seconds
from ops.bench.material import Bed, Wire
from ops.demo.stage import free_ports
from ops.partner import wire

#: A hub takes longer than this to start only when something is wrong.
START_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Running:
    """The hub under test."""

    url: str
    pid: int

    @property
    def seconds(self) -> float:
        """Processor time that it has used, with that of its workers."""
        return sum(map(process_seconds, (self.pid, *children(self.pid))))


@dataclass(frozen=True, slots=True)
class Burst:
    """What became of some messages."""

    seconds: float  #: wall time until the last was done
    answered: tuple[float, ...]  #: seconds until each Acknowledgment
    refused: int  #: answers that were no Acknowledgment

    def percentile(self, share: float) -> float:
        """How long the slowest but so many had to wait."""
        found = sorted(self.answered)
        return found[min(len(found) - 1, round(share * (len(found) - 1)))]

    @property
    def median(self) -> float:
        """How long the middle one had to wait."""
        return statistics.median(self.answered)


@asynccontextmanager
async def hub_process(
    bed: Bed, port: int, *, quiet: bool = False, file: Path | None = None, workers: int = 0
) -> AsyncIterator[Running]:
    """`samhub serve` on the bed's site; with `quiet` a hub without journal, metrics and log (P21).

    `file` is another configuration of the same site; with `workers` the command itself is run, with so many of them.
    """
    written = str(file or bed.site.configuration)
    words = [sys.executable, "-m", "ops.bench.child", "serve", written, "quiet" if quiet else "loud"]
    if workers:
        words = [sys.executable, "-m", "ops.cli", "serve", "--config", written, "--workers", str(workers)]
    with (bed.folder / f"hub-{port}.log").open("wb") as told:
        process = await asyncio.create_subprocess_exec(*words, stderr=told, stdout=asyncio.subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        if not await _ready(url, process):
            last = (bed.folder / f"hub-{port}.log").read_text("utf-8", "replace").splitlines()[-1:]
            raise HubError(f"the hub under test did not start: {' '.join(last) or 'without a word'}")
        yield Running(url, process.pid)
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGTERM)
        await process.wait()


async def _ready(url: str, process: asyncio.subprocess.Process) -> bool:
    end = time.monotonic() + START_SECONDS
    async with ClientSession() as session:
        while time.monotonic() < end and process.returncode is None:
            try:
                async with session.get(f"{url}/health/ready") as answer:
                    if answer.status == 200:
                        return True
            except OSError:
                await asyncio.sleep(0.02)
    return False


async def burst(running: Running, messages: Sequence[Wire], connections: int) -> Burst:
    """Posts every message once over kept connections."""
    waiting = iter(messages)
    answered: list[float] = []
    refused = 0

    async def one() -> None:
        nonlocal refused
        client = await Client.connected(running.url)
        try:
            for message in waiting:
                begun = time.perf_counter()
                answer = await client.post(message)
                answered.append(time.perf_counter() - begun)
                refused += b"<eb:Acknowledgment " not in answer
        finally:
            client.close()

    begun = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    return Burst(time.perf_counter() - begun, tuple(answered), refused)


class Client(asyncio.Protocol):
    """One kept connection, one request at a time: as little as a client can be, since it shares the machine with the hub."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answer: asyncio.Future[bytes] | None = None

    @classmethod
    async def connected(cls, url: str) -> Client:
        """A connection to the hub."""
        host, _, port = url.removeprefix("http://").partition(":")
        _, client = await asyncio.get_running_loop().create_connection(cls, host, int(port))
        return client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    async def post(self, message: Wire) -> bytes:
        """The body of the answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        headers = "".join(f"{name}: {value}\r\n" for name, value in message.headers.items())
        head = f"POST /ebxml HTTP/1.1\r\nHost: hub\r\n{headers}Content-Length: {len(message.body)}\r\n\r\n"
        self._transport.writelines([head.encode(), message.body])
        return await self._answer

    def data_received(self, data: bytes) -> None:
        """Gathers until the Content-Length is there."""
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        if len(body) >= length and self._answer is not None and not self._answer.done():
            self._received = b""
            self._answer.set_result(body)

    def connection_lost(self, error: Exception | None) -> None:
        """An answer that is waited for will not come."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("closed"))

    def close(self) -> None:
        """Done."""
        if self._transport is not None:
            self._transport.close()


class Sink:
    """The partner that the hub's AppRecs go to: acknowledges each, signed, and counts."""

    def __init__(self, bed: Bed) -> None:
        self._bed, self.received = bed, 0
        self.slow = 0.0  #: seconds until it answers

    @asynccontextmanager
    async def listening(self, port: int) -> AsyncIterator[Sink]:
        """While inside it takes messages at /ebxml."""
        app = web.Application(client_max_size=64_000_000)
        app.router.add_post("/ebxml", self._post)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _post(self, request: web.Request) -> web.Response:
        from datetime import UTC, datetime

        from ops.system import SystemDice

        found = wire.read(dict(request.headers), await request.read(), ())
        assert found is not None and not isinstance(found.envelope, envelopes.EnvelopeFault)
        self.received += 1
        await asyncio.sleep(self.slow)
        written = wire.acknowledgment(found, self._bed.sender, SystemDice().uuid(), datetime.now(UTC))
        return web.Response(body=written.body, headers=dict(written.headers))

    async def until(self, count: int, seconds: float) -> float:
        """Waits until so many have come, or so many seconds have passed; returns the seconds that it took."""
        begun = time.monotonic()
        while self.received < count and time.monotonic() - begun < seconds:
            await asyncio.sleep(0.005)
        return time.monotonic() - begun


def ports() -> tuple[int, int]:
    """Two that are free: for the hub and for the partner."""
    first, second = free_ports(2)
    return first, second
