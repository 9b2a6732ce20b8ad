"""Is a file right? Documents, AppRecs, ebXML envelopes, whole MIME messages, CPAs and CPPs: schema first, then content rules."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from lxml import etree

from hub import agreements
from hub.checks.content.chain import RULES
from hub.checks.content.rule import Subject, examine
from hub.formats import cpa, mime, xml
from hub.formats import document as documents
from hub.formats import envelope as envelopes
from hub.message import Language
from ops.look.report import Remark, Report, Speaker
from xsd.catalogue import Catalogue, Standard

LIMIT = 64_000_000
KINDS = {"msghead": "MsgHead", "bare": "Message", "apprec": "AppRec"}


@dataclass(frozen=True, slots=True)
class Validator:
    """Looks at one file after another; schemas are compiled once, when first needed."""

    schemas: Catalogue
    language: Language = "en"
    schema_only: bool = False

    def file(self, path: Path) -> Report:
        """The report on a file. Raises OSError when it cannot be read."""
        return self.content(path.read_bytes(), str(path))

    def content(self, raw: bytes, name: str) -> Report:
        """The report on bytes: XML as it stands, or a MIME message with its headers."""
        if not is_xml(raw) and _looks_like_mime(raw):
            return self._mime(raw, name)
        return self._xml(raw, name)

    # --- XML

    def _xml(self, raw: bytes, name: str) -> Report:
        speaker = Speaker(self.language, raw)
        root = xml.parse(raw, xml.Bounds.for_document(LIMIT))
        if isinstance(root, xml.XmlFault):
            return _report(name, "unknown", None, "", [speaker.broken(root)])
        kind = _kind(root)
        standard = self._standard(root)
        remarks = self._by_schema(root, speaker)
        if not self.schema_only:
            remarks += self._by_content(root, kind, standard, raw, speaker)
        return _report(name, kind, standard, _namespace(root), remarks)

    def _standard(self, root: etree._Element) -> Standard | None:
        """That of the business document: inside a MsgHead the one that its first content belongs to."""
        namespace = documents.read(root).namespace or str(etree.QName(root).namespace or "")
        own = self.schemas.find(str(etree.QName(root).namespace or ""))
        return self.schemas.find(namespace) or own

    def _by_schema(self, root: etree._Element, speaker: Speaker) -> list[Remark]:
        remarks = speaker.by_schema(self.schemas.validate(root))
        unknown = self.schemas.covers(root)
        if unknown:
            remarks.append(speaker.say("unchecked", ", ".join(unknown), severity="warning"))
        elif not etree.QName(root).namespace and not remarks:
            remarks.append(speaker.say("unchecked", str(root.tag), severity="error"))
        return remarks

    def _by_content(
        self, root: etree._Element, kind: str, standard: Standard | None, raw: bytes, speaker: Speaker
    ) -> list[Remark]:
        if kind in KINDS.values():
            subject = Subject(root, documents.read(root), standard, datetime.now(UTC), len(raw))
            return speaker.by_rules(examine(subject, RULES))
        if kind == "ebXML envelope":
            return _header(root, speaker)
        if kind in ("CPA", "CPP"):
            return _agreement(cpa.read(root) if kind == "CPA" else cpa.read_profile(root), speaker)
        return []

    # --- MIME

    def _mime(self, raw: bytes, name: str) -> Report:
        speaker = Speaker(self.language, raw)
        headers, body = split(raw)
        package = mime.read(headers, body)
        if isinstance(package, mime.MimeFault):
            remark = speaker.say("mime", package.text, rule=f"HITS 1172 {package.rule}")
            return _report(name, "MIME message", None, "", [remark])
        report = self._xml(package.root.content, name)
        remarks = list(report.errors)
        for part in package.attachments:
            remarks += self._part(part, speaker)
        return replace(report, kind="MIME message", errors=tuple(remarks))

    def _part(self, part: mime.Part, speaker: Speaker) -> list[Remark]:
        """A payload that lies open is checked as a document; an encrypted one is only named."""
        if is_xml(part.content):
            return list(self._xml(part.content, part.content_id).errors)
        return [speaker.say("encrypted", severity="warning")]


def _report(name: str, kind: str, standard: Standard | None, namespace: str, remarks: list[Remark]) -> Report:
    known = (standard.name, standard.his, standard.version, standard.namespace) if standard else ("", "", "", namespace)
    return Report(name, kind, *known, tuple(remarks))


def _kind(root: etree._Element) -> str:
    if root.tag == f"{{{envelopes.SOAP}}}Envelope":
        return "ebXML envelope"
    if root.tag == f"{{{cpa.TP}}}CollaborationProtocolAgreement":
        return "CPA"
    if root.tag == f"{{{cpa.TP}}}CollaborationProtocolProfile":
        return "CPP"
    return KINDS.get(documents.read(root).kind, "unknown")


def _namespace(root: etree._Element) -> str:
    return documents.read(root).namespace or str(etree.QName(root).namespace or "")


def _agreement(found: cpa.Cpa | cpa.Profile | cpa.CpaFault, speaker: Speaker) -> list[Remark]:
    """Why it cannot be used, or what of it is not followed here and what happens then."""
    if isinstance(found, cpa.CpaFault):
        return [speaker.say("cpa", found.text)]
    grave: dict[agreements.Severity, Literal["error", "warning"]] = {"refused": "error"}
    return [
        speaker.say("agreed", str(remark), severity=grave.get(remark.severity, "warning"))
        for remark in agreements.judged(found)
    ]


def _header(root: etree._Element, speaker: Speaker) -> list[Remark]:
    """The numbered rules of HITS 1172 that the header breaks."""
    found = envelopes.read(root)
    if isinstance(found, envelopes.EnvelopeFault):
        return [speaker.say("envelope", found.text, rule=f"HITS 1172 {found.rule}")]
    return [
        speaker.say(
            "envelope",
            f"{f.element}: {f.text}",
            rule=f"HITS 1172 {f.rule}",
            severity="warning" if f.severity == "Warning" else "error",
        )
        for f in found.findings
    ]


def is_xml(raw: bytes) -> bool:
    """Whether it begins as XML does."""
    return raw[:200].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"


def _looks_like_mime(raw: bytes) -> bool:
    head = raw[:16_384].lower()
    return b"content-type:" in head and b"\n" in head


def split(raw: bytes) -> tuple[dict[str, str], bytes]:
    """Headers, unfolded, and body of a message as it lay on the wire; a first line of HTTP is passed over.

    A body alone, which begins with its boundary, gets the header that it lacks.
    """
    if raw.lstrip().startswith(b"--"):
        boundary = raw.split(b"--", 1)[1].split(b"\n", 1)[0].strip().decode("latin-1")
        return {"content-type": f'multipart/related; boundary="{boundary}"'}, raw
    end = re.search(rb"\r?\n\r?\n", raw[:65_536])
    if end is None:
        return {}, raw
    lines = re.sub(r"\r?\n[ \t]+", " ", raw[: end.start()].decode("latin-1")).splitlines()
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}, raw[end.end() :]
