"""What people ask: where is it, why, whose is it, and what is red. Console and command line ask here, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from hub import ids
from hub.codes import REASONS
from hub.errors import NotFound
from hub.events import Entry
from hub.formats.mail import delivery_of
from hub.message import DeliveryRecord, MessageRecord
from hub.ports import AttemptRecord, DeliveryFilter, Known, ReceiptRecord, Store
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
        """See `outcome`."""
        return outcome(self.message, self.deliveries)


def outcome(message: MessageRecord, deliveries: Sequence[DeliveryRecord]) -> str:
    """`delivered, rejected, overdue, dead, held, under way` and more: the gravest of its deliveries.

    A message without any was refused, or had come before.
    """
    states = {d.state for d in deliveries}
    for state, word in OUTCOMES:
        if state in states:
            return word
    if states:
        return "delivered"
    return "duplicate" if message.code in ("business-duplicate", "duplicate") else "rejected"


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


#: Fewer letters of an id than this are not looked for: they would fit too much.
SHORTEST = 8
#: So many of each kind are looked at that an id fits.
MOST = 20
#: Which id speaks most surely of one thing, the surest first.
_SURE = ("id", "msg_id", "eb_message_id", "document_id", "conversation_id")


@dataclass(frozen=True, slots=True)
class Found:
    """What an id names: a message, and the delivery or arrival of it that was meant; or an arrival that was not taken."""

    message: MessageRecord | None = None
    delivery: str = ""
    arrival: str = ""
    others: tuple[str, ...] = ()  #: ours of more messages that have the same id, the oldest first


async def search(store: Store, wanted: str) -> Found:
    """What is known under an id: any that a message, delivery or arrival has, in any spelling, or its first letters.

    Raises NotFound where its letters fit several that have nothing to do with one another. An id that several messages
    have in common means the first of them.
    """
    if own := await store.message(wanted.strip()):
        return Found(own)
    hits = await _hits(store, wanted)
    if not hits:
        return Found()
    best = min(hits, key=lambda hit: _SURE.index(hit.name)).name
    named = [hit for hit in hits if hit.name == best] if _exact(hits, wanted) else hits
    found = [await _of(store, hit) for hit in named]
    by_message = {f.message.id: f for f in reversed(found) if f.message is not None}
    if not by_message:
        return _one_arrival(found, wanted)
    first, *others = sorted(
        by_message.values(), key=lambda f: (f.message.received_at, f.message.id) if f.message else ()
    )
    if others and not _exact(hits, wanted):
        several = ", ".join(by_message)
        raise NotFound(f"{wanted} is the beginning of several ids: of messages {several}; give more of it")
    return replace(first, others=tuple(f.message.id for f in others if f.message is not None))


async def _hits(store: Store, wanted: str) -> list[Known]:
    """Those whose id it is, else those whose id begins so."""
    written = ids.plain(wanted)
    tries = (delivery_of(wanted), written, written.partition("@")[0])  # a mail's Message-ID names a delivery
    for one in dict.fromkeys(ids.plain(each) for each in tries):
        if len(one) < SHORTEST:
            continue
        hits = await store.known(one, MOST)
        if hits:
            return [hit for hit in hits if _is(hit, one)] or hits
    return []


def _is(hit: Known, written: str) -> bool:
    return written in (whole := ids.plain(hit.value), whole.partition("@")[0])


def _exact(hits: Sequence[Known], wanted: str) -> bool:
    tries = (delivery_of(wanted), wanted, wanted.partition("@")[0])
    return any(_is(hits[0], ids.plain(one)) for one in tries if one)


async def _of(store: Store, hit: Known) -> Found:
    """What one hit leads to."""
    if hit.what == "message":
        return Found(await store.message(hit.id))
    if hit.what == "delivery":
        [promised] = await store.deliveries(DeliveryFilter(ids=(hit.id,)))
        return Found(await store.message(promised.message_id), delivery=hit.id)
    told = await store.journal(arrival_id=hit.id)
    own = next((e.message_id for e in told if e.message_id), "")
    return Found(await store.message(own) if own else None, arrival=hit.id)


def _one_arrival(found: Sequence[Found], wanted: str) -> Found:
    several = list(dict.fromkeys(f.arrival for f in found if f.arrival))
    if len(several) > 1:
        raise NotFound(f"{wanted} fits several arrivals: {', '.join(several)}; give one of these")
    return Found(arrival=several[0]) if several else Found()


async def find(store: Store, wanted: str) -> MessageRecord | None:
    """A message by any of its ids, or those of its deliveries or arrival; see `search`."""
    return (await search(store, wanted)).message


async def story(store: Store, message_id: str) -> Story | None:
    """The whole of one message."""
    message = await find(store, message_id)
    if message is None:
        return None
    deliveries = await store.deliveries(DeliveryFilter(message_id=message.id))
    attempts = [attempt for d in deliveries for attempt in await store.attempts(d.id)]
    return Story(message, deliveries, attempts, await store.receipts(message.id), await store.journal(message.id))


async def delivery_ids(store: Store, wanted: str) -> list[str]:
    """The deliveries that an id means: one, or all of a message."""
    found = await search(store, wanted)
    if found.delivery:
        return [found.delivery]
    if found.message is None:
        return []
    return [d.id for d in await store.deliveries(DeliveryFilter(message_id=found.message.id))]


async def work_list(store: Store, states: tuple[str, ...] = (), limit: int = 100) -> list[DeliveryRecord]:
    """Deliveries in `states`; without them, those that ask for a person."""
    wanted = states or tuple(sorted(NEEDS_A_PERSON))
    return await store.deliveries(DeliveryFilter(states=wanted, limit=limit))


#: Codes that say how it ended, or that something was not taken, and leave open why.
LEAVES_OPEN = frozenset(
    {
        "handed-over",
        "retries-exhausted",
        "persist-duration-over",
        "receipts-missing",
        "receipt-unproven",
        "receipt-not-taken",
        "time-to-live-expired",
        "question-over",
    }
)


def cause(delivery: DeliveryRecord) -> str:
    """The code of why a delivery stands where it does: what went wrong last, where its own code tells only how it ended."""
    return delivery.cause if delivery.cause and delivery.code in LEAVES_OPEN else delivery.code


def upcoming(delivery: DeliveryRecord, now: datetime) -> datetime | None:
    """When it is tried next: never in the past, for what is due is tried now."""
    return None if delivery.next_at is None else max(delivery.next_at, now)


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
    State.EXPIRED: ("its time passed before it was handed over or fetched", "samhub deadletter resend, or discard"),
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
    cause: str = ""  #: the code of why


#: How a time is told.
Told = Callable[[datetime], str]


def iso(at: datetime) -> str:
    """As programs read it."""
    return at.isoformat(timespec="seconds")


def explained(found: Story, now: datetime | None = None, told: Told = iso) -> list[Explanation]:
    """One explanation for each delivery; for a message that was refused at once, one without a delivery.

    With `now` nothing lies ahead that has passed; `told` writes times.
    """
    if not found.deliveries:
        m = found.message
        return [_explanation("", m.to_her, "refused", "it was not taken", _because(m.code, m.because), m.code)]
    return [_of_delivery(d, now, told) for d in found.deliveries]


def _of_delivery(d: DeliveryRecord, now: datetime | None, told: Told) -> Explanation:
    meaning, command = MEANINGS[State(d.state)]
    if d.state == State.REJECTED and d.apprec_status == "2":
        command = ""  # the same document would be refused again (HIS 80415 3.2)
    why, because = cause(d), _because(d.code, d.because)
    if why != d.code and (row := REASONS.get(why)):
        because = f"{row.text} [{why}]; {because}"
    found = _explanation(d.id, d.receiver, d.state, meaning, because, why, _following(d, now, told), command)
    return replace(found, said=d.said)


def _following(d: DeliveryRecord, now: datetime | None, told: Told) -> str:
    parts = []
    if d.next_at is not None and (now is None or d.next_at > now):
        lost = d.lost and d.state == State.SENT
        parts.append(f"{'the answer was lost, asked again at' if lost else 'next try'} {told(d.next_at)}")
    elif d.next_at is not None:
        down = (row := REASONS.get(cause(d))) is not None and row.blame == "network"
        parts.append("next try now" + (", or as soon as its address answers again" if down else ""))
    if d.apprec_due_at and d.state in (State.SENT, State.AVAILABLE, State.ACKNOWLEDGED):
        parts.append(f"AppRec due {told(d.apprec_due_at)}")
    if d.apprec_due_at and d.state == State.OVERDUE:
        parts.append(f"AppRec was due {told(d.apprec_due_at)}")
    return "; ".join(parts)


def _because(code: str, because: str) -> str:
    row = REASONS.get(code)
    return f"{row.text} [{code}]: {because}" if row else because


def _explanation(
    delivery_id: str,
    receiver: str,
    state: str,
    meaning: str,
    because: str,
    code: str,
    following: str = "",
    command: str = "",
) -> Explanation:
    row = REASONS.get(code)
    todo = "; ".join(filter(None, (row.hint.rstrip(".") if row and row.blame != "nobody" else "", command)))
    whose = FAULTS[row.blame] if row else ""
    return Explanation(delivery_id, receiver, state, meaning, because, whose, following, todo, cause=code)


def waited(delivery: DeliveryRecord, now: datetime) -> float:
    """Seconds since it was promised."""
    return (now - delivery.created_at).total_seconds()
