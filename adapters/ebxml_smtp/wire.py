"""A parcel as a mail: the same ebXML bytes on every attempt, in an envelope of its own (ebxml.md §2.4, §6.1)."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import datetime
from email.header import Header
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

from hub.formats import mime
from hub.formats.words import quoted
from hub.message import Outcome, Parcel, Reached

#: Longest line that may go as it is (RFC 5321 4.5.3.1.6, without its CRLF); envelopes usually are one longer line.
LONGEST_LINE = 998
#: Parts that hold bytes as they are. A bare CR or LF in them would not survive SMTP (RFC 5321 2.3.8).
_AS_IT_IS = re.compile(rb"content-transfer-encoding:[ \t]*(?:8bit|binary)", re.IGNORECASE)
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n|\0")
#: Longest Subject, in letters: it is for people who look into a mailbox.
_SUBJECT = 120
#: What may stand in a field as it is (RFC 5322 2.2): no line break, which would begin a field of its own, and ASCII only.
_UNFIT = re.compile(r"[^\t\x20-\x7e]+")
#: Codes that speak of us and not of the mail: nobody's mail is given up because of them (RFC 3207 4, RFC 4954 6).
ABOUT_US = {530: "mail-tls", 538: "mail-tls", 534: "mail-login", 535: "mail-login"}
_TOO_LARGE = ("5.3.4", "5.2.3")


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
    }
    fields = "".join(_field(name, value) for name, value in {**own, **headers}.items())
    return f"Subject: {_subject(subject)}\r\n{fields}\r\n".encode("ascii") + body


def _field(name: str, value: str) -> str:
    """One line, whatever the value is."""
    return f"{name}: {_UNFIT.sub(' ', value)}"[:LONGEST_LINE] + "\r\n"


def _subject(text: str) -> str:
    """Words that a document or a partner chose: on one line, short, and encoded where they are not ASCII (RFC 2047)."""
    words = quoted(text, _SUBJECT) or "ebXML"
    if words.isascii() and "=?" not in words:
        return words
    return Header(words, "utf-8", header_name="Subject").encode(linesep="\r\n")


def _body(headers: Mapping[str, str], body: bytes, *, eight_bit: bool) -> tuple[bytes, str]:
    """The body as it may travel, and the transfer encoding of a single part; a package says it in each of its parts."""
    kind, parameters = mime.content_type(headers.get("Content-Type", ""))
    as_it_is = eight_bit and _survives(body)
    if not kind.startswith("multipart/"):
        return (body, "8bit") if as_it_is else (_base64(body), "base64")
    return (body if as_it_is else _recoded(body, parameters["boundary"])), ("8bit" if as_it_is else "")


def _survives(body: bytes) -> bool:
    """Whether it comes out of SMTP as it went in: lines end in CRLF and are short enough."""
    return not _BARE.search(body) and all(len(line) <= LONGEST_LINE for line in body.split(b"\r\n"))


def _recoded(body: bytes, boundary: str) -> bytes:
    """The package with every plain part in base64; what the parts hold after decoding, and so what was signed, is the same."""
    edge = b"--" + boundary.encode("ascii")
    pieces = []
    for piece in body.split(edge)[1:-1]:
        head, blank, content = piece.partition(b"\r\n\r\n")
        if _AS_IT_IS.search(head):
            head = _AS_IT_IS.sub(b"Content-Transfer-Encoding: base64", head)
            content = _base64(content.removesuffix(b"\r\n")) + b"\r\n"
        pieces.append(edge + head + blank + content)
    return b"".join(pieces) + edge + b"--\r\n"


def _base64(content: bytes) -> bytes:
    return base64.encodebytes(content).replace(b"\n", b"\r\n").rstrip(b"\r\n")


def refused(code: int, words: str, where: str) -> Outcome:
    """What a relay's answer means: 4xx not now, 5xx never; the enhanced status code says more (RFC 3463, RFC 5321 4.2)."""
    enhanced = re.match(r"\s*([245]\.\d{1,3}\.\d{1,3})\b", words)
    more = enhanced.group(1) if enhanced else ""
    text = f"the relay answered {f'{code} {more}'.rstrip()} to {where}"
    if code in ABOUT_US:
        return Outcome(Reached.NO, "mail-login" if "auth" in words.lower() else ABOUT_US[code], text)
    if 500 <= code < 600 and (more in _TOO_LARGE or (code == 552 and not more)):
        return Outcome(Reached.YES, "mail-too-large", text, permanent=True)
    if 500 <= code < 600:
        return Outcome(Reached.YES, "mail-permanent", text, permanent=True)
    # After DATA it is this mail that it does not take now, and no other to the same address waits because of it.
    return Outcome(Reached.NO, "mail-temporary", text, answered=where == "DATA")
