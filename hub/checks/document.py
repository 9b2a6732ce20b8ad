"""Is the document right? Well-formed, known, valid, and addressed as its envelope is."""

from __future__ import annotations

from functools import lru_cache

from lxml import etree

from hub import norwegian
from hub.checks.content import addressing, head
from hub.checks.content.chain import LATER
from hub.checks.content.rule import Finding, Rule, Subject, examine
from hub.checks.inspection import Inspection
from hub.checks.package import XML_CODES
from hub.formats import apprec as apprecs
from hub.formats import document as documents
from hub.formats import lifted, schema_words, xml
from hub.kit import Kit
from hub.verdict import PASS, Hold, Refuse, Verdict
from xsd.catalogue import SchemaFault

#: Stands among the namespaces without a schema for what carries no business document: an unknown standard as well.
NOTHING_KNOWN = "what it carries: none of it is a business document"


def parsed(inspection: Inspection, kit: Kit) -> Verdict:
    """XML within its bounds, and a document that this hub can carry."""
    root = _read(inspection.raw, _bounds(kit.settings.max_message_bytes))
    if isinstance(root, xml.XmlFault):
        code = XML_CODES.get(root.reason, "xml-hostile")
        return Refuse("document-malformed" if code == "not-well-formed" else code, root.text)
    inspection.document_root = root
    inspection.document, inspection.subject = documents.read(root), None
    inspection.standard = kit.schemas.find(inspection.document.namespace)
    if inspection.document.kind == "other":
        name = etree.QName(root).localname
        return Refuse("document-not-a-message", f"the root element {name} is not one that is carried between parties")
    return PASS


def _read(raw: bytes, bounds: xml.Bounds) -> etree._Element | xml.XmlFault:
    """A large one without the insides of its attachments: nothing asks for them, but that they are base64, which they are."""
    if lifted.SMALL < len(raw) <= bounds.max_bytes and (thin := lifted.thinned(raw, CONTAINERS, "A" * 32)) is not None:
        root = xml.parse(thin, bounds)
        if not isinstance(root, xml.XmlFault) and _all_contained(root):
            return root
    return xml.parse(raw, bounds)


#: What holds base64 in a document (HIS 1036); nothing else may have its name where it is read thinner than it is.
CONTAINERS = lifted.elements("Base64Container")


def _all_contained(root: etree._Element) -> bool:
    return all(etree.QName(found).namespace == documents.BASE64 for found in root.iter("{*}Base64Container"))


_bounds = lru_cache(maxsize=8)(xml.Bounds.for_document)


def identified(inspection: Inspection, _: Kit) -> Verdict:
    """MsgId must be a UUID (HIS 80601; HIS 80415 3.3.4: E10)."""
    return _kept(inspection, (head.MSG_ID,))


def addressed(inspection: Inspection, _: Kit) -> Verdict:
    """Sender and receivers of the document are those of the envelope, at either HER level (HIS 1153 AD2.2)."""
    return _kept(inspection, addressing.SAME_AS_ENVELOPE)


def valid(inspection: Inspection, kit: Kit) -> Verdict:
    """Valid by its schema; a standard that is not in the catalogue is passed or held by setting, and says so."""
    assert inspection.document_root is not None and inspection.document is not None
    root = inspection.document_root
    read = apprecs.righted(root) if inspection.document.kind == "apprec" else root
    found = kit.schemas.check(read, apart=inspection.large)
    if found.faults:
        return _invalid(found.faults)
    inspection.unchecked = found.unchecked
    if inspection.document.kind == "msghead" and not inspection.document.namespace:
        inspection.unchecked = (*found.unchecked, NOTHING_KNOWN)
    if inspection.unchecked and kit.settings.unknown_standard == "hold":
        return Hold("document-unknown", f"no schema here for {', '.join(inspection.unchecked)}; held by setting")
    return PASS


def content(inspection: Inspection, kit: Kit) -> Verdict:
    """The content rules: one of severity error refuses, where the settings let it; all others are remarked."""
    found = examine(_subject(inspection), LATER)
    grave = [f for f in found if f.rule.severity == "error"] if kit.settings.content_rules == "refuse" else []
    inspection.remarks = tuple(f for f in found if f not in grave)
    return _refusal(grave[0]) if grave else PASS


def _invalid(faults: tuple[SchemaFault, ...]) -> Refuse:
    """The first fault in plain words, in both languages; how many more there are."""
    first, mistake = faults[0], schema_words.said(faults[0])
    more = len(faults) - 1
    text, _ = norwegian.mistake(mistake.kind, mistake.names)
    return Refuse(
        "document-schema",
        f"line {first.line}: {mistake.text}" + (f" (and {more} more)" if more else ""),
        f"//{first.element}",
        "HIS 80415 3.3.4 T02",
        f"linje {first.line}: {text}" + (f" (og {more} til)" if more else ""),
    )


def _kept(inspection: Inspection, rules: tuple[Rule, ...]) -> Verdict:
    found = examine(_subject(inspection), rules)
    return _refusal(found[0]) if found else PASS


def _subject(inspection: Inspection) -> Subject:
    """Made by the first check that asks: three checks share what is found on the way."""
    if inspection.subject is None:
        inspection.subject = _made_subject(inspection)
    return inspection.subject


def _made_subject(inspection: Inspection) -> Subject:
    assert inspection.document_root is not None and inspection.document is not None
    return Subject(
        root=inspection.document_root,
        document=inspection.document,
        standard=inspection.standard,
        now=inspection.now,
        size=len(inspection.raw),
        envelope=inspection.envelope,
        from_her=inspection.sender,
        to_her=inspection.receiver,
    )


def _refusal(found: Finding) -> Refuse:
    location = f"//{found.element}" if found.element else ""
    text, _ = norwegian.rule(found.rule.id, found.about)
    place, sted = (f"line {found.line}: ", f"linje {found.line}: ") if found.line else ("", "")
    rule = f"{found.rule.id}; {found.rule.clause}"
    return Refuse(found.rule.code, place + found.text, location, rule, sted + text)
