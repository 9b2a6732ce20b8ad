"""A record system at its two queues, as its maker would write it: confirms, acknowledges, and drops what it has seen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage

from adapters.broker.ending import ended

#: What a broker that goes and comes may raise.
TROUBLE = (*aio_pika.exceptions.CONNECTION_EXCEPTIONS, TimeoutError)


@dataclass(frozen=True)
class Came:
    """A message as it lay in the queue."""

    message_id: str
    type: str
    content_type: str
    correlation_id: str
    headers: Mapping[str, Any]
    body: bytes
    persistent: bool

    @property
    def json(self) -> dict[str, Any] | None:
        """The JSON of a status event, None for a document."""
        return self.event if self.type == "status" else None

    @property
    def event(self) -> dict[str, Any]:
        """A status event's JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class QueueSystem:
    """Consumes while open (`async with`), through whatever becomes of the broker."""

    url: str
    to_hub: str
    from_hub: str
    exchange: str = ""  #: where it publishes; empty: the default exchange
    came: list[Came] = field(default_factory=list)  #: everything, doubles too, in order

    @property
    def seen(self) -> list[Came]:
        """Each message_id once, as a record system must take them."""
        return list({(one.type, one.message_id): one for one in reversed(self.came)}.values())[::-1]

    @property
    def documents(self) -> list[Came]:
        """Documents and AppRecs, each once."""
        return [one for one in self.seen if one.type == "document"]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Status events, each once."""
        return [one.event for one in self.seen if one.type == "status"]

    def told(self, message_id: str) -> list[str]:
        """The types of the events about one message of the hub's, in order."""
        return [e["type"] for e in self.events if e["relatedMessageId"] == message_id]

    def answers(self, published_id: str) -> list[dict[str, Any]]:
        """What was said to something that was published under this message_id."""
        return [e for e in self.events if e.get("publishedMessageId") == published_id]

    async def __aenter__(self) -> QueueSystem:
        self._consuming = asyncio.create_task(self._consume())
        return self

    async def __aexit__(self, *_: object) -> None:
        await ended([self._consuming])

    async def again(self) -> None:
        """Consumes anew: a queue that is deleted takes its consumers with it, without a word to this client."""
        await self.__aexit__()
        await self.__aenter__()

    async def _consume(self) -> None:
        while True:
            try:
                async with await self._connection() as connection:
                    lost = asyncio.Event()
                    channel = await connection.channel()
                    connection.close_callbacks.add(lambda *_: lost.set())  # noqa: B023
                    channel.close_callbacks.add(lambda *_: lost.set())  # noqa: B023
                    await channel.set_qos(100)
                    queue = await channel.get_queue(self.from_hub)
                    await queue.consume(self._take)
                    await lost.wait()
            except TROUBLE:
                await asyncio.sleep(0.1)

    async def _connection(self) -> AbstractConnection:
        return await aio_pika.connect(self.url, timeout=5)

    async def _take(self, message: AbstractIncomingMessage) -> None:
        self.came.append(
            Came(
                message.message_id or "",
                message.type or "",
                message.content_type or "",
                str(message.correlation_id or ""),
                dict(message.headers),
                message.body,
                message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT,
            )
        )
        await message.ack()

    async def publish(self, document: bytes, message_id: str = "", tries: int = 600, **properties: Any) -> str:
        """Hands over until the broker confirms; the message_id under which it did."""
        own = message_id or str(uuid4())
        given = {"content_type": "application/xml", "delivery_mode": aio_pika.DeliveryMode.PERSISTENT} | properties
        message = aio_pika.Message(document, message_id=own, **given)
        for left in reversed(range(tries)):
            try:
                async with await self._connection() as connection:
                    channel = await connection.channel(on_return_raises=True)
                    exchange = channel.default_exchange
                    if self.exchange:
                        exchange = await channel.get_exchange(self.exchange, ensure=False)
                    await exchange.publish(message, self.to_hub, timeout=10)
                    return own
            except TROUBLE:
                if not left:
                    raise
                await asyncio.sleep(0.1)
        raise AssertionError("no try was allowed")

    async def on_channel(self, work: Callable[[AbstractChannel], Any]) -> Any:
        """Does something on a channel of its own."""
        async with await self._connection() as connection:
            return await work(await connection.channel())

    async def lying(self, queue: str) -> list[Came]:
        """Takes everything out of another queue, such as the one for dead letters."""
        before, found = self.came, QueueSystem(self.url, "", queue)

        async def work(channel: AbstractChannel) -> None:
            declared = await channel.get_queue(queue)
            while (message := await declared.get(fail=False)) is not None:
                await found._take(message)

        await self.on_channel(work)
        self.came = before
        return found.came
