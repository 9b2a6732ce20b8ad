"""Threads that each own a connection and take what waits; one that breaks is made anew, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg import errors

from adapters.store.postgres.connect import Connection, broken_off, told
from adapters.store.postgres.session import PostgresSession
from adapters.store.session import Refused
from hub.errors import StoreUnavailable

Result = TypeVar("Result")
Work = Callable[[PostgresSession], Any]
#: Called at the durable steps `before-commit` and `after-commit`; tests kill the process there.
Step = Callable[[str], None]

#: How often a work is done again that met another's lock, a restarted server or a schema that grew.
TRIES = 8
#: After a connection could not be made for so many seconds, nobody else tries for as long: they are told at once.
PAUSE = 0.5
#: What may be done again, since nothing of it was kept.
AGAIN = (errors.DeadlockDetected, errors.SerializationFailure)
#: The server's last words on a connection.
ENDED = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleInTransactionSessionTimeout,
    errors.IdleSessionTimeout,
)


@dataclass(slots=True)
class _Item:
    work: Work
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    connection: Connection | None = None  #: on which it is being done
    given_up: bool = False  #: nobody waits for it any more


class Pool:
    """`writes`: each work is one transaction, durable when it returns; else it only looks."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        size: int,
        *,
        writes: bool,
        seconds: float,
        on_step: Step | None = None,
    ) -> None:
        self._connect, self._writes, self._seconds = connect, writes, seconds
        self._on_step = on_step or (lambda _: None)
        self._waiting: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._down = (0.0, "")  #: until when nobody tries to connect, and why
        self.commits = 0  #: how many works have been committed
        self.redone = 0  #: how many works met a deadlock and were done again
        self.written_at = -math.inf  #: when a work was last committed, by the monotonic clock
        self.failing = ""  #: why the last work could not be done, else empty
        name = "store-writer" if writes else "store-reader"
        self._threads = [threading.Thread(target=self._run, name=f"{name}-{n}", daemon=True) for n in range(size)]
        for thread in self._threads:
            thread.start()

    async def do(self, work: Callable[[PostgresSession], Result], seconds: float = 0) -> Result:
        """The result of `work`, once it is durable. Raises StoreUnavailable when it could not be made durable.

        `seconds` are given to a work that takes long; else it has what the pool was made with.
        """
        longest = 2 * (seconds or self._seconds)
        loop = asyncio.get_running_loop()
        item = _Item(work, loop, loop.create_future())
        self._waiting.put(item)
        try:
            async with asyncio.timeout(longest):
                found: Result = await asyncio.shield(item.future)
        except TimeoutError:
            item.given_up = True
            self.failing = f"no answer for {longest:.0f} seconds"
            if item.connection is not None:
                broken_off(item.connection)
            raise self._unavailable(self.failing) from None
        return found

    def close(self) -> None:
        """Finishes what waits, then ends the threads; each closes its connection."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        connection: Connection | None = None
        while (item := self._waiting.get()) is not None:
            connection, result, failure = self._done(item, connection)
            if not item.given_up:
                item.loop.call_soon_threadsafe(_resolve, item.future, result, failure)
        if connection is not None:
            connection.close()

    def _done(self, item: _Item, connection: Connection | None) -> tuple[Connection | None, Any, BaseException | None]:
        """The connection to go on with, and how the work ended."""
        cause = "others were always quicker"
        for tries in range(TRIES):
            if item.given_up:
                break
            if connection is not None and connection.closed:
                connection = None
            try:
                connection = connection or self._connected()
                item.connection = connection
                result = self._once(connection, item.work)
                self.failing = ""
                return connection, result, None
            except Refused as refused:
                return connection, refused.answer, None
            except _Unsure as error:
                cause = str(error)
                break
            except AGAIN:
                self.redone += 1
                time.sleep(0.01 * tries)  # who won has to come past
            except errors.FeatureNotSupported:  # a newer hub has added a column: what was prepared is worth nothing
                _close(connection)
            except psycopg.OperationalError as error:
                cause = told(error)
                if not _lost(connection, error):
                    break
                _close(connection)
                time.sleep(0.02 * tries)
            except StoreUnavailable as error:
                return connection, None, error
            except Exception as error:
                return connection, None, error
        self.failing = cause
        return connection, None, self._unavailable(cause)

    def _connected(self) -> Connection:
        until, cause = self._down
        if time.monotonic() < until:
            raise psycopg.OperationalError(cause)
        begun = time.monotonic()
        try:
            return self._connect()
        except psycopg.OperationalError as error:
            if time.monotonic() - begun > PAUSE:
                self._down = (time.monotonic() + PAUSE, told(error))
            raise

    def _once(self, connection: Connection, work: Work) -> Any:
        if not self._writes:
            return work(PostgresSession(connection))
        connection.execute("BEGIN")
        try:
            result = work(PostgresSession(connection))
            # After a pipeline the server forgets to count how long we stand still in the transaction, until it is asked again.
            connection.execute("SELECT")
            self._on_step("before-commit")
        except BaseException:
            if not connection.closed:
                connection.execute("ROLLBACK")
            raise
        self._commit(connection)
        return result

    def _commit(self, connection: Connection) -> None:
        try:
            connection.execute("COMMIT")
        except psycopg.OperationalError as error:
            if _lost(connection, error):  # kept or not, nobody knows: it must not be done a second time
                raise _Unsure(told(error)) from None
            raise
        self._on_step("after-commit")
        self.written_at = time.monotonic()
        self.commits += 1

    def _unavailable(self, cause: str) -> StoreUnavailable:
        what = "written" if self._writes else "read"
        return StoreUnavailable(f"the store could not be {what}: {cause}; see that PostgreSQL runs and can be reached")


class _Unsure(Exception):
    """The connection broke while it was told to commit."""


def _lost(connection: Connection | None, error: psycopg.Error) -> bool:
    """Whether a connection that there was is gone, or is just going: what the server says when it ends one."""
    return isinstance(error, ENDED) or (connection is not None and connection.broken)


def _close(connection: Connection | None) -> None:
    if connection is not None:
        connection.close()


def _resolve(future: asyncio.Future[Any], result: object, failure: BaseException | None) -> None:
    if future.done():
        return  # nobody waits any more; what was written is durable all the same
    if failure is not None:
        future.set_exception(failure)
    else:
        future.set_result(result)
