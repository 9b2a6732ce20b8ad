"""Error reports on the national bus: those that we promise to send, and what those that come do to deliveries (nhn-amqp.md §4.4)."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID

from hub import promises, taking
from hub.checks.inspection import Inspection
from hub.codes import condition, reason
from hub.events import Entry, Event, Notification, NotificationType
from hub.formats import amqp, amqp_report
from hub.formats.amqp import BusMessage
from hub.formats.amqp_report import Condition, ErrorReport
from hub.formats.queues import QueueKind
from hub.kit import Kit
from hub.message import BUS, Answer, Channel, DeliveryRecord, MessageRecord, NewMessage
from hub.ports import ArrivalState, Change, Conflict, DeliveryFilter, MoveOrder
from hub.states import Move, State, allowed
from hub.verdict import Refuse

#: How long a report is tried; nobody waits for it.
LIFE = timedelta(hours=24)


def is_report(inspection: Inspection) -> bool:
    """Whether this is itself an error, whatever queue it lies in: it is read as one and never answered."""
    assert inspection.bus is not None
    return "errorCondition" in inspection.bus.properties or inspection.bus.function.upper() == amqp.SOAP_FAULT


# --- what we say


def about(inspection: Inspection, verdict: Refuse, kit: Kit) -> Change:
    """The promise of a report to the sender's error queue; nothing where no sender or no queue is known (§4.4)."""
    assert inspection.bus is not None
    queue = kit.directory.bus_queue(inspection.sender, QueueKind.ERROR) if inspection.sender else ""
    said = Condition(condition(verdict.code))
    written = amqp_report.written(
        inspection.bus,
        said,
        _words(verdict),
        data=verdict.data,
        message_id=kit.dice.uuid(),
        at=inspection.now,
        queue=queue,
    )
    if written is None or not queue:
        why = f"nobody can be told: no error queue is known for HER-id {inspection.sender or '(none)'}"
        return Change(journal=(taking.entry(inspection, Event.SIGNAL, verdict.code, why),))
    body = json.dumps(amqp.headers(written), ensure_ascii=False).encode()
    record = _record(inspection, written, verdict, body, kit)
    made = _delivery(record, written, f"amqp:{queue}", kit)
    entry = Entry(record.received_at, Event.ROUTED, verdict.code, f"{said} is reported", record.id, made.id)
    return Change(messages=(NewMessage(record, body),), deliveries=(made,), journal=(entry,))


def _words(verdict: Refuse) -> str:
    """What the sender's operators read; never content."""
    row = reason(verdict.code)
    return "; ".join(filter(None, (f"{row.text}: {verdict.because}", row.hint)))


def _record(inspection: Inspection, written: BusMessage, verdict: Refuse, body: bytes, kit: Kit) -> MessageRecord:
    return MessageRecord(
        id=kit.dice.uuid(),
        arrival_id=inspection.arrival.id,
        direction="out",
        kind="signal",
        door="hub",
        received_at=inspection.now,
        from_her=written.from_her,
        to_her=written.to_her,
        type_code="SIGNAL",
        action=written.function,
        original_msg_id=inspection.bus.message_id if inspection.bus else "",
        size=len(body),
        code=verdict.code,
        because=verdict.because,
    )


def _delivery(record: MessageRecord, written: BusMessage, address: str, kit: Kit) -> DeliveryRecord:
    now, s = record.received_at, kit.settings
    return DeliveryRecord(
        id=kit.dice.uuid(),
        message_id=record.id,
        sender=record.from_her,
        receiver=record.to_her,
        channel=Channel.AMQP,
        address=address,
        state=State.WAITING,
        created_at=now,
        next_at=now,
        give_up_at=now + LIFE,
        apprec_due_at=None,
        retries=s.retries,
        retry_interval=timedelta(seconds=s.bus_retry_seconds),
        eb_message_id=written.message_id,
        kind="signal",
        priority=2,
        rule="built-in: error reports",
        code="accepted",
        because="the sender is told on its error queue",
        changed_at=now,
    )


# --- what is said to us


async def taken(inspection: Inspection, kit: Kit) -> Answer:
    """A report: read whatever it is, told to who sent what it is about, never answered, always done with (§4.4)."""
    assert inspection.bus is not None
    report = amqp_report.read(inspection.bus, inspection.arrival.body)
    delivery = await _reported(report, kit)
    if delivery is None:
        text = f"an error report ({_said(report)}) about {', '.join(report.about) or 'nothing'}, which we did not send"
        return await _kept(inspection, "quarantined", Entry(inspection.now, Event.SIGNAL, "receipt-unknown", text), kit)
    if report.from_her and report.from_her != delivery.receiver:
        text = f"an error report from HER-id {report.from_her} about what was sent to HER-id {delivery.receiver}"
        return await _kept(inspection, "refused", _entry(inspection, "receipt-unproven", text, delivery), kit)
    return await _settled(inspection, delivery, _said(report), kit)


async def _settled(inspection: Inspection, delivery: DeliveryRecord, text: str, kit: Kit) -> Answer:
    """Refused by its receiver, if that can still be; the record system is told."""
    move = _move(delivery)
    noted = _entry(inspection, "bus-error", text, delivery)
    if move is None:
        text = f"{text}; it stood at {delivery.state} already"
        return await _kept(inspection, "accepted", _entry(inspection, "bus-error", text, delivery), kit)
    order = MoveOrder(delivery.id, move, inspection.now, "bus-error", text)
    told = Notification(
        NotificationType.DELIVERY_STATE, delivery.message_id, delivery.sender, delivery.receiver, inspection.now
    )
    return await _kept(inspection, "accepted", noted, kit, Change(moves=(order,), notifications=(told,)))


def _move(delivery: DeliveryRecord) -> Move | None:
    """From where it stands; what an AppRec or an answer has settled is not taken back, nor is a report of ours."""
    if delivery.kind == "signal" or delivery.apprec_status:
        return None
    if delivery.state == State.DONE and delivery.channel == Channel.AMQP:
        return Move.TAKE_BACK
    return Move.BOUNCE if allowed(delivery.state, Move.BOUNCE) else None


async def _reported(report: ErrorReport, kit: Kit) -> DeliveryRecord | None:
    """The delivery that it is about, by any id it names; spelt with hyphens or without (§2.1, §4.4)."""
    for named in report.about:
        for spelt in dict.fromkeys((named, _uuid(named))):
            found = await kit.store.deliveries(DeliveryFilter(eb_message_id=spelt))
            if ours := next((d for d in found if d.channel in BUS), None):
                return ours
    return None


def _uuid(written: str) -> str:
    try:
        return str(UUID(written))
    except ValueError:
        return written


def _said(report: ErrorReport) -> str:
    """What the other side wrote, for people: the journal keeps it with the message, no log does."""
    return " ".join(filter(None, (report.condition or "no condition", report.description, ";".join(report.data))))[
        :2000
    ]


def _entry(inspection: Inspection, code: str, text: str, delivery: DeliveryRecord) -> Entry:
    return Entry(
        inspection.now, Event.MESSAGE_ERROR, code, text, delivery.message_id, delivery.id, inspection.arrival.id
    )


async def _kept(
    inspection: Inspection, state: ArrivalState, noted: Entry, kit: Kit, change: Change | None = None
) -> Answer:
    """The report with what it did, in one transaction; a move that came too late is only said."""
    answer = Answer(200, {}, b"", noted.code, noted.because)
    entry = noted if noted.arrival_id else taking.entry(inspection, noted.event, noted.code, noted.because)
    kept = Change(arrival=taking.arrival_record(inspection, state, entry.code, entry.because, answer), journal=(entry,))
    done = await kit.store.apply(promises.joined(kept, change or Change()))
    if isinstance(done, Conflict):
        await kit.store.apply(kept)
    return answer
