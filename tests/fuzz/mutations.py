"""Ways to spoil bytes, XML and MIME; each is a Hypothesis strategy that gives a function from good to bad."""

from __future__ import annotations

import re
from collections.abc import Callable

from hypothesis import strategies as st
from lxml import etree

Spoil = Callable[[bytes], bytes]
#: Bytes that parsers trip over.
NASTY = (
    b"\x00", b"\xff", b"\xef\xbb\xbf", b"\r\n\r\n", b"--", b"<", b">", b"&", b"&#0;", b"&x;", b"]]>", b"<![CDATA[", b"<!--", b"-->",
    b"<?x?>", b'"', b"'", b"=", b"%", b"%00", b"cid:", b"\xc3\x28", b"A" * 5000, b"<a>" * 300, b"\r", b"\n", b"\t", b" ",
)  # fmt: skip


def places() -> st.SearchStrategy[float]:
    """A place in whatever it will be: a share of its length."""
    return st.floats(0, 1, exclude_max=True)


def _at(content: bytes, place: float) -> int:
    return int(len(content) * place)


def flipped() -> st.SearchStrategy[Spoil]:
    """One bit the other way round."""

    def make(place: float, bit: int) -> Spoil:
        def spoil(content: bytes) -> bytes:
            if not content:
                return content
            at = _at(content, place)
            return content[:at] + bytes([content[at] ^ (1 << bit)]) + content[at + 1 :]

        return spoil

    return st.builds(make, places(), st.integers(0, 7))


def cut() -> st.SearchStrategy[Spoil]:
    """A stretch taken out."""

    def make(place: float, length: int) -> Spoil:
        return lambda content: content[: _at(content, place)] + content[_at(content, place) + length :]

    return st.builds(make, places(), st.sampled_from((1, 2, 7, 60, 500, 10**6)))


def repeated() -> st.SearchStrategy[Spoil]:
    """A stretch said again elsewhere."""

    def make(place: float, other: float, length: int) -> Spoil:
        def spoil(content: bytes) -> bytes:
            piece = content[_at(content, place) : _at(content, place) + length]
            return content[: _at(content, other)] + piece + content[_at(content, other) :]

        return spoil

    return st.builds(make, places(), places(), st.sampled_from((1, 4, 40, 400, 4000)))


def put_in() -> st.SearchStrategy[Spoil]:
    """Something nasty in between."""

    def make(place: float, nasty: bytes) -> Spoil:
        return lambda content: content[: _at(content, place)] + nasty + content[_at(content, place) :]

    return st.builds(make, places(), st.one_of(st.sampled_from(NASTY), st.binary(min_size=1, max_size=20)))


def anywhere() -> st.SearchStrategy[Spoil]:
    """One to three of them, one after another."""
    return st.lists(st.one_of(flipped(), cut(), repeated(), put_in()), min_size=1, max_size=3).map(_in_turn)


def _in_turn(spoils: list[Spoil]) -> Spoil:
    def spoil(content: bytes) -> bytes:
        for one in spoils:
            content = one(content)
        return content

    return spoil


# --- XML

WORDS = (
    "",
    " ",
    "x",
    "8000202",
    "8009102",
    "true",
    "1",
    "2.0",
    "æøå",
    "cid:x",
    "urn:x",
    "\u2028",
    "9" * 300,
    "2026-01-01T00:00:00Z",
)


def restructured() -> st.SearchStrategy[Spoil]:
    """An element dropped, renamed, doubled, nested, emptied or moved; a value or an attribute replaced."""
    return st.builds(
        _restructured,
        places(),
        places(),
        st.sampled_from(
            ("drop", "rename", "double", "nest", "empty", "move", "text", "attribute", "actor", "namespace", "comment")
        ),
        st.sampled_from(WORDS),
    )


def _restructured(place: float, other: float, how: str, word: str) -> Spoil:
    def spoil(content: bytes) -> bytes:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
        elements = [e for e in root.iter(etree.Element) if e is not root]
        element, target = elements[int(len(elements) * place)], elements[int(len(elements) * other)]
        _act(element, target, how, word)
        return etree.tostring(root)

    return spoil


def _act(element: etree._Element, target: etree._Element, how: str, word: str) -> None:
    parent = element.getparent()
    assert parent is not None
    match how:
        case "drop":
            parent.remove(element)
        case "rename":
            element.tag = re.sub(r"\}.*", "}Annet", str(element.tag))
        case "double":
            parent.insert(parent.index(element), etree.fromstring(etree.tostring(element, with_tail=False)))
        case "nest":
            wrapper = etree.SubElement(parent, element.tag)
            wrapper.append(element)
        case "empty":
            element.clear()
        case "move" if target not in element.iter() and target is not element:
            target.append(element)
        case "attribute":
            for name in element.attrib:
                element.set(name, word)
        case "actor":
            element.set(
                "{http://schemas.xmlsoap.org/soap/envelope/}actor", "http://schemas.xmlsoap.org/soap/actor/next"
            )
        case "namespace":
            element.tag = f"{{urn:annet}}{etree.QName(element).localname}"
        case "comment":
            element.insert(0, etree.Comment("x"))
        case _:
            element.text = word


# --- MIME

HEADERS = ("Content-Type", "Content-ID", "Content-Transfer-Encoding")
VALUES = (
    "", "text/xml", "text/xml; charset=utf-16", "application/pkcs7-mime", "base64", "BASE64", "7bit", "8bit", "binary", "quoted-printable",
    "x-annet", "<root@test>", "<payload@test>", "payload@test", "multipart/related", 'text/xml; boundary="x"', "message/rfc822", "<>",
)  # fmt: skip


def repackaged() -> st.SearchStrategy[Spoil]:
    """A part header dropped, renamed or changed; parts swapped, doubled, dropped; line ends changed."""
    headers = st.builds(
        _header,
        st.sampled_from(HEADERS),
        st.sampled_from(VALUES),
        st.integers(0, 1),
        st.sampled_from(("drop", "set", "lower", "fold")),
    )
    parts = st.sampled_from(
        ("swap", "double", "drop-first", "drop-last", "no-close", "lf", "preamble", "epilogue")
    ).map(_parts)
    return st.one_of(headers, parts)


def _header(name: str, value: str, which: int, how: str) -> Spoil:
    def spoil(content: bytes) -> bytes:
        found = list(re.finditer(rf"(?m)^{name}:[^\r\n]*\r\n".encode(), content))
        if len(found) <= which:
            return content
        old = found[which].group(0)
        new = {
            "drop": b"",
            "set": f"{name}: {value}\r\n".encode(),
            "lower": old.lower(),
            "fold": old.replace(b": ", b":\r\n\t", 1),
        }[how]
        return content[: found[which].start()] + new + content[found[which].end() :]

    return spoil


def _parts(how: str) -> Spoil:
    def spoil(content: bytes) -> bytes:
        boundary = content.partition(b"\r\n")[0]
        if not boundary:  # an earlier change has left nothing to take apart
            return content
        pieces = content.split(boundary)
        if how == "lf":
            return content.replace(b"\r\n", b"\n")
        if how == "preamble":
            return b"Dette er en melding.\r\n" + content
        if how == "epilogue":
            return content + b"\r\nog mer\r\n"
        if how == "no-close":
            return boundary.join(pieces[:-1])
        middle = pieces[1:-1]
        middle = {
            "swap": middle[::-1],
            "double": [*middle, *middle],
            "drop-first": middle[1:],
            "drop-last": middle[:-1],
        }[how]
        return boundary.join([pieces[0], *middle, pieces[-1]])

    return spoil
