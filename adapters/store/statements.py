"""Named SQL statements and numbered migrations, from the files beside this one."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from typing import Literal

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)
Dialect = Literal["sqlite", "postgres"]
#: A migration: its number and its SQL.
Migration = tuple[int, str]


@lru_cache
def statements(file: str, dialect: Dialect = "sqlite") -> dict[str, str]:
    """The statements of one file, by name, in their order; those of the dialect's own folder go before the shared ones."""
    found: dict[str, str] = {}
    folder = files("adapters.store.sql")
    for source in (folder / f"{file}.sql", folder / dialect / f"{file}.sql"):
        if source.is_file():
            parts = _NAME.split(source.read_text("utf-8"))
            found |= {name: sql.strip() for name, sql in zip(parts[1::2], parts[2::2], strict=True)}
    return {name: spoken(sql, dialect) for name, sql in found.items()}


def spoken(sql: str, dialect: Dialect) -> str:
    """A shared statement as the dialect says it: SQLite is told which index to walk, PostgreSQL has another mark, and is told
    where texts are compared by their bytes."""
    if dialect == "sqlite":
        return sql
    plain = re.sub(r" INDEXED BY \w+|--.*$", "", sql, flags=re.MULTILINE)
    return plain.replace("?", "%s").replace("/* by bytes */", 'COLLATE "C"').strip()


def migrations(dialect: Dialect = "sqlite") -> list[Migration]:
    """Every migration, in order; the same numbers mean the same in every dialect."""
    found = [f for f in (files("adapters.store.migrations") / dialect).iterdir() if f.name.endswith(".sql")]
    return sorted((int(f.name.split("_")[0]), f.read_text("utf-8")) for f in found)
