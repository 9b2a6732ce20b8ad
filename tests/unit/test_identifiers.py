"""Check digits: what is a possible number and what is not; only synthetic numbers are used."""

from __future__ import annotations

import pytest

from hub.formats import identifiers
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
