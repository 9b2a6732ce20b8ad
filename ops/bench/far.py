"""A relay that is far away: what the round trips of a mail cost, asked one thing at a time and in one go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from aiosmtpd.smtp import SMTP, Envelope, Session

from adapters.ebxml_smtp.send import EbxmlSmtpSender
from adapters.ebxml_smtp.settings import RelaySettings
from hub.errors import HubError
from hub.message import Channel, Claimed, DeliveryRecord, MessageRecord, Parcel, Reached
from ops.system import SystemClock, SystemDice

#: How long a packet is under way, each way.
SECONDS = 0.01
_Packets = asyncio.Queue[tuple[float, bytes]]


class Far:
    """A line to a server on this machine, every packet of which comes later; `async with` opens it, `port` is its near end."""

    def __init__(self, port: int, seconds: float = SECONDS) -> None:
        self._to, self._seconds = port, seconds
        self._stack = AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.round_trips = 0  #: how often the near end spoke when the far end had spoken
        self.carried = 0  #: bytes that came from the far end
        self._near_spoke_last = True

    async def __aenter__(self) -> Far:
        server = await asyncio.start_server(self._joined, "127.0.0.1", 0)
        await self._stack.enter_async_context(server)
        self.port = server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._stack.aclose()

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to)
        for source, sink, near in ((reader, far_writer, True), (far_reader, writer, False)):
            under_way: _Packets = asyncio.Queue()
            for work in (self._taken(source, under_way, near), _brought(under_way, sink)):
                task = asyncio.create_task(work)
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _taken(self, reader: asyncio.StreamReader, under_way: _Packets, near: bool) -> None:
        packet = b"?"
        while packet:
            try:
                packet = await reader.read(65_536)
            except ConnectionError:
                packet = b""
            self.round_trips += near and bool(packet) and not self._near_spoke_last
            self._near_spoke_last = near
            self.carried += 0 if near else len(packet)
            under_way.put_nowait((asyncio.get_running_loop().time() + self._seconds, packet))


async def _brought(under_way: _Packets, writer: asyncio.StreamWriter) -> None:
    packet = b"?"
    while packet:
        due, packet = await under_way.get()
        await asyncio.sleep(due - asyncio.get_running_loop().time())
        writer.write(packet)
    writer.close()


class _Taking:
    """Takes every mail and forgets it; offers PIPELINING, which aiosmtpd can and does not tell."""

    async def handle_EHLO(self, _: SMTP, session: Session, __: Envelope, name: str, offers: list[str]) -> list[str]:
        session.host_name = name
        return [*offers[:-1], "250-PIPELINING", offers[-1]]

    async def handle_DATA(self, *_: object) -> str:
        return "250 taken"


@asynccontextmanager
async def _sending(port: int, *, pipelining: bool) -> AsyncIterator[Callable[[Parcel], Awaitable[None]]]:
    """Hands a parcel to the relay at this port, over one connection."""
    now, dice = SystemClock().now, SystemDice()
    settings = RelaySettings(
        host="127.0.0.1", port=port, tls="off", domain="bench.example", connections=1, pipelining=pipelining
    )

    async def wanted(_: str) -> bool:
        return True

    async with EbxmlSmtpSender(settings, lambda _: "ours@bench.example", now, wanted) as sender:

        async def send(parcel: Parcel) -> None:
            id_, at = dice.uuid(), now()
            address = "mailto:theirs@bench.example"
            delivery = DeliveryRecord(id_, id_, "1", "2", Channel.EBXML_SMTP, address, "sending", at, None, None, None)
            message = MessageRecord(id_, id_, "out", "business", "bench", at, "1", "2")
            outcome = await sender.send(Claimed(delivery, message, 1), parcel)
            if outcome.reached is not Reached.YES or outcome.permanent:
                raise HubError(f"the far relay did not take a mail: {outcome.because}")

        yield send


async def mails_a_second(parcel: Parcel, *, count: int = 15) -> tuple[float, float]:
    """Through one connection to a relay 2 × SECONDS away: one thing asked at a time, and pipelined."""
    loop = asyncio.get_running_loop()
    rates = []
    async with await loop.create_server(lambda: SMTP(_Taking(), decode_data=False), "127.0.0.1", 0) as server:
        for pipelining in (False, True):
            async with (
                Far(server.sockets[0].getsockname()[1]) as far,
                _sending(far.port, pipelining=pipelining) as send,
            ):
                await send(parcel)  # opens the connection
                begun = time.perf_counter()
                for _ in range(count):
                    await send(parcel)
                rates.append(count / (time.perf_counter() - begun))
    return rates[0], rates[1]
