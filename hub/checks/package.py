"""Can it be read at all? MIME, then the envelope's XML, then the envelope."""

from __future__ import annotations

from functools import lru_cache

from lxml import etree

from hub import codes
from hub.checks.inspection import Inspection
from hub.formats import envelope as envelopes
from hub.formats import mime, xml
from hub.kit import Kit
from hub.verdict import PASS, Refuse, Verdict

XML_CODES = {
    "doctype": "xml-doctype",
    "encoding": "xml-encoding",
    "too-large": "too-large",
    "not-well-formed": "not-well-formed",
    "empty": "not-well-formed",
}


def size(inspection: Inspection, kit: Kit) -> Verdict:
    """Larger than we take is refused before anything is read."""
    limit = kit.settings.max_message_bytes
    size = inspection.arrival.size or len(inspection.arrival.body)
    if inspection.arrival.size or size > limit:
        inspection.arrival = inspection.arrival.beginning()
        return Refuse("too-large", f"{size} bytes or more; the limit is {limit}")
    return PASS


def whole(inspection: Inspection, _: Kit) -> Verdict:
    """What is not all there, or still packed as no door can unpack it, is not held against the rules of MIME."""
    return Refuse(*inspection.arrival.trouble) if inspection.arrival.trouble else PASS


def meant(inspection: Inspection, _: Kit) -> Verdict:
    """What names another service than ebXML is not read as ebXML (HITS 1172 51).

    Quotes and case are as senders have them (ebxml.md §2.1); a missing or empty SOAPAction says nothing (rule 22 is not
    kept: one big receiver never looks, and HTTP has said by its path what is meant).
    """
    action = mime.header(inspection.arrival.headers, "soapaction").strip().strip("\"'").lower()
    if action not in ("", "ebxml"):
        return Refuse("mime", "SOAPAction is not ebXML", rule="HITS 1172 51")
    return PASS


def split(inspection: Inspection, _: Kit) -> Verdict:
    """The MIME package, as senders really write it (ebxml.md §2)."""
    arrival = inspection.arrival
    package = mime.read(arrival.headers, arrival.body)
    if isinstance(package, mime.MimeFault) and not arrival.body:
        told = mime.header(arrival.headers, "content-length")
        return Refuse("mime", f"no bytes came, Content-Length said {told[:20]}" if told else "no bytes came")
    if isinstance(package, mime.MimeFault):
        return Refuse("mime", package.text, rule=codes.clause(package.rule))
    inspection.package = package
    return PASS


def read(inspection: Inspection, kit: Kit) -> Verdict:
    """The envelope's XML within its bounds, then its header; one that is like a proven one is known by its bytes."""
    assert inspection.package is not None
    raw = inspection.package.root.content
    if len(raw) <= kit.settings.max_envelope_bytes and (known := kit.patterns.recognise(raw)):
        inspection.recognised, inspection.envelope = known, known.envelope
        return PASS
    root = parsed(raw, kit)
    if isinstance(root, xml.XmlFault):
        return Refuse(XML_CODES.get(root.reason, "xml-hostile"), root.text)
    found = envelopes.read(root)
    if isinstance(found, envelopes.EnvelopeFault):
        return Refuse("not-ebxml", found.text, rule=codes.clause(found.rule))
    inspection.root, inspection.envelope = root, found
    return PASS


def parsed(raw: bytes, kit: Kit) -> etree._Element | xml.XmlFault:
    """The XML of an envelope, within the bounds of envelopes."""
    return xml.parse(raw, _bounds(kit.settings.max_envelope_bytes))


@lru_cache(maxsize=8)
def _bounds(max_bytes: int) -> xml.Bounds:
    return xml.Bounds(max_bytes=max_bytes)
