"""hub.ports.Dispatch over RabbitMQ: one queue of lanes that every node offers to and takes from."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage, AbstractQueue

from adapters.broker.ending import Begin, begun, ended
from adapters.broker.link import TROUBLE, Link, Told, plain
from adapters.dispatch.settings import DispatchSettings
from hub.ports import Lane

#: What a lane that nobody took within this time says is known by the sweep as well, in milliseconds.
STALE_MS = 60_000
#: So many offers may wait for the broker; those beyond are left to the sweep.
MOST_WAITING = 1_000
#: Offers that wait for their confirms together.
AT_ONCE = 64
#: Lanes of this priority or a more urgent one go first.
URGENT = 3
#: Between two channels.
PAUSE = 0.2


Answered = TypeVar("Answered")


class Stuck(Exception):
    """The broker answers, but says nothing about this queue."""

    def __init__(self, queue: str) -> None:
        super().__init__(queue)
        self.queue = queue


class RabbitDispatch:
    """Open it with `async with`. It begins without a broker, and comes back by itself when the broker does.

    Offers and takes travel over connections of their own: a broker short of memory blocks the one that publishes.
    """

    def __init__(self, settings: DispatchSettings, told: Told, begin: Begin = begun) -> None:
        """`told` hears in words when the broker is lost and found; work goes on without it."""
        self._settings, self._told, self._begin = settings, told, begin
        self._offering_link, self._taking_link = (Link(settings, name, told, begin) for name in ("offers", "takes"))
        self._offers: asyncio.Queue[Lane] = asyncio.Queue(MOST_WAITING)
        self._offering: asyncio.Task[None] | None = None
        self._exchange: AbstractExchange | None = None
        self._taking = False

    async def __aenter__(self) -> RabbitDispatch:
        self._offering = self._begin("offers", partial(self._kept_up, self._offering_link, self._offer))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._offering is not None:
            await ended([self._offering])
        for link in (self._offering_link, self._taking_link):
            await link.close()

    @property
    def connected(self) -> bool:
        """See hub.ports.Dispatch: both ways are open."""
        return self._exchange is not None and self._taking

    def offer(self, lanes: Sequence[Lane]) -> None:
        """See hub.ports.Dispatch."""
        if self._exchange is None:
            return
        for lane in lanes:
            with contextlib.suppress(asyncio.QueueFull):
                self._offers.put_nowait(lane)

    async def serve(self, work: Callable[[str], Awaitable[None]]) -> None:
        """See hub.ports.Dispatch."""
        await self._kept_up(self._taking_link, lambda channel: self._take(channel, work))

    async def _kept_up(self, link: Link, use: Callable[[AbstractChannel], Coroutine[Any, Any, None]]) -> None:
        """A channel for as long as the hub runs: when it is closed, alone or with its connection, another is opened."""
        while True:
            connection = await link.opened()
            try:
                if connection is not None:
                    async with asyncio.timeout(self._settings.connect_seconds):
                        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                    await self._used(channel, use(channel))
            except Stuck as error:
                self._told("dispatch-queue", f"{error.queue} does not answer; it is made anew, since it holds nothing")
                await self._thrown_away(link, error.queue)
            except Exception as error:  # also what nobody foresaw: nothing would be offered or taken any more
                self._told("dispatch-channel", plain(error))
            await asyncio.sleep(PAUSE)

    async def _used(self, channel: AbstractChannel, use: Coroutine[Any, Any, None]) -> None:
        """While the channel is open; afterwards it is closed whatever became of it, lest it goes on taking."""
        try:
            await _while_open(channel, use)
        finally:
            with contextlib.suppress(*TROUBLE):
                async with asyncio.timeout(self._settings.connect_seconds):
                    await channel.close()

    async def _thrown_away(self, link: Link, queue: str) -> None:
        """Deletes a queue that does not answer.

        A quorum queue that was made just before its broker lost power may be known, and never be well again. Nothing is
        lost with it: the sweep offers again whatever is due.
        """
        with contextlib.suppress(*TROUBLE):
            connection = await link.opened(self._settings.connect_seconds)
            if connection is not None:
                async with asyncio.timeout(2 * self._settings.connect_seconds):
                    async with connection.channel() as channel:
                        await channel.queue_delete(queue)

    async def _offer(self, channel: AbstractChannel) -> None:
        """Publishes what is offered and waits for the confirms of all that gathered; until the connection breaks."""
        await self._declared(channel)
        self._exchange = channel.default_exchange
        try:
            while True:
                lanes = [await self._offers.get()]
                while len(lanes) < AT_ONCE and not self._offers.empty():
                    lanes.append(self._offers.get_nowait())
                await asyncio.gather(*(self._publish(self._exchange, lane) for lane in lanes))
        finally:
            self._exchange = None
            while not self._offers.empty():  # the sweep knows them
                self._offers.get_nowait()

    async def _publish(self, exchange: AbstractExchange, lane: Lane) -> None:
        message = aio_pika.Message(
            lane.address.encode(), delivery_mode=aio_pika.DeliveryMode.PERSISTENT, content_type="text/plain"
        )
        await exchange.publish(message, self._name(lane), mandatory=True, timeout=self._settings.offer_seconds)

    async def _take(self, channel: AbstractChannel, work: Callable[[str], Awaitable[None]]) -> None:
        """Gives each lane to `work` and answers for it when that returns; until the connection breaks."""
        await channel.set_qos(self._settings.lanes_at_once)
        under_way: set[asyncio.Task[None]] = set()

        async def taken(message: AbstractIncomingMessage) -> None:
            task = asyncio.create_task(_worked(message, work))
            under_way.add(task)
            task.add_done_callback(under_way.discard)

        gone = asyncio.Event()  # a queue was deleted by somebody else
        (await channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(lambda *_: gone.set())
        for queue in await self._declared(channel):
            await self._answered(queue.name, queue.consume(taken))
        self._taking = True
        try:
            await gone.wait()  # or until the channel is closed
        finally:
            self._taking = False
            await ended(under_way)

    def _name(self, lane: Lane) -> str:
        return f"{self._settings.queue}.urgent" if lane.priority <= URGENT else self._settings.queue

    async def _declared(self, channel: AbstractChannel) -> list[AbstractQueue]:
        """Both queues; whoever comes first makes them."""
        arguments: dict[str, aio_pika.abc.FieldValue] = {"x-message-ttl": STALE_MS}
        if self._settings.queue_type == "quorum":
            arguments |= {"x-queue-type": "quorum", "x-delivery-limit": 20}
        names = (f"{self._settings.queue}.urgent", self._settings.queue)
        making = ((name, channel.declare_queue(name, durable=True, arguments=arguments)) for name in names)
        return [await self._answered(name, made) for name, made in making]

    async def _answered(self, queue: str, asked: Coroutine[Any, Any, Answered]) -> Answered:
        """What the broker answers about a queue. Raises Stuck when it does not."""
        try:
            async with asyncio.timeout(self._settings.connect_seconds):
                return await asked
        except TimeoutError:
            raise Stuck(queue) from None


async def _while_open(channel: AbstractChannel, work: Coroutine[Any, Any, None]) -> None:
    """Runs `work` until it ends or the channel does; a lost one is noticed though nobody speaks on it."""
    working, closed = asyncio.create_task(work), asyncio.ensure_future(channel.closed())
    try:
        await asyncio.wait({working, closed}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ConnectionError("the channel was closed")
        working.result()
    finally:
        await ended([working, closed])


async def _worked(message: AbstractIncomingMessage, work: Callable[[str], Awaitable[None]]) -> None:
    """An offer is answered for when its work is done; one that is not goes to another node when our connection ends."""
    await work(message.body.decode("utf-8", "replace"))
    with contextlib.suppress(*TROUBLE):  # the connection is gone: somebody else is given it, and finds it done
        await message.ack()
