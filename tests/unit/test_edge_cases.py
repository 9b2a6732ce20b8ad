"""The pages on edge cases and rules are whole, and what they name exists."""

from __future__ import annotations

import inspect
import re

import pytest

from hub.formats import envelope
from tests.unit.tables import is_test, places, rows, shown_by, there

PAGES = ("EDGE-CASES.md", "RULES-HITS1172.md")
EVERY = [(page, row) for page in PAGES for row in rows(page)]
#: The numbered rules of HITS 1172 that concern a message, and those that have a paragraph instead.
HITS_1172 = {
    *(2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21, 22, 23, 25, 27, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38),
    *(39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 50, 51, 52, 54, 55, 56, 58, 59, 60, 61, 64, 65, 66, 67, 68, 69, 70, 71, 72, 74, 75),
    *(76, 77, 78, 79, 80, 81, 82, 83, 84, 85, 86, 94, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114),
    *(115, 116, 117, 120, 121, 122, 123, *range(250, 275), 279, 363),
} - {254}  # fmt: skip
HIS_1037 = {
    *range(1, 10), *range(20, 35), *range(40, 53), *range(60, 69), *range(70, 74), *range(80, 87), *range(90, 94)
}  # fmt: skip


def _ids(page: str) -> list[str]:
    return [one.strip() for row in rows(page) for one in row[0].split(",")]


def test_every_edge_case_has_its_row_in_order() -> None:
    assert _ids("EDGE-CASES.md") == [str(n) for n in range(1, 71)]


def test_every_rule_of_hits_1172_has_one_row() -> None:
    numbers = [int(one) for one in _ids("RULES-HITS1172.md") if one.isdigit()]
    assert sorted(numbers) == sorted(HITS_1172)


def test_every_rule_of_his_1037_has_one_row() -> None:
    numbers = [int(one[2:]) for one in _ids("RULES-HITS1172.md") if one.startswith("H-")]
    assert numbers == sorted(HIS_1037)


@pytest.mark.parametrize(("page", "row"), EVERY, ids=[f"{page}-{row[0]}" for page, row in EVERY])
def test_a_row_is_whole_and_names_what_exists(page: str, row: list[str]) -> None:
    """Six cells; places that can be imported; tests that are there. Only what is declined or elsewhere may name none."""
    assert len(row) == 6, row
    assert all(there(place) for place in places(row)), [p for p in places(row) if not there(p)]
    assert all(is_test(*one) for one in shown_by(row)), [one for one in shown_by(row) if not is_test(*one)]
    if row[2] not in ("declined", "elsewhere"):
        assert list(places(row)) and list(shown_by(row))
    else:
        assert row[3], "why?"


WORDS = ({"handled", "declined"}, {"kept", "warning", "noted", "lenient", "elsewhere"})


@pytest.mark.parametrize(("page", "words"), list(zip(PAGES, WORDS, strict=True)))
def test_a_row_says_what_was_decided_in_one_word(page: str, words: set[str]) -> None:
    assert {row[2] for row in rows(page)} == words


def test_every_rule_that_the_code_cites_stands_on_the_page() -> None:
    """The reader of envelopes names a rule with each finding; none of them is unknown here."""
    source = inspect.getsource(envelope)
    cited = set(re.findall(r'_say\(\s*"(\d+(?:, \d+)*)"', source)) | set(
        re.findall(r'EnvelopeFault\("(\d[\d, ]*)"', source)
    )
    numbers = {one.strip() for group in cited for one in group.split(",")}
    assert numbers and numbers <= set(_ids("RULES-HITS1172.md"))
