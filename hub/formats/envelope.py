"""Reads an ebMS 2.0 envelope leniently into one value, and notes every breach of the numbered rules (HITS 1172 5.6–5.14)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
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
#: Children of Header or of Body; honest messages have five or six.
MAX_BLOCKS = 50
SIGNAL_SERVICE = "urn:oasis:names:tc:ebxml-msg:service"

_EB, _DS = f"{{{EB}}}", f"{{{DS}}}"
_EB_LENGTH = len(_EB)
_HEADER, _BODY, _MESSAGE_HEADER = f"{{{SOAP}}}Header", f"{{{SOAP}}}Body", _EB + "MessageHeader"
_PARTY_ID, _ROLE = _EB + "PartyId", _EB + "Role"
_TYPE, _VERSION, _MUST_UNDERSTAND = _EB + "type", _EB + "version", f"{{{SOAP}}}mustUnderstand"
_ACTOR, _TO_PARTY = f"{{{SOAP}}}actor", "urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH"
#: Whom a header block may be for, when it is for us (SOAP 1.1 4.2.2; ebMS 2.0 2.3.10, 2.3.11).
_OUR_ACTORS = frozenset(
    {
        "",
        _TO_PARTY,
        "urn:oasis:names:tc:ebxml-msg:actor:nextMSH",
        "http://schemas.xmlsoap.org/soap/actor/next",
    }
)

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
    status_at: datetime | None = None  #: of a StatusResponse: when the message came that it is about

    @property
    def highest_severity(self) -> str:
        """Recomputed from the Errors: what stands in the attribute is not to be trusted (ebxml.md §1.12)."""
        return "Error" if any(e.severity != "Warning" for e in self.errors) or not self.errors else "Warning"


def read(root: etree._Element) -> Envelope | EnvelopeFault:
    """The envelope's value; never raises for what is missing or odd. `root` has no comments (hub.formats.xml)."""
    if root.tag != f"{{{SOAP}}}Envelope":
        return EnvelopeFault("86", "the root element is not a SOAP 1.1 Envelope")
    children = list(root)  # and by tag here: a search by name makes a matcher first
    headers, bodies = [c for c in children if c.tag == _HEADER], [c for c in children if c.tag == _BODY]
    if len(headers) != 1 or len(bodies) != 1:
        return EnvelopeFault("2, 3", "Header or Body is missing, or occurs more than once")
    header, body = headers[0], bodies[0]
    if len(header) > MAX_BLOCKS or len(body) > MAX_BLOCKS:  # each would be looked at, and every wrong one noted
        return EnvelopeFault("100, 101", f"Header or Body has more than {MAX_BLOCKS} blocks")
    blocks = list(header)
    messages = [b for b in blocks if b.tag == _MESSAGE_HEADER]
    if len(messages) != 1:
        return EnvelopeFault("4", "eb:MessageHeader is missing, or occurs more than once")
    return _Reader(blocks, list(body), messages[0]).envelope()


def her_id(parties: tuple[PartyId, ...]) -> str:
    """The number of a party: the PartyId of type HER (HIS 1037 errata 1; HITS 1172 60, 61), else see `numbered`."""
    for party in parties:  # asked a dozen times for each message
        if party.type == "HER":
            return party.value
    found = numbered(parties)
    return found.value if found is not None else ""


def her_type(parties: tuple[PartyId, ...]) -> str:
    """How the type of that PartyId was written."""
    if any(party.type == "HER" for party in parties):
        return "HER"
    found = numbered(parties)
    return found.type if found is not None else "HER"


def numbered(parties: tuple[PartyId, ...]) -> PartyId | None:
    """Of those without the type HER the one that is written otherwise, as `urn:…:HER`, else the first number.

    Such a one counts only where an agreement names the party so (hub.checks.header.rules).
    """
    otherwise = next((p for p in parties if p.type.upper().endswith("HER")), None)
    return otherwise or next((p for p in parties if p.value.isascii() and p.value.isdigit()), None)


def _for_us(block: etree._Element) -> bool:
    """Whether a header block is addressed to this message handler: to whoever comes next, or to the last one."""
    return (block.get(_ACTOR) or "").strip() in _OUR_ACTORS


def _next_only(block: etree._Element) -> bool:
    """An AckRequested of the next handler stands behind the one that is asked of the last: we are both."""
    return block.tag == _EB + "AckRequested" and (block.get(_ACTOR) or "").strip() not in ("", _TO_PARTY)


class _Reader:
    """One walk over one envelope, noting findings on the way."""

    def __init__(self, blocks: list[etree._Element], contents: list[etree._Element], message: etree._Element) -> None:
        self.message, self.blocks, self.contents = message, sorted(blocks, key=_next_only), contents
        blocks = self.blocks
        self.header, self.body, self.fields = _by_name(blocks), _by_name(contents), _by_name(message)
        self.texts, self.data = _texts(self.fields), _texts(_by_name(self.fields.get("MessageData", ())))
        self.findings: list[HeaderFinding] = []

    def envelope(self) -> Envelope:
        fields, texts, data = self.fields, self.texts.get, self.data.get
        ack, requested = self.header.get("Acknowledgment"), self.header.get("AckRequested")
        sender, from_role = _party(fields.get("From"))
        receiver, to_role = _party(fields.get("To"))
        found = Envelope(
            kind=self._kind(),
            from_parties=sender,
            to_parties=receiver,
            from_role=from_role,
            to_role=to_role,
            cpa_id=texts("CPAId", ""),
            conversation_id=texts("ConversationId", ""),
            service=texts("Service", ""),
            service_type=_attribute(fields.get("Service"), "type"),
            action=texts("Action", ""),
            message_id=data("MessageId", ""),
            timestamp=parse_instant(data("Timestamp", ""), UTC),
            ref_to_message_id=self._reference(),
            time_to_live=parse_instant(data("TimeToLive", ""), UTC),
            duplicate_elimination="DuplicateElimination" in fields,
            ack_requested=requested is not None,
            ack_signed=_attribute(requested, "signed") in ("true", "1"),
            sync_reply="SyncReply" in self.header,
            manifest=tuple([_item(r) for r in _named(self.body.get("Manifest"), "Reference")]),
            acknowledgment=_acknowledgment(ack) if ack is not None else None,
            errors=tuple([_error(e) for e in _named(self.header.get("ErrorList"), "Error")]),
            status=_attribute(self.body.get("StatusResponse"), "messageStatus"),
            status_at=self._status_at(),
            findings=(),
        )
        return self._judged(found)

    def _kind(self) -> Kind:
        """HITS 1172 5.11: what the message is, from what it holds; Service and Action decide where that is unclear."""
        kinds: list[Kind] = [kind for name, kind in _KINDS_OF_BODIES.items() if name in self.body]
        kinds += [kind for name, kind in _KINDS_OF_HEADERS.items() if name in self.header]
        action = self.texts.get("Action", "")
        if self.texts.get("Service") == SIGNAL_SERVICE:
            named = _KINDS_OF_ACTIONS.get(action)
            if named is not None and named in kinds:
                return named
            if not kinds and action in ("Ping", "Pong"):
                return "ping" if action == "Ping" else "pong"
        if len(kinds) == 1:
            return kinds[0]
        return "contradictory" if kinds else "empty"

    def _reference(self) -> str:
        for name in ("StatusRequest", "StatusResponse"):
            block = self.body.get(name)
            if block is not None and (found := _text(_by_name(block).get("RefToMessageId"))):
                return found
        return self.data.get("RefToMessageId", "")

    def _status_at(self) -> datetime | None:
        response = self.body.get("StatusResponse")
        return parse_instant(_text(_first(response, "Timestamp")), UTC) if response is not None else None

    def _judged(self, e: Envelope) -> Envelope:
        self._versions()
        self._encoding()
        self._party_ids("From", e.from_parties, ("60", "14", "31"))
        self._party_ids("To", e.to_parties, ("61", "13", "56"))
        self._values(e)
        self._strangers()
        if e.kind == "business":
            self._business(e)
        elif e.kind in ("acknowledgment", "error"):
            self._signal(e)
        return replace(e, findings=tuple(self.findings)) if self.findings else e

    def _say(self, rule: str, element: str, text: str, code: str, *, warning: bool = False) -> None:
        self.findings.append(HeaderFinding(rule, element, text, code, "Warning" if warning else "Error"))

    def _versions(self) -> None:
        version = self.message.get(_VERSION)
        if version is None:
            self._say("8", "//eb:MessageHeader", "eb:version is missing", "ValueNotRecognized")
        elif version.strip() != "2.0":
            self._say("70", "//eb:MessageHeader/@eb:version", "eb:version is not 2.0", "ValueNotRecognized")
        must = self.message.get(_MUST_UNDERSTAND)
        if must not in ("1", "true"):  # "true" is written by real senders (ebxml.md §10 item 11)
            self._say("7, 69", "//eb:MessageHeader", "mustUnderstand is not 1", "OtherXml", warning=True)

    def _encoding(self) -> None:
        """Another encoding than UTF-8 is accepted with a Warning (HITS 1171 8.4)."""
        if (self.message.getroottree().docinfo.encoding or "UTF-8").upper() not in ("UTF-8", "US-ASCII", "ASCII"):
            self._say("68", "/", "the XML encoding is not UTF-8", "ValueNotRecognized", warning=True)

    def _party_ids(self, name: str, parties: tuple[PartyId, ...], rules: tuple[str, str, str]) -> None:
        her = [p.value for p in parties if p.type == "HER"]
        if len(her) == 1 and her[0].isdigit():
            return
        where = f"//eb:{name}/eb:PartyId"
        if not her:
            self._say(rules[0], where, f"{name} has no PartyId of type HER", "ValueNotRecognized")
        elif len(her) > 1:
            self._say(rules[1], where, f"{name} has {len(her)} PartyIds of type HER", "Inconsistent")
        else:
            self._say(rules[2], where, f"the HER-id of {name} is not a number", "ValueNotRecognized")

    def _values(self, e: Envelope) -> None:
        stamp, end = self.data.get("Timestamp", ""), self.data.get("TimeToLive", "")
        if not (e.message_id and stamp and e.cpa_id and e.service and e.action and e.conversation_id):
            self._missing(e, stamp)
        if e.message_id and not _ID.match(e.message_id):
            self._say("102", "//eb:MessageId", "MessageId has characters that no identifier has", "ValueNotRecognized")
        for name, written, parsed in (("Timestamp", stamp, e.timestamp), ("TimeToLive", end, e.time_to_live)):
            if parsed is None and written:
                self._say("17", f"//eb:{name}", f"{name} is not a dateTime", "OtherXml")

    def _missing(self, e: Envelope, stamp: str) -> None:
        required = (
            ("76", "MessageId", e.message_id),
            ("77", "Timestamp", stamp),
            ("11", "CPAId", e.cpa_id),
            ("47", "Service", e.service),
            ("48", "Action", e.action),
            ("H-1037 4.2", "ConversationId", e.conversation_id),
        )
        for rule, name, value in required:
            if not value:
                self._say(rule, f"//eb:{name}", f"{name} is missing or empty", "OtherXml")

    def _strangers(self) -> None:
        """Unknown or misplaced blocks: in the Header with mustUnderstand (rule 100), any in the Body (101); known ones come once.

        What another than we must understand is no business of ours (SOAP 1.1 4.2.3), and AckRequested may be asked of the
        next message handler and of the last one (ebMS 2.0 6.3.1).
        """
        tags = [str(block.tag) for block in self.blocks]
        known = set(tags)
        if len(known) < len(tags):
            ours = [str(block.tag) for block in self.blocks if not _next_only(block) and _for_us(block)]
            for name in ("AckRequested", "Acknowledgment", "ErrorList", "SyncReply"):
                counted = ours if name == "AckRequested" else tags
                if counted.count(_EB + name) > 1:
                    self._say("Header", f"//eb:{name}", f"{name} occurs more than once", "Inconsistent")
        if not known <= _HEADER_BLOCKS:
            for block in self.blocks:
                must = block.get(_MUST_UNDERSTAND) in ("1", "true") and _for_us(block)
                if block.tag not in _HEADER_BLOCKS and must:
                    text = f"the header block {etree.QName(block).localname} must be understood and is not"
                    self._say("100", "//SOAP:Header", text, "NotSupported")
        if len(self.contents) > 1:
            self._say("Body", "//SOAP:Body", "the Body has more than one element", "OtherXml")
        if len(self.body) < len(self.contents) and any(not str(b.tag).startswith(_EB) for b in self.contents):
            self._say("101", "//SOAP:Body", "the Body has an unknown element", "NotSupported")

    def _business(self, e: Envelope) -> None:
        if not e.manifest:
            self._say("6", "//eb:Manifest", "the Manifest has no Reference", "OtherXml")
        if _attribute(self.body.get("Manifest"), "version").strip() != "2.0":
            text = "the Manifest's eb:version is not 2.0"
            self._say("5", "//eb:Manifest/@eb:version", text, "ValueNotRecognized", warning=True)
        if not e.ack_requested:
            self._say("75", "//eb:AckRequested", "AckRequested is missing", "OtherXml", warning=True)
        elif not e.ack_signed:
            self._say("94", "//eb:AckRequested", "signed is not true", "OtherXml", warning=True)
        if not e.duplicate_elimination:
            self._say("74", "//eb:DuplicateElimination", "DuplicateElimination is missing", "OtherXml", warning=True)
        if "MessageOrder" in self.header:
            text = "MessageOrder is not kept: each message is handed on when it comes"
            self._say("MessageOrder", "//eb:MessageOrder", text, "NotSupported", warning=True)
        for side, role, ids in (("From", e.from_role, e.from_parties), ("To", e.to_role, e.to_parties)):
            if not role and ids:
                self._say("Role", f"//eb:{side}/eb:Role", f"{side} has no Role", "OtherXml", warning=True)

    def _signal(self, e: Envelope) -> None:
        """What a receipt must not be, or lacks: noted, since a receipt is never answered (HITS 1172 5.12, 5.13)."""
        ack, rules = e.acknowledgment, ("106", "107") if e.kind == "acknowledgment" else ("120", "121")
        named = {"acknowledgment": "Acknowledgment", "error": "MessageError"}[e.kind]
        in_data = bool(self.data.get("RefToMessageId"))
        noted = [
            (rules[0], "Service", e.service != SIGNAL_SERVICE),
            (rules[1], "Action", e.action != named),
            ("115" if e.kind == "acknowledgment" else "123", "Acknowledgment", ack is not None and bool(e.errors)),
            *(("H-1037 4.2", name, name in self.fields or name in self.header) for name in _NOT_IN_SIGNALS),
            ("H-1037 4.2", "TimeToLive", "TimeToLive" in self.data),
            ("H-1037 4.2", "Manifest", "Manifest" in self.body),
        ]
        if e.kind == "acknowledgment":
            uris = [uri for uri, _, _ in ack.references] if ack is not None else []
            noted += [
                ("108", "Acknowledgment/eb:RefToMessageId", ack is None or not ack.ref_to_message_id),
                ("109", "MessageData/eb:RefToMessageId", in_data),
                ("116", 'Acknowledgment/ds:Reference[@URI=""]', "" not in uris),
                ("117", "Acknowledgment/ds:Reference", not any(uri[:4].lower() == "cid:" for uri in uris)),
            ]
        else:
            noted.append(("122", "MessageData/eb:RefToMessageId", not in_data))
        for rule, element, broken in noted:
            if broken:
                self._say(rule, f"//eb:{element}", f"{element} is not as a receipt has it", "OtherXml", warning=True)


_HEADER_BLOCKS = frozenset(
    {
        *(
            _EB + n
            for n in ("MessageHeader", "AckRequested", "Acknowledgment", "ErrorList", "MessageOrder", "SyncReply")
        ),
        _DS + "Signature",
    }
)
_KINDS_OF_BODIES: Mapping[str, Kind] = {
    "Manifest": "business",
    "StatusRequest": "status_request",
    "StatusResponse": "status_response",
}
_KINDS_OF_HEADERS: Mapping[str, Kind] = {"Acknowledgment": "acknowledgment", "ErrorList": "error"}
#: "Acknowledgement" is the old text's spelling (ebxml.md §1.11).
_KINDS_OF_ACTIONS: Mapping[str, Kind] = {
    "Acknowledgment": "acknowledgment",
    "Acknowledgement": "acknowledgment",
    "MessageError": "error",
}
#: Forbidden in receipts (HIS 1037 4.2), and found in some all the same.
_NOT_IN_SIGNALS = ("AckRequested", "DuplicateElimination")
#: A UUID, or left@right, or what real senders write (ebxml.md §1.6); never blanks or controls.
_ID = re.compile(r"^[!-~]{1,256}$")


def _by_name(elements: Iterable[etree._Element]) -> dict[str, etree._Element]:
    """The first element of each name in the ebXML namespace: asked often, so looked at once."""
    found: dict[str, etree._Element] = {}
    for element in elements:
        tag = str(element.tag)
        if tag.startswith(_EB) and (name := tag[_EB_LENGTH:]) not in found:
            found[name] = element
    return found


def _texts(elements: Mapping[str, etree._Element]) -> dict[str, str]:
    return {name: (element.text or "").strip() for name, element in elements.items()}


def _named(parent: etree._Element | None, name: str) -> list[etree._Element]:
    if parent is None:
        return []
    wanted = _EB + name
    return [child for child in parent if child.tag == wanted]


def _first(parent: etree._Element, name: str) -> etree._Element | None:
    found = _named(parent, name)
    return found[0] if found else None


def _text(element: etree._Element | None) -> str:
    return (element.text or "").strip() if element is not None else ""


def _attribute(element: etree._Element | None, name: str) -> str:
    return (element.get(_EB + name) or "") if element is not None else ""


def _party(side: etree._Element | None) -> tuple[tuple[PartyId, ...], str]:
    """The identifiers of From or To, and its Role."""
    ids: list[PartyId] = []
    role: str | None = None
    for child in side if side is not None else ():
        tag = child.tag
        if tag == _PARTY_ID:
            ids.append(PartyId((child.get(_TYPE) or "").strip(), (child.text or "").strip()))
        elif tag == _ROLE and role is None:  # the first one
            role = (child.text or "").strip()
    return tuple(ids), role or ""


_HREF = f"{{{XLINK}}}href"


def _item(reference: etree._Element) -> ManifestItem:
    schema = _first(reference, "Schema")
    location, version = _attribute(schema, "location"), _attribute(schema, "version")
    return ManifestItem(bare_id(reference.get(_HREF) or ""), location.strip(), version.strip())


def _acknowledgment(ack: etree._Element) -> AcknowledgmentFacts:
    fields = _by_name(ack)
    echoed = tuple(
        (
            reference.get("URI") or "",
            (method.get("Algorithm") or "") if (method := reference.find(f"{{{DS}}}DigestMethod")) is not None else "",
            "".join((reference.findtext(f"{{{DS}}}DigestValue") or "").split()),
        )
        for reference in ack.iterchildren(f"{{{DS}}}Reference")
    )
    at, ref = _text(fields.get("Timestamp")), _text(fields.get("RefToMessageId"))
    return AcknowledgmentFacts(parse_instant(at, UTC), ref, echoed)


def _error(e: etree._Element) -> ErrorFacts:
    described = _text(_first(e, "Description"))
    code, severity, location = (_attribute(e, name).strip() for name in ("errorCode", "severity", "location"))
    return ErrorFacts(code, severity, location, described or _text(e))
