"""Lists for people: each row names its message, what it is, whose it is, and whose turn it is; cut, they say of how many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar

from hub.codes import REASONS
from hub.insights import FAULTS, advice, cause, outcome, upcoming
from hub.message import DeliveryRecord, MessageRecord
from hub.ports import ArrivalFacts, ArrivalFilter, ArrivalRecord, DeliveryFilter, MessageFilter, Store

Row = TypeVar("Row")
#: HER-id → the name in the register, empty for nobody's.
Names = Callable[[str], str]
#: Most deliveries of the messages of one page.
MOST = 100_000


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows of a list, and how many there are in all."""

    rows: Sequence[Row]
    total: int


@dataclass(frozen=True, slots=True)
class ListedMessage:
    """A message with what became of it."""

    message: MessageRecord
    outcome: str
    from_name: str
    to_name: str


@dataclass(frozen=True, slots=True)
class ListedDelivery:
    """A delivery with its message, why it stands where it does, whose that is and what to do."""

    delivery: DeliveryRecord
    message: MessageRecord | None
    cause: str
    whose: str
    what_to_do: str
    next_at: datetime | None
    from_name: str
    to_name: str


@dataclass(frozen=True, slots=True)
class ListedArrival:
    """An arrival that was not taken, or was: whose it is as far as could be read."""

    arrival: ArrivalRecord
    state: str
    from_name: str
    to_name: str
    whose: str
    what_to_do: str


async def messages(store: Store, wanted: MessageFilter, names: Names) -> Page[ListedMessage]:
    """Newest first, each with the gravest of what became of its deliveries."""
    found = await store.messages(wanted)
    ids = tuple(m.id for m in found)
    promised = await store.deliveries(DeliveryFilter(message_ids=ids, limit=MOST)) if ids else []
    rows = [
        ListedMessage(m, outcome(m, [d for d in promised if d.message_id == m.id]), names(m.from_her), names(m.to_her))
        for m in found
    ]
    return Page(rows, await store.count(wanted))


async def deliveries(store: Store, wanted: DeliveryFilter, names: Names, now: datetime) -> Page[ListedDelivery]:
    """Deliveries, each with the message that it brings."""
    found = await store.deliveries(wanted)
    ids = tuple({d.message_id for d in found})
    known = {m.id: m for m in await store.messages(MessageFilter(ids=ids, limit=len(ids)))} if ids else {}
    rows = [_delivery(d, known.get(d.message_id), names, now) for d in found]
    return Page(rows, await store.count(wanted))


def _delivery(d: DeliveryRecord, message: MessageRecord | None, names: Names, now: datetime) -> ListedDelivery:
    why = cause(d)
    row = REASONS.get(why)
    whose = FAULTS[row.blame] if row else ""
    return ListedDelivery(d, message, why, whose, advice(why), upcoming(d, now), names(d.sender), names(d.receiver))


async def arrivals(store: Store, wanted: ArrivalFilter, names: Names) -> Page[ListedArrival]:
    """Arrivals, newest first, without their bytes; of those that were taken their message says whose they are."""
    found = await store.arrivals(replace(wanted, bare=True))
    rows = [await _arrival(store, record, names) for record in found]
    return Page(rows, await store.count(wanted))


async def _arrival(store: Store, record: ArrivalRecord, names: Names) -> ListedArrival:
    if record.state == "accepted":
        record = replace(record, facts=await _taken(store, record))
    return listed(record, names)


async def _taken(store: Store, record: ArrivalRecord) -> ArrivalFacts:
    """What the message says that was taken, or that came again."""
    told = await store.journal(arrival_id=record.arrival.id, limit=20)
    own = next((e.message_id for e in told if e.message_id), "")
    m = await store.message(own) if own else None
    if m is None:
        return record.facts
    return ArrivalFacts(m.from_her, m.to_her, m.type_code, m.msg_id, m.eb_message_id, m.conversation_id)


def listed(record: ArrivalRecord, names: Names) -> ListedArrival:
    """The row of an arrival."""
    row, facts = REASONS.get(record.code), record.facts
    state = "discarded" if record.discarded_at is not None else record.state
    whose = FAULTS[row.blame] if row else ""
    return ListedArrival(record, state, names(facts.from_her), names(facts.to_her), whose, advice(record.code))
