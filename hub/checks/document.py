"""Is the document right? Well-formed, known, valid, and addressed as its envelope is."""

from __future__ import annotations

import uuid

from lxml import etree

from hub.checks.inspection import Inspection
from hub.checks.package import XML_CODES
from hub.formats import document as documents
from hub.formats import xml
from hub.kit import Kit
from hub.verdict import PASS, Hold, Refuse, Verdict


def parsed(inspection: Inspection, kit: Kit) -> Verdict:
    """XML within its bounds, and a document that this hub can carry."""
    root = xml.parse(inspection.raw, xml.Bounds.for_document(kit.settings.max_message_bytes))
    if isinstance(root, xml.XmlFault):
        code = XML_CODES.get(root.reason, "xml-hostile")
        return Refuse("document-malformed" if code == "not-well-formed" else code, root.text)
    inspection.document_root = root
    inspection.document = documents.read(root)
    inspection.standard = kit.schemas.find(inspection.document.namespace)
    if inspection.document.kind == "other":
        name = etree.QName(root).localname
        return Refuse("document-not-a-message", f"the root element {name} is not one that is carried between parties")
    return PASS


def identified(inspection: Inspection, _: Kit) -> Verdict:
    """MsgId must be a UUID (HIS 80601; HIS 80415 3.3.4: E10)."""
    assert inspection.document is not None
    try:
        uuid.UUID(inspection.document.msg_id)
    except ValueError:
        return Refuse("document-msgid", "MsgId is missing or not a UUID", "//MsgId", "HIS 80601")
    return PASS


def addressed(inspection: Inspection, _: Kit) -> Verdict:
    """Sender and receivers of the document are those of the envelope, at either HER level (HIS 1153 AD2.2)."""
    document = inspection.document
    assert document is not None
    if inspection.envelope is None or document.kind == "apprec":
        return PASS  # an AppRec may name its sender otherwise (ebxml.md §10 items 51, 52)
    if document.sender.her_ids and inspection.sender not in document.sender.her_ids:
        return Refuse(
            "document-addressing", "the document's sender is not the envelope's From", "//Sender", "HIS 1153 AD2.2"
        )
    named = [ids for ids in (document.receiver.her_ids, *(copy.her_ids for copy in document.copies)) if ids]
    if named and not any(inspection.receiver in ids for ids in named):
        return Refuse(
            "document-addressing", "no receiver of the document is the envelope's To", "//Receiver", "HIS 1153 AD2.2"
        )
    return PASS


def valid(inspection: Inspection, kit: Kit) -> Verdict:
    """Valid by its schema; a standard that is not in the catalogue is passed or held by setting, and says so."""
    assert inspection.document_root is not None and inspection.document is not None
    faults = kit.schemas.validate(inspection.document_root)
    if faults:
        first = faults[0]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        where = f"line {first.line}, element {first.element}: {first.message}{more}"
        return Refuse("document-schema", where, f"//{first.element}", "HIS 80415 3.3.4 T02")
    inspection.unchecked = kit.schemas.covers(inspection.document_root)
    if inspection.unchecked and kit.settings.unknown_standard == "hold":
        return Hold("document-unknown", f"no schema here for {', '.join(inspection.unchecked)}; held by setting")
    return PASS
