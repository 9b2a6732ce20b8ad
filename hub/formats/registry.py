"""Reads what the national address registry answers: SOAP results and the JSON of its successor (nhn-amqp.md §5.1, §5.4)."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lxml import etree

from hub.formats import xml
from hub.formats.document import NORWAY, child, children, text_of
from hub.formats.queues import REGISTERED, QueueAddress, QueueKind, address
from hub.formats.times import parse_instant

LIMIT = 5_000_000
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


@dataclass(frozen=True, slots=True)
class RegisteredQueue:
    """A queue of a party; `inherited` from its organisation, and then shared with others (§1.3)."""

    address: QueueAddress
    inherited: bool


@dataclass(frozen=True, slots=True)
class RegisteredParty:
    """A communication party as the registry knows it; empty where it says nothing."""

    her_id: str
    name: str
    kind: str  #: Service, Organization, Department, OrganizationPerson or Person
    parent_her_id: str
    parent_name: str
    organisation_number: str
    valid: bool  #: IsValidCommunicationParty
    valid_to: datetime | None
    queues: Mapping[QueueKind, RegisteredQueue] = field(default_factory=dict)

    def active(self, at: datetime) -> bool:
        """Whether it may be written to: valid, and not past its last day (§5.4)."""
        return self.valid and (self.valid_to is None or at < self.valid_to)


@dataclass(frozen=True, slots=True)
class RegisteredCertificate:
    """A certificate of a party, and where the registry found it."""

    der: bytes = field(repr=False)
    ldap_url: str


@dataclass(frozen=True, slots=True)
class RegistryFault:
    """The registry does not know, or has answered something else; `code` is its own word where it has one."""

    code: str
    text: str


UNREADABLE, NOTHING = "unreadable", "nothing"
#: Its word for a HER-id that it does not know (§5.1).
UNKNOWN_HER_ID = "InvalidHerIdSupplied"


def party(raw: bytes) -> RegisteredParty | RegistryFault:
    """A CommunicationParty, from SOAP with or without its envelope, or from JSON."""
    found = _json(raw) if raw.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"{" else _result(raw)
    if isinstance(found, RegistryFault):
        return found
    members = found if isinstance(found, dict) else _members(found)
    her_id = _said(members, "HerId")
    if not her_id:
        return RegistryFault(UNREADABLE, "the answer is no communication party: it has no HerId")
    return RegisteredParty(
        her_id=her_id,
        name=_said(members, "DisplayName") or _said(members, "Name"),
        kind=_said(members, "Type"),
        parent_her_id=_said(members, "ParentHerId"),
        parent_name=_said(members, "ParentName"),
        organisation_number=_said(members, "OrganizationNumber") or _said(members, "ParentOrganizationNumber"),
        valid=_said(members, "IsValidCommunicationParty").lower() != "false",
        valid_to=parse_instant(_said(_below(members.get("Valid")), "To"), NORWAY),
        queues=_queues(members.get("ElectronicAddresses")),
    )


def certificate(raw: bytes) -> RegisteredCertificate | RegistryFault:
    """CertificateDetails, or the certificate of the newer interface; a party may have none."""
    found = _json(raw) if raw.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"{" else _result(raw)
    if isinstance(found, RegistryFault):
        return found
    members = found if isinstance(found, dict) else _members(found)
    written = _said(members, "Certificate") or _said(members, "certificateValue")
    try:
        der = base64.b64decode("".join(written.split()), validate=True)
    except (binascii.Error, ValueError):
        der = b""
    if not der.startswith(b"0"):
        return RegistryFault(UNREADABLE, "the certificate is empty or cannot be read")
    return RegisteredCertificate(der, _said(members, "LdapUrl"))


def _queues(addresses: Any) -> dict[QueueKind, RegisteredQueue]:
    """The first usable address of each kind of queue; those of sub-units lie elsewhere and are not looked at."""
    found: dict[QueueKind, RegisteredQueue] = {}
    for one in _several(addresses):
        kind = REGISTERED.get(_said(one, "TypeCodeValue") or _said(_below(one.get("Type")), "CodeValue"))
        where = address(_said(one, "Address"))
        if kind is not None and where is not None:
            found.setdefault(kind, RegisteredQueue(where, _said(one, "Inherited").lower() == "true"))
    return found


# --- SOAP


def _result(raw: bytes) -> etree._Element | RegistryFault:
    """The result inside a SOAP envelope, or the element itself; nil means that there is none."""
    root = xml.parse(raw, xml.Bounds.for_document(LIMIT))
    if isinstance(root, xml.XmlFault):
        return RegistryFault(UNREADABLE, root.text)
    body = child(root, "Body") if etree.QName(root).localname == "Envelope" else None
    if body is not None:
        if (fault := child(body, "Fault")) is not None:
            return _fault(fault)
        answered = child(body, "*")
        result = child(answered, "*")
        if result is None:
            return RegistryFault(NOTHING, "the registry has nothing")
        root = result
    if root.get(_NIL) == "true":
        return RegistryFault(NOTHING, "the registry has nothing")
    return root


def _fault(fault: etree._Element) -> RegistryFault:
    """GenericFault of SOAP 1.1 or 1.2, else what the fault says itself."""
    generic = next(fault.iter("{*}GenericFault"), None)
    if generic is not None:
        return RegistryFault(text_of(generic, "ErrorCode"), text_of(generic, "Message"))
    reason = text_of(child(fault, "Reason"), "Text") or text_of(fault, "faultstring")
    return RegistryFault(UNREADABLE, reason or "a fault without words")


def _members(element: etree._Element) -> dict[str, Any]:
    """Members by name; of data contracts each stands once, and nil is none."""
    return {etree.QName(e).localname: e for e in children(element, "*") if e.get(_NIL) != "true"}


# --- JSON


def _json(raw: bytes) -> dict[str, Any] | RegistryFault:
    """An object; the export wraps the older model as `communicationParty` (§5.4)."""
    try:
        found = json.loads(raw.decode("utf-8-sig")) if len(raw) <= LIMIT else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return RegistryFault(UNREADABLE, "the answer is neither XML nor JSON, or too large")
    inner = found.get("communicationParty", found)
    if not isinstance(inner, dict):
        return RegistryFault(NOTHING, "the registry has nothing")
    return {**{name[:1].upper() + name[1:]: value for name, value in inner.items()}, **inner}


# --- both


def _said(members: Mapping[str, Any], name: str) -> str:
    match members.get(name):
        case etree._Element() as element:
            return (element.text or "").strip()
        case str() as text:
            return text.strip()
        case bool() as flag:
            return str(flag)
        case int() as number:
            return str(number)
        case _:
            return ""


def _below(member: Any) -> Mapping[str, Any]:
    if isinstance(member, etree._Element):
        return _members(member)
    return member if isinstance(member, dict) else {}


def _several(member: Any) -> list[Mapping[str, Any]]:
    if isinstance(member, etree._Element):
        return [_members(e) for e in children(member, "ElectronicAddress")]
    return [one for one in member if isinstance(one, dict)] if isinstance(member, list) else []
