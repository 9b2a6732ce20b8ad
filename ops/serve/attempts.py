"""Attempts under way on this node: claims what is due, tries each beside the others, keeps their leases alive."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta

from hub import delivery
from hub.circuit import Circuits
from hub.kit import Kit
from hub.message import Channel, Claimed
from hub.ports import Sender
from ops.serve.leases import LeaseClock
from ops.serve.unforeseen import guarded


class Attempts:
    """What this node tries just now. `ended` is told the address of each attempt that is over."""

    def __init__(
        self,
        kit: Kit,
        senders: Mapping[Channel, Sender],
        circuits: Circuits,
        ended: Callable[[str], None],
        leases: LeaseClock,
    ) -> None:
        self._kit, self._senders, self._circuits, self._told = kit, senders, circuits, ended
        self._leases = leases
        self._tasks: dict[asyncio.Task[None], Claimed] = {}
        self._under_way: Counter[str] = Counter()
        self._asked_for = 0  #: places kept for what the store is being asked for
        self._changed = asyncio.Event()  #: there may be room

    def to(self, address: str) -> int:
        """How many are under way to one address."""
        return self._under_way[address]

    @property
    def full(self) -> bool:
        """Whether this node has as much under way as it may."""
        return self._free <= 0

    @property
    def _free(self) -> int:
        return self._kit.settings.at_once - len(self._tasks) - self._asked_for

    def few(self, lanes: int) -> bool:
        """Whether this node, which works on so many lanes, has so little under way that it need not look for help."""
        return max(len(self._tasks), lanes) < self._kit.settings.at_once // 4

    def short(self, address: str) -> bool:
        """Whether it is for want of room here that nothing more to this address is begun."""
        return self.full and self._under_way[address] < self._kit.settings.per_partner

    async def room(self) -> None:
        """Waits while this node has as much under way as it may."""
        while self.full:
            self._changed.clear()
            await self._changed.wait()

    async def begin(self, only: frozenset[str] | None = None) -> int:
        """Takes up what is due and fits beside what is under way; returns how many attempts were begun."""
        s, now = self._kit.settings, self._kit.clock.now()
        resting = self._circuits.open_addresses(now)
        if self.full or (only is not None and only <= resting) or not self._leases.sure:
            return 0
        most = self._free if only is None else min(self._free, s.per_partner * len(only))
        lease = timedelta(seconds=s.lease_seconds)
        self._asked_for += most
        try:
            due = await self._kit.store.claim(
                now,
                most,
                lease,
                resting,
                s.per_partner,
                single=self._circuits.probing(),
                only=only,
                by=self._leases.now(),
            )
        finally:
            self._asked_for -= most
            self._changed.set()
        for claimed in due:
            self._start(claimed)
        return len(due)

    def _start(self, claimed: Claimed) -> None:
        self._under_way[claimed.delivery.address] += 1
        task = asyncio.create_task(self._attempt(claimed))
        self._tasks[task] = claimed
        task.add_done_callback(self._ended)

    async def _attempt(self, claimed: Claimed) -> None:
        async def attempt() -> None:
            await delivery.attempt(claimed, self._kit.present(), self._senders, self._circuits)

        await guarded(attempt, delivery=claimed.delivery.id)

    def _ended(self, task: asyncio.Task[None]) -> None:
        address = self._tasks.pop(task).delivery.address
        self._under_way[address] -= 1
        if not self._under_way[address]:
            del self._under_way[address]
        self._changed.set()
        self._told(address)

    async def keep_alive(self) -> None:
        """Lengthens the leases of all that is under way: only what a dead node has claimed is given to another."""
        await self._leases.compared()
        if self._tasks:
            ids = [claimed.delivery.id for claimed in self._tasks.values()]
            until = self._leases.now() + timedelta(seconds=self._kit.settings.lease_seconds)
            await self._kit.store.extend(ids, until)

    async def drain(self) -> None:
        """Waits until no attempt is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self, patience: float) -> None:
        """Attempts have so many seconds to end; those that do not are tried again after their lease."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience)
        left = list(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
