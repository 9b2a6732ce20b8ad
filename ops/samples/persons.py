"""Test persons who cannot exist: national identity numbers of the synthetic series (month + 80), names from a short list."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

_GIVEN = ("Prøve", "Test", "Øving", "Ærlig", "Fiktiv", "Påfunn", "Skisse", "Utkast")
_FAMILY = ("Testesen", "Prøvdal", "Øvingsrud", "Eksempelbakk", "Ås-Attpåtil", "Kladdeland")
_FIRST = (3, 7, 6, 1, 8, 9, 4, 5, 2)
_SECOND = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)


@dataclass(frozen=True, slots=True)
class Person:
    """A synthetic person."""

    given: str = field(repr=False)
    family: str = field(repr=False)
    number: str = field(repr=False)
    born: date = field(repr=False)


def person(index: int) -> Person:
    """The same person for the same index; every index another number."""
    born = date(1950, 1, 1) + timedelta(days=37 * (index % 600))
    number = next(n for serial in range(500) if (n := _number(born, (index // 600 + serial) % 500)))
    return Person(_GIVEN[index % len(_GIVEN)], _FAMILY[index % len(_FAMILY)], number, born)


def _number(born: date, serial: int) -> str:
    """Day, month + 80, year, serial (000–499: born 1900–1999) and two control digits; empty where none fit."""
    digits = f"{born.day:02}{born.month + 80:02}{born.year % 100:02}{serial:03}"
    first = _control(digits, _FIRST)
    if first == 10:
        return ""
    second = _control(f"{digits}{first}", _SECOND)
    return "" if second == 10 else f"{digits}{first}{second}"


def _control(digits: str, weights: tuple[int, ...]) -> int:
    return -sum(int(d) * w for d, w in zip(digits, weights, strict=True)) % 11


def is_synthetic(number: str) -> bool:
    """Whether a number is of the series that is used here."""
    return len(number) == 11 and number.isdigit() and 81 <= int(number[2:4]) <= 92
