"""Keeps bytes in less room: what many of them have in common, such as a partner's certificate, is kept once.

What is packed says by its beginning how: a mark, the number of the dictionary, and the deflated bytes (RFC 1951). What does
not begin so is as it came, as older hubs kept everything. Dictionaries are numbers of their own, and never change:
0 stored, 1 none, 2 the words of the standards, from LEARNT on the envelope that was the first of its kind (see `kind`).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from importlib.resources import files

from hub.digest import sha256
from hub.errors import ContentLost

MARK = b"\x00samhub"
#: The mark, and four bytes of the number of the dictionary.
HEAD = len(MARK) + 4
STORED, PLAIN, WORDS, LEARNT = 0, 1, 2, 16
#: Less is not worth it.
SMALLEST = 128
#: More is kept as it came: most of it lies in files.
LARGEST = 256 * 1024
#: Deflate looks back no further.
WINDOW = 32_000
#: Dictionaries of one store: each is some kilobytes, and a partner has two or three until its next certificate.
MOST = 4_000
LEVEL = 3
_CERTIFICATE = b"X509Certificate>"


class Packer:
    """Packs and unpacks for one store; may be used by several threads at once.

    `load` finds a dictionary that another process has learnt. What is only remembered is at worst found out twice.
    """

    def __init__(self) -> None:
        self.load: Callable[[int], bytes | None] = lambda _: None
        self._by_number: dict[int, bytes] = {WORDS: words()}
        self._by_kind: dict[str, int] = {}
        self._once: dict[str, None] = {}  #: kinds that have come once

    def know(self, number: int, kind: str, content: bytes) -> None:
        """A dictionary that is durable: from now on what is of its kind is packed by it."""
        self._by_number[LEARNT + number] = content
        self._by_kind[kind] = LEARNT + number

    def wanted(self, content: bytes) -> tuple[str, bytes] | None:
        """A kind, and a dictionary for it that should be durable before this is packed; what came once may never come again."""
        found = kind(content) if SMALLEST <= len(content) <= LARGEST else ""
        if not found or found in self._by_kind or len(self._by_kind) >= MOST:
            return None
        if found not in self._once:
            if len(self._once) < MOST:
                self._once[found] = None
            return None
        own = envelope(content)
        return (found, own) if own else None

    def pack(self, content: bytes) -> bytes:
        """The same in less room, where that can be; what is packed already, or too small or large, stays as it is kept."""
        if not SMALLEST <= len(content) <= LARGEST or content.startswith(MARK):
            return content
        number = self._by_kind.get(kind(content), WORDS)
        packed = _deflated(content, self._by_number[number])
        return MARK + number.to_bytes(4, "big") + packed if HEAD + len(packed) < len(content) else content

    def unpack(self, kept: bytes) -> bytes:
        """The bytes as they came. Raises ContentLost for what cannot be unpacked."""
        if not kept.startswith(MARK):
            return kept
        number = int.from_bytes(kept[len(MARK) : HEAD], "big")
        if number == STORED:
            return kept[HEAD:]
        found = b"" if number == PLAIN else self._by_number.get(number) or self._loaded(number)
        try:
            inflater = zlib.decompressobj(-15, zdict=found)
            whole = inflater.decompress(kept[HEAD:])
        except zlib.error as error:
            raise ContentLost(f"what is kept cannot be unpacked: {error}") from None
        if not inflater.eof:
            raise ContentLost("what is kept cannot be unpacked: it ends too early")
        return whole

    def _loaded(self, number: int) -> bytes:
        found = self.load(number - LEARNT) if number >= LEARNT else None
        if found is None:
            raise ContentLost(f"what is kept cannot be unpacked: dictionary {number} is not known here")
        self._by_number[number] = found
        return found


def asis(content: bytes) -> bytes:
    """What is kept of bytes that have just come; packed they are later, when nobody waits for it."""
    return MARK + STORED.to_bytes(4, "big") + content if content.startswith(MARK) else content


def _deflated(content: bytes, dictionary: bytes) -> bytes:
    deflater = zlib.compressobj(LEVEL, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, dictionary)
    return deflater.compress(content) + deflater.flush()


def kind(content: bytes) -> str:
    """Whose envelope it is, and of which make: by the certificate that it is signed with; empty where there is none."""
    start = content.find(_CERTIFICATE, 0, WINDOW)
    end = content.find(b"<", start)
    if start < 0 or end < 0:
        return ""
    whole = "multipart" if content.startswith(b"--") else "envelope"
    return f"{whole} {sha256(content[start:end])[:32]}"


def envelope(content: bytes) -> bytes:
    """The envelope alone: what it carries may be about a person, and a dictionary is never purged."""
    start = max(content.find(b"<"), 0)
    body = content.rfind(b"Body>", 0, content.find(b"\n--", start) if content.startswith(b"--") else len(content))
    end = content.find(b">", body + len(b"Body>"))
    return content[start : end + 1][-WINDOW:] if body >= 0 and end >= 0 else b""


@cache
def words() -> bytes:
    """What documents of the standards have in common: names, namespaces and code systems, the most frequent last."""
    return (files("adapters.store") / "words.txt").read_bytes()
