"""Are sender and receivers named as HIS 1153 asks, and are they those of the envelope?"""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from hub.checks.content.rule import Found, Rule, Subject
from hub.formats.document import Address, by_name
from xsd.lists import code_list

OID = "2.16.578.1.12.4.1.1."


def _sender_differs(subject: Subject) -> Iterator[Found]:
    ids = subject.document.sender.her_ids
    if _comparable(subject) and ids and subject.from_her not in ids:
        yield Found(subject.parties[0][0], "the envelope's From")


def _receiver_differs(subject: Subject) -> Iterator[Found]:
    """Only where every receiver is named by HER-id: one that is not (older formats) may be the envelope's To."""
    document = subject.document
    named = [address.her_ids for address in (document.receiver, *document.copies)]
    if _comparable(subject) and all(named) and not any(subject.to_her in ids for ids in named):
        yield Found(subject.parties[1][0], "the envelope's To")


def _comparable(subject: Subject) -> bool:
    """An AppRec may name its sender otherwise (ebxml.md §10 items 51, 52)."""
    return subject.envelope is not None and subject.document.kind in ("msghead", "bare")


def _without_her(subject: Subject) -> Iterator[Found]:
    """HER-id at level 1 and at level 2 (AD2.2)."""
    if subject.document.kind == "apprec":
        return
    for element, address in subject.parties:
        if element is not None and len(address.her_ids) < 2 and not _is_a_person_alone(address):
            yield Found(element, "no HER-id" if not address.her_ids else "only one of the two HER-ids")


def _is_a_person_alone(address: Address) -> bool:
    """A copy to a patient or a private person has no HER-id."""
    return address.organisation is None


def _without_name(subject: Subject) -> Iterator[Found]:
    if subject.document.kind == "apprec":
        return
    for element, address in subject.parties:
        named = [part for part in (address.organisation, address.unit, address.person) if part is not None]
        if element is not None and named and not all(part.name for part in named):
            yield Found(element)


def _same_receiver_twice(subject: Subject) -> Iterator[Found]:
    seen: set[str] = set()
    for element, address in subject.parties[1:]:
        if address.her_id and address.her_id in seen:
            yield Found(element)
        seen.add(address.her_id)


def _wrong_system(subject: Subject) -> Iterator[Found]:
    """TypeId names its list: 9051 for organisations, 8116 for persons."""
    for ident in _idents(subject):
        type_id = by_name(ident).get("TypeId")
        oid, code = (type_id.get("S") or "", type_id.get("V") or "") if type_id is not None else ("", "")
        number = oid.removeprefix(OID)
        if number not in ("9051", "8116") or code not in code_list(number):
            yield Found(ident)


def _idents(subject: Subject) -> Iterator[etree._Element]:
    """Ident of the head; those of the enclosed document are its own standard's."""
    info = subject.head.element if subject.document.kind == "msghead" else None
    return info.iter("{http://www.kith.no/xmlstds/msghead/2006-05-24}Ident") if info is not None else iter(())


SAME_AS_ENVELOPE = (
    Rule(
        "ADR-01", "HIS 1153 AD2.2; HITS 1172 5.9", "error", "document-addressing",
        "the document's sender is not {about}", "Both must name the same communication party (HER-id, level 2).",
        _sender_differs,
    ),
    Rule(
        "ADR-02", "HIS 1153 AD2.2", "error", "document-addressing",
        "no receiver of the document is {about}", "Both must name the same communication party (HER-id, level 2).",
        _receiver_differs,
    ),
)  # fmt: skip
RULES = (
    *SAME_AS_ENVELOPE,
    Rule(
        "ADR-03", "HIS 1153 AD2.2", "warning", "document-remark",
        "{about} is given", "Give the HER-id of the organisation and of its communication party.", _without_her,
    ),
    Rule(
        "ADR-04", "HIS 1153 AD2.3, AD2.4", "warning", "document-remark",
        "a name is missing", "Give the names as they stand in the address register.", _without_name,
    ),
    Rule(
        "ADR-05", "HIS 1153; HIS 80415 3.1", "warning", "document-remark",
        "the same receiver stands there twice", "Name each receiver once.", _same_receiver_twice,
    ),
    Rule(
        "ADR-06", "HIS 80601 (lists 9051, 8116)", "warning", "document-remark",
        "TypeId is not a code of list 9051 or 8116", "Write code and OID of the list.", _wrong_system,
    ),
)  # fmt: skip
