"""Opens the store that the settings name: the embedded one, or the one that several nodes share."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Protocol

from adapters.store.backup import backup, bodies_beside
from adapters.store.condense import Packed
from adapters.store.file import connect
from adapters.store.forget import Ages, Forgotten
from adapters.store.migrate import migrate
from adapters.store.purge import WHOLE, Purged, Rule
from adapters.store.settings import StoreSettings
from adapters.store.sqlite import SqliteStore
from adapters.store.writer import Step
from hub.clock import JUMP, STANDS
from hub.errors import StoreUnavailable
from hub.ports import Store
from hub.record_systems.kept import KeepsSystems


class KeptStore(Store, KeepsSystems, Protocol):
    """A store with all that keeping house asks of it, and an end."""

    @property
    def commits(self) -> int:
        """How many transactions, or groups of them, have been committed since it was opened."""
        ...

    @property
    def space_known(self) -> bool:
        """Whether the free space of its disk can be watched from here; if not, somebody else must."""
        ...

    async def check(self) -> list[str]:
        """What is broken, in words; empty when every invariant holds."""
        ...

    async def pair(self) -> None:
        """What was copied before fits no more beside what is not in the database; for the hub that serves it, now and then."""
        ...

    async def missing(self) -> list[str]:
        """Bodies that cannot be whole, in words, as far as that is seen without reading any."""
        ...

    async def backup(self, folder: Path) -> Path:
        """A consistent copy in `folder`, taken while the hub runs."""
        ...

    async def condense(self, before: datetime) -> Packed:
        """Packs what came before `before` and is kept as it came; in small steps, beside everybody else."""
        ...

    async def purge(self, before: datetime, *, really: bool, rule: Rule = WHOLE) -> Purged:
        """Removes content that only messages settled before `before` need; else tells what would go."""
        ...

    async def forget(self, ages: Ages) -> Forgotten:
        """Removes rows that are older; in small steps, beside everybody else."""
        ...

    async def raise_offsets(self, least: int) -> None:
        """Notifications from now on get offsets above `least`, or go on above the greatest given, if that is more."""
        ...

    async def jumped(self) -> datetime | None:
        """What the clock told after the last jump that a hub has journaled, if that is not long ago."""
        ...

    async def close(self) -> None:
        """Finishes what waits and closes everything."""
        ...

    async def __aenter__(self) -> KeptStore: ...
    async def __aexit__(self, *_: object) -> None: ...


async def untrusted(store: KeptStore, now: datetime) -> str:
    """Why nothing should be removed by a clock that tells `now`; empty where nothing speaks against it.

    A hub has lately seen it jump, or it is behind what has been journaled, or it is not what the store's server has.
    """
    shared = await store.clock()
    if shared is not None and abs(shared - now) > JUMP:
        return f"this machine's clock tells {now:%Y-%m-%d %H:%M}, that of the store's server {shared:%Y-%m-%d %H:%M}"
    newest = await store.journal(limit=1)
    if newest and newest[-1].at > now + JUMP:
        return f"the clock tells {now:%Y-%m-%d %H:%M}, and the newest line of the journal is of {newest[-1].at:%Y-%m-%d %H:%M}"
    jumped = await store.jumped()
    if jumped is not None and now < jumped + STANDS:
        return f"the clock jumped at {jumped:%Y-%m-%d %H:%M}; try again when it has stood until {jumped + STANDS:%H:%M}"
    return ""


async def opened(
    settings: StoreSettings,
    *,
    on_step: Step | None = None,
    on_due: Callable[[], None] | None = None,
    may_migrate: bool = True,
    apart: bool = False,
) -> KeptStore:
    """The store. Raises StoreUnavailable with what to do.

    `on_step` is called at its durable steps; `on_due` when another node has made something due. Unless `may_migrate`, one
    whose schema is of an older hub is refused; unless `apart`, one whose large bodies are of another day.
    """
    if not settings.url:
        return await SqliteStore.open(
            settings.path,
            min_free_bytes=settings.min_free_bytes,
            on_step=on_step,
            may_migrate=may_migrate,
            apart=apart,
        )
    from adapters.store.postgres import PostgresStore  # who does not need it does not wait for it

    return await PostgresStore.open(
        settings.url,
        password_file=settings.password_file,
        min_free_bytes=settings.min_free_bytes,
        connections=settings.connections,
        connect_seconds=settings.connect_seconds,
        answer_seconds=settings.answer_seconds,
        may_migrate=may_migrate,
        on_step=on_step,
        on_due=on_due,
    )


async def backed_up(settings: StoreSettings, folder: Path) -> Path:
    """A consistent copy in `folder`, taken while the hub runs; whatever its schema, for one is taken before that is changed."""
    if settings.url:
        from adapters.store.postgres.dump import dumped

        return await asyncio.to_thread(dumped, settings.url, settings.password_file, folder)

    def work() -> Path:
        with closing(connect(settings.path)) as connection:
            connection.execute("PRAGMA query_only = 1")
            return backup(connection, settings.path, bodies_beside(settings.path), folder)

    try:
        return await asyncio.to_thread(work)
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(f"{folder}: the copy could not be written: {error}") from None


async def adopted(settings: StoreSettings) -> list[str]:
    """The bodies that lie beside the embedded store are its own from here on; what is missing or damaged, in words."""
    async with await SqliteStore.open(settings.path, may_migrate=False, apart=True) as store:
        await store.pair()
        return await store.check()


def where(settings: StoreSettings) -> str:
    """What people call it."""
    return settings.url or str(settings.path)


async def migrated(settings: StoreSettings) -> list[int]:
    """Brings the schema up to date, and makes the store if there is none; the numbers of the migrations applied."""

    def embedded() -> list[int]:
        settings.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(settings.path, isolation_level=None)) as connection:
            return migrate(connection)

    if settings.url:
        from adapters.store.postgres.migrate import migrated as shared

        return await asyncio.to_thread(shared, settings.url, settings.password_file)
    try:
        return await asyncio.to_thread(embedded)
    except (sqlite3.Error, OSError) as error:
        raise StoreUnavailable(f"{settings.path}: {error}") from None
