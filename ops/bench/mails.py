"""The line of mail: what receiving a message by SMTP costs beside the bare libraries and the same message by HTTP.

A message's way here: received, proven, kept, its Acknowledgment sealed and sent as a message of its own; by mail through a
relay, by HTTP to the partner's address. Nobody fetches it, so that nothing else is measured.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from email.utils import format_datetime
from typing import Any

import aiosmtplib
from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope

from adapters.ebxml_smtp.wire import mail
from hub.errors import HubError
from hub.message import Parcel
from ops.bench import far
from ops.bench.harness import Neighbours, process_bytes, process_seconds
from ops.bench.line import Figure, Line, Part
from ops.bench.load import Running, burst, hub_process
from ops.bench.material import LOCAL, REMOTE, Bed, Wire, bed, document
from ops.demo.stage import free_ports
from ops.system import SystemClock, SystemDice

SIZE = 20_000
#: Size of an Acknowledgment as a mail: an envelope with its echoed References, in base64.
RECEIPT = 8_000
OURS, THEIRS = "ours@bench.example", "theirs@bench.example"
CONNECTIONS = 4
PATIENCE = 20.0
AWAY = f"{2000 * far.SECONDS:g} ms"


class Counter:
    """Takes receipts, by mail and by HTTP, and counts them."""

    def __init__(self) -> None:
        self.taken = 0

    async def handle_DATA(self, _server: SMTP, _session: Any, _envelope: Envelope) -> str:
        """By mail."""
        self.taken += 1
        return "250 taken"

    async def post(self, _: web.Request) -> web.Response:
        """By HTTP."""
        self.taken += 1
        return web.Response(status=202)

    async def until(self, count: int) -> None:
        """Raises HubError when they do not come."""
        end = time.monotonic() + PATIENCE
        while self.taken < count:
            if time.monotonic() > end:
                raise HubError(f"the hub under test sent {self.taken} of {count} receipts")
            await asyncio.sleep(0.005)


@asynccontextmanager
async def _counting(mail_port: int, http_port: int) -> AsyncIterator[Counter]:
    counter = Counter()
    app = web.Application(client_max_size=64_000_000)
    app.router.add_post("/ebxml", counter.post)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", http_port).start()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(counter, decode_data=False), "127.0.0.1", mail_port)
    try:
        yield counter
    finally:
        server.close()
        await runner.cleanup()


@asynccontextmanager
async def _hub(mail_port: int, http_port: int, *, by_mail: bool) -> AsyncIterator[tuple[Bed, Running, int]]:
    """A hub whose partner takes receipts by themselves, by mail or by HTTP; the port that it takes mail on."""
    own_port, listening = free_ports(2)
    endpoint = f"mailto:{THEIRS}" if by_mail else f"http://127.0.0.1:{http_port}/ebxml"
    manners = {LOCAL.her_id: {"mail": OURS}, REMOTE.her_id: {"reply": "async"}}
    relay = {"host": "127.0.0.1", "port": mail_port, "tls": "off"}
    listener = {"host": "127.0.0.1", "port": listening, "per_minute": 1_000_000}
    with bed(endpoint=endpoint, manners=manners, http={"port": own_port}, relay=relay, listener=listener) as found:
        async with hub_process(found, own_port) as running:
            yield found, running, listening


@asynccontextmanager
async def _bare_listener() -> AsyncIterator[tuple[int, int]]:
    """aiosmtpd in a process of its own: its id and port."""
    (port,) = free_ports(1)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "ops.bench.child", "smtpd", str(port))
    try:
        await _listening(port)
        yield process.pid, port
    finally:
        os.kill(process.pid, signal.SIGTERM)
        await process.wait()


async def _listening(port: int) -> None:
    for _ in range(500):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.close()
        return
    raise HubError("the bare listener did not start")


def _mailed(wire: Wire) -> bytes:
    """A message as the mail that a partner sends."""
    parcel, now = Parcel(wire.headers, wire.body), SystemClock().now()
    own_id = f"{SystemDice().uuid()}@bench.example"
    return mail(parcel, sender=THEIRS, receiver=OURS, own_id=own_id, now=now, subject="bench", eight_bit=False)


async def _sent(port: int, mails: Sequence[bytes]) -> None:
    waiting = iter(mails)

    async def one() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
            for content in waiting:
                await client.sendmail(THEIRS, [OURS], content)

    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))


async def _bare_sender(found: Bed, port: int, count: int) -> float:
    """Processor seconds of aiosmtplib for one receipt."""
    file = found.folder / "receipt.eml"
    head = f"From: <{OURS}>\r\nTo: <{THEIRS}>\r\nDate: {format_datetime(SystemClock().now())}\r\n\r\n"
    file.write_bytes(head.encode() + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * (RECEIPT // 72))
    words = [sys.executable, "-m", "ops.bench.child", "smtplib", str(port), str(file), str(count)]
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    return float(told)


async def received(*, rounds: int = 5, count: int = 40) -> Line:
    """`mail`: processor time of a message by mail ÷ (the bare libraries + the same message by HTTP)."""
    mail_port, http_port = free_ports(2)
    async with (
        _counting(mail_port, http_port) as counter,
        _hub(mail_port, http_port, by_mail=True) as (found, by_mail, listening),
        _hub(mail_port, http_port, by_mail=False) as (other, by_http, _),
        _bare_listener() as (bare, bare_port),
    ):
        with Neighbours(also=lambda: by_mail.seconds + by_http.seconds + process_seconds(bare)) as neighbours:
            every = []
            for _ in range(rounds + 1):  # the first warms up
                mails = [_mailed(found.message(document(SIZE))) for _ in range(count)]
                begun = time.perf_counter()
                ours = await _spent(by_mail.pid, count, counter, _sent(listening, mails))
                rate = count / (time.perf_counter() - begun)
                messages = [other.message(document(SIZE)) for _ in range(count)]
                http = await _spent(by_http.pid, count, counter, burst(by_http, messages, CONNECTIONS))
                taking = await _spent(bare, count, None, _sent(bare_port, mails))
                sending = await _bare_sender(found, mail_port, count)
                every.append((ours, taking, sending, http, rate))
        memory = process_bytes(by_mail.pid)
        wire = found.message(document(SIZE))
    rates = await far.mails_a_second(Parcel(wire.headers, wire.body))
    return _told(every[1:], memory, rates, neighbours.used)


async def _spent(pid: int, count: int, counter: Counter | None, work: Any) -> float:
    """Processor seconds of a process for each message, until every receipt has come."""
    before, expected = process_seconds(pid), (counter.taken if counter else 0) + count
    await work
    if counter is not None:
        await counter.until(expected)
    return (process_seconds(pid) - before) / count


def _told(
    every: Sequence[tuple[float, float, float, float, float]],
    memory: int,
    rates: tuple[float, float],
    disturbed: float,
) -> Line:
    ratio = statistics.median(ours / (taking + sending + http) for ours, taking, sending, http, _ in every)
    ours, taking, sending, http, rate = (statistics.median(each) for each in zip(*every, strict=True))
    parts = [
        Part("a mail received and acknowledged by mail", ours * 1e6, (taking + sending + http) * 1e6),
        Part("aiosmtpd alone, the same mail", taking * 1e6),
        Part("aiosmtplib alone, a receipt", sending * 1e6),
        Part("the same message by HTTP, acknowledged by itself", http * 1e6),
        Part("mails a second, this load beside the hub", rate, unit="per s"),
        Part("memory of the hub afterwards", memory / 1e6, unit="MB"),
        Part(
            f"mails sent over one connection to a relay {AWAY} away, one thing asked at a time", rates[0], unit="per s"
        ),
        Part(f"mails sent over one connection to a relay {AWAY} away, pipelined", rates[1], unit="per s"),
    ]
    figures = [
        Figure("20 kB", ratio, 1.3, 1.1),
        Figure(f"mails to a relay {AWAY} away, pipelined ÷ one by one", rates[1] / rates[0], 1.8, 2.4, at_most=False),
    ]
    what = "by mail ÷ (aiosmtpd + aiosmtplib + the same by HTTP), processor time of the hub"
    return Line(what, figures, parts, disturbed)
