"""What lies inside? The one payload, decrypted and unwrapped to the document's own bytes (ebxml.md §4)."""

from __future__ import annotations

from hub import codes
from hub.checks.inspection import Inspection
from hub.checks.proof import XML_ENCRYPTION, encrypted_xml
from hub.formats.mime import Part
from hub.kit import Kit
from hub.trust import cms
from hub.verdict import PASS, Refuse, Verdict

WHERE = "//eb:Manifest/eb:Reference"


def manifest(inspection: Inspection, _: Kit) -> Verdict:
    """Every href of the Manifest is a part (HITS 1172 6, 23, 27), and there is one document (HIS 1037 3.1)."""
    assert inspection.package is not None and inspection.envelope is not None
    parts = {part.content_id for part in inspection.package.attachments}
    missing = [item.href for item in inspection.envelope.manifest if item.href not in parts]
    if missing:
        return Refuse("mime-problem", f"no part has Content-ID {missing[0]}", WHERE, "HITS 1172 23, 27")
    if not inspection.envelope.manifest or not parts:
        return Refuse("no-payload", "the Manifest names no part", WHERE, "HITS 1172 6")
    if len(inspection.envelope.manifest) > 1:
        text = "several documents in one envelope; send one envelope each"
        return Refuse("envelope-not-supported", text, WHERE, "HIS 1037 3.1")
    return PASS


def opened(inspection: Inspection, kit: Kit) -> Verdict:
    """Decrypts for the receiver and takes off what is inside the encryption; before any Acknowledgment (HIS 1037 4.3)."""
    part, agreement = _payload(inspection), inspection.agreement
    assert agreement is not None
    content = part.content
    if not content:
        return Refuse("no-payload", "the payload is empty", WHERE)
    if agreement.encrypted or not _plain(content):
        policy = _WITH_3DES if kit.settings.allow_3des else _WITHOUT_3DES
        found = cms.decrypt(content, kit.keys.decryption_keys(inspection.receiver), policy)
        if isinstance(found, cms.CmsFault):
            if encrypted_xml(content):
                return XML_ENCRYPTION
            return Refuse(codes.CMS[found.reason], found.text, WHERE, "HITS 1172 263")
        content = found.content
    elif encrypted_xml(content):
        return XML_ENCRYPTION
    inside = cms.unwrap(content, kit.settings.max_message_bytes)
    if isinstance(inside, cms.CmsFault):
        return Refuse("payload-shape", inside.text, WHERE, "HITS 1172 264")
    inspection.raw = inside
    return PASS


_WITH_3DES, _WITHOUT_3DES = cms.CmsPolicy(allow_3des=True), cms.CmsPolicy(allow_3des=False)


def _payload(inspection: Inspection) -> Part:
    assert inspection.package is not None and inspection.envelope is not None
    href = inspection.envelope.manifest[0].href
    return next(part for part in inspection.package.attachments if part.content_id == href)


def _plain(content: bytes) -> bool:
    """Whether it is XML or gzip as it stands; a label of pkcs7-mime proves nothing (ebxml.md §10 item 4)."""
    return content[:2] == b"\x1f\x8b" or content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"
