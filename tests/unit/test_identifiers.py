"""Check digits: what is a possible number and what is not; only synthetic numbers are used."""

from __future__ import annotations

import pytest

from hub.formats import identifiers
from hub.formats.document import Ident, Named
from ops.samples.persons import person


@pytest.mark.parametrize("index", range(0, 1200, 97))
def test_synthetic_persons_have_valid_birth_numbers(index: int) -> None:
    assert identifiers.birth_number(person(index).number)


@pytest.mark.parametrize("index", range(0, 1200, 97))
def test_one_wrong_digit_is_always_noticed(index: int) -> None:
    number = person(index).number
    for place in range(11):
        wrong = number[:place] + str((int(number[place]) + 1) % 10) + number[place + 1 :]
        assert not identifiers.birth_number(wrong)


def _with_control(nine: str) -> str:
    """The number with its control digits, or the next one that has any."""
    return next(f"{n:09}{c:02}" for n in range(int(nine), int(nine) + 50) for c in range(100) if _fits(f"{n:09}{c:02}"))


def _fits(number: str) -> bool:
    return identifiers._controlled(number)


def test_a_d_number_has_forty_added_to_its_day() -> None:
    number = _with_control("530180123")
    assert identifiers.d_number(number)
    assert not identifiers.birth_number(number)


def test_an_auxiliary_number_has_forty_added_to_its_month() -> None:
    assert identifiers.auxiliary_number(_with_control("134169002"))


def test_a_common_auxiliary_number_begins_with_eight_or_nine() -> None:
    assert identifiers.common_auxiliary_number(_with_control("812345678"))
    assert not identifiers.common_auxiliary_number(_with_control("712345678"))


@pytest.mark.parametrize("number", ["999000010", "999000029", "999000037", "999000045", "999000053", "999000061"])
def test_the_example_organisations_have_valid_numbers(number: str) -> None:
    assert identifiers.organisation_number(number)


@pytest.mark.parametrize("value", ["", "12", "adhd", "1234567890a", "٣٤٥٦٧٨٩٠١٢٣", "000000000000"])
@pytest.mark.parametrize("kind", ["FNR", "DNR", "HNR", "FHN", "ENH"])
def test_what_is_no_number_is_none_of_them(kind: str, value: str) -> None:
    assert not identifiers.ARITHMETIC[kind](value)


def test_a_her_id_does_not_begin_with_zero() -> None:
    assert identifiers.her_id("8000202")
    assert not identifiers.her_id("08000202")
    assert not identifiers.her_id("")


#: What the first control may leave by the rules of 2032, and whether it may; synthetic numbers (month 40, 65 and 80 more).
BY_2032 = [
    ("FNR", "14815710003", True),
    ("FNR", "14815710011", True),
    ("FNR", "14815710100", True),
    ("FNR", "14815710038", True),
    ("FNR", "14815710046", False),
    ("FNR", "14815710186", False),
    ("FNR", "14815710014", False),
    ("DNR", "54836110180", True),
    ("DNR", "54836110008", True),
    ("DNR", "54836110016", True),
    ("DNR", "54836110024", True),
    ("DNR", "54836110040", False),
]


@pytest.mark.parametrize(("kind", "number", "right"), BY_2032)
def test_the_first_control_may_leave_up_to_three(kind: str, number: str, right: bool) -> None:
    assert identifiers.ARITHMETIC[kind](number) is right


@pytest.mark.parametrize("nine", ["148157100", "011234567", "548361100"])
def test_of_a_hundred_endings_as_many_are_right_as_the_rules_say(nine: str) -> None:
    """One first control for each of the four rests, where that is a digit, and one second for each of those at most."""
    kind = "DNR" if nine.startswith("5") else "FNR"
    right = [f"{nine}{end:02}" for end in range(100) if identifiers.ARITHMETIC[kind](f"{nine}{end:02}")]
    assert len({number[9] for number in right}) == len(right) <= 4
    rests = {sum(int(d) * w for d, w in zip(n, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1), strict=False)) % 11 for n in right}
    assert rests <= {0, 1, 2, 3}


BETWEEN = [" ", "\t", "\n", "\r\n  ", "\u00a0", "\u2009", "\u202f", "\u3000", "\u200b", "\ufeff", ".", " . "]
NUMBERS = [("FNR", "14815710003", 6), ("DNR", "54836110008", 6), ("ENH", "999000053", 3), ("HER", "8000202", 4)]


@pytest.mark.parametrize("between", BETWEEN, ids=[ascii(b) for b in BETWEEN])
@pytest.mark.parametrize(("kind", "number", "at"), NUMBERS)
def test_what_stands_between_digits_is_read_one_way(kind: str, number: str, at: int, between: str) -> None:
    """In it, before it and behind it: by the arithmetic, and by who reads a HER-id in a document."""
    for written in (number[:at] + between + number[at:], between + number, number + between):
        assert identifiers.plain(written) == number
        assert identifiers.ARITHMETIC[kind](identifiers.plain(written))
        assert Named("x", (Ident(written, "HER"),)).her_id == number


@pytest.mark.parametrize("written", ["１４８１５７１０００３", "148157-10003", "148157/10003", "NO 999 000 053 MVA"])
def test_what_is_no_number_does_not_become_one(written: str) -> None:
    assert not (identifiers.plain(written).isascii() and identifiers.plain(written).isdecimal())
