"""Error reports on the bus: what stands in the properties of an empty message, or in a SOAP fault (nhn-amqp.md §2.3, §4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

from lxml import etree

from hub.formats import nbfx, xml
from hub.formats.amqp import SEALED, SOAP_FAULT, BusMessage, instant, same_id
from hub.formats.document import text_of

SOAP12 = "http://www.w3.org/2003/05/soap-envelope"
#: Stands as the subject of a report about a message without one: receivers demand something.
NO_FUNCTION = "UNKNOWN"
LIMIT = 1_000_000


class Condition(StrEnum):
    """errorCondition: what is wrong with a message that came (§4.4)."""

    FIELD = "transport:invalid-field-value"
    MALFORMED = "transport:not-well-formed-xml"
    UNSUPPORTED = "transport:unsupported-message"
    INTERNAL = "transport:internal-error"
    MISSING_CERTIFICATE = "transport:missing-certificate"
    EXPIRED_CERTIFICATE = "transport:expired-certificate"
    INVALID_CERTIFICATE = "transport:invalid-certificate"
    REVOKED_CERTIFICATE = "transport:revoked-certificate"
    UNVERIFIED_CERTIFICATE = "transport:unverified-certificate"
    SPOOFING = "abuse:spoofing-attack"


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """What somebody reports about a message of ours; empty where it does not say."""

    condition: str  #: errorCondition, or the code of a SOAP fault
    description: str = field(repr=False)  #: words of the other side, for people
    data: tuple[str, ...] = field(repr=False)
    about: tuple[str, ...]  #: ids that may be those of our message, the surest first
    received_at: datetime | None
    from_her: str
    to_her: str
    function: str
    form: Literal["copy", "fresh", "soap-fault", "other"]


def written(
    about: BusMessage,
    condition: Condition,
    description: str,
    *,
    data: Sequence[str] = (),
    message_id: str,
    at: datetime,
    queue: str,
) -> BusMessage | None:
    """The report about a message, to go to its sender's error queue with an empty body; None when nobody can be told.

    A fresh message, with content type and subject all the same: every receiver demands them, on its error queue too, and
    answers their lack by an error (§4.4, the trap).
    """
    if not about.from_her or not about.to_her:
        return None
    properties = {
        "originalMessageId": about.message_id,
        "receiverTimeStamp": at.astimezone(UTC).strftime("%m/%d/%Y %H:%M:%S"),
        "errorCondition": condition.value,
        "errorDescription": description,
        "errorConditionData": "".join(f"{item};" for item in data if item),
    }
    return BusMessage(
        function=about.function or NO_FUNCTION,
        from_her=about.to_her,
        to_her=about.from_her,
        message_id=message_id,
        correlation_id=about.correlation_id or about.message_id,
        to=queue,
        content_type=SEALED,
        cpa_id=about.cpa_id,
        application_time_stamp=at,
        properties=properties,
    )


def read(message: BusMessage, body: bytes) -> ErrorReport:
    """The report in anything that lies in an error queue: nothing is refused there, and nothing answered (§4.4)."""
    fault = _fault(body) if body else None
    if fault is not None and (message.function.upper() == SOAP_FAULT or "errorCondition" not in message.properties):
        return _of_fault(message, fault)
    own = message.properties
    original = own.get("originalMessageId", "").strip()
    about = dict.fromkeys(filter(None, (original, message.correlation_id, message.message_id)))
    return ErrorReport(
        condition=own.get("errorCondition", "").strip(),
        description=own.get("errorDescription", "").strip(),
        data=tuple(item for item in own.get("errorConditionData", "").split(";") if item),
        about=tuple(about),
        received_at=instant(own.get("receiverTimeStamp", "")),
        from_her=message.from_her,
        to_her=message.to_her,
        function=message.function,
        form=_form(message, original),
    )


def _form(message: BusMessage, original: str) -> Literal["copy", "fresh", "other"]:
    """Up to 7.0.2 a report is the faulty message itself with properties added, later a message of its own (§4.4)."""
    if not message.properties.get("errorCondition"):
        return "other"
    return "copy" if same_id(original, message.message_id) else "fresh"


def _fault(body: bytes) -> etree._Element | None:
    """The SOAP 1.2 Fault in a body: XML, also with blanks before it, or .NET's binary form of a string."""
    content = nbfx.string(body)
    raw = (body if content is None else content.encode()).strip()
    root = xml.parse(raw, xml.Bounds.for_document(LIMIT)) if raw else None
    if root is None or isinstance(root, xml.XmlFault):
        return None
    return next(root.iter(f"{{{SOAP12}}}Fault"), None)


def _of_fault(message: BusMessage, fault: etree._Element) -> ErrorReport:
    """Code, reason, and in Detail the id of the message and its time."""
    detail = next(fault.iterchildren("{*}Detail"), None)
    holder = next((e for e in (detail if detail is not None else fault).iter("{*}messageId")), None)
    original = (holder.text or "").strip() if holder is not None else ""
    code, reason = (next(fault.iterchildren("{*}" + name), None) for name in ("Code", "Reason"))
    return ErrorReport(
        condition=text_of(code, "Value"),
        description=text_of(reason, "Text"),
        data=(),
        about=tuple(dict.fromkeys(filter(None, (original, message.correlation_id)))),
        received_at=message.application_time_stamp,
        from_her=message.from_her,
        to_her=message.to_her,
        function=message.function,
        form="soap-fault",
    )
