"""The webhooks of a hub, put together: what tells each record system for itself, so that who is slow holds nobody up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import structlog

from adapters.broker.ending import ended
from adapters.webhook.send import WebhookSender
from adapters.webhook.settings import WebhookSettings
from hub.errors import ConfigurationError, StoreUnavailable, place
from hub.kit import Kit
from hub.message import Outcome, Reached, RecordSystem
from hub.ports import HookLane
from hub.record_systems.facade import RecordSystems
from hub.record_systems.values import Happened
from hub.record_systems.webhooks import Say, Terms, Webhooks
from ops.config import Configuration
from ops.serve.duties import Duties

log = structlog.get_logger("webhook")
DUTY = "webhooks"
#: So long one node tells before another may.
TERM = timedelta(seconds=30)
#: Who took longer than this the last time, in seconds, is told beside the others.
SLOW = 1.0
#: Nobody has a webhook, or another node tells them: so often it is looked whether that has changed, at most.
IDLE = 2.0


def terms(settings: WebhookSettings) -> Terms:
    """As they are set."""
    waits = tuple(timedelta(minutes=minutes) for minutes in settings.wait_minutes)
    return Terms(waits, timedelta(hours=settings.give_up_hours))


class Slots:
    """Whom an event is told to at once: those that failed or were slow the last time have places of their own."""

    def __init__(self, at_once: int, say: Say, monotonic: Callable[[], float]) -> None:
        self._well, self._doubtful = asyncio.Semaphore(at_once), asyncio.Semaphore(max(1, at_once // 4))
        self._say, self._monotonic = say, monotonic
        self._slow: set[str] = set()

    async def __call__(self, system: RecordSystem, happened: Happened) -> Outcome:
        """See Say."""
        async with self._doubtful if system.id in self._slow else self._well:
            began = self._monotonic()
            self._slow.add(system.id)  # until it has answered
            outcome = await self._say(system, happened)
            if outcome.reached is Reached.YES and self._monotonic() - began < SLOW:
                self._slow.discard(system.id)
            return outcome


class WebhookSide:
    """One hub's webhooks. One node at a time tells; each record system has a task of its own while something is told to it."""

    def __init__(
        self,
        configuration: Configuration,
        kit: Kit,
        facade: RecordSystems,
        duties: Duties,
        leases: Callable[[], datetime],
        node: str,
    ) -> None:
        """Raises ConfigurationError where the file of authorities is not there."""
        s = self._settings = configuration.webhook
        if s.ca_file and not Path(s.ca_file).is_file():
            raise ConfigurationError([f"webhook.ca_file: {s.ca_file}: no such file"])
        self._kit, self._duties, self._now, self._node = kit, duties, leases, node
        software = f"{kit.settings.software_name.replace(' ', '-')}/{kit.settings.software_version}"
        self._sender = WebhookSender(s, kit.clock.now, software)
        self._slots = Slots(s.at_once, self._sender.send, kit.clock.monotonic)
        self._webhooks = Webhooks(kit, facade, self._slots, terms(s))
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._again = asyncio.Event()
        self._renew_at: datetime | None = None

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """While inside record systems are told; on leaving it is kept how far that came, and another node may go on."""
        async with self._sender:
            task = self._duties.begin(DUTY, self._tell)
            try:
                yield
            finally:
                await ended([task, *self._tasks.values()])
                await self._foreseen(self._resign)

    async def _tell(self) -> None:
        while True:
            self._again.clear()
            told = await self._foreseen(self.once)
            await self._rest(self._settings.poll_seconds if told else max(IDLE, self._settings.poll_seconds))

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._again.wait()
        except TimeoutError:
            return

    async def once(self) -> bool:
        """Begins to tell whoever is not being told already; false where there is nobody, or another node does."""
        systems = [system for system in self._kit.directory.systems() if system.webhook is not None]
        if not systems or not await self._leads():
            return False
        lanes = await self._kit.store.hooks()
        for system in systems:
            if system.id not in self._tasks:
                own = [lane for lane in lanes if lane.system == system.id]
                task = asyncio.create_task(self._told(system, own), name=f"webhook of {system.id}")
                self._tasks[system.id] = task
                task.add_done_callback(partial(self._forget, system.id))
        return True

    async def _told(self, system: RecordSystem, lanes: Sequence[HookLane]) -> None:
        if await self._foreseen(lambda: self._webhooks.tell(system, lanes)):
            self._again.set()

    def _forget(self, name: str, _: asyncio.Task[None]) -> None:
        self._tasks.pop(name, None)

    async def settled(self) -> None:
        """Until nobody is being told any more."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    async def _leads(self) -> bool:
        """The duty is asked for anew when half of its term is over: each time is a write."""
        now = self._now()
        if self._renew_at is not None and now < self._renew_at:
            return True
        leads = await self._kit.store.lead(DUTY, self._node, now, TERM)
        self._renew_at = now + TERM / 2 if leads else None
        return leads

    async def _resign(self) -> bool:
        if self._renew_at is not None:
            self._renew_at = None
            await self._kit.store.lead(DUTY, self._node, self._now(), timedelta())
        return True

    async def _foreseen(self, work: Callable[[], Awaitable[bool]]) -> bool:
        """What nobody foresaw is told and does not stop the others."""
        try:
            return await work()
        except StoreUnavailable as error:
            log.error("store-unavailable", because=str(error))
        except Exception as error:
            log.error("unforeseen", kind=type(error).__name__, where=place(error), code="unforeseen")
        return False
