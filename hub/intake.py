"""What happens to an arrival, in order: read, proven, judged, routed, and kept with its answer in one transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hub import promises, receipts, signals
from hub.checks import chain
from hub.checks.inspection import Inspection, run
from hub.codes import reason
from hub.digest import sha256
from hub.errors import StoreUnavailable
from hub.events import Entry, Event
from hub.formats import apprec as apprecs
from hub.formats.apprec import AppRecError
from hub.formats.apprec_write import APPREC_ERRORS, APPREC_OID
from hub.kit import Kit
from hub.message import Answer, Arrival, Channel, MessageRecord, NewMessage
from hub.ports import ArrivalRecord, ArrivalState, Change, Claim, Conflict, Taken
from hub.verdict import Hold, Pass, Refuse, Retry, Verdict

#: How often an arrival is weighed anew when another change came between; each round reads what that change left.
ROUNDS = 5
#: What is said when none of them sufficed: nothing was kept, so nothing may be promised.
BETWEEN = "other changes came between each time; send it again"


async def receive(arrival: Arrival, kit: Kit, *, late: bool = False) -> Answer:
    """A partner's message: nothing is answered before what the answer promises is durable.

    Returns the answer for the wire: a SOAP Fault for what cannot be read, else a signed signal, or an empty body where
    the agreement asks for an asynchronous reply. Raises StoreUnavailable when nothing could be kept.
    """
    inspection = Inspection(arrival, kit.clock.now(), late=late)
    verdict = run(chain.READING, inspection, kit)
    if not isinstance(verdict, Pass):
        return await _refused(inspection, verdict, kit)
    assert inspection.envelope is not None
    match inspection.envelope.kind:
        case "business":
            return await _business(inspection, kit)
        case "acknowledgment" | "error" | "pong" | "status_response":
            return await _signal(inspection, kit)
        case "ping" | "status_request":
            return await _asked(inspection, kit)
        case _:
            text = "neither a business message nor a signal: several or none of Manifest, Acknowledgment, ErrorList"
            return await _refused(
                inspection, Refuse("envelope-inconsistent", text, "//SOAP:Header", "HITS 1172 5.11"), kit
            )


async def judge_again(kit: Kit, limit: int = 20) -> int:
    """Judges anew what could not be judged before; the receipt goes out by itself. Returns how many were looked at."""
    lease = timedelta(seconds=kit.settings.lease_seconds)
    arrivals = await kit.store.undecided(kit.clock.now(), limit, lease)
    for arrival in arrivals:
        await receive(arrival, kit, late=True)
    return len(arrivals)


# --- a business message


async def _business(inspection: Inspection, kit: Kit) -> Answer:
    verdict = run(chain.TRANSPORT, inspection, kit)
    if isinstance(verdict, Retry):
        return await _undecided(inspection, verdict, kit)
    if not isinstance(verdict, Pass):
        return await _refused(inspection, verdict, kit)
    judged = run(chain.DOCUMENT, inspection, kit)
    answer = receipts.accepted(_question(inspection, kit), tuple(inspection.warnings), kit)
    for _ in range(ROUNDS):
        done = await kit.store.apply(await _accepted(inspection, judged, answer, kit))
        if not isinstance(done, Conflict):
            break
    else:
        raise StoreUnavailable(BETWEEN)
    if isinstance(done, Taken):
        return await _again(inspection, done, answer, kit)
    return receipts.worded(answer, _question(inspection, kit))


def _question(inspection: Inspection, kit: Kit) -> receipts.Question:
    """What a receipt must know of the message that it answers."""
    assert inspection.envelope is not None
    return receipts.Question(
        envelope=inspection.envelope,
        references=inspection.verified.references if inspection.verified else (),
        key=kit.keys.signing_key(inspection.receiver),
        agreement=inspection.agreement,
        arrival_id=inspection.arrival.id,
        late=inspection.late or inspection.arrival.door == Channel.EBXML_SMTP,
    )


async def _accepted(inspection: Inspection, judged: Verdict, answer: Answer, kit: Kit) -> Change:
    """Everything that follows from accepting: message, claims, deliveries or refusal, AppRec, receipt, journal."""
    record = _record(inspection, judged, kit)
    claims = [Claim(_claim_key(inspection), _digest(inspection))]
    if record.code != "document-msgid":  # what is no MsgId tells no documents apart
        claims.append(Claim(f"doc:{_system(inspection, kit)}:{inspection.sender}:{record.msg_id}", record.sha256))
    parts = [
        Change(
            arrival=_arrival_record(inspection, "accepted", record.code, record.because, answer),
            messages=(NewMessage(record, inspection.raw),),
            journal=(_entry(inspection, Event.RECEIVED, record.code, record.because, record.id),),
        ),
        receipts.deferred(answer, _question(inspection, kit), kit),
    ]
    assert inspection.document is not None
    if isinstance(judged, Refuse):
        parts.append(_document_refused(inspection, judged, record, kit))
    elif inspection.document.kind == "apprec":
        parts.append(await _apprec_home(inspection, record, kit))
    else:
        parts.append(_to_record_system(inspection, judged, record, kit))
    return promises.joined(Change(claims=tuple(claims)), *parts)


def _record(inspection: Inspection, judged: Verdict, kit: Kit) -> MessageRecord:
    envelope, document = inspection.envelope, inspection.document
    assert document is not None
    code, because = _said(judged, inspection)
    record = MessageRecord(
        id=kit.dice.uuid(),
        arrival_id=inspection.arrival.id,
        direction="in",
        kind="apprec" if document.kind == "apprec" else "business",
        door=inspection.arrival.door,
        received_at=inspection.now,
        from_her=inspection.sender,
        to_her=inspection.receiver,
        eb_message_id=envelope.message_id if envelope else "",
        conversation_id=envelope.conversation_id if envelope else kit.dice.uuid(),
        cpa_id=envelope.cpa_id if envelope else "",
        service=envelope.service if envelope else "",
        action=envelope.action if envelope else "",
        system=inspection.arrival.system or "",
        size=len(inspection.raw),
        sha256=sha256(inspection.raw),
        code=code,
        because=because,
    )
    standard = inspection.standard
    name, version = (standard.name, standard.version) if standard else ("", "")
    record = promises.described(record, document, name, version)
    if document.kind == "apprec" and inspection.document_root is not None:
        found = apprecs.read(inspection.document_root)
        if found is not None:
            record = replace(record, original_msg_id=found.original_id, original_type=found.original_type)
    return record


def _said(judged: Verdict, inspection: Inspection) -> tuple[str, str]:
    if isinstance(judged, Refuse | Hold):
        return judged.code, judged.because
    if inspection.warnings:
        return "accepted-with-warning", "; ".join((*(w.because for w in inspection.warnings), *inspection.observed))
    proven = "proven" if inspection.unchecked else "proven and valid"
    return "accepted", "; ".join((proven, *inspection.observed))


def _to_record_system(inspection: Inspection, judged: Verdict, record: MessageRecord, kit: Kit) -> Change:
    """Routed to the record system of the receiver, or held."""
    assert inspection.document is not None
    urgent = inspection.document.priority == "H"
    decision = kit.router.decide(promises.facts(record, inspection.receiver, kit, urgent=urgent))
    if isinstance(judged, Hold):
        decision = promises.held(decision, judged.because)
    if decision.action == "refuse":
        error = AppRecError("E21", APPREC_OID, "Mottaker finnes ikke hos oss", decision.because)
        return _answered_no(inspection, record, error, kit)
    return promises.promised(record, decision, kit)


def _document_refused(inspection: Inspection, judged: Refuse, record: MessageRecord, kit: Kit) -> Change:
    """A negative AppRec, unless the document is itself an AppRec or its sender cannot be read (HITS 1168 5.3)."""
    assert inspection.document is not None
    entry = _entry(inspection, Event.REFUSED, judged.code, judged.because, record.id)
    row = reason(judged.code)
    error = AppRecError(
        row.apprec, APPREC_OID, APPREC_ERRORS.get(row.apprec, row.text), judged.norwegian or judged.because
    )
    answering: tuple[str, ...] = (inspection.receiver,)
    if judged.code != "document-addressing":
        answering = promises.answerers(record, inspection.receiver, inspection.document, kit)
    said = (_answered_no(inspection, record, error, kit, her_id) for her_id in answering)
    return promises.joined(Change(journal=(entry,)), *said)


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
    return promises.joined(handed, await promises.apprec_arrived(found, record, kit, inspection.now))


async def _again(inspection: Inspection, taken: Taken, answer: Answer, kit: Kit) -> Answer:
    """Something of it came before: the same message, the same document at the same system, or another under its id."""
    assert inspection.envelope is not None
    if taken.key.startswith(("doc:", "apprec:")):
        if await _another_document(inspection, taken, kit):
            text = f"MsgId {inspection.document.msg_id if inspection.document else ''} came before with other content"
            return await _reused(inspection, taken, Refuse("id-reused", text, "//MsgId", "HIS 80601"), kit)
        return await _known_document(inspection, taken, answer, kit)
    if taken.digest != _digest(inspection):
        text = f"MessageId {inspection.envelope.message_id} came before with other content"
        return await _reused(inspection, taken, Refuse("id-reused", text, "//eb:MessageId", "HITS 1172 5.8.2"), kit)
    earlier = await kit.store.earlier(taken.key)
    entry = _entry(inspection, Event.DUPLICATE, "duplicate", "came again; the same answer was given", taken.message_id)
    assert earlier is not None and earlier[1] is not None
    first = earlier[1]
    same = Answer(
        first.answer_status, dict(first.answer_headers), first.answer, "duplicate", first.because, taken.message_id
    )
    question = _question(inspection, kit)
    kept = Change(arrival=_arrival_record(inspection, "accepted", "duplicate", entry.because, same), journal=(entry,))
    await kit.store.apply(promises.joined(kept, receipts.deferred(same, question, kit)))
    return receipts.worded(same, question)


async def _another_document(inspection: Inspection, taken: Taken, kit: Kit) -> bool:
    """Whether this receiver has had another document under the same MsgId: no copy, and no repetition (HIS 80601)."""
    if not taken.key.startswith("doc:") or taken.digest == sha256(inspection.raw):
        return False
    first = await kit.store.message(taken.message_id)
    return first is not None and first.to_her == inspection.receiver


async def _reused(inspection: Inspection, taken: Taken, verdict: Refuse, kit: Kit) -> Answer:
    """An id used twice is an alarm at the first message, and refused aloud: the new content must not vanish."""
    entry = _entry(inspection, Event.REUSED, verdict.code, verdict.because, taken.message_id)
    await kit.store.apply(Change(journal=(entry,)))
    return await _refused(inspection, verdict, kit)


async def _known_document(inspection: Inspection, taken: Taken, answer: Answer, kit: Kit) -> Answer:
    """A known MsgId in another envelope: acknowledged, but neither imported nor answered again (HITS 1168 5.4)."""
    record = _record(inspection, Pass(), kit)
    event, code, because = Event.DUPLICATE, "business-duplicate", "it came before and was answered, or will be"
    if taken.key.startswith("doc:") and taken.digest != record.sha256:  # not a copy: an id used twice (HIS 80601)
        event, code, because = Event.REUSED, "id-reused", "its MsgId came before with other content; not handed on"
    record = replace(record, code=code, because=because)
    change = Change(
        arrival=_arrival_record(inspection, "accepted", record.code, record.because, answer),
        claims=(Claim(_claim_key(inspection), _digest(inspection)),),
        messages=(NewMessage(record, inspection.raw),),
        journal=(
            _entry(inspection, event, code, f"{because}: MsgId {record.msg_id}", record.id),
            _entry(inspection, event, code, "came again in another envelope", taken.message_id),
        ),
    )
    done = await kit.store.apply(promises.joined(change, receipts.deferred(answer, _question(inspection, kit), kit)))
    if isinstance(done, Taken) and done.key == _claim_key(inspection):
        return await _again(inspection, done, answer, kit)
    return receipts.worded(answer, _question(inspection, kit))


# --- refusals


async def _refused(inspection: Inspection, verdict: Verdict, kit: Kit) -> Answer:
    """A SOAP Fault for what cannot be read or answered as ebXML, else a signed MessageError; the bytes are kept."""
    assert isinstance(verdict, Refuse)
    question = _question(inspection, kit) if inspection.envelope else None
    answer = receipts.refused(question, verdict, kit)
    readable = inspection.envelope is not None
    state: ArrivalState = "refused" if readable else "quarantined"
    event = Event.REFUSED if readable else Event.QUARANTINED
    change = Change(
        arrival=_arrival_record(inspection, state, verdict.code, verdict.because, answer),
        journal=(_entry(inspection, event, verdict.code, verdict.because),),
    )
    if question is not None:
        change = promises.joined(change, receipts.deferred(answer, question, kit))
    if inspection.verified is not None and verdict.code != "id-reused":
        change = replace(change, claims=(Claim(_claim_key(inspection), _digest(inspection)),))
    done = await kit.store.apply(change)
    if isinstance(done, Taken):
        return await _again(inspection, done, answer, kit)
    return receipts.worded(answer, question) if question is not None else answer


async def _undecided(inspection: Inspection, verdict: Retry, kit: Kit) -> Answer:
    """Kept, neither acknowledged nor refused; judged again by itself, or when the sender's resend comes."""
    answer = Answer(202, {}, b"", verdict.code, verdict.because)
    record = replace(
        _arrival_record(inspection, "undecided", verdict.code, verdict.because, answer),
        next_at=inspection.now + verdict.after,
    )
    entry = _entry(inspection, Event.UNDECIDED, verdict.code, verdict.because)
    await kit.store.apply(Change(arrival=record, journal=(entry,)))
    return answer


# --- signals, Ping, StatusRequest


async def _signal(inspection: Inspection, kit: Kit) -> Answer:
    """An asynchronous receipt: taken when proven, journaled either way, never answered (HIS 1037 9)."""
    verdict = run(chain.SIGNAL, inspection, kit)
    if isinstance(verdict, Retry):
        return await _undecided(inspection, verdict, kit)
    for _ in range(ROUNDS):
        effect = await signals.taken(inspection, verdict, kit)
        state: ArrivalState = "accepted" if isinstance(verdict, Pass) else "refused"
        answer = Answer(200, {}, b"", effect.code, effect.because)
        arrival = _arrival_record(inspection, state, effect.code, effect.because, answer)
        if not isinstance(await kit.store.apply(promises.joined(Change(arrival=arrival), effect.change)), Conflict):
            return answer
    raise StoreUnavailable(BETWEEN)


async def _asked(inspection: Inspection, kit: Kit) -> Answer:
    """Ping gets Pong, StatusRequest gets StatusResponse; nothing is kept but the journal."""
    verdict = run(chain.SIGNAL, inspection, kit)
    if isinstance(verdict, Retry):
        return await _ask_later(inspection, verdict, kit)
    if not isinstance(verdict, Pass):
        return await _refused(inspection, verdict, kit)
    assert inspection.envelope is not None
    status = await signals.status_of(inspection.envelope, inspection.sender, kit)
    answer = receipts.told(_question(inspection, kit), status, kit)
    text = f"{inspection.envelope.kind} from HER-id {inspection.sender}"
    await kit.store.apply(Change(journal=(_entry(inspection, Event.PINGED, "done", text),)))
    return answer


async def _ask_later(inspection: Inspection, verdict: Retry, kit: Kit) -> Answer:
    """A question is not kept to be judged later, as a message is: who asks is told to ask again."""
    answer = receipts.refused(None, Refuse(verdict.code, verdict.because), kit)
    arrival = _arrival_record(inspection, "refused", verdict.code, verdict.because, answer)
    entry = _entry(inspection, Event.REFUSED, verdict.code, verdict.because)
    await kit.store.apply(Change(arrival=arrival, journal=(entry,)))
    return answer


# --- small words


def _claim_key(inspection: Inspection) -> str:
    """A MessageId belongs to the sender that proved it; an unproven message claims nothing."""
    assert inspection.envelope is not None
    return f"eb:{inspection.sender}:{inspection.envelope.message_id}"


def _digest(inspection: Inspection) -> str:
    """What was signed: equal for a genuine repetition, different for an id used twice (HITS 1172 5.8.2)."""
    assert inspection.verified is not None
    return sha256(" ".join(sorted(r.digest_value for r in inspection.verified.references)).encode())


def _system(inspection: Inspection, kit: Kit) -> str:
    party = kit.directory.party(inspection.receiver)
    return (party.system or "") if party else ""


def _arrival_record(
    inspection: Inspection, state: ArrivalState, code: str, because: str, answer: Answer
) -> ArrivalRecord:
    return ArrivalRecord(
        inspection.arrival, state, code, because, answer.status, tuple(answer.headers.items()), answer.body
    )


def _entry(inspection: Inspection, event: Event, code: str, because: str, message_id: str = "") -> Entry:
    return Entry(inspection.now, event, code, because, message_id, "", inspection.arrival.id)
