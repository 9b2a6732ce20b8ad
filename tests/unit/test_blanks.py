"""White space around dates, times and durations is none of their value, in verdict and in reading (XSD 2, 4.3.6)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lxml import etree

from ops.samples.make import KINDS
from tests.unit.documents import AT, made, read, valid_samples
from xsd.blanks import collapsed, is_padded
from xsd.catalogue import Catalogue, _fault

CATALOGUE = Catalogue.load()
BLANKS = [" ", "\n", "\t", "\r\n  ", "\n      "]
DATED = re.compile(r"(>|=\")(\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d)?)(<|\")")


def padded(text: str, blank: str) -> str:
    """Every date in the document on a line of its own."""
    return DATED.sub(lambda m: f"{m[1]}{blank}{m[2]}{blank}{m[3]}", text)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("blank", BLANKS, ids=["blank", "LF", "tab", "CRLF", "indented"])
def test_a_document_with_blanks_round_its_dates_is_valid_and_read_alike(kind: str, blank: str) -> None:
    whole = made(kind).decode()
    written = padded(whole, blank).encode()
    assert written != whole.encode()
    root = etree.fromstring(written)
    assert CATALOGUE.validate(root) == ()
    assert etree.tostring(root) == etree.tostring(etree.fromstring(written)), "the document is as it was"
    found = read(written)
    assert (found.gen_date, found.msg_id) == (AT, read(whole.encode()).msg_id)


@pytest.mark.parametrize(
    "wrong",
    ["2026-13-01T00:00:00", "i går", "2026-01-05T08:30", "", "2026- 01-05T08:30:00", "\u00a02026-01-05T08:30:00"],
)
def test_what_is_no_date_stays_none(wrong: str) -> None:
    whole = made("dialog-svar").decode()
    spoilt = re.sub(r"<GenDate>.*?</GenDate>", f"<GenDate>\n{wrong}\n</GenDate>", whole).encode()
    assert [f.element for f in CATALOGUE.validate(etree.fromstring(spoilt))] == ["GenDate"]


def test_other_faults_of_such_a_document_are_told() -> None:
    written = padded(made("dialog-svar").decode(), "\n").replace("MIGversion>", "MIGversjon>").encode()
    assert any("MIGversion" in f.message for f in CATALOGUE.validate(etree.fromstring(written)))


def test_a_text_that_keeps_its_blanks_keeps_them() -> None:
    """A pattern of a string is about the string as it stands: there a blank is a fault."""
    schema = etree.XMLSchema(
        etree.XML(
            '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a"><xs:simpleType>'
            '<xs:restriction base="xs:string"><xs:pattern value="[0-9-]+"/></xs:restriction></xs:simpleType></xs:element>'
            "</xs:schema>"
        )
    )
    assert not schema.validate(etree.XML("<a> 2026-01-05 </a>"))
    assert {f.of_value for f in map(_fault, schema.error_log) if "[facet" in f.message} <= {False}


@pytest.mark.parametrize(
    "kind", ["dateTime", "date", "time", "gYear", "gYearMonth", "gMonth", "gMonthDay", "gDay", "duration"]
)
def test_every_dated_type_is_known(kind: str) -> None:
    """Whatever libxml2 takes bare of these types, it takes with blanks: each form, with and without a zone."""
    schema = etree.XMLSchema(
        etree.XML(
            '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">'
            f'<xs:element name="a" type="xs:{kind}"/></xs:schema>'
        )
    )
    forms = ["2026-01-05T08:30:00", "2026-01-05T08:30:00.1234567", "2026-01-05", "08:30:00", "2026", "2026-01", "--01"]
    forms += ["--01-05", "---05", "P1D", "-P1Y2M3DT4H5M6.7S", "PT0S", "P1M", "12026-01-05", "-2026-01-05T24:00:00"]
    taken = 0
    for form in [*forms, *(f"{form}{zone}" for form in forms for zone in ("Z", "+01:00", "-14:00"))]:
        if schema.validate(etree.XML(f"<a>{form}</a>")):
            taken += 1
            assert is_padded(f"\n {form}\t") and not is_padded(form), form
    assert taken >= 3


def test_the_walk_is_one_however_many_there_are() -> None:
    """Counted: elements that are looked at, of a document with ever more padded dates."""
    root = etree.XML("<a>" + "<d> 2026-01-05 </d>" * 3_000 + "</a>")
    with collapsed(root, {(1, "d")}) as changed:
        assert changed and {d.text for d in root} == {"2026-01-05"}
    assert {d.text for d in root} == {" 2026-01-05 "}


def test_official_samples_are_valid_when_indented_anew(standards: Path) -> None:
    """One of each standard that is valid as it came."""
    seen: set[str] = set()
    for shared in valid_samples(standards):
        if shared.kind in seen or not DATED.search(shared.raw.decode("utf-8", "replace")):
            continue
        seen.add(shared.kind)
        root = etree.fromstring(padded(shared.raw.decode("utf-8-sig", "replace"), "\n  ").encode())
        assert CATALOGUE.validate(root) == CATALOGUE.validate(etree.fromstring(shared.raw)), shared.name
    assert len(seen) > 8
