"""Turns a message and a decision into what the hub promises: deliveries, AppRecs, and what a receipt means for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from hub import bus_parcel, wishes
from hub.errors import NotAllowed
from hub.events import Entry, Event, Notification, NotificationType
from hub.formats import document as documents
from hub.formats.apprec import AppRec, AppRecError
from hub.formats.apprec_write import APPREC_ERRORS, write
from hub.formats.document import Address, Document, Ident, Named
from hub.formats.times import parse_instant
from hub.formats.words import LONGEST_TOGETHER, quoted
from hub.kit import Kit
from hub.message import (
    BUS,
    BUS_DOOR,
    NOTHING_WISHED,
    SEALED,
    Channel,
    Decision,
    DeliveryRecord,
    MessageRecord,
    NewMessage,
    Transport,
)
from hub.ports import Change, Claim, DeliveryFilter, MessageFilter, MoveOrder, ReceiptRecord, RouteFacts
from hub.states import Move, State, allowed
from hub.verdict import Hold

#: Doors of synchronous traffic: the answer is the receipt of a question, and has none itself (nhn-amqp.md §4.2).
ANSWERED_OTHERWISE = frozenset({f"{BUS_DOOR}sync", f"{BUS_DOOR}syncreply"})
#: A document older than this share of the deadline was not written for this hand-over: its time then counts from there.
#: So the deadline is never past, and most of it is left, when it begins; of 96 hours it is a day.
OLD = 1 / 4


def facts(
    message: MessageRecord, receiver: str, kit: Kit, *, urgent: bool = False, at: datetime | None = None
) -> RouteFacts:
    """What a routing rule may know about one message and one receiver, whose address is that of `at`, else of when it came.

    Rules look at the clock of when it came, so that a night's rule holds for what came in that night.
    """
    party = kit.directory.party(receiver)
    endpoint = ""
    if party is not None and not party.local:
        endpoint = _endpoint(message, receiver, kit, at or message.received_at)
    return RouteFacts(
        direction=message.direction,
        sender=message.from_her,
        receiver=receiver,
        receiver_local=bool(party and party.local),
        receiver_known=party is not None,
        type_code=message.type_code,
        version=message.version,
        namespace=message.namespace,
        service=message.service,
        action=message.action,
        size=message.size,
        at=message.received_at,
        kind=message.kind,
        system=(party.system or "") if party else "",
        endpoint=endpoint,
        urgent=urgent,
    )


def _endpoint(message: MessageRecord, receiver: str, kit: Kit, at: datetime) -> str:
    """The bus where a CPA or CPP names this function there, else the party's ebXML address, else its queue."""
    bus = bus_parcel.agreed(message, receiver, kit, at)
    if bus.endpoint and bus.functions is not None and any(map(bus.allows, message.functions)):
        return bus.endpoint
    return _ebxml_endpoint(message, receiver, kit, at) or bus.endpoint


def _ebxml_endpoint(message: MessageRecord, receiver: str, kit: Kit, at: datetime) -> str:
    return wishes.agreed(message, message.from_her, receiver, kit, at).endpoint


def apprec_due(message: MessageRecord, kit: Kit) -> datetime | None:
    """96 hours after GenDate (HIS 80415 3.3.4); none for an AppRec, nor for standards that are not answered by one."""
    standard = kit.schemas.find(message.namespace)
    if message.kind != "business" or (standard is not None and standard.apprec == "none"):
        return None
    if message.door in ANSWERED_OTHERWISE:
        return None
    deadline = timedelta(hours=kit.settings.apprec_deadline_hours)
    start = message.gen_date or message.received_at
    if abs(start - message.received_at) > deadline * OLD:
        start = message.received_at
    return start + deadline


def delivery(message: MessageRecord, decision: Decision, kit: Kit) -> DeliveryRecord:
    """Our promise to bring `message` where `decision` says, within what is agreed."""
    now, channel = message.received_at, decision.channel or Channel.MAILBOX
    agreed = _agreed(message, decision, kit)
    life = timedelta(seconds=kit.settings.sync_seconds) if channel is Channel.AMQP_SYNC else agreed[3]
    state = State.AVAILABLE if channel is Channel.MAILBOX else State.WAITING
    if decision.action == "hold":
        state = State.HELD
    return DeliveryRecord(
        id=kit.dice.uuid(),
        message_id=message.id,
        sender=message.from_her,
        receiver=decision.receiver,
        channel=channel,
        address=decision.address,
        state=state,
        created_at=now,
        next_at=now if state is State.WAITING else None,
        give_up_at=now + agreed[2],
        apprec_due_at=None if channel is Channel.AMQP_SYNC else apprec_due(message, kit),
        expires_at=now + life if life else None,
        retries=agreed[0],
        retry_interval=agreed[1],
        eb_message_id=kit.dice.uuid() if channel in SEALED else "",
        kind=message.kind,
        priority=decision.priority,
        rule=decision.rule,
        urgent=decision.urgent,
        code=decision.code if state is State.HELD else "accepted",
        because=decision.because,
        changed_at=now,
    )


def _agreed(message: MessageRecord, decision: Decision, kit: Kit) -> tuple[int, timedelta, timedelta, timedelta | None]:
    """Retries, RetryInterval, PersistDuration and TimeToLive: the agreement's, else the settings'."""
    s = kit.settings
    if (
        decision.channel in BUS
    ):  # no agreement speaks of a broker, and whoever takes it twice knows it (nhn-amqp.md §4.5)
        return s.retries, timedelta(seconds=s.bus_retry_seconds), timedelta(seconds=s.persist_duration_seconds), None
    if decision.channel in SEALED:
        found = wishes.agreed(message, message.from_her, decision.receiver, kit, message.received_at)
        if not found.fault:
            return found.retries, found.retry_interval, found.persist_duration, found.time_to_live
    return s.retries, timedelta(seconds=s.retry_interval_seconds), timedelta(seconds=s.persist_duration_seconds), None


def promised(message: MessageRecord, decision: Decision, kit: Kit) -> Change:
    """A delivery with its journal line, and a word to the record system whose mailbox it lies in."""
    made = delivery(message, decision, kit)
    event = Event.HELD if made.state == State.HELD else Event.ROUTED
    entry = Entry(message.received_at, event, made.code, decision.because, message.id, made.id, message.arrival_id)
    notes: tuple[Notification, ...] = ()
    if made.channel is Channel.MAILBOX and made.state == State.AVAILABLE:
        notes = (new_message(message, made.receiver, message.received_at),)
    return Change(deliveries=(made,), journal=(entry,), notifications=notes)


def new_message(message: MessageRecord, receiver: str, at: datetime) -> Notification:
    """NewMessage (EDI 2.0 A10.2)."""
    return Notification(NotificationType.NEW_MESSAGE, message.id, receiver, message.from_her, at)


def joined(*changes: Change) -> Change:
    """Several changes as one; at most one of them may carry an arrival."""
    whole = Change()
    for one in changes:
        whole = Change(
            arrival=one.arrival or whole.arrival,
            claims=whole.claims + one.claims,
            messages=whole.messages + one.messages,
            deliveries=whole.deliveries + one.deliveries,
            moves=whole.moves + one.moves,
            words=whole.words + one.words,
            receipts=whole.receipts + one.receipts,
            notifications=whole.notifications + one.notifications,
            journal=whole.journal + one.journal,
            learnt=whole.learnt + one.learnt,
        )
    return whole


def apprec_key(original: MessageRecord, receiver: str) -> str:
    """One AppRec per receiver of a document, ever (HITS 1168 5.1).

    A MsgId is its sender's: two senders may use the same one. What is no MsgId tells no documents apart.
    """
    known = original.msg_id and original.code != "document-msgid"
    return f"apprec:{receiver}:{original.from_her}:{original.msg_id if known else original.id}"


def apprec(
    original: MessageRecord,
    document: Document,
    answering: str,
    errors: tuple[AppRecError, ...],
    kit: Kit,
    now: datetime,
    wished: Transport = NOTHING_WISHED,
) -> Change | None:
    """The AppRec of receiver `answering` about `document`, made and promised to its sender; None where none is due.

    Status 1 without errors, 2 (Avvist) with. Never an AppRec on an AppRec (HITS 1168 Fig. 1). The version follows the
    document's standard (HITS 1168 8.3). Raises NotAllowed where what is `wished` in its envelope cannot be followed.
    """
    standard = kit.schemas.find(document.namespace)
    version = standard.apprec if standard is not None else "1.0"
    if document.kind == "apprec" or version == "none" or original.door in ANSWERED_OTHERWISE:
        return None
    address, role = _answering(document, answering)
    sender = _numbered(document.sender, original.from_her, kit)
    apprec_id = kit.dice.uuid()
    body = write(
        replace(document, sender=sender),
        version="1.1" if version == "1.1" else "1.0",
        apprec_id=apprec_id,
        now=now,
        receiver=_numbered(address, answering, kit),
        role=role,
        status="2" if errors else "1",
        errors=errors,
        software=(kit.settings.software_name, kit.settings.software_version),
    )
    record = _apprec_record(original, answering, apprec_id, version, len(body), kit, now)
    wished, why = wishes.weighed(record, wished, (record.to_her,), kit)
    if why is not None:
        raise NotAllowed(why.code, why.because)
    record = wishes.followed(record, wished)
    sent = bring(record, body, kit, claims=(Claim(apprec_key(original, answering)),))
    code = "apprec-negative" if errors else "apprec-ok"
    text = _named(errors) or "document accepted"
    entry = Entry(now, Event.APPREC_SENT, code, f"AppRec {version}: {text}", original.id)
    return joined(sent, Change(journal=(entry,)))


def _answering(document: Document, her_id: str) -> tuple[Address, str]:
    """The receiver entry of the document that answers, and its role: PRIM, or COP for a copy (HITS 1168 6.2)."""
    for copy in document.copies:
        if her_id in copy.her_ids and her_id not in document.receiver.her_ids:
            return copy, "COP"
    return document.receiver, "PRIM"


def _numbered(address: Address, her_id: str, kit: Kit) -> Address:
    """The address as the document has it; where it gives no number at all, the one that the envelope was proven with.

    Else nobody could tell whom an AppRec is from or for (HIS 80415 3.5).
    """
    parts = [part for part in (address.organisation, address.unit, address.person) if part is not None]
    if any(ident.value for part in parts for ident in part.idents):
        return address
    party = kit.directory.party(her_id)
    name = address.organisation.name if address.organisation else ""
    return Address(Named(name or (party.name if party else ""), (Ident(her_id, "HER"),)))


def answerers(message: MessageRecord, receiver: str, document: Document, kit: Kit) -> tuple[str, ...]:
    """Who answers a document that came in for `receiver`: it, then the document's other receivers at its record system.

    It comes to that system once, and is answered once for each of them (HITS 1168 5.4).
    """
    own = kit.directory.party(receiver)
    found = [receiver]
    if message.direction == "in" and own is not None:
        for address in (document.receiver, *document.copies):
            party = kit.directory.party(address.her_id)
            if party is not None and party.system == own.system:
                found.append(address.her_id)
    return tuple(dict.fromkeys(found))


def _apprec_record(
    original: MessageRecord, answering: str, apprec_id: str, version: str, size: int, kit: Kit, now: datetime
) -> MessageRecord:
    to = kit.directory.party(original.from_her)
    local = bool(to and to.local)
    return MessageRecord(
        id=kit.dice.uuid(),
        arrival_id=original.arrival_id,
        direction="local" if local else "out",
        kind="apprec",
        door="hub",
        received_at=now,
        from_her=answering,
        to_her=original.from_her,
        type_code="APPREC",
        standard="AppRec",
        version=version,
        msg_id=apprec_id,
        gen_date=now,
        conversation_id=original.conversation_id,
        service=original.service or f"S-{original.type_code}",
        action="APPREC",
        original_msg_id=original.msg_id,
        original_type=original.type_code,
        size=size,
    )


def bring(record: MessageRecord, body: bytes, kit: Kit, *, claims: tuple[Claim, ...] = ()) -> Change:
    """Keeps an own message and promises it to its one receiver `record.to_her`; where there is no way, a person has it."""
    decision = kit.router.decide(facts(record, record.to_her, kit))
    kept = Change(messages=(NewMessage(record, body),), claims=claims)
    if decision.action == "refuse":
        code = "receiver-unknown" if decision.rule.startswith("built-in") else "refused-by-rule"
        made = replace(delivery(record, decision, kit), state=State.DEAD, next_at=None, code=code)
        entry = Entry(record.received_at, Event.DEAD, code, decision.because, record.id, made.id)
        return joined(kept, Change(deliveries=(made,), journal=(entry,)))
    return joined(kept, promised(record, decision, kit))


async def apprec_arrived(
    found: AppRec, body: bytes, record: MessageRecord, kit: Kit, now: datetime, *, breach: str = ""
) -> Change:
    """What an AppRec that came home, with its bytes, means for the delivery it answers (ebxml.md §6.3).

    Looks in both id columns, since AppRec 1.0 refers to the document id (ebxml.md §7.4); prefers the delivery to the
    AppRec's sender, and falls back to the only delivery of that message (ebxml.md §10 item 52). `breach` is what is wrong
    with the AppRec as a document: a no counts all the same, a yes does not.
    """
    target = await answered(found, record, kit)
    if target is None:
        text = f"AppRec for {quoted(found.original_id) or '(no id)'}, which is not known here"
        return Change(journal=(Entry(now, Event.APPREC_UNMATCHED, "apprec-unmatched", text, record.id),))
    return _settled_by(found, body, target, now, breach)


async def answered(found: AppRec, record: MessageRecord, kit: Kit) -> DeliveryRecord | None:
    """The delivery that an AppRec answers.

    A document id is the same in a new, a changed and a cancelled document (ebxml.md §7.3), so among several the one
    with the AppRec's IssueDate is meant, and among those still the one that waits.
    """
    candidates = await kit.store.deliveries(DeliveryFilter(msg_id=found.original_id)) if found.original_id else []
    ours = [d for d in candidates if d.kind == "business" and d.sender == record.to_her]
    exact = [d for d in ours if d.receiver == record.from_her]
    if len(exact) > 1:
        exact = await _issued(exact, found, kit)
    if exact:
        return exact[0]
    return ours[0] if len(ours) == 1 else None


async def _issued(exact: list[DeliveryRecord], found: AppRec, kit: Kit) -> list[DeliveryRecord]:
    """Those of the AppRec's IssueDate, where there are any; the ones that wait for an AppRec first."""
    at = parse_instant(found.original_issue_date, documents.NORWAY)
    ids = tuple(d.message_id for d in exact)
    issued = {m.id for m in await kit.store.messages(MessageFilter(ids=ids)) if m.gen_date == at}
    same = [d for d in exact if d.message_id in issued] or exact
    return sorted(same, key=lambda d: not allowed(d.state, Move.APPREC_OK))


#: What an AppRec says → what it does to the delivery, and how that is told. Empty: it does not say it clearly.
ANSWERS: dict[str, tuple[Move, Event, str]] = {
    "1": (Move.APPREC_OK, Event.APPREC_OK, "apprec-ok"),
    "2": (Move.APPREC_NEGATIVE, Event.APPREC_NEGATIVE, "apprec-negative"),
    "3": (Move.APPREC_NEGATIVE, Event.APPREC_NEGATIVE, "apprec-partly"),
    "": (Move.APPREC_UNCLEAR, Event.APPREC_UNCLEAR, "apprec-unclear"),
}


def _settled_by(found: AppRec, body: bytes, target: DeliveryRecord, now: datetime, breach: str) -> Change:
    """The one that counts is kept as evidence: who asks for the status is told from it what the receiver wrote."""
    status = "" if breach and found.status == "1" else found.status
    move, event, code = ANSWERS[status]
    because = _said(found, breach)
    if not allowed(target.state, move):
        first = "same" if target.apprec_status == status else "contradicts the first"
        text = f"AppRec came again ({first}); it stands as it was: {target.state}"
        return Change(journal=(Entry(now, Event.SIGNAL, code, text, target.message_id, target.id),))
    error = quoted(found.errors[0].code) if found.errors else ""
    order = MoveOrder(target.id, move, now, code, because, apprec_status=status, apprec_code=error)
    note = Notification(
        NotificationType.APPREC_INFO, target.message_id, target.sender, target.receiver, now, status or "unclear"
    )
    return Change(
        moves=(order,),
        receipts=(_evidence(target, body, code, now),),
        notifications=(note,),
        journal=(Entry(now, event, code, because, target.message_id, target.id),),
    )


def _evidence(target: DeliveryRecord, body: bytes, code: str, now: datetime) -> ReceiptRecord:
    return ReceiptRecord(target.message_id, target.id, "apprec", "in", now, True, body, code)


def _named(errors: Iterable[AppRecError]) -> str:
    """The codes, each with its name in list 8221: what the receiver wrote besides may be about a person."""
    return "; ".join(f"{quoted(e.code)} {APPREC_ERRORS.get(e.code, '')}".strip() for e in errors)


def _said(found: AppRec, breach: str) -> str:
    """What an AppRec says, with what is odd about it."""
    errors = _named(found.errors)
    clear = {"1": "accepted by the receiver", "2": "refused without a reason", "3": ""}.get(found.status, "")
    odd = f"the AppRec breaks its standard ({breach})" if breach else ""
    return quoted("; ".join(filter(None, (found.doubt, odd, errors or clear))), LONGEST_TOGETHER)


def settled(delivery: DeliveryRecord, errors: tuple[AppRecError, ...], body: bytes, now: datetime) -> Change:
    """Our receiver has answered by the AppRec `body`: the delivery to it is settled, and a local sender is told."""
    found = errors[0].code if errors else ""
    move, event, code = ANSWERS["2" if errors else "1"]
    status = "2" if errors else "1"
    because = _named(errors) or "accepted by the receiver"
    order = MoveOrder(delivery.id, move, now, code, because, apprec_status=status, apprec_code=found)
    note = Notification(
        NotificationType.APPREC_INFO, delivery.message_id, delivery.sender, delivery.receiver, now, status
    )
    entry = Entry(now, event, code, because, delivery.message_id, delivery.id)
    receipts = (_evidence(delivery, body, code, now),)
    return Change(moves=(order,), receipts=receipts, notifications=(note,), journal=(entry,))


def described(record: MessageRecord, document: Document, standard_name: str, version: str) -> MessageRecord:
    """The record with what its document says about itself."""
    service, action, _, _ = documents.service_action_role(document)
    return replace(
        record,
        type_code=document.type_code,
        standard=standard_name,
        version=version,
        namespace=document.namespace,
        msg_id=document.msg_id,
        document_id=document.document_id,
        gen_date=document.gen_date,
        service=record.service or service,
        action=record.action or action,
    )


def held(decision: Decision, verdict: Hold) -> Decision:
    """The same way, but put aside until a person releases it, under the code of the check that said so."""
    return replace(decision, action="hold", because=verdict.because, code=verdict.code)
