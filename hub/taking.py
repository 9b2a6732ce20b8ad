"""What follows from taking a document, by whatever transport it came: the message, its deliveries or refusal, its AppRec."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hub import promises, sight
from hub.checks.inspection import Inspection
from hub.codes import reason
from hub.digest import sha256
from hub.events import Entry, Event, Notification, NotificationType
from hub.formats import apprec as apprecs
from hub.formats.apprec import AppRecError
from hub.formats.apprec_write import APPREC_ERRORS, APPREC_OID
from hub.kit import Kit
from hub.message import Answer, Arrival, MessageRecord, NewMessage
from hub.ports import ArrivalFacts, ArrivalRecord, ArrivalState, Change, Claim, Taken
from hub.verdict import Hold, Pass, Refuse, Retry, Verdict


async def accepted(inspection: Inspection, judged: Verdict, own: Claim | None, answer: Answer, kit: Kit) -> Change:
    """Everything that follows from accepting: message, claims, deliveries or refusal, AppRec, journal.

    `judged` is about the document; `own` is the transport's claim on the id under which it came, None where that stays as
    it is.
    """
    kept = record(inspection, judged, kit)
    refused = _document_refused(inspection, judged, kept, kit) if isinstance(judged, Refuse) else None
    silent = refused is not None and not refused.messages  # nobody may be told by an AppRec: a person sees it
    claims = [own] if own is not None else []
    if kept.code != "document-msgid" and not silent:  # what is no MsgId, or taken by nobody, tells no documents apart
        claims.append(Claim(f"doc:{_system(inspection, kit)}:{inspection.sender}:{kept.msg_id}", kept.sha256))
    whole = Change(
        arrival=arrival_record(inspection, "refused" if silent else "accepted", kept.code, kept.because, answer),
        claims=tuple(claims),
        messages=(NewMessage(kept, inspection.raw),),
        journal=(entry(inspection, Event.RECEIVED, kept.code, kept.because, kept.id),),
    )
    assert inspection.document is not None
    if isinstance(judged, Refuse) and refused is not None:
        return promises.joined(whole, refused, await _apprec_in_breach(inspection, judged, kept, kit))
    if inspection.document.kind == "apprec":
        return promises.joined(whole, await _apprec_home(inspection, kept, kit))
    filtered = await _filtered(inspection, kept, kit)
    if filtered is not None:
        return promises.joined(_turned_away(whole, filtered), _told_of(inspection, kept, filtered, kit))
    return promises.joined(whole, _to_record_system(inspection, judged, kept, kit))


#: The code of what the receiver's record system does not want.
FILTERED = "refused-by-filter"


async def _filtered(inspection: Inspection, record: MessageRecord, kit: Kit) -> Filtered | None:
    """Whether the receiver wants no such messages: by the action or function it came under, or its type (EDI 2.0 A11.3)."""
    return await unwanted(inspection.receiver, (record.action, record.type_code), kit)


@dataclass(frozen=True, slots=True)
class Filtered:
    """What a receiver does not want, in words, and whether it is told."""

    because: str
    told: bool


async def unwanted(receiver: str, functions: tuple[str, ...], kit: Kit) -> Filtered | None:
    """None where it is wanted. Raises StoreUnavailable."""
    said = await kit.filters.of(receiver, kit.store, kit.clock.monotonic())
    function = said.rejected(*filter(None, functions))
    return Filtered(f"HER-id {receiver} does not take {function}", said.refused_notices) if function else None


def notice(receiver: str, sender: str, filtered: Filtered, message_id: str, at: datetime) -> tuple[Notification, ...]:
    """To the record system that did not want it, where it asked to be told (EDI 2.0 A10.4)."""
    if not filtered.told:
        return ()
    kind = NotificationType.REFUSED
    return (Notification(kind, message_id, receiver, sender, at, filtered.because),)


def _turned_away(whole: Change, filtered: Filtered) -> Change:
    """The message is kept, since it was acknowledged, with the reason why nobody gets it."""
    assert whole.arrival is not None
    [new] = whole.messages
    record = replace(new.record, code=FILTERED, because=filtered.because)
    arrival = replace(whole.arrival, code=FILTERED, because=filtered.because)
    return replace(whole, arrival=arrival, messages=(replace(new, record=record),))


def _told_of(inspection: Inspection, record: MessageRecord, filtered: Filtered, kit: Kit) -> Change:
    """Its sender by a negative AppRec, which every road has; the record system by a notice, where it asked for them."""
    row = reason(FILTERED)
    error = AppRecError(row.apprec, APPREC_OID, APPREC_ERRORS[row.apprec], filtered.because)
    noted = entry(inspection, Event.REFUSED, FILTERED, filtered.because, record.id)
    told = notice(inspection.receiver, inspection.sender, filtered, record.id, inspection.now)
    return promises.joined(Change(journal=(noted,), notifications=told), _answered_no(inspection, record, error, kit))


def known(inspection: Inspection, taken: Taken, own: Claim | None, answer: Answer, kit: Kit) -> Change:
    """A known MsgId in another wrapping: kept, but neither imported nor answered again (HITS 1168 5.4)."""
    kept = record(inspection, Pass(), kit)
    event, code, because = Event.DUPLICATE, "business-duplicate", "it came before and was answered, or will be"
    state: ArrivalState = "accepted"
    if taken.key.startswith("doc:") and taken.digest != kept.sha256:  # not a copy: an id used twice (HIS 80601)
        event, code, because = Event.REUSED, "id-reused", "its MsgId came before with other content; not handed on"
        state = "refused"  # nobody has it, and nobody answers it
    kept = replace(kept, code=code, because=because)
    return Change(
        arrival=arrival_record(inspection, state, kept.code, kept.because, answer),
        claims=(own,) if own is not None else (),
        messages=(NewMessage(kept, inspection.raw),),
        journal=(
            entry(inspection, event, code, f"{because}: MsgId {kept.msg_id}", kept.id),
            entry(inspection, event, code, "came again in another envelope", taken.message_id),
        ),
    )


async def another_document(inspection: Inspection, taken: Taken, kit: Kit) -> bool:
    """Whether this receiver has had another document under the same MsgId: no copy, and no repetition (HIS 80601)."""
    if not taken.key.startswith("doc:") or taken.digest == sha256(inspection.raw):
        return False
    first = await kit.store.message(taken.message_id)
    return first is not None and first.to_her == inspection.receiver


def undecided(inspection: Inspection, verdict: Retry, answer: Answer, kit: Kit) -> Change:
    """Kept, neither acknowledged nor refused; judged again by itself, or when it comes again.

    Not for ever: who sent it has given up long since when PersistDuration is over, and then a person has it.
    """
    again = inspection.now + verdict.after
    seen = sight.facts(inspection)
    return still_undecided(inspection.arrival, verdict.code, verdict.because, again, answer, seen, kit)


def still_undecided(
    arrival: Arrival, code: str, because: str, next_at: datetime, answer: Answer, seen: ArrivalFacts, kit: Kit
) -> Change:
    """What could not be judged this time: again at `next_at`, or in quarantine where that has been so for too long."""
    now = kit.clock.now()
    over = now - arrival.received_at >= timedelta(seconds=kit.settings.persist_duration_seconds)
    state: ArrivalState = "quarantined" if over else "undecided"
    event = Event.QUARANTINED if over else Event.UNDECIDED
    said = f"not judged within PersistDuration; last: {because}" if over else because
    headers = tuple(answer.headers.items())
    at = None if over else next_at
    kept = ArrivalRecord(arrival, state, code, said, answer.status, headers, answer.body, at, facts=seen)
    return Change(arrival=kept, journal=(Entry(now, event, code, said, arrival_id=arrival.id),))


def arrival_record(
    inspection: Inspection, state: ArrivalState, code: str, because: str, answer: Answer
) -> ArrivalRecord:
    """The arrival with what was decided about it; what was not taken has no message that says whose it is."""
    seen = sight.facts(inspection) if state != "accepted" else ArrivalFacts()
    return ArrivalRecord(
        inspection.arrival, state, code, because, answer.status, tuple(answer.headers.items()), answer.body, facts=seen
    )


def entry(inspection: Inspection, event: Event, code: str, because: str, message_id: str = "") -> Entry:
    """A line of the journal about this arrival."""
    return Entry(inspection.now, event, code, because, message_id, "", inspection.arrival.id)


def record(inspection: Inspection, judged: Verdict, kit: Kit) -> MessageRecord:
    """The message as it is kept."""
    document = inspection.document
    assert document is not None
    code, because = _said(judged, inspection)
    made = MessageRecord(
        id=kit.dice.uuid(),
        arrival_id=inspection.arrival.id,
        direction="in",
        kind="apprec" if document.kind == "apprec" else "business",
        door=inspection.arrival.door,
        received_at=inspection.now,
        from_her=inspection.sender,
        to_her=inspection.receiver,
        system=inspection.arrival.system or "",
        size=len(inspection.raw),
        sha256=inspection.sha256,
        code=code,
        because=because,
    )
    standard = inspection.standard
    name, version = (standard.name, standard.version) if standard else ("", "")
    made = promises.described(_wrapped(made, inspection, kit), document, name, version)
    if document.kind == "apprec" and inspection.document_root is not None:
        found = apprecs.read(inspection.document_root)
        if found is not None:
            made = replace(made, original_msg_id=found.original_id, original_type=found.original_type)
    return made


def _wrapped(made: MessageRecord, inspection: Inspection, kit: Kit) -> MessageRecord:
    """With what the envelope says of the message, or the fields around it on the bus."""
    if (envelope := inspection.envelope) is not None:
        return replace(
            made,
            eb_message_id=envelope.message_id,
            conversation_id=envelope.conversation_id,
            cpa_id=envelope.cpa_id,
            service=envelope.service,
            action=envelope.action,
        )
    if (bus := inspection.bus) is not None:
        return replace(
            made,
            eb_message_id=bus.message_id,
            conversation_id=bus.correlation_id or bus.message_id,
            cpa_id=bus.cpa_id,
            action=bus.function,
        )
    return replace(made, conversation_id=kit.dice.uuid())


def _said(judged: Verdict, inspection: Inspection) -> tuple[str, str]:
    if isinstance(judged, Refuse | Hold):
        return judged.code, judged.because
    if inspection.warnings:
        broken = (f"{w.because} ({w.rule})" if w.rule else w.because for w in inspection.warnings)
        return "accepted-with-warning", "; ".join((*broken, *inspection.observed))
    proven = "proven" if inspection.unchecked else "proven and valid"
    return "accepted", "; ".join((proven, *inspection.observed))


def _to_record_system(inspection: Inspection, judged: Verdict, record: MessageRecord, kit: Kit) -> Change:
    """Routed to the record system of the receiver, or held."""
    assert inspection.document is not None
    urgent = inspection.document.priority == "H"
    decision = kit.router.decide(promises.facts(record, inspection.receiver, kit, urgent=urgent))
    if isinstance(judged, Hold):
        decision = promises.held(decision, judged)
    if decision.action == "refuse":
        error = AppRecError("E21", APPREC_OID, "Mottaker finnes ikke hos oss", decision.because)
        return _answered_no(inspection, record, error, kit)
    return promises.promised(record, decision, kit)


def _document_refused(inspection: Inspection, judged: Refuse, record: MessageRecord, kit: Kit) -> Change:
    """A negative AppRec, unless the document is itself an AppRec or its sender cannot be read (HITS 1168 5.3)."""
    assert inspection.document is not None
    noted = entry(inspection, Event.REFUSED, judged.code, judged.because, record.id)
    row = reason(judged.code)
    error = AppRecError(
        row.apprec, APPREC_OID, APPREC_ERRORS.get(row.apprec, row.text), judged.norwegian or judged.because
    )
    answering: tuple[str, ...] = (inspection.receiver,)
    if judged.code != "document-addressing":
        answering = promises.answerers(record, inspection.receiver, inspection.document, kit)
    said = (_answered_no(inspection, record, error, kit, her_id) for her_id in answering)
    return promises.joined(Change(journal=(noted,)), *said)


def _answered_no(
    inspection: Inspection, record: MessageRecord, error: AppRecError, kit: Kit, answering: str = ""
) -> Change:
    assert inspection.document is not None
    her_id = answering or inspection.receiver
    made = promises.apprec(record, inspection.document, her_id, (error,), kit, inspection.now)
    return made or Change()


async def _apprec_home(inspection: Inspection, record: MessageRecord, kit: Kit) -> Change:
    """An AppRec: settles the delivery that it answers, and is handed to the record system that waits for it."""
    assert inspection.document_root is not None
    found = apprecs.read(inspection.document_root)
    handed = promises.promised(record, kit.router.decide(promises.facts(record, inspection.receiver, kit)), kit)
    if found is None:
        return handed
    return promises.joined(handed, await promises.apprec_arrived(found, inspection.raw, record, kit, inspection.now))


async def _apprec_in_breach(inspection: Inspection, judged: Refuse, record: MessageRecord, kit: Kit) -> Change:
    """An AppRec that breaks its standard is handed to nobody, but what it says stands at what it answers (HITS 1168 5.3)."""
    assert inspection.document_root is not None
    found = apprecs.read(inspection.document_root)
    if found is None:
        return Change()
    return await promises.apprec_arrived(found, inspection.raw, record, kit, inspection.now, breach=judged.because)


def _system(inspection: Inspection, kit: Kit) -> str:
    party = kit.directory.party(inspection.receiver)
    return (party.system or "") if party else ""
