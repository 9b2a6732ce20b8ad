"""XML from outside: what is refused before the parser works, and what is read when it is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from hub.formats.xml import ENCODINGS, HUGE_TEXT, Bounds, XmlFault, declared_encoding, parse

BOUNDS = Bounds(max_bytes=200_000)
BOM = b"\xef\xbb\xbf"


def reason(raw: bytes, bounds: Bounds = BOUNDS) -> str:
    found = parse(raw, bounds)
    return found.reason if isinstance(found, XmlFault) else ""


@pytest.mark.parametrize(
    "raw",
    [
        b"<a>1</a>",
        BOM + b"<a>1</a>",
        b'<?xml version="1.0"?><a>1</a>',
        b"<?xml version='1.0' encoding='utf-8' standalone='yes' ?>\r\n<a>1</a>",
        BOM + b'<?xml version="1.0" encoding="UTF-8"?><a>1</a>',
        '<?xml version="1.0" encoding="ISO-8859-1"?><a>ø</a>'.encode("latin-1"),
        '<?xml version="1.0" encoding="windows-1252"?><a>ø</a>'.encode("cp1252"),
        b"\n <!-- first --><a/>",
        b'<?xml-stylesheet href="a.xsl"?><a/>',
    ],
)
def test_honest_xml_is_read_in_every_encoding_that_is_ascii_below_128(raw: bytes) -> None:
    assert not isinstance(parse(raw, BOUNDS), XmlFault)


@pytest.mark.parametrize("name", sorted(ENCODINGS))
def test_every_name_of_an_encoding_is_read(name: str) -> None:
    """IANA's aliases, and what programs call it; in any case, and step by step too."""
    known = ENCODINGS[name]
    letters = {"us-ascii": "aoe", "windows-1252": "æøå€", "iso-8859-15": "æøå€"}.get(known, "æøå")
    for written in (name, name.upper()):
        for body in ("", "<b xmlns='urn:b'/>" * 70):
            text = f'<?xml version="1.0" encoding="{written}"?><a>{letters}{body}</a>'
            root = parse(text.encode(known), Bounds.for_document(100_000))
            assert not isinstance(root, XmlFault) and root.text == letters
            assert declared_encoding(text.encode(known)) == known


def test_norwegian_letters_come_out_alike_from_both_encodings() -> None:
    texts = [f'<?xml version="1.0" encoding="{name}"?><a>æøå</a>'.encode(name) for name in ("utf-8", "iso-8859-1")]
    roots = [parse(text, BOUNDS) for text in texts]
    assert [root.text for root in roots if not isinstance(root, XmlFault)] == ["æøå", "æøå"]


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (b"", "empty"),
        (b" \r\n\t", "empty"),
        (b"<a>" + b"x" * 200_000 + b"</a>", "too-large"),
        (b"<!DOCTYPE a><a/>", "doctype"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "doctype"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "doctype"),
        (b"<a>&b;</a>", "not-well-formed"),
        (b"<a>", "not-well-formed"),
        (b"<a/><b/>", "not-well-formed"),
        (b"<a b='1' b='2'/>", "not-well-formed"),
        (b"<p:a/>", "not-well-formed"),
        (b"MSH|^~\\&|", "not-well-formed"),
        (b"<a>\xff\xfe</a>", "not-well-formed"),
        (b"<?xml version='1.1'?><a/>", "not-well-formed"),
        (b"<?xml encoding='utf-8'?><a/>", "not-well-formed"),
        ("<a/>".encode("utf-16"), "encoding"),
        ("<a/>".encode("utf-16-le"), "encoding"),
        ("<a/>".encode("utf-32"), "encoding"),
        (b"<?xml version='1.0' encoding='UTF-16'?><a/>", "encoding"),
        (b"<?xml version='1.0' encoding='UTF-7'?><a/>", "encoding"),
        (b"<?xml version='1.0' encoding='EBCDIC-CP-US'?><a/>", "encoding"),
        ("<a/>".encode("cp037"), "not-well-formed"),
        (b"<a>" * 250 + b"</a>" * 250, "too-deep"),
        (b"<a>" * 5_000 + b"</a>" * 5_000, "too-deep"),
        (b"<a " + b" ".join(b"b%d='1'" % n for n in range(101)) + b"/>", "too-many-attributes"),
        (b"<a>" + b"<b c='1'/>" * 2_001 + b"</a>", "too-many-attributes"),
        (b"<a " + b" ".join(b"xmlns:n%d='urn:%d'" % (n, n) for n in range(65)) + b"/>", "too-many-namespaces"),
    ],
)
def test_what_is_no_honest_xml_is_refused_by_name(raw: bytes, wanted: str) -> None:
    assert reason(raw) == wanted


@pytest.mark.parametrize("hiding", ["UTF-7", "UTF-16", "IBM037"])
def test_a_declaration_cannot_be_hidden_from_the_count_by_blanks(hiding: str) -> None:
    """The parser would read the encoding that we did not see, and our counting would be of other letters than its."""
    raw = b'<?xml version="1.0"' + b" " * 500 + b'encoding="%s"?>' % hiding.encode() + b"+ADw-!DOCTYPE x><x/>"
    assert reason(raw) == "not-well-formed"


def test_the_declared_encoding_is_what_stands_in_the_declaration() -> None:
    assert declared_encoding(b'<?xml version="1.0" encoding="ISO-8859-1"?>') == "iso-8859-1"
    assert declared_encoding(BOM + b"<?xml version='1.0'\n\tencoding = 'UTF-8' standalone='no'?>") == "utf-8"
    assert declared_encoding(b"<a>encoding='utf-16'</a>") == "utf-8"


def test_text_that_speaks_of_a_doctype_is_no_doctype() -> None:
    assert reason(b"<a>&#60;!DOCTYPE</a>") == ""
    assert reason(b"<a>&lt;!ENTITY</a>") == ""


def test_a_comment_or_instruction_inside_a_value_does_not_cut_it_short() -> None:
    """C14N leaves comments out, so anybody may put one into a signed message; what we read must not change by it."""
    root = parse(b"<a>80001<!-- x -->02<?p q?>3<b/>4<!-- y -->5</a>", BOUNDS)
    assert not isinstance(root, XmlFault)
    assert (root.text, root[0].tail, len(root)) == ("80001023", "45", 1)


def test_cdata_is_text_like_any_other() -> None:
    root = parse(b"<a>1<![CDATA[<2>]]>3</a>", BOUNDS)
    assert not isinstance(root, XmlFault) and root.text == "1<2>3"


def test_a_fault_names_its_place_and_nothing_of_the_content() -> None:
    found = parse(b"<a>\n  <hemmelig>Testesen</hemmeligere>\n</a>", BOUNDS)
    assert isinstance(found, XmlFault)
    assert found.line == 2 and found.column > 0
    assert "Testesen" not in found.text and "hemmelig" not in found.text


WIDE = Bounds.for_document(30_000_000)
XSI = "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance'"


def nested(depth: int, *declared: str) -> bytes:
    """Each element within the one before, with the same declarations."""
    own = " ".join(declared).encode()
    return b"<a>" + b"<b %s>" % own * depth + b"</b>" * depth + b"</a>"


@pytest.mark.parametrize(
    "raw",
    [
        b"<a>" + b"<b xmlns='urn:b'/>" * 50_000 + b"</a>",
        b"<a>" + (b"<b xmlns='urn:b' %s xmlns:p1='urn:p' p1:c='1'/>" % XSI.encode()) * 5_000 + b"</a>",
        b"<a>" + b"<b xmlns='urn:b'><c xmlns='urn:c'><d xmlns='urn:b'/></c></b>" * 3_000 + b"</a>",
        b"<a>" + nested(190, "xmlns='urn:b'", XSI) * 20 + b"</a>",
        b"<a " + b" ".join(b"xmlns:n%d='urn:%d'" % (n, n) for n in range(100)) + b"/>",
        b"<a>" + b"<b>xmlns=</b>" * 5_000 + b"</a>",
    ],
    ids=["each element", "as .NET writes it", "at each change", "at each level", "a head full", "only said"],
)
def test_a_document_may_declare_namespaces_as_often_as_its_serializer_likes(raw: bytes) -> None:
    """However small it is: what is in force at one place is what costs."""
    assert reason(raw, WIDE) == ""


@pytest.mark.parametrize("step", [1, 7, 16_384])
def test_a_document_read_step_by_step_is_the_same(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    monkeypatch.setattr("hub.formats.xml._STEP", step)
    text = "<a>" + "<b xmlns='urn:b' V='æ'>ø<!-- x -->å<?p q?>1<![CDATA[<2>]]></b>" * 70 + "</a>\n"
    declared = '<?xml version="1.0" encoding="{}"?>\n' + text
    raws = [text.encode(), BOM + text.encode(), declared.format("UTF-8").encode()]
    for raw in [*raws, declared.format("ISO-8859-1").encode("latin-1")]:
        slow = parse(raw, WIDE)
        with monkeypatch.context() as patched:
            patched.setattr("hub.formats.xml.FEW_XMLNS", 10_000)
            quick = parse(raw, WIDE)
        assert not isinstance(slow, XmlFault) and not isinstance(quick, XmlFault)
        assert etree.tostring(slow) == etree.tostring(quick)


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (b"<a>" + b"<b xmlns='urn:b'>" * 70, "not-well-formed"),
        (b"<a>" + b"<b xmlns='urn:b'/>" * 70 + b"</b>", "not-well-formed"),
        (b"<a>" + b"<b xmlns='urn:b'/>" * 70 + b"</a><c/>", "not-well-formed"),
        (b"<a>" + b"<b xmlns='urn:b'>\xff</b>" * 70 + b"</a>", "not-well-formed"),
        (b"<a>" + b"<b xmlns='urn:b'/>" * 70 + b"&c;</a>", "not-well-formed"),
        (nested(250, "xmlns='urn:b'"), "too-deep"),
    ],
)
def test_what_is_wrong_is_found_step_by_step_too(raw: bytes, wanted: str) -> None:
    assert reason(raw, WIDE) == wanted


def test_the_work_of_many_namespaces_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted: of those on one element each is read once; of those that lie in one another ever as many, however large."""
    looked: list[int] = []

    class Counting(etree.XMLPullParser):
        def feed(self, data: bytes) -> None:
            looked[-1] += data.count(b"xmlns")
            super().feed(data)

    monkeypatch.setattr("hub.formats.xml.etree.XMLPullParser", Counting)
    for size in (1, 4, 16):
        wide = b"<a " + b" ".join(b"xmlns:n%d='urn:%d'" % (n, n) for n in range(2_000 * size)) + b"/>"
        looked.append(0)
        assert reason(wide, WIDE) == "too-many-namespaces"
        assert looked[-1] <= 2_000 * size
        looked.append(0)
        assert reason(nested(150, *(f"xmlns:n{n}='urn:{n}'" for n in range(4 * size))), WIDE) == "too-many-namespaces"
        assert looked[-1] <= 1_000


def test_a_document_may_have_as_many_attributes_as_its_size_carries() -> None:
    assert reason(b"<a>" + b"<b V='1'/>" * 3_000 + b"</a>", Bounds.for_document(1_000_000)) == ""


def test_one_huge_text_is_read_within_the_limit_in_bytes() -> None:
    """libxml2 alone refuses texts above ten million letters; an attachment in base64 may be larger."""
    raw = b"<a>" + b"QUJD" * (HUGE_TEXT // 4 + 500_000) + b"</a>"
    root = parse(raw, Bounds.for_document(36_000_000))
    assert not isinstance(root, XmlFault) and len(root.text or "") == len(raw) - 7


def test_every_bound_is_inclusive() -> None:
    assert reason(b"<a>" * 200 + b"</a>" * 200) == ""
    assert reason(b"<a>" * 201 + b"</a>" * 201) == "too-deep"
    assert reason(b"<a " + b" ".join(b"b%d='1'" % n for n in range(100)) + b"/>") == ""


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise(raw: bytes) -> None:
    parse(raw, BOUNDS)


@given(st.sampled_from(sorted(ENCODINGS)), st.text(alphabet="<>&;ab\"'=!-?/ ", max_size=60))
def test_no_text_in_any_known_encoding_makes_it_raise(name: str, inner: str) -> None:
    parse(f'<?xml version="1.0" encoding="{name}"?><a>{inner}</a>'.encode(), BOUNDS)
