"""Whether the clock on the wall may be trusted now: it may have been set, or the machine may have slept.

A jump is found by comparing it with the monotonic clock. Until the new time has stood for a while nothing is ended by it:
nothing expires, is given up, counts as overdue or is purged. What is sent, and what is written of time, follows the wall.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.ports import Clock

#: Clocks that differ by no more than this since they were last set side by side have not jumped: they are only drawn nearer.
JUMP = timedelta(seconds=30)
#: A new time that has stood for so long is believed. They are set side by side anew as often.
STANDS = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Steady:
    """It may end things."""


@dataclass(frozen=True, slots=True)
class Jumped:
    """It may not, yet."""

    by: timedelta  #: on, or back where it is negative
    at: datetime  #: what it told just after
    since: float  #: the same moment, by the monotonic clock

    def left(self, monotonic: float) -> timedelta:
        """How long it has to stand yet."""
        return max(STANDS - timedelta(seconds=monotonic - self.since), timedelta(0))


@dataclass(frozen=True, slots=True)
class Reading:
    """Both clocks at one moment, and the last jump before it."""

    wall: datetime
    monotonic: float
    jumped: Jumped | None = None


def compared(before: Reading, wall: datetime, monotonic: float) -> Reading:
    """What is to be remembered when both clocks are read again; its `jumped` is new where this reading has found it."""
    ahead = (wall - before.wall) - timedelta(seconds=monotonic - before.monotonic)
    if abs(ahead) > JUMP:
        return Reading(wall, monotonic, Jumped(ahead, wall, monotonic))
    if monotonic - before.monotonic >= STANDS.total_seconds():
        return Reading(wall, monotonic, before.jumped)
    return before


def judged(reading: Reading, monotonic: float) -> Steady | Jumped:
    """Whether the wall clock is trusted, by the last reading."""
    jumped = reading.jumped
    return jumped if jumped is not None and jumped.left(monotonic) else Steady()


class ClockWatch:
    """Remembers the readings of one process; whoever is about to end something asks, and each time both clocks are read."""

    def __init__(self) -> None:
        self._reading: Reading | None = None
        self._untold: list[Jumped] = []

    def now(self, clock: Clock) -> Steady | Jumped:
        """Whether the time that `clock` tells may end something."""
        wall, monotonic = clock.now(), clock.monotonic()
        before = self._reading or Reading(wall, monotonic)
        self._reading = compared(before, wall, monotonic)
        if self._reading.jumped is not None and self._reading.jumped is not before.jumped:
            self._untold.append(self._reading.jumped)
        return judged(self._reading, monotonic)

    def untold(self) -> tuple[Jumped, ...]:
        """Jumps that nobody has been told of, in order."""
        return tuple(self._untold)

    def told(self, jumps: tuple[Jumped, ...]) -> None:
        """These have been."""
        self._untold = [one for one in self._untold if one not in jumps]
