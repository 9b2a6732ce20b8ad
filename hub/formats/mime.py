"""Reads and writes the MIME package as senders really write it (ebxml.md §2): byte for byte, in one pass."""

from __future__ import annotations

import base64
import binascii
import codecs
import quopri
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from types import MappingProxyType
from typing import Literal, NamedTuple
from urllib.parse import unquote

from hub.formats.xml import declared_encoding

MAX_HEADER_BYTES = 16_384
#: Sent and accepted; 7bit is accepted too, though one big receiver refuses it (ebxml.md §2.3).
TRANSFERS = frozenset({"", "7bit", "8bit", "binary", "base64", "quoted-printable"})
#: A semicolon before each; one official example has only a line end there (HITS 1210, MIME-header.txt). None begins among
#: blanks: each of many would be tried as a beginning, and all behind it be read again.
_BEGUN = r"(?:;|(?<![;\s])\s)\s*"
_NAME = re.compile(r"[;\s]\s*([A-Za-z0-9_*-]+)\s*=\s*")
_PARAMETER = re.compile(_BEGUN + r"([A-Za-z0-9_*-]+)\s*=\s*(\"[^\"\\]*(?:\\.[^\"\\]*)*\"|[^;\s]*)")


@dataclass(frozen=True, slots=True)
class Part:
    """One part: as written (`raw`) and after transfer decoding (`content`), which is what was signed."""

    content_id: str  #: without angle brackets
    content_type: str  #: lower case, without parameters
    parameters: Mapping[str, str]
    headers: Mapping[str, str]  #: names in lower case
    raw: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class Package:
    """The SOAP part and what came with it."""

    root: Part
    attachments: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class MimeFault:
    """Which rule of HITS 1172 5.5 is broken, and how."""

    rule: str
    text: str


def read(headers: Mapping[str, str], body: bytes, *, max_parts: int = 50) -> Package | MimeFault:
    """A multipart/related package or a single text/xml part; `headers` in any case.

    A content coding of HTTP is the business of who speaks HTTP: `body` is what was inside it, whatever `headers` say.
    """
    written = header(headers, "content-type")
    # That of a package is never seen again: its boundary is its own.
    kind, parameters = _meant_type(written) if "boundary" in written else content_type(written)
    if kind in ("", "text/plain"):
        return MimeFault("252", "Content-Type is missing or text/plain")
    if kind == "text/xml" or kind == "application/soap+xml":
        return _single({name.lower(): value for name, value in headers.items()}, body)
    if kind != "multipart/related":  # multipart/related or text/xml, nothing else
        return MimeFault("66", f"Content-Type is {kind[:60]}; multipart/related or text/xml is asked for")
    boundary = parameters.get("boundary", "")
    if not boundary or len(boundary) > 200:
        return MimeFault("66", "multipart/related without a boundary")
    return _related(body, boundary, parameters, max_parts)


def header(headers: Mapping[str, str], name: str) -> str:
    """The last header of this name, which is given in lower case; empty without one."""
    found = ""
    for written, value in headers.items():
        if written.lower() == name:
            found = value
    return found


@lru_cache(maxsize=256)
def content_type(value: str) -> tuple[str, Mapping[str, str]]:
    """The type in lower case, and its parameters with quotes taken off; those of parts are the same in most messages."""
    return _meant_type(value)


def _meant_type(value: str) -> tuple[str, Mapping[str, str]]:
    """Without comments, and with parameters in pieces put together."""
    kind, parameters = _content_type(uncommented(value) if "(" in value else value)
    return kind, MappingProxyType(_joined(parameters)) if "*" in value else parameters


def _content_type(value: str) -> tuple[str, Mapping[str, str]]:
    words = value.split('"')
    known = _all_quoted(tuple(words[::2])) if len(words) % 2 and "\\" not in value else None
    if known is not None:
        return known[0], MappingProxyType(dict(zip(known[1], words[1::2], strict=True)))
    kind, _, _ = value.partition(";")
    found = {name.lower(): _unquoted(written) for name, written in _PARAMETER.findall(value)}
    return kind.strip().lower(), MappingProxyType(found)


def uncommented(value: str) -> str:
    """A structured header field without its comments, which may lie in one another but not in quotes (RFC 822 3.4.3)."""
    kept: list[str] = []
    depth, quoted, escaped = 0, False, False
    for letter in value:
        if escaped or letter == "\\":
            escaped = not escaped
        elif letter == '"' and not depth:
            quoted = not quoted
        elif letter == "(" and not quoted:
            depth += 1
            continue
        elif letter == ")" and depth:
            depth -= 1
            continue
        if not depth:
            kept.append(letter)
    return "".join(kept).strip()


def _joined(found: Mapping[str, str]) -> dict[str, str]:
    """Parameters with those in pieces, and those with a character set, as what they mean (RFC 2231 3, 4).

    Where one stands as it is too, that one counts: it is what everybody reads.
    """
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for name, value in found.items():
        base, star, place = name.partition("*")
        number = place.removesuffix("*") or "0"
        if star and base and number.isascii() and number.isdecimal() and len(number) < 3:
            pieces.setdefault(base, {}).setdefault(int(number), (value, place == "" or place.endswith("*")))
    joined = {name: value for name, value in found.items() if "*" not in name}
    for base, some in pieces.items():
        whole = "".join(_extended(*some[n], first=n == 0) for n in range(len(some)) if n in some)
        if 0 in some:
            joined.setdefault(base, whole)
    return joined


def _extended(value: str, encoded: bool, *, first: bool) -> str:
    if not encoded:
        return value
    text = value.rpartition("'")[2] if first and value.count("'") >= 2 else value
    return unquote(text)


@lru_cache(maxsize=256)
def _all_quoted(around: tuple[str, ...]) -> tuple[str, tuple[str, ...]] | None:
    """Type and names of parameters that are all in quotes, from what stands around these: the same for each package of a sender."""
    kind, semicolon, first = around[0].partition(";")
    if len(around) < 2 or around[-1] or not semicolon or "=" in kind:
        return None
    names = [_NAME.fullmatch(written) for written in (semicolon + first, *around[1:-1])]
    if not all(names):
        return None
    return kind.strip().lower(), tuple(name[1].lower() for name in names if name)


def _unquoted(value: str) -> str:
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return _ESCAPED.sub(r"\1", value[1:-1]) if "\\" in value else value[1:-1]
    return value


_ESCAPED = re.compile(r"\\(.)")


def _single(names: Mapping[str, str], body: bytes) -> Package | MimeFault:
    """The body itself. Its Content-Encoding is no misprint: it is HTTP's own word for how the body travelled (RFC 9110 8.4)."""
    part = _part({name: value for name, value in names.items() if name != "content-encoding"}, body)
    return part if isinstance(part, MimeFault) else _rooted(part, ())


def _related(body: bytes, boundary: str, parameters: Mapping[str, str], max_parts: int) -> Package | MimeFault:
    if _plain(parameters.get("type", "text/xml")) not in ("text/xml", "application/soap+xml"):
        return MimeFault("253", "the type parameter of multipart/related is not text/xml")
    raw = _split(body, boundary, max_parts)
    if isinstance(raw, MimeFault):
        return raw
    parts: list[Part] = []
    for headers, content in raw:
        part = _part(headers, content)
        if isinstance(part, MimeFault):
            return part
        parts.append(part)
    if not parts:
        return MimeFault("67", "there is no part")
    if len({p.content_id for p in parts}) < len(parts):
        return MimeFault("27", "two parts have the same Content-ID")
    return _chosen(parts, parameters.get("start", ""))


def _plain(value: str) -> str:
    """A type or a transfer encoding by its name alone, as some write it: in quotes of either kind, with a parameter behind."""
    return uncommented(value).strip("\"' ").partition(";")[0].strip("\"' ").lower()


def _chosen(parts: Sequence[Part], start: str) -> Package | MimeFault:
    """The part that `start` names, else the first (ebxml.md §10 item 1)."""
    wanted = bare_id(start)
    root = next((p for p in parts if p.content_id == wanted), None) if wanted else parts[0]
    if root is None:
        return MimeFault("start", "start names a Content-ID that no part has")
    return _rooted(root, tuple(p for p in parts if p is not root))


def _rooted(root: Part, attachments: tuple[Part, ...]) -> Package | MimeFault:
    if root.content_type not in ("text/xml", "application/soap+xml", "application/xml"):
        return MimeFault("67, 255", f"the SOAP part is {root.content_type[:60] or 'untyped'}, not text/xml")
    charset = root.parameters.get("charset", "")
    if charset and not _same(charset[:60], declared_encoding(root.content)):
        return MimeFault("256", "the charset of the SOAP part is another than the encoding of its XML")
    return Package(root, attachments)


@lru_cache(maxsize=64)
def _same(charset: str, encoding: str) -> bool:
    """Whether both names mean one encoding; US-ASCII is a part of every other that is accepted (HITS 1171 8.4)."""
    try:
        named = codecs.lookup(charset).name
        return named in ("ascii", codecs.lookup(encoding).name)
    except (LookupError, ValueError):  # unknown, or not even letters
        return False


def parts_of(body: bytes, boundary: str, max_parts: int = 50) -> list[tuple[dict[str, str], bytes]] | MimeFault:
    """Headers and undecoded content of every part of any multipart, byte for byte."""
    return _split(body, boundary, max_parts)


def _split(body: bytes, boundary: str, max_parts: int) -> list[tuple[dict[str, str], bytes]] | MimeFault:
    """The parts between boundaries, byte for byte; a preamble is legal (ebxml.md §2.1), and so are lines that end in LF.

    Sliced here and not by a library: those at hand refuse folded part headers or bare LF, which real senders write.
    """
    mark = b"\n--" + boundary.encode("latin-1", "replace")
    parts: list[tuple[dict[str, str], bytes]] = []
    line = _boundary_line(body, mark, 0)
    if line is None:
        return MimeFault("67", "the boundary of the Content-Type does not occur")
    while not line.closes:
        following = _boundary_line(body, mark, line.end)
        if following is None:
            return MimeFault("67", "the package ends before its closing boundary")
        end = following.start - (following.start > line.end and body[following.start - 1] == _CR)
        parsed = _headed_part(body, line.end, end)
        if isinstance(parsed, MimeFault):
            return parsed
        parts.append(parsed)
        if len(parts) > max_parts:
            return MimeFault("67", f"more than {max_parts} parts")
        line = following
    return parts


class _Line(NamedTuple):
    start: int  #: of the line end before it, which belongs to it
    end: int  #: of its last letter; the line end after it belongs to the headers
    closes: bool


def _boundary_line(body: bytes, mark: bytes, at: int) -> _Line | None:
    """The next whole line that is the boundary, blanks behind it allowed; longer ones only look like it (RFC 2046 5.1.1)."""
    while True:
        first = at == 0 and body.startswith(mark[1:])
        start = -1 if first else body.find(mark, at)
        if start < 0 and not first:
            return None
        end = start + len(mark)
        if body.startswith(b"\r\n", end):  # as most write it
            return _Line(max(start, 0), end, False)
        closes = body.startswith(b"--", end)
        rest = _REST_OF_LINE.match(body, end + 2 * closes)
        if rest is not None:
            return _Line(max(start, 0), rest.end(), closes)
        at = end


_CR = 13
_REST_OF_LINE = re.compile(rb"[ \t]*(?=\r?\n|\Z)")
_FOLD = re.compile(r"\r?\n[ \t]+")


def _headed_part(body: bytes, start: int, end: int) -> tuple[dict[str, str], bytes] | MimeFault:
    """Headers and content of what stands between two places, copied once."""
    blank = _blank_line(body, start, min(end, start + MAX_HEADER_BYTES))
    if blank is None:
        return MimeFault("67", "a part has no end of headers, or too long ones")
    text = body[start : blank[0]].decode("latin-1")
    if "\n " in text or "\n\t" in text:
        text = _FOLD.sub(" ", text)
    headers = {}
    for line in text.split("\n"):  # not str.splitlines: it also breaks at letters of UTF-8 file names
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return headers, body[blank[1] : end]


def _blank_line(body: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Where the first two line ends in a row begin and end, each with or without CR."""
    found, length = body.find(b"\n\r\n", start, end), 3
    bare = body.find(b"\n\n", start, found + 1 if found >= 0 else end)
    if bare >= 0:
        found, length = bare, 2
    if found < 0:
        return None
    return found - (found > start and body[found - 1] == _CR), found + length


def _part(headers: dict[str, str], raw: bytes) -> Part | MimeFault:
    kind, parameters = content_type(headers.get("content-type", ""))
    # Content-Encoding is a misprint of the framework's own example (ebxml.md §2.1), inside a package; names in any case
    # (§10 item 2).
    written = headers.get("content-transfer-encoding", headers.get("content-encoding", ""))
    encoding = written if written in TRANSFERS else _plain(written)
    if encoding not in TRANSFERS:
        return MimeFault("258", "the transfer encoding is not one of 8bit, binary, base64, quoted-printable")
    content = _decoded(raw, encoding)
    if content is None:
        return MimeFault("258", "a part is not the base64 it says it is")
    return Part(bare_id(headers.get("content-id", "")), kind, parameters, headers, raw, content)


def _decoded(raw: bytes, encoding: str) -> bytes | None:
    if encoding == "base64":
        try:
            # Blanks and line breaks are passed over, as senders write them; so is padding that is missing.
            return base64.b64decode(raw + b"==")
        except binascii.Error:
            return None
    return quopri.decodestring(raw) if encoding == "quoted-printable" else raw


def bare_id(value: str) -> str:
    """What a Content-ID header or a cid: URL names: without brackets, comments and blanks, and every escape taken off.

    The URL escapes what the header has (RFC 2392 2), some escape neither or both, and some write the URL of a URL: so both
    sides are brought to what nothing more can be taken off. Two parts that then have one name are refused.
    """
    if "%" not in value and value[:1] == "<" and value[-1:] == ">" and value[1:2] != "<" and value.isascii():
        return value[1:-1].strip()  # as nearly all write it
    value = _as_utf8(value.strip())
    if value[:4].lower() == "cid:":
        value = value[4:]
    elif value.startswith("<"):
        value = value[: value.rfind(">") + 1] or value
    elif "(" in value:
        value = uncommented(value)
    for _ in range(MOST_ESCAPES):
        value, before = unquote(value), value
        if value == before:
            break
    value = value.strip()
    return value[1:-1].strip() if value[:1] == "<" and value[-1:] == ">" else value


#: So often an id may have been escaped.
MOST_ESCAPES = 5


def _as_utf8(value: str) -> str:
    """Headers are read byte for byte; letters outside ASCII were UTF-8, as in a URL."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value


def write(
    envelope: bytes,
    attachments: Sequence[tuple[str, str, bytes]],
    *,
    root_id: str,
    boundary: str,
    transfer: Literal["binary", "base64"] = "base64",
) -> tuple[dict[str, str], bytes]:
    """Headers and body for the wire. Attachments are (Content-ID, Content-Type, bytes); without any, a single part.

    A signal goes as single text/xml (HITS 1172 66). `transfer` is for attachments (rule 259 asks for base64).
    """
    common = {"SOAPAction": '"ebXML"', "MIME-Version": "1.0"}
    if not attachments:
        return {**common, "Content-Type": 'text/xml; charset="UTF-8"'}, envelope
    kind = f'multipart/related; type="text/xml"; boundary="{boundary}"; start="<{root_id}>"'
    whole, edge = BytesIO(), b"\r\n--" + boundary.encode()
    whole.write(edge[2:] + b"\r\n" + _headed(root_id, 'text/xml; charset="UTF-8"', "8bit") + envelope)
    for content_id, attachment_type, content in attachments:
        whole.write(edge + b"\r\n" + _headed(content_id, attachment_type, transfer))
        if transfer == "base64":
            _write_base64(content, whole)
        else:
            whole.write(content)
    whole.write(edge + b"--\r\n")
    return {**common, "Content-Type": kind}, whole.getvalue()


#: Bytes of a line of base64 (RFC 2045 6.8), and of what is encoded in one go.
_LINE, _STEP = 57, 57 * 1024


def _write_base64(content: bytes, target: BytesIO) -> None:
    """In lines, with none behind the last; a large part is there no more than once in either form."""
    with memoryview(content) as view:
        for start in range(0, len(view), _STEP):
            lines = binascii.b2a_base64(view[start : start + _STEP], newline=False)
            target.write(b"\r\n" if start else b"")
            target.write(b"\r\n".join([lines[at : at + 76] for at in range(0, len(lines), 76)]))


def _headed(content_id: str, kind: str, transfer: str) -> bytes:
    return (
        f"Content-ID: <{content_id}>\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: {transfer}\r\n\r\n".encode()
    )


def entity(content: bytes) -> Part | MimeFault:
    """One MIME entity that stands alone: what may lie inside an encryption (HITS 1172 263, 264)."""
    found = _headed_part(content, 0, len(content))
    if isinstance(found, MimeFault):
        return found
    headers, raw = found
    if "content-type" not in headers:
        return MimeFault("264", "what should be a MIME part has no Content-Type")
    return _part(headers, raw)
