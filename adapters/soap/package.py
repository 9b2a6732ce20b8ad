"""What a request's bytes are: an envelope, or an envelope with documents beside it (MTOM: XOP in multipart/related)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from urllib.parse import unquote
from uuid import uuid4

from lxml import etree

from adapters.soap.port import Refused
from adapters.soap.values import INCLUDE

#: Parts of one request, and bytes of one part's header; no toolkit writes more.
MOST_PARTS, MOST_HEADER = 50, 8_000
#: Letters of a Content-Type: it is read before anybody is known, and reading costs the square of its length.
LONGEST_TYPE = 2_000
#: Media types of an envelope that travels alone.
_PLAIN = frozenset({"text/xml", "application/soap+xml", "application/xml"})
#: RFC 2046 5.1.1.
_BOUNDARY = 70


@dataclass(frozen=True, slots=True)
class Package:
    """The envelope, and what lies beside it by Content-ID."""

    envelope: bytes = field(repr=False)
    parts: Mapping[str, bytes] = field(repr=False)
    mtom: bool


def read(content_type: str, body: bytes) -> Package:
    """By its Content-Type. Raises Refused."""
    if content_type.partition(";")[0].strip().lower() in _PLAIN:
        return Package(body, {}, mtom=False)
    if len(content_type) > LONGEST_TYPE:
        raise Refused("content-type", f"Content-Type has more than {LONGEST_TYPE} letters", "See ?wsdl, and RFC 2387.")
    said = Message()
    said["content-type"] = content_type.replace("\r", "").replace("\n", "") or "none/none"
    if said.get_content_type() != "multipart/related":
        text = "Content-Type is none of text/xml (SOAP 1.1), application/soap+xml (1.2), multipart/related (MTOM)"
        raise Refused("content-type", text, "See ?wsdl for SOAP 1.1, ?wsdl=12 for 1.2.")
    boundary, start = said.get_param("boundary"), said.get_param("start")
    if not isinstance(boundary, str) or not 0 < len(boundary) <= _BOUNDARY:
        raise _broken("Content-Type has no usable boundary")
    return _multipart(boundary.encode("utf-8", "replace"), _id(start) if isinstance(start, str) else "", body)


def _multipart(boundary: bytes, start: str, body: bytes) -> Package:
    parts: dict[str, bytes] = {}
    for number, (head, content) in enumerate(_split(body, boundary)):
        if number >= MOST_PARTS:
            raise _broken(f"more than {MOST_PARTS} parts")
        own = _header(head, b"content-id")
        name = _id(own) if own else f"\0{number}"
        if name in parts:
            raise _broken("two parts have the same Content-ID")
        parts[name] = _decoded(head, content)
    if not parts:
        raise _broken("no part stands between its boundaries")
    root = start or next(iter(parts))
    if root not in parts:
        raise _broken("start names no part")
    return Package(parts.pop(root), parts, mtom=True)


def _split(body: bytes, boundary: bytes) -> list[tuple[bytes, bytes]]:
    """Header and content of each part (RFC 2046 5.1); a line break before the first boundary is a preamble."""
    mark = b"--" + boundary
    at = 0 if body.startswith(mark) else body.find(b"\n" + mark) + 1
    if at == 0 and not body.startswith(mark):
        raise _broken("the boundary that Content-Type names does not occur")
    found: list[tuple[bytes, bytes]] = []
    while True:
        at += len(mark)
        if body[at : at + 2] == b"--":
            return found
        line = body.find(b"\n", at)
        end = body.find(b"\n" + mark, line) if line >= 0 else -1
        if end < 0 or len(found) > MOST_PARTS:
            raise _broken("the last boundary is missing: it is cut short")
        found.append(_part(body, line + 1, end))
        at = end + 1


def _part(body: bytes, begin: int, end: int) -> tuple[bytes, bytes]:
    """From behind the boundary's line to the line break that belongs to the next boundary."""
    stop = end - 1 if body[end - 1 : end] == b"\r" else end
    if body[begin : begin + 2] == b"\r\n" or body[begin : begin + 1] == b"\n":  # no header at all
        return b"", body[body.find(b"\n", begin) + 1 : stop]
    gap = re.compile(rb"\r?\n\r?\n").search(body, begin, min(begin + MOST_HEADER, end))
    if gap is None:
        raise _broken("a part's header does not end")
    return body[begin : gap.start()], body[gap.end() : stop]


def _header(head: bytes, name: bytes) -> str:
    unfolded = re.sub(rb"\r?\n[ \t]+", b" ", head)
    found = re.search(rb"(?im)^" + name + rb"[ \t]*:[ \t]*([^\r\n]*)", unfolded)
    return found.group(1).decode("utf-8", "replace").strip() if found else ""


def _decoded(head: bytes, content: bytes) -> bytes:
    coding = _header(head, b"content-transfer-encoding").lower()
    if _header(head, b"content-type").lower().startswith("multipart/"):
        raise _broken("a part is a multipart itself")
    if coding in ("", "binary", "8bit", "7bit"):
        return content
    if coding == "base64":
        try:
            return base64.b64decode(content.translate(None, b" \t\r\n"), validate=True)
        except binascii.Error:
            raise _broken("a part is not the base64 that it says") from None
    raise _broken("a part's Content-Transfer-Encoding is neither binary nor base64")


def _id(written: str) -> str:
    """A Content-ID or a cid, as both are compared: without brackets, percent signs resolved (RFC 2392)."""
    return unquote(written.strip().removeprefix("<").removesuffix(">").strip())


def documents(body: etree._Element, parts: Mapping[str, bytes]) -> dict[etree._Element, bytes]:
    """The documents that the envelope names by xop:Include, by the element that each belongs into (XOP 1.0, 2)."""
    found: dict[etree._Element, bytes] = {}
    for include in body.iter(INCLUDE):
        holder, href = include.getparent(), include.get("href", "")
        if holder is None or len(holder) != 1 or (holder.text or "").strip() or (include.tail or "").strip():
            raise _broken("xop:Include does not stand alone in its element")
        own = _id(href[4:]) if href[:4].lower() == "cid:" else ""
        if own not in parts:
            raise _broken("xop:Include names no part of the request")
        found[holder] = parts[own]
    return found


def written(envelope: bytes, kind: str, attached: Mapping[str, bytes]) -> tuple[str, bytes]:
    """Content-Type and bytes of a reply in MTOM; `kind` is the media type of its SOAP version."""
    boundary, root = f"samhub-{uuid4().hex}", "envelope@samhub"
    typed = f'application/xop+xml; charset=UTF-8; type="{kind}"'
    pieces = [_opened(boundary, typed, root, b""), envelope]
    for own, content in attached.items():
        pieces += [_opened(boundary, "application/octet-stream", own, b"\r\n"), content]
    pieces.append(f"\r\n--{boundary}--\r\n".encode())
    told = (
        f'multipart/related; type="application/xop+xml"; start="<{root}>"; start-info="{kind}"; boundary="{boundary}"'
    )
    return told, b"".join(pieces)


def _opened(boundary: str, kind: str, own: str, before: bytes) -> bytes:
    lines = f"--{boundary}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <{own}>\r\n\r\n"
    return before + lines.encode()


def _broken(text: str) -> Refused:
    return Refused("request", f"the multipart/related is not as it should be: {text}", "See MTOM and XOP 1.0.")
