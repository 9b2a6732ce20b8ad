"""The count can fail: whatever goes wrong outside, it says so, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.site.tally import Answered, Came, Ledger, Promised, count, joined

DOCUMENT = Promised("doc", "8000202", ("8009000",), "digest")
CAME = Came("doc", "8009000", "message-1", "digest", "wire")
GIVEN = Answered("doc", "8009000", "apprec", "")
HOME = replace(GIVEN, identity="note 7")


def well() -> Ledger:
    """One document to a partner that has answered, and one from it to a record system for which the hub answers."""
    return Ledger(
        promised=[DOCUMENT, Promised("letter", "8009000", ("8000202",), "its digest")],
        came=[CAME, Came("letter", "8000202", "note 3", "its digest")],
        given=[GIVEN],
        home=[HOME, Answered("letter", "8000202", "the hub's", "message-9")],
        answered_for={"8000202"},
    )


def without(name: str, *gone: object) -> Ledger:
    """The same, where somebody has not got something."""
    found = well()
    setattr(found, name, [one for one in getattr(found, name) if one not in gone])
    return found


def with_more(**more: object) -> Ledger:
    """The same, and something more."""
    return joined([well(), Ledger(**{name: [value] for name, value in more.items()})])


def test_where_all_is_well_nothing_is_wrong() -> None:
    """Two promised, two came, both AppRecs are home."""
    found = count(well())

    assert (found.promised, found.came, found.apprecs, found.again) == (2, 2, 2, 0)
    assert found.wrong == []


WRONG = {
    "a document that did not come": (without("came", CAME), "lost", "doc to 8009000"),
    "a document that did not come to one of two": (
        with_more(promised=replace(DOCUMENT, receivers=("8009000", "8009010"))),
        "lost",
        "doc to 8009010",
    ),
    "an AppRec of a partner that is not home": (without("home", HOME), "lost", "doc to 8009000"),
    "an AppRec of the hub's that nobody got": (without("home", well().home[1]), "lost", "letter to 8000202"),
    "a document under two identities": (with_more(came=replace(CAME, identity="message-2")), "doubled", "message-2"),
    "an AppRec that came home twice": (with_more(home=replace(HOME, identity="note 8")), "doubled", "note 8"),
    "two AppRecs of the hub's own": (
        with_more(home=replace(well().home[1], apprec_id="another", identity="message-10")),
        "doubled",
        "letter to 8000202",
    ),
    "another content than was handed over": (with_more(came=replace(CAME, digest="other")), "changed", "doc"),
    "other bytes under the same MessageId": (with_more(came=replace(CAME, wire="other")), "changed", "doc"),
    "a document that nobody handed over": (with_more(came=replace(CAME, msg_id="ghost")), "strange", "ghost"),
    "an AppRec that nobody gave": (with_more(home=replace(HOME, about="ghost", apprec_id="b")), "strange", "ghost"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_found_and_named(case: str) -> None:
    """Under its own name only."""
    ledger, kind, words = WRONG[case]
    found = count(ledger)

    assert words in " ".join(getattr(found, kind)), str(found)
    assert len(found.wrong) == 1, str(found)


def test_what_comes_again_under_its_identity_is_not_doubled() -> None:
    """An answer was lost: the same bytes under the same MessageId."""
    found = count(with_more(came=CAME))

    assert (found.again, found.wrong) == (1, [])


def test_what_stands_on_a_persons_list_is_not_lost() -> None:
    """It is told where it stands."""
    found = count(joined([without("came", CAME), Ledger(listed={("doc", "8009000"): "dead"})]))

    assert (found.listed, found.lost) == (1, ())


def test_what_was_offered_without_an_answer_may_come_and_may_not() -> None:
    """The answer was lost; it was no promise, and it is from somewhere."""
    offered = replace(DOCUMENT, msg_id="half")

    assert count(with_more(offered=offered)).wrong == []
    assert count(with_more(offered=offered, came=replace(CAME, msg_id="half", identity="m"))).wrong == []
