"""A parcel as a mail: the same ebXML bytes on every attempt, in an envelope of its own (ebxml.md §2.4, §6.1)."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

from hub.formats import mime
from hub.message import Outcome, Parcel, Reached

#: Longest line that may go as it is (RFC 5321 4.5.3.1.6, without its CRLF); envelopes usually are one longer line.
LONGEST_LINE = 998
_EIGHT_BIT = re.compile(rb"content-transfer-encoding:[ \t]*8bit", re.IGNORECASE)


def address_of(endpoint: str) -> str:
    """The address of a `mailto:` endpoint, also as `mailto://address` (ebxml.md §5.3); empty when it is none."""
    split = urlsplit(endpoint.strip())
    if split.scheme.lower() != "mailto":
        return ""
    return (
        unquote(split.path.lstrip("/") or split.netloc).strip() if not split.netloc else unquote(split.netloc).strip()
    )


def mail(
    parcel: Parcel, *, sender: str, receiver: str, own_id: str, now: datetime, subject: str, eight_bit: bool
) -> bytes:
    """The whole mail. `eight_bit`: the relay takes 8BITMIME; lines that are too long go as base64 all the same."""
    headers = dict(parcel.headers)
    headers.setdefault("MIME-Version", "1.0")
    body, transfer = _body(headers, parcel.body, eight_bit=eight_bit)
    if transfer:
        headers["Content-Transfer-Encoding"] = transfer
    own = {
        "From": f"<{sender}>",
        "To": f"<{receiver}>",
        "Date": format_datetime(now),
        "Message-ID": f"<{own_id}>",
        "Subject": subject,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in {**own, **headers}.items())
    return head.encode("ascii") + b"\r\n" + body


def _body(headers: Mapping[str, str], body: bytes, *, eight_bit: bool) -> tuple[bytes, str]:
    """The body as it may travel, and the transfer encoding of a single part; a package says it in each of its parts."""
    kind, parameters = mime.content_type(headers.get("Content-Type", ""))
    as_it_is = eight_bit and not _too_long(body)
    if not kind.startswith("multipart/"):
        return (body, "8bit") if as_it_is else (_base64(body), "base64")
    return (body if as_it_is else _recoded(body, parameters["boundary"])), ("8bit" if as_it_is else "")


def _too_long(body: bytes) -> bool:
    return any(len(line) > LONGEST_LINE for line in body.splitlines())


def _recoded(body: bytes, boundary: str) -> bytes:
    """The package with every 8bit part in base64; what the parts hold after decoding, and so what was signed, is the same."""
    edge = b"--" + boundary.encode("ascii")
    pieces = []
    for piece in body.split(edge)[1:-1]:
        head, blank, content = piece.partition(b"\r\n\r\n")
        if _EIGHT_BIT.search(head):
            head = _EIGHT_BIT.sub(b"Content-Transfer-Encoding: base64", head)
            content = _base64(content.removesuffix(b"\r\n")) + b"\r\n"
        pieces.append(edge + head + blank + content)
    return b"".join(pieces) + edge + b"--\r\n"


def _base64(content: bytes) -> bytes:
    return base64.encodebytes(content).replace(b"\n", b"\r\n").rstrip(b"\r\n")


def refused(code: int, words: str, where: str) -> Outcome:
    """What a relay's answer means: 4xx not now, 5xx never; the enhanced status code says more (RFC 3463, RFC 5321 4.2)."""
    enhanced = re.match(r"\s*([245]\.\d{1,3}\.\d{1,3})", words)
    status = f"{code} {enhanced.group(1)}" if enhanced else str(code)
    text = f"the relay answered {status} to {where}"
    if code in (552, 523) or (enhanced and enhanced.group(1) in ("5.3.4", "5.2.3")):
        return Outcome(Reached.YES, "mail-too-large", text, permanent=True)
    if 500 <= code < 600:
        return Outcome(Reached.YES, "mail-permanent", text, permanent=True)
    return Outcome(Reached.NO, "mail-temporary", text)
