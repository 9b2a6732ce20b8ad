"""Brings deliveries out and watches time: claims what is due, tries it, and never lets one partner slow the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import structlog

from adapters.folder.receive import FolderDoor
from hub import delivery, follow_up, intake
from hub.circuit import Circuits
from hub.errors import StoreUnavailable
from hub.kit import Kit
from hub.message import Channel, Claimed
from hub.ports import Sender
from ops.config import WorkSettings

log = structlog.get_logger("worker")


class Worker:
    """All that a hub does by itself. Call `wake` when something new may be due."""

    def __init__(
        self, kit: Kit, senders: Mapping[Channel, Sender], circuits: Circuits, folders: FolderDoor, work: WorkSettings
    ) -> None:
        self._kit, self._senders, self._circuits = kit, senders, circuits
        self._folders, self._work = folders, work
        self._woken = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Something new may be due: look now."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled; attempts under way then have a moment to end, or are tried again after their lease."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._deliver())
                group.create_task(self._every(self._work.watch_seconds, self.watch))
                group.create_task(self._every(self._work.sweep_seconds, self._sweep))
        finally:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=self._work.stop_seconds)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def drain(self) -> None:
        """Waits until no attempt is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _deliver(self) -> None:
        while True:
            self._woken.clear()
            started = await self._guarded(self._claim)
            if not started:
                await self._rest()

    async def _rest(self) -> None:
        try:
            await asyncio.wait_for(self._woken.wait(), self._work.poll_seconds)
        except TimeoutError:
            return

    async def _claim(self) -> int:
        """Takes up what is due and fits beside what is under way; returns how many attempts were begun."""
        s = self._kit.settings
        free = s.at_once - len(self._tasks)
        if free <= 0:
            return 0
        now, lease = self._kit.clock.now(), timedelta(seconds=s.lease_seconds)
        skip, probing = self._circuits.open_addresses(now), self._circuits.probing()
        due = await self._kit.store.claim(now, free, lease, skip, s.per_partner, single=probing)
        for claimed in due:
            self._begin(claimed)
        return len(due)

    def _begin(self, claimed: Claimed) -> None:
        task = asyncio.create_task(self._attempt(claimed))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.wake()

    async def _attempt(self, claimed: Claimed) -> None:
        async def attempt() -> int:
            await delivery.attempt(claimed, self._kit, self._senders, self._circuits)
            return 1

        await self._guarded(attempt, delivery=claimed.delivery.id)

    async def watch(self) -> None:
        """Judges again what could not be judged, and looks for AppRecs that are missing."""
        await intake.judge_again(self._kit)
        await follow_up.watch(self._kit)

    async def _sweep(self) -> None:
        if await self._folders.sweep(list(self._kit.directory.systems())):
            self.wake()

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        async def once() -> int:
            await work()
            return 1

        while True:
            await self._guarded(once)
            await asyncio.sleep(seconds)

    async def _guarded(self, work: Callable[[], Awaitable[int]], **about: str) -> int:
        """What nobody foresaw is told and does not stop the hub; what it was about stays kept and is tried again."""
        try:
            return await work()
        except StoreUnavailable as error:
            log.error("store-unavailable", because=str(error), **about)
        except Exception as error:
            log.error("unforeseen", kind=type(error).__name__, where=where(error), **about)
        return 0


def where(error: BaseException) -> str:
    """File and line of an error, without its text: that may hold content."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}" if trace else "?"
