"""The page on handlers that were met is whole: each kind of fault has tests that are there, each peer and setting exists."""

from __future__ import annotations

import re

import pytest

from adapters.register.file import PartyRow
from ops.partner.peers import PEERS
from tests.support.standards import REPO
from tests.unit.tables import is_test, shown_by

PAGE = (REPO / "docs" / "interop.md").read_text("utf-8")


def table(title: str) -> list[list[str]]:
    """The cells of the rows of the table under a title that begins so, its head left out."""
    part = next(p for p in PAGE.split("\n## ") if p.startswith(title))
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines]


KINDS = table("The kinds of fault")


def test_every_kind_of_fault_has_its_row() -> None:
    """Seventeen were found."""
    assert [row[0] for row in KINDS] == [str(number) for number in range(1, 18)]


@pytest.mark.parametrize("row", KINDS, ids=lambda row: row[0])
def test_a_kind_of_fault_names_tests_that_are_there(row: list[str]) -> None:
    tests = list(shown_by(row))
    assert tests and row[1]
    assert all(is_test(*one) for one in tests), [one for one in tests if not is_test(*one)]


def test_every_peer_that_is_played_is_told_of() -> None:
    """By the name that `samhub simulate --peer` takes."""
    assert {name for row in table("Who was met") for name in re.findall(r"`([\w-]+)`", row[-1])} == set(PEERS)


def test_the_settings_that_they_need_are_settings_of_a_party() -> None:
    named = {name for row in table("What they need") for name in re.findall(r"`(\w+) = ", row[1])}
    assert named and named <= set(PartyRow.model_fields)


def test_the_pages_that_are_named_are_there() -> None:
    for place in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (REPO / "docs" / place).is_file(), place
    for place in re.findall(r"`(tests/[\w/.]+)`", PAGE):
        assert (REPO / place).exists(), place
