"""A receipt of ours that the partner does not take: found by its own MessageId, told at the message that it is about, once.

Nobody acknowledges a receipt (HIS 1037 9), so a refusal is all that is ever heard of it. It is believed whether it is
proven or not: what it ends is only our own belief that the receipt has come home, and a person is asked to look.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hub import ids
from hub.events import Entry, Event
from hub.formats import envelope_write
from hub.formats.words import SAID
from hub.kit import Kit
from hub.message import Answer, DeliveryRecord, MessageRecord, NewMessage, channel_to
from hub.ports import ArrivalRecord, Change, Claim, DeliveryFilter, MessageFilter, MoveOrder
from hub.states import Move, State, allowed

CODE = "receipt-refused"
#: In what we write ourselves: envelopes from our own templates.
_MESSAGE_ID = re.compile(rb"<eb:MessageId>([^<]{1,200})</eb:MessageId>")


def message_id(signal: bytes) -> str:
    """The MessageId of a signal that we have written; empty for a SOAP Fault, which has none."""
    found = _MESSAGE_ID.search(signal)
    return found.group(1).decode("ascii", "replace") if found else ""


def named(answer: Answer, to_her: str) -> tuple[Claim, ...]:
    """What a receipt that goes back in the open exchange is found by later: no delivery will hold its MessageId."""
    own = message_id(answer.body)
    return (Claim(_key(to_her, own)),) if own else ()


def _key(to_her: str, own: str) -> str:
    """Ours are UUIDs in lower case, however a partner spells them."""
    return f"receipt:{to_her}:{ids.hyphenated(ids.plain(own)) if ids.is_uuid(own) else own}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the partner says of one receipt of ours."""

    words: str  #: fit to be shown, with whether they are proven
    at: datetime
    arrival_id: str = ""  #: of the refusal, where it came by itself

    @property
    def because(self) -> str:
        """For people."""
        return f"the partner does not take our receipt{SAID}{self.words}"


async def of_delivery(delivery: DeliveryRecord, refusal: Refusal, kit: Kit) -> Change:
    """The refusal of a receipt that went out by itself: taken back, also where it was finished long ago."""
    change = await told_once(delivery, CODE, refusal.because, refusal.at, kit, refusal.arrival_id)
    move = next((m for m in (Move.REFUSE, Move.TAKE_BACK) if allowed(delivery.state, m)), None)
    if move is None:
        entry = _entry(delivery, Event.SIGNAL, refusal, f"; it stood at {delivery.state} already")
        return replace(change, journal=(*change.journal, entry))
    order = MoveOrder(delivery.id, move, refusal.at, CODE, refusal.because, said=refusal.words)
    return replace(change, moves=(order,), journal=(*change.journal, _entry(delivery, Event.MESSAGE_ERROR, refusal)))


def _entry(delivery: DeliveryRecord, event: Event, refusal: Refusal, more: str = "") -> Entry:
    because = f"{refusal.because}{more}"
    return Entry(refusal.at, event, CODE, because, delivery.message_id, delivery.id, refusal.arrival_id)


async def told_once(
    delivery: DeliveryRecord, code: str, because: str, at: datetime, kit: Kit, arrival_id: str = ""
) -> Change:
    """A line in the journal of the message that the receipt of this delivery is about; of its arrival where none was kept.

    None where it, or a copy of it, has been told of before.
    """
    signal = await kit.store.message(delivery.message_id)
    if signal is None or any(_told(one) for one in await _copies(delivery, kit)):
        return Change()
    about = await _answered(signal, kit)
    where = arrival_id or ("" if about else signal.arrival_id)
    text = f"{signal.action} {signal.eb_message_id}: {because}"
    return Change(journal=(Entry(at, Event.RECEIPT_REFUSED, code, text, about, delivery.id, where),))


async def _copies(delivery: DeliveryRecord, kit: Kit) -> list[DeliveryRecord]:
    """The same receipt goes out once for each time that its message comes."""
    own = delivery.eb_message_id
    found = await kit.store.deliveries(DeliveryFilter(eb_message_id=own)) if own else []
    return found or [delivery]


def _told(delivery: DeliveryRecord) -> bool:
    return bool(delivery.said) or delivery.state in (State.REJECTED, State.DEAD)


async def _answered(signal: MessageRecord, kit: Kit) -> str:
    """Our id of the message that a signal answers; empty where nothing but its arrival was kept."""
    wanted = MessageFilter(eb_message_id=signal.original_msg_id, from_her=signal.to_her, limit=1)
    found = await kit.store.messages(wanted) if signal.original_msg_id else []
    return found[0].id if found else ""


async def by_itself(ref: str, sender: str, receiver: str, refusal: Refusal, kit: Kit) -> Change | None:
    """The refusal of a receipt by its MessageId, which `receiver` (ours) gave `sender`; None when there is no such receipt."""
    found = await kit.store.deliveries(DeliveryFilter(eb_message_id=ref)) if ref else []
    ours = [d for d in found if d.kind == "signal" and d.receiver == sender and d.sender == receiver]
    if ours:  # of several copies the newest that is not refused yet
        return await of_delivery(max(ours, key=lambda d: (d.state != State.REJECTED, d.created_at)), refusal, kit)
    known = await kit.store.earlier(_key(sender, ref)) if ref else None
    if known is None or known[1] is None:
        return None
    return _of_exchange(ref, sender, receiver, known[0].message_id, known[1], refusal, kit)


def _of_exchange(
    ref: str, sender: str, receiver: str, about: str, arrival: ArrivalRecord, refusal: Refusal, kit: Kit
) -> Change:
    """The receipt went back in the sender's own exchange: it becomes a message of its own, for a person to see and resend."""
    action = "MessageError" if b"<eb:ErrorList" in arrival.answer else "Acknowledgment"
    record = MessageRecord(
        id=kit.dice.uuid(),
        arrival_id=arrival.arrival.id,
        direction="out",
        kind="signal",
        door="hub",
        received_at=refusal.at,
        from_her=receiver,
        to_her=sender,
        type_code="SIGNAL",
        eb_message_id=ref,
        service=envelope_write.SIGNAL_SERVICE,
        action=action,
        size=len(arrival.answer),
        code=CODE,
        because=refusal.because,
    )
    where = "" if about else arrival.arrival.id
    text = f"{action} {ref}: {refusal.because}"
    delivery = _rejected(record, refusal, kit)
    journal = (
        Entry(refusal.at, Event.RECEIPT_REFUSED, CODE, text, about, delivery.id, refusal.arrival_id or where),
        _entry(delivery, Event.MESSAGE_ERROR, refusal),
    )
    return Change(messages=(NewMessage(record, arrival.answer),), deliveries=(delivery,), journal=journal)


def _rejected(record: MessageRecord, refusal: Refusal, kit: Kit) -> DeliveryRecord:
    """On the list of what was refused; a person may send it again, by itself, to the partner's address."""
    party = kit.directory.party(record.to_her)
    promised = delivery(record, party.endpoint if party is not None else "", kit)
    return replace(promised, state=State.REJECTED, next_at=None, code=CODE, because=refusal.because)


def delivery(record: MessageRecord, address: str, kit: Kit) -> DeliveryRecord:
    """That of a receipt: tried until it is handed over, within PersistDuration; nobody acknowledges it (HIS 1037 9)."""
    now, s = record.received_at, kit.settings
    return DeliveryRecord(
        id=kit.dice.uuid(),
        message_id=record.id,
        sender=record.from_her,
        receiver=record.to_her,
        channel=channel_to(address),
        address=address,
        state=State.WAITING,
        created_at=now,
        next_at=now,
        give_up_at=now + timedelta(seconds=s.persist_duration_seconds),
        apprec_due_at=None,
        retries=s.retries,
        retry_interval=timedelta(seconds=s.retry_interval_seconds),
        eb_message_id=record.eb_message_id,  # by which a refusal of it is found
        kind="signal",
        priority=2,
        rule="built-in: receipts",
        code="accepted",
        because="receipts are asynchronous by agreement, or the exchange was over",
        changed_at=now,
    )
