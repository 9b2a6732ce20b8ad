"""Takes up due deliveries inside a transaction: the most urgent first, and no partner's backlog hides the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from adapters.store import questions
from adapters.store.rows import micros
from adapters.store.session import Session
from hub.neighbours import URGENT, Kind, Room, Standing, Use
from hub.ports import Lane

#: More than there ever are.
ALL = 1 << 62
#: So many are looked at from the front of the queue, at the least: many of them may be of those that have no place.
FRONT = 64


@dataclass(frozen=True, slots=True)
class Terms:
    """What a claim may take; see hub.ports.Store.claim."""

    limit: int
    skip: frozenset[str]
    per_address: int
    single: frozenset[str]
    only: frozenset[str] | None
    by: int  #: now, by the clock of leases
    room: Room | None = None  #: whose places are taken; None: everybody has one

    def most(self, address: str) -> int:
        """How many attempts at once `address` may get."""
        if address in self.skip:
            return 0
        return min(1, self.per_address) if address in self.single else self.per_address

    def among(self, addresses: Iterable[str]) -> Terms:
        """The same, but of these addresses only."""
        return replace(self, only=frozenset(addresses))


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that could be taken; they sort in the order of claiming."""

    priority: int
    next_at: int
    id: str
    address: str


def claim(session: Session, now: datetime, lease: timedelta, terms: Terms) -> list[tuple[str, int]]:
    """Takes up due deliveries: (id, attempt number) in their order."""
    at = micros(now) or 0
    until = terms.by + int(lease.total_seconds() * 1_000_000)
    chosen = choice(session, at, terms)
    numbers = session.take([one.id for one in chosen], at, terms.by, until) if chosen else {}
    taken = [one for one in chosen if one.id in numbers]
    session.run_each("begin_attempt", [(one.id, numbers[one.id], at) for one in taken])
    if terms.room is not None:
        for one in taken:
            terms.room.use.add(terms.room.place(one.address, one.priority))
    return [(one.id, numbers[one.id]) for one in taken]


def choice(session: Session, now: int, terms: Terms) -> list[Due]:
    """What a claim would take just now; nothing is changed."""
    return _Choice(session, now, terms).made()


def any_due(session: Session, now: int, by: int, only: frozenset[str] | None) -> bool:
    """Whether anything at all is due; cheap, and asked before anything is written."""
    return bool(_front(session, now, by, 1) if only is None else _of(session, only, 0, (now, by), 1))


def lanes(session: Session, now: int, limit: int) -> list[Lane]:
    """See hub.ports.Store.lanes."""
    first: dict[str, int] = {}
    for one in _of(session, [row[0] for row in session.run("due_addresses")], 0, (now, now), 1):
        first.setdefault(one.address, one.priority)
    found = sorted((priority, address) for address, priority in first.items())
    return [Lane(address, priority) for priority, address in found[:limit]]


def _front(session: Session, now: int, by: int, limit: int, *, newest: bool = False) -> list[Due]:
    """The first that are due, whoever they are for; of each priority the oldest, or the newest."""
    rows = session.ask(*questions.due(now, by, limit, newest=newest)).fetchall()
    found = _in_order(Due(row[2], row[3], row[0], row[1]) for row in rows)
    return sorted(found, key=lambda one: (one.priority, -one.next_at)) if newest else found


def _of(session: Session, addresses: Iterable[str], priority: int, at: tuple[int, int], most: int) -> list[Due]:
    """At most `most` that are due to each of these addresses in each priority from `priority` on.

    `at` is now, by the wall clock and by the clock of leases.
    """
    rows = session.due_of(sorted(addresses), priority, *at, most)
    return _in_order(Due(row[2], row[3], row[0], row[1]) for row in rows)


def _in_order(found: Iterable[Due]) -> list[Due]:
    return sorted(found, key=lambda one: (one.priority, one.next_at, one.id))


class _Choice:
    """Which deliveries a claim takes, beside those that are under way already."""

    def __init__(self, session: Session, now: int, terms: Terms) -> None:
        self._session, self._at, self._terms, self._room = session, (now, terms.by), terms, terms.room
        self._use = terms.room.use.copy() if terms.room is not None else Use()
        self._chosen: dict[str, Due] = {}
        self._refused: set[tuple[str, Kind, Standing]] = set()  #: nothing like these has a place any more
        self._at_once: Counter[str] = Counter({row[0]: row[1] for row in session.run("under_way", terms.by)})

    def made(self) -> list[Due]:
        """First from the front of the queue; where that is full of those that have no place, from each address in turn.

        Neither way ever reads more than a few rows for each priority or address, however many wait behind.
        """
        if self._terms.only is not None:
            self._take_of(self._terms.only, 0)
            return list(self._chosen.values())
        few = max(FRONT, min(4 * self._terms.limit, 2 * FRONT) if self._room is not None else 4 * self._terms.limit)
        front = _front(self._session, *self._at, few)
        more = len(front) == few  # wait behind them, of other addresses perhaps
        found = self._beside(front, self._turns(one.address for one in front))
        self._take(found, self._half() if more else None)
        if more and self._room is not None and not self._full():
            self._take(_front(self._session, *self._at, FRONT, newest=True))
            self._take(found)
        if more and not self._full():
            self._search(front[-1].priority)
        return list(self._chosen.values())

    def _half(self) -> int:
        """Places of new ones that the oldest get; the odd one is theirs or the newest's, as the clock says."""
        places = self._room.left(self._use, Standing.NEW) if self._room is not None else 0
        return (places + self._at[0] % 2) // 2

    def _search(self, priority: int) -> None:
        """From each address; a room may say that this has been in vain just now."""
        if self._room is not None and not self._room.thorough:
            return
        before = len(self._chosen)
        self._take_of([row[0] for row in self._session.run("due_addresses")], priority)
        if self._room is not None:
            self._room.in_vain = len(self._chosen) == before

    def _take_of(self, addresses: Iterable[str], priority: int) -> None:
        worth = self._worth(addresses)
        free = [address for address in worth if address not in self._terms.single]
        most = self._terms.per_address + len(self._chosen)  # those that were chosen stand there still
        found = _of(self._session, free, priority, self._at, most) if free else []
        self._take(self._beside(found, self._turns(worth)))

    def _worth(self, addresses: Iterable[str]) -> list[str]:
        """Those to which something could begin; of those that have not answered lately no more than there are places.

        Which of these is another each time: it goes by the clock.
        """
        several = list(dict.fromkeys(addresses))
        turn = self._at[0] % len(several) if several else 0
        left = {standing: self._left(standing) for standing in Standing}
        found = []
        for address in several[turn:] + several[:turn]:
            standing = self._standing(address)
            if left[standing] > 0 and self._free(address) > 0 and self._any_place(address):
                left[standing] -= 1
                found.append(address)
        return found

    def _standing(self, address: str) -> Standing:
        return self._room.standing(address) if self._room is not None else Standing.ANSWERING

    def _left(self, standing: Standing) -> int:
        """How many more of one standing may begin, at the most; without a room all are alike."""
        if self._room is not None and standing is not Standing.ANSWERING:
            return self._room.left(self._use, standing, Kind.URGENT)
        return ALL if standing is Standing.ANSWERING else 0

    def _any_place(self, address: str) -> bool:
        """Whether there is one, be it for something urgent only."""
        room = self._room
        if room is None:
            return True
        places = [room.place(address, priority) for priority in (URGENT + 1, URGENT)]
        return any(
            (one.host, one.kind, one.standing) not in self._refused and room.fits(self._use, one) for one in places
        )

    def _beside(self, found: list[Due], turns: list[Due]) -> list[Due]:
        """`found`, and those whose turn it is at the addresses that get one try at a time."""
        if not self._terms.single:
            return found
        return _in_order([*(one for one in found if one.address not in self._terms.single), *turns])

    def _turns(self, addresses: Iterable[str]) -> list[Due]:
        """For each of those that get one try at a time the delivery whose turn it is.

        Of each priority the one that has been due longest, which is none that was just tried in vain; among these the one
        that has been tried least, then the most urgent. Were the most urgent tried each time, a delivery that the partner
        will never take could keep all others from it.
        """
        if not self._terms.single:
            return []
        single = self._worth(address for address in addresses if address in self._terms.single)
        first = _of(self._session, single, 0, self._at, 1) if single else []
        tried = dict(self._session.ask(*questions.attempts([one.id for one in first])).fetchall()) if first else {}
        turn: dict[str, Due] = {}
        for one in sorted(first, key=lambda one: (tried.get(one.id, 0), one.priority, one.next_at, one.id)):
            turn.setdefault(one.address, one)
        return list(turn.values())

    def _take(self, found: Iterable[Due], new: int | None = None) -> None:
        """What there is a place for, in this order; with `new` no more than so many to those that are new."""
        left = {standing: self._left(standing) for standing in Standing}
        if new is not None:
            left[Standing.NEW] = min(left[Standing.NEW], new)
        for one in found:
            if self._full():
                return
            standing = self._standing(one.address)
            if left[standing] <= 0 or one.id in self._chosen or self._free(one.address) <= 0 or not self._placed(one):
                continue
            left[standing] -= 1
            self._chosen[one.id] = one
            self._at_once[one.address] += 1

    def _placed(self, one: Due) -> bool:
        """Whether there is a place for it, which it then has."""
        if self._room is None:
            return True
        place = self._room.place(one.address, one.priority)
        alike = (place.host, place.kind, place.standing)
        if alike in self._refused:
            return False
        if self._room.fits(self._use, place):
            self._use.add(place)
            return True
        if not self._use.to[one.address]:  # it is not for its own address that it is refused
            self._refused.add(alike)
        return False

    def _free(self, address: str) -> int:
        return self._terms.most(address) - self._at_once[address]

    def _full(self) -> bool:
        return len(self._chosen) >= self._terms.limit
