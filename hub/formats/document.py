"""Reads from a business document what routing and receipts need: type, ids, times and addresses; never its contents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from lxml import etree

from hub.formats import identifiers
from hub.formats.times import parse_instant

MSGHEAD = "http://www.kith.no/xmlstds/msghead/2006-05-24"
APPREC_NAMESPACES = {
    "http://www.kith.no/xmlstds/apprec/2004-11-21": "1.0",
    "http://www.kith.no/xmlstds/apprec/2012-02-15": "1.1",
}
BASE64 = "http://www.kith.no/xmlstds/base64container"
#: What stands within documents or around them, but is none itself: never the business part of a MsgHead.
NO_DOCUMENT = frozenset(
    {
        "",
        BASE64,
        MSGHEAD,
        *APPREC_NAMESPACES,
        "http://www.kith.no/xmlstds",
        "http://www.kith.no/xmlstds/felleskomponent1",
        "http://www.kith.no/xmlstds/po/poKomponent/2009-06-30",
        "http://www.kith.no/xmlstds/po/poKomponent/2012-04-01",
        "http://ehelse.no/xmlstds/po/poKomponent/2017-11-30",
        "http://www.kith.no/xmlstds/epj/epj1/2008-02-20",
        "http://www.kith.no/xmlstds/epj/epj2/2008-02-20",
        "http://www.kith.no/xmlstds/epj/epj3/2008-02-20",
        "http://www.kith.no/xmlstds/epj/meta/2008-02-20",
        "http://www.w3.org/2000/09/xmldsig#",
        "http://www.w3.org/XML/1998/namespace",
        "http://www.w3.org/1999/xlink",
        "http://schemas.xmlsoap.org/soap/envelope/",
        "http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd",
        "http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd",
    }
)
#: GenDate without an offset is Norwegian time (HIS 1037 6.2.1; ebxml.md §7.1).
NORWAY = ZoneInfo("Europe/Oslo")

Kind = Literal["msghead", "bare", "apprec", "other"]


@dataclass(frozen=True, slots=True)
class Ident:
    """One identifier of a party; `type` is a code of list 9051 or 8116."""

    value: str = field(repr=False)
    type: str


@dataclass(frozen=True, slots=True)
class Named:
    """An organisation, a unit or a person. Its name and ids stay out of every log."""

    name: str = field(repr=False)
    idents: tuple[Ident, ...]

    @property
    def her_id(self) -> str:
        """Its HER-id as a plain number, else empty; some write it with dots, blanks or leading zeros."""
        return next((_plain_number(i.value) for i in self.idents if i.type == "HER"), "")


@lru_cache(maxsize=4096)
def _plain_number(written: str) -> str:
    digits = identifiers.plain(written).lstrip("0")
    return digits if digits.isdecimal() and digits.isascii() else ""


@dataclass(frozen=True, slots=True)
class Address:
    """A sender or receiver: the enterprise, and the unit or named person that communicates (HIS 1153 AD2.2–2.8)."""

    organisation: Named | None = None
    unit: Named | None = None
    person: Named | None = None
    #: HER-ids of level 1 and level 2, in that order; a person below a unit with a HER-id is no address.
    her_ids: tuple[str, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """An address is remembered and asked for its ids some ten times for each message."""
        second = self.unit.her_id if self.unit else ""
        if not second and self.person is not None:
            second = self.person.her_id
        first = self.organisation.her_id if self.organisation else ""
        object.__setattr__(self, "her_ids", tuple(dict.fromkeys(her for her in (first, second) if her)))

    @property
    def her_id(self) -> str:
        """That of the communication party: level 2 where there is one; it equals eb:PartyId (ebxml.md §7.1)."""
        return self.her_ids[-1] if self.her_ids else ""


@dataclass(frozen=True, slots=True)
class Document:
    """What a document says about itself; empty where it says nothing."""

    kind: Kind
    namespace: str  #: of the business document, inside a MsgHead that of its business part; empty where it has none
    root_namespace: str
    root_name: str
    type_code: str = ""  #: of list 8279
    type_text: str = ""
    mig_version: str = ""
    msg_id: str = ""
    gen_date: datetime | None = None
    gen_date_text: str = ""  #: as written: goes verbatim into an AppRec
    document_id: str = ""  #: what AppRec 1.0 refers to in documents without MsgHead (ebxml.md §7.4)
    sender: Address = Address()
    receiver: Address = Address()
    copies: tuple[Address, ...] = ()
    conversation_ref: tuple[str, str] = ("", "")  #: MsgId of the previous and of the first message
    processing_status: str = ""  #: of list 8113: P, T, D
    priority: str = ""  #: of list 8115: H, N, L
    status: str = ""  #: of list 7309 or 8323
    has_patient: bool = False
    attachments: int = 0


def read(root: etree._Element) -> Document:
    """The document's facts; never raises for what is missing or odd. What we cannot carry has kind `other`."""
    namespace, name = _names(root)
    if namespace == MSGHEAD and name == "MsgHead":
        return _msghead(root)
    if namespace in APPREC_NAMESPACES and name == "AppRec":
        return _apprec(root, namespace)
    if name == "Message" and _body(root) is not None:
        return _bare(root, namespace)
    return Document("other", namespace, namespace, name)


def service_action_role(document: Document, original_type_code: str | None = None) -> tuple[str, str, str, str]:
    """Service, Action, From-Role and To-Role by the sector's vocabulary (HITS 1209 3).

    An AppRec travels under the Service of what it answers, with mirrored roles.
    """
    if document.kind == "apprec":
        code = original_type_code or document.status
        return f"S-{code}", "APPREC", f"{code}receiver", f"{code}sender"
    code = document.type_code
    return f"S-{code}", code, f"{code}sender", f"{code}receiver"


# --- MsgHead 1.2 (HIS 80601)


def _msghead(root: etree._Element) -> Document:
    parts = by_name(root)
    head = by_name(info := parts.get("MsgInfo"))
    business = business_part(root)
    gen_date = said(head.get("GenDate"))
    reference = by_name(head.get("ConversationRef"))
    return Document(
        kind="msghead",
        namespace=_names(business)[0] if business is not None else "",
        root_namespace=MSGHEAD,
        root_name="MsgHead",
        type_code=coded(head.get("Type")),
        type_text=coded(head.get("Type"), "DN"),
        mig_version=said(head.get("MIGversion")),
        msg_id=said(head.get("MsgId")),
        gen_date=parse_instant(gen_date, NORWAY),
        gen_date_text=gen_date,
        sender=_party(head.get("Sender")),
        receiver=_party(head.get("Receiver")),
        copies=tuple(_other_receivers(info)) if "OtherReceiver" in head else (),
        conversation_ref=(said(reference.get("RefToParent")), said(reference.get("RefToConversation"))),
        processing_status=coded(head.get("ProcessingStatus")),
        priority=coded(head.get("RequestedPriority")),
        has_patient="Patient" in head,
        attachments=max(0, sum(1 for _ in children(root, "Document")) - (business is not None)),
    )


def business_part(head: etree._Element) -> etree._Element | None:
    """The business document that a MsgHead carries, in its first Document as the standard has it, or in a later one.

    Some enclose an attachment first, or a whole MsgHead in a Document. What is marked as an attachment (MsgType A of list
    8114) counts only where nothing else is a document; None where nothing is one at all (HIS 80601; HIS 1036).
    """
    found = next(_enclosed(head, marked=False), None)
    return found if found is not None else next(_enclosed(head, marked=True), None)


def _enclosed(head: etree._Element, *, marked: bool, within: bool = False) -> Iterator[etree._Element]:
    """Documents in a MsgHead and in those within it, in their order; `marked`: those that are said to be attachments."""
    for document in _documents(head):
        reference = by_name(child(document, "RefDoc"))
        attached = within or coded(reference.get("MsgType")) == "A"
        for content in children(reference.get("Content"), "*"):
            namespace, name = _names(content)
            if namespace == MSGHEAD and name == "MsgHead":
                yield from _enclosed(content, marked=marked, within=attached)
            elif attached == marked and namespace not in NO_DOCUMENT:
                yield content


def _documents(head: etree._Element) -> Iterator[etree._Element]:
    """Every Document of a MsgHead; of a PatientReport where the head has none itself."""
    found = False
    for document in children(head, "Document"):
        found = True
        yield document
    if not found:
        yield from children(child(head, "PatientReport"), "Document")


#: Addresses by their XML: partners write the same sender and receiver for years.
_KNOWN: dict[str, Address] = {}
_MOST_KNOWN, _LONGEST_KNOWN = 4096, 4096


def _party(party: etree._Element | None) -> Address:
    """Sender or Receiver of the head. To write it out and look it up costs a fifth of reading it part by part."""
    if party is None:
        return Address()
    written = etree.tostring(party, encoding="unicode", with_tail=False)
    found = _KNOWN.get(written)
    if found is None:
        found = _organisation(child(party, "Organisation"))
        if len(written) <= _LONGEST_KNOWN:
            if len(_KNOWN) >= _MOST_KNOWN:
                _KNOWN.clear()
            _KNOWN[written] = found
    return found


def _organisation(organisation: etree._Element | None) -> Address:
    """Nested Organisation → unit; HealthcareProfessional of either → person."""
    if organisation is None:
        return Address()
    own = by_name(organisation)
    unit = own.get("Organisation")
    below = by_name(unit)
    return Address(
        Named(said(own.get("OrganisationName")), tuple(_idents(organisation))),
        Named(said(below.get("OrganisationName")), tuple(_idents(unit))) if unit is not None else None,
        _person(below.get("HealthcareProfessional", own.get("HealthcareProfessional"))),
    )


def _other_receivers(info: etree._Element | None) -> Iterator[Address]:
    """Copies; a patient or a private person has no HER-id and is no address of ours."""
    for other in children(info, "OtherReceiver"):
        organisation = child(other, "Organisation")
        if organisation is not None:
            yield _organisation(organisation)
        elif (person := child(other, "HealthcareProfessional")) is not None:
            yield Address(person=_person(person))


def _person(person: etree._Element | None) -> Named | None:
    if person is None:
        return None
    names = (text_of(person, part) for part in ("GivenName", "MiddleName", "FamilyName"))
    return Named(" ".join(filter(None, names)), tuple(_idents(person)))


def _idents(element: etree._Element) -> Iterator[Ident]:
    for ident in children(element, "Ident"):
        written = by_name(ident)
        if value := said(written.get("Id")):  # some senders leave it empty
            yield Ident(value, coded(written.get("TypeId")))


# --- AppRec, and documents without MsgHead (root Message)

#: Body element → (sender, receiver, id element); ebxml.md §7.3.
BODIES = {
    "ServReq": ("Requester", "ServProvider", "Id"),
    "ServRprt": ("ServProvider", "Requester", "ServProvId"),
    "ServReport": ("ServProvider", "Requester", "ServProvId"),
}
#: One-letter types of older formats → list 8279.
LETTERS = {"H": "HENVISNING", "E": "EPIKRISE"}
#: List 8202 → the suffix in list 8279 (HITS 1209 3.1; inferred for CLIN, OBD and AN).
DISCIPLINES = {
    "CYTO": "CYT",
    "HIST": "HIST",
    "MBIO": "MBIO",
    **dict.fromkeys(("RTG", "CT", "MR", "UL", "SCI", "MA"), "RTG"),
}


def _apprec(root: etree._Element, namespace: str) -> Document:
    gen_date = text_of(root, "GenDate")
    return Document(
        kind="apprec",
        namespace=namespace,
        root_namespace=namespace,
        root_name="AppRec",
        type_code="APPREC",
        mig_version=text_of(root, "MIGversion"),
        msg_id=text_of(root, "Id"),
        gen_date=parse_instant(gen_date, NORWAY),
        gen_date_text=gen_date,
        sender=hcp(child(root, "Sender")),
        receiver=hcp(child(root, "Receiver")),
        status=value_of(child(root, "OriginalMsgId"), "MsgType"),
    )


def _bare(root: etree._Element, namespace: str) -> Document:
    body = _body(root)
    assert body is not None
    sender, receiver, id_name = BODIES[etree.QName(body).localname]
    gen_date = value_of(root, "GenDate") or text_of(root, "GenDate")
    return Document(
        kind="bare",
        namespace=namespace,
        root_namespace=namespace,
        root_name="Message",
        type_code=_bare_type(root, body),
        type_text=value_of(root, "Type", "DN"),
        mig_version=text_of(root, "MIGversion"),
        msg_id=text_of(root, "MsgId"),
        gen_date=parse_instant(gen_date, NORWAY),
        gen_date_text=gen_date,
        document_id=text_of(body, id_name),
        sender=hcp(child(body, sender)),
        receiver=hcp(child(body, receiver)),
        copies=tuple(hcp(copy) for copy in children(body, "CopyDest")),
        status=value_of(root, "Status"),
        has_patient=child(body, "Patient") is not None,
        attachments=sum(1 for _ in children(body, "RefDoc")),
    )


def _body(root: etree._Element) -> etree._Element | None:
    return next((b for name in BODIES if (b := child(root, name)) is not None), None)


def _bare_type(root: etree._Element, body: etree._Element) -> str:
    """The code of list 8279, from the type letter and the discipline where the format is old (ebxml.md §1.7)."""
    written = value_of(root, "Type")
    name = etree.QName(body).localname
    if written in LETTERS:
        return LETTERS[written]
    if len(written) > 1:
        return written
    discipline = DISCIPLINES.get(value_of(body, "MsgDescr"), "LAB")
    if written == "S" or name == "ServReport":
        return f"SVAR_{discipline}"
    if written == "R" or "rekvisisjon" in (etree.QName(root).namespace or ""):
        return f"REQ_{discipline}"
    return "EPIKRISE" if name == "ServRprt" else "HENVISNING"


def hcp(party: etree._Element | None) -> Address:
    """A party as AppRec and the old formats write it: HCP with Inst, or HCProf alone (ebxml.md §7.3, §7.4)."""
    block = child(party, "HCP")
    if block is None:
        return Address()
    institution = child(block, "Inst")
    if institution is None:
        professional = child(block, "HCProf")
        return Address(person=_block(professional) if professional is not None else None)
    unit, person = child(institution, "Dept"), child(institution, "HCPerson")
    return Address(
        _block(institution),
        _block(unit) if unit is not None else None,
        _block(person) if person is not None else None,
    )


def _block(element: etree._Element) -> Named:
    own = Ident(text_of(element, "Id"), value_of(element, "TypeId"))
    more = (Ident(text_of(extra, "Id"), value_of(extra, "Type")) for extra in children(element, "AdditionalId"))
    return Named(text_of(element, "Name"), tuple(i for i in (own, *more) if i.value))


# --- small words: names without regard to namespace, since every format has its own


def child(parent: etree._Element | None, name: str) -> etree._Element | None:
    return next(parent.iterchildren("{*}" + name), None) if parent is not None else None


def children(parent: etree._Element | None, name: str) -> Iterator[etree._Element]:
    return parent.iterchildren("{*}" + name) if parent is not None else iter(())


def text_of(parent: etree._Element | None, name: str) -> str:
    return said(child(parent, name))


def value_of(parent: etree._Element | None, name: str, attribute: str = "V") -> str:
    return coded(child(parent, name), attribute)


def _names(element: etree._Element) -> tuple[str, str]:
    """Namespace and local name; `etree.QName` costs twice as much."""
    namespace, _, local = str(element.tag).rpartition("}")
    return namespace[1:], local


def said(element: etree._Element | None) -> str:
    return (element.text or "").strip() if element is not None else ""


def coded(element: etree._Element | None, attribute: str = "V") -> str:
    return (element.get(attribute) or "").strip() if element is not None else ""


def by_name(parent: etree._Element | None) -> dict[str, etree._Element]:
    """The first child of each name: cheaper than asking for one name after another."""
    found: dict[str, etree._Element] = {}
    for element in parent if parent is not None else ():  # a comment's tag is nobody's name, and needs no matcher
        found.setdefault(str(element.tag).rpartition("}")[2], element)
    return found
