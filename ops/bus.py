"""The bus side of a hub, put together: one line to the broker, the sender, and the doors of our queues."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import structlog
from prometheus_client import CollectorRegistry, Gauge

from adapters.amqp import way091
from adapters.amqp.line import Line, Open, Trouble
from adapters.amqp.receive import AmqpDoor
from adapters.amqp.send import AmqpSender
from adapters.amqp.settings import AmqpSettings
from adapters.broker.ending import ended
from hub.errors import ConfigurationError
from hub.formats.queues import QueueKind
from hub.kit import Kit
from hub.message import Answer
from ops.serve.duties import Duties
from ops.serve.guard import Receive
from ops.system import ordered_id

log = structlog.get_logger("bus")


class BusSide:
    """One hub's bus. The sender works as long as the hub is put together, the doors while it runs."""

    def __init__(
        self,
        settings: AmqpSettings,
        kit: Kit,
        take: Receive,
        full: Callable[[], Awaitable[Answer | None]],
        registry: CollectorRegistry,
        duties: Duties,
    ) -> None:
        """`take` is the guarded door of the bus."""
        self._settings, self._kit, self._duties = settings, kit, duties
        self._dead = Gauge(
            "samhub_bus_dead_letters",
            "Messages that the broker has given up, by queue; told by AMQP 0.9.1 only.",
            ["queue"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.line = Line(settings, way(settings), kit.dice.fraction, _told, duties.begin)
        self.sender = AmqpSender(self.line, kit.clock.now)
        self._door = AmqpDoor(
            self.line,
            take,
            lambda: own_queues(kit, settings),
            now=kit.clock.now,
            new_id=ordered_id,
            full=full,
            full_seconds=settings.full_seconds,
        )

    @asynccontextmanager
    async def doors(self) -> AsyncIterator[None]:
        """Reads our queues while inside, and looks after what has died there."""
        async with self._door:
            watching = self._duties.begin("bus dead letters", self._watch) if self._settings.url else None
            try:
                yield
            finally:
                if watching is not None:
                    await ended([watching])

    async def _watch(self) -> None:
        while True:
            for queue in dead_queues(own_queues(self._kit, self._settings)):
                await self._count(queue)
            await asyncio.sleep(self._settings.watch_seconds)

    async def _count(self, queue: str) -> None:
        """A queue that is not there, or that we may not see, counts nothing."""
        try:
            depth = await (await self.line.session()).depth(queue)
        except Trouble:
            return
        if depth is not None:
            self._dead.labels(queue).set(depth)


def way(settings: AmqpSettings) -> Open:
    """The client for the protocol that is asked for. Raises ConfigurationError when its library is not installed."""
    if settings.way == "0.9.1" or not settings.url:
        return way091.opened
    try:
        from adapters.amqp import way10
    except ImportError:
        hint = "install it with: pip install 'samhandling-hub[amqp10]' (it is compiled), or set amqp.way to 0.9.1"
        raise ConfigurationError([f"amqp.way is 1.0, but python-qpid-proton is not installed; {hint}"]) from None
    return way10.opened


def own_queues(kit: Kit, settings: AmqpSettings) -> Mapping[str, str]:
    """Queue → kind, of all that local parties have of the kinds that are listened to.

    Parties of one organisation share their queues (nhn-amqp.md §1.3): each is read once, however its name is spelt.
    """
    found: dict[str, tuple[str, str]] = {}
    for party in kit.directory.parties():
        for kind in settings.listen if party.local else ():
            if queue := kit.directory.bus_queue(party.her_id, QueueKind(kind)):
                found.setdefault(queue.lower(), (queue, kind))
    return dict(found.values())


def dead_queues(own: Mapping[str, str]) -> list[str]:
    """Where the broker puts what we reject or never settle: one for each owner, by convention of names (§1.3)."""
    return [f"{queue.removesuffix('_async')}_dl" for queue, kind in own.items() if kind == QueueKind.ASYNC]


def _told(words: str) -> None:
    log.warning("bus", because=words)
