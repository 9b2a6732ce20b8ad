"""The schema of the embedded store, brought up to date."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from adapters.store.statements import Migration, migrations


def migrate(connection: sqlite3.Connection, known: Sequence[Migration] = ()) -> list[int]:
    """Brings the schema up to date, each migration in its own transaction; returns the numbers applied.

    Whoever else does so at the same moment waits, and finds it done. `known` are the migrations, else all there are.
    Raises sqlite3.DatabaseError when the file was made by a newer hub, or is no database.
    """
    known = known or migrations()
    version = version_of(connection)
    if version > known[-1][0]:
        raise sqlite3.DatabaseError(behind(connection))
    return [number for number, sql in known if number > version and _applied(connection, number, sql)]


def behind(connection: sqlite3.Connection) -> str:
    """Why a command that may not migrate cannot use this store, in words with what to do; empty where it can."""
    version, newest = version_of(connection), migrations()[-1][0]
    if version == newest or (version == 0 and not connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()):
        return ""
    if version > newest:
        return f"the store has schema {version}, this hub knows up to {newest}: run a newer hub"
    return f"the store has schema {version}, and {newest} is wanted: samhub db migrate, once the hub that serves it is stopped"


def version_of(connection: sqlite3.Connection) -> int:
    """The number of the last migration that has been applied."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _applied(connection: sqlite3.Connection, number: int, sql: str) -> bool:
    """Whole or not at all; false when somebody else has applied it meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if version_of(connection) >= number:
            connection.execute("ROLLBACK")
            return False
        for statement in _each(sql):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return True


def _each(sql: str) -> Iterator[str]:
    """The statements of a script; those within a trigger belong to it."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        raise sqlite3.ProgrammingError(f"a migration ends within a statement: {statement.strip()[:60]}")
