"""A real broker behind a gate, as the far side of the queues of record systems and of the national message bus.

The broker refuses when no queue is there, and says "later" when the queue is full. Gone, silent or lost is the way to it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractChannel

from adapters.amqp.line import Line
from adapters.amqp.send import AmqpSender
from adapters.amqp.settings import AmqpSettings
from adapters.broker.link import Link
from adapters.queue.publish import Publisher
from adapters.queue.send import QueueSender
from adapters.queue.settings import QueueSettings
from hub.message import Channel
from hub.ports import Sender
from ops.bus import way
from ops.servers.rabbitmq import VirtualHost
from tests.conformance.gate import Gate
from tests.conformance.letters import ANSWER, CONNECT, PASSWORD, Got, Letter, letter

USER = "samhub-conformance"


class FarQueue:
    """One queue on the broker, behind the default exchange or a named one, and a gate on the way to it."""

    def __init__(self, folder: Path, broker: VirtualHost, exchange: str = "") -> None:
        broker.add_user(USER, PASSWORD, configure="^$")
        self.password_file = folder / "broker-password"
        self.password_file.write_text(PASSWORD)
        self.name = f"conformance.{uuid4()}"
        self.gate = Gate(broker.port)
        self.exchange = exchange
        self._broker = broker
        self._got: list[Got] = []
        self._as = ""  #: the queue is declared as this

    async def __aenter__(self) -> FarQueue:
        self._connection = await aio_pika.connect(self._broker.url)
        await self.declared("wide")
        await self.gate.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await (self.closed() if self.exchange else self.declared(""))
        await self.gate.shut()
        await self._connection.close()

    async def declared(self, how: Literal["wide", "full", ""]) -> None:
        """Anew: with room, without any, or not at all."""
        if how == self._as:
            return
        await self.got()
        async with self._connection.channel() as channel:
            await channel.queue_delete(self.name)
            if how:
                narrow = {"x-max-length": 1, "x-overflow": "reject-publish"} if how == "full" else {}
                queue = await channel.declare_queue(self.name, durable=True, arguments=dict(narrow))
                await self._bound(channel, queue)
            if how == "full":
                await channel.default_exchange.publish(aio_pika.Message(b"in the way"), self.name)
        self._as = how

    async def closed(self) -> None:
        """Neither the queue nor its exchange is there."""
        await self.declared("")
        async with self._connection.channel() as channel:
            await channel.exchange_delete(self.exchange)

    async def _bound(self, channel: AbstractChannel, queue: aio_pika.abc.AbstractQueue) -> None:
        if self.exchange:
            exchange = await channel.declare_exchange(self.exchange, aio_pika.ExchangeType.DIRECT, durable=True)
            await queue.bind(exchange, self.name)

    async def got(self) -> list[Got]:
        """All that has lain in it."""
        async with self._connection.channel() as channel:
            if self._as == "wide":
                queue = await channel.get_queue(self.name)
                while (came := await queue.get(no_ack=True, fail=False)) is not None:
                    self._got.append(Got(came.message_id or "", came.body))
        return self._got


class _BrokerTransport:
    """What both have in common."""

    says_later = True

    def __init__(self, far: FarQueue) -> None:
        self.far = far

    async def __aenter__(self) -> object:
        await self.far.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.far.__aexit__()

    async def take(self) -> None:
        """See Transport.take."""
        await self.far.declared("wide")
        await self.far.gate.open()

    async def gone(self) -> None:
        """See Transport.gone."""
        await self.far.gate.shut()

    async def never(self) -> None:
        """See Transport.never: there is no such queue."""
        await self.far.declared("")

    async def later(self) -> None:
        """See Transport.later: the queue is full."""
        await self.far.declared("full")

    async def dies(self) -> None:
        """See Transport.dies: the broker's word is lost."""
        self.far.gate.lose()

    async def silent(self) -> None:
        """See Transport.silent: the broker's word is held up."""
        self.far.gate.hold()

    async def got(self) -> list[Got]:
        """See Transport.got."""
        return await self.far.got()


class QueueTransport(_BrokerTransport):
    """tests.conformance.transports.Transport: the queue of a record system, which is declared when it is missing."""

    final = False

    def __init__(self, folder: Path, broker: VirtualHost) -> None:
        super().__init__(FarQueue(folder, broker))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Sender]:
        """See Transport.open."""
        settings = QueueSettings(
            url=f"amqp://127.0.0.1:{self.far.gate.port}/",
            username=USER,
            password_file=self.far.password_file,
            connect_seconds=CONNECT,
            confirm_seconds=ANSWER,
            reconnect_seconds=0.2,
            heartbeat_seconds=60,
        )
        link = Link(settings, "publishes", lambda _, __: None)
        try:
            yield QueueSender(Publisher(settings, link))
        finally:
            await link.close()

    def letter(self, content: bytes = b"") -> Letter:
        """See Transport.letter; a document is known by the message's own id."""
        made = letter(Channel.QUEUE, self.far.name, content)
        return Letter(made.claimed, made.parcel, made.claimed.message.id)

    def lost_letter(self) -> Letter:
        """See Transport.lost_letter."""
        return letter(Channel.QUEUE, "", b"")


class BusTransport(_BrokerTransport):
    """tests.conformance.transports.Transport: a queue of a party on the bus, over either protocol.

    In AMQP 1.0, RabbitMQ 3 says yes to what no queue is bound to, and nothing when the queue is full (nhn-amqp.md §1.2):
    there it refuses when there is no exchange.
    """

    final = True

    def __init__(self, protocol: Literal["0.9.1", "1.0"], folder: Path, broker: VirtualHost) -> None:
        super().__init__(FarQueue(folder, broker, f"CONFORMANCE-{uuid4()}"))
        self._protocol = protocol
        self.says_later = protocol == "0.9.1"

    async def never(self) -> None:
        """See Transport.never."""
        await (super().never() if self._protocol == "0.9.1" else self.far.closed())

    def open(self) -> AbstractAsyncContextManager[Sender]:
        """See Transport.open."""
        settings = AmqpSettings(
            url=f"amqp://127.0.0.1:{self.far.gate.port}/{self.far.exchange}",
            way=self._protocol,
            username=USER,
            password_file=self.far.password_file,
            connect_seconds=CONNECT,
            answer_seconds=ANSWER,
            close_seconds=1,
            wait_seconds=0.05,
        )
        return _on_the_bus(settings)

    def letter(self, content: bytes = b"") -> Letter:
        """See Transport.letter; known by its message-id."""

        def headers(id_: str) -> dict[str, str]:
            return {"message-id": id_, "to": self.far.name, "subject": "APPREC", "property:toHerId": "8009002"}

        return letter(Channel.AMQP, f"amqp:127.0.0.1/{self.far.exchange}/{self.far.name}", content, headers)

    def lost_letter(self) -> Letter:
        """See Transport.lost_letter."""
        return letter(Channel.AMQP, "amqp:", b"")


@asynccontextmanager
async def _on_the_bus(settings: AmqpSettings) -> AsyncIterator[Sender]:
    async with Line(settings, way(settings), lambda: 0.5, lambda _: None) as line:
        yield AmqpSender(line, lambda: datetime.now(UTC))
