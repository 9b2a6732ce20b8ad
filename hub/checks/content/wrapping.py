"""Does the envelope tell the truth about the document in it? For statistics and support; never a reason to refuse."""

from __future__ import annotations

from collections.abc import Iterator

from hub.checks.content.rule import Found, Rule, Subject
from hub.formats.document import service_action_role


def _schema_differs(subject: Subject) -> Iterator[Found]:
    declared = subject.envelope.manifest if subject.envelope is not None else ()
    for item in declared:
        if item.schema_location and item.schema_location != subject.document.namespace:
            yield Found(None, "namespace")
        elif item.schema_version and subject.standard and item.schema_version != subject.standard.version:
            yield Found(None, "version")


def _action_differs(subject: Subject) -> Iterator[Found]:
    """Compared without eb:type, and only in the sector's own scheme (HISD 1209; ebxml.md §1.7)."""
    envelope = subject.envelope
    if envelope is None or not envelope.service.startswith("S-") or not subject.document.type_code:
        return
    expected = service_action_role(subject.document)[1]
    if envelope.action.upper() != expected.upper():
        yield Found(None, expected)


RULES = (
    Rule(
        "KONV-01", "HITS 1172 266-268; HITS 1210", "warning", "document-remark",
        "eb:Schema names another {about} than the document's", "Name the namespace and version of the document itself.",
        _schema_differs,
    ),
    Rule(
        "KONV-02", "HITS 1172 269; HISD 1209", "warning", "document-remark",
        "eb:Action is not {about}, as the document's type asks", "Use the code of the document's type.", _action_differs,
    ),
)  # fmt: skip
