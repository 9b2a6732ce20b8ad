"""Named SQL statements and numbered migrations, from the files beside this one."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)
#: A migration: its number and its SQL.
Migration = tuple[int, str]


@lru_cache
def statements(file: str) -> dict[str, str]:
    """The statements of one file, by name, in their order."""
    text = (files("adapters.store.sql") / f"{file}.sql").read_text("utf-8")
    parts = _NAME.split(text)
    return {name: sql.strip() for name, sql in zip(parts[1::2], parts[2::2], strict=True)}


def migrations() -> list[Migration]:
    """Every migration, in order."""
    found = [f for f in files("adapters.store.migrations").iterdir() if f.name.endswith(".sql")]
    return sorted((int(f.name.split("_")[0]), f.read_text("utf-8")) for f in found)


def migrate(connection: sqlite3.Connection, known: Sequence[Migration] = ()) -> list[int]:
    """Brings the schema up to date, each migration in its own transaction; returns the numbers applied.

    Whoever else does so at the same moment waits, and finds it done. `known` are the migrations, else all there are.
    Raises sqlite3.DatabaseError when the file was made by a newer hub, or is no database.
    """
    known = known or migrations()
    version = _version(connection)
    if version > known[-1][0]:
        text = f"the store has schema {version}, this hub knows up to {known[-1][0]}: run a newer hub"
        raise sqlite3.DatabaseError(text)
    return [number for number, sql in known if number > version and _applied(connection, number, sql)]


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _applied(connection: sqlite3.Connection, number: int, sql: str) -> bool:
    """Whole or not at all; false when somebody else has applied it meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _version(connection) >= number:
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
