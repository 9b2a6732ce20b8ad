"""The page of promises has the shape that the harness writes: each promise, what was thrown at it, numbers, and nothing lost."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest

from tests.soak import page
from tests.soak.hour import Found
from tests.soak.throws import THROWN
from tests.support.site import Count

TEXT = page.PAGE.read_text("utf-8")


def rows(text: str, title: str) -> list[list[str]]:
    """The cells of the table under a title; its head first."""
    part = text.split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines if not line.startswith("|---")]


RUN = dict(rows(TEXT, "The run")[1:])
NONE = ("lost", "doubled", "changed", "from nowhere", "in limbo")


def test_the_run_is_told_with_version_date_seed_and_length() -> None:
    """By whom it can be thrown again."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", RUN["version"]) and RUN["seed"]
    assert date.fromisoformat(RUN["date"]) > date(2026, 1, 1)
    assert int(RUN["minutes"]) >= 10


def test_what_was_counted_is_numbers_and_nothing_is_lost() -> None:
    """Of documents, receipts and room; much was thrown and much came."""
    counts = {what: int(value) for what, value in RUN.items() if what not in ("version", "date", "seed")}
    assert {what: counts[what] for what in NONE} == dict.fromkeys(NONE, 0)
    promised = counts["documents acknowledged, once for each receiver"]
    came, listed = (counts[f"of those, {what}"] for what in ("with their receiver", "on a person's list with a code"))
    assert promised == came + listed and came > 0
    assert counts["AppRecs home"] > 0 and counts["times the hub was killed"] > 0


def test_every_promise_is_there_with_what_was_thrown_at_it() -> None:
    """Each fault that the harness knows, at least once; what did not hold is told in words, each thing by itself."""
    head, *body = rows(TEXT, "The promises")
    assert tuple(head) == page.HEAD
    assert list(dict.fromkeys(row[0] for row in body)) == list(page.PROMISES.values())
    assert [row[1] for row in body if row[1] != page.WHOLE] == [t.name for t in sorted(THROWN, key=lambda t: t.promise)]
    assert [row[0] for row in body if row[1] == page.WHOLE] == list(page.PROMISES.values())
    for row in body:
        assert int(row[2]) > 0 and row[3] and int(row[4]) >= 0 and int(row[5]) >= 0, row
    told = TEXT.partition("\n## What did not hold\n")[2].count("\n- ")
    assert sum(int(row[5]) for row in body) == told


@pytest.mark.parametrize("promise", page.PROMISES)
def test_what_did_not_hold_stands_at_its_promise(promise: int) -> None:
    """The page can tell of a bad day."""
    counted = Count(promised=4, came=3, listed=0, again=0, apprecs=3)
    found = Found("seed", timedelta(minutes=11).total_seconds(), {"kill -9": 2}, {"kill -9": 5}, counted=counted)
    found.memory, found.disk = [1], [1]
    found.broken[promise].append("something")

    body = rows(page.written(found, "0.1.0", date(2026, 12, 1)), "The promises")[1:]

    assert {row[0]: int(row[5]) for row in body if row[1] == page.WHOLE} == {
        words: int(number == promise) for number, words in page.PROMISES.items()
    }
    assert body[0][:3] == ["Stored before anything is promised", "kill -9", "2"]
