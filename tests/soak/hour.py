"""One hour, or less: traffic both ways that never gives up, faults thrown one after another, and a count whenever it is quiet."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ops.partner.handles import Pki
from tests.soak.throws import MOVE_THE_CLOCK, THROWN, Thrown
from tests.support.site import DOCTOR, NURSING, PHYSIO, Count, Here, HubProcess, MovedClock, Remote, site
from tests.support.steady import PAUSE

#: How long nothing new may be seen before what is missing is taken for lost, in seconds: longer than any fault lasts.
PATIENCE = 180.0
#: So many documents may be under way before those who send wait a little: the promises are tried here, not the machine.
MOST = 15
#: Faults between two counts.
HAND = 25
#: A hub looks around less often than in shorter tests.
WORK = {"poll_seconds": 0.2, "watch_seconds": 1.0, "sweep_seconds": 0.3}
#: Longer than any clock jumps here, as real agreements are: what is promised while it is wrong is not over when it is right.
PATIENT = {"persist_duration_seconds": 7 * 86_400}
#: Deliveries that stand here are on their way, and nobody's turn: when all has come, none is left.
LIMBO = ("waiting", "sent", "available", "acknowledged")
#: A hub of this size, at this load, takes no more: in bytes, and so many for each document, some of which are 200 kB large.
MEMORY, DISK = 400_000_000, 200_000


@dataclass
class Found:
    """What a run counted."""

    seed: str
    seconds: float = 0.0
    times: dict[str, int] = field(default_factory=dict)  #: fault → how often it was thrown
    seen: dict[str, int] = field(default_factory=dict)  #: fault → what was counted while it lasted
    broken: dict[int, list[str]] = field(default_factory=lambda: {1: [], 2: [], 3: []})  #: promise → what did not hold
    counted: Count | None = None  #: the last, of everything
    offered: int = 0  #: documents that were handed over, acknowledged or not
    receipts: int = 0  #: Acknowledgments that partners got
    limbo: int = 0  #: deliveries on their way when all was quiet
    deaths: int = 0
    memory: list[int] = field(default_factory=list)  #: bytes of the hub's process, at each count
    disk: list[int] = field(default_factory=list)  #: bytes of the store, at each count

    @property
    def wrong(self) -> list[str]:
        """Everything that did not hold."""
        return [line for lines in self.broken.values() for line in lines]


class Hour:
    """What a fault holds in its hands."""

    def __init__(self, here: Here, hub: HubProcess, dice: random.Random, found: Found) -> None:
        self.here, self.hub, self.dice, self.found = here, hub, dice, found
        self.good, self.odd, self.mailing = here.partners
        self._open = asyncio.Event()
        self._going, self._busy = True, 0
        self._pace, self._listed = 2.0, 0

    # --- traffic

    def actors(self) -> list[Callable[[], Awaitable[Any]]]:
        """All that goes on, one call a document; each insists until it is taken."""
        here, dice = self.here, self.dice
        remote = lambda: dice.choice(here.partners)  # noqa: E731
        home = lambda: dice.choice((DOCTOR, NURSING, PHYSIO))  # noqa: E731
        return [
            lambda: here.doctor.hand_over(remote(), dice.choice(("henvisning", "dialog-helsefaglig"))),
            lambda: here.nursing.hand_over(dice.choice((DOCTOR, PHYSIO, self.good)), padding=dice.choice((0, 200_000))),
            lambda: here.physio.hand_over(dice.choice((DOCTOR, self.good, self.odd))),
            lambda: self.good.sends(home()),
            lambda: self.odd.sends(home()),
            lambda: self.mailing.sends(home()),
        ]

    @asynccontextmanager
    async def traffic(self, pace: float) -> AsyncIterator[None]:
        """Each actor hands over about every `pace` seconds while this is open; then none is left half done."""
        self._pace = pace
        self._open.set()
        tasks = [asyncio.create_task(self._goes_on(act)) for act in self.actors()]
        try:
            yield
            self._going = False
            self._open.set()
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _goes_on(self, act: Callable[[], Awaitable[Any]]) -> None:
        while self._going:
            await asyncio.sleep(self._pace * self.dice.uniform(0.5, 1.5))
            while self.under_way() > MOST and self._going:
                await asyncio.sleep(10 * PAUSE)
            await self._open.wait()
            self._busy += 1
            try:
                await act()
            finally:
                self._busy -= 1

    @asynccontextmanager
    async def quiet(self) -> AsyncIterator[Count]:
        """Nobody hands over anything, and all that was promised has come or stands on a list."""
        self._open.clear()
        try:
            await self.here.until(lambda: not self._busy, "what is being handed over", PATIENCE)
            yield await self.here.rest(PATIENCE)
        finally:
            self._open.set()

    # --- counting

    def under_way(self) -> int:
        """Documents that are promised and have not come yet."""
        counted = self.here.count()
        return counted.promised - counted.came - self._listed

    def breaks(self, promise: int, what: str) -> None:
        """A promise did not hold."""
        self.found.broken[promise].append(what)

    async def heal(self) -> None:
        """Whatever was thrown, everybody is well again."""
        for partner in self.here.partners:
            await partner.behaves("good")
        for system in self.here.systems.values():
            system.takes = True
        if not self.hub.alive:
            await self.hub.again()

    async def weigh(self) -> None:
        """Counts everything, and how much room it takes."""
        async with self.quiet():
            counted = await self.here.assert_all_accounted()
            await self._settled()
        found = self.found
        found.counted, found.deaths, self._listed = counted, self.hub.deaths, counted.listed
        ledger = self.here.ledger()
        found.offered = len(ledger.promised) + len(ledger.offered)
        found.receipts = sum(len(p.acknowledged_for) for p in self.here.partners)
        found.memory.append(memory(self.hub.pid))
        store = (
            self.here.written.folder / "data" / name for name in ("samhub.db", "samhub.db-wal")
        )  # not the copies of it
        found.disk.append(sum(file.stat().st_size for file in store if file.is_file()))
        if found.memory[-1] > MEMORY:
            self.breaks(3, f"the hub takes {found.memory[-1]} bytes of memory")
        if found.disk[-1] > DISK * max(500, 2 * counted.promised + counted.apprecs):
            self.breaks(3, f"the store takes {found.disk[-1]} bytes for {counted.promised} documents")

    async def _settled(self) -> None:
        """AppRecs and receipts of ours that are still on their way come home too; what does not is in limbo."""
        end = time.monotonic() + PATIENCE
        while (left := sum([await self.hub.standing(state) for state in LIMBO])) and time.monotonic() < end:
            await asyncio.sleep(10 * PAUSE)
        self.found.limbo = left
        if left:
            self.breaks(3, f"{left} deliveries are neither done nor on a list")


def memory(pid: int) -> int:
    """Resident bytes of a process, as Linux tells."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:")), 0)


async def lived(
    folder: Path,
    pki: Pki,
    *,
    seconds: float,
    seed: str,
    pace: float = 2.0,
    thrown: Sequence[Thrown] = THROWN,
    told: Callable[[str], None] = lambda _: None,
) -> Found:
    """Throws each fault once, and then again and again in any order until `seconds` have passed. AssertionError where a
    document is lost, doubled or changed.

    `seed` decides what is thrown when, and who writes to whom; how far each message had come is the machine's own.
    """
    dice, began, found = random.Random(seed), time.monotonic(), Found(seed)
    remotes = ["good", "good", Remote(by="mail")]
    quick: dict[str, Any] = {"ebxml_http": {"read_seconds": 1, "connect_seconds": 1}, "work": WORK, "hub": PATIENT}
    async with site(folder, pki, local=[NURSING, DOCTOR], folders=[PHYSIO], partners=remotes, **quick) as here:
        clock = MovedClock(folder / "clock", late=True) if any(one in MOVE_THE_CLOCK for one in thrown) else False
        hour = Hour(here, await here.hub(clock=clock), dice, found)
        async with hour.traffic(pace):
            while (hand := _hand(thrown, dice)) and (not found.times or time.monotonic() - began < seconds):
                for at, one in enumerate(hand):
                    if found.times.keys() >= {t.name for t in thrown} and time.monotonic() - began >= seconds:
                        break
                    told(f"{time.monotonic() - began:6.0f} s  {one.name}")
                    await _throw(one, hour)
                    if at % HAND == HAND - 1:
                        await hour.weigh()
                        told(f"{time.monotonic() - began:6.0f} s  {str(found.counted).splitlines()[0]}")
        await hour.weigh()
        found.seconds = time.monotonic() - began
    return found


def _hand(thrown: Sequence[Thrown], dice: random.Random) -> list[Thrown]:
    return dice.sample(thrown, len(thrown))


async def _throw(one: Thrown, hour: Hour) -> None:
    """Once, and all is well again after it."""
    try:
        counted = await one.throw(hour)
    finally:
        await hour.heal()
    hour.found.times[one.name] = hour.found.times.get(one.name, 0) + 1
    hour.found.seen[one.name] = hour.found.seen.get(one.name, 0) + counted
