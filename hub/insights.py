"""What people ask: where is it, why, whose is it, and what is red. Console and command line ask here, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, replace
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


#: State → what it means for people, and what they can type where they must act.
MEANINGS: dict[State, tuple[str, str]] = {
    State.WAITING: ("not handed over yet; it is tried by itself", ""),
    State.SENT: ("handed over, but the other side has not acknowledged it; it is sent again by itself", ""),
    State.AVAILABLE: ("lies ready for the receiver's record system, which has not fetched it", ""),
    State.ACKNOWLEDGED: ("the other side has it; its AppRec is not home yet", ""),
    State.DONE: ("finished: its AppRec is home, or none is due", ""),
    State.REJECTED: ("refused by the other side", "samhub message resend, if only the envelope was wrong"),
    State.OVERDUE: (
        "no AppRec has said in time and clearly that it was read; one that does is still taken",
        "call the receiver",
    ),
    State.DEAD: ("given up; nothing more happens by itself", "samhub deadletter resend, or discard"),
    State.EXPIRED: ("its TimeToLive passed before it was handed over", "samhub deadletter resend, or discard"),
    State.HELD: ("put aside; nothing happens by itself", "samhub message release"),
    State.DISCARDED: (
        "it shall not be delivered: a person decided so, or it answered a question and nobody took it",
        "",
    ),
}
FAULTS = {
    "sender": "the sender's",
    "receiver": "the receiver's",
    "us": "ours",
    "network": "the network's",
    "nobody": "",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a delivery stands where it does, in sentences: what it means, because of what, whose it is, what comes next."""

    delivery_id: str
    receiver: str
    state: str
    meaning: str
    because: str
    whose: str
    next: str
    what_to_do: str
    said: str = ""  #: the partner's last words about it that nothing proved


def explained(found: Story) -> list[Explanation]:
    """One explanation for each delivery; for a message that was refused at once, one without a delivery."""
    if not found.deliveries:
        m = found.message
        return [_explanation("", m.to_her, "refused", "it was not taken", m.code, m.because, "", "")]
    return [_of_delivery(d) for d in found.deliveries]


def _of_delivery(d: DeliveryRecord) -> Explanation:
    meaning, command = MEANINGS[State(d.state)]
    again = "the answer was lost, asked again at" if d.lost and d.state == State.SENT else "next try"
    following = f"{again} {d.next_at.isoformat(timespec='seconds')}" if d.next_at else ""
    if d.state in (State.SENT, State.AVAILABLE, State.ACKNOWLEDGED) and d.apprec_due_at:
        due = f"AppRec due {d.apprec_due_at.isoformat(timespec='seconds')}"
        following = f"{following}; {due}" if following else due
    found = _explanation(d.id, d.receiver, d.state, meaning, d.code, d.because, following, command)
    return replace(found, said=d.said)


def _explanation(
    delivery_id: str, receiver: str, state: str, meaning: str, code: str, because: str, following: str, command: str
) -> Explanation:
    row = REASONS.get(code)
    said = f"{row.text} [{code}]: {because}" if row else because
    todo = "; ".join(filter(None, (row.hint.rstrip(".") if row and row.blame != "nobody" else "", command)))
    return Explanation(delivery_id, receiver, state, meaning, said, FAULTS[row.blame] if row else "", following, todo)


def waited(delivery: DeliveryRecord, now: datetime) -> float:
    """Seconds since it was promised."""
    return (now - delivery.created_at).total_seconds()
