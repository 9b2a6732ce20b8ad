"""The type system of AMQP 1.0 as bytes, both ways and within bounds (OASIS AMQP 1.0 part 1; nhn-amqp.md §1.4)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

#: Nesting, and values in one piece, that an honest message stays within; properties are two levels deep.
MAX_DEPTH, MAX_VALUES = 16, 50_000


class Symbol(str):
    """Text of a fixed set, such as a content type."""

    __slots__ = ()


class Timestamp(int):
    """Milliseconds since 1970."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Described:
    """A value with its kind: a section of a message is one."""

    descriptor: Value
    value: Value


Value: TypeAlias = "bool | int | float | str | bytes | UUID | Described | list[Value] | dict[Value, Value] | None"


class Unreadable(ValueError):
    """The bytes are not AMQP 1.0, or beyond the bounds; the text names no content."""


# --- reading


def decode(raw: bytes, at: int = 0) -> tuple[Value, int]:
    """The value that begins at `at`, and where the next one begins. Raises Unreadable."""
    try:
        return _Reader(raw).value(at, len(raw), 0)
    except (struct.error, UnicodeDecodeError, IndexError, OverflowError):
        raise Unreadable("a value is cut short or its text cannot be read") from None


@dataclass(slots=True)
class _Reader:
    raw: bytes
    values: int = 0  #: read so far

    def value(self, at: int, end: int, depth: int) -> tuple[Value, int]:
        """One value with its constructor; nothing behind `end` belongs to it."""
        self._count(depth)
        if at >= end:
            raise Unreadable("a value is missing")
        if self.raw[at] == 0x00:
            descriptor, at = self.value(at + 1, end, depth + 1)
            described, at = self.value(at, end, depth + 1)
            return Described(descriptor, described), at
        return self.content(self.raw[at], at + 1, end, depth)

    def content(self, code: int, at: int, end: int, depth: int) -> tuple[Value, int]:
        """What follows a constructor: nothing, so many bytes, a length and bytes, or a size and values."""
        kind = code >> 4
        if code in _EMPTY:
            found = _EMPTY[code]
            return (list(found) if isinstance(found, list) else found), at
        if kind in _WIDTHS and code in _FIXED:
            to = at + _WIDTHS[kind]
        elif code in _VARIABLE or code in _COMPOUND:
            at, to = self._sized(kind & 1, at)
        else:
            raise Unreadable(f"constructor {code:#04x} is unknown")
        if to > end:
            raise Unreadable("a value is longer than what holds it")
        if code in _COMPOUND:
            return self._compound(code, at, to, depth), to
        return (_FIXED.get(code) or _VARIABLE[code])(self.raw[at:to]), to

    def _sized(self, wide: int, at: int) -> tuple[int, int]:
        width = 4 if wide else 1
        begin = at + width
        return begin, begin + int.from_bytes(self._exactly(at, width), "big")

    def _compound(self, code: int, at: int, end: int, depth: int) -> Value:
        width = 4 if code >> 4 & 1 else 1
        count, at = int.from_bytes(self._exactly(at, width), "big"), at + width
        if count > MAX_VALUES:
            raise Unreadable("too many values")
        if code in (0xE0, 0xF0):
            found, at = self._array(count, at, end, depth)
        else:
            found = []
            for _ in range(count):
                one, at = self.value(at, end, depth + 1)
                found.append(one)
        if at != end:
            raise Unreadable("the size of a list or map is not that of what it holds")
        return _map(found) if code in (0xC1, 0xD1) else found

    def _array(self, count: int, at: int, end: int, depth: int) -> tuple[list[Value], int]:
        """One constructor for all; a described one is kept without its descriptor."""
        code = self._exactly(at, 1)[0]
        at += 1
        if code == 0x00:
            _, at = self.value(at, end, depth + 1)
            code, at = self._exactly(at, 1)[0], at + 1
        found: list[Value] = []
        for _ in range(count):
            self._count(depth + 1)
            one, at = self.content(code, at, end, depth + 1)
            found.append(one)
        return found, at

    def _count(self, depth: int) -> None:
        self.values += 1
        if self.values > MAX_VALUES or depth > MAX_DEPTH:
            raise Unreadable("too many values" if depth <= MAX_DEPTH else "nested too deeply")

    def _exactly(self, at: int, width: int) -> bytes:
        found = self.raw[at : at + width]
        if len(found) != width:
            raise Unreadable("a value is cut short")
        return found


def _map(found: list[Value]) -> dict[Value, Value]:
    if len(found) % 2:
        raise Unreadable("a map has a key without a value")
    try:
        return dict(zip(found[::2], found[1::2], strict=True))
    except TypeError:
        raise Unreadable("the key of a map is a list or a map") from None


def _signed(raw: bytes) -> int:
    return int.from_bytes(raw, "big", signed=True)


def _unsigned(raw: bytes) -> int:
    return int.from_bytes(raw, "big")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8")


def _symbol(raw: bytes) -> Symbol:
    return Symbol(raw.decode("ascii"))


def _character(raw: bytes) -> str:
    return raw.decode("utf-32-be")


def _float(raw: bytes) -> float:
    return float(struct.unpack(">f" if len(raw) == 4 else ">d", raw)[0])


_EMPTY: Mapping[int, Value] = {0x40: None, 0x41: True, 0x42: False, 0x43: 0, 0x44: 0, 0x45: []}
#: High four bits of a constructor → bytes that follow it.
_WIDTHS = {0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}
_FIXED: Mapping[int, Callable[[bytes], Value]] = {
    **dict.fromkeys((0x50, 0x52, 0x53, 0x60, 0x70, 0x80), _unsigned),
    **dict.fromkeys((0x51, 0x54, 0x55, 0x61, 0x71, 0x81), _signed),
    0x56: lambda raw: raw != b"\0",
    0x72: _float,
    0x73: _character,
    0x82: _float,
    0x83: lambda raw: Timestamp(_signed(raw)),
    0x98: lambda raw: UUID(bytes=raw),
    **dict.fromkeys((0x74, 0x84, 0x94), bytes),  # decimals, as they are
}
_VARIABLE: Mapping[int, Callable[[bytes], Value]] = {
    0xA0: bytes,
    0xA1: _text,
    0xA3: _symbol,
    0xB0: bytes,
    0xB1: _text,
    0xB3: _symbol,
}
_COMPOUND = frozenset({0xC0, 0xC1, 0xD0, 0xD1, 0xE0, 0xF0})


# --- writing


def encode(value: Value) -> bytes:
    """The value as bytes, whole numbers as `long`. Raises OverflowError for one that does not fit."""
    match value:
        case None:
            return b"\x40"
        case bool():
            return b"\x41" if value else b"\x42"
        case Timestamp():
            return b"\x83" + value.to_bytes(8, "big", signed=True)
        case int():
            return b"\x55" + value.to_bytes(1, "big", signed=True) if -128 <= value < 128 else _long(value)
        case float():
            return b"\x82" + struct.pack(">d", value)
        case UUID():
            return b"\x98" + value.bytes
        case Described():
            return b"\x00" + encode(value.descriptor) + encode(value.value)
        case _:
            return _sized(value)


def _long(value: int) -> bytes:
    return b"\x81" + value.to_bytes(8, "big", signed=True)


def small_ulong(value: int) -> bytes:
    """A descriptor of the standard: 53 and one byte."""
    return bytes((0x53, value))


def _sized(value: str | bytes | list[Value] | dict[Value, Value]) -> bytes:
    match value:
        case Symbol():
            return _with_length(value.encode("ascii"), 0xA3)
        case str():
            return _with_length(value.encode("utf-8"), 0xA1)
        case bytes():
            return _with_length(value, 0xA0)
        case dict():
            return _with_count(0xD1, [part for pair in value.items() for part in pair])
        case _:
            return _with_count(0xD0, value)


def _with_length(raw: bytes, short: int) -> bytes:
    if len(raw) < 256:
        return bytes((short, len(raw))) + raw
    return bytes((short + 0x10,)) + len(raw).to_bytes(4, "big") + raw


def _with_count(code: int, parts: Sequence[Value]) -> bytes:
    """list32 or map32; the size counts the count as well."""
    inside = b"".join(map(encode, parts))
    return bytes((code,)) + (len(inside) + 4).to_bytes(4, "big") + len(parts).to_bytes(4, "big") + inside
