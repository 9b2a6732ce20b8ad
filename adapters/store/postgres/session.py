"""adapters.store.session.Session over a connection of PostgreSQL, where others write at the same moment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

from adapters.store.postgres.connect import Connection
from adapters.store.session import Rows
from adapters.store.statements import spoken, statements


@lru_cache
def named(name: str) -> str:
    """A statement of read.sql or write.sql, as PostgreSQL says it."""
    return (statements("read", "postgres") | statements("write", "postgres") | statements("keeping", "postgres"))[name]


class PostgresSession:
    """What it locks it keeps until the transaction ends."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def run(self, name: str, *values: object) -> Rows:
        """See Session."""
        return self.connection.execute(named(name), values, binary=True)

    def run_each(self, name: str, rows: Iterable[Sequence[object]]) -> list[int]:
        """See Session; all rows go out together."""
        wanted, counts = list(rows), list[int]()
        if not wanted:
            return counts
        with self.connection.cursor() as cursor:
            cursor.executemany(named(name), wanted, returning=True)
            counts.append(cursor.rowcount)
            while cursor.nextset():
                counts.append(cursor.rowcount)
        return counts

    def ask(self, text: str, values: Sequence[object]) -> Rows:
        """See Session."""
        return self.connection.execute(spoken(text, "postgres"), values, binary=True)

    def together(self) -> AbstractContextManager[object]:
        """See Session."""
        return self.connection.pipeline()

    def standing(self, delivery_ids: Iterable[str]) -> Mapping[str, str]:
        """See Session."""
        return {row[0]: row[1] for row in self.run("standing", list(delivery_ids))}

    def due_of(self, addresses: Sequence[str], priority: int, now: int, by: int, most: int) -> list[Any]:
        """See Session."""
        return self.run("due_of", list(addresses), priority, now, by, most).fetchall()

    def take(self, delivery_ids: Sequence[str], now: int, by: int, until: int) -> Mapping[str, int]:
        """See Session; what another transaction moves just now is left to it."""
        return {row[0]: row[1] for row in self.run("take", list(delivery_ids), now, by, until, until)}
