"""Reads the tables of hub/*.md, and asks whether the places and tests that they name exist."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from functools import lru_cache

from tests.support.standards import REPO

_CODE = re.compile(r"`((?:hub|adapters|ops|routing|xsd)\.[\w.]+)`")
_TEST = re.compile(r"([\w/]+\.py)::(\w+)")


def rows(page: str) -> list[list[str]]:
    """The cells of every row of every table of a page below hub/, headings left out."""
    lines = (REPO / "hub" / page).read_text("utf-8").splitlines()
    table = [line for line in lines if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in table if not set(line) <= set("|- ")]
    return [row for row in cells if not row[0].startswith(("#", "ids", "rule"))]


def places(row: list[str]) -> Iterator[str]:
    """Modules, functions and values that a row names."""
    for cell in row:
        yield from _CODE.findall(cell)


def shown_by(row: list[str]) -> Iterator[tuple[str, str]]:
    """File below tests/, and function."""
    for cell in row:
        yield from _TEST.findall(cell)


def there(place: str) -> bool:
    """Whether a dotted name leads to something."""
    parts = place.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for name in parts[cut:]:
            if not hasattr(found, name):
                return False
            found = getattr(found, name)
        return True
    return False


def is_test(file: str, name: str) -> bool:
    """Whether the file has that test."""
    return re.search(rf"^(?:async )?def {name}\(", _text(file), re.MULTILINE) is not None


@lru_cache(maxsize=256)
def _text(file: str) -> str:
    path = REPO / "tests" / file
    return path.read_text("utf-8") if path.is_file() else ""
