"""Reads and writes xs:duration, in which agreements state their intervals."""

from __future__ import annotations

import re
from datetime import timedelta

from hub.bounds import LONGEST

_DURATION = re.compile(
    r"^P(?:(\d{1,9})Y)?(?:(\d{1,9})M)?(?:(\d{1,9})D)?"
    r"(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?$",
    re.ASCII,
)


def parse_duration(text: str) -> timedelta | None:
    """P4D, PT720M, PT30S …; a year counts 365 days and a month 30. None for what is no duration, none at all, or one beyond sense."""
    found = _DURATION.match(text.strip())
    if found is None or not any(found.groups()):
        return None
    years, months, days, hours, minutes = (int(group or 0) for group in found.groups()[:5])
    try:
        span = timedelta(
            days=years * 365 + months * 30 + days, hours=hours, minutes=minutes, seconds=float(found.group(6) or 0)
        )
    except OverflowError:
        return None
    return span if span <= LONGEST else None


def write_duration(value: timedelta) -> str:
    """In days where it is whole days, else in seconds."""
    seconds = int(value.total_seconds())
    return f"P{seconds // 86_400}D" if seconds and seconds % 86_400 == 0 else f"PT{seconds}S"
