"""Tells other nodes that something is due, and hears it from them. Only a hint: who misses one finds out by looking."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg import sql

from adapters.store.postgres.connect import Connection, broken_off
from adapters.store.postgres.pool import Pool
from hub.errors import StoreUnavailable
from hub.ports import Change
from hub.states import TRYING

#: What is due within this time is told at once.
SOON = timedelta(seconds=1)
#: How long it waits before it tries to hear again.
PAUSE = 1.0


def made_due(change: Change) -> bool:
    """Whether somebody may want to take up what the change leaves waiting."""
    soon = datetime.now(UTC) + SOON
    waiting = [one.next_at for one in change.deliveries if one.state in TRYING]
    return any(at is not None and at <= soon for at in (*waiting, *(order.next_at for order in change.moves)))


class Bell:
    """One for each store that is open: `ring` is for the others, `on_due` is called when one of them rang."""

    def __init__(self, connect: Callable[[], Connection], channel: str, on_due: Callable[[], None] | None) -> None:
        self._connect, self._channel, self._on_due = connect, channel, on_due
        self._name = str(uuid.uuid4())
        self._ringing: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._connection: Connection | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-bell", daemon=True)
        if on_due is not None:
            self._thread.start()

    def ring(self, readers: Pool) -> None:
        """Tells the others, without waiting; while it is on its way, it says so for everybody."""
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.create_task(self._rung(readers))

    async def _rung(self, readers: Pool) -> None:
        try:
            await readers.do(lambda session: session.run("ring", self._channel, self._name) and None)
        except StoreUnavailable:
            return  # the others look by themselves

    async def close(self) -> None:
        """Says what is still to be said, and hears no more."""
        if self._ringing is not None:
            await self._ringing
        self._over.set()
        if self._connection is not None:
            broken_off(self._connection)
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._hear()
            except (psycopg.Error, StoreUnavailable, OSError):
                self._over.wait(PAUSE)

    def _hear(self) -> None:
        with self._connect() as connection:
            self._connection = connection
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
            self._call()  # who rang while nobody heard
            while not self._over.is_set():
                if any(note.payload != self._name for note in connection.notifies(timeout=5, stop_after=1)):
                    self._call()

    def _call(self) -> None:
        if self._on_due is not None and not self._over.is_set():
            self._loop.call_soon_threadsafe(self._on_due)
