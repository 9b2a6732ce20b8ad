"""Reads an ebMS 2.0 envelope leniently into one value, and notes every breach of the numbered rules (HITS 1172 5.6–5.14)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from lxml import etree

from hub.formats.mime import bare_id
from hub.formats.times import parse_instant

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
EB = "http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd"
DS = "http://www.w3.org/2000/09/xmldsig#"
XLINK = "http://www.w3.org/1999/xlink"
SIGNAL_SERVICE = "urn:oasis:names:tc:ebxml-msg:service"

Kind = Literal[
    "business", "acknowledgment", "error", "ping", "pong", "status_request", "status_response", "contradictory", "empty"
]


@dataclass(frozen=True, slots=True)
class PartyId:
    """One identifier of a party; `type` is HER, ENH, orgnummer or whatever was written."""

    type: str
    value: str


@dataclass(frozen=True, slots=True)
class ManifestItem:
    """One eb:Reference: the part it names (without `cid:`) and what it says of the document's schema."""

    href: str
    schema_location: str
    schema_version: str


@dataclass(frozen=True, slots=True)
class AcknowledgmentFacts:
    """eb:Acknowledgment; references are (URI, DigestMethod, DigestValue) as echoed."""

    timestamp: datetime | None
    ref_to_message_id: str
    references: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class ErrorFacts:
    """One eb:Error."""

    code: str
    severity: str
    location: str
    text: str


@dataclass(frozen=True, slots=True)
class HeaderFinding:
    """A breach of a numbered rule. `severity` Warning: accepted all the same."""

    rule: str
    element: str
    text: str
    ebms_code: str
    severity: Literal["Error", "Warning"] = "Error"


@dataclass(frozen=True, slots=True)
class EnvelopeFault:
    """Not an ebXML envelope at all."""

    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """What an envelope says; every text trimmed; empty where nothing was written."""

    kind: Kind
    from_parties: tuple[PartyId, ...]
    to_parties: tuple[PartyId, ...]
    from_role: str
    to_role: str
    cpa_id: str
    conversation_id: str
    service: str
    service_type: str
    action: str
    message_id: str
    timestamp: datetime | None
    ref_to_message_id: str
    time_to_live: datetime | None
    duplicate_elimination: bool
    ack_requested: bool
    ack_signed: bool
    sync_reply: bool
    manifest: tuple[ManifestItem, ...]
    acknowledgment: AcknowledgmentFacts | None
    errors: tuple[ErrorFacts, ...]
    status: str
    findings: tuple[HeaderFinding, ...]

    @property
    def highest_severity(self) -> str:
        """Recomputed from the Errors: what stands in the attribute is not to be trusted (ebxml.md §1.12)."""
        return "Error" if any(e.severity != "Warning" for e in self.errors) or not self.errors else "Warning"


def read(root: etree._Element) -> Envelope | EnvelopeFault:
    """The envelope's value; never raises for what is missing or odd."""
    if root.tag != f"{{{SOAP}}}Envelope":
        return EnvelopeFault("86", "the root element is not a SOAP 1.1 Envelope")
    headers, bodies = root.findall(f"{{{SOAP}}}Header"), root.findall(f"{{{SOAP}}}Body")
    if len(headers) != 1 or len(bodies) != 1:
        return EnvelopeFault("2, 3", "Header or Body is missing, or occurs more than once")
    messages = headers[0].findall(f"{{{EB}}}MessageHeader")
    if len(messages) != 1:
        return EnvelopeFault("4", "eb:MessageHeader is missing, or occurs more than once")
    return _Reader(headers[0], bodies[0], messages[0]).envelope()


class _Reader:
    """One walk over one envelope, noting findings on the way."""

    def __init__(self, header: etree._Element, body: etree._Element, message: etree._Element) -> None:
        self.header, self.body, self.message = header, body, message
        self.findings: list[HeaderFinding] = []

    def envelope(self) -> Envelope:
        m = self.message
        data = _child(m, "MessageData")
        kind = self._kind()
        ack = _child(self.header, "Acknowledgment")
        requested = _child(self.header, "AckRequested")
        service = _child(m, "Service")
        found = Envelope(
            kind=kind,
            from_parties=_parties(m, "From"),
            to_parties=_parties(m, "To"),
            from_role=_text(_child(m, "From"), "Role"),
            to_role=_text(_child(m, "To"), "Role"),
            cpa_id=_text(m, "CPAId"),
            conversation_id=_text(m, "ConversationId"),
            service=(service.text or "").strip() if service is not None else "",
            service_type=(service.get(f"{{{EB}}}type") or "") if service is not None else "",
            action=_text(m, "Action"),
            message_id=_text(data, "MessageId"),
            timestamp=parse_instant(_text(data, "Timestamp"), UTC),
            ref_to_message_id=self._reference(data),
            time_to_live=parse_instant(_text(data, "TimeToLive"), UTC),
            duplicate_elimination=_child(m, "DuplicateElimination") is not None,
            ack_requested=requested is not None,
            ack_signed=requested is not None and requested.get(f"{{{EB}}}signed") in ("true", "1"),
            sync_reply=_child(self.header, "SyncReply") is not None,
            manifest=self._manifest(),
            acknowledgment=_acknowledgment(ack) if ack is not None else None,
            errors=_errors(self.header),
            status=self._status(),
            findings=(),
        )
        return self._judged(found, data)

    def _kind(self) -> Kind:
        """HITS 1172 5.11: what the message is, from what it holds; Service and Action decide where that is unclear."""
        holds = {
            "business": _child(self.body, "Manifest") is not None,
            "acknowledgment": _child(self.header, "Acknowledgment") is not None,
            "error": _child(self.header, "ErrorList") is not None,
            "status_request": _child(self.body, "StatusRequest") is not None,
            "status_response": _child(self.body, "StatusResponse") is not None,
        }
        kinds = [kind for kind, there in holds.items() if there]
        action = _text(self.message, "Action")
        if _text(self.message, "Service") == SIGNAL_SERVICE:
            # "Acknowledgement" is the old text's spelling (ebxml.md §1.11)
            named = {"Acknowledgment": "acknowledgment", "Acknowledgement": "acknowledgment", "MessageError": "error"}
            if named.get(action) in kinds:
                return named[action]  # type: ignore[return-value]
            if not kinds and action in ("Ping", "Pong"):
                return "ping" if action == "Ping" else "pong"
        if len(kinds) == 1:
            return kinds[0]  # type: ignore[return-value]
        return "contradictory" if kinds else "empty"

    def _reference(self, data: etree._Element | None) -> str:
        for place in (_child(self.body, "StatusRequest"), _child(self.body, "StatusResponse"), data):
            if found := _text(place, "RefToMessageId"):
                return found
        return ""

    def _manifest(self) -> tuple[ManifestItem, ...]:
        manifest = _child(self.body, "Manifest")
        if manifest is None:
            return ()
        return tuple(_item(reference) for reference in manifest.iterfind(f"{{{EB}}}Reference"))

    def _status(self) -> str:
        response = _child(self.body, "StatusResponse")
        return (response.get(f"{{{EB}}}messageStatus") or "") if response is not None else ""

    def _judged(self, e: Envelope, data: etree._Element | None) -> Envelope:
        self._versions()
        self._encoding()
        self._parties(e)
        self._values(e, data)
        self._strangers()
        if e.kind == "business":
            self._business(e)
        return replace(e, findings=tuple(self.findings))

    def _say(self, rule: str, element: str, text: str, code: str, *, warning: bool = False) -> None:
        self.findings.append(HeaderFinding(rule, element, text, code, "Warning" if warning else "Error"))

    def _versions(self) -> None:
        version = self.message.get(f"{{{EB}}}version")
        if version is None:
            self._say("8", "//eb:MessageHeader", "eb:version is missing", "ValueNotRecognized")
        elif version.strip() != "2.0":
            self._say("70", "//eb:MessageHeader/@eb:version", "eb:version is not 2.0", "ValueNotRecognized")
        must = self.message.get(f"{{{SOAP}}}mustUnderstand")
        if must not in ("1", "true"):  # "true" is written by real senders (ebxml.md §10 item 11)
            self._say("7, 69", "//eb:MessageHeader", "mustUnderstand is not 1", "OtherXml", warning=True)

    def _encoding(self) -> None:
        """Another encoding than UTF-8 is accepted with a Warning (HITS 1171 8.4)."""
        if (self.message.getroottree().docinfo.encoding or "UTF-8").upper() not in ("UTF-8", "US-ASCII", "ASCII"):
            self._say("68", "/", "the XML encoding is not UTF-8", "ValueNotRecognized", warning=True)

    def _parties(self, e: Envelope) -> None:
        for name, parties, rules in (
            ("From", e.from_parties, ("60", "14", "31")),
            ("To", e.to_parties, ("61", "13", "56")),
        ):
            her = [p.value for p in parties if p.type == "HER"]
            where = f"//eb:{name}/eb:PartyId"
            if not her:
                self._say(rules[0], where, f"{name} has no PartyId of type HER", "ValueNotRecognized")
            elif len(her) > 1:
                self._say(rules[1], where, f"{name} has {len(her)} PartyIds of type HER", "Inconsistent")
            elif not her[0].isdigit():
                self._say(rules[2], where, f"the HER-id of {name} is not a number", "ValueNotRecognized")

    def _values(self, e: Envelope, data: etree._Element | None) -> None:
        required = (
            ("76", "MessageId", e.message_id),
            ("77", "Timestamp", _text(data, "Timestamp")),
            ("11", "CPAId", e.cpa_id),
            ("47", "Service", e.service),
            ("48", "Action", e.action),
            ("H-1037 4.2", "ConversationId", e.conversation_id),
        )
        for rule, name, value in required:
            if not value:
                self._say(rule, f"//eb:{name}", f"{name} is missing or empty", "OtherXml")
        if e.message_id and not _ID.match(e.message_id):
            self._say("102", "//eb:MessageId", "MessageId has characters that no identifier has", "ValueNotRecognized")
        for name, value, parsed in (
            ("Timestamp", _text(data, "Timestamp"), e.timestamp),
            ("TimeToLive", _text(data, "TimeToLive"), e.time_to_live),
        ):
            if value and parsed is None:
                self._say("17", f"//eb:{name}", f"{name} is not a dateTime", "OtherXml")

    def _strangers(self) -> None:
        """Unknown blocks: in the Header with mustUnderstand (rule 100), any in the Body (rule 101); known ones come once."""
        for name in ("AckRequested", "Acknowledgment", "ErrorList", "SyncReply"):
            if len(self.header.findall(f"{{{EB}}}{name}")) > 1:
                self._say("Header", f"//eb:{name}", f"{name} occurs more than once", "Inconsistent")
        for block in self.header.iterchildren(tag=etree.Element):
            known = etree.QName(block).namespace in (EB, DS)
            if not known and block.get(f"{{{SOAP}}}mustUnderstand") in ("1", "true"):
                name = etree.QName(block).localname
                self._say(
                    "100", "//SOAP:Header", f"the header block {name} must be understood and is not", "NotSupported"
                )
        blocks = list(self.body.iterchildren(tag=etree.Element))
        if len(blocks) > 1:
            self._say("Body", "//SOAP:Body", "the Body has more than one element", "OtherXml")
        if any(etree.QName(block).namespace != EB for block in blocks):
            self._say("101", "//SOAP:Body", "the Body has an unknown element", "NotSupported")

    def _business(self, e: Envelope) -> None:
        if not e.manifest:
            self._say("6", "//eb:Manifest", "the Manifest has no Reference", "OtherXml")
        if not e.ack_requested:
            self._say("75", "//eb:AckRequested", "AckRequested is missing", "OtherXml", warning=True)
        elif not e.ack_signed:
            self._say("94", "//eb:AckRequested", "signed is not true", "OtherXml", warning=True)
        if not e.duplicate_elimination:
            self._say("74", "//eb:DuplicateElimination", "DuplicateElimination is missing", "OtherXml", warning=True)


#: A UUID, or left@right, or what real senders write (ebxml.md §1.6); never blanks or controls.
_ID = re.compile(r"^[!-~]{1,256}$")


def _child(parent: etree._Element | None, name: str) -> etree._Element | None:
    return parent.find(f"{{{EB}}}{name}") if parent is not None else None


def _text(parent: etree._Element | None, name: str) -> str:
    found = _child(parent, name)
    return (found.text or "").strip() if found is not None else ""


def _parties(message: etree._Element, name: str) -> tuple[PartyId, ...]:
    side = _child(message, name)
    if side is None:
        return ()
    ids = side.iterfind(f"{{{EB}}}PartyId")
    return tuple(PartyId((i.get(f"{{{EB}}}type") or "").strip(), (i.text or "").strip()) for i in ids)


def _item(reference: etree._Element) -> ManifestItem:
    schema = _child(reference, "Schema")
    location = (schema.get(f"{{{EB}}}location") or "") if schema is not None else ""
    version = (schema.get(f"{{{EB}}}version") or "") if schema is not None else ""
    return ManifestItem(bare_id(reference.get(f"{{{XLINK}}}href") or ""), location.strip(), version.strip())


def _acknowledgment(ack: etree._Element) -> AcknowledgmentFacts:
    echoed = tuple(
        (
            reference.get("URI") or "",
            (method.get("Algorithm") or "") if (method := reference.find(f"{{{DS}}}DigestMethod")) is not None else "",
            "".join((reference.findtext(f"{{{DS}}}DigestValue") or "").split()),
        )
        for reference in ack.iterfind(f"{{{DS}}}Reference")
    )
    return AcknowledgmentFacts(parse_instant(_text(ack, "Timestamp"), UTC), _text(ack, "RefToMessageId"), echoed)


def _errors(header: etree._Element) -> tuple[ErrorFacts, ...]:
    listed = _child(header, "ErrorList")
    if listed is None:
        return ()
    return tuple(
        ErrorFacts(
            (e.get(f"{{{EB}}}errorCode") or "").strip(),
            (e.get(f"{{{EB}}}severity") or "").strip(),
            (e.get(f"{{{EB}}}location") or "").strip(),
            _text(e, "Description") or (e.text or "").strip(),
        )
        for e in listed.iterfind(f"{{{EB}}}Error")
    )
