"""Where the index says that both schemas were walked, they are: what no sample exercises is compared as well."""

from __future__ import annotations

import copy
import csv
import tomllib
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest
from lxml import etree

from tests.agreement.invented import invented
from tests.official import Official
from tests.structure.schemas import Schemas, first_difference, without_itself
from xsd.catalogue import Catalogue

OURS = Path(str(files("xsd")))
INDEX = tomllib.loads((OURS / "index.toml").read_text("utf-8"))["standard"]
WALKED = [row["namespace"] for row in INDEX if "element by element" in row["agreement"]]
FROM_THE_ROOT = [(row["namespace"], row["root"]) for row in INDEX if "from the root down" in row["agreement"]]
#: The official key for events asks of an inner event what it cannot have: there is none in valid discharge letters.
NO_INNER = {
    "http://www.kith.no/xmlstds/epikrise": "Event",
    "http://www.kith.no/xmlstds/epikrise/2006-09-23": "Event",
}


@pytest.fixture(scope="module")
def ours() -> Schemas:
    """Those of the catalogue."""
    known = {row["namespace"]: OURS / row["file"] for row in INDEX if row["file"]}
    return Schemas(known.__getitem__)


@pytest.fixture(scope="module")
def official(standards: Path) -> Schemas:
    """Those of the shared collection."""
    lines = (standards / "xsd" / "catalog.tsv").read_text("utf-8").splitlines()
    rows = csv.reader((line for line in lines if not line.startswith("#")), delimiter="\t")
    known = {row[0]: standards / "xsd" / row[1] for row in rows if len(row) > 1}
    return Schemas(known.__getitem__)


@pytest.mark.parametrize("namespace", WALKED)
def test_our_schema_asks_the_same_as_the_official_one(ours: Schemas, official: Schemas, namespace: str) -> None:
    """Names, order, how often, types, facets and attributes, from every element down to its leaves."""
    mine, theirs = ours.components(namespace), official.components(namespace)
    assert mine.keys() == theirs.keys()
    assert [found for name in mine if (found := first_difference(mine[name], theirs[name], f"<{name}>"))] == []


@pytest.mark.parametrize(("namespace", "root"), FROM_THE_ROOT)
def test_our_root_asks_the_same_as_the_official_one(
    ours: Schemas, official: Schemas, namespace: str, root: str
) -> None:
    """The official files let each element be a document's root; ours have the one that the standard means."""
    mine, theirs = ours.components(namespace), official.components(namespace)
    assert [*mine] == [root]
    assert first_difference(mine[root], without_itself(theirs[root], NO_INNER.get(namespace, ""))) == ""


@pytest.mark.parametrize("namespace", NO_INNER)
def test_an_event_within_an_event_is_refused_by_both(standards: Path, namespace: str) -> None:
    """The official schema offers it and then misses its key; ours does not offer it."""
    catalogue, judge = Catalogue.load(), Official(standards)
    standard = catalogue.find(namespace)
    assert standard is not None
    letter = etree.fromstring([*invented(standard, 2)][1])
    assert (catalogue.validate(letter), judge.faults(letter)) == ((), [])
    event = next(event for event in letter.iter("{*}Event") if len(event))
    (service,) = event.iterchildren("{*}Service")
    service.addprevious(copy.deepcopy(event))
    assert catalogue.validate(letter)
    assert "EventP_ID" in "".join(judge.faults(letter))


ORIGINAL = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t"
 elementFormDefault="qualified">
  <xs:element name="Note" type="t:Note"/>
  <xs:complexType name="Note">
    <xs:sequence>
      <xs:element name="Date" type="xs:date"/>
      <xs:element name="Text" type="t:Text" minOccurs="0"/>
      <xs:choice><xs:element name="Nurse" type="xs:string"/><xs:element name="Doctor" type="xs:string"/></xs:choice>
      <xs:element name="Answer" type="t:Note" minOccurs="0"/>
    </xs:sequence>
    <xs:attribute name="id" type="xs:string" use="required" fixed="1"/>
  </xs:complexType>
  <xs:simpleType name="Text"><xs:restriction base="xs:string"><xs:maxLength value="9"/></xs:restriction></xs:simpleType>
</xs:schema>"""
SAME = [
    ('<xs:element name="Date" type="xs:date"/>', '<xs:sequence><xs:element name="Date" type="xs:date"/></xs:sequence>'),
    ('type="xs:date"/>', '><xs:simpleType><xs:restriction base="xs:date"/></xs:simpleType></xs:element>'),
    ('<xs:element name="Nurse" type="xs:string"/>', '<xs:element ref="t:Nurse"/>'),
]
OTHER = [
    ('name="Date"', 'name="Dato"'),
    ('type="xs:date"', 'type="xs:dateTime"'),
    ('type="t:Text" minOccurs="0"', 'type="t:Text"'),
    ('type="t:Note" minOccurs="0"', 'type="t:Note" minOccurs="0" maxOccurs="2"'),
    ('maxLength value="9"', 'maxLength value="8"'),
    ("xs:choice", "xs:sequence"),
    (' use="required"', ""),
    (' fixed="1"', ""),
    ('elementFormDefault="qualified"', ""),
    ('name="Answer" type="t:Note"', 'name="Answer" type="xs:anyType"'),
]


@pytest.fixture
def note(tmp_path: Path) -> Callable[[str], object]:
    """What a schema asks of the element Note."""

    def read(text: str) -> object:
        (tmp_path / "note.xsd").write_text(text, "utf-8")
        return Schemas(lambda _: tmp_path / "note.xsd").components("urn:t")["Note"]

    return read


@pytest.mark.parametrize(("written", "instead"), OTHER)
def test_a_schema_that_asks_something_else_is_found(note: Callable[[str], object], written: str, instead: str) -> None:
    """The comparison itself is not blind."""
    changed = ORIGINAL.replace(written, instead)
    assert first_difference(note(ORIGINAL), note(changed)).startswith("/Note")


@pytest.mark.parametrize(("written", "instead"), SAME)
def test_how_a_schema_is_written_makes_no_difference(note: Callable[[str], object], written: str, instead: str) -> None:
    """References, inner sequences and types without a name ask nothing of a document."""
    changed = ORIGINAL.replace(written, instead).replace(
        "</xs:schema>", '<xs:element name="Nurse" type="xs:string"/></xs:schema>'
    )
    assert first_difference(note(ORIGINAL), note(changed)) == ""
