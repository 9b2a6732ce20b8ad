"""Who keeps hub.ports.Store: each opens an empty store, opens the same one again, and is checked whenever it is closed."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    ExitStack,
    asynccontextmanager,
    closing,
    contextmanager,
)
from pathlib import Path
from typing import Protocol

import psycopg

from adapters.store.postgres import PostgresStore
from adapters.store.sqlite import SqliteStore
from hub.ports import Store
from ops.servers import databases


class Place(Protocol):
    """Where one store lies; empty when it is first opened."""

    def open(self, *, nearly_full: bool = False) -> AbstractAsyncContextManager[Store]:
        """The store; on leaving it is closed, and every invariant of its own must hold."""
        ...

    def write(self, statement: str, *values: object) -> None:
        """Somebody, or something, changes its rows behind its back; marks are `?`."""
        ...

    def held(self) -> AbstractContextManager[object]:
        """Nobody's write ends while inside."""
        ...

    def drop(self) -> None:
        """Nobody needs it any more."""
        ...


class SqlitePlace:
    """A store in one file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "store" / "samhub.db"

    def write(self, statement: str, *values: object) -> None:
        """See Place.write."""
        with closing(sqlite3.connect(self.path, timeout=10)) as connection, connection:
            connection.execute(statement, values)

    @contextmanager
    def held(self) -> Iterator[None]:
        """See Place.held."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield

    def drop(self) -> None:
        """See Place.drop: it goes with its folder."""

    @asynccontextmanager
    async def open(self, *, nearly_full: bool = False) -> AsyncIterator[Store]:
        """See Place.open."""
        store = await SqliteStore.open(self.path, min_free_bytes=1 << 60 if nearly_full else 0)
        try:
            yield store
            broken = await store.check()
        finally:
            await store.close()
        assert broken == []


class PostgresPlace:
    """A store in a database of its own on a real server."""

    def __init__(self, _: Path) -> None:
        self._stack = ExitStack()
        self.url = self._stack.enter_context(databases.database())

    def write(self, statement: str, *values: object) -> None:
        """See Place.write."""
        with psycopg.connect(self.url) as connection:
            connection.execute(statement.replace("?", "%s").encode(), values)

    @contextmanager
    def held(self) -> Iterator[None]:
        """See Place.held."""
        with psycopg.connect(self.url) as connection:
            connection.execute("LOCK TABLE bookmarks")
            yield

    def drop(self) -> None:
        """See Place.drop."""
        self._stack.close()

    @asynccontextmanager
    async def open(self, *, nearly_full: bool = False) -> AsyncIterator[Store]:
        """See Place.open."""
        free = 1000
        store = await PostgresStore.open(self.url, min_free_bytes=free + nearly_full, free=lambda: free)
        try:
            yield store
            broken = await store.check()
        finally:
            await store.close()
        assert broken == []


#: Every store that must keep the promises; a new one is one line more.
PLACES: Mapping[str, Callable[[Path], Place]] = {"sqlite": SqlitePlace, "postgres": PostgresPlace}
