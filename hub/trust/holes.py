"""Where envelopes of one sender differ: holes in their bytes, what may stand in them, and marks to find them again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

MOST_HOLES, MOST_EQUALS = 50, 1_000  #: far within the bounds of hub.formats.xml, which are not looked at again

# Blanks, quotes, brackets, & and % would be read as more than themselves, here or there.
_WORD = rb"[A-Za-z0-9._@:+-]{1,200}"
_INSTANT = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)?"
_BASE64 = rb"[A-Za-z0-9+/\n]{1,1500}={0,2}"


def _inside(names: bytes, filling: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"<(?:[\w.-]+:)?(?:" + names + rb")(?:\s[^<>]*)?>(" + filling + rb")(?=<)")


#: Ids of parts, but not the name of a namespace: C14N sorts by those.
_CID = re.compile(rb"""\s(?!xmlns:)(?:[\w.-]+:)?(?:URI|href)=["']cid:(""" + _WORD + rb""")(?=["'])""")
#: Where holes are, what may fill them, and how their marks are written, each of them a filling that nobody writes.
_KINDS = (
    (_inside(b"ConversationId|MessageId|RefToMessageId", _WORD), re.compile(_WORD), "HoleNo%02d"),
    (_CID, re.compile(_WORD), "HoleNo%02d"),
    (_inside(b"DigestValue|SignatureValue", _BASE64), re.compile(_BASE64), "HoleNo%02d"),
    (_inside(b"Timestamp|TimeToLive", _INSTANT), re.compile(_INSTANT), "1907-03-05T07:09:%02dZ"),
)
_MARK = re.compile(rb"HoleNo(\d\d)|1907-03-05T07:09:(\d\d)Z")
_MARKED_MINUTE = datetime(1907, 3, 5, 7, 9, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cut:
    """An envelope cut at its holes: the bytes around them, one more than there are holes, and what may fill each."""

    chunks: tuple[bytes, ...]
    fillings: tuple[re.Pattern[bytes], ...]
    marks: tuple[bytes, ...]

    def marked(self) -> bytes:
        """The envelope with marks in its holes."""
        rest = (part for pair in zip(self.marks, self.chunks[1:], strict=True) for part in pair)
        return b"".join([self.chunks[0], *rest])

    def holes(self, raw: bytes) -> list[bytes] | None:
        """What stands in the holes of another envelope that begins alike; None where the bytes around them are others."""
        found: list[bytes] = []
        at = len(self.chunks[0])
        for filling, chunk in zip(self.fillings, self.chunks[1:], strict=True):
            hole = filling.match(raw, at)
            if hole is None:
                return None
            at = hole.end()
            if not raw.startswith(chunk, at):
                return None
            at += len(chunk)
            found.append(hole[0])
        # It is counted in every envelope (hub.formats.xml): in an id it would be counted as well.
        return found if at == len(raw) and b"xmlns" not in b" ".join(found) else None


def cut(raw: bytes) -> Cut | None:
    """An envelope cut at its holes; None for one with comments, CDATA or instructions, whose bytes may not be what they seem."""
    if b"<!" in raw or raw.count(b"<?") > raw.startswith(b"<?xml") or raw.count(b"=") > MOST_EQUALS:
        return None
    found = sorted((*m.span(1), filling, mark) for place, filling, mark in _KINDS for m in place.finditer(raw))
    if len(found) > MOST_HOLES or _MARK.search(raw):
        return None
    edges = [0, *[edge for start, end, _, _ in found for edge in (start, end)], len(raw)]
    return Cut(
        tuple(raw[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)),
        tuple(filling for _, _, filling, _ in found),
        tuple((mark % number).encode() for number, (*_, mark) in enumerate(found)),
    )


@dataclass(frozen=True, slots=True)
class Text:
    """Bytes made of an envelope, with the same holes: `places` are (where, which hole)."""

    pieces: tuple[bytes, ...]
    places: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, marked: bytes) -> Text:
        """What was made of an envelope with marks."""
        pieces: list[bytes] = []
        places: list[tuple[int, int]] = []
        at = 0
        for mark in _MARK.finditer(marked):
            places.append((len(pieces) + 1, int(mark[1] or mark[2])))
            pieces += [marked[at : mark.start()], b""]
            at = mark.end()
        return cls((*pieces, marked[at:]), tuple(places))

    def filled(self, holes: Sequence[bytes]) -> bytes:
        """With these fillings."""
        pieces = list(self.pieces)
        for at, hole in self.places:
            pieces[at] = holes[hole]
        return b"".join(pieces)


def hole_of(text: str) -> int:
    """The hole whose mark is the whole of this text. Raises LookupError for any other."""
    found = _MARK.fullmatch(text.encode())
    if found is None:
        raise LookupError("what should stand in a hole does not")
    return int(found[1] or found[2])


def hole_of_instant(at: datetime | None) -> int:
    """The hole whose mark is read as this time. Raises LookupError for any other."""
    if at is None or at.replace(second=0) != _MARKED_MINUTE:
        raise LookupError("a time that should stand in a hole does not")
    return at.second
