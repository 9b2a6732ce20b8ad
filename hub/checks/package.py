"""Can it be read at all? MIME, then the envelope's XML, then the envelope."""

from __future__ import annotations

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
}


def size(inspection: Inspection, kit: Kit) -> Verdict:
    """Larger than we take is refused before anything is read."""
    limit = kit.settings.max_message_bytes
    if len(inspection.arrival.body) > limit:
        return Refuse("too-large", f"{len(inspection.arrival.body)} bytes; the limit is {limit}")
    return PASS


def split(inspection: Inspection, _: Kit) -> Verdict:
    """The MIME package, as senders really write it (ebxml.md §2)."""
    package = mime.read(inspection.arrival.headers, inspection.arrival.body)
    if isinstance(package, mime.MimeFault):
        return Refuse("mime", package.text, rule=package.rule)
    inspection.package = package
    return PASS


def read(inspection: Inspection, kit: Kit) -> Verdict:
    """The envelope's XML within its bounds, then its header."""
    assert inspection.package is not None
    raw = inspection.package.root.content
    root = xml.parse(raw, xml.Bounds(max_bytes=kit.settings.max_envelope_bytes))
    if isinstance(root, xml.XmlFault):
        return Refuse(XML_CODES.get(root.reason, "xml-hostile"), root.text)
    found = envelopes.read(root)
    if isinstance(found, envelopes.EnvelopeFault):
        return Refuse("not-ebxml", found.text, rule=found.rule)
    inspection.root, inspection.envelope = root, found
    return PASS
