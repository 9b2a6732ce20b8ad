"""The AMQP 1.0 type system: what is written is read again, every constructor is read, and garbage gets a clear answer."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.amqp import sections
from adapters.amqp.sections import SectionFault
from adapters.amqp.values import Described, Symbol, Timestamp, Unreadable, Value, decode, encode

_SIMPLE = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=300)
    | st.binary(max_size=300)
    | st.uuids()
    | st.text(st.characters(codec="ascii"), max_size=300).map(Symbol)
    | st.integers(-(2**63), 2**63 - 1).map(Timestamp)
)


def _deeper(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    keys = st.text(max_size=9)
    described = st.builds(Described, st.integers(0, 99), inner)
    return st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4) | described  # type: ignore[return-value]


_VALUES = st.recursive(_SIMPLE, _deeper, max_leaves=12)


@given(_VALUES)
def test_what_is_written_is_read_again(value: Value) -> None:
    raw = encode(value)
    found, end = decode(raw)
    assert (found, end, type(found)) == (value, len(raw), type(value))


@given(_VALUES, st.data())
def test_what_is_cut_short_is_told(value: Value, data: st.DataObject) -> None:
    raw = encode(value)
    with pytest.raises(Unreadable):
        decode(raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(st.binary(max_size=80))
def test_garbage_never_raises_anything_else(raw: bytes) -> None:
    with suppress(Unreadable):
        decode(raw)
    for read in (sections.properties, sections.application_properties, sections.body):
        read(raw)  # type: ignore[operator]
        read(b"\x00\x53\x73" + raw)  # type: ignore[operator]
        read(b"\x00\x53\x74\xc1" + raw)  # type: ignore[operator]


@given(_VALUES, st.data())
def test_a_spoilt_byte_never_raises_anything_else(value: Value, data: st.DataObject) -> None:
    raw = bytearray(encode(value))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(Unreadable):
        decode(bytes(raw))


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("40", None),
        ("41", True),
        ("42", False),
        ("5601", True),
        ("5600", False),
        ("43", 0),
        ("44", 0),
        ("50ff", 255),
        ("51ff", -1),
        ("52ff", 255),
        ("53ff", 255),
        ("54ff", -1),
        ("55ff", -1),
        ("60ffff", 65535),
        ("61ffff", -1),
        ("70ffffffff", 2**32 - 1),
        ("71ffffffff", -1),
        ("80" + "ff" * 8, 2**64 - 1),
        ("81" + "ff" * 8, -1),
        ("72" + struct.pack(">f", 0.5).hex(), 0.5),
        ("82" + struct.pack(">d", 0.5).hex(), 0.5),
        ("7300002764", "❤"),
        ("7401020304", b"\1\2\3\4"),
        ("83" + (1000).to_bytes(8, "big").hex(), Timestamp(1000)),
        ("98" + "0f" * 16, UUID(bytes=b"\x0f" * 16)),
        ("a002aabb", b"\xaa\xbb"),
        ("b000000001aa", b"\xaa"),
        ("a102c3a6", "æ"),
        ("b100000002c3a6", "æ"),
        ("a30161", Symbol("a")),
        ("b30000000161", Symbol("a")),
        ("45", []),
        ("c0040240a000", [None, b""]),
        ("d0000000060000000240" + "41", [None, True]),
        ("c1050241a10161", {True: "a"}),
        ("d100000006000000024142", {True: False}),
        ("e004025401" + "02", [1, 2]),
        ("e00402a30000", ["", ""]),
        ("e0020140", [None]),
        ("f000000007000000025401" + "02", [1, 2]),
        ("e00702005309540102", [1, 2]),
    ],
)
def test_every_constructor_is_read(raw: str, value: Value) -> None:
    """nhn-amqp.md §1.4, and what OASIS AMQP 1.0 part 1 has besides; AMQPNetLite writes the short forms."""
    found, end = decode(bytes.fromhex(raw))
    assert found == value and end == len(bytes.fromhex(raw))
    assert isinstance(found, bool) == isinstance(value, bool)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "00",
        "0053",
        "3f",
        "57",
        "99" + "00" * 16,
        "a105",
        "a101ff",
        "a301ff",
        "7300110000",
        "b1ffffffff00",
        "c00502404040",
        "c0030141ff",
        "c10301" + "40",
        "c1050245" + "41" + "42",
        "d0ffffffff00000000",
    ],
)
def test_what_breaks_the_rules_is_unreadable(raw: str) -> None:
    with pytest.raises(Unreadable):
        decode(bytes.fromhex(raw))


def _nested(depth: int) -> bytes:
    raw = b"\x40"
    for _ in range(depth):
        raw = b"\xd0" + (len(raw) + 4).to_bytes(4, "big") + b"\0\0\0\1" + raw
    return raw


@pytest.mark.parametrize(
    "raw",
    [
        _nested(17),
        _nested(5_000),
        b"\x00" * 100_000,
        b"\x00\x40" * 5_000,
        b"\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40",
        b"\xf0\x00\x00\x00\x05\x00\x01\x00\x00\x45",
        b"\xd0" + (60_004).to_bytes(4, "big") + (60_000).to_bytes(4, "big") + b"\x40" * 60_000,
    ],
)
def test_what_would_be_expensive_is_refused(raw: bytes) -> None:
    """Depth, and arrays of values that take no room."""
    with pytest.raises(Unreadable):
        decode(raw)


def test_honest_depth_is_read() -> None:
    decode(_nested(16))


# --- sections


def test_properties_are_a_list_in_order_without_trailing_nulls() -> None:
    raw = sections.encode_properties({"message-id": "i", "subject": "S", "content-type": "text/plain"})
    assert raw.hex() == "005373" + "d00000001a" + "00000007" + "a10169" + "4040" + "a10153" + "4040" + "a30a" + (
        b"text/plain".hex()
    )
    assert sections.properties(raw) == {"message-id": "i", "subject": "S", "content-type": "text/plain"}
    assert sections.encode_properties({}).hex() == "005373d00000000400000000"


@given(
    st.dictionaries(st.sampled_from(sections.FIELDS[:6]), st.text(min_size=1)),
    st.dictionaries(st.text(), st.text(), max_size=5),
)
def test_sections_are_read_again(fields: dict[str, str], own: dict[str, str]) -> None:
    assert sections.properties(sections.encode_properties(fields)) == fields
    assert sections.application_properties(sections.encode_application_properties(own)) == own


def test_values_become_text_as_dotnet_would_have_it() -> None:
    """nhn-amqp.md §2.2: reading is tolerant of type."""
    own: Value = {
        "n": 93238,
        "b": True,
        "u": UUID("469eb15c-8e40-4720-9e0f-d83fcc4470e8"),
        "t": Timestamp(1_769_867_110_000),
        "far": Timestamp(2**62),
        "s": Symbol("a"),
        "raw": b"x\xff",
        "list": [1],
        "none": None,
    }
    assert sections.application_properties(b"\x00\x53\x74" + encode(own)) == {
        "n": "93238",
        "b": "True",
        "u": "469eb15c-8e40-4720-9e0f-d83fcc4470e8",
        "t": "2026-01-31T13:45:10+00:00",
        "far": str(2**62),
        "s": "a",
        "raw": "x�",
    }


def test_sections_may_have_their_long_names_and_long_numbers() -> None:
    inside = encode(["i"])
    assert sections.properties(b"\x00\x80" + (0x73).to_bytes(8, "big") + inside) == {"message-id": "i"}
    assert sections.properties(b"\x00" + encode(Symbol("amqp:properties:list")) + inside) == {"message-id": "i"}
    header = b"\x00\x53\x70\xc0\x02\x01\x41"
    assert sections.properties(header + b"\x00\x53\x73" + inside) == {"message-id": "i"}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\x53\x73\x41",
        b"\x00\x53\x74\x45",
        b"\x45",
        b"\x00\xa3\x01x\x45",
        b"\x00\x53\x73" + encode([None] * 14),
    ],
)
@pytest.mark.parametrize("read", [sections.properties, sections.application_properties])
def test_other_sections_say_what_is_wrong(raw: bytes, read: Callable[[bytes], object]) -> None:
    found = read(raw)
    assert isinstance(found, SectionFault) and found.text


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        (b"\x00\x53\x77\xa1\x03<a>", b"<a>"),
        (b"\x00\x53\x77\xa0\x03<a>", b"<a>"),
        (b"\x00\x53\x75\xa0\x02<a\x00\x53\x75\xa0\x01>", b"<a>"),
        (b"\x00\x53\x75\xa0\x00", b""),
        (b"\x00\x53\x70\x45\x00\x53\x77\xb1\x00\x00\x00\x01a", b"a"),
    ],
)
def test_a_body_of_sections_is_made_plain(raw: bytes, content: bytes) -> None:
    assert sections.body(raw) == content


@pytest.mark.parametrize("raw", [b"", b"\x00\x53\x76\x45", b"\x00\x53\x77\x45", b"\x00\x53\x75\xa1\x01a", b"<a/>"])
def test_a_body_that_is_neither_bytes_nor_text_says_so(raw: bytes) -> None:
    found = sections.body(raw)
    assert isinstance(found, SectionFault) and found.text
