"""Who is left alone just now: partners that are down, whose open circuit slows nobody else, and who asks too often."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from hub.events import Entry, Event
from hub.formats import address as addresses
from hub.neighbours import Neighbours
from hub.ports import CircuitRecord, Store
from hub.retry import Backoff, growing

What = Literal["opened", "probed", "closed"]


@dataclass(slots=True)
class _Line:
    failures: int = 0
    closed_until: datetime | None = None
    since: datetime | None = None
    cause: str = ""


class Circuits:
    """One circuit per address. Those that have opened are kept in the store too: every node knows them, and a person.

    What changes is remembered here until `share` has told it, so that nothing waits for it.
    """

    def __init__(self, failures: int, backoff: Backoff) -> None:
        self._limit = failures
        self._backoff = backoff
        self._lines: dict[str, _Line] = {}
        self._untold: dict[str, What] = {}
        self.neighbours = Neighbours()

    def failed(self, address: str, now: datetime, fraction: float, cause: str = "") -> bool:
        """Notes a try that did not reach `address`; true when this opens (or keeps open) its circuit."""
        self.neighbours.missed(address)
        line = self._lines.setdefault(address, _Line())
        line.failures += 1
        if line.failures < self._limit:
            return False
        wait = growing(line.failures - self._limit + 1, self._backoff)
        opened = line.since is None
        line.closed_until = now + wait * (1 + self._backoff.jitter * fraction)
        line.since, line.cause = line.since or now, cause
        if opened or self._untold.get(address) != "opened":
            self._untold[address] = "opened" if opened else "probed"
        return True

    def reached(self, address: str, now: datetime) -> None:
        """The address answered, whatever it said: its circuit closes."""
        self.neighbours.answered(address, now)
        line = self._lines.pop(address, None)
        if line is not None and line.closed_until is not None:
            if self._untold.get(address) == "opened":
                del self._untold[address]
            else:
                self._untold[address] = "closed"

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

    # --- what the store has of it

    def untold(self) -> dict[str, What]:
        """What has happened to circuits that the store does not know yet."""
        return dict(self._untold)

    def told(self, what: Mapping[str, What]) -> None:
        """The store knows it; what happened meanwhile is still to be told."""
        self._untold = {a: now for a, now in self._untold.items() if what.get(a) != now}

    def record(self, address: str) -> CircuitRecord | None:
        """One that has opened."""
        line = self._lines.get(address)
        if line is None or line.closed_until is None or line.since is None:
            return None
        return CircuitRecord(address, line.failures, line.since, line.closed_until, line.cause)

    def adopt(self, records: Iterable[CircuitRecord]) -> bool:
        """Takes over what the store has; true when a circuit has been closed by somebody else.

        What happened here since, and is not told yet, counts for more.
        """
        known = {one.address: one for one in records}
        gone = [a for a, line in self._lines.items() if line.closed_until and a not in known and a not in self._untold]
        for address in gone:
            del self._lines[address]
            self.neighbours.forget(address)
        for address, one in known.items():
            if address not in self._untold:
                if address not in self._lines:
                    self.neighbours.missed(address)
                self._lines[address] = _Line(one.failures, one.until, one.since, one.cause)
        return bool(gone)


async def share(circuits: Circuits, store: Store, now: datetime) -> bool:
    """Tells the store what has changed, and takes over what others have found; true when somebody closed a circuit."""
    if what := circuits.untold():
        kept = [one for a, did in what.items() if did != "closed" and (one := circuits.record(a)) is not None]
        closed = [a for a, did in what.items() if did == "closed"]
        await store.keep_circuits(kept, closed, _journal(what, kept, now))
        circuits.told(what)
    return circuits.adopt(await store.circuits())


def _journal(what: Mapping[str, What], kept: Sequence[CircuitRecord], now: datetime) -> list[Entry]:
    """Probes in vain are not journaled: they stand in the journals of the messages that they were made with."""
    told = [_entry(one.since, "circuit-opened", _opened(one)) for one in kept if what[one.address] == "opened"]
    closed = (addresses.shown(a) for a, did in what.items() if did == "closed")
    return told + [_entry(now, "circuit-closed", f"{one}: it answers again") for one in closed]


def _opened(one: CircuitRecord) -> str:
    tries = f"{one.failures} tries in a row did not reach it"
    return f"{addresses.shown(one.address)}: {tries} ({one.cause}); probed at {one.until.isoformat(timespec='seconds')}"


def _entry(at: datetime, code: str, because: str) -> Entry:
    return Entry(at, Event.CIRCUIT, code, because)


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
