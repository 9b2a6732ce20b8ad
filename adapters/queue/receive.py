"""Takes what record systems publish: acknowledged to the broker only when the store has it and the answer is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue
from aiormq.exceptions import ChannelPreconditionFailed

from adapters.broker.ending import Begin, begun, ended
from adapters.broker.link import TROUBLE, Link, Told, plain
from adapters.queue import wire
from adapters.queue.publish import Publisher
from adapters.queue.settings import QueueSettings
from hub.digest import sha256
from hub.errors import StoreUnavailable, bare
from hub.message import Channel, Reached, RecordSystem
from hub.record_systems.facade import RecordSystems, unavailable
from hub.record_systems.values import Order, Said

Take = Callable[[AbstractIncomingMessage], Coroutine[Any, Any, None]]
#: How long documents that are being taken may need yet when the hub stops.
LAST_MOMENT = 1.0


class Counter(Protocol):
    """Counts what a classic queue does not count; a part of hub.ports.Store."""

    async def bookmark(self, name: str) -> int: ...
    async def keep_bookmark(self, name: str, value: int) -> None: ...


class QueueDoor:
    """One consumer for each record system whose channel is `queue`, while open (`async with`)."""

    def __init__(
        self,
        settings: QueueSettings,
        link: Link,
        publisher: Publisher,
        facade: RecordSystems,
        counter: Counter,
        *,
        systems: Callable[[], Sequence[RecordSystem]],
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        max_bytes: int,
        told: Told,
        begin: Begin = begun,
    ) -> None:
        """While nothing new may be taken documents wait, unacknowledged."""
        self._settings, self._link, self._publisher = settings, link, publisher
        self._facade, self._counter = facade, counter
        self._systems, self._now, self._new_id, self._max = systems, now, new_id, max_bytes
        self._told, self._begin = told, begin
        self._serving: dict[RecordSystem, asyncio.Task[None]] = {}

    async def __aenter__(self) -> QueueDoor:
        await self.follow()
        return self

    async def __aexit__(self, *_: object) -> None:
        """No more is taken; what is under way has a moment to be acknowledged, or comes again."""
        await ended(self._serving.values())

    async def follow(self) -> None:
        """Consumes for the record systems that there are now; for one that is gone, or is another now, no more as it was."""
        wanted = [system for system in self._systems() if system.channel is Channel.QUEUE]
        gone = [system for system in self._serving if system not in wanted]
        await ended([self._serving.pop(system) for system in gone])
        for system in wanted:
            if system not in self._serving:
                self._serving[system] = self._begin(f"queue {system.outbox}", partial(self._serve, system))

    async def _serve(self, system: RecordSystem) -> None:
        """Consumes for as long as the hub runs, whatever becomes of connection, channel and queue."""
        tries = 0
        while True:
            connection = await self._link.opened()
            assert connection is not None
            try:
                consumer = await self._consuming(await connection.channel(publisher_confirms=False), system)
            except Exception as error:  # also what nobody foresaw: it is tried for as long as the hub runs
                tries += 1
                if tries == 1:
                    self._told("queue-not-consumed", f"{system.outbox}: {plain(error)}; tried again by itself")
            else:
                if tries:
                    self._told("queue-consumed", system.outbox)
                tries = 0
                await self._until_lost(consumer, system)
            await asyncio.sleep(min(0.1 * 2 ** min(tries, 10), self._settings.reconnect_seconds))

    async def _consuming(self, channel: AbstractChannel, system: RecordSystem) -> _Consumer:
        async with asyncio.timeout(self._settings.connect_seconds):
            queue = await declared(channel, system, self._settings, self._told)
            return await _Consumer.begun(queue, self._settings.prefetch, lambda m: self._taken(system, m), self._told)

    async def _until_lost(self, consumer: _Consumer, system: RecordSystem) -> None:
        seconds = self._settings.connect_seconds
        try:
            self._told("queue-lost", f"{system.outbox}: {await consumer.lost}; consumed again by itself")
            await asyncio.gather(consumer.close(seconds), return_exceptions=True)
        except asyncio.CancelledError:
            await asyncio.gather(consumer.stop(seconds), return_exceptions=True)
            raise

    async def _taken(self, system: RecordSystem, message: AbstractIncomingMessage) -> None:
        """What nobody foresaw is told and kept in quarantine; the broker lays it into the dead-letter queue."""
        try:
            await self._handled(system, message)
        except Exception as error:
            self._told("unforeseen", f"{system.id}: {bare(error)}")
            order = self._order(message, wire.Asked(), {})
            said = await self._turned_away(system, order, "unforeseen", bare(error))
            if said.decided != "later":  # else it comes again when the channel ends
                await message.reject(requeue=False)

    async def _handled(self, system: RecordSystem, message: AbstractIncomingMessage) -> None:
        """Stored, answered, and only then acknowledged; a death before that makes it come again, and counts once."""
        published = _published(message)
        asked = wire.read(published)
        order = self._order(message, asked, wire.facts(published))
        said = await self._weighed(system, order, asked, published)
        await self._answered(system, published, wire.answer(said, published, order, system.language))
        try:
            if said.decided == "taken":
                await message.ack()
            else:
                await message.reject(requeue=False)
        except TROUBLE:
            return  # the channel is gone: it comes again, and gets the same answer

    def _order(self, message: AbstractIncomingMessage, asked: wire.Asked | wire.Fault, facts: dict[str, str]) -> Order:
        """No more bytes than show that it is too large."""
        sender, receivers = (asked.sender, asked.receivers) if isinstance(asked, wire.Asked) else ("", ())
        body = message.body[: self._max + 1]
        return Order(body, "queue", sender, receivers, facts, self._new_id(), self._now())

    async def _weighed(
        self, system: RecordSystem, order: Order, asked: wire.Asked | wire.Fault, published: wire.Published
    ) -> Said:
        """The hub's answer; while nothing can be kept, it is asked again and again."""
        wait = 0.1
        while True:
            said = await self._facade.busy() or await self._once(system, order, asked, published)
            if said.decided != "later":
                return said
            if wait == 0.1:
                self._told("queue-waits", f"{system.id}: {said.code}: {said.because}")
            await asyncio.sleep(wait)
            wait = min(wait * 2, self._settings.reconnect_seconds)

    async def _once(
        self, system: RecordSystem, order: Order, asked: wire.Asked | wire.Fault, published: wire.Published
    ) -> Said:
        try:
            before = await self._deliveries_before(system, order, published)
        except StoreUnavailable as error:
            return unavailable(error)
        if before >= self._settings.delivery_limit:
            return await self._turned_away(system, order, "delivery-limit", f"handed out {before} times before")
        if isinstance(asked, wire.Fault):
            return await self._turned_away(system, order, asked.code, asked.because)
        return await self._facade.submit(self._facade.at_its_place(system), order)

    async def _turned_away(self, system: RecordSystem, order: Order, code: str, because: str) -> Said:
        return await self._facade.turn_away(self._facade.at_its_place(system), order, code, because)

    async def _deliveries_before(self, system: RecordSystem, order: Order, published: wire.Published) -> int:
        """How often it was handed out before; of what a classic queue hands out anew the store keeps count.

        What ends the process each time would else do so for ever.
        """
        if published.deliveries_before is not None:
            return published.deliveries_before
        if not published.redelivered:
            return 0
        name = f"queue-again:{system.id}:{sha256(order.document)}"
        count = await self._counter.bookmark(name) + 1
        await self._counter.keep_bookmark(name, count)
        return count

    async def _answered(self, system: RecordSystem, published: wire.Published, written: wire.Written) -> None:
        """Told on the record system's queue, for as long as it takes; and once where the publisher asked for it."""
        if published.reply_to and wire.may_reply(published.reply_to, system):
            await self._publisher.publish(published.reply_to, written)
        elif published.reply_to:
            self._told("reply-not-sent", f"{system.id}: reply_to names a queue that is not its own")
        wait = 0.1
        while (outcome := await self._publisher.publish(system.address, written)).reached is not Reached.YES:
            if wait == 0.1:
                self._told("answer-not-sent", f"{system.id}: {outcome.code}: {outcome.because}; tried again by itself")
            await asyncio.sleep(wait)
            wait = min(wait * 2, self._settings.reconnect_seconds)


class _Consumer:
    """A consumer at work, with everything that it hangs on held by a strong reference."""

    def __init__(self, queue: AbstractQueue, take: Take, told: Told) -> None:
        self._queue, self._take, self._told, self._tag = queue, take, told, ""
        self._under_way: set[asyncio.Task[None]] = set()
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @classmethod
    async def begun(cls, queue: AbstractQueue, prefetch: int, take: Take, told: Told) -> _Consumer:
        made, channel = cls(queue, take, told), queue.channel
        await channel.set_qos(prefetch_count=prefetch)
        channel.close_callbacks.add(made._channel_closed)
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(made._cancelled)
        made._tag = await queue.consume(made._begin)
        return made

    async def _begin(self, message: AbstractIncomingMessage) -> None:
        task = asyncio.create_task(self._take(message))
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """What nobody foresaw leaves the document with the broker: it comes again when the channel ends."""
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._told("unforeseen", type(error).__name__)

    def _channel_closed(self, _: object, error: BaseException | None = None) -> None:
        self._end(plain(error) if error is not None else "closed")

    def _cancelled(self, *_: object) -> None:
        self._end("the broker ended the consumer: the queue is gone")

    def _end(self, why: str) -> None:
        if not self.lost.done():
            self.lost.set_result(why)

    async def stop(self, seconds: float) -> None:
        """No more messages; those under way have a moment to be acknowledged."""
        async with asyncio.timeout(seconds):
            await self._queue.cancel(self._tag)
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=LAST_MOMENT)
        await self.close(seconds)

    async def close(self, seconds: float) -> None:
        """What is still under way comes again: it could not be acknowledged any more."""
        await ended(self._under_way)
        async with asyncio.timeout(seconds):
            await self._queue.channel.close()


async def declared(
    channel: AbstractChannel, system: RecordSystem, settings: QueueSettings, told: Told
) -> AbstractQueue:
    """The queue that a record system publishes to, with the other two that belong to it.

    One that is there with other arguments is its owner's, and is used as it is. The exchange of the same name is for a
    user who may write there alone: a right to the default exchange is one to every queue.
    """
    if not settings.declare:
        await channel.declare_queue(system.address, passive=True)
        return await channel.declare_queue(system.outbox, passive=True)
    dead = f"{system.outbox}.dead"
    kind: dict[str, str | int] = {"x-queue-type": settings.kind}
    refused: dict[str, str | int] = {**kind, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead}
    for name, arguments in ((dead, kind), (system.address, kind)):
        await _as_it_is(channel, name, arguments, told)
    queue = await _as_it_is(channel, system.outbox, refused, told)
    await queue.bind(await channel.declare_exchange(system.outbox, ExchangeType.FANOUT, durable=True))
    return queue


async def _as_it_is(channel: AbstractChannel, name: str, arguments: dict[str, str | int], told: Told) -> AbstractQueue:
    try:
        return await channel.declare_queue(name, durable=True, arguments=dict(arguments))
    except ChannelPreconditionFailed as error:
        told("queue-as-it-is", f"{plain(error)}")
        await channel.reopen()
        return await channel.declare_queue(name, passive=True)


def _published(message: AbstractIncomingMessage) -> wire.Published:
    return wire.Published(
        message.content_type or "",
        message.content_encoding or "",
        message.headers,
        message.message_id or "",
        str(message.correlation_id or ""),
        message.reply_to or "",
        bool(message.redelivered),
    )
