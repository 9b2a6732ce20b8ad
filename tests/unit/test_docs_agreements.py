"""The page on agreements is whole: every name of the official schema, every element that is judged, and tests that are there."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from lxml import etree

from hub import agreements
from hub.formats import cpa
from tests.support.standards import REPO
from tests.unit.tables import is_test, places, shown_by, there

PAGE = (REPO / "docs" / "agreements.md").read_text("utf-8")
WIRE = PAGE.split("## On the wire")[1].split("\n## ")[0]
ROWS = [[c.strip() for c in line[1:-1].split("|")] for line in WIRE.splitlines() if line.startswith("| `")]
NAMED = set(re.findall(r"`([\w:]+)`", PAGE))
ON_THE_WIRE = {name for row in ROWS for name in re.findall(r"`(\w+)`", row[0])}
XS = "{http://www.w3.org/2001/XMLSchema}"


def test_every_element_and_attribute_of_the_official_schema_is_on_the_page(standards: Path) -> None:
    root = etree.parse(standards / "xsd" / "oasis" / "cpp-cpa-2_0.xsd").getroot()
    declared = {str(e.get("name")) for kind in ("element", "attribute") for e in root.iter(XS + kind) if e.get("name")}
    assert len(declared) > 120
    assert declared - NAMED == set()


def test_every_element_that_is_judged_has_its_row() -> None:
    source = inspect.getsource(agreements)
    judged = set(re.findall(r'yield "(\w+)", "(?:refused|unused|otherwise)"', source))
    judged |= {element for element, _, _ in agreements._WORDS}
    assert len(judged) > 8 and judged <= ON_THE_WIRE


def test_what_is_read_is_on_the_page() -> None:
    """Whatever the reader of agreements asks for by name."""
    source = inspect.getsource(cpa)
    asked = set(re.findall(r'_(?:attribute|text|child|all|certificate)\([^"()]*(?:\([^()]*\))?[^"()]*"(\w+)"', source))
    assert len(asked) > 30 and asked <= NAMED


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_a_row_says_what_is_done_and_names_tests_that_are_there(row: list[str]) -> None:
    assert len(row) == 5 and row[1]
    tests = list(shown_by(row))
    assert tests and all(is_test(*one) for one in tests), [one for one in tests if not is_test(*one)]


def test_the_places_on_the_page_exist() -> None:
    found = list(places([PAGE]))
    assert found and all(there(place) for place in found)
