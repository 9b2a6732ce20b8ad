"""Takes up due deliveries inside the writer's transaction: the most urgent first, and no partner's backlog hides the others."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.store.rows import micros
from adapters.store.statements import statements
from hub.ports import Due

PRIORITIES = range(10)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a claim may take; see hub.ports.Store.claim."""

    limit: int
    skip: frozenset[str]
    per_address: int
    single: frozenset[str]
    only: Sequence[str] | None

    def most(self, address: str) -> int:
        """How many attempts at once `address` may get."""
        if address in self.skip:
            return 0
        return min(1, self.per_address) if address in self.single else self.per_address


def claim(connection: sqlite3.Connection, now: datetime, lease: timedelta, terms: Terms) -> list[tuple[str, int]]:
    """Takes up due deliveries: (id, attempt number) in their order."""
    sql, taken = statements("write"), []
    until = micros(now + lease)
    for delivery_id in _Choice(connection, micros(now) or 0, terms).made():
        number = connection.execute(sql["take"], (until, until, delivery_id)).fetchone()[0]
        connection.execute(sql["begin_attempt"], (delivery_id, number, micros(now)))
        taken.append((delivery_id, number))
    return taken


def any_due(connection: sqlite3.Connection, now: int, only: Sequence[str] | None) -> bool:
    """Whether anything at all is due; cheap, and asked before anything is written."""
    return bool(_among(connection, now, only) if only is not None else due(connection, now, 1))


def due(connection: sqlite3.Connection, now: int, limit: int) -> list[Due]:
    """See hub.ports.Store.due."""
    found: list[Due] = []
    for priority in PRIORITIES:
        if len(found) < limit:
            rows = connection.execute(statements("write")["due"], (priority, now, limit - len(found)))
            found += [Due(delivery_id, address, priority) for delivery_id, address in rows]
    return found


def _among(connection: sqlite3.Connection, now: int, only: Sequence[str]) -> list[Due]:
    """Those of `only` that are due, in the order of claiming."""
    asked = (connection.execute(statements("write")["due_by_id"], (one, now)).fetchone() for one in dict.fromkeys(only))
    found = sorted((row[1], row[2], row[0], row[3]) for row in asked if row is not None)
    return [Due(delivery_id, address, priority) for priority, _, delivery_id, address in found]


class _Choice:
    """Which deliveries a claim takes, beside those that are under way already."""

    def __init__(self, connection: sqlite3.Connection, now: int, terms: Terms) -> None:
        self._connection, self._now, self._terms = connection, now, terms
        self._chosen: dict[str, None] = {}
        self._at_once: Counter[str] = Counter(dict(connection.execute(statements("write")["under_way"], (now,))))

    def made(self) -> list[str]:
        """First from the front of each priority's queue; where that is one partner's backlog, from each address in turn.

        Neither way ever reads more than a few rows for each priority or address, however many wait behind.
        """
        if self._terms.only is not None:
            for one in _among(self._connection, self._now, self._terms.only):
                self._take(one.delivery_id, one.address)
            return list(self._chosen)
        few = 4 * self._terms.limit
        for priority in PRIORITIES:
            if self._full():
                break
            ahead = self._connection.execute(statements("write")["due"], (priority, self._now, few)).fetchall()
            for delivery_id, address in ahead:
                self._take(delivery_id, address)
            if len(ahead) == few and not self._full():  # more wait behind them, of other addresses perhaps
                self._behind(priority)
        return list(self._chosen)

    def _behind(self, priority: int) -> None:
        sql, found = statements("write"), list[tuple[int, str, str]]()
        for (address,) in self._connection.execute(sql["due_addresses"]).fetchall():
            if self._free(address) > 0:
                asked = (address, priority, self._now, self._terms.per_address)
                rows = self._connection.execute(sql["due_of_address"], asked)
                found += [(at, delivery_id, address) for delivery_id, at in rows]
        for _, delivery_id, address in sorted(found):
            self._take(delivery_id, address)

    def _take(self, delivery_id: str, address: str) -> None:
        if not self._full() and delivery_id not in self._chosen and self._free(address) > 0:
            self._chosen[delivery_id] = None
            self._at_once[address] += 1

    def _free(self, address: str) -> int:
        return self._terms.most(address) - self._at_once[address]

    def _full(self) -> bool:
        return len(self._chosen) >= self._terms.limit
