"""Brings deliveries out and watches time: claims what is due, tries it, and never lets one partner slow the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import timedelta

from adapters.folder.receive import FolderDoor
from hub import follow_up
from hub.circuit import Circuits, share
from hub.kit import Kit
from hub.message import Channel
from hub.ports import Dispatch, Lane, Sender
from ops.config import WorkSettings
from ops.serve.attempts import Attempts
from ops.serve.duties import Duties, Work
from ops.serve.lanes import Lanes
from ops.serve.leases import LeaseClock
from ops.serve.unforeseen import guarded

#: So many lanes are looked at in one sweep.
LANES = 1_000
#: Who leads does so for this many of its own rounds after the last one; then another node may.
TERM = 3
#: Duties are not asked about more often than this, in seconds.
SHORTEST = 1.0
#: How often it is looked for times that are too far ahead, in seconds.
MEND = 60.0


class Worker:
    """All that a hub does by itself. Call `wake` when something new may be due.

    Alone, or without a broker, a node looks into the store for itself. With a dispatch that is connected it works on the
    lanes that it is offered; the node that leads offers what is due, so that nothing depends on what the broker keeps.
    """

    def __init__(
        self,
        kit: Kit,
        senders: Mapping[Channel, Sender],
        circuits: Circuits,
        folders: FolderDoor,
        work: WorkSettings,
        *,
        node: str = "",
        dispatch: Dispatch | None = None,
        duties: Duties,
        leases: LeaseClock,
    ) -> None:
        """`node` is this node's name among those that share the store; empty: nobody else does."""
        self._kit, self._folders, self._work, self._node = kit, folders, work, node
        self._duties = duties
        self._woken = asyncio.Event()
        self._leases = leases
        self._circuits = circuits
        self._attempts = Attempts(kit, senders, circuits, self._ended, leases)
        self._mended_at = 0.0  #: by the monotonic clock
        self._dispatch = dispatch
        self._lanes = Lanes(self._attempts, dispatch) if dispatch is not None else None

    @property
    def node(self) -> str:
        """This node's name among those that share the store; empty where nobody else does."""
        return self._node

    def wake(self) -> None:
        """Something new may be due: look now."""
        self._woken.set()

    def promised(self, lanes: list[Lane]) -> None:
        """Something is due for these addresses, on this node's word."""
        if self._lanes is not None:
            self._lanes.offer(lanes)
        if not self._spread:
            self.wake()

    @property
    def _spread(self) -> bool:
        return self._dispatch is not None and self._dispatch.connected

    async def run(self) -> None:
        """Until cancelled; attempts under way then have a moment to end, or are tried again after their lease."""
        await guarded(self._share_circuits)  # before anything is tried
        try:
            async with asyncio.TaskGroup() as group:
                for name, work in self._all_duties():
                    group.create_task(self._duties.kept(name, work), name=name)
        finally:
            await self._attempts.stop(self._work.stop_seconds)

    def _all_duties(self) -> Iterator[tuple[str, Work]]:
        work, lease = self._work, self._kit.settings.lease_seconds
        yield "clock", self._every(work.watch_seconds, self.compare_clocks)
        yield "deliver", self._deliver
        yield "watch", self._every(work.watch_seconds, self._led("watch", work.watch_seconds, self.watch))
        yield "folders", self._every(work.sweep_seconds, self._led("folders", work.sweep_seconds, self._sweep))
        yield "circuits", self._every(work.sweep_seconds, self._share_circuits)
        yield "leases", self._every(lease / 3, self._attempts.keep_alive)
        if self._lanes is not None and self._dispatch is not None:
            yield "lanes", self._lanes.serve
            put_up = self._led("lanes", work.sweep_seconds, self._put_up)
            yield "offers of what is due", self._every(work.sweep_seconds, self._if_spread(put_up))

    async def drain(self) -> None:
        """Waits until no attempt is under way."""
        await self._attempts.drain()

    def _ended(self, address: str) -> None:
        if self._lanes is None or not self._lanes.poke(address):
            self.wake()

    async def _deliver(self) -> None:
        while True:
            self._woken.clear()
            if self._spread or not await guarded(self._attempts.begin):
                await self._rest()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._work.poll_seconds):
                await self._woken.wait()
        except TimeoutError:
            return

    async def compare_clocks(self) -> None:
        """Tells of a clock that has jumped, and mends what it had set too far ahead: at the start, then, and once a minute."""
        jumped, now = await follow_up.compare_clocks(self._kit), self._kit.clock.monotonic()
        if jumped or not self._mended_at or now - self._mended_at > MEND:
            if await follow_up.pull_back(self._kit, self._leases.now()):
                self.wake()
            self._mended_at = now

    async def _share_circuits(self) -> None:
        """What this node has found out of its neighbours is told to the others, and theirs is heard."""
        if await share(self._circuits, self._kit.store, self._kit.clock.now()):
            self.wake()

    async def watch(self) -> None:
        """Judges again what could not be judged, and looks for AppRecs that are missing."""
        await guarded(lambda: follow_up.judge_again(self._kit.present()))
        await guarded(lambda: follow_up.watch(self._kit.present()))

    async def _sweep(self) -> None:
        if await self._folders.sweep(list(self._kit.directory.systems())):
            self.wake()

    async def _put_up(self) -> None:
        """Offers every lane in which something is due: retries whose time has come, and what an emptied broker lost.

        In no order: a broker gives to each node in turn, and one lane would come to the same, full one every time.
        """
        if self._lanes is not None:
            found = await self._kit.store.lanes(self._kit.clock.now(), LANES)
            self._lanes.sweep(sorted(found, key=lambda _: self._kit.dice.fraction()))

    def _if_spread(self, work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Left to others, the lead as well, while this node cannot reach them."""

        async def if_reached() -> None:
            if self._spread:
                await work()

        return if_reached

    def _led(self, duty: str, seconds: float, work: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """The same work, done by one of the nodes at a time."""
        if not self._node:
            return work
        term = timedelta(seconds=TERM * max(seconds, SHORTEST))
        ours_until = self._leases.now()

        async def if_ours() -> None:
            nonlocal ours_until
            now = self._leases.now()
            if ours_until - now < term * 2 / 3:
                ours = await self._kit.store.lead(duty, self._node, now, term)
                ours_until = now + term if ours else now
            if ours_until > now:
                await work()

        return if_ours

    def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> Work:
        async def every() -> None:
            while True:
                await guarded(work)
                await asyncio.sleep(seconds)

        return every
