"""XML from outside: what is refused before the parser works, and what is read when it is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_a_document_may_redeclare_namespaces_deep_down_as_its_size_grows() -> None:
    """A message that encloses many small documents honestly repeats declarations; one of few bytes does not."""
    many = b"<a>" + (b"<b xmlns='urn:b'>" + b"x" * 600 + b"</b>") * 500 + b"</a>"
    few = b"<a>" + b"<b xmlns='urn:b'/>" * 500 + b"</a>"
    wide = Bounds.for_document(1_000_000)
    assert reason(many, wide) == ""
    assert reason(few, wide) == "too-many-namespaces"


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
