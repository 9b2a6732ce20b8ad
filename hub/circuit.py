"""Who is left alone just now: partners that are down, whose open circuit slows nobody else, and who asks too often."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.retry import Backoff, growing


@dataclass(slots=True)
class _Line:
    failures: int = 0
    closed_until: datetime | None = None


class Circuits:
    """One circuit per address, in memory: after a restart every partner gets a fresh try."""

    def __init__(self, failures: int, backoff: Backoff) -> None:
        self._limit = failures
        self._backoff = backoff
        self._lines: dict[str, _Line] = {}

    def failed(self, address: str, now: datetime, fraction: float) -> bool:
        """Notes a try that did not reach `address`; true when this opens (or keeps open) its circuit."""
        line = self._lines.setdefault(address, _Line())
        line.failures += 1
        if line.failures < self._limit:
            return False
        wait = growing(line.failures - self._limit + 1, self._backoff)
        line.closed_until = now + wait * (1 + self._backoff.jitter * fraction)
        return True

    def reached(self, address: str) -> None:
        """The address answered, whatever it said: its circuit closes."""
        self._lines.pop(address, None)

    def failures(self, address: str) -> int:
        """Tries in a row that did not reach `address`."""
        line = self._lines.get(address)
        return line.failures if line else 0

    def open_addresses(self, now: datetime) -> frozenset[str]:
        """Addresses that are left alone until their time; after it one try is let through (half open)."""
        longest = now + self._backoff.longest * (1 + self._backoff.jitter)  # beyond it, the clock was another
        closed = ((address, line.closed_until) for address, line in self._lines.items())
        return frozenset(address for address, until in closed if until and now < until <= longest)

    def probing(self) -> frozenset[str]:
        """Addresses with a circuit that has opened and not closed since: one try at a time is enough for them."""
        return frozenset(a for a, line in self._lines.items() if line.closed_until)


class Askers:
    """How often each asker has asked in its last minute, in memory: known parties, and a bounded number of addresses."""

    MOST = 10_000  #: that are remembered at once

    def __init__(self) -> None:
        self._minutes: dict[str, tuple[datetime, int]] = {}

    def another(self, asker: str, now: datetime) -> int:
        """Notes one more question; which one it is of this asker's minute, from 1."""
        begun, count = self._minutes.get(asker, (now, 0))
        if not timedelta(0) <= now - begun < timedelta(minutes=1):
            begun, count = now, 0
        if len(self._minutes) >= self.MOST:  # those of minutes that are over; where none is, all begin anew
            kept = {a: m for a, m in self._minutes.items() if timedelta(0) <= now - m[0] < timedelta(minutes=1)}
            self._minutes = kept if len(kept) < self.MOST else {}
        self._minutes[asker] = begun, count + 1
        return count + 1


def half_open_limit(address: str, circuits: Circuits, per_partner: int) -> int:
    """How many tries at once `address` may get."""
    return 1 if address in circuits.probing() else per_partner
