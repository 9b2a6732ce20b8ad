"""The verbs of hub.ports.Store that look, for any store that can be asked by named statements and questions."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from datetime import datetime

from adapters.store import questions, rows
from adapters.store.bodies import Body, whole
from adapters.store.packing import Packer
from adapters.store.questions import Question
from adapters.store.rows import micros
from adapters.store.session import Row
from hub.errors import ContentLost
from hub.events import Entry
from hub.message import DeliveryRecord, MessageRecord, Parcel
from hub.ports import (
    ArrivalFilter,
    ArrivalRecord,
    AttemptRecord,
    CircuitRecord,
    DeliveryFilter,
    Known,
    Learnt,
    MessageFilter,
    NodeRecord,
    ReceiptRecord,
    Taken,
)
from hub.states import State

#: So many damaged bodies are named.
MOST_NAMED = 10


class Looking(ABC):
    """Turns rows into values; how they are read is the store's own."""

    packer: Packer

    async def know_dictionaries(self) -> None:
        """Those that are kept; the others are learnt."""
        for row in await self.named("dictionaries"):
            self.packer.know(row["number"], row["kind"], bytes(row["content"]))

    @abstractmethod
    async def named(self, name: str, *values: object) -> list[Row]:
        """The rows of a statement of read.sql."""

    @abstractmethod
    async def asked(self, question: Question) -> list[Row]:
        """The rows of a question."""

    @abstractmethod
    def kept(self, row: Row) -> bytes:
        """What is kept of a body, given its columns `sha256` and `content`. Raises ContentLost."""

    def content(self, row: Row) -> bytes:
        """The bytes of a body, as they came; none of one that was purged. Raises ContentLost."""
        kept = self.kept(row)
        if row["content"] is None or not kept:
            return whole(row["sha256"], kept)  # a file holds them as they are
        try:
            return whole(row["sha256"], self.packer.unpack(kept))
        except ContentLost as lost:
            raise ContentLost(f"body {row['sha256']}: {lost}") from None

    async def harmed(self, bodies: Iterable[Body]) -> list[Body]:
        """Those of which something else is kept than came; not those that were purged, or that nobody knows."""
        found = []
        for body in bodies:
            for row in await self.named("body", body.sha256):
                try:
                    await asyncio.to_thread(self.content, row)
                except ContentLost:
                    found.append(body)
        return found

    async def missing_apprecs(self, now: datetime, limit: int) -> list[DeliveryRecord]:
        """See hub.ports.Store."""
        return [rows.delivery(r) for r in await self.named("missing_apprecs", micros(now), limit)]

    async def earlier(self, key: str) -> tuple[Taken, ArrivalRecord | None] | None:
        """See hub.ports.Store."""
        for row in await self.named("claim_of", key):
            found = await self._arrivals(await self.named("arrival", row["arrival_id"]))
            return Taken(key, row["digest"], row["arrival_id"], row["message_id"]), found[0] if found else None
        return None

    async def message(self, message_id: str) -> MessageRecord | None:
        """See hub.ports.Store."""
        return next((rows.message(r) for r in await self.named("message", message_id)), None)

    async def document(self, message_id: str) -> bytes | None:
        """See hub.ports.Store."""
        for row in await self.named("document", message_id):
            return None if purged(row) else await asyncio.to_thread(self.content, row)
        return None

    async def messages(self, wanted: MessageFilter) -> list[MessageRecord]:
        """See hub.ports.Store."""
        return [rows.message(r) for r in await self.asked(questions.messages(wanted))]

    async def deliveries(self, wanted: DeliveryFilter) -> list[DeliveryRecord]:
        """See hub.ports.Store."""
        return [rows.delivery(r) for r in await self.asked(questions.deliveries(wanted))]

    async def attempts(self, delivery_id: str) -> list[AttemptRecord]:
        """See hub.ports.Store."""
        return [rows.attempt(r) for r in await self.named("attempts", delivery_id)]

    async def receipts(self, message_id: str) -> list[ReceiptRecord]:
        """See hub.ports.Store."""
        found = await self.named("receipts", message_id)
        return [rows.receipt(row, self.packer.unpack(bytes(row["body"]))) for row in found]

    async def journal(self, message_id: str = "", arrival_id: str = "", limit: int = 1000) -> list[Entry]:
        """See hub.ports.Store."""
        if message_id:
            found = await self.named("journal_of_message", message_id, limit)
        elif arrival_id:
            found = await self.named("journal_of_arrival", arrival_id, limit)
        else:
            found = await self.named("journal_newest", limit)
        return [rows.entry(r) for r in found]

    async def arrivals(self, wanted: ArrivalFilter) -> list[ArrivalRecord]:
        """See hub.ports.Store."""
        found = await self.asked(questions.arrivals(wanted))
        if not wanted.bare:
            return await self._arrivals(found)
        return [rows.arrival(row, b"", self.packer.unpack(bytes(row["answer"]))) for row in found]

    async def _arrivals(self, found: Sequence[Row]) -> list[ArrivalRecord]:
        def read() -> list[ArrivalRecord]:
            return [self.arrived(row) for row in found]

        return await asyncio.to_thread(read) if found else []

    def arrived(self, row: Row) -> ArrivalRecord:
        """A row of `arrivals` with its body; one that cannot be read has none, and says so, and harms no other."""
        answer = self.packer.unpack(bytes(row["answer"]))
        try:
            return rows.arrival(row, self.content(row), answer)
        except ContentLost as lost:
            return rows.arrival(row, b"", answer, ("content-lost", str(lost)))

    async def count(self, wanted: MessageFilter | DeliveryFilter | ArrivalFilter) -> int:
        """See hub.ports.Store."""
        return next((int(row["number"]) for row in await self.asked(questions.counted(wanted))), 0)

    async def known(self, beginning: str, limit: int) -> list[Known]:
        """See hub.ports.Store."""
        found = await self.asked(questions.known(beginning, limit))
        return [Known(row["what"], row["id"], row["name"], row["value"]) for row in found]

    async def refusals(self) -> dict[tuple[str, str], int]:
        """See hub.ports.Store."""
        return {(row["state"], row["code"]): row["number"] for row in await self.named("refusals")}

    async def parcel(self, delivery_id: str) -> Parcel | None:
        """See hub.ports.Store."""
        for row in await self.named("parcel", delivery_id):
            return await asyncio.to_thread(self.sealed, row)
        return None

    def sealed(self, row: Row) -> Parcel | None:
        """A row of `parcels` with its body; None when that was purged. One that cannot be read says so, and harms no other."""
        if purged(row):
            return None
        try:
            return rows.parcel(row["headers"], row["digests"], self.content(row))
        except ContentLost as lost:
            return rows.parcel(row["headers"], row["digests"], b"", str(lost))

    def damaged(self, bodies: Iterable[Row]) -> list[str]:
        """Which bodies cannot be read as they came, in words; the first of them, and how many there are."""
        found = []
        for row in bodies:
            try:
                self.content(row)
            except ContentLost as lost:
                found.append(str(lost))
        return told(found)

    async def counts(self) -> dict[str, int]:
        """See hub.ports.Store; states without any delivery count 0."""
        found = {str(state): 0 for state in State}
        for row in await self.named("counts"):
            found[row["state"] if row["kind"] == "delivery" else f"{row['kind']}:{row['state']}"] = row["number"]
        return found

    async def nodes(self) -> list[NodeRecord]:
        """See hub.ports.Store."""
        return [rows.node(r) for r in await self.named("nodes")]

    async def jumped(self) -> datetime | None:
        """See adapters.store.opening.KeptStore."""
        found = await self.named("jumped")
        return rows.instant(found[0]["at"]) if found else None

    async def circuits(self) -> list[CircuitRecord]:
        """See hub.ports.Store."""
        return [rows.circuit(row) for row in await self.named("circuits")]

    async def learnt(self) -> list[Learnt]:
        """See hub.ports.Store."""
        return [rows.learnt(row) for row in await self.named("learnt")]

    async def bookmark(self, name: str) -> int:
        """See hub.ports.Store."""
        return next((int(row["value"]) for row in await self.named("bookmark", name)), 0)


def told(found: Sequence[str]) -> list[str]:
    """The first of what is damaged, and how much more there is."""
    named = [words for words in found if words]
    more = [f"and {len(named) - MOST_NAMED} bodies more"] if len(named) > MOST_NAMED else []
    return named[:MOST_NAMED] + more


def purged(row: Row) -> bool:
    """Whether the content of a body has been removed."""
    return bool(row["size"]) and row["content"] == b""
