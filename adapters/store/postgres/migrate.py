"""The schema of a shared store: brought up to date once, by whichever node comes first, while older ones go on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import psycopg

from adapters.store.postgres.connect import Address, Connection, opening
from adapters.store.postgres.session import named
from adapters.store.statements import Migration, migrations
from hub.errors import StoreUnavailable

_TABLE = """\
CREATE TABLE IF NOT EXISTS schema_version (
    one    BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
    number INTEGER NOT NULL, -- the migrations up to this one have been applied
    least  INTEGER NOT NULL  -- a hub that knows the migrations up to this one can still use it
)"""
#: How a migration says that older hubs cannot use what it leaves.
_CONTRACTS = re.compile(r"^-- contracts: \S", re.MULTILINE)
#: What older hubs would stumble over.
_TAKES_AWAY = re.compile(
    r"\b(DROP\s+(TABLE|COLUMN|FUNCTION|TRIGGER|SEQUENCE|CONSTRAINT)|RENAME|ALTER\s+(COLUMN\s+)?\w+\s+(SET\s+DATA\s+)?TYPE"
    r"|SET\s+NOT\s+NULL|ADD\s+(CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN)|DELETE\s+FROM|TRUNCATE)\b",
    re.IGNORECASE,
)
_REQUIRED = re.compile(r"\bADD\s+(?:COLUMN\s+)?(?:IF NOT EXISTS\s+)?\w+[^,;]*\bNOT\s+NULL\b[^,;]*", re.IGNORECASE)


def contracts(sql: str) -> bool:
    """Whether a migration declares that older hubs cannot use what it leaves."""
    return _CONTRACTS.search(sql) is not None


def undeclared(sql: str) -> list[str]:
    """What a migration takes away from older hubs without declaring it: dropped, renamed, retyped, suddenly required."""
    if contracts(sql):
        return []
    plain = re.sub(r"--.*$", "", sql, flags=re.MULTILINE)
    required = [one.group().strip() for one in _REQUIRED.finditer(plain) if "DEFAULT" not in one.group().upper()]
    return [one.group() for one in _TAKES_AWAY.finditer(plain)] + required


def migrated(url: str, password_file: Path | None) -> list[int]:
    """Brings the store there up to date; returns the numbers applied. Raises StoreUnavailable."""
    with opening(Address(url, password_file)) as connection:
        return migrate(connection)


def migrate(connection: Connection, known: Sequence[Migration] = ()) -> list[int]:
    """Brings the schema up to date, each migration in its own transaction; returns the numbers applied.

    Whoever else does so at the same moment waits, and finds it done. `known` are the migrations, else all there are.
    A store that a newer hub has brought further is used as it is, for as long as it can be. Raises StoreUnavailable.
    """
    known = known or migrations("postgres")
    applied = []
    while (number := _next(connection, known)) is not None:
        applied.append(number)
    return applied


def _next(connection: Connection, known: Sequence[Migration]) -> int | None:
    with connection.transaction():
        connection.execute(named("one_at_a_time"), ("migrate",))
        version, least = _version(connection)
        newest = known[-1][0]
        if newest < least:
            raise StoreUnavailable(
                f"the store has schema {version}, which hubs that know schema {least} or later can use; "
                f"this hub knows up to {newest}: run a newer hub"
            )
        for number, sql in known:
            if number > version:
                connection.execute(sql.encode())  # several statements: no marks, no values
                least = number if contracts(sql) else max(least, 1)
                connection.execute("UPDATE schema_version SET number = %s, least = %s", (number, least))
                return number
    return None


def behind(connection: Connection) -> str:
    """Why a command that may not migrate cannot use this store, in words with what to do; empty where it can, or it is new."""
    if not _has_version(connection):
        return ""
    row = connection.execute("SELECT number FROM schema_version").fetchone()
    version, newest = row[0] if row else 0, migrations("postgres")[-1][0]
    if version >= newest:
        return ""  # one that is too new is refused when it is opened
    return (
        f"the store has schema {version}, and {newest} is wanted: samhub db migrate, once every hub is as new as this"
    )


def _has_version(connection: Connection) -> bool:
    found = connection.execute("SELECT to_regclass(quote_ident(current_schema()) || '.schema_version')").fetchone()
    return found is not None and found[0] is not None


def _version(connection: Connection) -> tuple[int, int]:
    if not _has_version(connection):
        connection.execute(_TABLE)
        connection.execute("INSERT INTO schema_version (number, least) VALUES (0, 0)")
    row = connection.execute("SELECT number, least FROM schema_version").fetchone()
    if row is None:
        raise psycopg.DataError("schema_version is empty")
    return row[0], row[1]
