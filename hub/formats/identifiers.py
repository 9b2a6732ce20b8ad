"""Check digits of the numbers that name persons and organisations in Norway; only arithmetic, nothing is looked up."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from operator import mul

_FIRST = (3, 7, 6, 1, 8, 9, 4, 5, 2)
_SECOND = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
_ORGANISATION = (3, 2, 7, 6, 5, 4, 3, 2)
#: What synthetic series add to the month: none in use for living persons (0), and those made for tests (40, 65, 80).
_MONTH_OFFSETS = (0, 40, 65, 80)


#: What people see no number in: white space of every kind, what has no width at all, and the dots of old forms.
_BETWEEN = re.compile(r"[\s.\u200b\u200c\u200d\u2060\ufeff]+")


@lru_cache(maxsize=4096)
def plain(written: str) -> str:
    """A number of a person or an organisation without what stands between its digits, the same wherever it is read."""
    return written if written.isalnum() else _BETWEEN.sub("", written)


def birth_number(value: str) -> bool:
    """Fødselsnummer: eleven digits, a date of birth in them, two control digits; synthetic series too."""
    return _controlled(value, FROM_2032) and any(_dated(value, 0, month) for month in _MONTH_OFFSETS)


def d_number(value: str) -> bool:
    """D-nummer: a fødselsnummer whose day has 40 added."""
    return _controlled(value, FROM_2032) and any(_dated(value, 40, month) for month in _MONTH_OFFSETS)


def auxiliary_number(value: str) -> bool:
    """Hjelpenummer (H-nummer): eleven digits, with 40 added to the month; its control digits follow the same rule."""
    return _controlled(value) and _dated(value, 0, 40)


def common_auxiliary_number(value: str) -> bool:
    """Felles hjelpenummer (FHN): eleven digits that begin with 8 or 9, with the same control digits."""
    return _controlled(value) and value[0] in "89"


def organisation_number(value: str) -> bool:
    """Nine digits, the last a control digit modulo 11."""
    if len(value) != 9 or not _digits(value):
        return False
    rest = -sum(int(d) * w for d, w in zip(value[:8], _ORGANISATION, strict=True)) % 11
    return rest != 10 and rest == int(value[8])


def her_id(value: str) -> bool:
    """A HER-id is digits, none of them leading zero; blanks and dots that some write are not judged here."""
    return _digits(value) and value[0] != "0" and len(value) <= 10


def health_personnel_number(value: str) -> bool:
    """HPR-nummer: up to nine digits."""
    return _digits(value) and len(value) <= 9


#: Type code of list 8116 or 9051 → its arithmetic. Types that are not here have none.
ARITHMETIC: dict[str, Callable[[str], bool]] = {
    "FNR": birth_number,
    "DNR": d_number,
    "HNR": auxiliary_number,
    "FHN": common_auxiliary_number,
    "ENH": organisation_number,
    "HER": her_id,
    "HPR": health_personnel_number,
}


def _digits(value: str) -> bool:
    return value.isascii() and value.isdecimal()


#: What the first control may leave of eleven, where numbers are given out by the rules of 2032 (Skatteetaten), and before.
FROM_2032, UNTIL_2032 = frozenset({0, 1, 2, 3}), frozenset({0})


def _controlled(value: str, rests: frozenset[int] = UNTIL_2032) -> bool:
    """Eleven digits; the first control leaves one of `rests`, the second nothing."""
    if len(value) != 11 or not _digits(value):
        return False
    digits = [int(digit) for digit in value]
    first = (sum(map(mul, digits, _FIRST)) + digits[9]) % 11
    second = (sum(map(mul, digits, _SECOND)) + digits[10]) % 11
    return first in rests and second == 0


def _dated(value: str, day_offset: int, month_offset: int) -> bool:
    """Whether the first six digits are a day of some century; 29 February counts where any century had it."""
    day, month, year = int(value[:2]) - day_offset, int(value[2:4]) - month_offset, int(value[4:6])
    if not 1 <= month <= 12:
        return False
    for century in (1900, 2000, 1800):
        try:
            date(century + year, month, day)
        except ValueError:
            continue
        return True
    return False
