"""What people ask: where is it, why, whose is it, and what is red. Console and command line ask here, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.codes import REASONS
from hub.events import Entry
from hub.message import DeliveryRecord, MessageRecord
from hub.ports import AttemptRecord, DeliveryFilter, MessageFilter, ReceiptRecord, Store
from hub.states import NEEDS_A_PERSON, State


@dataclass(frozen=True, slots=True)
class Story:
    """Everything known about one message."""

    message: MessageRecord
    deliveries: list[DeliveryRecord]
    attempts: list[AttemptRecord]
    receipts: list[ReceiptRecord]
    journal: list[Entry]

    @property
    def outcome(self) -> str:
        """`delivered, rejected, overdue, dead, held` or `under way`: the gravest of its deliveries."""
        states = {d.state for d in self.deliveries}
        for state, word in OUTCOMES:
            if state in states:
                return word
        return "delivered" if states else "rejected"


#: The gravest first.
OUTCOMES = (
    (State.DEAD, "dead"),
    (State.EXPIRED, "dead"),
    (State.OVERDUE, "overdue"),
    (State.REJECTED, "rejected"),
    (State.HELD, "held"),
    (State.DISCARDED, "discarded"),
    (State.WAITING, "under way"),
    (State.SENT, "under way"),
    (State.AVAILABLE, "under way"),
    (State.ACKNOWLEDGED, "under way"),
)


async def find(store: Store, wanted: str) -> MessageRecord | None:
    """A message by our id, its MsgId, or its ebXML MessageId."""
    if found := await store.message(wanted):
        return found
    for probe in (MessageFilter(msg_id=wanted), MessageFilter(eb_message_id=wanted)):
        if many := await store.messages(probe):
            return many[0]
    return None


async def story(store: Store, message_id: str) -> Story | None:
    """The whole of one message."""
    message = await find(store, message_id)
    if message is None:
        return None
    deliveries = await store.deliveries(DeliveryFilter(message_id=message.id))
    attempts = [attempt for d in deliveries for attempt in await store.attempts(d.id)]
    return Story(message, deliveries, attempts, await store.receipts(message.id), await store.journal(message.id))


async def work_list(store: Store, states: tuple[str, ...] = (), limit: int = 100) -> list[DeliveryRecord]:
    """Deliveries in `states`; without them, those that ask for a person."""
    wanted = states or tuple(sorted(NEEDS_A_PERSON))
    return await store.deliveries(DeliveryFilter(states=wanted, limit=limit))


def advice(code: str) -> str:
    """What to do about a code, in one sentence."""
    row = REASONS.get(code)
    return row.hint if row else ""


def waited(delivery: DeliveryRecord, now: datetime) -> float:
    """Seconds since it was promised."""
    return (now - delivery.created_at).total_seconds()
