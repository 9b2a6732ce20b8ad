"""Proofs of possession that were shown (RFC 9449 11.1): each once, whichever process it comes to; nothing here is synced."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from adapters.store.rows import micros
from adapters.store.session import Session
from hub.errors import StoreUnavailable

Result = TypeVar("Result")
#: Claims after which those are removed that nobody can show any more.
SWEEP = 500
#: Seconds that a proof waits for other processes.
PATIENCE = 5.0
_TABLE = "CREATE TABLE IF NOT EXISTS proofs (digest TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID"
_CLAIM = """INSERT INTO proofs (digest, until) VALUES (?, ?)
ON CONFLICT (digest) DO UPDATE SET until = excluded.until WHERE proofs.until < ?"""
_SWEEP = "DELETE FROM proofs WHERE until < ?"


class Beside:
    """A file beside the embedded store, shared by its processes. A crash of the machine opens the seconds of a proof's life."""

    def __init__(self, store: Path) -> None:
        self._path = store.with_name(f"{store.name}-proofs")
        self._lock, self._claims = threading.Lock(), 0
        self._connection: sqlite3.Connection | None = None
        self._waits = -1.0

    async def claim(self, digest: str, now: datetime, until: datetime) -> bool:
        """See hub.ports.Store.claim_proof; at once, unless another process is just at it."""
        try:
            return self._claimed(digest, now, until, 0)
        except sqlite3.Error:
            pass
        try:
            return await asyncio.to_thread(self._claimed, digest, now, until, PATIENCE)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self._path}: proofs cannot be kept: {error}; it may be deleted") from None

    def _claimed(self, digest: str, now: datetime, until: datetime, seconds: float) -> bool:
        """Waits at most so long for others."""
        with self._lock:
            connection = self._connection = self._connection or self._opened()
            if seconds != self._waits:
                connection.execute(f"PRAGMA busy_timeout = {seconds * 1000:.0f}")
                self._waits = seconds
            self._claims += 1
            if self._claims % SWEEP == 0:
                connection.execute(_SWEEP, (micros(now),))
            return connection.execute(_CLAIM, (digest, micros(until), micros(now))).rowcount == 1

    def close(self) -> None:
        """Whoever opened it last leaves the file: it is small, and swept."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, timeout=5)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            with closing(connection.execute(_TABLE)):
                pass
        except BaseException:
            connection.close()
            raise
        return connection


class Proving(ABC):
    """The same for a store whose database is shared by nodes: a table that is not logged, so that no commit waits for a disk."""

    _claims = 0

    @abstractmethod
    async def written(self, work: Callable[[Session], Result]) -> Result:
        """See adapters.store.noting.Noting."""

    async def claim_proof(self, digest: str, now: datetime, until: datetime) -> bool:
        """See hub.ports.Store."""
        self._claims += 1
        sweep = self._claims % SWEEP == 0

        def work(session: Session) -> bool:
            if sweep:
                session.run("sweep_proofs", micros(now))
            return session.run("claim_proof", digest, micros(until), micros(now)).rowcount == 1

        return await self.written(work)
