"""What the demo says at its end: no more than it can know, and a failure where something is lost, overdue or dead."""

from __future__ import annotations

import json
from itertools import combinations_with_replacement

import pytest

from hub.codes import REASONS
from ops.demo import judge
from ops.demo.told import LOST, Teller, Told

REFUSED = ("rejected", "unreadable")
OUTCOMES = ("delivered", *REFUSED, "discarded", *sorted(LOST))


def told(outcome: str, expected: str = "") -> Told:
    return Told(f"{outcome}.xml", "T", "1", "m", "1", "2", outcome, "", "done", "why", ("way",), expected)


def said(capsys: pytest.CaptureFixture[str], *all_of_it: Told, **more: object) -> tuple[bool, str]:
    teller = Teller(json=False)
    for one in all_of_it:
        teller.tell(one)
    good = teller.summary(1.0, dict(more))
    return good, capsys.readouterr().out.strip().splitlines()[-1]


def test_of_somebodys_own_messages_none_may_be_lost(capsys: pytest.CaptureFixture[str]) -> None:
    """Every mixture of outcomes: good only where each came to an end that was told."""
    for some in combinations_with_replacement(OUTCOMES, 3):
        good, verdict = said(capsys, *map(told, some))
        assert good == (not LOST & set(some)), some
        assert "expected one" not in verdict
        if good and set(some) & set(REFUSED):
            assert f"{sum(o in REFUSED for o in some)} refused" in verdict
        if not good:
            assert all(f"{outcome}.xml" in verdict for outcome in LOST & set(some))


def test_of_our_own_scenes_each_has_the_outcome_that_it_shows(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, told("overdue", "overdue"), told("rejected", "rejected")) == (
        True,
        "every outcome is the expected one",
    )
    assert not said(capsys, told("delivered", "rejected"))[0]


def test_nothing_to_play_and_a_broken_store_are_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys) == (False, "NO MESSAGES: there was no *.xml to be read")
    assert said(capsys, told("delivered"), broken="a row too many") == (False, "UNEXPECTED: a row too many")


def test_programs_read_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    teller = Teller(json=True)
    teller.tell(told("overdue"))
    assert not teller.summary(1.0, {})
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])["summary"]
    assert (summary["good"], summary["unexpected"], summary["outcomes"]) == (False, ["overdue.xml"], {"overdue": 1})


@pytest.mark.parametrize("code", [*REASONS, "a code of nobody's"])
def test_a_refusal_that_is_our_fault_is_a_loss(code: str) -> None:
    outcome = judge.refused("f.xml", ("", "", "", "", ""), code, "why").outcome
    ours = code not in REASONS or REASONS[code].http >= 500
    assert (outcome == "lost") == ours
