"""Reads mail as it really is: what a message from a mail server is, before anybody looks for ebXML in it (ebxml.md §2.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.header import decode_header, make_header
from typing import Literal

from hub.formats.mime import MimeFault, content_type, parts_of

#: `ebxml` may be a message for us; all else is recognised first and never answered (HITS 1172 4.2.3; RFC 3834).
Kind = Literal["ebxml", "report", "read-receipt", "auto-reply", "tnef"]
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
    """Headers, unfolded and decoded, and body; lines may end in CRLF or LF. A mail without a blank line has no body."""
    end = re.search(rb"\r?\n\r?\n", raw[:MAX_HEADER_BYTES])
    head, body = (raw[: end.start()], raw[end.end() :]) if end else (raw[:MAX_HEADER_BYTES], b"")
    return Mail(_fields(head), body)


def _fields(head: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in re.sub(r"\r?\n[ \t]+", " ", head.decode("utf-8", "surrogateescape")).splitlines():
        name, colon, value = line.partition(":")
        if colon and re.fullmatch(r"[!-9;-~]+", name):
            found.setdefault(name.lower(), _decoded(value.strip()))
    return found


def _decoded(value: str) -> str:
    """Encoded words (RFC 2047) as text; what is wrongly encoded stays as it was."""
    if "=?" not in value:
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    try:
        return str(make_header(decode_header(value)))
    except (ValueError, LookupError):
        return value


def own_message_id(delivery_id: str, attempt: int, domain: str) -> str:
    """A new one for every transmission (HIS 1037 H-67), which says by itself which delivery and attempt it was."""
    return f"{delivery_id}.{attempt}@{domain}"


def delivery_of(message_id: str) -> str:
    """The delivery that a Message-ID of ours, or an answer's reference to it, speaks of; empty when it is none of ours."""
    found = re.search(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.\d+@", message_id)
    return found.group(1) if found else ""


def address(field: str) -> str:
    """The plain address of a field, lower case, without name, brackets and `mailto:`; empty where there is none."""
    found = re.search(r"(?:mailto:/{0,2})?([^\s<>\",;:]+@[A-Za-z0-9.-]+)", field)
    return found.group(1).lower() if found else ""


def kind(mail: Mail) -> Kind:
    """What it is, from its header alone: reports before all else, then what machines send by themselves."""
    what, parameters = content_type(mail.headers.get("content-type", ""))
    if what == "multipart/report":
        disposition = parameters.get("report-type", "").lower() == "disposition-notification"
        return "read-receipt" if disposition else "report"
    if what == "application/ms-tnef":
        return "tnef"
    if _automatic(mail.headers):
        return "auto-reply"
    return "ebxml"


def _automatic(headers: Mapping[str, str]) -> bool:
    """RFC 3834 says Auto-Submitted; others say it in their own ways. An ebXML SOAPAction says that it is none."""
    if "ebxml" in headers.get("soapaction", "").lower():
        return False
    submitted = headers.get("auto-submitted", "no").lower()
    return (
        not submitted.startswith("no")
        or any(name in headers for name in ("x-autoreply", "x-autorespond", "x-auto-response-suppress"))
        or headers.get("precedence", "").lower() in ("auto_reply", "bulk", "junk")
    )


def package(mail: Mail) -> Mail:
    """The mail that holds the ebXML package: itself, or what a scanner or a list has wrapped into another multipart.

    A part that is `multipart/related`, or `text/xml` with a SOAPAction around it, is taken; the outer header fields stay
    where the inner one has none of its own.
    """
    found = mail
    for _ in range(MAX_NESTING):
        what, parameters = content_type(found.headers.get("content-type", ""))
        if not what.startswith("multipart/") or what == "multipart/related":
            return found
        inner = _likely(found.body, parameters.get("boundary", ""))
        if inner is None:
            return mail
        headers = {**{k: v for k, v in found.headers.items() if not k.startswith("content-")}, **inner.headers}
        found = Mail(headers, inner.body)
    return mail


def _likely(body: bytes, boundary: str) -> Mail | None:
    """The first part that can hold ebXML, or a multipart that may hold one."""
    parts = list(_parts(body, boundary))
    for wanted in ("multipart/related", "text/xml", "multipart/"):
        for part in parts:
            if content_type(part.headers.get("content-type", ""))[0].startswith(wanted):
                return part
    return None


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
        what = content_type(part.headers.get("content-type", ""))[0]
        if what in ("message/delivery-status", "message/global-delivery-status"):
            first, *others = _groups(part.body)
            envelope_id = first.get("original-envelope-id", envelope_id)
            recipients += [_recipient(group) for group in others if "action" in group]
        elif what in ("message/rfc822", "text/rfc822-headers", "message/rfc822-headers"):
            message_id = read(part.body).message_id or message_id
    return DeliveryReport(envelope_id.strip(), message_id, tuple(recipients))


def _groups(content: bytes) -> list[dict[str, str]]:
    """Groups of fields between blank lines: the first is about the message, each other about one recipient."""
    groups = [_fields(group) for group in re.split(rb"(?:\r?\n){2,}", content.strip())]
    return groups or [{}]


def _recipient(group: Mapping[str, str]) -> Recipient:
    named = group.get("original-recipient") or group.get("final-recipient", "")
    diagnostic = group.get("diagnostic-code", "").partition(";")[2].strip() or group.get("diagnostic-code", "")
    return Recipient(
        address(named), group.get("action", "").strip().lower(), group.get("status", "").strip(), diagnostic
    )
