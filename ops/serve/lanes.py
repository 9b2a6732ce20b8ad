"""Works lane by lane, as the dispatch says: one partner's deliveries until nothing more of them is due."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable

from hub.neighbours import URGENT
from hub.ports import Dispatch, Lane
from ops.serve.attempts import Attempts
from ops.serve.unforeseen import guarded

#: A lane is put up again after this time, so that no node keeps one for ever (and no broker waits too long for its answer).
LONGEST = 60.0
#: A lane is offered once in this time, though it be due for longer: whoever was to work on it may have died or be full.
OFFERED_FOR = 2.0


class Lanes:
    """The lanes that this node works on. Whatever is offered of them meanwhile is theirs already."""

    def __init__(self, attempts: Attempts, dispatch: Dispatch) -> None:
        self._attempts, self._dispatch = attempts, dispatch
        self._open: dict[str, asyncio.Event] = {}
        self._offered: dict[str, float] = {}
        self._own: asyncio.TaskGroup | None = None

    def offer(self, lanes: list[Lane]) -> None:
        """Something new is due for these: those that are open here look again.

        The others are opened here while there is little to do, and offered to whoever is free when there is more: what
        comes in at a node mostly goes out there, without the cost of asking.
        """
        elsewhere = []
        for lane in lanes:
            if self.poke(lane.address):
                continue
            if self._own is not None and self._attempts.few(len(self._open)):
                self._open[lane.address] = asyncio.Event()
                self._own.create_task(self._worked(lane.address))
            else:
                elsewhere.append(lane)
        self._dispatch.offer(elsewhere)

    async def serve(self) -> None:
        """Works on what is offered, until cancelled."""
        async with asyncio.TaskGroup() as self._own:
            try:
                await self._dispatch.serve(self.work)
            finally:
                self._own = None

    def sweep(self, lanes: list[Lane]) -> None:
        """Offers what is due, whatever became of an earlier offer; of what is open here only what waits for room."""
        self._pass_on([lane for lane in lanes if not self.poke(lane.address) or self._attempts.short(lane.address)])

    def _pass_on(self, lanes: list[Lane]) -> None:
        """To whoever is free, unless they were offered just now."""
        now = time.monotonic()
        self._offered = {address: at for address, at in self._offered.items() if now - at < OFFERED_FOR}
        fresh = [lane for lane in lanes if lane.address not in self._offered]
        self._offered.update((lane.address, now) for lane in fresh)
        self._dispatch.offer(fresh)

    def poke(self, address: str) -> bool:
        """Whether the lane is open here; it then looks again."""
        if (event := self._open.get(address)) is None:
            return False
        event.set()
        self._attempts.look_again()
        return True

    async def work(self, address: str) -> None:
        """One lane, until nothing of it is due or under way here, or others shall have it."""
        if not self.poke(address):
            self._open[address] = asyncio.Event()
            await self._worked(address)

    async def _worked(self, address: str) -> None:
        try:
            over = await self._until_empty(address, self._open[address])
        finally:
            del self._open[address]
        if not over:
            self._dispatch.offer([Lane(address, priority=9)])

    async def _until_empty(self, address: str, event: asyncio.Event) -> bool:
        end = time.monotonic() + LONGEST
        while time.monotonic() < end:
            if not await self._came_free(address, URGENT, end - time.monotonic()):
                return False
            event.clear()
            begun = await guarded(lambda: self._attempts.begin(address))
            if begun:
                continue
            if self._attempts.short(address):  # what is due, and not urgent, waits for a place
                if not await self._came_free(address, URGENT + 1, end - time.monotonic(), event):
                    return False
                continue
            if not self._attempts.to(address) and not event.is_set():
                return True
            await _set(event, end - time.monotonic())
        return False

    async def _came_free(self, address: str, priority: int, seconds: float, event: asyncio.Event | None = None) -> bool:
        """Whether there is room here in time, or `event` came; meanwhile another node may have the lane, if it has some."""

        async def room() -> None:
            while self._attempts.short(address, priority) and not (event is not None and event.is_set()):
                await self._attempts.room()

        if not self._attempts.short(address, priority):
            return True
        self._pass_on([Lane(address, priority=9)])
        return await _ends(room(), seconds)


async def _set(event: asyncio.Event, seconds: float) -> None:
    await _ends(event.wait(), seconds)


async def _ends(wait: Awaitable[object], seconds: float) -> bool:
    """Whether something is over in time."""
    try:
        async with asyncio.timeout(max(seconds, 0)):
            await wait
    except TimeoutError:
        return False
    return True
