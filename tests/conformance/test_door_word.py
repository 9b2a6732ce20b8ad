"""A door's word is the kernel's: yes when it is kept, no with the reason, later while nothing can be kept."""

from __future__ import annotations

import time

import pytest

from ops.partner.aside import eventually
from tests.conformance.doors import LIMIT, Hall, Said
from tests.conformance.letters import CONTENT

#: A hub on a busy machine has an answer by then.
SECONDS = 15
#: And says nothing for so long when it has none.
SILENCE = 0.3


def heard(hall: Hall) -> Said:
    """What the door says in the end; never content, nor how the hub is made."""
    said = eventually(hall.door.heard, SECONDS, "a word")
    assert said is not None
    for secret in (CONTENT, "ZeroDivision", "Traceback", "StoreUnavailable"):
        assert secret not in said.words
    return said


def usable(hall: Hall) -> None:
    """The next message is taken as if nothing had been."""
    before = len(hall.arrivals("accepted"))
    hall.door.hand_over("good")
    assert heard(hall).word == "yes"
    assert len(hall.arrivals("accepted")) == before + 1


def test_yes_is_said_when_it_is_kept_and_not_before(hall: Hall) -> None:
    """While the store writes, nothing is said, and whoever handed over keeps it."""
    hall.store.mood = "slow"
    hall.door.hand_over("good")
    eventually(lambda: hall.store.waiting, SECONDS, "the store to be asked")
    time.sleep(SILENCE)
    assert hall.door.heard() is None and hall.door.kept() and hall.arrivals("accepted") == []
    hall.store.mood = "well"
    assert heard(hall).word == "yes"
    assert len(hall.arrivals("accepted")) == 1 and not hall.door.kept()


def test_a_refusal_is_said_with_its_reason_and_the_bytes_are_kept(hall: Hall) -> None:
    """At the door, or as a message of its own; it does not come again."""
    hall.door.hand_over("bad")
    said = heard(hall)
    (refused,) = hall.arrivals("refused")
    assert said.word == ("no" if hall.door.refuses else "yes") and not hall.door.kept()
    assert refused.code in said.words or refused.because.partition(";")[0] in said.words or not hall.door.refuses
    usable(hall)


@pytest.mark.parametrize("mood", ["full", "away"])
def test_while_nothing_can_be_kept_it_is_told_to_come_again(hall: Hall, mood: str) -> None:
    """The disk is full, or the store does not answer: nobody lets go of it, and it is taken once when there is room."""
    hall.store.mood = mood
    hall.door.hand_over("good")
    if hall.door.says_later:
        assert heard(hall).word == "later"
    else:
        time.sleep(SILENCE)
        assert hall.door.heard() is None
    assert hall.door.kept() and hall.arrivals() == []
    hall.store.mood = "well"
    hall.door.again()
    eventually(lambda: hall.arrivals("accepted"), SECONDS, "it to be taken")
    eventually(lambda: heard(hall).word == "yes", SECONDS, "yes")
    assert len(hall.arrivals()) == 1 and not hall.door.kept()


def test_what_nobody_foresaw_loses_nothing(hall: Hall) -> None:
    """An error of ours while it is kept: said to be ours, without a trace; the bytes are in quarantine, once, or not let go."""
    hall.store.mood = "broken"
    hall.door.hand_over("good")
    said = heard(hall)
    assert said.word == ("ours" if hall.door.refuses else "yes"), said
    time.sleep(SILENCE)
    assert len(hall.arrivals("quarantined")) == 1 or (hall.door.kept() and not hall.arrivals())
    hall.store.mood = "well"
    usable(hall)


def test_what_is_too_large_is_refused_and_not_kept_whole(hall: Hall) -> None:
    """No more of it than shows that it is too large, so that nobody fills the disk; it does not come again."""
    hall.door.hand_over("large")
    said = heard(hall)
    assert said.word == "no" or (said.word == "yes" and not hall.door.refuses), said
    assert hall.arrivals("accepted") == [] and not hall.door.kept()
    assert all(len(one.arrival.body) <= LIMIT + 1 for one in hall.arrivals())
    usable(hall)
