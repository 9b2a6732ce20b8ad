"""Reads mail as it really is: what a message from a mail server is, before anybody looks for ebXML in it (ebxml.md §2.4)."""

from __future__ import annotations

import base64
import quopri
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.errors import MessageError
from email.header import decode_header, make_header
from typing import Literal

from hub.formats.mime import MimeFault, content_type, parts_of

#: `ebxml` may be a message for us; all else is recognised first and never answered (HITS 1172 4.2.3; RFC 3834).
Kind = Literal["ebxml", "report", "read-receipt", "notice", "auto-reply", "tnef"]
Action = Literal["failed", "delayed", "delivered", "relayed", "expanded"]
MAX_HEADER_BYTES = 65_536
#: How deep a scanner or a list may have wrapped a message.
MAX_NESTING = 5


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail taken apart once: its header fields by lower-case name (the first of each), and the bytes behind them."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def message_id(self) -> str:
        """Without angle brackets; some write it without them (ebxml.md §2.4)."""
        return self.headers.get("message-id", "").strip().strip("<>").strip()

    @property
    def answers(self) -> str:
        """The delivery of ours that it answers, by In-Reply-To or References; empty when it answers none."""
        return delivery_of(f"{self.headers.get('in-reply-to', '')} {self.headers.get('references', '')}")

    @property
    def answer_to(self) -> str:
        """Where an answer below ebXML goes: Reply-To, else From, else Sender (HIS 1037 H-84)."""
        fields = (self.headers.get(name, "") for name in ("reply-to", "from", "sender"))
        return next((found for field in fields if (found := address(field))), "")


@dataclass(frozen=True, slots=True)
class Recipient:
    """What a delivery status notification says of one recipient (RFC 3464 2.3)."""

    address: str
    action: str
    status: str  #: enhanced status code, such as 5.1.1
    diagnostic: str


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """A bounce or another delivery status notification."""

    envelope_id: str  #: Original-Envelope-Id: the ENVID that we gave
    message_id: str  #: Message-ID of the returned mail, where it came back
    recipients: tuple[Recipient, ...]


def read(raw: bytes) -> Mail:
    """Headers, unfolded and decoded, and body; lines may end in CRLF or LF. Of a huge header only the first part is read.

    A mail without a blank line is all header.
    """
    end = re.search(rb"\r?\n\r?\n", raw)
    head, body = (raw[: end.start()], raw[end.end() :]) if end else (raw, raw[MAX_HEADER_BYTES:])
    return Mail(_fields(head[:MAX_HEADER_BYTES]), body)


def _fields(head: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in _LINE_END.split(re.sub(r"\r?\n[ \t]+", " ", head.decode("utf-8", "surrogateescape"))):
        name, colon, value = line.partition(":")
        if colon and re.fullmatch(r"[!-9;-~]+", name):
            found.setdefault(name.lower(), _decoded(value.strip()))
    return found


_LINE_END = re.compile(r"\r?\n")  # not str.splitlines: it also breaks at letters that a field may hold


def _decoded(value: str) -> str:
    """Encoded words (RFC 2047) as text; what is wrongly encoded stays as it was, without bytes that are no text."""
    plain = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if "=?" not in value:
        return plain
    try:
        return str(make_header(decode_header(plain)))
    except (ValueError, LookupError, MessageError):
        return plain


def own_message_id(delivery_id: str, attempt: int, domain: str) -> str:
    """A new one for every transmission (HIS 1037 H-67), which says by itself which delivery and attempt it was."""
    return f"{delivery_id}.{attempt}@{domain}"


def delivery_of(message_id: str) -> str:
    """The delivery that a Message-ID of ours, or an answer's reference to it, speaks of; empty when it is none of ours."""
    found = re.search(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.\d+@", message_id)
    return found.group(1) if found else ""


def address(field: str) -> str:
    """The plain address of a field, lower case, without name, brackets and `mailto:`; empty where there is none.

    What stands in angle brackets comes before a name that looks like an address.
    """
    found = re.search(rf"<\s*{_ADDRESS}\s*>", field) or re.search(_ADDRESS, field)
    return found.group(1).lower() if found else ""


_ADDRESS = r"(?:mailto:/{0,2})?([^\s<>\",;:]+@[A-Za-z0-9.-]+)"


def kind(mail: Mail) -> Kind:
    """What it is, from its header alone: reports before all else, then what machines send by themselves."""
    what, parameters = content_type(mail.headers.get("content-type", ""))
    if what == "multipart/report":
        disposition = parameters.get("report-type", "").lower() == "disposition-notification"
        return "read-receipt" if disposition else "report"
    if what in TNEF:
        return "tnef"
    if _looks_like_ebxml(what, parameters, mail.headers):
        return "ebxml"
    if "x-failed-recipients" in mail.headers or _from_a_server(mail.headers):
        return "notice"
    return "auto-reply" if _automatic(mail.headers) else "ebxml"


TNEF = ("application/ms-tnef", "application/vnd.ms-tnef")


def _looks_like_ebxml(what: str, parameters: Mapping[str, str], headers: Mapping[str, str]) -> bool:
    """No machine writes such a header for people; some message handlers say of their mail that a machine sent it."""
    related = what == "multipart/related" and parameters.get("type", "").lower() == "text/xml"
    return "ebxml" in headers.get("soapaction", "").lower() or what == "text/xml" or related


def _from_a_server(headers: Mapping[str, str]) -> bool:
    """A bounce or a scanner's word in a form of its own."""
    return address(headers.get("from", "")).partition("@")[0] in ("mailer-daemon", "postmaster")


def _automatic(headers: Mapping[str, str]) -> bool:
    """RFC 3834 says Auto-Submitted and the empty return path; others say it in their own ways."""
    submitted = headers.get("auto-submitted", "no").lower()
    return (
        not submitted.startswith("no")
        or any(name in headers for name in ("x-autoreply", "x-autorespond", "x-auto-response-suppress"))
        or headers.get("precedence", "").lower() in ("auto_reply", "bulk", "junk")
        or headers.get("return-path", "").replace(" ", "") == "<>"
    )


def package(mail: Mail) -> Mail:
    """The mail that holds the ebXML package: itself, or what a scanner or a list has wrapped into another multipart.

    A part that is `multipart/related` or `text/xml` is taken, and a report or a winmail.dat that was wrapped alike; the
    outer header fields stay where the inner one has none of its own.
    """
    found = mail
    for _ in range(MAX_NESTING):
        what, parameters = content_type(found.headers.get("content-type", ""))
        if not what.startswith("multipart/") or what in ("multipart/related", "multipart/report"):
            return found
        inner = _likely(found.body, parameters.get("boundary", ""))
        if inner is None:
            return mail
        headers = {**{k: v for k, v in found.headers.items() if not k.startswith("content-")}, **inner.headers}
        found = Mail(headers, inner.body)
    return mail


def _likely(body: bytes, boundary: str) -> Mail | None:
    """The first part that can hold ebXML or says what became of it, or a multipart that may hold one."""
    parts = list(_parts(body, boundary))
    for wanted in ("multipart/related", "text/xml", "multipart/report", *TNEF, "multipart/"):
        for part in parts:
            if content_type(part.headers.get("content-type", ""))[0].startswith(wanted):
                return _repaired(part, parts) if wanted == "text/xml" else part
    return None


def _repaired(root: Mail, parts: Sequence[Mail]) -> Mail:
    """An envelope whose payloads lie beside it is a package under a wrong name, as scanners rewrite it: read as related.

    What was signed is in the parts and says whether they are whole; their container's name is not. Parts without a
    Content-ID are the scanner's own.
    """
    named = [p for p in parts if p is root or "content-id" in p.headers]
    if len(named) < 2:
        return root
    written = (_written(part) for part in named)
    body = b"".join(b"--" + _EDGE + b"\r\n" + part + b"\r\n" for part in written) + b"--" + _EDGE + b"--\r\n"
    start = root.headers.get("content-id", "")
    return Mail({"content-type": f'multipart/related; boundary="{_EDGE.decode()}"; start="{start}"'}, body)


#: Between the parts of what is read as a package again; no line of base64 or XML looks like it.
_EDGE = b"=_samhub_repaired_=4f1c"


def _written(part: Mail) -> bytes:
    head = "".join(f"{name}: {value}\r\n" for name, value in part.headers.items())
    return head.encode("latin-1", "replace") + b"\r\n" + part.body


def _parts(body: bytes, boundary: str) -> Iterator[Mail]:
    found = parts_of(body, boundary) if boundary else MimeFault("66", "")
    if not isinstance(found, MimeFault):
        yield from (Mail(headers, content) for headers, content in found)


def report(mail: Mail) -> DeliveryReport:
    """What a delivery status notification says; empty where it says nothing that can be read (RFC 3464)."""
    _, parameters = content_type(mail.headers.get("content-type", ""))
    envelope_id, message_id = "", ""
    recipients: list[Recipient] = []
    for part in _parts(mail.body, parameters.get("boundary", "")):
        what, content = content_type(part.headers.get("content-type", ""))[0], _plain(part)
        if what in ("message/delivery-status", "message/global-delivery-status"):
            first, *others = _groups(content)
            envelope_id = first.get("original-envelope-id", envelope_id)
            recipients += [_recipient(group) for group in others if "action" in group]
        elif what in ("message/rfc822", "text/rfc822-headers", "message/rfc822-headers"):
            message_id = read(content + b"\r\n\r\n").message_id or message_id
    return DeliveryReport(envelope_id.strip(), message_id, tuple(recipients))


def _plain(part: Mail) -> bytes:
    """The content of a part without its transfer encoding; RFC 3464 wants none, some gateways write one."""
    encoding = part.headers.get("content-transfer-encoding", "").strip().lower()
    if encoding == "base64":
        letters = re.sub(rb"[^A-Za-z0-9+/]", b"", part.body)
        return base64.b64decode(letters[: len(letters) - (len(letters) % 4 == 1)] + b"==")
    return quopri.decodestring(part.body) if encoding == "quoted-printable" else part.body


def _groups(content: bytes) -> list[dict[str, str]]:
    """Groups of fields between blank lines: the first is about the message, each other about one recipient."""
    return [_fields(group) for group in re.split(rb"(?:\r?\n[ \t]*){2,}", content.strip())]


def _recipient(group: Mapping[str, str]) -> Recipient:
    named = group.get("original-recipient") or group.get("final-recipient", "")
    diagnostic = group.get("diagnostic-code", "").partition(";")[2].strip() or group.get("diagnostic-code", "")
    return Recipient(
        address(named), group.get("action", "").strip().lower(), group.get("status", "").strip(), diagnostic
    )
