"""Content codings: how HTTP packs a body for its way (RFC 9110 8.4). Unpacked within a bound, whatever is inside."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass

#: What may be asked for: the answer to a coding that we do not know names it (RFC 9110 12.5.3).
ACCEPTED = "gzip, deflate"
#: One in another; more have no honest use.
MAX_CODINGS = 3
#: One member after the other in one gzip: each costs a copy of all that is behind it, and an empty one has twenty bytes.
MAX_MEMBERS = 100
#: Headers that speak of the body as it travelled, in lower case.
OF_THE_WAY = ("content-encoding", "content-length")
_GZIP, _ZLIB, _RAW = 31, 15, -15


@dataclass(frozen=True, slots=True)
class CodingFault:
    """Why a body stays packed: `known` where the coding is one that we take, and the body is not what it says."""

    text: str
    known: bool


def written(headers: Mapping[str, str]) -> str:
    """What the headers name: each line adds to the codings (RFC 9110 5.3)."""
    return ", ".join(value for name, value in headers.items() if name.lower() == "content-encoding")


def bare(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers without those that speak of the body as it travelled."""
    return {name: value for name, value in headers.items() if name.lower() not in OF_THE_WAY}


def codings(header: str) -> list[str]:
    """The names in a Content-Encoding, in the order in which they were applied; `identity` and empty words are none."""
    words = (word.strip().lower() for word in header.split(","))
    return [word for word in words if word not in ("", "identity")]


def unpacked(header: str, body: bytes, limit: int) -> bytes | CodingFault:
    """`body` without the codings that `header`, a Content-Encoding, names.

    Where it is larger than `limit` bytes at any step, so much of it that this shows: one byte more.
    """
    names = codings(header)
    if len(names) > MAX_CODINGS:
        return CodingFault(f"Content-Encoding names {len(names)} codings, one in another", known=False)
    for name in names:
        if name not in _UNPACK:
            return CodingFault(f"Content-Encoding is {_shown(name)}; {ACCEPTED} and identity are taken", known=False)
    for name in reversed(names):
        found = _UNPACK[name](body, limit)
        if isinstance(found, str):
            return CodingFault(f"the body is not the {name} that Content-Encoding says: {found}", known=True)
        body = found
        if len(body) > limit:
            break
    return body


def gunzipped(content: bytes, limit: int) -> bytes | str:
    """One member after the other (RFC 1952 2.2); zeros behind the last are padding. Else what is wrong, in words."""
    found = bytearray()
    for _ in range(MAX_MEMBERS):
        unpacker = zlib.decompressobj(wbits=_GZIP)
        try:
            found += unpacker.decompress(content, limit + 1 - len(found))
        except zlib.error:
            return "it is damaged"
        if len(found) > limit:
            return bytes(found)
        if not unpacker.eof:
            return "it is cut short"
        content = unpacker.unused_data
        if not content.rstrip(b"\0"):
            return bytes(found)
    return f"it has more than {MAX_MEMBERS} members"


def _inflated(content: bytes, limit: int) -> bytes | str:
    """With the header of zlib, as RFC 9110 8.4.1.2 has it, or without, as many write it."""
    headed = len(content) > 1 and content[0] & 15 == 8 and int.from_bytes(content[:2], "big") % 31 == 0
    unpacker = zlib.decompressobj(wbits=_ZLIB if headed else _RAW)
    try:
        found = unpacker.decompress(content, limit + 1)
    except zlib.error:
        return "it is damaged"
    if len(found) > limit:
        return found
    if not unpacker.eof:
        return "it is cut short"
    return "something stands behind its end" if unpacker.unused_data else found


_UNPACK = {"gzip": gunzipped, "x-gzip": gunzipped, "deflate": _inflated}


def _shown(name: str) -> str:
    """A coding's name where it is one: letters of a token only, and not too many (RFC 9110 5.6.2)."""
    plain = name[:40]
    return (
        plain if plain.isascii() and plain.replace("-", "").replace("_", "").replace(".", "").isalnum() else "no name"
    )
