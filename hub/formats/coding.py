"""Content codings: how HTTP packs a body for its way (RFC 9110 8.4). Unpacked within a bound, whatever is inside."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO

#: What may be asked for: the answer to a coding that we do not know names it (RFC 9110 12.5.3).
ACCEPTED = "gzip, deflate"
#: One in another; more have no honest use.
MAX_CODINGS = 3
#: One member after the other in one gzip: each costs a copy of all that is behind it, and an empty one has twenty bytes.
MAX_MEMBERS = 100
#: Bytes of a body that comes piece by piece that are unpacked in one go.
STEP = 64 * 1024
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
    names = _known(header)
    if isinstance(names, CodingFault):
        return names
    for name in reversed(names):
        found = _whole(_UNPACK[name](), body, limit)
        if isinstance(found, str):
            return _damaged(name, found)
        body = found
        if len(body) > limit:
            break
    return body


def gunzipped(content: bytes, limit: int) -> bytes | str:
    """One member after the other (RFC 1952 2.2); zeros behind the last are padding. Else what is wrong, in words."""
    return _whole(_Gzip(), content, limit)


def unpacking(header: str) -> Unpacking | CodingFault:
    """Takes the codings off that `header` names while a body comes."""
    names = _known(header)
    return names if isinstance(names, CodingFault) else Unpacking(names)


class Unpacking:
    """A body that comes piece by piece: what comes out is never more than STEP at once, whatever goes in."""

    def __init__(self, names: list[str]) -> None:
        self._steps: list[tuple[str, _Unpacker]] = [(name, _UNPACK[name]()) for name in reversed(names)]
        self.fault: CodingFault | None = None  #: why no more comes out

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """What the next piece unpacks to."""
        return self._through(piece, 0)

    def end(self) -> CodingFault | None:
        """All has come: why that is not the whole of it, if it is not."""
        for name, step in self._steps:
            if self.fault is None and (why := step.ended()):
                self.fault = _damaged(name, why)
        return self.fault

    def _through(self, piece: bytes, step: int) -> Iterator[bytes]:
        if step == len(self._steps):
            yield from (piece[start : start + STEP] for start in range(0, len(piece), STEP))
            return
        name, unpacker = self._steps[step]
        if self.fault is not None:
            return
        for found in unpacker.feed(piece):
            yield from self._through(found, step + 1)
        if unpacker.why and self.fault is None:
            self.fault = _damaged(name, unpacker.why)


def _known(header: str) -> list[str] | CodingFault:
    names = codings(header)
    if len(names) > MAX_CODINGS:
        return CodingFault(f"Content-Encoding names {len(names)} codings, one in another", known=False)
    for name in names:
        if name not in _UNPACK:
            return CodingFault(f"Content-Encoding is {_shown(name)}; {ACCEPTED} and identity are taken", known=False)
    return names


def _damaged(name: str, why: str) -> CodingFault:
    return CodingFault(f"the body is not the {name} that Content-Encoding says: {why}", known=True)


class _Unpacker:
    """One coding, piece by piece; `why` is what is wrong with it, in words, once something is."""

    def __init__(self) -> None:
        self.most = STEP  #: bytes that come out at once
        self.why = ""
        self.begun = 0  #: streams, of which the last may be over
        self._stream: zlib._Decompress | None = None

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """What comes out of the next piece."""
        more = False  #: it may hold something back
        while (piece or more) and not self.why:
            if self._stream is None:
                piece = self.between(piece)
                continue
            try:
                found = self._stream.decompress(piece, self.most)
            except zlib.error:
                self.why = "it is damaged"
                return
            piece, more = self._stream.unconsumed_tail, len(found) == self.most
            if self._stream.eof:
                piece, more, self._stream = self._stream.unused_data, False, None
            if found:
                yield found

    def ended(self) -> str:
        """What is wrong with it when no more comes; empty when nothing is."""
        return self.why or ("" if self.begun and self._stream is None else "it is cut short")

    def between(self, piece: bytes) -> bytes:
        """Begins a stream where one may begin; what of the piece belongs into it."""
        raise NotImplementedError

    def begin(self, wbits: int) -> None:
        """The next stream."""
        self.begun += 1
        self._stream = zlib.decompressobj(wbits=wbits)


class _Gzip(_Unpacker):
    """One member after the other; zeros behind the last are padding."""

    def between(self, piece: bytes) -> bytes:
        """See _Unpacker."""
        if self.begun and self._padded(piece):
            return b""
        if self.begun == MAX_MEMBERS:
            self.why = f"it has more than {MAX_MEMBERS} members"
            return b""
        self.begin(_GZIP)
        return piece

    def _padded(self, piece: bytes) -> bool:
        if piece[:1] == b"\0":
            self._padding = True
        if self._padding and piece.strip(b"\0"):
            self.why = "it is damaged"
        return self._padding

    _padding = False


class _Deflate(_Unpacker):
    """With the header of zlib, as RFC 9110 8.4.1.2 has it, or without, as many write it."""

    _head = b""

    def between(self, piece: bytes) -> bytes:
        """See _Unpacker."""
        if self.begun:
            self.why = "something stands behind its end"
            return b""
        self._head += piece
        if len(self._head) < 2:
            return b""
        headed = self._head[0] & 15 == 8 and int.from_bytes(self._head[:2], "big") % 31 == 0
        self.begin(_ZLIB if headed else _RAW)
        return self._head


def _whole(unpacker: _Unpacker, content: bytes, limit: int) -> bytes | str:
    """All that comes out; one byte more than `limit` where it would be more. Else what is wrong."""
    found, size, unpacker.most = BytesIO(), 0, limit + 1
    for piece in unpacker.feed(content):
        size += found.write(piece)
        if size > limit:
            return found.getvalue()
        unpacker.most = limit + 1 - size
    return unpacker.ended() or found.getvalue()


_UNPACK: dict[str, type[_Unpacker]] = {"gzip": _Gzip, "x-gzip": _Gzip, "deflate": _Deflate}


def _shown(name: str) -> str:
    """A coding's name where it is one: letters of a token only, and not too many (RFC 9110 5.6.2)."""
    plain = name[:40]
    return (
        plain if plain.isascii() and plain.replace("-", "").replace("_", "").replace(".", "").isalnum() else "no name"
    )
