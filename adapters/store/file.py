"""The file of the embedded store: opened by those that may change its schema, and by those that may not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from adapters.store import pairing
from adapters.store.backup import bodies_beside
from adapters.store.bodies import sync_folder
from adapters.store.migrate import behind, migrate
from hub.errors import StoreUnavailable

#: What SQLite says of a file that is damaged.
DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def said(error: Exception) -> str:
    """What went wrong, and where the file itself is damaged, what to do."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF not in DAMAGE:
        return str(error)
    return f"{error}; stop the hub, see samhub db check, and put a copy in its place: samhub db restore --replace"


def opened_file(path: Path, may_migrate: bool, apart: bool) -> sqlite3.Connection:
    """A connection that writes, to a store that is of the newest schema, or is made. Raises StoreUnavailable, or sqlite3.Error.

    See adapters.store.sqlite.SqliteStore.open.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = not path.exists()
    if fresh and not apart and next(bodies_beside(path).files(), None) is not None:
        raise StoreUnavailable(f"{path}: {pairing.alone(bodies_beside(path))}")
    connection = connect(path)
    try:
        if not may_migrate and (why := behind(connection)):
            raise StoreUnavailable(f"{path}: {why}")
        if not apart and not fresh and (why := pairing.apart(connection, bodies_beside(path))):
            raise StoreUnavailable(f"{path}: {why}")
        if fresh:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # what is purged can be given back to the disk
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        migrate(connection)
        if fresh:
            for folder in (path.parent, path.parent.parent):
                sync_folder(folder)
    except BaseException:
        connection.close()
        raise
    return connection


def connect(path: Path) -> sqlite3.Connection:
    """Another connection to it, whose transactions its caller begins and ends."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10, cached_statements=256)
    connection.row_factory = sqlite3.Row
    return connection


def schema(path: Path) -> Iterable[str]:
    """Every statement of a store's schema, for the test that it equals all migrations."""
    connection = connect(path)
    try:
        yield from (
            row[0] for row in connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
        )
    finally:
        connection.close()
