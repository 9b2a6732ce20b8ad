"""One thread that owns the writing connection: takes all that waits, does each in its savepoint, commits them together."""

from __future__ import annotations

import asyncio
import itertools
import math
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from adapters.store.file import said
from adapters.store.questions import PRIORITIES
from adapters.store.session import Refused
from adapters.store.statements import statements
from hub.errors import StoreUnavailable

Result = TypeVar("Result")
#: Called at the durable steps `before-commit` and `after-commit`; tests kill the process there.
Step = Callable[[str], None]

MOST_AT_ONCE = 256


class SqliteSession:
    """adapters.store.session.Session over a connection of SQLite: whoever writes is alone anyway."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._sql = statements("read") | statements("write") | statements("keeping")

    def run(self, name: str, *values: object) -> sqlite3.Cursor:
        """See Session."""
        return self.connection.execute(self._sql[name], values)

    def run_each(self, name: str, rows: Iterable[Sequence[object]]) -> list[int]:
        """See Session."""
        return [self.run(name, *row).rowcount for row in rows]

    def ask(self, text: str, values: Sequence[object]) -> sqlite3.Cursor:
        """See Session."""
        return self.connection.execute(text, values)

    def together(self) -> AbstractContextManager[object]:
        """See Session."""
        return nullcontext()

    def standing(self, delivery_ids: Iterable[str]) -> Mapping[str, str]:
        """See Session."""
        found = ((one, self.run("state_of", one).fetchone()) for one in delivery_ids)
        return {one: str(row[0]) for one, row in found if row is not None}

    def due_of(self, addresses: Sequence[str], priority: int, now: int, by: int, most: int) -> list[Any]:
        """See Session."""
        asked = itertools.product(addresses, PRIORITIES[priority:])
        return [row for address, p in asked for row in self.run("due_of_address", address, p, now, by, most)]

    def take(self, delivery_ids: Sequence[str], now: int, by: int, until: int) -> Mapping[str, int]:
        """See Session."""
        found = ((one, self.run("take", until, until, one, now, by).fetchone()) for one in delivery_ids)
        return {one: row[0] for one, row in found if row is not None}


Work = Callable[[SqliteSession], Any]


class Writer:
    """Group commit: while one group is being made durable the next gathers, so load makes the groups larger by itself."""

    def __init__(self, connection: sqlite3.Connection, on_step: Step | None = None) -> None:
        self._connection, self._session = connection, SqliteSession(connection)
        self._on_step = on_step or (lambda _: None)
        self._waiting: queue.SimpleQueue[tuple[Work, asyncio.AbstractEventLoop, asyncio.Future[Any]] | None]
        self._waiting = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self.commits = 0  #: how many groups have been committed
        self.failing = ""  #: why the last group could not be committed, else empty
        self.written_at = -math.inf  #: when a group was last committed that changed something, by the monotonic clock
        self._thread.start()

    async def do(self, work: Callable[[SqliteSession], Result]) -> Result:
        """The result of `work`, once it is durable. Raises StoreUnavailable when it could not be made durable."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.put((work, loop, future))
        return await asyncio.shield(future)

    def close(self) -> None:
        """Finishes what waits, then ends the thread and closes the connection."""
        self._waiting.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while True:
            group, last = self._gathered()
            if group:
                self._commit(group)
            if last:
                return

    def _gathered(self) -> tuple[list[tuple[Work, asyncio.AbstractEventLoop, asyncio.Future[Any]]], bool]:
        item = self._waiting.get()
        group = []
        while item is not None:
            group.append(item)
            if len(group) >= MOST_AT_ONCE:
                return group, False
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _commit(self, group: list[tuple[Work, asyncio.AbstractEventLoop, asyncio.Future[Any]]]) -> None:
        results: list[tuple[Any, BaseException | None]] = []
        before = self._connection.total_changes
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            results = [self._one(work) for work, _, _ in group]
            self._on_step("before-commit")
            self._connection.execute("COMMIT")
            self._on_step("after-commit")
            if self._connection.total_changes != before:
                self.written_at = time.monotonic()
            self.failing = ""
            self.commits += 1
        except sqlite3.Error as error:
            self._roll_back()
            self.failing = said(error)
            results = [(None, StoreUnavailable(f"the store could not be written: {self.failing}"))] * len(group)
        for (_, loop, future), (result, failure) in zip(group, results, strict=True):
            loop.call_soon_threadsafe(_resolve, future, result, failure)

    def _one(self, work: Work) -> tuple[Any, BaseException | None]:
        """One piece of work; when it fails, nothing of it is kept and the others of its group are unharmed."""
        self._connection.execute("SAVEPOINT one")
        try:
            result = work(self._session)
        except Exception as error:
            if not self._connection.in_transaction:
                raise sqlite3.OperationalError(str(error)) from error  # the whole group was rolled back (disk full)
            self._connection.execute("ROLLBACK TO one")
            self._connection.execute("RELEASE one")
            return (error.answer, None) if isinstance(error, Refused) else (None, _as_told(error))
        self._connection.execute("RELEASE one")
        return result, None

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _as_told(error: BaseException) -> BaseException:
    """Trouble of the disk is told as such; what is our own fault stays what it is."""
    if isinstance(error, sqlite3.OperationalError):
        return StoreUnavailable(f"the store could not be written: {error}")
    return error


def _resolve(future: asyncio.Future[Any], result: object, failure: BaseException | None) -> None:
    if future.done():
        return  # nobody waits any more; what was written is durable all the same
    if failure is not None:
        future.set_exception(failure)
    else:
        future.set_result(result)
