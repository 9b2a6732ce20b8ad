"""Reads xs:dateTime as the sector writes it: seven digits of a second, and offsets that are missing on purpose."""

from __future__ import annotations

import re
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta, tzinfo

_INSTANT = re.compile(r"^(-?\d{4,})(-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d+))?\s*(Z|[+-]\d\d:\d\d)?$", re.ASCII)
MIDNIGHT = "24:00:00"


def parse_instant(text: str, without_offset: tzinfo) -> datetime | None:
    """An aware instant in UTC, or None. `without_offset`: UTC in ebXML, Norwegian time in documents (ebxml.md §1.6).

    Any form of xs:dateTime (XML Schema 2, 3.2.7): 24:00:00 is the next day's beginning, and of years that no calendar here
    has the nearest instant is given.
    """
    found = _INSTANT.match(text.strip())
    if found is None or (year := _year(found[1])) is None:
        return None
    _, day, clock, fraction, offset = found.groups()
    midnight = clock == MIDNIGHT and not (fraction or "").strip("0")
    micro = (fraction or "0")[:6].ljust(6, "0")
    within = min(max(year, MINYEAR), MAXYEAR)
    try:
        told = (
            f"{within:04}{day}T{'00:00:00' if midnight else clock}.{micro}{'+00:00' if offset == 'Z' else offset or ''}"
        )
        naive = datetime.fromisoformat(told)
    except ValueError:
        return None
    try:
        aware = (naive if naive.tzinfo else naive.replace(tzinfo=without_offset)) + timedelta(days=midnight)
        return _nearest(year) or aware.astimezone(UTC)
    except OverflowError:
        return _nearest(year, within)


def _year(digits: str) -> int | None:
    """None where it is written with zeros that no year has, or is the year 0000 (XML Schema 2, 3.2.7.1)."""
    own = digits.removeprefix("-")
    if (len(own) > 4 and own[0] == "0") or own == "0000":
        return None
    return int(digits[:12])  # beyond every calendar already


def _nearest(year: int, edge: int = 0) -> datetime | None:
    """The first or last instant there is, for a year outside of the calendar, or at its `edge`."""
    if year < MINYEAR or edge == MINYEAR:
        return datetime.min.replace(tzinfo=UTC)
    return datetime.max.replace(tzinfo=UTC) if year > MAXYEAR or edge == MAXYEAR else None


def write_instant(at: datetime) -> str:
    """UTC with Z and whole seconds (HIS 1037 6.2.1)."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
