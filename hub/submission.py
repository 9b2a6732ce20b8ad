"""What happens when a record system hands over a document: checked to its face, routed for each receiver, and kept."""

from __future__ import annotations

from dataclasses import replace

from hub import again, mistakes, promises, questions, sight, taking, wishes
from hub.checks import chain
from hub.checks.inspection import Inspection, judged
from hub.codes import reason
from hub.errors import StoreUnavailable
from hub.events import Entry, Event, Notification
from hub.formats import apprec as apprecs
from hub.formats.words import quoted
from hub.kit import Kit
from hub.message import Answer, Arrival, Decision, MessageRecord, NewMessage, RecordSystem
from hub.ports import ArrivalFacts, ArrivalRecord, ArrivalState, Change, Claim, Conflict, Taken
from hub.questions import Question
from hub.verdict import Hold, Refuse, Verdict
from hub.wishes import weighed

#: How often a hand-over is weighed anew when another change came between.
ROUNDS = 5


#: Header of an arrival from a record system: the HER-id that it says it sends for.
SENDER = "sender"
#: And one: the HER-ids that it may speak for at this time, with blanks between; absent: all that it serves.
MAY = "may"
#: Likewise: what type it says that the document has, and what it wishes in the envelope (hub.wishes.written).
MESSAGE_TYPE, TRANSPORT = "message-type", "transport"


async def submit(arrival: Arrival, kit: Kit) -> Answer:
    """Takes a document from a local record system; the answer's `message_id` is ours for it.

    The HER-id that the record system says it sends for (header SENDER) counts where the document, as older formats may,
    gives its sender none.

    The same document handed over again gets the same answer and goes out once; where its delivery had been given up it is
    promised anew, and where that is over for good the answer is no. Refusals carry an HTTP status and a code
    of the register. Raises StoreUnavailable when nothing could be kept.
    """
    inspection, sender = Inspection(arrival, kit.clock.now(), raw=arrival.body), arrival.headers.get(SENDER, "")
    system = kit.directory.system(arrival.system or "")
    verdict = await _judged(inspection, system, sender, kit)
    if isinstance(verdict, Refuse):
        return await _refused(inspection, verdict, kit)
    receivers = _receivers(inspection)
    wished = wishes.read(arrival.headers.get(TRANSPORT, ""))
    record = _record(inspection, receivers, sender, kit)
    wished, why = weighed(record, wished, receivers, kit)
    if why is not None:
        return await _refused(inspection, why, kit)
    record = wishes.followed(record, wished)
    assert inspection.document is not None
    if question := await questions.answering(inspection.document, receivers, record.from_her, kit):
        return await _answered(inspection, question, record, kit)
    decisions = [_decided(record, receiver, verdict, inspection, kit) for receiver in receivers]
    refusal = next((d for d in decisions if d.action == "refuse"), None)
    if refusal is not None:
        return await _refused(inspection, Refuse(_refusal_code(refusal, kit), refusal.because), kit)
    if record.kind != "apprec":
        for receiver in receivers:
            if (filtered := await taking.unwanted(receiver, (record.type_code,), kit)) is not None:
                told = taking.notice(receiver, record.from_her, filtered, "", inspection.now)
                return await _refused(inspection, Refuse(taking.FILTERED, filtered.because), kit, told)
    return await _kept(inspection, record, decisions, kit)


async def turn_away(arrival: Arrival, code: str, because: str, kit: Kit) -> Answer:
    """What a door cannot hand over for weighing: kept like anything refused, in quarantine when the fault is ours."""
    row, now = reason(code), kit.clock.now()
    ours = row.blame == "us"
    answer = Answer(row.http, {}, b"", code, because)
    state: ArrivalState = "quarantined" if ours else "refused"
    record = ArrivalRecord(arrival, state, code, because, answer.status, facts=sight.at_sight(arrival))
    event = Event.QUARANTINED if ours else Event.REFUSED
    entry = Entry(now, event, code, because, arrival_id=arrival.id, actor=arrival.system or "hub")
    await kit.store.apply(Change(arrival=record, journal=(entry,)))
    return answer


async def _answered(inspection: Inspection, question: Question, record: MessageRecord, kit: Kit) -> Answer:
    """The answer to a synchronous question on the bus: straight to who asked, or too late (nhn-amqp.md §4.2)."""
    if (late := questions.too_late(question, inspection.now)) is not None:
        return await _refused(inspection, late, kit)
    return await _kept(inspection, question.record(record), [question.decision()], kit, question)


async def _judged(inspection: Inspection, system: RecordSystem | None, asked: str, kit: Kit) -> Verdict:
    verdict = await judged(chain.SUBMISSION, inspection, kit, last=True)
    if isinstance(verdict, Refuse):
        return verdict
    if system is None:
        return Refuse("not-your-party", "the record system is not known here")
    assert inspection.document is not None
    if not _own_party(inspection, system, asked):
        named = ", ".join(inspection.document.sender.her_ids) or "none"
        text = f"the document's sender (HER-id {named}) is not served by {system.id}"
        if set(inspection.document.sender.her_ids) & system.her_ids:
            text = (
                f"{system.id} may not send for HER-id {named} now: another client has it, or its token does not name it"
            )
        return Refuse("not-your-party", text)
    if asked and (theirs := inspection.document.sender.her_ids) and asked not in theirs:
        text = f"HER-id {asked} hands it over, but the document's sender is {' or '.join(theirs)}"
        return Refuse("document-addressing", text, "//Sender", "EDI 2.0 A7.2")
    if otherwise := _otherwise_typed(inspection):
        return Refuse("message-type", otherwise, "//Type", "EDI 2.0 A7.2")
    if unaddressed := _unaddressed(inspection):
        return Refuse("document-unaddressed", unaddressed, "//Receiver", "HIS 1153 AD2.2")
    if strangers := _strangers(inspection):
        text = f"HER-id {', '.join(strangers)} was asked for, but is no receiver of the document"
        return Refuse("document-addressing", text, "//Receiver", "EDI 2.0 A7.2")
    return verdict


def _otherwise_typed(inspection: Inspection) -> str:
    """Why the document is not of the type that it is said to be; empty where nothing is said of it."""
    said, document = inspection.arrival.headers.get(MESSAGE_TYPE, ""), inspection.document
    assert document is not None
    own = "APPREC" if document.kind == "apprec" else document.type_code
    if not said or said.strip().upper() == own.upper():
        return ""
    return f"it is said to be {quoted(said)}, and is {own or 'of no type that is known here'}"


def _own_party(inspection: Inspection, system: RecordSystem, asked: str) -> str:
    """The sender's HER-id that this record system serves: the one that it asks for (EDI 2.0 A7.2), else level 2 before level 1.

    Empty when there is none.
    """
    assert inspection.document is not None
    named, may = inspection.document.sender.her_ids, inspection.arrival.headers.get(MAY)
    ids = [asked] if asked in named and asked in system.her_ids else reversed(named or ((asked,) if asked else ()))
    own = next((her for her in ids if her in system.her_ids), "")
    return own if may is None or own in may.split() else ""


def _receivers(inspection: Inspection) -> tuple[str, ...]:
    """The ones asked for, else the primary receiver and every copy of the document (HIS 1153), each once."""
    document = inspection.document
    assert document is not None
    named = (document.receiver.her_id, *(copy.her_id for copy in document.copies))
    return tuple(dict.fromkeys(inspection.arrival.receivers or [her for her in named if her]))


def _unaddressed(inspection: Inspection) -> str:
    """Why nobody would get it, or only copies would; a record system that asks for receivers knows whom it leaves out."""
    document = inspection.document
    assert document is not None
    if document.receiver.her_id or inspection.arrival.receivers:
        return ""
    if not any(copy.her_id for copy in document.copies):
        return "no receiver with a HER-id in the document"
    return "the document's primary receiver has no HER-id, so only copies would get it; ask for the receivers to send it to"


def _strangers(inspection: Inspection) -> list[str]:
    """Receivers asked for that the document does not name; each of them would only reject it.

    A primary receiver without HER-id, as older formats have it, may be any of them.
    """
    assert inspection.document is not None
    if not inspection.document.receiver.her_ids:
        return []
    named = {her for a in (inspection.document.receiver, *inspection.document.copies) for her in a.her_ids}
    return [her for her in inspection.arrival.receivers if her not in named]


def _record(inspection: Inspection, receivers: tuple[str, ...], asked: str, kit: Kit) -> MessageRecord:
    document, system = inspection.document, kit.directory.system(inspection.arrival.system or "")
    assert document is not None and system is not None
    first = kit.directory.party(receivers[0])
    found = (
        apprecs.read(inspection.document_root)
        if document.kind == "apprec" and inspection.document_root is not None
        else None
    )
    record = MessageRecord(
        id=kit.dice.uuid(),
        arrival_id=inspection.arrival.id,
        direction="local" if first is not None and first.local else "out",
        kind="apprec" if found else "business",
        door=inspection.arrival.door,
        received_at=inspection.now,
        from_her=_own_party(inspection, system, asked),
        to_her=receivers[0],
        conversation_id=kit.dice.uuid(),
        system=system.id,
        original_msg_id=found.original_id if found else "",
        original_type=found.original_type if found else "",
        service=f"S-{found.original_type}" if found else "",
        action="APPREC" if found else "",
        size=len(inspection.raw),
        sha256=inspection.sha256,
        code="accepted",
        because="; ".join((*(() if inspection.unchecked else ("valid",)), *inspection.observed)),
    )
    standard = inspection.standard
    told = standard.name if standard else "", standard.version if standard else ""
    return promises.described(record, document, *told)


def _decided(record: MessageRecord, receiver: str, verdict: Verdict, inspection: Inspection, kit: Kit) -> Decision:
    assert inspection.document is not None
    decision = kit.router.decide(promises.facts(record, receiver, kit, urgent=inspection.document.priority == "H"))
    if isinstance(verdict, Hold) and decision.action == "deliver":
        return promises.held(decision, verdict)
    return decision


def _refusal_code(decision: Decision, kit: Kit) -> str:
    return "refused-by-rule" if kit.directory.party(decision.receiver) is not None else "receiver-unknown"


async def _kept(
    inspection: Inspection,
    record: MessageRecord,
    decisions: list[Decision],
    kit: Kit,
    question: Question | None = None,
) -> Answer:
    """One transaction: the arrival, the message, a promise for each receiver, and for an AppRec what it settles."""
    answer = Answer(202, {}, b"", "accepted", record.because, record.id)
    claim = Claim(f"submit:{record.system}:{record.msg_id}:{','.join(d.receiver for d in decisions)}", record.sha256)
    for _ in range(ROUNDS):
        effects = await _apprec_effects(inspection, record, kit)
        change = promises.joined(
            Change(
                arrival=_arrival(inspection, "accepted", answer),
                claims=(claim,),
                messages=(NewMessage(record, inspection.raw),),
                journal=(_entry(inspection, Event.RECEIVED, record.code, record.because, record.id),),
            ),
            *(promises.promised(record, decision, kit) for decision in decisions),
            effects,
        )
        done = await kit.store.apply(question.only(change) if question else change)
        if not isinstance(done, Conflict):
            break
    else:
        raise StoreUnavailable("other changes came between each time; hand it over again")
    if isinstance(done, Taken):
        return await _again(inspection, record, done, kit)
    return answer


async def _apprec_effects(inspection: Inspection, record: MessageRecord, kit: Kit) -> Change:
    """An AppRec that a record system has written itself settles the delivery that it answers (EDI 2.0 A9.4).

    It takes the right to answer, so that a receiver answers a document once (HITS 1168 5.1).
    """
    if record.kind != "apprec" or inspection.document_root is None:
        return Change()
    found = apprecs.read(inspection.document_root)
    if found is None:
        return Change()
    settled = await promises.apprec_arrived(found, inspection.raw, record, kit, inspection.now)
    target = await promises.answered(found, record, kit)
    original = await kit.store.message(target.message_id) if target is not None else None
    if original is None:
        return settled
    right = Claim(promises.apprec_key(original, record.from_her), record.sha256)
    return promises.joined(settled, Change(claims=(right,)))


async def _again(inspection: Inspection, record: MessageRecord, taken: Taken, kit: Kit) -> Answer:
    if taken.key.startswith("answered:"):
        text = f"{record.original_msg_id} has been answered already"
        return await _refused(inspection, Refuse("sync-twice", text, "//ConversationRef"), kit)
    if taken.key.startswith("apprec:"):
        text = f"HER-id {record.from_her} has answered {record.original_msg_id} already"
        return await _refused(inspection, Refuse("apprec-twice", text, "//OriginalMsgId", "HITS 1168 5.1"), kit)
    if taken.digest != record.sha256:
        text = f"MsgId {record.msg_id} was handed over before with other content"
        return await _refused(inspection, Refuse("id-reused", text, "//MsgId", "HIS 80601"), kit)
    said = await again.handed_over(taken.message_id, inspection.arrival.system or "hub", kit)
    if said.fate == "over":
        refusal = Refuse("given-up-before", said.because)
        return replace(await _refused(inspection, refusal, kit), message_id=taken.message_id)
    code, because = "duplicate", "handed over again; it goes out once"
    if said.fate == "again":
        code, because = "promised-again", said.because
    entry = _entry(inspection, Event.DUPLICATE, code, because, taken.message_id)
    await kit.store.apply(Change(journal=(entry,)))
    return Answer(202, {}, b"", code, because if said.fate == "again" else "handed over before", taken.message_id)


async def _refused(inspection: Inspection, verdict: Refuse, kit: Kit, told: tuple[Notification, ...] = ()) -> Answer:
    """Refused to its face; the bytes are kept, so that support can see what was sent."""
    places = mistakes.of(inspection, kit) if verdict.code in _OF_CONTENT else ()
    words = verdict.because, "", verdict.norwegian
    answer = Answer(reason(verdict.code).http, {}, b"", verdict.code, *words, places)
    entry = _entry(inspection, Event.REFUSED, verdict.code, verdict.because)
    kept = _arrival(inspection, "refused", answer)
    await kit.store.apply(Change(arrival=kept, journal=(entry,), notifications=told))
    return answer


#: Codes of documents that are refused for what is in them: all of it is told at once.
_OF_CONTENT = frozenset(
    {
        *("document-malformed", "document-schema", "document-msgid", "document-patient", "not-well-formed"),
        *("xml-doctype", "xml-hostile", "xml-encoding", "document-empty"),
    }
)


def _arrival(inspection: Inspection, state: ArrivalState, answer: Answer) -> ArrivalRecord:
    seen = sight.facts(inspection) if state != "accepted" else ArrivalFacts()
    return ArrivalRecord(inspection.arrival, state, answer.code, answer.because, answer.status, facts=seen)


def _entry(inspection: Inspection, event: Event, code: str, because: str, message_id: str = "") -> Entry:
    actor = inspection.arrival.system or "hub"
    return Entry(inspection.now, event, code, because, message_id, "", inspection.arrival.id, actor)
