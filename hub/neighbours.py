"""Whom the places of a node go to: who hangs, or has not answered lately, takes none from those who do.

Whatever is tried takes a place of its address, of its host and of its kind. A host with a thousand paths is one neighbour,
and so is the relay that all mail goes through. The rules are plain functions of what is under way; nothing here waits.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache

from hub.settings import Settings

#: Who has answered within this time is known to answer.
LATELY = timedelta(minutes=1)
#: Priorities from 0 to this one are urgent.
URGENT = 1
#: So many tries in a row that missed a host, whatever the path, make all of its paths doubtful.
MANY = 4
#: Addresses that are remembered at once; beyond it those that are well and quiet are forgotten.
MOST = 20_000


class Standing(StrEnum):
    """What is to be expected of an address."""

    ANSWERING = "answering"  #: it has answered lately, or it is one of our own systems
    NEW = "new"  #: it has not answered lately, and has done no harm
    DOUBTFUL = "doubtful"  #: it hung or failed since it last answered: it is probed


class Kind(StrEnum):
    """What an attempt is for."""

    ORDINARY = "ordinary"
    URGENT = "urgent"
    LOCAL = "local"  #: to a record system of our own


@lru_cache(MOST)
def host(address: str) -> str:
    """The neighbour behind an address: a web server, the mail relay, the broker of the bus, a record system of our own.

    A question on the bus waits for who answers it, not for the broker: each queue is a neighbour of its own.
    """
    scheme, colon, rest = address.partition(":")
    scheme = scheme.lower()
    if colon and scheme in ("http", "https", "amqp", "amqps"):
        server = rest.lstrip("/").partition("/")[0].partition("?")[0].rpartition("@")[2].lower()
        return f"{scheme}:{server}"
    return "mailto:" if scheme == "mailto" and colon else address


@lru_cache(MOST)
def is_local(address: str) -> bool:
    """Whether it is a folder or queue of a record system: these have no scheme."""
    return address.partition(":")[0].lower() not in ("http", "https", "mailto", "amqp", "amqps", "amqp+sync")


@dataclass(frozen=True, slots=True)
class Limits:
    """How many places there are; from the settings."""

    at_once: int
    per_address: int
    per_host: int
    hanging: int  #: that hang at once, beside all others

    @classmethod
    def of(cls, settings: Settings, files: int) -> Limits:
        """`files` is how many files and connections the process may have open: hanging ones get half of them at most."""
        hanging = min(settings.hanging_at_once, files // 2)
        return cls(settings.at_once, settings.per_partner, settings.per_host, hanging)

    @property
    def reserve(self) -> int:
        """Places that only urgent messages get, and as many that only local systems get."""
        return self.at_once // 8

    @property
    def doubtful(self) -> int:
        """Probes under way at once that do not hang yet."""
        return max(1, self.at_once // 16)

    def new(self, hanging: int) -> int:
        """How many that have not answered lately are tried at once: the fewer the more hang already."""
        return max(1, self.at_once // 16, self.at_once // 2 - hanging)


@dataclass(frozen=True, slots=True)
class Place:
    """What one attempt takes."""

    address: str
    host: str
    kind: Kind
    standing: Standing
    hanging: bool = False  #: it has been under way for long without an answer

    @property
    def reserved(self) -> Kind:
        """Whose reserve it may use: that of its kind, if it is known to answer."""
        return self.kind if self.standing is Standing.ANSWERING else Kind.ORDINARY


@dataclass
class Use:
    """What is under way, counted as the rules ask. Those that hang have given their places back, and are counted apart."""

    kinds: Counter[Kind] = field(default_factory=Counter)  #: by whose reserve they may use
    new: int = 0
    doubtful: int = 0
    hanging: int = 0
    probes_hanging: int = 0
    to: Counter[str] = field(default_factory=Counter)  #: by address; those that hang too
    answering_at: Counter[str] = field(default_factory=Counter)  #: by host
    others_at: Counter[str] = field(default_factory=Counter)  #: by host; those that hang too

    @property
    def at_once(self) -> int:
        """All that hold a place."""
        return self.kinds.total()

    def copy(self) -> Use:
        """The same, to count on."""
        return replace(
            self,
            kinds=self.kinds.copy(),
            to=self.to.copy(),
            answering_at=self.answering_at.copy(),
            others_at=self.others_at.copy(),
        )

    def add(self, place: Place, by: int = 1) -> None:
        """It begins; `by` -1: it ends."""
        answering = place.standing is Standing.ANSWERING and not place.hanging
        for counted, name in (
            (self.to, place.address),
            (self.answering_at if answering else self.others_at, place.host),
        ):
            counted[name] += by
            if not counted[name]:
                del counted[name]
        if place.hanging:
            self.hanging += by
            self.probes_hanging += by * (place.standing is Standing.DOUBTFUL)
            return
        self.kinds[place.reserved] += by
        self.new += by * (place.standing is Standing.NEW)
        self.doubtful += by * (place.standing is Standing.DOUBTFUL)

    def end(self, place: Place) -> None:
        """It is over."""
        self.add(place, -1)


def fits(use: Use, place: Place, limits: Limits, to: int, at_host: int) -> bool:
    """Whether an attempt may begin beside what is under way; how many may go `to` its address, and to its host."""
    there = use.answering_at if place.standing is Standing.ANSWERING else use.others_at
    near = use.to[place.address] < to and there[place.host] < at_host
    return near and _left(use, place, limits) > 0 and _of_all(use, place, limits)


def _left(use: Use, place: Place, limits: Limits) -> int:
    """Places left for those of its standing."""
    if place.standing is Standing.NEW:
        urgent = limits.reserve // 2 if place.kind is Kind.URGENT else 0
        return limits.new(use.hanging) + urgent - use.new
    if place.standing is Standing.DOUBTFUL:
        return limits.doubtful - use.doubtful
    return 1


def _of_all(use: Use, place: Place, limits: Limits) -> bool:
    """Whether one of all places is left, in the reserve of its kind or outside of both reserves."""
    kind, reserve = place.reserved, limits.reserve
    if kind is not Kind.ORDINARY and use.kinds[kind] < reserve:
        return True
    in_reserves = sum(min(use.kinds[one], reserve) for one in (Kind.URGENT, Kind.LOCAL))
    return use.at_once - in_reserves < limits.at_once - 2 * reserve


def may_leave(use: Use, place: Place, limits: Limits) -> bool:
    """Whether one that hangs may give its place back: probes fill no more than half of what may hang."""
    probe = place.standing is Standing.DOUBTFUL
    return use.hanging < limits.hanging and not (probe and use.probes_hanging >= limits.hanging // 2)


@dataclass(slots=True)
class _Line:
    answered_at: datetime | None = None
    missed: int = 0  #: tries since then that hung or failed

    def lately(self, now: datetime) -> bool:
        return self.answered_at is not None and timedelta(0) <= now - self.answered_at < LATELY


_UNKNOWN = _Line()


class Neighbours:
    """Who has answered lately, and who has not, in memory: by address, and by host."""

    def __init__(self) -> None:
        self._addresses: dict[str, _Line] = {}
        self._hosts: dict[str, _Line] = {}

    def answered(self, address: str, now: datetime) -> None:
        """It said something, whatever it was."""
        for lines, name in ((self._addresses, address), (self._hosts, host(address))):
            if len(lines) >= MOST:
                self._forget_the_quiet(lines, now)
            lines[name] = _Line(now)

    def missed(self, address: str, since: datetime | None = None) -> None:
        """A try failed, or hangs that began at `since`: then an answer meanwhile, to another, counts for more."""
        for lines, name in ((self._addresses, address), (self._hosts, host(address))):
            line = lines.setdefault(name, _Line())
            if since is None or line.answered_at is None or line.answered_at < since:
                line.missed += 1

    def forget(self, address: str) -> None:
        """Nothing is held against it any more."""
        self._addresses.pop(address, None)
        self._hosts.pop(host(address), None)

    def standing(self, address: str, now: datetime) -> Standing:
        """What is to be expected of it; a path that answers is not judged by others of its host, until many have missed."""
        own, server = self._addresses.get(address, _UNKNOWN), self._hosts.get(host(address), _UNKNOWN)
        if own.missed or server.missed >= MANY:
            return Standing.DOUBTFUL
        if own.lately(now) or is_local(address):
            return Standing.ANSWERING
        return Standing.DOUBTFUL if server.missed else Standing.NEW

    def at_address(self, address: str, now: datetime, limits: Limits) -> int:
        """How many at once this node may try: one, until it has answered here."""
        well = self._addresses.get(address, _UNKNOWN).lately(now) or is_local(address)
        return limits.per_address if well else 1

    def at_host(self, name: str, now: datetime, limits: Limits) -> int:
        """How many at once a host may have."""
        line = self._hosts.get(name, _UNKNOWN)
        return limits.per_host if line.lately(now) and not line.missed else min(limits.per_host, limits.per_address)

    @staticmethod
    def _forget_the_quiet(lines: dict[str, _Line], now: datetime) -> None:
        for name in [name for name, line in lines.items() if not line.missed and not line.lately(now)]:
            del lines[name]


class Room:
    """What one claim may take; `use` is what is under way, with what the claim has taken already.

    Only a thorough claim looks at every address that something is due for, where the oldest and the newest of all that is
    due have no place; it says whether that was in vain.
    """

    def __init__(
        self, use: Use, limits: Limits, neighbours: Neighbours, now: datetime, *, thorough: bool = True
    ) -> None:
        self.use, self.limits, self.thorough, self.in_vain = use.copy(), limits, thorough, False
        self._neighbours, self._now = neighbours, now
        self._standings: dict[str, Standing] = {}

    def standing(self, address: str) -> Standing:
        """The same for as long as the claim lasts."""
        if (found := self._standings.get(address)) is None:
            found = self._standings[address] = self._neighbours.standing(address, self._now)
        return found

    def place(self, address: str, priority: int) -> Place:
        """What an attempt would take."""
        kind = Kind.LOCAL if is_local(address) else Kind.URGENT if priority <= URGENT else Kind.ORDINARY
        return Place(address, host(address), kind, self.standing(address))

    def fits(self, use: Use, place: Place) -> bool:
        """Whether it may begin beside `use`."""
        answering, now, limits = place.standing is Standing.ANSWERING, self._now, self.limits
        at_host = limits.per_host if answering else self._neighbours.at_host(place.host, now, limits)
        return fits(use, place, limits, self._neighbours.at_address(place.address, now, limits), at_host)

    def how_many(self, address: str, priority: int, most: int) -> list[Place]:
        """As many places as there are for this address now, up to `most`."""
        use, place = self.use.copy(), self.place(address, priority)
        found: list[Place] = []
        while len(found) < most and self.fits(use, place):
            use.add(place)
            found.append(place)
        return found

    def left(self, use: Use, standing: Standing, kind: Kind = Kind.ORDINARY) -> int:
        """How many more that are new, or doubtful, may begin beside `use`, at the most."""
        return max(0, _left(use, Place("", "", kind, standing), self.limits))
