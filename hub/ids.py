"""Ids as people and machines write them: a UUID is the same UUID in capitals, in braces, without hyphens (RFC 4122 3)."""

from __future__ import annotations

import re

_HEX = re.compile(r"[0-9a-f]{32}")
_PARTS = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))


def plain(written: str) -> str:
    """As ids are compared: lower case, nothing around it, no hyphens. Both stores have an index over the same."""
    return written.strip().lower().removeprefix("urn:uuid:").lstrip("{<").replace("-", "").rstrip("}>")


def is_uuid(written: str) -> bool:
    """Whether it is a UUID, however it is spelt; with a host behind it too, as in a MessageId."""
    number, at, host = plain(written).partition("@")
    return bool(_HEX.fullmatch(number.rstrip("}"))) and bool(host or not at)


def same(one: str, other: str) -> bool:
    """Whether two ids are one: UUIDs by what they mean, others letter by letter."""
    return one == other or (is_uuid(one) and plain(one) == plain(other))


def hyphenated(beginning: str) -> str:
    """The beginning of one of our own ids from what `plain` has made of it."""
    if len(beginning) > 32 or re.fullmatch(r"[0-9a-f]+", beginning) is None:
        return beginning
    return "-".join(filter(None, (beginning[a:b] for a, b in _PARTS)))
