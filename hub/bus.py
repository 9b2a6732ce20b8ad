"""What happens to a message of the national bus, in order: read, proven, judged, and kept before it is settled (nhn-amqp.md)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hub import again, bus_reports, promises, questions, taking
from hub.checks import chain
from hub.checks.inspection import Inspection, run
from hub.digest import sha256
from hub.errors import StoreUnavailable
from hub.events import Entry, Event
from hub.formats import amqp
from hub.kit import Kit
from hub.message import BUS_DOOR, Answer, Arrival
from hub.ports import Change, Claim, Conflict, Taken
from hub.verdict import Pass, Refuse, Retry, Verdict

#: Which queue a message lay in.
ASYNC, SYNC, SYNCREPLY, ERROR = (BUS_DOOR + kind for kind in ("async", "sync", "syncreply", "error"))
#: How often an arrival is weighed anew when another change came between.
ROUNDS = 5


async def receive(arrival: Arrival, kit: Kit, *, late: bool = False) -> Answer:
    """A message, kept before its sender's broker may forget it. Raises StoreUnavailable when nothing could be kept.

    Nothing is answered here: an AppRec, or an error report to the sender's error queue, is promised in the same transaction
    and goes out by itself. What lies in an error queue, or is an error wherever it lies, is never answered (§4.4).
    """
    inspection = Inspection(arrival, kit.clock.now(), late=late, bus=amqp.read(arrival.headers))
    if arrival.door == ERROR or bus_reports.is_report(inspection):
        return await bus_reports.taken(inspection, kit)
    verdict = run(chain.BUS, inspection, kit)
    if isinstance(verdict, Retry):
        return await _undecided(inspection, verdict, kit)
    if not isinstance(verdict, Pass):
        return await _refused(inspection, verdict, kit)
    if arrival.door == SYNCREPLY:
        return await _answer_home(inspection, kit)
    return await _document(inspection, kit)


async def _document(inspection: Inspection, kit: Kit, answering: Change | None = None) -> Answer:
    """A proven message: its document is judged, and all that follows is made durable at once."""
    judged = run(chain.BUS_DOCUMENT, inspection, kit)
    answer = Answer(200, {}, b"", "accepted")
    for _ in range(ROUNDS):
        change = await taking.accepted(inspection, judged, _claim(inspection), answer, kit)
        change = questions.asked(inspection, change, kit) if inspection.arrival.door == SYNC else change
        if isinstance(judged, Refuse) and len(change.messages) == 1:  # no AppRec is due: said on the bus itself
            change = promises.joined(change, bus_reports.about(inspection, judged, kit))
        done = await kit.store.apply(promises.joined(change, answering or Change()))
        if not isinstance(done, Conflict):
            break
        answering = None  # what was asked has been settled meanwhile: the answer is kept all the same
    else:
        raise StoreUnavailable("other changes came between each time")
    if isinstance(done, Taken):
        return await _again(inspection, done, answer, kit)
    return replace(answer, message_id=change.messages[0].record.id)


async def _answer_home(inspection: Inspection, kit: Kit) -> Answer:
    """What came to our reply queue: settles what was asked, and is handed to who asked (§4.2)."""
    found = await questions.answered(inspection, kit)
    if isinstance(found, questions.Mismatch):
        return await _mismatched(inspection, found, kit)
    judged = run(chain.BUS_DOCUMENT, inspection, kit)
    usable = not isinstance(judged, Refuse)
    return await _document(inspection, kit, questions.settled(inspection, found, usable))


async def _mismatched(inspection: Inspection, found: questions.Mismatch, kit: Kit) -> Answer:
    """An answer that cannot be given to anybody: told to who asked; only a stranger hears of it (§4.2)."""
    if found.verdict.code == "sync-stranger":
        return await _refused(inspection, found.verdict, kit, found.journal)
    answer = Answer(200, {}, b"", found.verdict.code, found.verdict.because)
    noted = taking.entry(inspection, Event.REFUSED, found.verdict.code, found.verdict.because)
    kept = taking.arrival_record(inspection, "refused", found.verdict.code, found.verdict.because, answer)
    await kit.store.apply(Change(arrival=kept, journal=(noted, *found.journal)))
    return answer


# --- what came before


async def _again(inspection: Inspection, taken: Taken, answer: Answer, kit: Kit) -> Answer:
    """The broker delivers at least once: the same message again is only noted (§4.5)."""
    own = _claim(inspection)
    if taken.key == own.key and taken.digest == own.digest:
        return await _repeated(inspection, taken, kit)
    if taken.key == own.key:
        assert inspection.bus is not None
        text = f"message-id {inspection.bus.message_id or '(none)'} came before with other content"
        return await _reused(inspection, taken, text, kit)
    if await taking.another_document(inspection, taken, kit):
        text = f"MsgId {inspection.document.msg_id if inspection.document else ''} came before with other content"
        return await _reused(inspection, taken, text, kit)
    done = await kit.store.apply(taking.known(inspection, taken, own, answer, kit))
    if isinstance(done, Taken):
        return await _repeated(inspection, done, kit)
    return replace(answer, code="business-duplicate")


async def _repeated(inspection: Inspection, taken: Taken, kit: Kit) -> Answer:
    await again.handed_over(taken.message_id, "hub", kit)
    answer = Answer(200, {}, b"", "duplicate", "came again", taken.message_id)
    noted = taking.entry(inspection, Event.DUPLICATE, "duplicate", "the same message came again", taken.message_id)
    kept = taking.arrival_record(inspection, "accepted", "duplicate", noted.because, answer)
    await kit.store.apply(Change(arrival=kept, journal=(noted,)))
    return answer


async def _reused(inspection: Inspection, taken: Taken, text: str, kit: Kit) -> Answer:
    """An id used twice is an alarm at the first message, and refused aloud: the new content must not vanish."""
    alarm = taking.entry(inspection, Event.REUSED, "id-reused", text, taken.message_id)
    return await _refused(inspection, Refuse("id-reused", text, "//MsgId", "HIS 80601"), kit, (alarm,))


# --- what is not taken


async def _refused(inspection: Inspection, verdict: Verdict, kit: Kit, journal: tuple[Entry, ...] = ()) -> Answer:
    """The bytes are kept, and its sender is told once, however often the broker brings it (§4.4)."""
    assert isinstance(verdict, Refuse) and inspection.bus is not None
    answer = Answer(200, {}, b"", verdict.code, verdict.because)
    known = bool(inspection.bus.from_her)
    event = Event.REFUSED if known else Event.QUARANTINED
    own = Claim(f"bus-refused:{inspection.sender}:{inspection.bus.message_id}:{sha256(inspection.arrival.body)}")
    change = Change(
        arrival=taking.arrival_record(
            inspection, "refused" if known else "quarantined", verdict.code, verdict.because, answer
        ),
        claims=(own,),
        journal=(taking.entry(inspection, event, verdict.code, verdict.because), *journal),
    )
    done = await kit.store.apply(promises.joined(change, bus_reports.about(inspection, verdict, kit)))
    if isinstance(done, Taken) and done.arrival_id == inspection.arrival.id:  # judged again by a person: told long ago
        await kit.store.apply(replace(change, claims=()))
    elif isinstance(done, Taken):
        return await _repeated(inspection, done, kit)
    return answer


async def _undecided(inspection: Inspection, verdict: Retry, kit: Kit) -> Answer:
    """Kept, and judged again by itself: the broker need not keep it for us (§3.5: temporary, never reported)."""
    later = replace(verdict, after=verdict.after or timedelta(seconds=kit.settings.retry_undecided_seconds))
    answer = Answer(200, {}, b"", verdict.code, verdict.because)
    await kit.store.apply(taking.undecided(inspection, later, answer, kit))
    return answer


def _claim(inspection: Inspection) -> Claim:
    """A message-id belongs to the sender that proved it; the digest is of the document, since encryption differs (§4.5)."""
    bus, digest = inspection.bus, sha256(inspection.raw)
    assert bus is not None
    return Claim(f"bus:{bus.from_her}:{bus.message_id or digest}", digest)
