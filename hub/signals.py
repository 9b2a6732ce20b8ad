"""Reads a transport receipt and says what it does to the delivery that it is about (ebxml.md §1.11, §1.12, §6.2)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from hub import ids, receipts, refusals, wishes
from hub.checks import chain
from hub.checks.inspection import Inspection, run
from hub.codes import RECEIPT
from hub.events import Entry, Event, Notification, NotificationType
from hub.formats.envelope import Envelope
from hub.formats.words import LONGEST_TOGETHER, SAID, quoted
from hub.kit import Kit
from hub.learnt import ACKNOWLEDGMENT_REFERS
from hub.message import Arrival, Claimed, DeliveryRecord, Outcome, Parcel
from hub.ports import Change, DeliveryFilter, MessageFilter, MoveOrder, ReceiptRecord, Word
from hub.states import Move, State, allowed
from hub.verdict import Pass, Refuse, Retry, Verdict

#: So many Errors of a list are shown to people.
MOST_ERRORS = 5
#: Where a delivery stands that still waits for its receipt, or was given up without one: there unproven words count.
HEARD = frozenset({State.WAITING, State.SENT, State.DEAD, State.EXPIRED, State.HELD})


@dataclass(frozen=True, slots=True)
class Effect:
    """What a receipt does, and why."""

    code: str
    because: str
    change: Change
    said: str = ""  #: the partner's words, where nothing proves them
    cause: str = ""  #: code of why they are not taken


def acknowledged_by(delivery: DeliveryRecord) -> Move:
    """The move that a transport receipt makes: finished at once where no AppRec is due."""
    return Move.ACKNOWLEDGE if delivery.apprec_due_at is not None else Move.FINISH


async def answered(claimed: Claimed, parcel: Parcel, outcome: Outcome, kit: Kit) -> Effect | None:
    """The receipt that came back in the same HTTP exchange; None when the answer is no receipt at all.

    One that cannot be taken moves nothing and says why. What cannot be read is the sender adapter's to tell.
    """
    arrival = Arrival(kit.dice.uuid(), "ebxml_http", kit.clock.now(), outcome.answer_headers, outcome.answer)
    inspection = Inspection(arrival, arrival.received_at)
    verdict = run(chain.READING, inspection, kit)
    if not isinstance(verdict, Pass) or inspection.envelope is None:
        return None
    if inspection.envelope.kind not in ("acknowledgment", "error"):
        return None
    proven = run(chain.SIGNAL, inspection, kit)
    return await _taught(_effect(inspection, proven, claimed.delivery, parcel), inspection, kit)


def refused_in(outcome: Outcome, kit: Kit) -> str:
    """What the answer to a receipt of ours says against it, in words; empty where it says nothing."""
    if not outcome.answer:
        return ""
    arrival = Arrival(kit.dice.uuid(), "ebxml_http", kit.clock.now(), outcome.answer_headers, outcome.answer)
    inspection = Inspection(arrival, arrival.received_at)
    if not isinstance(run(chain.READING, inspection, kit), Pass) or inspection.envelope is None:
        return ""
    envelope = inspection.envelope
    if envelope.kind != "error" or envelope.highest_severity == "Warning":
        return ""
    return f"{errors(envelope)} ({_proof(run(chain.SIGNAL, inspection, kit))})"


async def taken(inspection: Inspection, verdict: Verdict, kit: Kit) -> Effect:
    """A receipt that came by itself: finds its delivery by RefToMessageId and weighs it."""
    assert inspection.envelope is not None
    if inspection.envelope.kind in ("pong", "status_response"):
        return await _told_us(inspection, verdict, kit)
    ref = _ref(inspection.envelope)
    found = await kit.store.deliveries(DeliveryFilter(eb_message_id=ref)) if ref else []
    ours = await _between(inspection, found, kit)
    if ours and ours[0].kind == "signal":
        ours = []  # nobody acknowledges a receipt; what refuses one stands below
    if not ours and (refused := await _of_our_receipt(ref, inspection, verdict, kit)) is not None:
        return _noting(refused, inspection)
    if not ours:
        text = f"{inspection.envelope.kind} from HER-id {inspection.sender} for {ref or '(no id)'}, which we did not send to it"
        return _noting(_only_said("receipt-unknown", text, inspection), inspection)
    parcel = await kit.store.parcel(ours[0].id)
    return await _taught(_effect(inspection, verdict, ours[0], parcel), inspection, kit)


async def _between(inspection: Inspection, found: list[DeliveryRecord], kit: Kit) -> list[DeliveryRecord]:
    """Those that went out between the two that the receipt is between, also where their sender wished other parties."""
    ends = inspection.receiver, inspection.sender
    if direct := [d for d in found if (d.sender, d.receiver) == ends]:
        return direct
    asked = [(d, await kit.store.message(d.message_id)) for d in found]
    return [d for d, message in asked if message is not None and wishes.own_parties(message, d) == ends]


async def _taught(effect: Effect, inspection: Inspection, kit: Kit) -> Effect:
    """The same, with what a proven Acknowledgment shows of its writer; see hub.receipts.accepted."""
    envelope = inspection.envelope
    if envelope is None or envelope.acknowledgment is None or effect.code != "acknowledged":
        return effect
    await kit.learnt.refresh(kit.store.learnt, inspection.now)
    refers = "yes" if envelope.ref_to_message_id else "no"
    news = kit.learnt.news(inspection.sender, ACKNOWLEDGMENT_REFERS, refers, inspection.now)
    return replace(effect, change=replace(effect.change, learnt=news)) if news else effect


async def _of_our_receipt(ref: str, inspection: Inspection, verdict: Verdict, kit: Kit) -> Effect | None:
    """A MessageError about a receipt of ours, proven or not: it stands at the message that the receipt is about."""
    envelope = inspection.envelope
    assert envelope is not None
    if envelope.kind != "error" or envelope.highest_severity == "Warning":
        return None
    refusal = refusals.Refusal(f"{errors(envelope)} ({_proof(verdict)})", inspection.now, inspection.arrival.id)
    change = await refusals.by_itself(ref, inspection.sender, inspection.receiver, refusal, kit)
    return None if change is None else Effect(refusals.CODE, refusal.because, change)


def errors(envelope: Envelope) -> str:
    """The Errors of a MessageError in words, short and clean whatever was written in them."""
    each = (f"{e.code} {e.location}".rstrip() + (f": {e.text}" if e.text else "") for e in envelope.errors)
    return quoted("; ".join(quoted(one) for one in islice(each, MOST_ERRORS)), LONGEST_TOGETHER) or "no Error given"


def _proof(verdict: Verdict) -> str:
    """Whether a signal is proven, in a word or with the reason."""
    if isinstance(verdict, Pass):
        return "signed"
    if isinstance(verdict, Refuse):
        return "unsigned" if verdict.code == "signature-missing" else f"not proven: {verdict.because}"
    return "not proven yet"


def _said(inspection: Inspection, verdict: Verdict) -> str:
    """What a signal that is not proven says."""
    envelope = inspection.envelope
    assert envelope is not None
    words = errors(envelope) if envelope.kind == "error" else envelope.kind.capitalize()
    return f"{words} ({_proof(verdict)})"


async def _told_us(inspection: Inspection, verdict: Verdict, kit: Kit) -> Effect:
    """A Pong, or a StatusResponse, that came by itself: written down where whoever asked looks for it; it moves nothing."""
    envelope = inspection.envelope
    assert envelope is not None
    told = f"{said(envelope)} from HER-id {inspection.sender} about {envelope.ref_to_message_id or '(no id)'}"
    if not isinstance(verdict, Pass):
        because = verdict.because if isinstance(verdict, Refuse) else "could not be proven now"
        return _only_said("receipt-unproven", f"{told} not taken: {because}", inspection)
    found: list[DeliveryRecord] = []
    if envelope.kind == "status_response" and envelope.ref_to_message_id:
        found = await kit.store.deliveries(DeliveryFilter(eb_message_id=envelope.ref_to_message_id))
    ours = next(iter(await _between(inspection, found, kit)), None)
    code = "pong" if envelope.kind == "pong" else "status-told"
    text = f"{told}, {'signed' if inspection.verified is not None else 'unsigned'}"
    return _only_said(code, text, inspection, ours, event=Event.TOLD)


def said(envelope: Envelope) -> str:
    """A Pong or a StatusResponse in words."""
    if envelope.kind == "pong":
        return "Pong"
    at = f", since {envelope.status_at.isoformat(timespec='seconds')}" if envelope.status_at else ""
    return f"StatusResponse {envelope.status or '(no status)'}{at}"


def _ref(envelope: Envelope) -> str:
    if envelope.acknowledgment is not None:
        return envelope.acknowledgment.ref_to_message_id
    return envelope.ref_to_message_id


def _effect(inspection: Inspection, verdict: Verdict, delivery: DeliveryRecord, parcel: Parcel | None) -> Effect:
    return _noting(_weighed(inspection, verdict, delivery, parcel), inspection, delivery)


def _noting(effect: Effect, inspection: Inspection, delivery: DeliveryRecord | None = None) -> Effect:
    """The same, with what the receipt's own form breaks written down: it counts all the same, and is never answered."""
    if not inspection.warnings:
        return effect
    told = "; ".join(f"{w.because} ({w.rule})" if w.rule else w.because for w in inspection.warnings)
    noted = _only_said("envelope-warning", told, inspection, delivery).change.journal
    return replace(effect, change=replace(effect.change, journal=effect.change.journal + noted))


def _weighed(inspection: Inspection, verdict: Verdict, delivery: DeliveryRecord, parcel: Parcel | None) -> Effect:
    """Proven receipts move the delivery; unproven ones are shown to a person and move nothing (ebxml.md §10 item 14)."""
    assert inspection.envelope is not None
    if not isinstance(verdict, Pass):
        because = verdict.because if isinstance(verdict, Refuse) else "could not be proven now"
        text, said = f"{inspection.envelope.kind} not taken: {because}", _said(inspection, verdict)
        return _only_said("receipt-unproven", text, inspection, delivery, said, cause=_behind(verdict))
    if inspection.envelope.kind == "error":
        return _error(inspection, delivery)
    return _acknowledged(inspection, delivery, parcel)


def _acknowledged(inspection: Inspection, delivery: DeliveryRecord, parcel: Parcel | None) -> Effect:
    envelope = inspection.envelope
    assert envelope is not None and envelope.acknowledgment is not None
    if not ids.same(envelope.acknowledgment.ref_to_message_id, delivery.eb_message_id):
        text = f"Acknowledgment is for {envelope.acknowledgment.ref_to_message_id}, not for {delivery.eb_message_id}"
        return _only_said("receipt-unknown", text, inspection, delivery)
    sent = dict(parcel.digests) if parcel else {}
    wrong = [uri for uri, _, digest in envelope.acknowledgment.references if sent.get(uri) != digest]
    if wrong:  # the echoed digests are the evidence of what was received (HITS 1172 116, 117)
        text = f"Acknowledgment echoes another digest than ours for {wrong[0] or 'the envelope'}"
        said = f"Acknowledgment (not taken: {text})"
        return _only_said("receipt-digest", text, inspection, delivery, said, cause="receipt-digest")
    return _moved(
        inspection,
        delivery,
        acknowledged_by(delivery),
        "acknowledged",
        "Acknowledgment, signature proven",
        Event.ACKNOWLEDGED,
    )


def _error(inspection: Inspection, delivery: DeliveryRecord) -> Effect:
    """Severity Warning means accepted; Error ends the resends of this MessageId (HITS 1171 5.2.4, 8.3).

    One that refers to nothing is about the message whose exchange it came back in (HITS 1172 122 is noted).
    """
    envelope = inspection.envelope
    assert envelope is not None
    if envelope.ref_to_message_id and not ids.same(envelope.ref_to_message_id, delivery.eb_message_id):
        text = f"MessageError is for {envelope.ref_to_message_id}, not for {delivery.eb_message_id}"
        return _only_said("receipt-unknown", text, inspection, delivery)
    text = errors(envelope)
    if envelope.highest_severity == "Warning":
        return _moved(
            inspection, delivery, acknowledged_by(delivery), "accepted-with-warning", text, Event.ACCEPTED_WITH_WARNING
        )
    return _moved(inspection, delivery, Move.REFUSE, "message-error", text, Event.MESSAGE_ERROR)


def _moved(
    inspection: Inspection, delivery: DeliveryRecord, move: Move, code: str, because: str, event: Event
) -> Effect:
    """A proven receipt is evidence and is kept, also where it comes too late to move anything (ebxml.md §6.2)."""
    evidence = Change(receipts=(_evidence(inspection, delivery, code),))
    if not allowed(delivery.state, move):
        said = _only_said(code, f"{because}; it stood at {delivery.state} already", inspection, delivery)
        return Effect(said.code, said.because, replace(evidence, journal=said.change.journal))
    now = inspection.now
    change = replace(
        evidence,
        moves=(MoveOrder(delivery.id, move, now, code, because, said=""),),
        notifications=_told(delivery, now),
        journal=(Entry(now, event, code, because, delivery.message_id, delivery.id, inspection.arrival.id),),
    )
    return Effect(code, because, change)


def _evidence(inspection: Inspection, delivery: DeliveryRecord, code: str) -> ReceiptRecord:
    error = inspection.envelope is not None and inspection.envelope.kind == "error"
    raw = inspection.package.root.content if inspection.package else b""
    return ReceiptRecord(
        delivery.message_id,
        delivery.id,
        "message_error" if error else "acknowledgment",
        "in",
        inspection.now,
        True,
        raw,
        code,
    )


def _told(delivery: DeliveryRecord, now: datetime) -> tuple[Notification, ...]:
    """That it has gone out, where nobody has said so yet, and what the other side made of it (EDI 2.0 A10.2)."""
    kinds = [NotificationType.DELIVERY_STATE]
    if delivery.state == State.WAITING:
        kinds.insert(0, NotificationType.SENT_STATE)
    return tuple(Notification(kind, delivery.message_id, delivery.sender, delivery.receiver, now) for kind in kinds)


def _only_said(
    code: str,
    because: str,
    inspection: Inspection,
    delivery: DeliveryRecord | None = None,
    said: str = "",
    event: Event = Event.SIGNAL,
    cause: str = "",
) -> Effect:
    """Nothing moves; what the partner said (`said`) stands beside the delivery all the same."""
    message, own = (delivery.message_id, delivery.id) if delivery else ("", "")
    text = f"{because}{SAID}{said}" if said else because
    entry = Entry(inspection.now, event, code, text, message, own, inspection.arrival.id)
    words = (Word(own, said, cause or None),) if said and delivery and State(delivery.state) in HEARD else ()
    return Effect(code, because, Change(words=words, journal=(entry,)), said, cause)


def _behind(verdict: Verdict) -> str:
    """Why a receipt is not taken, and so whose it is: our register, authorities or lists, or the partner's signature."""
    found = verdict.code if isinstance(verdict, Refuse | Retry) else ""
    return RECEIPT.get(found, "receipt-unproven")


async def status_of(envelope: Envelope, asker: str, kit: Kit, *, proven: bool) -> receipts.Status:
    """`messageStatus` for a StatusRequest (ebxml.md §1.13): only about what the asker itself sent.

    Who does not prove himself learns that it came, which the sender of an unguessable MessageId knows anyhow, and neither
    when nor whether the record system has it (ebMS 2.0 7.1 leaves to us what is told to whom).
    """
    if envelope.kind == "ping":
        return receipts.Status("")
    about = envelope.ref_to_message_id
    found = await kit.store.messages(MessageFilter(eb_message_id=about, from_her=asker, limit=1)) if about else []
    if not found:
        return receipts.Status("NotRecognized")
    if not proven:
        return receipts.Status("Received")
    deliveries = await kit.store.deliveries(DeliveryFilter(message_id=found[0].id))
    settled = any(d.state in ("done", "acknowledged", "rejected") for d in deliveries)
    return receipts.Status("Processed" if settled else "Received", found[0].received_at)
