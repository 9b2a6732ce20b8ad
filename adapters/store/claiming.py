"""Takes up due deliveries inside the writer's transaction: the most urgent first, and no partner's backlog hides the others."""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.store.rows import micros
from adapters.store.statements import statements
from hub.ports import Lane

PRIORITIES = range(10)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a claim may take; see hub.ports.Store.claim."""

    limit: int
    skip: frozenset[str]
    per_address: int
    single: frozenset[str]
    only: frozenset[str] | None

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


def any_due(connection: sqlite3.Connection, now: int, only: frozenset[str] | None) -> bool:
    """Whether anything at all is due; cheap, and asked before anything is written."""
    if only is not None:
        return any(_most_urgent(connection, address, now) is not None for address in only)
    due = statements("write")["due"]
    return any(connection.execute(due, (priority, now, 1)).fetchone() for priority in PRIORITIES)


def lanes(connection: sqlite3.Connection, now: int, limit: int) -> list[Lane]:
    """See hub.ports.Store.lanes."""
    addresses = [row[0] for row in connection.execute(statements("write")["due_addresses"])]
    urgent = ((_most_urgent(connection, address, now), address) for address in addresses)
    found = sorted((priority, address) for priority, address in urgent if priority is not None)
    return [Lane(address, priority) for priority, address in found[:limit]]


def _most_urgent(connection: sqlite3.Connection, address: str, now: int) -> int | None:
    """The priority of the most urgent delivery that is due to `address`."""
    sql = statements("write")["due_of_address"]
    return next((p for p in PRIORITIES if connection.execute(sql, (address, p, now, 1)).fetchone()), None)


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
            for priority in PRIORITIES:
                self._of(sorted(self._terms.only), priority)
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
        self._of([row[0] for row in self._connection.execute(statements("write")["due_addresses"])], priority)

    def _of(self, addresses: list[str], priority: int) -> None:
        """The oldest that are due to any of `addresses`."""
        sql, found = statements("write"), list[tuple[int, str, str]]()
        for address in addresses:
            if self._free(address) > 0 and not self._full():
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
