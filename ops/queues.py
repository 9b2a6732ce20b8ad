"""The queue door of a hub, put together: the sender, what consumes from record systems, and what tells them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from adapters.broker.ending import ended
from adapters.broker.link import Link
from adapters.queue.events import StatusEvents
from adapters.queue.publish import Publisher
from adapters.queue.receive import QueueDoor
from adapters.queue.send import QueueSender
from adapters.register.directory import FileDirectory
from hub.errors import StoreUnavailable, place
from hub.kit import Kit
from hub.message import Channel, RecordSystem
from hub.record_systems.facade import RecordSystems
from ops.config import Configuration
from ops.serve.duties import Duties
from ops.serve.leases import LeaseClock
from ops.system import ordered_id

log = structlog.get_logger("queue")
#: How often it is looked whether there are other record systems, in seconds; nobody is asked for that.
LOOK = 1.0
#: What a person must look at, if it lasts; the rest tells that it is over.
OVER = frozenset({"broker-reached", "queue-consumed"})


class QueueSide:
    """One hub's queues. The sender works as long as the hub is put together, the doors while it runs."""

    def __init__(
        self,
        configuration: Configuration,
        kit: Kit,
        facade: RecordSystems,
        duties: Duties,
        leases: LeaseClock,
    ) -> None:
        s = self._settings = configuration.queue
        self._duties = duties
        self._publishing, self._consuming = (Link(s, name, _told, duties.begin) for name in ("publishes", "consumes"))
        publisher = Publisher(s, self._publishing)

        def systems() -> Sequence[RecordSystem]:
            """Those that there are whenever it is asked."""
            return kit.directory.systems()

        self.sender = QueueSender(publisher)
        self._events = StatusEvents(s, publisher, kit.store, facade, systems, leases.now, kit.dice.uuid())
        self._door = QueueDoor(
            s,
            self._consuming,
            publisher,
            facade,
            kit.store,
            systems=systems,
            now=kit.clock.now,
            new_id=ordered_id,
            max_bytes=kit.settings.max_message_bytes,
            told=_told,
            begin=duties.begin,
        )

    async def __aenter__(self) -> QueueSide:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._publishing.close()

    @asynccontextmanager
    async def doors(self, roles: frozenset[str]) -> AsyncIterator[None]:
        """While inside it consumes where it receives, and tells where it delivers; where there is a broker."""
        async with AsyncExitStack() as stack:
            if self._settings.url and "receive" in roles:
                stack.push_async_callback(self._consuming.close)
                await stack.enter_async_context(self._door)
                await stack.enter_async_context(self._following())
            if self._settings.url and "deliver" in roles:
                await stack.enter_async_context(self._telling())
            yield

    @asynccontextmanager
    async def _following(self) -> AsyncIterator[None]:
        task = self._duties.begin("queues of record systems", self._follow)
        try:
            yield
        finally:
            await ended([task])

    async def _follow(self) -> None:
        while True:
            await self._door.follow()
            await asyncio.sleep(LOOK)

    @asynccontextmanager
    async def _telling(self) -> AsyncIterator[None]:
        task = self._duties.begin("status events", self._tell)
        try:
            yield
        finally:
            await ended([task])
            await _foreseen(self._resigned)

    async def _resigned(self) -> bool:
        await self._events.resign()
        return True

    async def _tell(self) -> None:
        while True:
            if not await _foreseen(self._events.once):
                await asyncio.sleep(self._settings.events_seconds)


async def _foreseen(work: Callable[[], Awaitable[bool]]) -> bool:
    """What nobody foresaw is told and does not stop the hub."""
    try:
        return await work()
    except StoreUnavailable as error:
        log.error("store-unavailable", because=str(error))
    except Exception as error:
        log.error("unforeseen", kind=type(error).__name__, where=place(error))
    return False


def unserved(configuration: Configuration, directory: FileDirectory) -> Iterator[str]:
    """Mistakes that would leave a record system without its queues."""
    queues = [s.id for s in directory.systems() if s.channel is Channel.QUEUE]
    if queues and not configuration.queue.url:
        yield f"system {', '.join(queues)}: channel is queue, but queue.url is empty; name the broker in [queue]"
    for file in configuration.queue.absent():
        yield f"queue: {file}: no such file"


def _told(what: str, because: str) -> None:
    (log.info if what in OVER else log.warning)(what, because=because)
