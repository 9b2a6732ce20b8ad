"""The twenty most common mistakes, in plain words: the exact sentences, in both languages, with the standard's own names."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from lxml import etree

from hub import norwegian
from hub.formats import schema_words
from ops.look.validate import Validator
from ops.samples.make import make
from ops.sector import SECTOR
from xsd import catalogue
from xsd.catalogue import Catalogue, SchemaFault

DOCTOR, SURGERY = SECTOR[1], SECTOR[3]
AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SAMPLE = make(
    "dialog-helsefaglig",
    sender=DOCTOR,
    receiver=SURGERY,
    gen_date=AT,
    msg_id="3f6c1d2e-0000-4000-8000-00000000a001",
    attachment=True,
).document.decode()

#: What is done to a good document, the rule, and the sentence in English and Norwegian.
MISTAKES = [
    ("an element is misspelt", ("<MIGversion>", "<MIGversjon>"), ("</MIGversion>", "</MIGversjon>"),
     "misplaced", "'MIGversjon' does not belong here; 'MIGversion' is expected",
     "«MIGversjon» hører ikke hjemme her; «MIGversion» ventes"),
    ("MsgId is forgotten", ("<MsgId>3f6c1d2e-0000-4000-8000-00000000a001</MsgId>", ""), None,
     "misplaced", "'Sender' does not belong here; 'MsgId' is expected",
     "«Sender» hører ikke hjemme her; «MsgId» ventes"),
    ("the receiver is forgotten", ("<Receiver>", "<Receiver/><!--"), ("</Receiver>", "-->"),
     "lacks-one-of", "'Receiver' lacks one of 'ComMethod', 'Organisation'",
     "«Receiver» mangler ett av «ComMethod», «Organisation»"),
    ("the head is empty but for its Type", ("<MIGversion>v1.2 2006-05-24</MIGversion>", "</MsgInfo></MsgHead><!--"),
     ("</MsgHead>\n", "-->"),
     "lacks", "'MsgInfo' lacks 'MIGversion'", "«MsgInfo» mangler «MIGversion»"),
    ("GenDate is no time", ("<GenDate>2026-03-02T13:00:00</GenDate>", "<GenDate>2. mars 2026</GenDate>"), None,
     "not-a", "the value of 'GenDate' is not a date and time", "verdien i «GenDate» er ikke dato og klokkeslett"),
    ("GenDate is empty", ("<GenDate>2026-03-02T13:00:00</GenDate>", "<GenDate/>"), None,
     "not-a", "the value of 'GenDate' is not a date and time", "verdien i «GenDate» er ikke dato og klokkeslett"),
    ("an unknown attribute", ("<MsgInfo>", '<MsgInfo versjon="1">'), None,
     "foreign-attribute", "'MsgInfo' may not have the attribute 'versjon'",
     "«MsgInfo» kan ikke ha attributtet «versjon»"),
    ("text between elements", ("<MsgInfo>", "<MsgInfo>Hei!"), None,
     "text-between", "'MsgInfo' has text between its elements", "«MsgInfo» har tekst mellom elementene sine"),
    ("the code is written as text", ('<MsgType V="XML" DN="XML-instans"/>', "<MsgType>XML</MsgType>"), None,
     "not-empty", "'MsgType' must be empty but has content", "«MsgType» skal være tomt, men har innhold"),
    ("elements where a value is asked for", ("<MIGversion>v1.2 2006-05-24</MIGversion>",
     "<MIGversion><V>1.2</V></MIGversion>"), None,
     "no-elements", "'MIGversion' holds elements but may only hold a value",
     "«MIGversion» inneholder elementer, men kan bare ha en verdi"),
    ("an element twice", ("<MIGversion>", "<MIGversion>v1.2 2006-05-24</MIGversion><MIGversion>"), None,
     "misplaced", "'MIGversion' does not belong here; 'GenDate' is expected",
     "«MIGversion» hører ikke hjemme her; «GenDate» ventes"),
    ("something after the end", ("</MsgHead>", "<Slutt/></MsgHead>"), None,
     "misplaced-one-of", "'Slutt' does not belong here; one of 'Document', 'Signature' is expected",
     "«Slutt» hører ikke hjemme her; ett av «Document», «Signature» ventes"),
    ("nothing more may follow", ("</Ident></Patient>", "</Ident><Annet/></Patient>"), None,
     "misplaced-one-of", "'Annet' does not belong here; one of 'Ident', 'Address', 'TeleCom' is expected",
     "«Annet» hører ikke hjemme her; ett av «Ident», «Address», «TeleCom» ventes"),
    ("an identifier without its type", ('<TypeId V="FNR" DN="Fødselsnummer" S="2.16.578.1.12.4.1.1.8116"/>', ""), None,
     "lacks", "'Ident' lacks 'TypeId'", "«Ident» mangler «TypeId»"),
    ("an attachment is no base64", ("JVBERi0xLjQK", "*** ikke base64 ***"), None,
     "not-a", "the value of 'Base64Container' is not base64", "verdien i «Base64Container» er ikke base64"),
    ("a date that does not exist", ("</Notat>", "<DatoNotat>32.13.2026</DatoNotat></Notat>"), None,
     "not-a", "the value of 'DatoNotat' is not a date", "verdien i «DatoNotat» er ikke en dato"),
    ("an enclosed element of nobody's", ("<Notat>", '<Ukjent/><Notat>'), None,
     "misplaced-one-of",
     "'Ukjent' does not belong here; one of 'SakstypeKodet', 'Sakstype', 'Foresporsel', 'Notat' is expected",
     "«Ukjent» hører ikke hjemme her; ett av «SakstypeKodet», «Sakstype», «Foresporsel», «Notat» ventes"),
    ("a time without its day", ('<IssueDate V="2026-03-02T13:00:00"/>', '<IssueDate V="kl. 13"/>'), None,
     "attribute-not-a", "the attribute 'V' of 'IssueDate' is not a moment",
     "attributtet «V» i «IssueDate» er ikke et tidspunkt"),
    ("the order is wrong", ("<FamilyName>", "<GivenName>Prøve</GivenName><FamilyName>"), None,
     "misplaced-one-of",
     "'FamilyName' does not belong here; one of 'DateOfBirth', 'Sex', 'Nationality', 'Ident', 'Address', 'TeleCom'"
     " is expected",
     "«FamilyName» hører ikke hjemme her; ett av «DateOfBirth», «Sex», «Nationality», «Ident», «Address», «TeleCom»"
     " ventes"),
    ("the whole patient twice", ("</Patient>", "</Patient><Patient/>"), None,
     "too-many", "'Patient' does not belong here; nothing more may follow",
     "«Patient» hører ikke hjemme her; ikke mer kan følge"),
]  # fmt: skip

EN, NB = (Validator(Catalogue.load(), language, schema_only=True) for language in ("en", "nb"))  # type: ignore[arg-type]


def _spoilt(first: tuple[str, str], second: tuple[str, str] | None) -> bytes:
    text = SAMPLE
    for old, new in filter(None, (first, second)):
        assert old in text
        text = text.replace(old, new, 1)
    return text.encode()


def test_the_sample_that_is_spoilt_is_right() -> None:
    assert EN.content(SAMPLE.encode(), "sample").errors == ()


def test_there_are_twenty_mistakes() -> None:
    assert len(MISTAKES) == 20


@pytest.mark.parametrize(
    ("what", "first", "second", "kind", "english", "norsk"), MISTAKES, ids=[m[0] for m in MISTAKES]
)
def test_a_mistake_is_said_in_plain_words(
    what: str, first: tuple[str, str], second: tuple[str, str] | None, kind: str, english: str, norsk: str
) -> None:
    report = EN.content(_spoilt(first, second), what)
    said = report.errors[0]
    assert (said.rule, said.message) == (f"schema:{kind}", english)
    assert said.line == 2 and said.column > 1 and said.hint
    assert not report.valid
    assert NB.content(_spoilt(first, second), what).errors[0].message == norsk


def test_the_column_is_that_of_the_element() -> None:
    document = _spoilt(("<MIGversion>", "<MIGversjon>"), ("</MIGversion>", "</MIGversjon>"))
    said = EN.content(document, "x").errors[0]
    line = document.decode().splitlines()[said.line - 1]
    assert line[said.column - 1 :].startswith("<MIGversjon>")


@pytest.mark.parametrize(
    ("broken", "english", "norsk"),
    [
        (
            "<a><b></a>",
            "a start tag and an end tag have different names",
            "en startkode og en sluttkode har ulike navn",
        ),
        ("<a>", "the document ends before all elements are closed", "dokumentet slutter før alle elementer er lukket"),
        ("<a b=c/>", "the value of an attribute is not in quotes", "verdien i et attributt står ikke i anførselstegn"),
        ("<p:a/>", "a prefix whose namespace is not declared", "et prefiks uten deklarert navnerom"),
    ],
)
def test_what_is_not_well_formed_is_said_in_plain_words(broken: str, english: str, norsk: str) -> None:
    report = EN.content(broken.encode(), "x")
    assert report.errors[0].message == f"not well-formed XML: {english}"
    assert report.errors[0].line == 1 and report.errors[0].column > 1
    assert NB.content(broken.encode(), "x").errors[0].message == f"ikke velformet XML: {norsk}"


def test_no_value_of_the_document_is_repeated() -> None:
    """Names, numbers and text of a patient never leave in a message of the validator."""
    for first, second in ((m[1], m[2]) for m in MISTAKES):
        report = EN.content(_spoilt(first, second), "x")
        words = " ".join(f"{r.message} {r.hint}" for r in report.errors)
        assert not [w for w in ("Testesen", "01815000036", "oppdiktet", "Hei!", "32.13") if w in words]


#: Facet, its base, what the schema says, a value that breaks it, the kind of mistake, and the hint in both languages.
FACETS = [
    ("length", "string", "3", "HEMMELIG", "wrong-length", "Exactly 3 letters.", "Nøyaktig 3 tegn."),
    ("minLength", "string", "99", "HEMMELIG", "too-short", "At least 99 letters.", "Minst 99 tegn."),
    ("maxLength", "string", "2", "HEMMELIG", "too-long", "At most 2 letters.", "Høyst 2 tegn."),
    ("pattern", "string", "[0-9]+", "HEMMELIG", "pattern", "The form is '[0-9]+'.", "Formen er «[0-9]+»."),
    ("enumeration", "string", "JA", "HEMMELIG", "not-listed", "Allowed: JA.", "Tillatt: JA."),
    ("minInclusive", "decimal", "5", "-815", "too-small", "At least 5.", "Minst 5."),
    ("maxInclusive", "decimal", "5", "815", "too-large", "At most 5.", "Høyst 5."),
    ("minExclusive", "decimal", "5", "-815", "not-above", "More than 5.", "Mer enn 5."),
    ("maxExclusive", "decimal", "5", "815", "not-below", "Less than 5.", "Mindre enn 5."),
    ("totalDigits", "decimal", "2", "815", "too-many-digits", "At most 2 digits in all.", "Høyst 2 siffer i alt."),
    ("fractionDigits", "decimal", "1", "0.815", "too-many-decimals", "At most 1 behind the point.",
     "Høyst 1 etter punktum."),
]  # fmt: skip
#: What stands in a value and looks like the validator's own words.
SLY = [
    "HEMMELIG",
    "x' is not accepted by the pattern 'HEMMELIG'.",
    "x' is not an element of the set {'HEMMELIG'}.",
    "x] must be less than 'HEMMELIG'.",
    "x. This element is not expected. Expected is ( HEMMELIG ).",
    "x. The attribute 'HEMMELIG' is required but missing",
    "x [facet 'length'] HEMMELIG allowed length of '3'.",
    "pattern '" * 8_000 + "HEMMELIG",
]


def _fault(facet: str, base: str, limit: str, value: str, *, raw_words: bool = False) -> SchemaFault:
    """What the validator says of a value that one facet forbids: in the catalogue's words, or in libxml2's own."""
    schema = (
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a"><xs:simpleType>'
        f'<xs:restriction base="xs:{base}"><xs:{facet} value="{limit}"/></xs:restriction>'
        "</xs:simpleType></xs:element></xs:schema>"
    )
    checker, document = etree.XMLSchema(etree.XML(schema)), etree.Element("a")
    document.text = value
    assert not checker.validate(document)
    entry = next(e for e in checker.error_log if "facet" in e.message or "fixed" in e.message)
    found = catalogue._fault(entry)
    raw = entry.message.partition(": ")[2]
    return found if not raw_words else SchemaFault(1, 0, "a", raw)


@pytest.mark.parametrize("raw_words", [False, True], ids=["as we keep it", "raw"])
@pytest.mark.parametrize(
    ("facet", "base", "limit", "value", "kind", "english", "norsk"), FACETS, ids=[f[0] for f in FACETS]
)
def test_each_facet_has_its_kind_and_tells_what_is_asked_for_but_not_what_was_written(
    facet: str, base: str, limit: str, value: str, kind: str, english: str, norsk: str, raw_words: bool
) -> None:
    fault = _fault(facet, base, limit, value, raw_words=raw_words)
    said = schema_words.said(fault)
    assert raw_words or value not in fault.message
    assert (said.kind, said.hint, norwegian.mistake(said.kind, said.names)[1]) == (kind, english, norsk)
    assert value.strip("-") not in said.text + said.hint


def test_every_facet_that_the_validator_knows_has_a_kind_and_a_row() -> None:
    assert set(schema_words.FACETS) == {row[0] for row in FACETS}


@pytest.mark.parametrize("value", SLY, ids=range(len(SLY)))
@pytest.mark.parametrize("row", [row for row in FACETS if row[1] == "string"], ids=lambda row: row[0])
@pytest.mark.parametrize("raw_words", [False, True], ids=["as we keep it", "raw"])
def test_a_value_that_speaks_like_the_validator_is_not_repeated(
    row: tuple[str, ...], value: str, raw_words: bool
) -> None:
    facet, base, limit = row[:3]
    if facet == "minLength":
        limit = "99999"
    fault = _fault(facet, base, limit, value, raw_words=raw_words)
    said = schema_words.said(fault)
    assert raw_words or "HEMMELIG" not in fault.message
    assert "HEMMELIG" not in f"{said.text} {said.hint} {norwegian.mistake(said.kind, said.names)}"
    assert said.kind in (row[4], "other")


def test_a_fixed_value_is_told_and_the_written_one_is_not() -> None:
    message = "The actual value 'HEMMELIG' does not match the fixed value constraint '1.0'."
    said = schema_words.said(SchemaFault(1, 0, "a", message))
    assert (said.kind, said.hint) == ("fixed", "It must be '1.0'.")
