"""Lifts long base64 out of a body while it comes: the document's bytes are there once, and what is left is small.

A record system hands a document over as base64 within JSON or XML. Read the usual way, a body of it is there as it came,
as text, and as bytes, and its parser holds the loop. Here each piece is looked at as it comes: what stands in a member or
element of a given name, is long, and is base64 from end to end, is decoded on the spot, and a marker is left in its place.
The marker is base64 itself, so that a schema takes it, and nobody who writes a body can know it. All else stays as it
came, and is judged as ever.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO

from hub.bounds import DRAINED, turn
from hub.formats import coding

#: Bytes as written from which on a text is long.
LONG = 64 * 1024
#: Bodies up to here are read as they are.
SMALL = 256 * 1024
#: Texts that are lifted from one body; what comes after them stays.
MOST = 16
#: Bytes that are looked at in one go.
STEP = 256 * 1024
#: No opening, and no end with its padding and blanks, is longer (the expressions below see to it).
_OPENING, _END = 640, 1024


@dataclass(frozen=True, slots=True)
class Form:
    """How base64 stands in a body."""

    opening: re.Pattern[bytes]  #: what stands before it
    usual: bytes  #: letters and blanks as they stand there
    letters: re.Pattern[bytes]  #: as much of it as there is, what is written as escapes among it
    end: re.Pattern[bytes]  #: padding and blanks, up to what stands behind it
    escape: re.Pattern[bytes]
    plain: Callable[[re.Match[bytes]], bytes]  #: what an escape means


_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
#: Letters of base64 and blanks by their codes, as hexadecimal and as decimal numbers.
_HEX = rb"(?:0?9|0?[aA]|0?[dD]|2[0bBfF]|3[0-9]|[46][1-9a-fA-F]|[57][0-9aA])"
_NUMBER = rb"(?:9|1[03]|32|4[3789]|5[0-7]|6[5-9]|[78][0-9]|90|9[789]|1[01][0-9]|12[0-2])"


def members(*names: str) -> Form:
    """Strings that are members of JSON objects, by name; its first letter may be a capital (RFC 8259 7)."""
    named = "|".join(f"[{name[0].lower()}{name[0].upper()}]{re.escape(name[1:])}" for name in names).encode()
    return Form(
        re.compile(rb'"(?<!\\")(?:%s)"[ \t\r\n]{0,60}:[ \t\r\n]{0,60}"' % named),
        _LETTERS + b" ",
        re.compile(rb"(?:[A-Za-z0-9+/ ]+|\\(?:[rnt/]|u00%s))*" % _HEX.replace(b"0?", b"0")),
        re.compile(
            rb"(?:(=|\\u003[dD])(?: |\\[rnt]|\\u00(?:0[9aAdD]|20)){0,60})?"
            rb'(?:(=|\\u003[dD])(?: |\\[rnt]|\\u00(?:0[9aAdD]|20)){0,60})?(?=")'
        ),
        re.compile(rb"\\(?:u00(..)|(.))"),
        lambda found: bytes.fromhex(found[1].decode()) if found[1] else b" " if found[2] != b"/" else b"/",
    )


def elements(*names: str) -> Form:
    """Texts that are all there is in elements of XML, by local name."""
    blank = rb"(?:[ \t\r\n]|&#(?:0{0,3}(?:9|10|13|32)|x0{0,3}(?:9|[aA]|[dD]|20));)"
    padding = rb"(=|&#(?:0{0,3}61|x0{0,3}3[dD]);)"
    return Form(
        re.compile(
            rb"<(?:[A-Za-z_][\w.-]{0,60}:)?(?:%s)(?:[ \t\r\n][^<>]{0,400}(?<!/))?>" % b"|".join(map(str.encode, names))
        ),
        _LETTERS + b" \t\r\n",
        re.compile(rb"(?:[A-Za-z0-9+/ \t\r\n]+|&#(?:0{0,3}%s|x0{0,3}%s);)*" % (_NUMBER, _HEX)),
        re.compile(rb"(?:%s%s{0,50})?(?:%s%s{0,50})?(?=</)" % (padding, blank, padding, blank)),
        re.compile(rb"&#(?:x([0-9a-fA-F]+)|([0-9]+));"),
        lambda found: bytes([int(found[1], 16) if found[1] else int(found[2])]),
    )


@dataclass(frozen=True, slots=True)
class Lifted:
    """A body without its long base64, and what was lifted out of it."""

    body: bytes = field(repr=False)  #: empty where it was too large
    texts: Mapping[str, bytes] = field(repr=False)  #: by marker
    size: int  #: bytes of the whole body, out of its codings; so much that it shows where it was too large

    def meant(self, written: str) -> bytes | str:
        """The bytes that a marker stands for, white space around it or not; any other text as it is."""
        return self.texts.get(written.strip(), written) if self.texts and len(written) <= LONG else written


class Lifter:
    """Is fed a body piece by piece, cut anywhere: what comes out is the same however it was cut."""

    def __init__(self, form: Form, mark: str, *, keep: bool = True) -> None:
        """`mark` is 32 letters or digits that nobody can guess, of this body alone. Unless `keep`, the bytes go nowhere."""
        self._form, self._mark, self._keep = form, mark, keep
        self._coming, self._at = b"", 0  #: what has not been decided, and how far it is settled
        self._left = BytesIO()
        self._texts: dict[str, bytes] = {}
        self._text: _Text | None = None
        self.count = 0  #: texts that were lifted
        self.spoilt = 0  #: texts that looked like base64 for long, and were none

    def feed(self, piece: bytes) -> None:
        """The next bytes."""
        for start in range(0, len(piece), STEP):
            self._coming += piece[start : start + STEP]
            while self._step(last=False):
                pass
            # One more than is needed, outside a text: an opening is none behind a backslash.
            behind = max(0, self._at - 1) if self._text is None else self._at
            self._coming, self._at = self._coming[behind:], self._at - behind

    def end(self, size: int = 0) -> Lifted:
        """All have come, `size` of them. What is not whole stays as it came."""
        while self._step(last=True):
            pass
        self._leave(len(self._coming))
        self._coming, self._at = b"", 0
        return Lifted(self._left.getvalue(), self._texts, size)

    def _step(self, *, last: bool) -> bool:
        """Whether something was settled, so that there is more to do."""
        if self._text is not None:
            return self._read(self._text, last=last)
        found = self._form.opening.search(self._coming, self._at) if self.count < MOST else None
        if found is not None:
            self._leave(found.end())
            self._text = _Text(self._form, keep=self._keep)
            return True
        self._leave(max(self._at, len(self._coming) - (0 if last else _OPENING)))
        return False

    def _read(self, text: _Text, *, last: bool) -> bool:
        self._at = text.add(self._coming, self._at)
        found = self._form.end.match(self._coming, self._at)
        if found is None and not last and len(self._coming) - self._at < _END:
            return False
        self._text = None
        if text.long:
            padding = (found[1] is not None) + (found[2] is not None) if found is not None else 3
            if text.whole(padding):
                assert found is not None
                self._at = found.end()
                self._put(text, text.lines + found[0].count(b"\n"))
                return True
            self.spoilt += 1
        for piece in text.as_it_came():
            self._left.write(piece)
        return self._at < len(self._coming)

    def _put(self, text: _Text, lines: int) -> None:
        marker = f"{self._mark}{self.count:04d}"
        self.count += 1
        self._texts[marker] = text.content() if self._keep else b""
        self._left.write(marker.encode() + b"\n" * lines)  # what stands behind it stays on its line

    def _leave(self, end: int) -> None:
        self._left.write(self._coming[self._at : end])
        self._at = end


class _Text:
    """One text that may be base64, as far as it has come."""

    def __init__(self, form: Form, *, keep: bool) -> None:
        self._form, self._keep = form, keep
        self._first: list[bytes] = []  #: as written, until it is long
        self._size = 0
        self._decoded = BytesIO()
        self._letters = b""  #: that are no whole group yet
        self.lines = 0

    @property
    def long(self) -> bool:
        return self._size >= LONG

    def add(self, coming: bytes, at: int) -> int:
        """Takes what of it stands there, letters, blanks and escapes that mean such; where it ends."""
        if (
            self.long and not at and not coming.translate(None, self._form.usual)
        ):  # five times as quick as what is below
            self._take(coming, usual=True)
            return len(coming)
        found = self._form.letters.match(coming, at)
        if found is None or found.end() == at:
            return at
        self._take(found[0], usual=False)
        return found.end()

    def _take(self, written: bytes, *, usual: bool) -> None:
        was_long = self.long
        self._size += len(written)
        self.lines += written.count(b"\n")
        if not was_long:
            self._first.append(written)
            if not self.long:
                return
            written, self._first, usual = b"".join(self._first), [], False
        if not usual and self._form.escape.search(written) is not None:
            written = self._form.escape.sub(self._form.plain, written)
        letters = self._letters + written.translate(None, b" \t\r\n")
        groups = len(letters) & ~3
        if self._keep:
            self._decoded.write(binascii.a2b_base64(letters[:groups]))
        self._letters = letters[groups:]

    def whole(self, padding: int) -> bool:
        """Whether so many = behind it make it whole, with no bits left over (RFC 4648 3.5)."""
        last = self._letters + b"=" * padding
        if padding > 2 or len(last) not in (0, 4):
            return False
        decoded = binascii.a2b_base64(last)
        if base64.b64encode(decoded) != last:
            return False
        if self._keep:
            self._decoded.write(decoded)
        return True

    def content(self) -> bytes:
        """What it means; without a copy."""
        return self._decoded.getvalue()

    def as_it_came(self) -> Iterator[bytes]:
        """What it was, but for blanks where it is long; as many lines as it had."""
        if not self.long:
            yield from self._first
            return
        with self._decoded.getbuffer() as decoded:
            for start in range(0, len(decoded), 3 * STEP):
                yield base64.b64encode(decoded[start : start + 3 * STEP])
        yield self._letters
        yield b"\n" * self.lines


def thinned(raw: bytes, form: Form, mark: str) -> bytes | None:
    """An XML document without its long base64, which was looked at and is whole; None where there is none to lift.

    Not where anything may stand in it that is not what it looks like: a CDATA section, a comment, a declaration.
    """
    if b"!" in raw and b"<!" in raw:  # one letter is found fifteen times faster, and base64 has none
        return None
    lifter = Lifter(form, mark, keep=False)
    lifter.feed(raw)
    found = lifter.end()
    return found.body if lifter.count and not lifter.spoilt else None


async def received(
    chunks: AsyncIterable[bytes], limit: int, lifter: Callable[[], Lifter], said: str = ""
) -> Lifted | coding.CodingFault:
    """A body as it comes, out of the content codings that `said` names, its long base64 lifted where it is not small.

    Larger than `limit` bytes, as it comes or unpacked, it is thrown away, and its size shows it: who sends hears the answer
    all the same. Raises what `chunks` raises.
    """
    coming, unpacking = aiter(chunks), coding.unpacking(said)
    if isinstance(unpacking, coding.CodingFault):
        await _drained(coming, limit)
        return unpacking
    gathered, came = _Gathered(limit, lifter), 0
    async for chunk in coming:
        came += len(chunk)
        for piece in unpacking.feed(chunk):
            if gathered.large:
                await turn()
            if not gathered.take(piece):
                break
        if came > limit or gathered.size > limit:
            await _drained(coming, limit - came)
            return Lifted(b"", {}, max(came, gathered.size))
        if unpacking.fault is not None:
            await _drained(coming, limit - came)
            return unpacking.fault
    fault = unpacking.end() if came else None
    return gathered.end() if fault is None else fault


class _Gathered:
    """A body out of its codings, as it is while it is small, thinner from then on."""

    def __init__(self, limit: int, lifter: Callable[[], Lifter]) -> None:
        self._limit, self._make = limit, lifter
        self._body = BytesIO()
        self._lifting: Lifter | None = None
        self.size = 0

    @property
    def large(self) -> bool:
        return self._lifting is not None

    def take(self, piece: bytes) -> bool:
        """Whether it still is within the limit."""
        self.size += len(piece)
        if self.size > self._limit:
            return False
        if self._lifting is None and self.size > SMALL:
            self._lifting = self._make()
            self._lifting.feed(self._body.getvalue())
        if self._lifting is not None:
            self._lifting.feed(piece)
        else:
            self._body.write(piece)
        return True

    def end(self) -> Lifted:
        """All of it."""
        if self._lifting is None:
            return Lifted(self._body.getvalue(), {}, self.size)
        return self._lifting.end(self.size)


async def _drained(coming: AsyncIterator[bytes], left: int) -> None:
    """What still comes is thrown away, up to so many bytes and DRAINED beyond them."""
    async for chunk in coming:
        left -= len(chunk)
        if left < -DRAINED:
            return
