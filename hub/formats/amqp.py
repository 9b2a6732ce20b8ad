"""Reads and writes a message of the national message bus as fields of text: HITS 1216's profile (nhn-amqp.md §2).

A door puts the fields into the headers of an Arrival, a sender takes them from the headers of a Parcel, both under the
names of AMQP 1.0; application properties stand behind `property:`, what only the delivery knows behind `delivery:`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from hub.formats.document import Document
from hub.formats.queues import queue_name
from hub.formats.times import parse_instant, write_instant

PROPERTY = "property:"
DELIVERY = "delivery:"
#: Set by a door where the wire cannot show subject and `to`: AMQP 0.9.1 from RabbitMQ 4 (§0.5).
BLIND = f"{DELIVERY}blind"

SEALED = "application/pkcs7-mime; smime-type=signed-and-enveloped-data"  #: to the letter, always (§3.1)
PLAIN = "text/plain"
SOAP = "application/soap+xml"
APPREC = "APPREC"
SOAP_FAULT = "AMQP_SOAP_FAULT"
INT_MAX = 2**31 - 1

FROM, TO, STAMP, CPA, ENQUEUED = "fromHerId", "toHerId", "applicationTimeStamp", "cpaId", "enqueuedTimeUtc"
#: The sender's own copy of MsgInfo/Type: the only word of the function where the subject is lost (§1.4).
TYPE = "X-MessageInfo-Type"


@dataclass(frozen=True, slots=True)
class BusMessage:
    """A message of the bus without its body. Empty, or None, where it says nothing that can be read."""

    function: str = ""  #: AMQP subject, a code of list 8279 (§2.5)
    from_her: str = ""
    to_her: str = ""
    message_id: str = ""
    correlation_id: str = ""
    reply_to: str = ""  #: a bare queue name
    to: str = ""  #: a bare queue name
    content_type: str = ""
    cpa_id: str = ""
    application_time_stamp: datetime | None = None
    enqueued_time: datetime | None = None
    ttl: int | None = None  #: milliseconds
    properties: Mapping[str, str] = field(default_factory=dict)  #: all application properties, those above among them
    blind: bool = False  #: the wire could not show subject and `to`; that they are missing is nobody's fault

    @property
    def protection(self) -> Protection:
        """How the body is to be read."""
        return protection(self.content_type)


Protection = Literal["sealed", "plain", "soap"]


def protection(content_type: str) -> Protection:
    """Two forms are plain; all else that is not empty counts as signed and enveloped, however it is spelt (§3.1)."""
    kind = content_type.partition(";")[0].strip().lower()
    return {PLAIN: "plain", SOAP: "soap"}.get(kind, "sealed")  # type: ignore[return-value]


def read(headers: Mapping[str, str]) -> BusMessage:
    """The message of an arrival; tolerant, what cannot be read counts as missing (§2.2). Never raises."""
    own = {name[len(PROPERTY) :]: value for name, value in headers.items() if name.startswith(PROPERTY)}
    return BusMessage(
        function=(headers.get("subject") or own.get(TYPE, "")).strip(),
        from_her=her_id(own.get(FROM, "")),
        to_her=her_id(own.get(TO, "")),
        message_id=_id(headers.get("message-id", "")),
        correlation_id=_id(headers.get("correlation-id", "")),
        reply_to=queue_name(headers.get("reply-to", "")),
        to=queue_name(headers.get("to", "")),
        content_type=headers.get("content-type", "").strip(),
        cpa_id=own.get(CPA, "").strip(),
        application_time_stamp=instant(own.get(STAMP, "")),
        enqueued_time=instant(own.get(ENQUEUED, "")),
        ttl=_count(headers.get("ttl", "")),
        properties=own,
        blind=BLIND in headers,
    )


def headers(message: BusMessage) -> dict[str, str]:
    """The headers of a parcel; read again they give the same message. Empty fields are left out."""
    fields = {
        "subject": message.function,
        "to": message.to,
        "reply-to": message.reply_to,
        "message-id": message.message_id,
        "correlation-id": message.correlation_id,
        "content-type": message.content_type,
        "ttl": "" if message.ttl is None else str(message.ttl),
    }
    stamp = message.application_time_stamp
    own = {
        **message.properties,
        FROM: message.from_her,
        TO: message.to_her,
        STAMP: write_instant(stamp) if stamp else "",
        CPA: message.cpa_id,
        ENQUEUED: _without_zone(message.enqueued_time) if message.enqueued_time else "",
    }
    fields |= {PROPERTY + name: value for name, value in own.items()}
    return {name: value for name, value in fields.items() if value}


def enqueued(headers: Mapping[str, str], at: datetime) -> dict[str, str]:
    """The headers with the time of this very attempt, set just before it is sent (§2.2)."""
    return {**headers, PROPERTY + ENQUEUED: _without_zone(at)}


def missing(message: BusMessage) -> tuple[str, ...]:
    """Required fields that are missing, all of them, under the names that the error report uses (§4.4, §7 step 4).

    A subject that the wire could not show is not the sender's mistake: it is asked of the document later.
    """
    asked = {
        "toHerId": message.to_her,
        "fromHerId": message.from_her,
        "Label": message.function or message.blind,
        "applicationTimeStamp": message.application_time_stamp,
        "ContentType": message.content_type,
    }
    return tuple(name for name, value in asked.items() if not value)


def function_of(document: Document) -> str:
    """The function of what is sent, or of what came without a subject: MsgInfo/Type, or APPREC (§1.4, §4.3)."""
    return APPREC if document.kind == "apprec" else document.type_code


def with_function(message: BusMessage, document: Document) -> BusMessage:
    """The message with the function that only its document could tell."""
    return message if message.function else replace(message, function=function_of(document))


def her_id(written: str) -> str:
    """A HER-id as a plain number; empty when it is none, zero, or more than 31 bits (§2.2: required, > 0)."""
    found = _NUMBER.fullmatch(written)
    number = int(found.group(1)) if found else 0
    return str(number) if 0 < number <= INT_MAX else ""


_NUMBER = re.compile(r"\s*\+?([0-9]{1,12})\s*")


def same_id(one: str, other: str) -> bool:
    """Whether two ids are the same, a UUID in any of its spellings: with or without hyphens, in any case (§2.1)."""
    return bool(one) and _plain_id(one) == _plain_id(other)


def _plain_id(written: str) -> str:
    bare = _id(written).strip("{}").replace("-", "").lower()
    return bare if re.fullmatch(r"[0-9a-f]{32}", bare) else written.strip()


def _id(written: str) -> str:
    """RabbitMQ 4 shows the uuid of an AMQP 1.0 message with a prefix of its own (§1.4)."""
    return written.strip().removeprefix("urn:uuid:")


def _count(written: str) -> int | None:
    return int(written) if written.isascii() and written.isdecimal() and len(written) < 16 else None


def _without_zone(at: datetime) -> str:
    return write_instant(at).removesuffix("Z")


def instant(written: str) -> datetime | None:
    """A time as .NET writes it, in ISO form or in that of no culture (§2.2, §2.3); UTC where it says no offset.

    The first day of all time is what an empty field becomes in .NET, and counts as missing.
    """
    text = written.strip()
    if not text or len(text) > 64:
        return None
    iso = f"{text[:10]}T{text[11:]}" if text[10:11] == " " else text
    found = parse_instant(iso, UTC) or _in_other_words(text)
    return found if found is not None and found.year > 1 else None


_OTHER_WORDS = (
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S %z",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %H:%M",
    "%m/%d/%Y",
    "%Y-%m-%dT%H:%M%z",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d",
)


def _in_other_words(text: str) -> datetime | None:
    for words in _OTHER_WORDS:
        try:
            return _in_utc(datetime.strptime(text, words))  # noqa: DTZ007  an offset is added where there is none
        except (ValueError, OverflowError):
            continue
    try:
        return _in_utc(parsedate_to_datetime(text))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _in_utc(found: datetime) -> datetime:
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
