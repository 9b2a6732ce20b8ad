"""Reads xs:dateTime as the sector writes it: seven digits of a second, and offsets that are missing on purpose."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo

_INSTANT = re.compile(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?\s*(Z|[+-]\d\d:\d\d)?$", re.ASCII)


def parse_instant(text: str, without_offset: tzinfo) -> datetime | None:
    """An aware instant in UTC, or None. `without_offset`: UTC in ebXML, Norwegian time in documents (ebxml.md §1.6)."""
    found = _INSTANT.match(text.strip())
    if found is None:
        return None
    day, clock, fraction, offset = found.groups()
    micro = (fraction or "0")[:6].ljust(6, "0")
    try:
        naive = datetime.fromisoformat(f"{day}T{clock}.{micro}{'+00:00' if offset == 'Z' else offset or ''}")
        aware = naive if naive.tzinfo else naive.replace(tzinfo=without_offset)
        return aware.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def write_instant(at: datetime) -> str:
    """UTC with Z and whole seconds (HIS 1037 6.2.1)."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
