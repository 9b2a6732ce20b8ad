"""Connections to the server: every one of them gives up in time, and none tells its password."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumperUnknown

from hub.errors import StoreUnavailable

#: A connection of this house: its rows are known by the names of their columns.
Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server is, and how long anything may take there."""

    url: str
    password_file: Path | None = None
    connect_seconds: float = 5
    answer_seconds: float = 30

    def connect(self, *, writes: bool) -> Connection:
        """A new connection. Raises psycopg.OperationalError, or StoreUnavailable when there is no sense in the address."""
        connection = psycopg.connect(**self.parameters(), autocommit=True, row_factory=_rows)
        try:
            connection.adapters.register_dumper(int, _Whole)
            connection.adapters.register_dumper(str, _Text)
            longest = f"{self.answer_seconds * 1000:.0f}"
            settings = dict(_SETTINGS, statement_timeout=longest, idle_in_transaction_session_timeout=longest)
            if not writes:
                settings["default_transaction_read_only"] = "on"
            for name, value in settings.items():
                connection.execute("SELECT set_config(%s, %s, false)", (name, value))
            connection.execute(_DURABLE)
            connection.execute(_NAMED)
        except BaseException:
            connection.close()
            raise
        return connection

    def parameters(self) -> dict[str, Any]:
        """What libpq wants to know: what the address says, and our own bounds where it says nothing."""
        try:
            given = conninfo_to_dict(self.url)
        except psycopg.ProgrammingError:  # its text quotes the address, and with it the password
            text = (
                "store.url is not an address that PostgreSQL knows; it looks like postgresql://user@host:5432/database"
            )
            raise StoreUnavailable(text) from None
        if self.password_file is not None:
            try:
                given["password"] = self.password_file.read_text("utf-8").strip()
            except OSError as error:
                text = f"store.password_file {self.password_file} cannot be read: {error.strerror}"
                raise StoreUnavailable(text) from None
        return {
            "connect_timeout": max(2, round(self.connect_seconds)),
            "application_name": "samhub",
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": round(self.answer_seconds * 1000),
            **given,
        }

    def shown(self) -> str:
        """The address as people may read it: without a password."""
        given = self.parameters()
        return f"postgresql://{given.get('host', '')}:{given.get('port', 5432)}/{given.get('dbname', '')}"


@contextlib.contextmanager
def opening(address: Address) -> Iterator[Connection]:
    """A connection for a moment. Raises StoreUnavailable with what to do, whatever goes wrong."""
    try:
        with contextlib.closing(address.connect(writes=True)) as connection:
            yield connection
    except psycopg.Error as error:
        what = f"{address.shown()}: the store cannot be opened: {told(error)}"
        raise StoreUnavailable(f"{what}; see that PostgreSQL runs there and that store.url is right") from None


_SETTINGS = {
    "tcp_keepalives_idle": "5",  # the server's side too: a node that lost its power holds no lock for hours
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "lock_timeout": "10000",
    "enable_seqscan": "off",  # a store that has grown is walked along its indexes, whatever the statistics still say
    "enable_bitmapscan": "off",
    "jit": "off",
}
#: What a verb has written survives the loss of power when it returns, whatever the server was told for others.
_DURABLE = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') IN ('off', 'local')"


#: Who is connected can be asked, for each schema by itself.
_NAMED = "SELECT set_config('application_name', left('samhub ' || current_schema(), 63), false)"


class _Whole(Int8Dumper):
    """Every number is sent as the schema keeps it, so that a statement is prepared once."""


class _Text(StrDumperUnknown):
    """PostgreSQL keeps no NUL in a text; it is marked where it was."""

    def dump(self, obj: str) -> bytes:
        return super().dump(obj.replace("\x00", "\ufffd")) or b""  # type: ignore[return-value]


class NamedRow(tuple[Any, ...]):
    """A row by the names of its columns or by their places."""

    __slots__ = ()
    places: dict[str, int]

    def __getitem__(self, column: Any, /) -> Any:
        return tuple.__getitem__(self, self.places[column] if isinstance(column, str) else column)


@lru_cache(maxsize=500)
def _kind(names: tuple[str, ...]) -> type[NamedRow]:
    return type("NamedRow", (NamedRow,), {"__slots__": (), "places": {name: i for i, name in enumerate(names)}})


def _rows(cursor: psycopg.Cursor[Any]) -> Callable[[Sequence[Any]], NamedRow]:
    return _kind(tuple(column.name for column in cursor.description or ()))


def broken_off(connection: Connection) -> None:
    """Ends a connection that another thread waits on: its wait ends with an error."""
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def told(error: psycopg.Error) -> str:
    """The first line of what the server said; the others may quote rows."""
    text = error.diag.message_primary or str(error)
    return text.strip().partition("\n")[0] or type(error).__name__
