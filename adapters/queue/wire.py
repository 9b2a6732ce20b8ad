"""What stands in the messages on the queues: read as values, written as plain functions; see README.md beside it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hub.message import Claimed, Language, Place, RecordSystem
from hub.record_systems import values
from hub.record_systems.values import Happened, Order, Said

XML_TYPES = ("application/xml", "text/xml")
#: Letters of one header: what is longer is no id and no type, and a broker would close the connection over it.
LONGEST = 1_000
HER_ID = re.compile(r"[1-9]\d{0,9}")
#: Queues that a broker makes for one client alone: to no other can an answer be led astray.
REPLY_QUEUES = ("amq.rabbitmq.reply-to.", "amq.gen-")


@dataclass(frozen=True, slots=True)
class Published:
    """What the broker says about a message that a record system published."""

    content_type: str
    content_encoding: str
    headers: Mapping[str, Any]
    message_id: str
    correlation_id: str
    reply_to: str
    redelivered: bool

    @property
    def deliveries_before(self) -> int | None:
        """How often it was handed out before, as a quorum queue counts; None where nobody counts."""
        found = self.headers.get("x-delivery-count")
        return found if isinstance(found, int) else None


@dataclass(frozen=True, slots=True)
class Asked:
    """For whom, and on whose behalf; empty: as the document says."""

    sender: str = ""
    receivers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an order cannot be read: a code of the register and its words."""

    code: str
    because: str


@dataclass(frozen=True, slots=True)
class Written:
    """A message for a record system's queue."""

    message_id: str
    type: Literal["document", "status"]
    content_type: str
    headers: Mapping[str, Any]
    body: bytes
    correlation_id: str = ""


def read(published: Published) -> Asked | Fault:
    """For whom and on whose behalf a document was published."""
    kind = published.content_type.partition(";")[0].strip().lower()
    if kind not in XML_TYPES:
        return Fault("content-type", f"content_type is {kind or 'missing'}; XML must be published as application/xml")
    if published.content_encoding.lower() not in ("", "identity", "utf-8"):
        return Fault("content-type", "content_encoding is set; publish the XML as it is")
    receivers = _her_ids(published.headers.get("receivers"))
    sender = _her_ids(published.headers.get("sender"))
    if receivers is None or sender is None or len(sender) > 1:
        return Fault("request", "headers receivers and sender hold HER-ids: a list, or a text with commas")
    return Asked(sender[0] if sender else "", receivers)


def _her_ids(given: object) -> tuple[str, ...] | None:
    """None when it is neither a HER-id, nor several in a list or with commas."""
    if given is None:
        return ()
    values = given if isinstance(given, list) else _text(given).split(",")
    found = tuple(_text(v).strip() for v in values)
    return found if all(HER_ID.fullmatch(v) for v in found) else None


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def facts(published: Published) -> dict[str, str]:
    """What is kept of it beside the bytes."""
    kept = {"content-type": published.content_type, "message-id": published.message_id}
    return {name: value for name, value in kept.items() if value}


def may_reply(reply_to: str, system: RecordSystem) -> bool:
    """Whether an answer may go to the queue that a publisher names: a client's own, or one below the system's name."""
    return reply_to.startswith((*REPLY_QUEUES, f"samhub.{system.id}.")) and reply_to != system.outbox


def document(claimed: Claimed, body: bytes) -> Written:
    """A document or an AppRec for the record system; its message_id is the same at every attempt."""
    message, delivery = claimed.message, claimed.delivery
    headers = {
        "sender": delivery.sender,
        "receiver": delivery.receiver,
        "kind": message.kind,
        "msg-id": message.msg_id,
        "message-type": message.type_code,
        "standard": message.standard,
        "version": message.version,
        "original-msg-id": message.original_msg_id,
        "delivery-id": delivery.id,
    }
    present = {name: value for name, value in headers.items() if value and len(value) <= LONGEST}
    return Written(message.id, "document", "application/xml", present, body, message.original_msg_id)


def answer(said: Said, published: Published, order: Order, language: Language) -> Written:
    """What the hub says to a document that was published; under the same message_id when the broker hands it out again."""
    accepted = said.decided == "taken"
    which = hashlib.sha256(published.message_id.encode()).hexdigest()[:16]
    key = f"accepted:{said.message_id}:{which}" if accepted else f"refused:{order.arrival_id}"
    text, hint = said.words(language)
    event: dict[str, Any] = {
        "type": "MessageAccepted" if accepted else "MessageRefused",
        "relatedMessageId": said.message_id or None,
        "publishedMessageId": published.message_id or None,
        "code": said.code,
        "description": said.because or text,
        "createdAt": order.received_at.isoformat() if order.received_at else None,
    }
    if accepted:
        event |= {"businessDocumentId": said.business_document_id or None, "duplicate": said.duplicate}
    else:
        event |= {"text": text, "hint": hint, "arrivalId": order.arrival_id}
        event |= {"places": [_place(one, language) for one in said.places]}
    return _status(key, event, published.correlation_id or published.message_id)


def _place(place: Place, language: Language) -> dict[str, Any]:
    text, hint = place.words(language)
    return {"line": place.line, "column": place.column, "rule": place.rule, "text": text, "hint": hint}


def event(happened: Happened, language: Language) -> Written:
    """A notification (EDI 2.0 A10.1) with the MsgId that the record system knows, and where the delivery stands."""
    note, record, standing = happened.event, happened.record, happened.standing
    said: dict[str, Any] = {
        "type": str(note.type),
        "relatedMessageId": note.message_id or None,
        "businessDocumentId": record.msg_id if record else None,
        "notificationReceiverHerId": number(note.receiver),
        "notificationTriggeredByHerId": number(note.triggered_by),
        "description": note.description or None,
        "createdAt": note.at.isoformat(),
        "offset": note.offset,
    }
    if standing is not None and happened.delivery is not None:
        text, hint = standing.words(language)
        said |= {"state": standing.state, "code": standing.code, "because": standing.because}
        said |= {"text": text, "hint": hint, "sent": standing.sent, "transportDeliveryState": str(standing.transport)}
        apprec = standing.apprec
        said |= {"appRecStatus": happened.delivery.apprec_status or None}
        said |= {"appRecErrorCode": happened.delivery.apprec_code or None}
        said |= {"appRecErrors": [_fault(one) for one in apprec.faults] if apprec else []}
        said |= {"appRecId": apprec.message_id or None if apprec else None}
    return _status(str(note.offset), said, record.msg_id if record else "")


def _fault(fault: values.Fault) -> dict[str, Any]:
    return {"code": fault.code, "oid": fault.oid, "description": fault.description, "details": fault.details}


def _status(key: str, event: Mapping[str, Any], correlation_id: str) -> Written:
    body = json.dumps(event, ensure_ascii=False).encode()
    return Written(key, "status", "application/json", {"event": event["type"]}, body, correlation_id)


def number(her_id: str) -> int | None:
    """A HER-id as JSON has it."""
    return int(her_id) if her_id.isdigit() else None
