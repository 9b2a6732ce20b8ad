"""Long base64 is lifted out of a body while it comes: however it is cut, and nothing but what JSON or XML would have given."""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import random
import re
import zlib
from collections.abc import AsyncIterator, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from hub.formats import coding, lifted
from hub.formats.lifted import MOST, SMALL, Form, Lifted, Lifter, elements, members, received, thinned

MARK = "m" * 32
JSON, XML = members("document"), elements("document")
CONTENT = random.Random(14).randbytes(60_000)
BARE = base64.b64encode(CONTENT)

#: How writers of JSON and of XML put the same base64, and what nobody may take for base64 that is long and whole.
JSON_TEXTS = {
    "one line": BARE,
    "lines": BARE.replace(b"A", b"A\\r\\n"),
    "slashes": BARE.replace(b"/", b"\\/"),
    "as .NET": BARE.replace(b"+", b"\\u002B").replace(b"/", b"\\u002f"),
    "as gson": BARE + b"QQ\\u003d\\u003D",
    "padded": BARE + b"QQ== ",
    "blanks at the end": BARE + b"QUI=" + b"\\r\\n" * 20,
    "a letter too many": BARE + b"Q",
    "padding too many": BARE + b"QQ===",
    "padding in the middle": BARE[:80_000] + b"QQ==" + BARE,
    "bits left over": BARE + b"QR==",
    "a strange letter": BARE[:70_000] + b"-" + BARE[70_000:],
    "a strange letter early": b"-" + BARE,
    "a strange escape": BARE[:70_000] + b"\\u0100" + BARE[70_000:],
    "a line end that JSON does not take": BARE[:70_000] + b"\n" + BARE[70_000:],
    "short": b"QUJD",
    "nothing": b"",
    "blanks alone": b" " * 80_000,
    "many blanks at the end": BARE + b"QQ==" + b" " * 5_000,
}
XML_TEXTS = {
    "one line": BARE,
    "lines": base64.encodebytes(CONTENT).replace(b"\n", b"\r\n"),
    "lines as references": BARE.replace(b"A", b"A&#13;\n").replace(b"B", b"B&#xD;&#x000a;"),
    "letters as references": BARE.replace(b"A", b"&#65;").replace(b"z", b"&#x7a;").replace(b"+", b"&#43;"),
    "padded": b"\n" + BARE + b"QQ=&#61;\n",
    "a letter too many": BARE + b"Q",
    "bits left over": BARE + b"QR==",
    "padding in the middle": BARE[:80_000] + b"QQ==" + BARE,
    "an entity": BARE[:70_000] + b"&amp;" + BARE[70_000:],
    "a comment": BARE[:70_000] + b"<!-- -->" + BARE[70_000:],
    "a section": b"<![CDATA[" + BARE + b"]]>",
    "a child": BARE + b"<x/>" + BARE,
    "short": b"QUJD",
    "nothing": b"",
}


def json_body(text: bytes) -> bytes:
    return b'{"before": [1, "\\"document\\": \\"AA"], "Document" : "' + text + b'", "behind": {"document": null}}'


def xml_body(text: bytes) -> bytes:
    return b'<s:a xmlns:s="u"><b>\n</b>\n<s:document kind="x&gt;">' + text + b"</s:document>\n<c/></s:a>"


BODIES = [
    *(pytest.param(JSON, json_body(text), id=f"json, {name}") for name, text in JSON_TEXTS.items()),
    *(pytest.param(XML, xml_body(text), id=f"xml, {name}") for name, text in XML_TEXTS.items()),
]


def lift(form: Form, pieces: list[bytes]) -> Lifted:
    lifter = Lifter(form, MARK)
    for piece in pieces:
        lifter.feed(piece)
    return lifter.end(sum(map(len, pieces)))


def cut(body: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(body) + 1) for place in places), len(body)]
    return [body[a:b] for a, b in itertools.pairwise(edges)]


def without_blanks(text: str) -> str:
    return re.sub(r"[ \t\r\n]", "", text)


def decoded(text: str) -> bytes | None:
    """What a door makes of the text of a document: base64 in one line or many, or none."""
    try:
        return base64.b64decode(without_blanks(text), validate=True)
    except ValueError:
        return None


def documents(form: Form, body: bytes) -> list[str] | str:
    """The texts that JSON or XML gives, or that it is none."""
    if form is XML:
        try:
            root = etree.fromstring(body, etree.XMLParser(huge_tree=True, remove_comments=True))
        except etree.XMLSyntaxError:
            return "no XML"
        return ["".join(found.itertext()) for found in root.iter("{*}document")]
    try:
        return [value for name, value in json.loads(body).items() if name in ("document", "Document")]
    except ValueError:
        return "no JSON"


@pytest.mark.parametrize(("form", "body"), BODIES)
def test_what_is_left_and_what_was_lifted_are_what_a_parser_would_have_given(form: Form, body: bytes) -> None:
    found, before = lift(form, [body]), documents(form, body)
    after = documents(form, found.body)
    if isinstance(before, str):
        assert after == before
        return
    assert isinstance(after, list)
    assert len(after) == len(before)
    for one, other in zip(before, after, strict=True):
        meant = found.meant(other)
        if isinstance(meant, bytes):
            assert meant == decoded(one)
        else:  # but for blanks, as it was
            assert without_blanks(meant) == without_blanks(one)


LIFTED = ("one line", "lines", "slashes", "as .NET", "as gson", "padded", "blanks at the end", "blanks alone")
LIFTED += ("lines as references", "letters as references")


@pytest.mark.parametrize(("form", "body"), BODIES)
def test_what_is_long_and_whole_is_lifted_and_nothing_else(
    form: Form, body: bytes, request: pytest.FixtureRequest
) -> None:
    found = lift(form, [body])
    assert bool(found.texts) is request.node.callspec.id.partition(", ")[2].startswith(LIFTED)
    assert len(found.body) == len(body) if not found.texts else len(found.body) < 6_000


@pytest.mark.parametrize(("form", "body"), BODIES)
def test_every_line_stays_where_it_was(form: Form, body: bytes) -> None:
    assert lift(form, [body]).body.count(b"\n") == body.count(b"\n")


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([one.values for one in BODIES]),
    st.lists(st.integers(0, 1 << 18), max_size=12),
    st.lists(st.integers(-1100, 40), max_size=6),
)
def test_however_it_is_cut(what: tuple[Form, bytes], anywhere: list[int], near_the_end: list[int]) -> None:
    form, body = what
    places = anywhere + [len(body) + place for place in near_the_end]
    assert lift(form, cut(body, places)) == lift(form, [body])


@pytest.mark.parametrize("size", [1, 7, 639, 1023])
@pytest.mark.parametrize(
    ("form", "body"),
    [
        (JSON, json_body(JSON_TEXTS["as .NET"] + b"QQ\\u003d\\u003D\\r\\n")),
        (JSON, json_body(JSON_TEXTS["a strange letter"])),
        (JSON, b'{"a": "' + b" " * 700 + b'\\"document\\":\\"' + BARE + b'\\""}'),
        (XML, xml_body(XML_TEXTS["lines as references"] + b"QQ=&#61;\n")),
        (XML, xml_body(XML_TEXTS["padding in the middle"])),
    ],
    ids=["json", "json, none", "json in a text", "xml", "xml, none"],
)
def test_cut_into_equal_pieces(form: Form, body: bytes, size: int) -> None:
    start = 64_000 if size == 1 else 0  # byte by byte where it becomes long, and to the end
    pieces = [body[:start], *(body[at : at + size] for at in range(start, len(body), size))]
    assert lift(form, pieces) == lift(form, [body])


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=40), st.binary(max_size=40), st.booleans())
def test_any_bytes_around_it_stay(before: bytes, behind: bytes, is_xml: bool) -> None:
    body = before + (xml_body(BARE) if is_xml else json_body(BARE)) + behind
    found = lift(XML if is_xml else JSON, [body])
    whole = found.body
    for marker, content in found.texts.items():
        whole = whole.replace(marker.encode(), base64.b64encode(content))
    assert whole == body


def test_so_many_and_no_more() -> None:
    body = b"[" + b",".join(b'{"document":"%s"}' % BARE for _ in range(MOST + 2)) + b"]"
    found = lift(JSON, [body])
    assert len(found.texts) == MOST
    assert found.body.count(BARE) == 2


def test_a_marker_is_base64_that_a_schema_takes() -> None:
    [marker] = lift(JSON, [json_body(BARE)]).texts
    assert base64.b64encode(base64.b64decode(marker, validate=True)) == marker.encode()


def test_other_encodings_are_left_alone() -> None:
    body = json_body(BARE).decode().encode("utf-16")
    assert lift(JSON, [body]).body == body


def test_openings_without_number_are_looked_at_once() -> None:
    """A body of nothing but openings costs what its size costs: none is looked at twice, nothing is copied for each."""
    body = b"<document>" * 200_000
    assert lift(XML, [body]).body == body


# --- a document made thinner for its checks

BOX = elements("Box")


def test_a_thin_document_has_the_same_lines_and_no_long_base64() -> None:
    raw = b"<a>\n<b:Box xmlns:b='u'>" + base64.encodebytes(CONTENT) + b"</b:Box>\n<c/></a>"
    thin = thinned(raw, BOX, MARK)
    assert thin is not None
    assert len(thin) < 2_000
    before, after = etree.fromstring(raw), etree.fromstring(thin)
    assert [(e.tag, e.sourceline) for e in before.iter()] == [(e.tag, e.sourceline) for e in after.iter()]


@pytest.mark.parametrize(
    "raw",
    [
        b"<a><Box>%s</Box></a>" % b"QUJD",
        b"<a><Box>%s</Box></a>" % (BARE + b"Q"),
        b"<a><!-- x --><Box>%s</Box></a>" % BARE,
        b"<a><![CDATA[<Box>%s</Box>]]></a>" % BARE,
        b"<a><Box/>%s</a>" % BARE,
        b"<a><Box x='1'/>%s</a>" % BARE,
        b"<a><Box>%s</Box><Box>%s-</Box></a>" % (BARE, BARE),
    ],
    ids=["short", "not whole", "a comment", "a section", "empty", "empty with an attribute", "one of two is none"],
)
def test_what_is_not_surely_base64_is_read_whole(raw: bytes) -> None:
    assert thinned(raw, BOX, MARK) is None


# --- as a body comes


async def chunks(body: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def lifter() -> Lifter:
    return Lifter(JSON, MARK)


LARGE = json_body(base64.b64encode(CONTENT * 5))
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "gzip, deflate": lambda body: zlib.compress(gzip.compress(body)),
}


@pytest.mark.parametrize("said", PACKED)
@pytest.mark.parametrize("size", [61, 65_536, 10_000_000])
async def test_a_large_body_is_lifted_out_of_its_codings(said: str, size: int) -> None:
    found = await received(chunks(PACKED[said](LARGE), size), 1_000_000, lifter, said)
    assert found == lift(JSON, [LARGE])


async def test_a_small_body_is_read_as_it_is() -> None:
    body = json_body(BARE)
    assert len(body) < SMALL
    assert await received(chunks(body), 1_000_000, lifter) == Lifted(body, {}, len(body))


@pytest.mark.parametrize("said", PACKED)
async def test_what_is_too_large_is_read_to_its_end_and_thrown_away(said: str) -> None:
    coming = chunks(PACKED[said](LARGE))
    found = await received(coming, 100_000, lifter, said)
    assert isinstance(found, Lifted)
    assert found.size > 100_000
    assert (found.body, dict(found.texts)) == (b"", {})
    assert [piece async for piece in coming] == []


async def test_a_bomb_goes_no_further_than_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    made, begun = 0, coding._Unpacker.feed

    def counted(self: coding._Unpacker, piece: bytes) -> object:
        nonlocal made
        for found in begun(self, piece):
            made += len(found)
            yield found

    monkeypatch.setattr(coding._Unpacker, "feed", counted)
    found = await received(chunks(gzip.compress(bytes(50_000_000))), 100_000, lifter, "gzip")
    assert isinstance(found, Lifted)
    assert found.size > 100_000
    assert made <= 100_000 + coding.STEP


@pytest.mark.parametrize("said", ["br", "gzip, br", "gzip, gzip, gzip, gzip"])
async def test_an_unknown_coding_is_said_when_all_has_come(said: str) -> None:
    coming = chunks(LARGE)
    found = await received(coming, 1_000_000, lifter, said)
    assert found == coding.unpacked(said, LARGE, 1_000_000)
    assert [piece async for piece in coming] == []


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["gzip", "deflate", "gzip, deflate"]),
    st.binary(max_size=300),
    st.integers(0, 400),
    st.binary(max_size=3),
    st.integers(1, 60),
)
def test_the_same_is_said_of_what_comes_in_pieces(said: str, content: bytes, at: int, damage: bytes, size: int) -> None:
    packed = PACKED[said](content)
    body = packed[:at] + damage + packed[at + len(damage) :]
    unpacking = coding.unpacking(said)
    assert isinstance(unpacking, coding.Unpacking)
    pieces = [f for a in range(0, len(body), size) for f in unpacking.feed(body[a : a + size])]
    whole = coding.unpacked(said, body, 1_000_000)
    fault = unpacking.end()
    if isinstance(whole, bytes):
        assert (b"".join(pieces), fault) == (whole, None)
    else:
        assert fault is not None


async def test_others_have_a_turn_while_a_large_body_is_unpacked() -> None:
    """One chunk of the wire becomes very many pieces: after each of them the loop is free."""
    turns = 0

    def counted() -> Lifter:
        made = lifter()
        feed = made.feed

        def fed(piece: bytes) -> None:
            assert len(piece) <= lifted.STEP
            feed(piece)

        made.feed = fed  # type: ignore[method-assign]
        return made

    work = received(chunks(gzip.compress(b" " * 5_000_000), 100_000_000), 6_000_000, counted, "gzip").__await__()
    for _ in work:
        turns += 1
    assert turns >= (5_000_000 - SMALL) // coding.STEP
