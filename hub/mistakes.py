"""Every mistake of a document, each at its place and in both languages: what its writer needs to mend it in one go."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hub import norwegian
from hub.checks.content.chain import RULES
from hub.checks.content.rule import Finding, Subject, examine
from hub.checks.inspection import Inspection
from hub.formats import apprec as apprecs
from hub.formats import schema_words, xml
from hub.kit import Kit
from hub.message import Place
from xsd.catalogue import SchemaFault

#: So many places of one document are told: who has made more mistakes mends these first.
MOST = 100
#: What is wrong with XML that cannot be read, and what to do; the Norwegian words stand in hub.norwegian.SAID.
BROKEN = {
    "not-well-formed": ("not well-formed XML: {about}", "Correct the place that is named."),
    "doctype": ("the document has a DOCTYPE or an entity", "Send XML without DOCTYPE."),
    "encoding": ("the encoding is not supported, or is not the one declared", "Use UTF-8."),
    "hostile": ("the document is built to be expensive: {about}", "Look at depth, namespaces and attributes."),
    "too-large": ("larger than the hub takes: {about}", "Split it, or send less."),
}
#: XmlFault reasons → those above; all others are hostile.
_KINDS = {name: name for name in BROKEN} | {"empty": "not-well-formed"}


class Columns:
    """Where start tags begin in the lines of a document; the schema validator itself knows only lines."""

    def __init__(self, raw: bytes) -> None:
        self._lines = raw.splitlines()

    def of(self, line: int, element: str) -> int:
        """The column of the element's tag in its line, from 1; 0 where it is not found."""
        if not 0 < line <= len(self._lines) or not element:
            return 0
        tag = re.compile(rb"</?(?:[\w.-]+:)?" + re.escape(element.encode()) + rb"[\s/>]")
        found = tag.search(self._lines[line - 1] + b" ")
        return found.start() + 1 if found else 0


def of(inspection: Inspection, kit: Kit) -> tuple[Place, ...]:
    """Every error of the document under inspection, by its schema first, then by the content rules; at most MOST.

    Empty where it has none: it was refused for something else than what is in it.
    """
    bounds = xml.Bounds.for_document(kit.settings.max_message_bytes)
    root = inspection.document_root
    if root is None:
        broken = xml.parse(inspection.raw, bounds)
        return (unreadable(broken),) if isinstance(broken, xml.XmlFault) else ()
    if inspection.document is None or inspection.document.kind == "other":
        return ()
    columns = Columns(inspection.raw)
    righted = apprecs.righted(root) if inspection.document.kind == "apprec" else root
    places = by_schema(kit.schemas.check(righted).faults[:MOST], columns)
    subject = Subject(root, inspection.document, inspection.standard, inspection.now, len(inspection.raw))
    places += by_rules((one for one in examine(subject, RULES) if one.rule.severity == "error"), columns)
    return tuple(places[:MOST])


def unreadable(broken: xml.XmlFault) -> Place:
    """Why it cannot be read as XML."""
    kind, about = _KINDS.get(broken.reason, "hostile"), broken.said or broken.text
    text, hint = BROKEN[kind]
    words = text.format(about=about), hint
    return Place(broken.line, broken.column, "", kind, "error", words, norwegian.said(kind, about))


def by_schema(faults: Iterable[SchemaFault], columns: Columns) -> list[Place]:
    """Where the document breaks its schema."""
    return [_by_schema(fault, columns) for fault in faults]


def _by_schema(fault: SchemaFault, columns: Columns) -> Place:
    said = schema_words.said(fault)
    column = fault.column or columns.of(fault.line, fault.element)
    words = (said.text, said.hint), norwegian.mistake(said.kind, said.names)
    return Place(fault.line, column, fault.element, f"schema:{said.kind}", "error", *words)


def by_rules(findings: Iterable[Finding], columns: Columns) -> list[Place]:
    """Which content rules it breaks, each with its clause."""
    return [_by_rule(found, columns) for found in findings]


def _by_rule(found: Finding, columns: Columns) -> Place:
    rule = found.rule
    column = columns.of(found.line, found.element)
    words = (found.text, rule.hint), norwegian.rule(rule.id, found.about)
    return Place(found.line, column, found.element, f"{rule.id} ({rule.clause})", rule.severity, *words)
