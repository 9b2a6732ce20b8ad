"""Tells record systems over their queues what became of their messages: in order, at least once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from adapters.queue import wire
from adapters.queue.publish import Publisher
from adapters.queue.settings import QueueSettings
from hub.message import Channel, Reached, RecordSystem
from hub.ports import Store
from hub.record_systems.facade import RecordSystems
from hub.record_systems.telling import Telling
from hub.record_systems.values import Happened

DUTY = "status-events"


class StatusEvents:
    """One node at a time publishes; how far each record system has been told is a bookmark in the store."""

    def __init__(
        self,
        settings: QueueSettings,
        publisher: Publisher,
        store: Store,
        facade: RecordSystems,
        systems: Callable[[], Sequence[RecordSystem]],
        now: Callable[[], datetime],
        node: str,
    ) -> None:
        self._settings, self._publisher, self._store = settings, publisher, store
        self._telling = Telling(DUTY, store, facade)
        self._systems, self._now, self._node = systems, now, node
        self._renew_at: datetime | None = None

    async def once(self) -> bool:
        """Tells what is new, where that is this node's duty; true when there may be more at once."""
        if not await self._leads():
            return False
        queues = [s for s in self._systems() if s.channel is Channel.QUEUE]
        told = await asyncio.gather(*(self._tell(system) for system in queues), return_exceptions=True)
        if error := next((one for one in told if isinstance(one, BaseException)), None):
            raise error  # when all the others are told
        return any(told)

    async def _leads(self) -> bool:
        """The duty is asked for anew when half of its term is over: each time is a write."""
        now, term = self._now(), timedelta(seconds=self._settings.term_seconds)
        if self._renew_at is not None and now < self._renew_at:
            return True
        leads = await self._store.lead(DUTY, self._node, now, term)
        self._renew_at = now + term / 2 if leads else None
        return leads

    async def resign(self) -> None:
        """Another node may go on at once."""
        if self._renew_at is not None:
            self._renew_at = None
            await self._store.lead(DUTY, self._node, self._now(), timedelta())

    async def _tell(self, system: RecordSystem) -> bool:
        """It stops at the first event that the broker does not confirm, and goes on there later."""

        async def say(happened: Happened) -> bool:
            written = wire.event(happened, system.language)
            return (await self._publisher.publish(system.address, written)).reached is Reached.YES

        return await self._telling.tell(system, say)
