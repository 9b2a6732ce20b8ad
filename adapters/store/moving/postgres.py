"""The shared store as one end of a move."""

# The tables and columns are ours.
# ruff: noqa: S608
from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from psycopg import sql

from adapters.store.moving.tables import NUMBERED, TABLES, Values, columns
from adapters.store.postgres.connect import Address, Connection, opening
from adapters.store.postgres.migrate import behind, migrate
from adapters.store.postgres.session import named
from hub.errors import StoreUnavailable

#: So many rows come at once.
SOME = 200
#: How long the server may take to notice that somebody has left, in seconds.
LEAVING = 5.0
_OTHERS = (
    "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND application_name = current_setting('application_name')"
)


class PostgresEnd:
    """A schema of a database."""

    def __init__(self, address: Address) -> None:
        self._address, self.name = address, address.shown()
        self._connection: Connection

    @contextmanager
    def opened(self, *, empty: bool) -> Iterator[None]:
        """See End."""
        with opening(self._address) as connection:
            self._connection = connection
            self._alone(connection)
            connection.execute("SET statement_timeout = 0")
            connection.execute("SET idle_in_transaction_session_timeout = 0")
            if not empty and (why := behind(connection)):
                raise StoreUnavailable(f"{self.name}: {why}")
            migrate(connection)
            with connection.transaction():
                mode = "ACCESS EXCLUSIVE" if empty else "SHARE"
                connection.execute(f"LOCK TABLE {', '.join(TABLES)} IN {mode} MODE NOWAIT")
                full = [
                    table
                    for table in TABLES
                    if _number(connection, f"SELECT COUNT(*) FROM (SELECT 1 FROM {table} LIMIT 1) AS one")
                ]
                if empty and full:
                    raise StoreUnavailable(f"{self.name}: it is not empty: {', '.join(full)}; name an empty database")
                if not empty:
                    connection.execute(named("give_offsets"))
                yield
                if empty:
                    connection.execute(named("sum_up"))

    def _alone(self, connection: Connection) -> None:
        """Who has just left is still shown for a moment."""
        end = time.monotonic() + LEAVING
        while _number(connection, _OTHERS):
            if time.monotonic() > end:
                raise StoreUnavailable(f"{self.name}: a hub or a command is on it; stop every hub first")
            time.sleep(0.1)

    def rows(self, table: str) -> Iterator[Values]:
        """See End."""
        chosen = sql.SQL("SELECT {} FROM {}").format(_names(table), sql.Identifier(table))
        with self._connection.cursor(f"all {table}") as cursor:
            cursor.itersize = 1 if table == "bodies" else SOME
            for row in cursor.execute(chosen, binary=True):
                yield tuple(row)

    def fill(self, table: str, rows: Iterable[Values]) -> None:
        """See End."""
        into = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), _names(table))
        with self._connection.cursor().copy(into) as copy:
            for row in rows:
                copy.write_row(row)

    def highest(self) -> dict[str, int]:
        """See End."""
        return {
            table: _number(
                self._connection, f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {_sequence(table)}"
            )
            for table in NUMBERED
        }

    def go_on_from(self, highest: dict[str, int]) -> None:
        """See End; rows are numbered on from those that came."""
        for table, number in highest.items():
            column = NUMBERED[table]
            newest = _number(self._connection, f'SELECT COALESCE(MAX("{column}"), 0) FROM {table}')
            if top := max(number, newest):
                self._connection.execute("SELECT setval(%s::regclass, %s)", (_sequence(table), top))
        for table in ("arrivals", "messages", "deliveries"):
            self._connection.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'rowid'), MAX(rowid)) FROM {table} HAVING MAX(rowid) > 0"
            )


def _sequence(table: str) -> str:
    return "notification_offsets" if table == "notifications" else f"{table}_number_seq"


def _names(table: str) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns(table)))


def _number(connection: Connection, question: str) -> int:
    row = connection.execute(question).fetchone()
    return int(row[0]) if row else 0
