"""The mutants themselves: the same every time, of every kind, and sharp enough to find a schema that is a little wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from tests.agreement.bench import Bench
from tests.agreement.mutants import KINDS, SETTING, VALUES_EACH, more, mutant, mutations, thorough
from xsd import site
from xsd.archive import chosen
from xsd.catalogue import Catalogue

GROUND = Path(__file__).parents[2] / "xsd"
DOCUMENT = etree.fromstring('<a x="1"><b>text</b><c y="2"><d/></c></a>')
POOL = [(0, one) for one in mutations(DOCUMENT, lambda *_: True)]


def test_the_same_seed_spoils_the_same_way() -> None:
    """And another seed another way."""
    assert thorough(POOL, "seed") == thorough(POOL, "seed")
    assert thorough(POOL, "seed") != thorough(POOL, "another")


def test_every_kind_is_tried_at_every_place() -> None:
    """And wrong values more than once."""
    drawn = [one for _, one in thorough(POOL, "seed")]
    assert {one.kind for one in drawn} == set(KINDS)
    assert {(o.kind, o.where, o.attribute) for o in drawn} == {(o.kind, o.where, o.attribute) for _, o in POOL}
    assert sum(one.kind == "attribute-value" for one in drawn) == 2 * VALUES_EACH


def test_more_are_different_ones_as_long_as_there_are_any() -> None:
    """Up to the number asked for."""
    drawn = more(POOL, 100, "seed")
    assert len(drawn) == len(set(drawn)) == 100


def test_a_mutant_differs_and_its_document_stays_whole() -> None:
    """Except where the value chosen is the one that stands there, or an only child is moved."""
    before = etree.tostring(DOCUMENT)
    for _, one in more(POOL, 100, "seed"):
        same = (one.value in ("", "1") and one.kind in SETTING) or (one.kind == "move" and one.where == "c/d")
        assert same or etree.tostring(mutant(DOCUMENT, one)) != before
    assert etree.tostring(DOCUMENT) == before


@pytest.mark.parametrize(
    ("key", "file", "right", "wrong"),
    [
        ("apprec-1.1", "apprec/1.1/apprec.xsd", 'name="Id"', 'name="Id" minOccurs="0"'),
        ("apprec-1.1", "apprec/1.1/apprec.xsd", 'name="GenDate" type="xs:dateTime"', 'name="GenDate" type="xs:string"'),
        ("apprec-1.1", "apprec/1.1/apprec.xsd", 'minOccurs="0" maxOccurs="unbounded"', 'minOccurs="0"'),
        ("apprec-1.1", "common/receipt.xsd", 'element name="HCPerson"', 'element name="HcPerson"'),
        ("kith-1.0", "kith/1.0/kith.xsd", 'name="S" type="kith:oid"', 'name="S" type="xs:token"'),
    ],
)
def test_a_schema_that_is_a_little_wrong_is_found_out(
    standards: Path, tmp_path: Path, key: str, file: str, right: str, wrong: str
) -> None:
    """An element that may be absent, of a wider type, only once, of another name, or an attribute that takes more."""
    texts = {path.relative_to(GROUND).as_posix(): path.read_bytes() for path in GROUND.rglob("*.xsd")}
    assert right.encode() in texts[file]
    texts[file] = texts[file].replace(right.encode(), wrong.encode())
    site.put(tmp_path, texts, chosen(texts, Catalogue.load().places))
    bench = Bench(standards, Catalogue.load(tmp_path), only="apprec-1.1")
    concerned = next(s for s in bench.judges.ours.standards() if s.key == key)
    whole = [verdicts for document in bench.of(concerned) for verdicts in bench.verdicts(document)]
    assert any(not verdicts.equal for verdicts in (*whole, *(one[2] for one in bench.mutants(concerned))))
