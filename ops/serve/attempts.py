"""Attempts under way on this node: claims what is due, tries each beside the others, keeps their leases alive.

What each of them takes a place of, and who gets one, is said in hub.neighbours.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hub import delivery
from hub.circuit import Circuits
from hub.kit import Kit
from hub.message import Channel, Claimed
from hub.neighbours import URGENT, Limits, Place, Room, Standing, Use, may_leave
from hub.ports import Sender
from ops.serve import process
from ops.serve.leases import LeaseClock
from ops.serve.unforeseen import guarded

#: After a search among all addresses that was in vain, none is made for so many seconds: new messages are found without.
SEARCH = 1.0


@dataclass(slots=True)
class _UnderWay:
    claimed: Claimed
    place: Place
    since: datetime
    slow: asyncio.TimerHandle

    @property
    def address(self) -> str:
        return self.claimed.delivery.address


class Attempts:
    """What this node tries just now. `ended` is told the address of each attempt that is over, or hangs."""

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
        self._limits = Limits.of(kit.settings, process.open_files())
        self._tasks: dict[asyncio.Task[None], _UnderWay] = {}
        self._use = Use()  #: with what the store is being asked for, where it is known for whom
        self._under_way: Counter[str] = Counter()
        self._holding: Counter[str] = Counter()  #: those that do not hang
        self._asked_for = 0  #: places kept for what the store is being asked for, whoever it is for
        self._search_after = kit.clock.monotonic()  #: by the monotonic clock
        self._changed = asyncio.Event()  #: there may be room

    def to(self, address: str) -> int:
        """How many are under way to one address, those that hang left out."""
        return self._holding[address]

    @property
    def full(self) -> bool:
        """Whether this node has as much under way as it may."""
        return self._free <= 0

    @property
    def _free(self) -> int:
        return self._limits.at_once - self._use.at_once - self._asked_for

    def few(self, lanes: int) -> bool:
        """Whether this node, which works on so many lanes, has so little under way that it need not look for help."""
        return max(self._use.at_once, lanes) < self._limits.at_once // 4

    def short(self, address: str, priority: int = URGENT + 1) -> bool:
        """Whether it is for want of room here that nothing more of this priority is begun to this address.

        Who is doubtful is not waited for: its turn comes with the next sweep.
        """
        if self._under_way[address] >= self._limits.per_address:
            return False
        room = self._room()
        if room.standing(address) is Standing.DOUBTFUL:
            return False
        return self.full or not room.how_many(address, priority, 1)

    async def room(self) -> None:
        """Waits until there may be more room than there was."""
        self._changed.clear()
        await self._changed.wait()

    def look_again(self) -> None:
        """Whoever waits for room looks again."""
        self._changed.set()

    def _room(self) -> Room:
        thorough = self._kit.clock.monotonic() >= self._search_after
        return Room(self._use, self._limits, self._circuits.neighbours, self._kit.clock.now(), thorough=thorough)

    async def begin(self, only: str | None = None) -> int:
        """Takes up what is due, of one address or of all, and fits beside what is under way; how many attempts were begun."""
        now = self._kit.clock.now()
        resting = self._circuits.open_addresses(now)
        if self.full or only in resting or not self._leases.sure:
            return 0
        room = self._room()
        with self._kept(room, only) as most:
            due = await self._claimed(now, most, resting, room, only) if most else []
        if room.in_vain:
            self._search_after = self._kit.clock.monotonic() + SEARCH
        for claimed in due:
            self._start(claimed, room.place(claimed.delivery.address, claimed.delivery.priority))
        return len(due)

    @contextmanager
    def _kept(self, room: Room, only: str | None) -> Iterator[int]:
        """While the store is asked, what it may give has its places: others that ask meanwhile get none of them."""
        places: list[Place] = []
        if only is None:
            most = self._free
            self._asked_for += most
        else:
            most = min(self._free, self._limits.per_address)
            places = room.how_many(only, URGENT + 1, most) or room.how_many(only, URGENT, most)
            most = len(places)
        for place in places:
            self._use.add(place)
        try:
            yield most
        finally:
            self._asked_for -= most if only is None else 0
            for place in places:
                self._use.end(place)
            self._changed.set()

    async def _claimed(
        self, now: datetime, most: int, resting: frozenset[str], room: Room, only: str | None
    ) -> list[Claimed]:
        return await self._kit.store.claim(
            now,
            most,
            timedelta(seconds=self._kit.settings.lease_seconds),
            resting,
            self._limits.per_address,
            single=self._circuits.probing(),
            only=frozenset((only,)) if only is not None else None,
            by=self._leases.now(),
            room=room,
        )

    def _start(self, claimed: Claimed, place: Place) -> None:
        address = claimed.delivery.address
        self._under_way[address] += 1
        self._holding[address] += 1
        self._use.add(place)
        task = asyncio.create_task(self._attempt(claimed))
        slow = asyncio.get_running_loop().call_later(self._kit.settings.slow_seconds, self._hangs, task)
        self._tasks[task] = _UnderWay(claimed, place, self._kit.clock.now(), slow)
        task.add_done_callback(self._ended)

    async def _attempt(self, claimed: Claimed) -> None:
        async def attempt() -> None:
            await delivery.attempt(claimed, self._kit.present(), self._senders, self._circuits)

        await guarded(attempt, delivery=claimed.delivery.id)

    def _hangs(self, task: asyncio.Task[None]) -> None:
        """It has had no answer for long: its place goes to others, and its address is doubtful until something answers."""
        if (one := self._tasks.get(task)) is None:
            return
        self._circuits.neighbours.missed(one.address, one.since)
        if may_leave(self._use, one.place, self._limits):
            self._use.end(one.place)
            one.place = replace(one.place, hanging=True)
            self._use.add(one.place)
            self._holding[one.address] -= 1
            self._changed.set()
            self._told(one.address)

    def _ended(self, task: asyncio.Task[None]) -> None:
        one = self._tasks.pop(task)
        one.slow.cancel()
        self._use.end(one.place)
        for counted in (self._under_way, *(() if one.place.hanging else (self._holding,))):
            counted[one.address] -= 1
        if not self._under_way[one.address]:
            del self._under_way[one.address], self._holding[one.address]
        self._changed.set()
        self._told(one.address)

    async def keep_alive(self) -> None:
        """Lengthens the leases of all that is under way: only what a dead node has claimed is given to another."""
        await self._leases.compared()
        if self._tasks:
            ids = [one.claimed.delivery.id for one in self._tasks.values()]
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
