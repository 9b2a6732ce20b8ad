"""Mail as mail servers, scanners, mail programs and people really write it; who writes and what is said is invented."""

from __future__ import annotations

import base64
import quopri
import re
from collections.abc import Callable

from ops.partner.wire import Wire

HUB = "8000202@edi.example"
Change = Callable[[bytes], bytes]


def mail(wire: Wire, sender: str, **fields: str | None) -> bytes:
    """A message as a mail with 8bit parts; `fields` are header fields with _ for -, None takes one away."""
    own = {
        "Received": "from mail.example ([192.0.2.7]) by relay.example; Tue, 3 Mar 2026 10:00:00 +0100",
        "From": f"<{sender}>",
        "To": f"<{HUB}>",
        "Date": "Tue, 3 Mar 2026 10:00:00 +0100",
        "Message-ID": "<b7d0a6a2.1@partner.example>",
        "Subject": "HENVISNING",
        **wire.headers,
        **{name.replace("_", "-"): value for name, value in fields.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in own.items() if value is not None)
    return head.encode() + b"\r\n" + wire.body


def said(sender: str, kind: str, body: str, **fields: str) -> bytes:
    """A mail that is no ebXML."""
    own = {"From": f"<{sender}>", "To": f"<{HUB}>", "Date": "Tue, 3 Mar 2026 10:00:00 +0100", "MIME-Version": "1.0"}
    own |= {"Message-ID": f"<c41c.2@{sender.partition('@')[2]}>"} | ({"Content-Type": kind} if kind else {})
    own |= {name.replace("_", "-"): value for name, value in fields.items()}
    return "".join(f"{n}: {v}\r\n" for n, v in own.items()).encode() + b"\r\n" + body.encode()


def swap(old: str, new: str) -> Change:
    """One place changed, wherever it stands; it must be there."""

    def change(content: bytes) -> bytes:
        assert old.encode() in content, old
        return content.replace(old.encode(), new.encode(), 1)

    return change


def field(name: str, value: str | None) -> Change:
    """A header field of the mail written otherwise, or taken away."""

    def change(content: bytes) -> bytes:
        head, blank, body = content.partition(b"\r\n\r\n")
        line = b"" if value is None else f"{name}: {value}\r\n".encode()
        found = re.sub(rf"(?im)^{name}:.*\r\n".encode(), lambda _: line, head + b"\r\n", count=1)
        assert found != head + b"\r\n", name
        return found.removesuffix(b"\r\n") + blank + body

    return change


def added(*lines: str) -> Change:
    """Header fields written above, as servers on the way do."""
    return lambda content: "".join(f"{line}\r\n" for line in lines).encode() + content


def root(encoding: str, encode: Callable[[bytes], bytes] = lambda content: content) -> Change:
    """The SOAP part under another transfer encoding; empty: without saying which."""

    def change(content: bytes) -> bytes:
        found = re.search(rb"Content-Transfer-Encoding: 8bit\r\n(\r\n)(.*?)(\r\n--)", content, re.S)
        assert found is not None
        line = f"Content-Transfer-Encoding: {encoding}\r\n".encode() if encoding else b""
        return content[: found.start()] + line + b"\r\n" + encode(found.group(2)) + content[found.start(3) :]

    return change


def as_base64(content: bytes) -> bytes:
    """In lines."""
    return base64.encodebytes(content).replace(b"\n", b"\r\n").rstrip()


def as_quoted(content: bytes) -> bytes:
    """Quoted-printable, in lines."""
    return quopri.encodestring(content).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


NOTICE = (
    "Content-Type: text/plain; charset=iso-8859-1\r\n\r\nDenne e-posten er kontrollert: ingen virus ble funnet.\r\n"
)


def wrapped(*, notice_first: bool = True, boundary: str = "skanner") -> Change:
    """Put by a scanner or a list into a multipart/mixed with words of its own, before or after."""

    def change(content: bytes) -> bytes:
        head, _, body = content.partition(b"\r\n\r\n")
        lines = re.split(rb"\r\n(?![ \t])", head)
        inner = [line for line in lines if line.lower().startswith(b"content-")]
        outer = [line for line in lines if line not in inner]
        package = b"\r\n".join(inner) + b"\r\n\r\n" + body
        parts = [NOTICE.encode(), package] if notice_first else [package, NOTICE.encode()]
        edge = f"--{boundary}".encode()
        whole = b"".join(edge + b"\r\n" + part + b"\r\n" for part in parts) + edge + b"--\r\n"
        kind = f'Content-Type: multipart/mixed; boundary="{boundary}"'.encode()
        return b"\r\n".join([*outer, kind]) + b"\r\n\r\n" + whole

    return change


def flattened(content: bytes) -> bytes:
    """The package's own container renamed, with the scanner's words as one part more."""
    boundary = re.search(rb'boundary="([^"]+)"', content)
    assert boundary is not None
    edge = b"--" + boundary.group(1)
    renamed = re.sub(rb"multipart/related; type=\"text/xml\"", b"multipart/mixed", content, count=1)
    return renamed.replace(edge + b"--", edge + b"\r\n" + NOTICE.encode() + b"\r\n" + edge + b"--")


def all_of(*changes: Change) -> Change:
    """One after another."""

    def change(content: bytes) -> bytes:
        for one in changes:
            content = one(content)
        return content

    return change


def report(*parts: str, kind: str = "delivery-status", **fields: str) -> bytes:
    """A multipart/report of these parts, each with its own header fields."""
    body = "".join(f"--grense\r\n{part}\r\n" for part in parts) + "--grense--\r\n"
    container = f'multipart/report; report-type={kind}; boundary="grense"'
    told = {"Auto_Submitted": "auto-replied", "Message_ID": "<d5.3@relay.example>", **fields}
    return said("MAILER-DAEMON@relay.example", container, body, **told)


WORDS = "Content-Type: text/plain\r\n\r\nThis is the mail system at relay.example.\r\n"


def status(action: str, code: str, envelope_id: str = "", encoding: str = "") -> str:
    """A message/delivery-status part."""
    own = f"Original-Envelope-Id: {envelope_id}\r\n" if envelope_id else ""
    groups = (
        f"Reporting-MTA: dns; relay.example\r\n{own}\r\nFinal-Recipient: rfc822; edi@partner.example\r\n"
        f"Action: {action}\r\nStatus: {code}\r\nDiagnostic-Code: smtp; 550 {code} invented\r\n"
    )
    if encoding == "base64":
        groups = base64.encodebytes(groups.encode()).decode()
    said_so = f"Content-Transfer-Encoding: {encoding}\r\n" if encoding else ""
    return f"Content-Type: message/delivery-status\r\n{said_so}\r\n{groups}"


def headers(message_id: str) -> str:
    """The header of what was sent, returned."""
    return f"Content-Type: text/rfc822-headers\r\n\r\nFrom: <{HUB}>\r\nMessage-ID: <{message_id}>\r\nSubject: HENVISNING\r\n"


def whole(sent: bytes) -> str:
    """All of what was sent, returned."""
    return f"Content-Type: message/rfc822\r\n\r\n{sent.decode()}"
