"""How little room is left, in words with figures."""

from __future__ import annotations

UNITS = ("bytes", "kB", "MB", "GB", "TB")


def short(where: str, free: int, least: int) -> str:
    """Empty while there is room to spare."""
    if free >= least:
        return ""
    return f"{where}: {sized(free)} free, and {sized(least)} are to stay free (store.min_free_bytes)"


def sized(count: int) -> str:
    """A number of bytes as people say it."""
    size, unit = float(count), UNITS[0]
    for unit in UNITS:
        if size < 1000 or unit == UNITS[-1]:
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"
