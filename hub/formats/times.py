"""Reads xs:dateTime as the sector writes it: seven digits of a second, and offsets that are missing on purpose."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

#: Years have four digits or more, seconds as many behind the point as one likes (XSD 2, 3.2.7).
_INSTANT = re.compile(
    r"^((?:[1-9]\d{4,}|\d{4}))(-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d+))?\s*(Z|[+-]\d\d:\d\d)?$", re.ASCII
)
#: What stands for every instant after the year 9999, which agreements and envelopes name to say never.
_LAST = datetime.max.replace(tzinfo=UTC)


def parse_instant(text: str, without_offset: tzinfo) -> datetime | None:
    """An aware instant in UTC, or None. `without_offset`: UTC in ebXML, Norwegian time in documents (ebxml.md §1.6).

    What lies beyond the years that a clock here can show is the last instant that it can.
    """
    found = _INSTANT.match(text.strip())
    if found is None:
        return None
    year, day, clock, fraction, offset = found.groups()
    midnight = clock == "24:00:00" and not (fraction or "").strip("0")  # of the day that follows
    micro = (fraction or "0")[:6].ljust(6, "0")
    whole = f"{day}T{'00:00:00' if midnight else clock}.{micro}{'+00:00' if offset == 'Z' else offset or ''}"
    try:
        naive = datetime.fromisoformat(f"{year if len(year) == 4 else 2000}{whole}")
    except ValueError:
        return None
    if len(year) > 4:
        return _LAST
    try:
        aware = (naive if naive.tzinfo else naive.replace(tzinfo=without_offset)).astimezone(UTC)
        return aware + timedelta(days=1) if midnight else aware
    except OverflowError:
        return _LAST if naive.year == _LAST.year else None


def write_instant(at: datetime) -> str:
    """UTC with Z and whole seconds (HIS 1037 6.2.1)."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
