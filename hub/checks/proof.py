"""Is it proven? The signature first, then whose certificate it was and whether that may be trusted now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from lxml import etree

from hub import codes
from hub.checks.inspection import Inspection
from hub.checks.package import parsed
from hub.kit import Kit
from hub.trust import certificates, signature
from hub.verdict import PASS, Pass, Refuse, Retry, Verdict

WARN_SHA1 = Refuse(
    "envelope-warning", "signed with SHA-1; RSA-SHA256 is asked for", "//ds:SignatureMethod", "HITS 1172 33, 84"
)


def signed(inspection: Inspection, kit: Kit) -> Verdict:
    """One signature, of the agreed shape, over all that is used (HITS 1172 32–52, 84, 85)."""
    package = inspection.package
    assert package is not None
    parts, policy = {part.content_id: part.content for part in package.attachments}, _policy(inspection, kit)
    known = inspection.recognised.proven(parts, policy) if inspection.recognised else None
    found = known or signature.verify(package.root.content, _root(inspection, kit), parts, policy)
    if isinstance(found, signature.SignatureFault):
        return _unproven(found, parts)
    inspection.verified = found
    if found.certificates == 1:
        return PASS
    text = f"KeyInfo has {found.certificates} certificates; the first was used, the others were not looked at"
    return Pass((Refuse("envelope-warning", text, "//ds:X509Certificate", "HITS 1172 65, 103"),))


def _unproven(fault: signature.SignatureFault, parts: Mapping[str, bytes]) -> Refuse:
    """What is wrong; one that was signed before its part was encrypted by XML Encryption is told as that (ebMS 2.0 4.1.4)."""
    if fault.reason == "digest-mismatch" and any(map(encrypted_xml, parts.values())):
        return XML_ENCRYPTION
    code = codes.SIGNATURE.get(fault.reason, "signature-structure")
    return Refuse(code, fault.text, "//ds:Signature", f"HITS 1172 {fault.rule}")


XML_ENCRYPTION = Refuse(
    "xml-encryption", "a part is an EncryptedData of XML Encryption", "//eb:Manifest/eb:Reference", "HITS 1171 6"
)


def encrypted_xml(content: bytes) -> bool:
    """Whether a part is XML Encryption's EncryptedData, by the name of its namespace near its beginning."""
    head = content[:2_048]
    return b"EncryptedData" in head and b"http://www.w3.org/2001/04/xmlenc#" in head


#: By whether SHA-1 is allowed, and whether it is a receipt: there a chain of certificates costs nothing (see `_policy`).
_POLICIES = {(a, c): signature.SignaturePolicy(allow_sha1=a, chain=c) for a in (False, True) for c in (False, True)}


def _policy(inspection: Inspection, kit: Kit) -> signature.SignaturePolicy:
    """What is accepted of this sender.

    In a receipt the certificates of authorities behind the registered one prove nothing and hurt nothing, and refusing
    it leaves a delivered message unacknowledged; in a message HITS 1172 65 and 103 are kept.
    """
    assert inspection.agreement is not None and inspection.envelope is not None
    allow_sha1 = kit.settings.allow_sha1 or inspection.agreement.allow_sha1
    return _POLICIES[allow_sha1, inspection.envelope.kind in ("acknowledgment", "error")]


def _root(inspection: Inspection, kit: Kit) -> etree._Element:
    """The parsed envelope; one that was known by its bytes is parsed only here, where its proof fails."""
    assert inspection.package is not None
    found = inspection.root if inspection.root is not None else parsed(inspection.package.root.content, kit)
    assert isinstance(found, etree._Element)
    return found


def trusted(inspection: Inspection, kit: Kit) -> Verdict:
    """Path, purpose, time and revocation of the certificate (ebxml.md §4.5–4.6).

    Asked before whether it is the registered one: "revoked" tells an operator more than "not the one registered".
    """
    assert inspection.verified is not None and inspection.envelope is not None
    der = inspection.verified.certificate_der
    found = certificates.judge(der, certificates.Purpose.SIGNING, inspection.now, kit.anchors, kit.revocation)
    if isinstance(found, certificates.CertificateFault):
        if found.reason == "revocation-unknown":  # tried again, never refused
            return Retry("revocation-unknown", found.text, timedelta(seconds=kit.settings.retry_undecided_seconds))
        return Refuse(codes.CERTIFICATE[found.reason], found.text, "//ds:X509Certificate", "HITS 1172 104, 105")
    stamp = inspection.envelope.timestamp
    if stamp is not None and not found.not_before <= stamp <= found.not_after:
        code = "certificate-expired" if stamp > found.not_after else "certificate-not-yet-valid"
        text = "the envelope's Timestamp is outside the certificate's validity"
        return Refuse(code, text, "//ds:X509Certificate", "HITS 1172 104, 105")
    return Pass((WARN_SHA1,)) if inspection.verified.weak else PASS


def registered(inspection: Inspection, kit: Kit) -> Verdict:
    """The certificate must be one registered for the sender, byte for byte (HITS 1172 44, 79).

    With this the envelope is proven, and the next one like it will be known.
    """
    assert inspection.verified is not None and inspection.agreement is not None
    if inspection.verified.certificate_der not in inspection.agreement.signing_certificates:
        count = len(inspection.agreement.signing_certificates)
        text = f"the certificate is not among the {count} registered for HER-id {inspection.sender}"
        return Refuse("certificate-unregistered", text, "//ds:X509Certificate", "HITS 1172 44, 79")
    if inspection.recognised is None:
        _remembered(inspection, kit)
    return PASS


def where_signed(inspection: Inspection, kit: Kit) -> Verdict:
    """Questions and their answers may come unsigned (ebMS 2.0 7.1, 8.1: Signature is optional); a signature must be good."""
    warnings: list[Refuse] = []
    for check in (signed, trusted, registered):
        verdict = check(inspection, kit)
        if isinstance(verdict, Refuse) and verdict.code == codes.SIGNATURE["missing"]:
            return PASS
        if not isinstance(verdict, Pass):
            return verdict
        warnings += verdict.warnings
    return Pass(tuple(warnings))


def _remembered(inspection: Inspection, kit: Kit) -> None:
    assert inspection.package is not None and inspection.envelope is not None
    kit.patterns.learn(inspection.package.root.content, inspection.envelope, _policy(inspection, kit))
