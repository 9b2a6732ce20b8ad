"""hub.ports.Store over PostgreSQL: every verb one transaction, durable when it returns, whichever node asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from adapters.store import changes, claiming, rows
from adapters.store.bodies import Body, mend
from adapters.store.condense import Packed, condensed
from adapters.store.forget import Ages, Forgotten, forgotten
from adapters.store.looking import Looking
from adapters.store.noting import Noting
from adapters.store.packing import Packer
from adapters.store.postgres.bell import Bell, made_due
from adapters.store.postgres.connect import Address, opening
from adapters.store.postgres.dump import dump
from adapters.store.postgres.keeping import broken, give_offsets, sum_up
from adapters.store.postgres.migrate import behind, migrate
from adapters.store.postgres.pool import Pool, Step
from adapters.store.postgres.purge import purge
from adapters.store.postgres.session import PostgresSession, named
from adapters.store.postgres.space import Free, free_space
from adapters.store.proofs import Proving
from adapters.store.proving import proven, tried
from adapters.store.purge import WHOLE, Purged, Rule
from adapters.store.questions import Question
from adapters.store.room import short
from adapters.store.rows import instant, micros
from adapters.store.session import Row, Session
from adapters.store.statements import Migration
from adapters.store.telling import Telling
from hub.digest import sha256
from hub.errors import StoreUnavailable
from hub.events import Notification
from hub.message import Arrival, Claimed, Outcome, Parcel
from hub.neighbours import Room
from hub.ports import Applied, Change, Conflict, Lane, Taken

Result = TypeVar("Result")
#: How long the answer to `writable` is believed, in seconds.
BELIEVED = 0.5
#: Above this a body is digested in a thread.
LARGE = 256 * 1024
#: After so many commits the lines of `standing` are summed up.
SUMMED_UP = 500
#: How long it may take to look at everything.
LONG = 3600.0
#: How often a claim looks again when others were quicker.
LOOKS = 10


@dataclass(frozen=True, slots=True)
class _Opened:
    """What the first connection has found out."""

    schema: str
    free: Free | None


class PostgresStore(Looking, Noting, Telling, Proving):
    """One schema of one database, shared by every node that opens it."""

    def __init__(
        self,
        address: Address,
        found: _Opened,
        *,
        min_free_bytes: int,
        connections: int,
        on_step: Step | None,
        on_due: Callable[[], None] | None,
    ) -> None:
        self.address, self.schema = address, found.schema
        self._free, self._min_free = found.free, min_free_bytes
        seconds = address.answer_seconds
        self.packer = Packer()
        self.packer.load = self._dictionary
        self._writer = Pool(
            lambda: address.connect(writes=True),
            connections,
            writes=True,
            seconds=seconds,
            on_step=on_step,
        )
        self._readers = Pool(lambda: address.connect(writes=False), connections, writes=False, seconds=seconds)
        self._bell = Bell(lambda: address.connect(writes=False), f"samhub {found.schema}"[:63], on_due)
        self._writable = (0.0, False)
        self._summed_up = 0
        self._summing: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        password_file: Path | None = None,
        min_free_bytes: int = 200_000_000,
        free: Free | None = None,
        connections: int = 4,
        connect_seconds: float = 5,
        answer_seconds: float = 30,
        migrations: Sequence[Migration] = (),
        may_migrate: bool = True,
        on_step: Step | None = None,
        on_due: Callable[[], None] | None = None,
    ) -> PostgresStore:
        """Opens the store and brings its schema up to date; unless `may_migrate`, one of an older schema is refused.

        Raises StoreUnavailable with what to do.
        `on_due` is called when another node made something due: a hint. `free` tells the free bytes of the server's
        disk, for who knows better than we can. `connections` are as many that write and as many that look.
        """
        address = Address(url, password_file, connect_seconds, answer_seconds)
        found = await asyncio.to_thread(_opened, address, migrations, may_migrate)
        found = _Opened(found.schema, free or found.free)
        store = cls(
            address,
            found,
            min_free_bytes=min_free_bytes,
            connections=connections,
            on_step=on_step,
            on_due=on_due,
        )
        try:
            await store.know_dictionaries()
        except BaseException:
            await store.close()
            raise
        return store

    async def close(self) -> None:
        """Finishes what waits and closes everything."""
        if self._summing is not None:
            await self._summing
        await self._bell.close()
        await asyncio.to_thread(self._writer.close)
        await asyncio.to_thread(self._readers.close)

    async def __aenter__(self) -> PostgresStore:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def commits(self) -> int:
        """How many transactions have been committed since it was opened."""
        return self._writer.commits

    @property
    def space_known(self) -> bool:
        """Whether the free space of the server's disk can be watched; if not, somebody else must."""
        return self._free is not None

    # --- verbs that write

    async def apply(self, change: Change) -> Applied | Taken | Conflict:
        """See hub.ports.Store."""
        bodies = await _prepared(change)
        done: Applied | Taken | Conflict = await self._writer.do(lambda session: changes.apply(session, change, bodies))
        if isinstance(done, Taken):
            await self._mended(bodies.values())
        return await self._after(done, change)

    async def settle(
        self, delivery_id: str, attempt: int, outcome: Outcome, at: datetime, change: Change
    ) -> Applied | Taken | Conflict:
        """See hub.ports.Store."""
        bodies = await _prepared(change)
        done: Applied | Taken | Conflict = await self._writer.do(
            lambda session: changes.settle(session, delivery_id, attempt, outcome, at, change, bodies)
        )
        return await self._after(done, change)

    async def _after(self, done: Applied | Taken | Conflict, change: Change) -> Applied | Taken | Conflict:
        if isinstance(done, Applied) and made_due(change):
            self._bell.ring(self._readers)
        if self._writer.commits - self._summed_up > SUMMED_UP:
            self._summed_up = self._writer.commits
            self._summing = asyncio.create_task(self._sum_up_beside())
        return done

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
        """See hub.ports.Store. The lanes of the addresses that have something are locked, and then looked at again."""
        taken: list[tuple[str, int]] = []
        clock = micros(by or now) or 0
        for _ in range(LOOKS):
            terms = claiming.Terms(limit - len(taken), skip, per_address, single, only, clock, room)
            wanted = await self._readers.do(partial(claiming.choice, now=micros(now) or 0, terms=terms))
            if not wanted:
                break
            lanes = sorted({one.address for one in wanted})
            more = await self._writer.do(partial(_claim, now=now, lease=lease, terms=terms.among(lanes), lanes=lanes))
            taken += more
            if len(more) >= len(wanted):
                break
        return await self._claimed(taken) if taken else []

    async def _claimed(self, taken: Sequence[tuple[str, int]]) -> list[Claimed]:
        ids = [delivery_id for delivery_id, _ in taken]

        def look(session: PostgresSession) -> list[Claimed]:
            deliveries = {row["id"]: rows.delivery(row) for row in session.run("delivery", ids)}
            wanted = list({one.message_id for one in deliveries.values()})
            messages = {row["id"]: rows.message(row) for row in session.run("message", wanted)}
            parcels = {row["delivery_id"]: self.sealed(row) for row in session.run("parcel", ids)}
            return [
                Claimed(deliveries[one], messages[deliveries[one].message_id], number, parcels.get(one))
                for one, number in taken
            ]

        return await self._readers.do(look)

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
        body = await _body(parcel.body)
        kept = await self._writer.do(
            lambda session: changes.keep_parcel(session, delivery_id, parcel, eb_message_id, body)
        )
        return parcel if kept else await self.parcel(delivery_id) or parcel

    async def undecided(self, now: datetime, limit: int, lease: timedelta) -> list[Arrival]:
        """See hub.ports.Store."""
        if not await self.named("any_undecided", micros(now)):
            return []
        taken = await self._writer.do(lambda session: changes.take_undecided(session, now, limit, lease))
        found = {row["id"]: self.arrived(row) for row in await self.named("arrival", taken)}
        return [found[one].arrival for one in taken]

    async def lead(self, duty: str, node: str, now: datetime, term: timedelta) -> bool:
        """See hub.ports.Store."""
        return await self._writer.do(lambda session: changes.lead(session, duty, node, now, term))

    async def raise_offsets(self, least: int) -> None:
        """See adapters.store.opening.KeptStore; those that wait for theirs get them first, in their order."""

        def work(session: PostgresSession) -> None:
            give_offsets(session)
            session.run("raise_offsets", least)

        await self._writer.do(work)

    async def clock(self) -> datetime | None:
        """See hub.ports.Store: the server's."""
        (row,) = await self.named("clock")
        return instant(row[0])

    # --- verbs that look

    async def lanes(self, now: datetime, limit: int) -> list[Lane]:
        """See hub.ports.Store."""
        return await self._readers.do(lambda session: claiming.lanes(session, micros(now) or 0, limit))

    async def notifications(self, receivers: Sequence[str], offset: int, limit: int) -> list[Notification]:
        """See hub.ports.Store."""
        return await self._told("notifications", receivers, offset, limit)

    async def undeleted(self, receivers: Sequence[str], limit: int) -> list[Notification]:
        """See hub.ports.Store."""
        return await self._told("undeleted", receivers, 0, limit)

    async def _told(self, name: str, receivers: Sequence[str], offset: int, limit: int) -> list[Notification]:
        """Those that are there for all to see are given their offsets first."""
        await self._give_offsets()
        wanted = list(dict.fromkeys(receivers))
        found = await self.named(name, wanted, offset, limit, limit)
        return [rows.notification(row) for row in found]

    async def newest_offset(self, receivers: Sequence[str]) -> int:
        """See hub.ports.Store; of what is there for all to see."""
        await self._give_offsets()
        return int((await self.named("newest_offset", list(dict.fromkeys(receivers))))[0]["value"] or 0)

    async def _give_offsets(self) -> None:
        if await self.named("without_offset"):
            await self._writer.do(give_offsets)

    async def writable(self) -> bool:
        """See hub.ports.Store; believed for half a second, since it is asked for every message."""
        asked, answer = self._writable
        now = time.monotonic()
        if now - asked > BELIEVED:
            answer = self._free is None or self._free() >= self._min_free
            self._writable = (now, answer)
            if self._writer.failing:
                await tried(self._writer)
        return answer and not self._writer.failing

    def room(self) -> tuple[int, int] | None:
        """See hub.ports.Store."""
        return (self._free(), self._min_free) if self._free is not None else None

    def unwritable(self) -> str:
        """See hub.ports.Store."""
        if self._writer.failing:
            return f"the last write failed: {self._writer.failing}"
        return short("the disk of the database", self._free(), self._min_free) if self._free is not None else ""

    async def proven(self, seconds: float) -> bool:
        """See hub.ports.Store."""
        return await proven(self._writer, seconds)

    # --- keeping house

    async def sum_up(self) -> None:
        """Makes one line of the many that moves have added to the counts; done from time to time by itself."""
        await self._writer.do(sum_up)

    async def _sum_up_beside(self) -> None:
        """What a verb has made durable is so, whether this can be done or not."""
        try:
            await self.sum_up()
        except StoreUnavailable:
            return  # the lines stay as they are, until the next time

    async def check(self) -> list[str]:
        """What is broken, in words; empty when every invariant holds."""
        return await self._readers.do(lambda session: broken(session, self.damaged), seconds=LONG)

    async def missing(self) -> list[str]:
        """See adapters.store.opening.KeptStore: the database looks after its rows."""
        return []

    async def pair(self) -> None:
        """See adapters.store.opening.KeptStore: every body lies in the database."""

    async def backup(self, folder: Path) -> Path:
        """A consistent copy, as pg_dump makes it, in `folder`; taken while every node goes on."""
        return await asyncio.to_thread(dump, self.address, self.schema, folder)

    async def condense(self, before: datetime) -> Packed:
        """See adapters.store.opening.KeptStore."""

        def work() -> Packed:
            with opening(self.address) as connection:
                return condensed(PostgresSession(connection), connection.transaction, self.packer, micros(before) or 0)

        return await asyncio.to_thread(work)

    async def forget(self, ages: Ages) -> Forgotten:
        """See adapters.store.opening.KeptStore."""

        def work() -> Forgotten:
            with opening(self.address) as connection:
                return forgotten(PostgresSession(connection), connection.transaction, ages)

        return await asyncio.to_thread(work)

    async def purge(self, before: datetime, *, really: bool, rule: Rule = WHOLE) -> Purged:
        """Removes content that only messages settled before `before` need, while the hub runs; else tells what would go."""
        return await asyncio.to_thread(purge, self.address, before, really=really, rule=rule)

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
        """One that another node has learnt since this one began: fetched once, whoever waits."""
        with opening(self.address) as connection:
            row = connection.execute(named("dictionary"), (number,)).fetchone()
            return None if row is None else bytes(row[0])

    async def named(self, name: str, *values: object) -> list[Row]:
        """See Looking."""
        of_many = name in _OF_MANY and not isinstance(values[0], list)
        given = ([values[0]], *values[1:]) if of_many else values
        return await self._readers.do(lambda session: session.run(name, *given).fetchall())

    async def asked(self, question: Question) -> list[Row]:
        """See Looking."""
        return await self._readers.do(lambda session: session.ask(*question).fetchall())

    def kept(self, row: Row) -> bytes:
        """See Looking: every body lies in the database, since other hosts have no part in our files."""
        return bytes(row["content"])


#: Statements of PostgreSQL that take many ids where the shared one takes one.
_OF_MANY = frozenset({"delivery", "message", "parcel", "arrival"})


def _claim(
    session: PostgresSession, now: datetime, lease: timedelta, terms: claiming.Terms, lanes: list[str]
) -> list[tuple[str, int]]:
    session.run("lock_lanes", lanes)
    return claiming.claim(session, now, lease, terms)


async def _prepared(change: Change) -> dict[bytes, Body]:
    contents = [new.document for new in change.messages]
    if change.arrival is not None:
        contents.append(change.arrival.arrival.body)
    return {content: await _body(content) for content in contents}


async def _body(content: bytes) -> Body:
    digest = await asyncio.to_thread(sha256, content) if len(content) > LARGE else sha256(content)
    return Body(digest, len(content), content)


def _opened(address: Address, known: Sequence[Migration], may_migrate: bool) -> _Opened:
    with opening(address) as connection:
        if not may_migrate and (why := behind(connection)):
            raise StoreUnavailable(f"{address.shown()}: {why}")
        migrate(connection, known)
        row = connection.execute("SELECT current_schema()").fetchone()
        return _Opened(row[0] if row else "", free_space(connection))
