"""Named SQL statements and numbered migrations, from the files beside this one."""

from __future__ import annotations

import re
import sqlite3
from functools import lru_cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


@lru_cache
def statements(file: str) -> dict[str, str]:
    """The statements of one file, by name, in their order."""
    text = (files("adapters.store.sql") / f"{file}.sql").read_text("utf-8")
    parts = _NAME.split(text)
    return {name: sql.strip() for name, sql in zip(parts[1::2], parts[2::2], strict=True)}


def migrations() -> list[tuple[int, str]]:
    """(number, SQL) of every migration, in order."""
    found = [f for f in files("adapters.store.migrations").iterdir() if f.name.endswith(".sql")]
    return sorted((int(f.name.split("_")[0]), f.read_text("utf-8")) for f in found)


def migrate(connection: sqlite3.Connection) -> list[int]:
    """Brings the schema up to date, each migration in its own transaction; returns the numbers applied.

    Raises sqlite3.DatabaseError when the file was made by a newer hub, or is no database.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    known = migrations()
    if version > known[-1][0]:
        text = f"the store has schema {version}, this hub knows up to {known[-1][0]}: run a newer hub"
        raise sqlite3.DatabaseError(text)
    applied = []
    for number, sql in known:
        if number > version:
            connection.executescript(f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {number};\nCOMMIT;")
            applied.append(number)
    return applied
