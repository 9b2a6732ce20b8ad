"""Deliveries of either AMQP as headers and body of an Arrival, and parcels as what a client of either sends (nhn-amqp.md §1.4).

Plain values on both sides: what turns them into objects of a client library stands beside that library.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from urllib.parse import unquote

from adapters.amqp import sections
from adapters.amqp.sections import SectionFault, text
from hub.formats.amqp import BLIND, DELIVERY, PROPERTY

#: Headers of a 0.9.1 message that hold encoded sections, and names that NHN's own sample and RabbitMQ's add.
PROPERTIES, APPLICATION_PROPERTIES = "x-amqp-1.0-properties", "x-amqp-1.0-app-properties"
#: Longest short string of 0.9.1, in bytes; longer ids travel as headers from RabbitMQ 4.
SHORT = 255
#: ttl is 32 bits of milliseconds: 49.7 days. What does not fit is left out (§2.1).
LONGEST_TTL = 2**32 - 1
#: Application properties that are kept, and letters of each field.
MOST_PROPERTIES, LONGEST = 500, 32_768
#: Fields of an arrival that the properties section knows.
_STANDARD = ("message-id", "correlation-id", "subject", "to", "reply-to", "content-type")


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a 0.9.1 client is handed: its basic properties, headers and body."""

    body: bytes
    headers: Mapping[str, Any] = field(default_factory=dict)
    message_id: str | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    content_type: str | None = None
    expiration: str | None = None
    type: str | None = None
    queue: str = ""
    exchange: str = ""
    routing_key: str = ""
    redelivered: bool = False


@dataclass(frozen=True, slots=True)
class Publishing:
    """What a 0.9.1 client sends: to exchange and routing key as the address says, with confirms and the mandatory flag."""

    body: bytes
    headers: Mapping[str, Any]
    message_id: str | None
    correlation_id: str | None
    reply_to: str | None
    content_type: str | None
    expiration: int | None  #: milliseconds; a decimal string on the wire
    delivery_mode: int = 2  #: durable, always


@dataclass(frozen=True, slots=True)
class Sections:
    """A message as an AMQP 1.0 client takes it or hands it over. `properties` are named as in the standard."""

    body: Any  #: bytes of the Data section; text where a value section came; None where there is none
    properties: Mapping[str, Any] = field(default_factory=dict)
    application_properties: Mapping[str, Any] = field(default_factory=dict)
    annotations: Mapping[str, Any] = field(default_factory=dict)
    ttl: int | None = None  #: milliseconds
    durable: bool = True
    delivery_count: int = 0


@dataclass(frozen=True, slots=True)
class Death:
    """Once that a broker gave a message up (§4.5)."""

    queue: str
    exchange: str
    reason: str  #: rejected, delivery_limit, expired or maxlen
    count: int


# --- inwards


def from_delivered(came: Delivered) -> tuple[dict[str, str], bytes]:
    """Headers and body for an arrival, from 0.9.1. What cannot be decoded is kept as it is, and said.

    An encoded section comes first, since it is what the sender wrote; then what RabbitMQ 4 made of it; then what
    the basic properties say.
    """
    faults: list[str] = []
    written = _decoded(came.headers, PROPERTIES, sections.properties, faults)
    named = {name: text(came.headers.get(f"{PROPERTIES}-{name}")) for name in ("subject", "to")}
    basic = {
        "message-id": text(came.headers.get("x-message-id")) or came.message_id,
        "correlation-id": text(came.headers.get("x-correlation-id")) or came.correlation_id,
        "reply-to": came.reply_to,
        "content-type": came.content_type,
    }
    found = {name: named.get(name) or written.get(name) or basic.get(name) for name in _STANDARD}
    found["reply-to"] = _bare(found["reply-to"])
    own = _plain(came.headers) | _decoded(came.headers, APPLICATION_PROPERTIES, sections.application_properties, faults)
    body = _body(came, faults)
    facts = _facts(came.headers, came.queue, came.redelivered, faults)
    facts |= {"exchange": came.exchange, "routing-key": came.routing_key}
    blind = not written and not any(named.values())
    return _headers(found | {"ttl": came.expiration}, own, facts, blind=blind), body


def from_sections(came: Sections, queue: str) -> tuple[dict[str, str], bytes]:
    """Headers and body for an arrival, from AMQP 1.0, where everything is seen."""
    found = {name: text(came.properties.get(name)) for name in _STANDARD}
    found |= {"reply-to": _bare(found["reply-to"]), "ttl": str(came.ttl) if came.ttl else None}
    own = {str(name): written for name, value in came.application_properties.items() if (written := text(value))}
    body = _bytes(came.body)
    faults = () if body is not None else ("the body is neither bytes nor text",)
    facts = _facts(came.annotations, queue, came.delivery_count > 0, faults) | _counted(came.delivery_count)
    return _headers(found, own, facts), repr(came.body).encode() if body is None else body


def _bytes(body: Any) -> bytes | None:
    match body:
        case None:
            return b""
        case str():
            return body.encode("utf-8")
        case bytes() | bytearray() | memoryview():
            return bytes(body)
        case _:
            return None


def _decoded(headers: Mapping[str, Any], name: str, read: Any, faults: list[str]) -> dict[str, str]:
    """An encoded section among the headers; an empty one is valid UTF-8 and may have been made text by the client."""
    raw = headers.get(name)
    if raw is None:
        return {}
    found = read(raw.encode("utf-8") if isinstance(raw, str) else bytes(raw)) if _holds_bytes(raw) else _NO_BYTES
    if isinstance(found, SectionFault):
        faults.append(f"{name}: {found.text}")
        return {}
    assert isinstance(found, dict)
    return found


_NO_BYTES = SectionFault("not bytes")


def _holds_bytes(raw: Any) -> bool:
    return isinstance(raw, str | bytes | bytearray | memoryview)


def _plain(headers: Mapping[str, Any]) -> dict[str, str]:
    """Application properties that RabbitMQ 4, or a 0.9.1 sender, wrote as headers; small `x-` is the broker's own."""
    own = ((str(name), text(value)) for name, value in headers.items() if not str(name).startswith("x-"))
    return {name: value for name, value in own if value is not None}


def _body(came: Delivered, faults: list[str]) -> bytes:
    if came.type != "amqp-1.0":
        return came.body
    found = sections.body(came.body)
    if isinstance(found, SectionFault):
        faults.append(found.text)
        return came.body
    return found


def _bare(reply_to: str | None) -> str | None:
    """A reply queue without the prefixes of RabbitMQ's addresses, of which the second is percent-encoded (§1.2)."""
    if reply_to and reply_to.startswith("/queues/"):
        return unquote(reply_to.removeprefix("/queues/"))
    return reply_to


def _facts(headers: Mapping[str, Any], queue: str, redelivered: bool, faults: Iterable[str]) -> dict[str, str]:
    """What only this delivery knows: where it lay, how often it was handed out, and of what it died before."""
    first = {part: text(headers.get(f"x-first-death-{part}")) or "" for part in ("queue", "exchange", "reason")}
    died = sum(death.count for death in deaths(headers))
    facts = {f"first-death-{part}": value for part, value in first.items()}
    facts |= {
        "queue": queue,
        "redelivered": "1" if redelivered else "",
        "deaths": str(died) if died else "",
        "fault": "; ".join(faults),
    }
    count = headers.get("x-delivery-count")
    return facts | _counted(count if isinstance(count, int) else 0)


def _counted(deliveries: int) -> dict[str, str]:
    return {"count": str(deliveries)} if deliveries else {}


def deaths(headers: Mapping[str, Any]) -> tuple[Death, ...]:
    """The x-death header, newest first (§4.5)."""
    tables = headers.get("x-death")
    return tuple(_deaths(tables)) if isinstance(tables, list | tuple) else ()


def _deaths(tables: Iterable[Any]) -> Iterator[Death]:
    for table in tables:
        if isinstance(table, Mapping):
            count = table.get("count")
            queue, exchange, reason = (text(table.get(name)) or "" for name in ("queue", "exchange", "reason"))
            yield Death(queue, exchange, reason, count if isinstance(count, int) else 1)


def _headers(
    found: Mapping[str, str | None], own: Mapping[str, str], facts: Mapping[str, str], *, blind: bool = False
) -> dict[str, str]:
    """All of it under its names, within bounds: an honest message has some thirty short fields."""
    kept = dict(islice(own.items(), MOST_PROPERTIES))
    headers = {name: value for name, value in found.items() if value}
    headers |= {PROPERTY + name: value for name, value in kept.items()}
    cut = len(kept) < len(own) or any(len(part) > LONGEST for pair in headers.items() for part in pair)
    said = {**facts, "fault": "; ".join(filter(None, (facts.get("fault"), "fields were cut" if cut else "")))}
    headers |= {DELIVERY + name: value for name, value in said.items() if value}
    return {_kept(name): _kept(value) for name, value in headers.items()} | ({BLIND: "1"} if blind else {})


def _kept(text: str) -> str:
    """Text that every store can hold: no NUL, and not endless."""
    return text[:LONGEST].replace("\0", "\ufffd")


# --- outwards


def to_publishing(headers: Mapping[str, str], body: bytes) -> Publishing:
    """A parcel for a 0.9.1 client: both encoded sections for receivers by AMQP 1.0 on every RabbitMQ, and plain headers.

    A section in a `bytearray` becomes field type `x`; the client refuses `bytes`.
    """
    standard, own, ttl = _parts(headers)
    table: dict[str, Any] = {name: value for name, value in own.items() if _fits(name) and not name.startswith("x-")}
    table[PROPERTIES] = bytearray(sections.encode_properties(standard))
    table[APPLICATION_PROPERTIES] = bytearray(sections.encode_application_properties(own))
    short = {name: value for name, value in standard.items() if _fits(value)}
    return Publishing(
        body=body,
        headers=table,
        message_id=short.get("message-id"),
        correlation_id=short.get("correlation-id"),
        reply_to=short.get("reply-to"),
        content_type=short.get("content-type"),
        expiration=ttl,
    )


def to_sections(headers: Mapping[str, str], body: bytes) -> Sections:
    """A parcel for an AMQP 1.0 client; an empty body is an empty Data section, as RabbitMQ 4 demands (§4.6)."""
    standard, own, ttl = _parts(headers)
    return Sections(body=body, properties=standard, application_properties=own, ttl=ttl)


def _parts(headers: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str], int | None]:
    standard = {name: headers[name] for name in _STANDARD if headers.get(name)}
    own = {name[len(PROPERTY) :]: value for name, value in headers.items() if name.startswith(PROPERTY)}
    ttl = headers.get("ttl", "")
    lives = int(ttl) if ttl.isascii() and ttl.isdecimal() and len(ttl) < 16 else 0
    return standard, own, lives if 0 < lives <= LONGEST_TTL else None


def _fits(value: str) -> bool:
    return len(value.encode("utf-8")) <= SHORT
