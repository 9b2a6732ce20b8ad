"""Between values of the kernel and rows: times as microseconds, mappings as JSON; each pair of functions side by side."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.store.session import Row
from hub import wishes
from hub.events import Entry, Event, Notification, NotificationType
from hub.message import Arrival, Channel, Configuration, DeliveryRecord, MessageRecord, Parcel
from hub.ports import ArrivalFacts, ArrivalRecord, AttemptRecord, CircuitRecord, Learnt, NodeRecord, ReceiptRecord

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime | None) -> int | None:
    """Microseconds since 1970."""
    return None if at is None else (at - EPOCH) // MICROSECOND


def instant(value: int | None) -> datetime | None:
    """An aware instant in UTC."""
    return None if value is None else EPOCH + timedelta(microseconds=value)


def _at(value: int) -> datetime:
    return EPOCH + timedelta(microseconds=value)


def arrival_row(record: ArrivalRecord, body: str, answer: bytes) -> tuple[Any, ...]:
    """A row of `arrivals`; `body` is the SHA-256 of its bytes, `answer` what is kept of what was answered."""
    a = record.arrival
    return (
        a.id,
        a.door,
        micros(a.received_at),
        json.dumps(dict(a.headers)),
        body,
        a.system,
        json.dumps(a.receivers),
        record.state,
        record.code,
        record.because,
        record.answer_status,
        json.dumps(record.answer_headers),
        answer,
        micros(record.next_at),
    )


_FACTS = tuple(f.name for f in dataclasses.fields(ArrivalFacts))


def facts_row(record: ArrivalRecord) -> tuple[Any, ...]:
    """What else a row of `arrivals` has where there is more to say; empty where there is not."""
    if record.facts == ArrivalFacts() and record.discarded_at is None:
        return ()
    return (micros(record.discarded_at), *(getattr(record.facts, name) for name in _FACTS), record.arrival.id)


def arrival(row: Row, body: bytes, answer: bytes, trouble: tuple[str, str] | None = None) -> ArrivalRecord:
    """The value of a row of `arrivals`; `trouble` says why these are not its bytes."""
    return ArrivalRecord(
        Arrival(
            row["id"],
            row["door"],
            _at(row["received_at"]),
            json.loads(row["headers"]),
            body,
            row["system"],
            tuple(json.loads(row["receivers"])),
            trouble=trouble,
        ),
        row["state"],
        row["code"],
        row["because"],
        row["answer_status"],
        tuple((name, value) for name, value in json.loads(row["answer_headers"])),
        answer,
        instant(row["next_at"]),
        ArrivalFacts(*(row[name] for name in _FACTS)),
        instant(row["discarded_at"]),
    )


def message_row(m: MessageRecord, document: str) -> tuple[Any, ...]:
    """A row of `messages`; `document` is the SHA-256 of its bytes."""
    return (
        m.id,
        m.arrival_id,
        m.direction,
        m.kind,
        m.door,
        micros(m.received_at),
        m.from_her,
        m.to_her,
        m.type_code,
        m.standard,
        m.version,
        m.namespace,
        m.msg_id,
        m.document_id,
        micros(m.gen_date),
        m.eb_message_id,
        m.conversation_id,
        m.cpa_id,
        m.service,
        m.action,
        m.system,
        m.original_msg_id,
        m.original_type,
        m.size,
        m.sha256,
        m.code,
        m.because,
        document,
    )


_MESSAGE_FIELDS = tuple(f.name for f in dataclasses.fields(MessageRecord))


def message(row: Row) -> MessageRecord:
    """The value of a row of `messages`."""
    values = {name: row[name] for name in _MESSAGE_FIELDS}
    values["received_at"], values["gen_date"] = _at(row["received_at"]), instant(row["gen_date"])
    values["transport"] = wishes.read(row["transport"])
    return MessageRecord(**values)


def delivery_row(d: DeliveryRecord) -> tuple[Any, ...]:
    """A row of `deliveries`."""
    return (
        d.id,
        d.message_id,
        d.sender,
        d.receiver,
        d.channel,
        d.address,
        d.state,
        micros(d.created_at),
        micros(d.next_at),
        micros(d.give_up_at),
        micros(d.apprec_due_at),
        d.attempts,
        d.handed_over,
        d.retries,
        d.retry_interval // MICROSECOND,
        micros(d.expires_at),
        d.eb_message_id,
        d.kind,
        d.priority,
        d.rule,
        d.code,
        d.because,
        d.apprec_status,
        d.apprec_code,
        micros(d.changed_at),
    )


_DELIVERY_FIELDS = tuple(f.name for f in dataclasses.fields(DeliveryRecord))
_DELIVERY_TIMES = ("created_at", "next_at", "give_up_at", "apprec_due_at", "expires_at", "changed_at", "interval_from")


def delivery(row: Row) -> DeliveryRecord:
    """The value of a row of `deliveries`."""
    values = {name: row[name] for name in _DELIVERY_FIELDS}
    for name in _DELIVERY_TIMES:
        values[name] = instant(values[name])
    values["channel"], values["urgent"] = Channel(values["channel"]), bool(values["urgent"])
    values["ack_requested"] = None if values["ack_requested"] is None else bool(values["ack_requested"])
    values["retry_interval"] = timedelta(microseconds=values["retry_interval"])
    return DeliveryRecord(**values)


def attempt(row: Row) -> AttemptRecord:
    """The value of a row of `attempts`."""
    return AttemptRecord(
        row["delivery_id"],
        row["number"],
        _at(row["started_at"]),
        instant(row["ended_at"]),
        row["reached"],
        row["code"],
        row["because"],
    )


def receipt_row(r: ReceiptRecord, body: bytes) -> tuple[Any, ...]:
    """A row of `receipts`; `body` is what is kept of its bytes."""
    return (r.message_id, r.delivery_id, r.kind, r.direction, micros(r.at), int(r.proven), body, r.code)


def receipt(row: Row, body: bytes) -> ReceiptRecord:
    """The value of a row of `receipts`."""
    return ReceiptRecord(
        row["message_id"],
        row["delivery_id"],
        row["kind"],
        row["direction"],
        _at(row["at"]),
        bool(row["proven"]),
        body,
        row["code"],
    )


def parcel_headers(parcel: Parcel) -> tuple[str, str]:
    """Headers and digests as JSON."""
    return json.dumps(dict(parcel.headers)), json.dumps(parcel.digests)


def parcel(headers: str, digests: str, body: bytes, lost: str = "") -> Parcel:
    """The value of a row of `parcels`; `lost` says why its body cannot be read."""
    return Parcel(json.loads(headers), body, tuple((uri, digest) for uri, digest in json.loads(digests)), lost=lost)


def notification_row(n: Notification) -> tuple[Any, ...]:
    """A row of `notifications`, without its offset."""
    return (n.type, n.message_id, n.receiver, n.triggered_by, micros(n.at), n.description)


def notification(row: Row) -> Notification:
    """The value of a row of `notifications`."""
    return Notification(
        NotificationType(row["type"]),
        row["message_id"],
        row["receiver"],
        row["triggered_by"],
        _at(row["at"]),
        row["description"],
        row["offset"],
    )


def entry_row(e: Entry) -> tuple[Any, ...]:
    """A row of `journal`."""
    return (micros(e.at), e.event, e.code, e.because, e.message_id, e.delivery_id, e.arrival_id, e.actor)


def entry(row: Row) -> Entry:
    """The value of a row of `journal`."""
    return Entry(
        _at(row["at"]),
        Event(row["event"]),
        row["code"],
        row["because"],
        row["message_id"],
        row["delivery_id"],
        row["arrival_id"],
        row["actor"],
    )


def node_row(n: NodeRecord) -> tuple[Any, ...]:
    """A row of `nodes`."""
    told = json.dumps(n.changes, ensure_ascii=False), json.dumps(n.faults, ensure_ascii=False)
    return (n.node, n.revision, micros(n.since), micros(n.seen), n.answered, *told)


def node(row: Row) -> NodeRecord:
    """The value of a row of `nodes`."""
    told = tuple(json.loads(row["changes"])), tuple(json.loads(row["faults"]))
    return NodeRecord(row["node"], row["revision"], _at(row["since"]), _at(row["seen"]), row["answered"], *told)


def learnt(row: Row) -> Learnt:
    """What a partner has shown."""
    return Learnt(row["her_id"], row["fact"], row["value"], _at(row["at"]))


def configuration_row(c: Configuration) -> tuple[Any, ...]:
    """A row of `configurations`."""
    rejects = json.dumps(c.rejects, ensure_ascii=False)
    return (c.her_id, c.channel, int(c.locked), rejects, int(c.refused_notices), c.client)


def configuration(row: Row) -> Configuration:
    """The value of a row of `configurations`."""
    rejects, notices = tuple(json.loads(row["rejects"])), bool(row["refused_notices"])
    return Configuration(row["her_id"], row["channel"], bool(row["locked"]), rejects, notices, row["client"])


def circuit_row(c: CircuitRecord) -> tuple[Any, ...]:
    """A row of `circuits`."""
    return (c.address, c.failures, micros(c.since), micros(c.until), c.cause)


def circuit(row: Row) -> CircuitRecord:
    """The value of a row of `circuits`."""
    return CircuitRecord(row["address"], row["failures"], _at(row["since"]), _at(row["until"]), row["cause"])
