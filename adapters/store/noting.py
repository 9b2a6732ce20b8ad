"""The verbs of a store that write a few rows by their names, for any store that can run a piece of work in a transaction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from adapters.store import changes, rows, systems
from adapters.store.rows import micros
from adapters.store.session import Row, Session
from hub.events import Entry
from hub.message import ApiKey, Configuration
from hub.ports import CircuitRecord, NodeRecord
from hub.record_systems.kept import REVISION, Kept, KeptChange

Result = TypeVar("Result")


class Noting(ABC):
    """What nodes say of themselves, what they have found out of addresses, and what people say of record systems."""

    @abstractmethod
    async def written(self, work: Callable[[Session], Result]) -> Result:
        """The result of `work`, done as one transaction, once it is durable."""

    @abstractmethod
    async def named(self, name: str, *values: object) -> list[Row]:
        """The rows of a statement of read.sql."""

    @abstractmethod
    async def bookmark(self, name: str) -> int:
        """See hub.ports.Store."""

    async def keep_bookmark(self, name: str, value: int) -> None:
        """See hub.ports.Store."""
        await self.written(lambda session: session.run("keep_bookmark", name, value) and None)

    async def tell_node(self, node: NodeRecord) -> None:
        """See hub.ports.Store."""
        await self.written(lambda session: changes.tell_node(session, node))

    async def forget_node(self, node: str) -> None:
        """See hub.ports.Store."""
        await self.written(lambda session: session.run("forget_node", node) and None)

    async def keep_circuits(
        self, kept: Sequence[CircuitRecord], closed: Sequence[str], journal: Sequence[Entry]
    ) -> None:
        """See hub.ports.Store."""
        await self.written(lambda session: changes.keep_circuits(session, kept, closed, journal))

    async def configurations(self, her_ids: Sequence[str]) -> list[Configuration]:
        """See hub.ports.Store."""
        found = [rows.configuration(row) for row in await self.named("configurations")]
        wanted = frozenset(her_ids)
        return [one for one in found if one.her_id in wanted] if wanted else found

    async def configure(
        self, kept: Sequence[Configuration], removed: Sequence[str], client: str, journal: Sequence[Entry]
    ) -> str:
        """See hub.ports.Store."""
        return await self.written(lambda session: changes.configure(session, kept, removed, client, journal))

    async def delete_notifications(self, receivers: Sequence[str], offsets: Sequence[int], at: datetime) -> int:
        """See hub.ports.Store."""
        return await self.written(lambda session: changes.delete_notifications(session, receivers, offsets, at))

    async def systems_kept(self) -> Kept:
        """See hub.record_systems.kept.KeepsSystems: the revision first, so that what is read is never older than it."""
        revision = await self.bookmark(REVISION)
        found, keys = await self.named("record_systems"), await self.named("api_keys")
        return Kept(revision, tuple(map(systems.system, found)), tuple(map(systems.key, keys)))

    async def change_systems(self, revision: int, change: KeptChange) -> bool:
        """See hub.record_systems.kept.KeepsSystems."""
        return await self.written(lambda session: systems.change(session, revision, change))

    async def keys_used(self, used: Mapping[ApiKey, datetime]) -> None:
        """See hub.record_systems.kept.KeepsSystems."""
        at = sorted((key.sha256, key, micros(when)) for key, when in used.items())
        await self.written(lambda session: systems.used(session, [(key, when) for _, key, when in at]))
