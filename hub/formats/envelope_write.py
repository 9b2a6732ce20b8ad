"""Writes ebMS 2.0 envelopes as templates that are canonical (C14N 1.0) already, so that signing needs no parser."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from hub.formats.times import write_instant

SIGNAL_SERVICE = "urn:oasis:names:tc:ebxml-msg:service"
TO_PARTY = "urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH"

#: Namespace declarations in the order of C14N: by prefix, "SOAP" < "eb" < "xlink".
_OPEN = (
    '<SOAP:Envelope xmlns:SOAP="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:eb="http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd"'
    ' xmlns:xlink="http://www.w3.org/1999/xlink"><SOAP:Header>'
)


@dataclass(frozen=True, slots=True)
class HeaderFields:
    """What a MessageHeader is filled with (ebxml.md §1.2)."""

    from_her: str
    to_her: str
    cpa_id: str
    conversation_id: str
    service: str
    action: str
    message_id: str
    timestamp: datetime
    from_role: str = ""
    to_role: str = ""
    ref_to_message_id: str = ""
    time_to_live: datetime | None = None
    software: tuple[str, str] = ("", "")  #: name and version of this message handler (HITS 1210)
    application: tuple[str, str] = ("", "")  #: likewise of the record system that sends; either may be left out
    middleware: tuple[str, str] = ("", "")  #: likewise of what stands between the two
    service_type: str = "string"  #: of eb:Service; empty: none is written
    from_type: str = "HER"  #: of the PartyIds, likewise
    to_type: str = "HER"


def escape_text(value: str) -> str:
    """Text as C14N writes it; characters that XML cannot hold become U+FFFD."""
    if value.isalnum():
        return value
    value = _FORBIDDEN.sub("\ufffd", value)
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")


def escape_attribute(value: str) -> str:
    """An attribute value as C14N writes it."""
    value = _FORBIDDEN.sub("\ufffd", value)
    for raw, written in (
        ("&", "&amp;"),
        ("<", "&lt;"),
        ('"', "&quot;"),
        ("\t", "&#x9;"),
        ("\n", "&#xA;"),
        ("\r", "&#xD;"),
    ):
        value = value.replace(raw, written)
    return value


#: What is no Char of XML 1.0 (2.2).
_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def business(
    header: HeaderFields,
    content_id: str,
    schema: tuple[str, str],
    *,
    ack_requested: bool = True,
    ack_signed: bool = True,
    duplicate_elimination: bool = True,
    sync_reply: bool = False,
) -> bytes:
    """A business message with one payload `content_id`; `schema` is (namespace, version) of its document (HITS 1210).

    `sync_reply` asks for the receipt in the same exchange (ebMS 2.0 4.3); it is for the next handler, and not signed.
    """
    extra, signed = "", "true" if ack_signed else "false"
    if ack_requested:
        extra += f'<eb:AckRequested{_actor(TO_PARTY)} eb:signed="{signed}" eb:version="2.0"></eb:AckRequested>'
    if sync_reply:
        next_actor = "http://schemas.xmlsoap.org/soap/actor/next"
        extra += f'<eb:SyncReply{_actor(next_actor)} eb:version="2.0"></eb:SyncReply>'
    location, version = schema
    described = (
        f'<eb:Schema eb:location="{escape_attribute(location)}" eb:version="{escape_attribute(version)}"></eb:Schema>'
    )
    reference = (
        f'<eb:Reference xlink:href="cid:{escape_attribute(content_id)}" xlink:type="simple">'
        f"{described if location and version else ''}</eb:Reference>"
    )
    body = f'<eb:Manifest eb:version="2.0">{reference}</eb:Manifest>'
    return _whole(_message_header(header, business_message=True, once=duplicate_elimination) + extra, body)


def acknowledgment(header: HeaderFields, ref_to_message_id: str, references: Sequence[bytes]) -> bytes:
    """A positive receipt that echoes the received ds:References, each given in canonical form (HITS 1172 116, 117)."""
    block = (
        f'<eb:Acknowledgment{_actor(TO_PARTY)} eb:version="2.0">'
        f"<eb:Timestamp>{write_instant(header.timestamp)}</eb:Timestamp>"
        f"<eb:RefToMessageId>{escape_text(ref_to_message_id)}</eb:RefToMessageId>"
        f"{_party('From', header.from_her, '', header.from_type)}"
        f"{b''.join(references).decode()}</eb:Acknowledgment>"
    )
    return _whole(_message_header(header) + block, "")


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """One eb:Error to be written."""

    code: str
    severity: str
    location: str
    text: str


def message_error(header: HeaderFields, errors: Sequence[ErrorLine]) -> bytes:
    """An ErrorList; highestSeverity is Error if any Error (HIS 1037 errata 2)."""
    highest = "Error" if any(e.severity == "Error" for e in errors) else "Warning"
    lines = "".join(
        f'<eb:Error eb:codeContext="{SIGNAL_SERVICE}:errors" eb:errorCode="{escape_attribute(e.code)}"'
        f'{_location(e.location)} eb:severity="{e.severity}">'
        f'<eb:Description xml:lang="en">{escape_text(e.text)}</eb:Description></eb:Error>'
        for e in errors
    )
    block = (
        f'<eb:ErrorList SOAP:mustUnderstand="1" eb:highestSeverity="{highest}" eb:version="2.0">{lines}</eb:ErrorList>'
    )
    return _whole(_message_header(header) + block, "")


def pong(header: HeaderFields) -> bytes:
    """The answer to a Ping."""
    return _whole(_message_header(header), "")


def ping(header: HeaderFields, *, sync_reply: bool = False) -> bytes:
    """A Ping; with SyncReply where the Pong is agreed to come in the same exchange (ebMS 2.0 4.3, 8.1)."""
    return _whole(_message_header(header) + _asks_here(sync_reply), "")


def status_request(header: HeaderFields, ref_to_message_id: str, *, sync_reply: bool = False) -> bytes:
    """Asks what became of a message (ebMS 2.0 7.1)."""
    asked = f"<eb:RefToMessageId>{escape_text(ref_to_message_id)}</eb:RefToMessageId>"
    body = f'<eb:StatusRequest eb:version="2.0">{asked}</eb:StatusRequest>'
    return _whole(_message_header(header) + _asks_here(sync_reply), body)


def _asks_here(sync_reply: bool) -> str:
    next_actor = "http://schemas.xmlsoap.org/soap/actor/next"
    return f'<eb:SyncReply{_actor(next_actor)} eb:version="2.0"></eb:SyncReply>' if sync_reply else ""


def status_response(header: HeaderFields, ref_to_message_id: str, status: str, at: datetime | None = None) -> bytes:
    """Tells what became of a message: UnAuthorized, NotRecognized, Received, Processed or Forwarded.

    `at` is when it came: left out where the message is not known (ebMS 2.0 7.3.2).
    """
    told = f"<eb:RefToMessageId>{escape_text(ref_to_message_id)}</eb:RefToMessageId>"
    told += f"<eb:Timestamp>{write_instant(at)}</eb:Timestamp>" if at else ""
    open_tag = f'<eb:StatusResponse eb:messageStatus="{escape_attribute(status)}" eb:version="2.0">'
    return _whole(_message_header(header), f"{open_tag}{told}</eb:StatusResponse>")


def _whole(header: str, body: str) -> bytes:
    return f"{_OPEN}{header}</SOAP:Header><SOAP:Body>{body}</SOAP:Body></SOAP:Envelope>".encode()


def _actor(actor: str) -> str:
    """Attributes of the SOAP namespace; the eb ones follow, since C14N sorts by namespace URI, and http://s < http://w."""
    return f' SOAP:actor="{actor}" SOAP:mustUnderstand="1"'


def _location(location: str) -> str:
    return f' eb:location="{escape_attribute(location)}"' if location else ""


def _message_header(h: HeaderFields, *, business_message: bool = False, once: bool = False) -> str:
    ttl = f"<eb:TimeToLive>{write_instant(h.time_to_live)}</eb:TimeToLive>" if h.time_to_live else ""
    ref = f"<eb:RefToMessageId>{escape_text(h.ref_to_message_id)}</eb:RefToMessageId>" if h.ref_to_message_id else ""
    kind = f' eb:type="{escape_attribute(h.service_type)}"' if business_message and h.service_type else ""
    return (
        '<eb:MessageHeader SOAP:mustUnderstand="1" eb:version="2.0">'
        f"{_party('From', h.from_her, h.from_role, h.from_type)}{_party('To', h.to_her, h.to_role, h.to_type)}"
        f"<eb:CPAId>{escape_text(h.cpa_id)}</eb:CPAId>"
        f"<eb:ConversationId>{escape_text(h.conversation_id)}</eb:ConversationId>"
        f"<eb:Service{kind}>{escape_text(h.service)}</eb:Service><eb:Action>{escape_text(h.action)}</eb:Action>"
        f"<eb:MessageData><eb:MessageId>{escape_text(h.message_id)}</eb:MessageId>"
        f"<eb:Timestamp>{write_instant(h.timestamp)}</eb:Timestamp>{ref}{ttl}</eb:MessageData>"
        f"{'<eb:DuplicateElimination></eb:DuplicateElimination>' if once else ''}"
        f"{_description(h)}</eb:MessageHeader>"
    )


def _party(side: str, number: str, role: str, kind: str) -> str:
    written = f"<eb:Role>{escape_text(role)}</eb:Role>" if role else ""
    typed = f' eb:type="{escape_attribute(kind)}"' if kind else ""
    return f"<eb:{side}><eb:PartyId{typed}>{escape_text(number)}</eb:PartyId>{written}</eb:{side}>"


#: Keys of Description that are told where they are known (HITS 1210).
_MORE_SOFTWARE = ("fagsystem", "fagsystem-versjon", "mellomvare", "mellomvare-versjon")


def _description(h: HeaderFields) -> str:
    """Monitoring of message versions: JSON in Description (HITS 1210); the message handler is required, all else told if known."""
    if not h.software[0]:
        return ""
    said = {"MSH-system": h.software[0], "MSH-versjon": h.software[1]}
    more = zip(_MORE_SOFTWARE, (*h.application, *h.middleware), strict=True)
    told = json.dumps({**said, **{key: value for key, value in more if value}}, ensure_ascii=False)
    return f'<eb:Description xml:lang="NO">{escape_text(told)}</eb:Description>'
