"""The index is honest: every row is whole, every file compiles, explains itself, and is written by us."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from xsd.catalogue import Catalogue

XS = "{http://www.w3.org/2001/XMLSchema}"
GROUND = Path(__file__).parents[2] / "xsd"
ROWS = tomllib.loads((GROUND / "index.toml").read_text("utf-8"))["standard"]
SCHEMAS = sorted(GROUND.rglob("*.xsd"))
FILES = [row for row in ROWS if row["file"]]
TEXTS = ("key", "name", "version", "namespace", "source", "agreement", "apprec", "kind")
SAID = re.compile(r"\b(?:name|ref|type|base|value)=")

each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row["key"])
each_schema = pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: str(path.relative_to(GROUND)))


@each_row
def test_a_row_says_what_it_must(row: dict[str, object]) -> None:
    """Name, version, namespace, source and how near it is to the official schema; his, root and file may be empty."""
    assert [field for field in TEXTS if not row.get(field)] == []
    assert {"his", "root", "file"} <= row.keys()
    assert row["apprec"] in ("1.0", "1.1", "none")
    assert row["kind"] in ("document", "receipt", "head", "common", "transport")


def test_keys_and_files_are_each_named_once() -> None:
    """Two rows never share a key or a schema file."""
    for values in ([row["key"] for row in ROWS], [row["file"] for row in FILES]):
        assert sorted(set(values)) == sorted(values)


@pytest.mark.parametrize("row", FILES, ids=lambda row: row["key"])
def test_the_file_of_a_row_is_the_schema_of_its_namespace(row: dict[str, str]) -> None:
    """It exists, has the row's target namespace, declares the row's root element, and compiles by itself."""
    schema = etree.parse(GROUND / row["file"]).getroot()
    assert schema.get("targetNamespace") == row["namespace"]
    declared = {element.get("name") for element in schema.iterchildren(f"{XS}element")}
    assert not row["root"] or row["root"] in declared
    assert etree.XMLSchema(etree.parse(GROUND / row["file"])) is not None


def test_no_agreement_is_claimed_without_a_schema() -> None:
    """A row without a file says that its documents pass unchecked."""
    assert [row["key"] for row in ROWS if not row["file"] and "unchecked" not in row["agreement"]] == []
    assert [row["key"] for row in FILES if "unchecked" in row["agreement"]] == []


@each_schema
def test_a_schema_explains_itself(path: Path) -> None:
    """The first thing in it is a sentence in English about what it is for."""
    first = next(etree.parse(path).getroot().iterchildren(etree.Element))
    assert first.tag == f"{XS}annotation"
    assert len("".join(first.itertext()).split()) >= 4


@each_schema
def test_a_schema_is_used(path: Path) -> None:
    """It is a row's own file or reached from one: nothing lies about."""
    assert path in set(_reached())


@each_schema
def test_a_schema_is_our_own_work(path: Path, standards: Path) -> None:
    """No more than 60 % of the lines that say something are lines of one official file."""
    ours = _lines(path)
    for official in _official(standards):
        assert len(ours & official) <= 0.6 * len(ours)


def test_a_namespace_that_is_named_twice_is_refused() -> None:
    """The catalogue would not know which schema to take."""
    rows = Catalogue.load().standards()
    with pytest.raises(ValueError, match="twice"):
        Catalogue((*rows, rows[0]))


def _reached() -> Iterator[Path]:
    waiting, seen = [GROUND / row["file"] for row in FILES], set()
    while waiting:
        path = waiting.pop().resolve()
        if path not in seen:
            seen.add(path)
            links = etree.parse(path).getroot().iterchildren(f"{XS}include", f"{XS}import")
            waiting += [path.parent / str(link.get("schemaLocation")) for link in links]
    yield from seen


_KNOWN: dict[Path, list[frozenset[str]]] = {}


def _official(standards: Path) -> list[frozenset[str]]:
    if standards not in _KNOWN:
        _KNOWN[standards] = [_lines(path) for path in sorted((standards / "xsd").rglob("*.xsd"))]
    return _KNOWN[standards]


def _lines(path: Path) -> frozenset[str]:
    text = path.read_text("utf-8", errors="replace")
    return frozenset(" ".join(line.split()) for line in text.splitlines() if SAID.search(line))
