"""What stands in the messages on the queues: read as values, written as plain functions; see README.md beside it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from hub.codes import reason
from hub.events import Notification
from hub.message import Answer, Claimed, DeliveryRecord, MessageRecord, RecordSystem

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
class Order:
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


def read(published: Published) -> Order | Fault:
    """The order that a document was published with."""
    kind = published.content_type.partition(";")[0].strip().lower()
    if kind not in XML_TYPES:
        return Fault("content-type", f"content_type is {kind or 'missing'}; XML must be published as application/xml")
    if published.content_encoding.lower() not in ("", "identity", "utf-8"):
        return Fault("content-type", "content_encoding is set; publish the XML as it is")
    receivers = _her_ids(published.headers.get("receivers"))
    sender = _her_ids(published.headers.get("sender"))
    if receivers is None or sender is None or len(sender) > 1:
        return Fault("request", "headers receivers and sender hold HER-ids: a list, or a text with commas")
    return Order(sender[0] if sender else "", receivers)


def _her_ids(given: object) -> tuple[str, ...] | None:
    """None when it is neither a HER-id, nor several in a list or with commas."""
    if given is None:
        return ()
    values = given if isinstance(given, list) else _text(given).split(",")
    found = tuple(_text(v).strip() for v in values)
    return found if all(HER_ID.fullmatch(v) for v in found) else None


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def facts(published: Published, order: Order | Fault) -> dict[str, str]:
    """What is kept of it beside the bytes."""
    kept = {"content-type": published.content_type, "message-id": published.message_id}
    if isinstance(order, Order):
        kept["sender"] = order.sender
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


def answer(answered: Answer, published: Published, arrival_id: str, at: datetime) -> Written:
    """What the hub says to a document that was published; under the same message_id when the broker hands it out again."""
    accepted = answered.status < 300
    which = hashlib.sha256(published.message_id.encode()).hexdigest()[:16]
    key = f"accepted:{answered.message_id}:{which}" if accepted else f"refused:{arrival_id}"
    event: dict[str, Any] = {
        "type": "MessageAccepted" if accepted else "MessageRefused",
        "relatedMessageId": answered.message_id or None,
        "publishedMessageId": published.message_id or None,
        "code": answered.code,
        "description": answered.because or reason(answered.code).text,
        "createdAt": at.isoformat(),
    }
    if not accepted:
        event |= {"hint": reason(answered.code).hint, "arrivalId": arrival_id}
    return _status(key, event, published.correlation_id or published.message_id)


def event(note: Notification, message: MessageRecord | None, delivery: DeliveryRecord | None) -> Written:
    """A notification (EDI 2.0 A10.1) with the MsgId that the record system knows, and where the delivery stands."""
    said: dict[str, Any] = {
        "type": str(note.type),
        "relatedMessageId": note.message_id,
        "businessDocumentId": message.msg_id if message else None,
        "notificationReceiverHerId": number(note.receiver),
        "notificationTriggeredByHerId": number(note.triggered_by),
        "description": note.description or None,
        "createdAt": note.at.isoformat(),
        "offset": note.offset,
    }
    if delivery is not None:
        said |= {"state": delivery.state, "code": delivery.code, "because": delivery.because}
        said |= {"appRecStatus": delivery.apprec_status or None, "appRecErrorCode": delivery.apprec_code or None}
    return _status(str(note.offset), said, message.msg_id if message else "")


def _status(key: str, event: Mapping[str, Any], correlation_id: str) -> Written:
    body = json.dumps(event, ensure_ascii=False).encode()
    return Written(key, "status", "application/json", {"event": event["type"]}, body, correlation_id)


def number(her_id: str) -> int | None:
    """A HER-id as JSON has it."""
    return int(her_id) if her_id.isdigit() else None
