"""Is a code in its list? A wrong code is told and never refuses (HIS 80415 3.3.2)."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from hub.checks.content.rule import Found, Rule, Subject
from hub.formats.apprec import exchanged
from hub.formats.document import child, children, value_of
from xsd.lists import code_list

#: Element of the head → its list.
HEAD = {"ProcessingStatus": "8113", "RequestedPriority": "8115", "Ack": "7304"}


def _head_codes(subject: Subject) -> Iterator[Found]:
    for name, number in HEAD.items():
        element = subject.head.get(name)
        if element is not None and (element.get("V") or "") not in code_list(number):
            yield Found(element, number)


def _document_codes(subject: Subject) -> Iterator[Found]:
    for document, reference in subject.documents:
        for parent, name, number in (
            (document, "DocumentConnection", "4702"),
            (reference, "MsgType", "8114"),
            (reference, "Compression", "1204"),
        ):
            element = parent.get(name)
            if element is not None and (element.get("V") or "") not in code_list(number):
                yield Found(element, number)


def _receiver_roles(subject: Subject) -> Iterator[Found]:
    if subject.head.get("OtherReceiver") is None:
        return
    for other in children(subject.head.element, "OtherReceiver"):
        role = child(other, "RoleReceiver")
        if role is not None and (role.get("V") or "") not in code_list("8112"):
            yield Found(role, "8112")


def _apprec_status(subject: Subject) -> Iterator[Found]:
    status = _of_apprec(subject, "Status")
    if status is not None and (status.get("V") or "") not in code_list("8258"):
        yield Found(status, "8258")


def _apprec_errors(subject: Subject) -> Iterator[Found]:
    """OK says nothing is wrong, Avvist says what (HIS 80415; list 8258)."""
    if subject.document.kind != "apprec":
        return
    status, errors = value_of(subject.root, "Status"), list(children(subject.root, "Error"))
    if status == "1" and errors:
        yield Found(errors[0], "OK, but with Error")
    if status in ("2", "3") and not errors:
        yield Found(_of_apprec(subject, "Status"), "Error is missing")


def _apprec_codes(subject: Subject) -> Iterator[Found]:
    for error in children(subject.root, "Error") if subject.document.kind == "apprec" else ():
        system, code = error.get("S") or "", error.get("V") or ""
        if system.endswith(".8221") and code not in code_list("8221"):
            yield Found(error, "8221")


def _exchanged(subject: Subject) -> Iterator[Found]:
    for error in children(subject.root, "Error") if subject.document.kind == "apprec" else ():
        if exchanged(error):
            yield Found(error)


def _of_apprec(subject: Subject, name: str) -> etree._Element | None:
    return child(subject.root, name) if subject.document.kind == "apprec" else None


_SAID = "a code is not in list {about}"
_USE = "Use a code of the list; the receiver may not understand this one."
RULES = (
    Rule("KODE-01", "HIS 80601", "warning", "document-remark", _SAID, _USE, _head_codes),
    Rule("KODE-02", "HIS 80601; HIS 1036", "warning", "document-remark", _SAID, _USE, _document_codes),
    Rule("KODE-03", "HIS 80601", "warning", "document-remark", _SAID, _USE, _receiver_roles),
    Rule("KVIT-01", "HIS 80415 (list 8258)", "warning", "document-remark", _SAID, _USE, _apprec_status),
    Rule(
        "KVIT-02", "HIS 80415 3.3", "warning", "document-remark",
        "Status and Error contradict each other ({about})", "OK has no Error; Avvist has at least one.", _apprec_errors,
    ),
    Rule("KVIT-03", "HIS 80415 6.3", "warning", "document-remark", _SAID, _USE, _apprec_codes),
    Rule(
        "KVIT-04", "HIS 80415 6.3", "warning", "document-remark",
        "V and S of Error have changed places", "Write the code in V and the OID of its list in S.", _exchanged,
    ),
)  # fmt: skip
