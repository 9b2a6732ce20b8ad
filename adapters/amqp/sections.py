"""Sections of an AMQP 1.0 message inside a 0.9.1 one: encoded headers, and bodies of type `amqp-1.0` (nhn-amqp.md §1.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.amqp.values import Described, Symbol, Timestamp, Unreadable, Value, decode, encode, small_ulong

PROPERTIES, APPLICATION_PROPERTIES, DATA, VALUE = 0x73, 0x74, 0x75, 0x77
#: Sections by the names that may stand instead of their numbers.
_NAMES = {
    "amqp:properties:list": PROPERTIES,
    "amqp:application-properties:map": APPLICATION_PROPERTIES,
    "amqp:data:binary": DATA,
    "amqp:amqp-value:*": VALUE,
}
#: Fields of the properties section, in their order.
FIELDS = (
    "message-id",
    "user-id",
    "to",
    "subject",
    "reply-to",
    "correlation-id",
    "content-type",
    "content-encoding",
    "absolute-expiry-time",
    "creation-time",
    "group-id",
    "group-sequence",
    "reply-to-group-id",
)
_SYMBOLS = frozenset({"content-type", "content-encoding"})


@dataclass(frozen=True, slots=True)
class SectionFault:
    """Why sections cannot be read; names no content."""

    text: str


def properties(raw: bytes) -> dict[str, str] | SectionFault:
    """The fields of an encoded properties section that are set, as text."""
    found = _only(raw, PROPERTIES)
    if isinstance(found, SectionFault):
        return found
    if not isinstance(found, list) or len(found) > len(FIELDS):
        return SectionFault("the properties section is not the list that it should be")
    named = zip(FIELDS, found, strict=False)
    return {name: written for name, value in named if (written := text(value)) is not None}


def application_properties(raw: bytes) -> dict[str, str] | SectionFault:
    """Application properties of an encoded section, as text; what is a list or a map is left out."""
    found = _only(raw, APPLICATION_PROPERTIES)
    if isinstance(found, SectionFault):
        return found
    if not isinstance(found, dict):
        return SectionFault("the application-properties section is not the map that it should be")
    return {str(name): written for name, value in found.items() if (written := text(value)) is not None}


def body(raw: bytes) -> bytes | SectionFault:
    """The content of a body of type `amqp-1.0`: Data sections joined, or a value of text or bytes.

    Some parties write SOAP faults as text (§1.4, §4.4).
    """
    found = list(_sections(raw))
    if found and isinstance(found[-1], SectionFault):
        return found[-1]
    parts = [_content(code, value) for code, value in found if code in (DATA, VALUE)]  # type: ignore[misc]
    if not parts or None in parts:
        return SectionFault("the body is neither bytes nor text")
    return b"".join(filter(None, parts))


def _content(code: int, value: Value) -> bytes | None:
    if isinstance(value, str) and code == VALUE:
        return value.encode("utf-8")
    return value if isinstance(value, bytes) else None


def encode_properties(fields: Mapping[str, str]) -> bytes:
    """The properties section; trailing fields that are not set are left out."""
    values: list[Value] = [_field(name, fields.get(name)) for name in FIELDS]
    while values and values[-1] is None:
        values.pop()
    return b"\x00" + small_ulong(PROPERTIES) + encode(values)


def _field(name: str, value: str | None) -> Value:
    if value is None or name not in _SYMBOLS:
        return value
    return Symbol(value.encode("ascii", "replace").decode("ascii"))


def encode_application_properties(values: Mapping[str, str]) -> bytes:
    """The application-properties section, all values as strings (§2.2)."""
    own: dict[Value, Value] = {name: value for name, value in values.items()}  # noqa: C416  a wider type
    return b"\x00" + small_ulong(APPLICATION_PROPERTIES) + encode(own)


def text(value: Any) -> str | None:
    """A simple value as text, as .NET would turn it into text; None where there is none, or where it is no simple one."""
    match value:
        case None | list() | tuple() | dict() | Described():
            return None
        case bytes() | bytearray() | memoryview():
            return bytes(value).decode("utf-8", "replace")
        case Timestamp():
            return _instant(value)
        case datetime():
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
        case _:
            return str(value)


def _instant(value: Timestamp) -> str:
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value)).isoformat()
    except OverflowError:
        return str(int(value))


def _only(raw: bytes, wanted: int) -> Value | SectionFault:
    """The value of the first section of that kind."""
    for found in _sections(raw):
        if isinstance(found, SectionFault):
            return found
        if found[0] == wanted:
            return found[1]
    return SectionFault("the section that was looked for is not there")


def _sections(raw: bytes) -> Iterator[tuple[int, Value] | SectionFault]:
    """Sections with their numbers, in order; the last is a fault where something cannot be read."""
    at = 0
    while at < len(raw):
        try:
            found, at = decode(raw, at)
        except Unreadable as why:
            yield SectionFault(str(why))
            return
        if not isinstance(found, Described):
            yield SectionFault("there is something between the sections")
            return
        yield _number(found.descriptor), found.value


def _number(descriptor: Value) -> int:
    if isinstance(descriptor, Symbol):
        return _NAMES.get(descriptor, -1)
    return descriptor if isinstance(descriptor, int) else -1
