"""The embedded store as one end of a move."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from adapters.store.backup import bodies_beside
from adapters.store.bodies import sync_folder
from adapters.store.migrate import behind, migrate
from adapters.store.moving.tables import NUMBERED, Values, columns
from hub.errors import StoreUnavailable


class SqliteEnd:
    """A file, with its large bodies beside it."""

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, str(path)
        self._bodies = bodies_beside(path)
        self._connection: sqlite3.Connection

    @contextmanager
    def opened(self, *, empty: bool) -> Iterator[None]:
        """See End."""
        if empty and self.path.exists():
            raise StoreUnavailable(f"{self.path}: a store is there already; name a file that is not there yet")
        if not empty and not self.path.exists():
            raise StoreUnavailable(f"{self.path}: no store there")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(self.path, isolation_level=None, timeout=0)) as connection:
                self._connection = connection
                _alone(connection, self.path)
                if not empty and (why := behind(connection)):
                    raise StoreUnavailable(f"{self.path}: {why}")
                migrate(connection)
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("BEGIN EXCLUSIVE")
                yield
                connection.execute("COMMIT")
                sync_folder(self.path.parent)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(f"{self.path}: {error}") from None

    def rows(self, table: str) -> Iterator[Values]:
        """See End; the content of large bodies is read from their files."""
        found = self._connection.execute(f"SELECT {_names(table)} FROM {table}")  # noqa: S608  ours
        for row in found:
            if table == "bodies":
                sha256, size, content = row
                yield sha256, size, self._bodies.read(sha256, content)
            else:
                yield row

    def fill(self, table: str, rows: Iterable[Values]) -> None:
        """See End."""
        marks = ",".join("?" * len(columns(table)))
        sql = f"INSERT INTO {table} ({_names(table)}) VALUES ({marks})"  # noqa: S608  ours
        for row in rows:
            self._connection.execute(sql, self._kept(row) if table == "bodies" else row)

    def _kept(self, row: Values) -> Values:
        """A large body goes into its file; one that was purged has none."""
        sha256, size, content = row
        return sha256, size, self._bodies.prepared(content).inline if len(content) == size else content

    def highest(self) -> dict[str, int]:
        """See End."""
        given = dict(self._connection.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
        return {table: given.get(table, 0) for table in NUMBERED}

    def go_on_from(self, highest: dict[str, int]) -> None:
        """See End."""
        for table, number in highest.items():
            known = self._connection.execute("SELECT 1 FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
            if known:
                self._connection.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (number, table))
            elif table != "receipts":  # theirs are numbered by their rows
                self._connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, number))


def _names(table: str) -> str:
    return ", ".join(f'"{name}"' for name in columns(table))


def _alone(connection: sqlite3.Connection, path: Path) -> None:
    """Leaving WAL needs the file for oneself alone."""
    try:
        connection.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError:
        text = f"{path}: it is open: a hub runs on it, or a command looks at it; stop the hub first"
        raise StoreUnavailable(text) from None
