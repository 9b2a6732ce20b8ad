"""hub.ports.Store over SQLite: every verb one transaction, durable when it returns (WAL, synchronous FULL)."""

from __future__ import annotations

import asyncio
import heapq
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import TypeVar

from adapters.store import changes, claiming, pairing, rows
from adapters.store.backup import backup, bodies_beside
from adapters.store.bodies import INLINE, Body, mend
from adapters.store.condense import Packed, condensed
from adapters.store.file import connect, opened_file, said
from adapters.store.forget import Ages, Forgotten, forgotten
from adapters.store.looking import Looking, purged, told
from adapters.store.noting import Noting
from adapters.store.packing import Packer
from adapters.store.proofs import Beside
from adapters.store.proving import proven, tried
from adapters.store.purge import WHOLE, Purged, Rule, alone, purge
from adapters.store.questions import Question
from adapters.store.room import short
from adapters.store.rows import micros
from adapters.store.session import Row, Session
from adapters.store.statements import statements
from adapters.store.telling import Telling
from adapters.store.writer import SqliteSession, Step, Writer
from hub.errors import StoreUnavailable
from hub.events import Notification
from hub.message import Arrival, Claimed, Outcome, Parcel
from hub.neighbours import Room
from hub.ports import (
    Applied,
    Change,
    Conflict,
    Lane,
    Taken,
)
from hub.states import State

Result = TypeVar("Result")
#: How long the answer to `writable` is believed, in seconds.
BELIEVED = 0.5
#: Statements that find one row by its key: read on the loop, since a hop to a thread costs several times the look-up.
AT_ONCE = frozenset({"message", "document", "claim_of", "bookmark", "body", "dictionaries"})
#: So many claimed deliveries are read on the loop; more in a thread.
FEW = 4


class SqliteStore(Looking, Noting, Telling):
    """One file, one process that serves; other processes may look, and write a little (the command line)."""

    def __init__(self, path: Path, writer: Writer, packer: Packer, min_free_bytes: int) -> None:
        self.path, self._writer, self._min_free = path, writer, min_free_bytes
        self.packer = packer
        self.packer.load = self._dictionary
        self.bodies = bodies_beside(path)
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="store-reader")
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._writable = (0.0, False)
        self._proofs = Beside(path)

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        min_free_bytes: int = 200_000_000,
        on_step: Step | None = None,
        may_migrate: bool = True,
        apart: bool = False,
    ) -> SqliteStore:
        """Opens or makes the store and brings its schema up to date. Raises StoreUnavailable with what to do.

        Unless `may_migrate`, one of another schema is refused; unless `apart`, one whose bodies are not its own.
        """
        try:
            connection = await asyncio.to_thread(opened_file, path, may_migrate, apart)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(f"{path}: the store cannot be opened: {said(error)}") from None
        packer = Packer()
        store = cls(path, Writer(connection, on_step), packer, min_free_bytes)
        await store.know_dictionaries()
        return store

    async def close(self) -> None:
        """Finishes what waits and closes everything."""
        await asyncio.to_thread(self._writer.close)
        self._readers.shutdown()
        self._proofs.close()
        for connection in self._opened:
            connection.close()

    async def __aenter__(self) -> SqliteStore:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def commits(self) -> int:
        """How many groups have been committed since it was opened."""
        return self._writer.commits

    @property
    def space_known(self) -> bool:
        """Whether the free space of its disk can be watched: it is ours."""
        return True

    # --- verbs that write

    async def apply(self, change: Change) -> Applied | Taken | Conflict:
        """See hub.ports.Store."""
        bodies = await self._prepared(change)
        done = await self._writer.do(lambda session: changes.apply(session, change, bodies))
        if isinstance(done, Taken):
            await self._mended(bodies.values())
        return done

    async def settle(
        self, delivery_id: str, attempt: int, outcome: Outcome, at: datetime, change: Change
    ) -> Applied | Taken | Conflict:
        """See hub.ports.Store."""
        bodies = await self._prepared(change)
        return await self._writer.do(
            lambda session: changes.settle(session, delivery_id, attempt, outcome, at, change, bodies)
        )

    async def claim(
        self,
        now: datetime,
        limit: int,
        lease: timedelta,
        skip: frozenset[str],
        per_address: int,
        *,
        single: frozenset[str] = frozenset(),
        only: frozenset[str] | None = None,
        by: datetime | None = None,
        room: Room | None = None,
    ) -> list[Claimed]:
        """See hub.ports.Store."""
        at, clock = micros(now) or 0, micros(by or now) or 0
        if not self._point(lambda c: claiming.any_due(SqliteSession(c), at, clock, only)):
            return []  # the usual case of a quiet hub: no write, no sync
        terms = claiming.Terms(limit, skip, per_address, single, only, clock, room)
        taken = await self._writer.do(lambda session: claiming.claim(session, now, lease, terms))

        def look(connection: sqlite3.Connection) -> list[Claimed]:
            return [self._claimed(connection, *one) for one in taken]

        few = len(taken) <= FEW and all(number == 1 for _, number in taken)  # a first attempt has no parcel yet
        return self._point(look) if few else await self._read(look)

    def _claimed(self, connection: sqlite3.Connection, delivery_id: str, number: int) -> Claimed:
        sql = statements("read")
        delivery = rows.delivery(connection.execute(sql["delivery"], (delivery_id,)).fetchone())
        message = rows.message(connection.execute(sql["message"], (delivery.message_id,)).fetchone())
        sealed = connection.execute(sql["parcel"], (delivery_id,)).fetchone()
        return Claimed(delivery, message, number, self.sealed(sealed) if sealed else None)

    async def extend(self, delivery_ids: Sequence[str], until: datetime) -> None:
        """See hub.ports.Store."""
        if delivery_ids:
            await self._writer.do(lambda session: changes.extend(session, delivery_ids, until))

    async def pull_back(
        self,
        now: datetime,
        by: datetime,
        lease: timedelta,
        longest: timedelta,
        arrivals: timedelta,
        soon: timedelta | None = None,
    ) -> int:
        """See hub.ports.Store."""
        terms = changes.PullBack(now, by, lease, longest, arrivals, longest if soon is None else soon)
        return await self._writer.do(lambda session: changes.pull_back(session, terms))

    async def keep_parcel(self, delivery_id: str, parcel: Parcel, eb_message_id: str) -> Parcel:
        """See hub.ports.Store."""
        body = await self._body(parcel.body)
        kept = await self._writer.do(
            lambda session: changes.keep_parcel(session, delivery_id, parcel, eb_message_id, body)
        )
        return parcel if kept else await self.parcel(delivery_id) or parcel

    async def undecided(self, now: datetime, limit: int, lease: timedelta) -> list[Arrival]:
        """See hub.ports.Store."""
        if not await self.named("any_undecided", micros(now)):
            return []
        taken = await self._writer.do(lambda session: changes.take_undecided(session, now, limit, lease))

        def look(connection: sqlite3.Connection) -> list[Arrival]:
            found = [connection.execute(statements("read")["arrival"], (one,)).fetchone() for one in taken]
            return [self.arrived(row).arrival for row in found]

        return await self._read(look)

    async def lead(self, duty: str, node: str, now: datetime, term: timedelta) -> bool:
        """See hub.ports.Store."""
        return await self._writer.do(lambda session: changes.lead(session, duty, node, now, term))

    async def raise_offsets(self, least: int) -> None:
        """See adapters.store.opening.KeptStore."""

        def work(session: SqliteSession) -> None:
            session.run("begin_offsets", least)
            session.run("raise_offsets", least, least)

        await self._writer.do(work)

    async def clock(self) -> datetime | None:
        """See hub.ports.Store: one process serves it."""
        return None

    async def claim_proof(self, digest: str, now: datetime, until: datetime) -> bool:
        """See hub.ports.Store."""
        return await self._proofs.claim(digest, now, until)

    # --- verbs that look

    async def lanes(self, now: datetime, limit: int) -> list[Lane]:
        """See hub.ports.Store."""
        return await self._read(lambda connection: claiming.lanes(SqliteSession(connection), micros(now) or 0, limit))

    async def document(self, message_id: str) -> bytes | None:
        """See hub.ports.Store."""
        for row in await self.named("document", message_id):
            if purged(row):
                return None
            return self.content(row) if row["content"] is not None else await asyncio.to_thread(self.content, row)
        return None

    async def notifications(self, receivers: Sequence[str], offset: int, limit: int) -> list[Notification]:
        """See hub.ports.Store."""
        return await self._told("notifications", receivers, offset, limit)

    async def undeleted(self, receivers: Sequence[str], limit: int) -> list[Notification]:
        """See hub.ports.Store."""
        return await self._told("undeleted", receivers, 0, limit)

    async def _told(self, name: str, receivers: Sequence[str], offset: int, limit: int) -> list[Notification]:
        """All receivers are looked at in one moment, lest a later one hides an earlier one."""

        def look(connection: sqlite3.Connection) -> list[sqlite3.Row]:
            sql = statements("read")[name]
            connection.execute("BEGIN")
            try:
                each = (connection.execute(sql, (receiver, offset, limit)) for receiver in dict.fromkeys(receivers))
                return heapq.nsmallest(limit, chain.from_iterable(each), key=itemgetter("offset"))
            finally:
                connection.execute("ROLLBACK")

        return [rows.notification(r) for r in await self._read(look)]

    async def newest_offset(self, receivers: Sequence[str]) -> int:
        """See hub.ports.Store."""

        def look(connection: sqlite3.Connection) -> int:
            sql = statements("read")["newest_offset"]
            each = (connection.execute(sql, (receiver,)).fetchone()["value"] for receiver in dict.fromkeys(receivers))
            return max((value or 0 for value in each), default=0)

        return await self._read(look)

    async def writable(self) -> bool:
        """See hub.ports.Store; believed for half a second, since it is asked for every message."""
        asked, answer = self._writable
        now = time.monotonic()
        if now - asked > BELIEVED:
            answer = shutil.disk_usage(self.path.parent).free >= self._min_free
            self._writable = (now, answer)
            if self._writer.failing:
                await tried(self._writer)
        return answer and not self._writer.failing

    def room(self) -> tuple[int, int] | None:
        """See hub.ports.Store."""
        return shutil.disk_usage(self.path.parent).free, self._min_free

    def unwritable(self) -> str:
        """See hub.ports.Store."""
        if self._writer.failing:
            return f"the last write failed: {self._writer.failing}"
        return short("the disk of the store", shutil.disk_usage(self.path.parent).free, self._min_free)

    async def proven(self, seconds: float) -> bool:
        """See hub.ports.Store."""
        return await proven(self._writer, seconds)

    # --- keeping house

    async def check(self) -> list[str]:
        """What is broken, in words; empty when every invariant holds."""

        def look(connection: sqlite3.Connection) -> list[str]:
            broken = [str(row[0]) for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
            for name, sql in statements("check").items():
                found = [str(row[0]) for row in connection.execute(sql)]
                if found:
                    broken.append(f"{name.replace('_', ' ')}: {', '.join(found)}")
            states = "', '".join(State)
            unknown = connection.execute(f"SELECT id FROM deliveries WHERE state NOT IN ('{states}')")  # noqa: S608  ours
            broken += [f"delivery in no known state: {row[0]}" for row in unknown]
            broken += [why] if (why := pairing.apart(connection, self.bodies)) else []
            return broken + self.damaged(connection.execute(statements("keeping")["needed_bodies"]))

        return await self._read(look)

    async def missing(self) -> list[str]:
        """See adapters.store.opening.KeptStore: the files that are not there, or not of their size."""

        def look(connection: sqlite3.Connection) -> list[str]:
            large = connection.execute(statements("keeping")["large_bodies"]).fetchall()
            return told([self.bodies.told(row["sha256"], row["size"]) for row in large])

        return await self._read(look)

    async def pair(self) -> None:
        """From here on the store and its bodies carry a new mark; see adapters.store.pairing. For the hub that serves it."""

        def work() -> None:
            with closing(connect(self.path)) as connection:
                pairing.pair(connection, self.bodies)

        try:
            await asyncio.to_thread(work)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(f"{self.path}: it could not be marked: {error}") from None

    async def backup(self, folder: Path) -> Path:
        """A consistent copy of the database and every large body in `folder`, taken while the hub runs."""
        try:
            return await self._read(lambda connection: backup(connection, self.path, self.bodies, folder))
        except OSError as error:
            raise StoreUnavailable(f"{folder}: the copy could not be written: {error}") from None

    async def condense(self, before: datetime) -> Packed:
        """See adapters.store.opening.KeptStore."""

        def work() -> Packed:
            with closing(connect(self.path)) as connection:
                connection.execute("PRAGMA secure_delete = 1")  # what is left behind is overwritten
                session = SqliteSession(connection)
                return condensed(session, partial(alone, connection), self.packer, micros(before) or 0)

        try:
            return await asyncio.to_thread(work)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self.path}: not all of it could be packed: {said(error)}") from None

    async def forget(self, ages: Ages) -> Forgotten:
        """See adapters.store.opening.KeptStore."""

        def work() -> Forgotten:
            with closing(connect(self.path)) as connection:
                connection.execute("PRAGMA secure_delete = 1")
                return forgotten(SqliteSession(connection), partial(alone, connection), ages)

        try:
            return await asyncio.to_thread(work)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self.path}: not all of it could be removed: {said(error)}") from None

    async def purge(self, before: datetime, *, really: bool, rule: Rule = WHOLE) -> Purged:
        """Removes content that only messages settled before `before` need, while the hub runs; else tells what would go."""

        def work() -> Purged:
            with closing(connect(self.path)) as connection:
                return purge(connection, self.bodies, before, really=really, rule=rule)

        try:
            return await asyncio.to_thread(work)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(f"{self.path}: not all of it could be purged: {error}") from None

    # --- within

    async def written(self, work: Callable[[Session], Result]) -> Result:
        """See Noting."""
        return await self._writer.do(work)

    async def _mended(self, bodies: Iterable[Body]) -> None:
        """What has come again is whole again, where what was kept of it is damaged."""
        for body in await self.harmed(bodies):
            if body.inline is not None:
                await self._writer.do(partial(mend, body=body))

    def _dictionary(self, number: int) -> bytes | None:
        row = self._point(lambda connection: connection.execute(statements("read")["dictionary"], (number,)).fetchone())
        return None if row is None else bytes(row["content"])

    async def _prepared(self, change: Change) -> dict[bytes, Body]:
        contents = [new.document for new in change.messages]
        if change.arrival is not None:
            contents.append(change.arrival.arrival.body)
        return {content: await self._body(content) for content in contents}

    async def _body(self, content: bytes) -> Body:
        """A large body goes to its file in a thread, before the transaction that names it."""
        try:
            if len(content) > INLINE:
                return await asyncio.to_thread(self.bodies.prepared, content)
            return self.bodies.prepared(content)
        except OSError as error:
            self._writer.failing = str(error.strerror)
            raise StoreUnavailable(f"the store could not be written: {error.strerror}") from None

    async def named(self, name: str, *values: object) -> list[Row]:
        """See Looking."""
        question = (statements("read")[name], list(values))
        if name in AT_ONCE:
            return self._point(lambda connection: connection.execute(*question).fetchall())
        return await self.asked(question)

    async def asked(self, question: Question) -> list[Row]:
        """See Looking."""
        return await self._read(lambda connection: connection.execute(*question).fetchall())

    def kept(self, row: Row) -> bytes:
        """See Looking."""
        return self.bodies.read(row["sha256"], row["content"])

    def _point(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """A few rows by their keys, read here and now: a hop to a thread costs several times the look-up."""
        try:
            return work(self._reader())
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the store could not be read: {said(error)}") from None

    async def _read(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._readers, lambda: work(self._reader()))
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the store could not be read: {said(error)}") from None

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = connect(self.path)
            connection.execute("PRAGMA query_only = 1")
            self._local.connection = connection
            self._opened.append(connection)
        return connection
