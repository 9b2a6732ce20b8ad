"""Whose signature is it, over what, and may it be trusted? For ebXML messages, and for documents that are signed themselves."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import xmlsec
from lxml import etree

from hub.formats import envelope as envelopes
from hub.formats import mime, xml
from hub.kit import Kit
from hub.trust import certificates, signature
from hub.trust.certificates import CertificateFault, Purpose
from ops.look.validate import LIMIT, is_xml, split

DS = signature.DS
ENVELOPE = f"{{{signature.SOAP}}}Envelope"
#: What a signature inside a document may use (HIS 80415 S01; ebxml.md §4.4): the whole document, enveloped, C14N.
DOCUMENT_TRANSFORMS = frozenset({signature.ENVELOPED, signature.C14N, signature.EXCLUSIVE})


@dataclass(frozen=True, slots=True)
class Verification:
    """What is known about the signature of one file. `trusted` is None where there is no configuration to judge by."""

    file: str
    kind: str
    holds: bool
    because: str
    covers: tuple[str, ...] = ()
    signed_by: str = ""
    organisation_number: str = ""
    serial: str = ""
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    trusted: bool | None = None
    trust_because: str = ""

    @property
    def good(self) -> bool:
        """It holds, and nobody says that the certificate may not be trusted."""
        return self.holds and self.trusted is not False

    def lines(self) -> list[str]:
        """For people."""
        words = [f"{self.file}: {self.kind}: {'the signature holds' if self.holds else 'NOT PROVEN: ' + self.because}"]
        if self.covers:
            words.append(f"  covers    {', '.join(self.covers)}")
        if self.signed_by:
            number = f" (organisation {self.organisation_number})" if self.organisation_number else ""
            words.append(f"  signed by {self.signed_by}{number}, serial {self.serial}")
        if self.valid_from and self.valid_to:
            words.append(f"  valid     {self.valid_from:%Y-%m-%d} to {self.valid_to:%Y-%m-%d}")
        if self.signed_by:
            standing = {True: "yes", False: "NO", None: "not judged"}[self.trusted]
            words.append(f"  trusted   {standing}: {self.trust_because}")
        return words


def verified(path: Path, kit: Kit | None) -> Verification:
    """The verdict on a file; `kit` brings trust anchors, revocation and clock. Raises OSError when it cannot be read."""
    raw, parts = path.read_bytes(), dict[str, bytes]()
    if not is_xml(raw):
        package = mime.read(*split(raw))
        if isinstance(package, mime.MimeFault):
            return Verification(str(path), "unknown", False, package.text)
        raw, parts = package.root.content, {p.content_id: p.content for p in package.attachments}
    root = xml.parse(raw, xml.Bounds.for_document(LIMIT))
    if isinstance(root, xml.XmlFault):
        return Verification(str(path), "unknown", False, root.text)
    if root.tag == ENVELOPE:
        return _envelope(str(path), raw, root, parts, kit)
    return _document(str(path), raw, root, kit)


def _envelope(name: str, raw: bytes, root: etree._Element, parts: Mapping[str, bytes], kit: Kit | None) -> Verification:
    read = envelopes.read(root)
    receipt = isinstance(read, envelopes.Envelope) and read.kind in ("acknowledgment", "error")
    found = signature.verify(raw, root, parts, signature.SignaturePolicy(allow_sha1=True, chain=receipt))
    if isinstance(found, signature.SignatureFault):
        return Verification(name, "ebXML message", False, f"{found.text} (HITS 1172 {found.rule})")
    covers = tuple("the envelope" if not r.uri else f"part {r.uri.removeprefix('cid:')}" for r in found.references)
    weak = "; with SHA-1, which is too weak" if found.weak else ""
    return _by(Verification(name, "ebXML message", True, weak, covers), found.certificate_der, kit)


def _document(name: str, raw: bytes, root: etree._Element, kit: Kit | None) -> Verification:
    signatures = list(root.iter(f"{{{DS}}}Signature"))
    if len(signatures) != 1:
        count = "no signature" if not signatures else f"{len(signatures)} signatures, one is asked for"
        return Verification(name, "document", False, count)
    wrong = _shape(signatures[0])
    if wrong:
        return Verification(name, "document", False, wrong)
    der = base64.b64decode("".join((signatures[0].findtext(f".//{{{DS}}}X509Certificate") or "").split()))
    holds, because = _holds(raw, der)
    return _by(Verification(name, "document", holds, because, ("the whole document",) if holds else ()), der, kit)


def _shape(element: etree._Element) -> str:
    """What must be so before anybody computes: one Reference to the whole document, no transform but the known ones."""
    references = element.findall(f"{{{DS}}}SignedInfo/{{{DS}}}Reference")
    if [r.get("URI") for r in references] != [""]:
        return "it does not cover the whole document and nothing else"
    transforms = {t.get("Algorithm") or "" for t in references[0].iter(f"{{{DS}}}Transform")}
    if not transforms <= DOCUMENT_TRANSFORMS or signature.ENVELOPED not in transforms:
        return "its transforms are not those of an enveloped signature"
    if element.find(f".//{{{DS}}}X509Certificate") is None:
        return "it names no certificate"
    return ""


def _holds(raw: bytes, der: bytes) -> tuple[bool, str]:
    """Computed by python-xmlsec with the one key that the certificate holds."""
    xmlsec.cleanup_callbacks()  # nothing outside the document may be opened (dependencies: local files else are)
    root = etree.fromstring(
        raw, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    )
    context = xmlsec.SignatureContext()
    try:
        context.key = xmlsec.Key.from_memory(der, xmlsec.constants.KeyDataFormatCertDer, None)
        context.verify(next(root.iter(f"{{{DS}}}Signature")))
    except xmlsec.Error as error:
        return False, f"the signature does not verify ({error.args[-1] if error.args else 'no reason given'})"
    return True, ""


def _by(found: Verification, der: bytes, kit: Kit | None) -> Verification:
    """Who signed, and whether the configuration trusts them."""
    try:
        facts = certificates.facts(der)
    except ValueError:
        return Verification(found.file, found.kind, False, "the certificate cannot be read", found.covers)
    trusted, because = _trusted(der, kit)
    return Verification(
        found.file,
        found.kind,
        found.holds,
        found.because,
        found.covers,
        facts.subject,
        facts.organisation_number,
        facts.serial,
        facts.not_before,
        facts.not_after,
        trusted,
        because + found.because if found.holds else because,
    )


def _trusted(der: bytes, kit: Kit | None) -> tuple[bool | None, str]:
    if kit is None:
        return None, "no configuration here that names trusted authorities; see --config"
    verdict = certificates.judge(der, Purpose.SIGNING, kit.clock.now(), kit.anchors, kit.revocation)
    if isinstance(verdict, CertificateFault):
        return False, f"{verdict.reason}: {verdict.text}"
    return True, "path, purpose, time and revocation are good"


def all_of(paths: Sequence[Path], kit: Kit | None) -> list[Verification]:
    """The verdict on each file, in order."""
    return [verified(path, kit) for path in paths]
