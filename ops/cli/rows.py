"""How rows of lists look: columns for people, and one flat object for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from hub.lists import ListedArrival, ListedDelivery, ListedMessage
from ops.cli.common import plain
from xsd.lists import code_list

Columns = dict[str, Callable[[Any], object]]


def party(her_id: str, name: str) -> str:
    """Both sides by name and number."""
    return f"{name} ({her_id})" if name and her_id else her_id


MESSAGES: Columns = {
    "message": lambda r: r.message.id,
    "received": lambda r: r.message.received_at,
    "type": lambda r: f"{r.message.type_code} {r.message.version}".strip(),
    "from": lambda r: party(r.message.from_her, r.from_name),
    "to": lambda r: party(r.message.to_her, r.to_name),
    "direction": lambda r: r.message.direction,
    "outcome": lambda r: r.outcome,
    "verdict": lambda r: r.message.code,
    "MsgId": lambda r: r.message.msg_id,
}
DELIVERIES: Columns = {
    "delivery": lambda r: r.delivery.id,
    "state": lambda r: r.delivery.state,
    "cause": lambda r: r.cause,
    "whose": lambda r: r.whose,
    "type": lambda r: r.message.type_code if r.message else "",
    "from": lambda r: party(r.delivery.sender, r.from_name),
    "to": lambda r: party(r.delivery.receiver, r.to_name),
    "attempts": lambda r: r.delivery.attempts,
    "since": lambda r: r.delivery.created_at,
    "next": lambda r: r.next_at,
    "AppRec due": lambda r: r.delivery.apprec_due_at,
    "message": lambda r: r.delivery.message_id,
    "MsgId": lambda r: r.message.msg_id if r.message else "",
    "because": lambda r: r.delivery.because,
    "partner said": lambda r: r.delivery.said,
    "what to do": lambda r: r.what_to_do,
}
ARRIVALS: Columns = {
    "arrival": lambda r: r.arrival.arrival.id,
    "received": lambda r: r.arrival.arrival.received_at,
    "state": lambda r: r.state,
    "code": lambda r: r.arrival.code,
    "type": lambda r: r.arrival.facts.type_code,
    "from": lambda r: party(r.arrival.facts.from_her, r.from_name) or r.arrival.arrival.system or "",
    "to": lambda r: party(r.arrival.facts.to_her, r.to_name),
    "door": lambda r: r.arrival.arrival.door,
    "peer": lambda r: r.arrival.facts.peer,
    "MsgId": lambda r: r.arrival.facts.msg_id,
    "MessageId": lambda r: r.arrival.facts.eb_message_id,
    "because": lambda r: r.arrival.because,
    "what to do": lambda r: r.what_to_do,
}


def overdue(now: datetime) -> Columns:
    """Those of an AppRec that is missing."""
    wanted = ("delivery", "cause", "type", "from", "to", "message", "MsgId", "AppRec due", "what to do")
    late = {"hours late": lambda r: f"{(now - r.delivery.apprec_due_at).total_seconds() / 3600:.1f}"}
    columns = {name: DELIVERIES[name] for name in wanted}
    return {**{n: columns.pop(n) for n in list(columns)[:-1]}, **late, **columns}


def flat_message(row: ListedMessage) -> dict[str, Any]:
    """The record, with what became of it."""
    return {**plain(row.message), "outcome": row.outcome, "from_name": row.from_name, "to_name": row.to_name}


def flat_delivery(row: ListedDelivery) -> dict[str, Any]:
    """The record, with what names its message and why it stands so."""
    m = row.message
    return {
        **plain(row.delivery),
        "cause": row.cause,
        "whose": row.whose,
        "what_to_do": row.what_to_do,
        "next_at": plain(row.next_at),
        "type_code": m.type_code if m else "",
        "msg_id": m.msg_id if m else "",
        "from_name": row.from_name,
        "to_name": row.to_name,
    }


def flat_arrival(row: ListedArrival) -> dict[str, Any]:
    """What is known of it; neither its headers, which may hold a key, nor its bytes."""
    record = row.arrival
    return {
        "id": record.arrival.id,
        "door": record.arrival.door,
        "received_at": plain(record.arrival.received_at),
        "system": record.arrival.system or "",
        "state": row.state,
        "code": record.code,
        "because": record.because,
        **plain(record.facts),
        "from_name": row.from_name,
        "to_name": row.to_name,
        "whose": row.whose,
        "what_to_do": row.what_to_do,
        "answer_status": record.answer_status,
        "next_at": plain(record.next_at),
        "discarded_at": plain(record.discarded_at),
    }


def types() -> Iterable[str]:
    """The types that a message may have: list 8279, and what answers one."""
    return sorted({*code_list("8279"), "APPREC", "SIGNAL"})
