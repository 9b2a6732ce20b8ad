"""What happens to an arrival, in order: read, proven, judged, routed, and kept with its answer in one transaction."""

from __future__ import annotations

from dataclasses import replace

from hub import again, promises, receipts, signals, taking
from hub.checks import agreement, chain, proof
from hub.checks.inspection import Inspection, judged, run
from hub.digest import sha256
from hub.errors import StoreUnavailable
from hub.events import Event
from hub.kit import Kit
from hub.message import Answer, Arrival, Channel
from hub.ports import ArrivalFilter, ArrivalState, Change, Claim, Conflict, DeliveryFilter, Taken
from hub.verdict import Pass, Refuse, Retry, Verdict

#: Refusals that depend on the hour, and that what came in time before never got.
HOURLY = frozenset(
    {
        "time-to-live-expired",
        "cpa-expired",
        "cpa-not-yet-valid",
        "certificate-expired",
        "certificate-revoked",
    }
)
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
    inspection.answered = await _answered_before(arrival, kit) if late else None
    verdict = await judged(chain.READING, inspection, kit)
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


async def _answered_before(arrival: Arrival, kit: Kit) -> Answer | None:
    """The MessageError that went back when it came, if one did (see README.md, "Judged again by a person")."""
    before = next(iter(await kit.store.arrivals(ArrivalFilter(ids=(arrival.id,), bare=True))), None)
    if before is None or "SOAPAction" not in dict(before.answer_headers):
        return None
    return Answer(before.answer_status, dict(before.answer_headers), before.answer, "accepted", "taken after all")


# --- a business message


async def _business(inspection: Inspection, kit: Kit) -> Answer:
    verdict = await judged(chain.TRANSPORT, inspection, kit)
    if isinstance(verdict, Retry):
        return await _undecided(inspection, verdict, kit)
    if not isinstance(verdict, Pass):
        return await _came_before(inspection, verdict, kit) or await _refused(inspection, verdict, kit)
    said = await judged(chain.DOCUMENT, inspection, kit, last=True)
    await kit.learnt.refresh(kit.store.learnt, inspection.now)
    question = _question(inspection, kit)
    answer = inspection.answered or receipts.accepted(question, tuple(inspection.warnings), kit)
    for _ in range(ROUNDS):
        change = await taking.accepted(inspection, said, _own_claim(inspection), answer, kit)
        done = await kit.store.apply(promises.joined(change, _receipt(answer, inspection, kit)))
        if not isinstance(done, Conflict):
            break
    else:
        raise StoreUnavailable(BETWEEN)
    if isinstance(done, Taken):
        return await _again(inspection, done, answer, kit)
    return receipts.worded(answer, question)


async def _came_before(inspection: Inspection, verdict: Verdict, kit: Kit) -> Answer | None:
    """What is too late or too early now got its answer when it was not: the same again (HIS 1037 6.2.1, HITS 1171 5.2.1.11).

    None where it is new, another message under a known id, or judged again by a person: its own claim is no earlier one.
    """
    if not isinstance(verdict, Refuse) or verdict.code not in HOURLY or inspection.answered is not None:
        return None
    proven = inspection.verified
    inspection.agreement = inspection.agreement or agreement.for_refusals(inspection, kit)
    if inspection.agreement is not None and isinstance(run((proof.signed,), inspection, kit), Pass):
        found = await kit.store.earlier(_claim(inspection).key)
        if found is not None and found[1] is not None and found[0].digest == _digest(inspection):
            return await _again(inspection, found[0], Answer(200, {}, b""), kit)
    inspection.verified = proven
    return None


def _receipt(answer: Answer, inspection: Inspection, kit: Kit) -> Change:
    """What a receipt brings with it that is given for the first time; nothing where its answer was given long ago."""
    if inspection.answered is not None:
        return Change()
    question = _question(inspection, kit)
    return promises.joined(receipts.deferred(answer, question, kit), receipts.named(answer, question))


def _question(inspection: Inspection, kit: Kit) -> receipts.Question:
    """What a receipt must know of the message that it answers."""
    assert inspection.envelope is not None
    return receipts.Question(
        envelope=inspection.envelope,
        references=inspection.verified.references if inspection.verified else (),
        key=kit.keys.signing_key(inspection.receiver),
        agreement=inspection.agreement or agreement.for_refusals(inspection, kit),
        arrival_id=inspection.arrival.id,
        late=inspection.late or inspection.arrival.door == Channel.EBXML_SMTP,
    )


async def _again(inspection: Inspection, taken: Taken, answer: Answer, kit: Kit) -> Answer:
    """Something of it came before: the same message, the same document at the same system, or another under its id."""
    assert inspection.envelope is not None
    if taken.key.startswith(("doc:", "apprec:")):
        if await taking.another_document(inspection, taken, kit):
            text = f"MsgId {inspection.document.msg_id if inspection.document else ''} came before with other content"
            return await _reused(inspection, taken, Refuse("id-reused", text, "//MsgId", "HIS 80601"), kit)
        return await _known_document(inspection, taken, answer, kit)
    if taken.digest != _digest(inspection):
        text = f"MessageId {inspection.envelope.message_id} came before with other content"
        return await _reused(inspection, taken, Refuse("id-reused", text, "//eb:MessageId", "HITS 1172 5.8.2"), kit)
    earlier = await kit.store.earlier(taken.key)
    await again.handed_over(taken.message_id, "hub", kit)
    entry = taking.entry(
        inspection, Event.DUPLICATE, "duplicate", "came again; the same answer was given", taken.message_id
    )
    assert earlier is not None and earlier[1] is not None
    first = earlier[1]
    same = Answer(
        first.answer_status, dict(first.answer_headers), first.answer, "duplicate", first.because, taken.message_id
    )
    question = _question(inspection, kit)
    kept = Change(
        arrival=taking.arrival_record(inspection, "accepted", "duplicate", entry.because, same), journal=(entry,)
    )
    await kit.store.apply(promises.joined(kept, receipts.deferred(same, question, kit)))
    return receipts.worded(same, question)


async def _reused(inspection: Inspection, taken: Taken, verdict: Refuse, kit: Kit) -> Answer:
    """An id used twice is an alarm at the first message, and refused aloud: the new content must not vanish."""
    entry = taking.entry(inspection, Event.REUSED, verdict.code, verdict.because, taken.message_id)
    await kit.store.apply(Change(journal=(entry,)))
    return await _refused(inspection, verdict, kit)


async def _known_document(inspection: Inspection, taken: Taken, answer: Answer, kit: Kit) -> Answer:
    """A known MsgId in another envelope: acknowledged, but neither imported nor answered again (HITS 1168 5.4)."""
    await again.handed_over(taken.message_id, "hub", kit)
    change = taking.known(inspection, taken, _own_claim(inspection), answer, kit)
    done = await kit.store.apply(promises.joined(change, _receipt(answer, inspection, kit)))
    if isinstance(done, Taken) and done.key == _claim(inspection).key:
        return await _again(inspection, done, answer, kit)
    return receipts.worded(answer, _question(inspection, kit))


# --- refusals


async def _refused(inspection: Inspection, verdict: Verdict, kit: Kit) -> Answer:
    """A SOAP Fault for what cannot be read or answered as ebXML, else a signed MessageError; the bytes are kept."""
    assert isinstance(verdict, Refuse)
    question = _question(inspection, kit) if inspection.envelope else None
    first = inspection.answered
    answer = receipts.refused(question, verdict, kit) if first is None else _once_more(first, verdict)
    readable = inspection.envelope is not None
    state: ArrivalState = "refused" if readable else "quarantined"
    event = Event.REFUSED if readable else Event.QUARANTINED
    change = Change(
        arrival=taking.arrival_record(inspection, state, verdict.code, verdict.because, answer),
        journal=(taking.entry(inspection, event, verdict.code, verdict.because),),
    )
    if question is not None:
        change = promises.joined(change, _receipt(answer, inspection, kit))
    if inspection.verified is not None and verdict.code != "id-reused" and first is None:
        change = replace(change, claims=(_claim(inspection), *change.claims))
    done = await kit.store.apply(change)
    if isinstance(done, Taken):
        return await _again(inspection, done, answer, kit)
    return receipts.worded(answer, question) if question is not None else answer


def _once_more(first: Answer, verdict: Refuse) -> Answer:
    """What was said once stays said, whatever is wrong with it now."""
    return replace(first, code=verdict.code, because=verdict.because)


async def _undecided(inspection: Inspection, verdict: Retry, kit: Kit) -> Answer:
    """Kept, neither acknowledged nor refused; judged again by itself, or when the sender's resend comes."""
    answer = inspection.answered or Answer(202, {}, b"")
    answer = replace(answer, code=verdict.code, because=verdict.because)
    await kit.store.apply(taking.undecided(inspection, verdict, answer, kit))
    return answer


# --- signals, Ping, StatusRequest


async def _signal(inspection: Inspection, kit: Kit) -> Answer:
    """What comes by itself about something of ours: taken when proven, journaled either way, never answered (HIS 1037 9)."""
    assert inspection.envelope is not None
    receipt = inspection.envelope.kind in ("acknowledgment", "error")
    verdict = run(chain.SIGNAL if receipt else chain.QUESTION, inspection, kit)
    if isinstance(verdict, Retry):
        return await _undecided(inspection, verdict, kit)
    for _ in range(ROUNDS):
        effect = await signals.taken(inspection, verdict, kit)
        state: ArrivalState = "accepted" if isinstance(verdict, Pass) else "refused"
        answer = Answer(200, {}, b"", effect.code, effect.because)
        arrival = taking.arrival_record(inspection, state, effect.code, effect.because, answer)
        if not isinstance(await kit.store.apply(promises.joined(Change(arrival=arrival), effect.change)), Conflict):
            return answer
    raise StoreUnavailable(BETWEEN)


async def _asked(inspection: Inspection, kit: Kit) -> Answer:
    """Ping gets Pong, StatusRequest gets StatusResponse, signed, whether they were signed or not; so often in a minute.

    Nothing is kept but the journal, unless the answer travels by itself.
    """
    verdict = run(chain.QUESTION, inspection, kit)
    if (bounded := await _too_often(inspection, verdict, kit)) is not None:
        return bounded
    if isinstance(verdict, Retry):
        return await _ask_later(inspection, verdict, kit)
    if not isinstance(verdict, Pass):
        return await _refused(inspection, verdict, kit)
    assert inspection.envelope is not None
    proven = inspection.verified is not None
    status = await signals.status_of(inspection.envelope, inspection.sender, kit, proven=proven)
    question = _question(inspection, kit)
    answer = receipts.told(question, status, kit)
    promise = receipts.deferred(answer, question, kit)
    if promise.deliveries:
        if await _one_waits(promise, kit):
            return _answered_later("an answer to its last question waits to be brought", inspection, kit)
        kept = taking.arrival_record(inspection, "accepted", "done", answer.because, answer)
        promise = replace(promise, arrival=kept)
    text = f"{inspection.envelope.kind} from HER-id {inspection.sender}, {'signed' if proven else 'unsigned'}"
    noted = Change(journal=(taking.entry(inspection, Event.PINGED, "done", text),))
    await kit.store.apply(promises.joined(promise, noted))
    return receipts.worded(answer, question)


async def _too_often(inspection: Inspection, verdict: Verdict, kit: Kit) -> Answer | None:
    """The answer to a question above the bound, else None. Who proves himself is not held back by others in his name.

    Only the first one of a minute is written down: asking must neither make us sign nor fill the disk without end.
    """
    known = kit.directory.party(inspection.sender) is not None
    proven = isinstance(verdict, Pass) and inspection.verified is not None
    asker = f"{inspection.sender} {'signed' if proven else 'unsigned'}" if known else ""
    number, bound = kit.askers.another(asker, inspection.now), kit.settings.questions_per_minute
    mailed = inspection.arrival.door == Channel.EBXML_SMTP  # by a relay, which is many partners'
    if not proven and not mailed and (peer := inspection.arrival.peer):  # whatever names it asks in
        number = max(number, kit.askers.another(f"from {peer}", inspection.now))
    if number <= bound:
        return None
    whose = f"HER-id {inspection.sender}" if known else "parties that are not known here"
    text = f"{bound} {'signed' if proven else 'unsigned or unproven'} questions of {whose} were answered in this minute"
    if number == bound + 1:
        await kit.store.apply(Change(journal=(taking.entry(inspection, Event.REFUSED, "asked-too-often", text),)))
    return _answered_later(text, inspection, kit)


def _answered_later(because: str, inspection: Inspection, kit: Kit) -> Answer:
    by_mail = inspection.arrival.door == Channel.EBXML_SMTP
    return receipts.asked_too_often(Refuse("asked-too-often", because), by_mail=by_mail, kit=kit)


async def _one_waits(promise: Change, kit: Kit) -> bool:
    """Whether an answer to this asker waits already: while it is down, its questions heap nothing up."""
    [new] = promise.deliveries
    waiting = await kit.store.deliveries(DeliveryFilter(receivers=(new.receiver,), states=("waiting",), limit=1000))
    return any(d.rule == receipts.QUESTIONS and d.address == new.address for d in waiting)


async def _ask_later(inspection: Inspection, verdict: Retry, kit: Kit) -> Answer:
    """A question is not kept to be judged later, as a message is: who asks is told to ask again."""
    answer = receipts.refused(None, Refuse(verdict.code, verdict.because), kit)
    arrival = taking.arrival_record(inspection, "refused", verdict.code, verdict.because, answer)
    entry = taking.entry(inspection, Event.REFUSED, verdict.code, verdict.because)
    await kit.store.apply(Change(arrival=arrival, journal=(entry,)))
    return answer


# --- small words


def _own_claim(inspection: Inspection) -> Claim | None:
    """None where a person has it judged again: whoever has the MessageId, and its answer, keeps it."""
    return _claim(inspection) if inspection.answered is None else None


def _claim(inspection: Inspection) -> Claim:
    """A MessageId belongs to the sender that proved it; an unproven message claims nothing."""
    assert inspection.envelope is not None
    return Claim(f"eb:{inspection.sender}:{inspection.envelope.message_id}", _digest(inspection))


def _digest(inspection: Inspection) -> str:
    """What was signed: equal for a genuine repetition, different for an id used twice (HITS 1172 5.8.2)."""
    assert inspection.verified is not None
    return sha256(" ".join(sorted(r.digest_value for r in inspection.verified.references)).encode())
