"""The head: ids and times of the document, and whether its type is that of what it carries (HIS 80601)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import timedelta

from lxml import etree

from hub.checks.content.rule import Found, Rule, Subject
from hub.formats.document import business_part, child, text_of
from xsd.lists import code_list

#: How far ahead of our clock a GenDate may be before somebody should look at a clock.
AHEAD = timedelta(hours=24)


def _where(subject: Subject, name: str) -> etree._Element:
    """The element `name` of the head, else the head itself."""
    info = subject.head.element
    found = subject.head.get(name) if info is not None else child(subject.root, name)
    if found is not None:
        return found
    return info if info is not None else subject.root


def _msg_id(subject: Subject) -> Iterator[Found]:
    if _asks_for_uuid(subject):
        yield from _no_uuid(subject)


def _older_msg_id(subject: Subject) -> Iterator[Found]:
    if not _asks_for_uuid(subject):
        yield from _no_uuid(subject)


def _asks_for_uuid(subject: Subject) -> bool:
    """MsgHead (HIS 80601), and what is answered by AppRec 1.1 (HIS 80415:2012 3.3.4); older formats ask for any id."""
    if subject.document.kind == "bare" and subject.standard is not None:
        return subject.standard.apprec == "1.1"
    return subject.document.kind != "apprec"


def _no_uuid(subject: Subject) -> Iterator[Found]:
    if subject.document.kind == "other":
        return
    if not _is_uuid(subject.document.msg_id):
        name = "Id" if subject.document.kind == "apprec" else "MsgId"
        yield Found(_where(subject, name), "is missing" if not subject.document.msg_id else "is not a UUID")


#: As nearly everybody writes it; the library takes braces and prefixes too.
_USUAL_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _is_uuid(text: str) -> bool:
    if _USUAL_UUID.fullmatch(text):
        return True
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _gen_date(subject: Subject) -> Iterator[Found]:
    at = subject.document.gen_date
    if at is not None and at > subject.now + AHEAD:
        yield Found(_where(subject, "GenDate"))


def _mig_version(subject: Subject) -> Iterator[Found]:
    if subject.document.kind == "msghead" and subject.document.mig_version != "v1.2 2006-05-24":
        yield Found(_where(subject, "MIGversion"))


def _type_known(subject: Subject) -> Iterator[Found]:
    if subject.document.kind == "msghead" and subject.document.type_code not in code_list("8279"):
        yield Found(_where(subject, "Type"), subject.document.type_code[:40])


def _type_fits(subject: Subject) -> Iterator[Found]:
    types = subject.standard.types if subject.standard else ()
    code = subject.document.type_code
    if types and code and code not in types and subject.document.kind != "apprec":
        assert subject.standard is not None
        yield Found(_where(subject, "Type"), f"{code[:40]}, {subject.standard.name} {subject.standard.version}")


def _business_part(subject: Subject) -> Iterator[Found]:
    """The first Document is the business part, else a later one; where there is none, one that says XML must hold it."""
    if subject.document.kind != "msghead" or subject.document.namespace:
        return
    for _, reference in subject.documents:
        content = reference.get("Content")
        empty = reference.get("FileReference") is None and (content is None or not len(content))
        if empty and reference.value("MsgType") == "XML":
            yield Found(reference.element)
            return


def _test_traffic(subject: Subject) -> Iterator[Found]:
    if subject.document.processing_status in ("D", "T"):
        yield Found(_where(subject, "ProcessingStatus"), subject.document.processing_status)


def _parent_is_itself(subject: Subject) -> Iterator[Found]:
    parent, first = subject.document.conversation_ref
    if subject.document.msg_id and subject.document.msg_id in (parent, first):
        yield Found(_where(subject, "ConversationRef"))


def _answers_something(subject: Subject) -> Iterator[Found]:
    """An answer or a report of deviation refers to what it is about (HIS 80601, HIS 1151, HISD 1218)."""
    if subject.document.type_code in ("DIALOG_SVAR", "DIALOG_AVVIK") and not any(subject.document.conversation_ref):
        yield Found(_where(subject, "MsgInfo"), subject.document.type_code)


def _half_reference(subject: Subject) -> Iterator[Found]:
    reference = subject.head.get("ConversationRef")
    if reference is not None and not (text_of(reference, "RefToParent") and text_of(reference, "RefToConversation")):
        yield Found(reference)


#: Types whose standards do not know a change, only new and cancelled (HISD 1154).
UNCHANGEABLE = frozenset({"ORIENTERING_TJENESTETILBUD", "MEDISINSKE_OPPLYSNINGER", "HELSEOPPLYSNINGER_LEGE"})


def _status_element(subject: Subject) -> etree._Element | None:
    """Where a document says whether it is new, changed or cancelled (list 7309)."""
    if subject.document.kind == "bare":
        body = next((e for e in subject.root if child(e, "ServType") is not None), None)
        return child(body, "ServType")
    part = business_part(subject.root) if subject.document.kind == "msghead" else None
    return child(child(part, "InformasjonOmForsendelsen"), "Forsendelsesstatus")


def _unknown_status(subject: Subject) -> Iterator[Found]:
    if not subject.document.type_code.startswith(("HENVISNING", "EPIKRISE")):
        return
    element = _status_element(subject)
    if element is not None and (element.get("V") or "N") not in ("N", "M", "C"):
        yield Found(element, (element.get("V") or "")[:10])


def _unchangeable(subject: Subject) -> Iterator[Found]:
    code = subject.document.type_code
    element = _status_element(subject) if code in UNCHANGEABLE or code.startswith("LOG_") else None
    if element is not None and element.get("V") == "M":
        yield Found(element, code)


def _cancels_nothing(subject: Subject) -> Iterator[Found]:
    """A cancellation hits all documents with the same document id, so it must have one (HISD 1154)."""
    element = _status_element(subject) if subject.document.kind == "bare" else None
    if element is not None and element.get("V") in ("C", "M") and not subject.document.document_id:
        yield Found(element)


MSG_ID = Rule(
    "HODE-01", "HIS 80601; HIS 80415 3.3.4 E10", "error", "document-msgid",
    "MsgId {about}", "Give the document a MsgId that is a UUID.", _msg_id,
)  # fmt: skip
RULES = (
    MSG_ID,
    Rule(
        "HODE-02", "HIS 1037 6.2.1", "warning", "document-remark",
        "GenDate is more than a day ahead of now", "Check the clock of the record system.", _gen_date,
    ),
    Rule(
        "HODE-03", "HIS 80601", "warning", "document-remark",
        "MIGversion is not 'v1.2 2006-05-24'", "Write the version of Hodemelding that is used.", _mig_version,
    ),
    Rule(
        "HODE-04", "HISD 1209 3.1", "warning", "document-remark",
        "Type '{about}' is not a code of list 8279", "Use the code that the standard names.", _type_known,
    ),
    Rule(
        "HODE-05", "HISD 1209 3.1; HITS 1172 269, 270", "warning", "document-remark",
        "Type does not fit the document ({about})", "Use the Type that belongs to the document's standard.", _type_fits,
    ),
    Rule(
        "HODE-06", "HIS 80601; HIS 1036", "error", "document-empty",
        "a RefDoc says XML but holds no document, and no other does", "Put the business document into RefDoc/Content.",
        _business_part,
    ),
    Rule(
        "HODE-07", "HIS 80601 (list 8113)", "warning", "document-remark",
        "ProcessingStatus is {about}: not for a patient's record", "Do not import it as real.", _test_traffic,
    ),
    Rule(
        "HODE-08", "HIS 80415", "warning", "document-remark",
        "MsgId {about}", "Newer versions of the standard ask for a UUID.", _older_msg_id,
    ),
    Rule(
        "SAM-01", "HIS 80601; HISD 1218", "warning", "document-remark",
        "ConversationRef names the document itself", "Refer to the previous and to the first message.",
        _parent_is_itself,
    ),
    Rule(
        "SAM-02", "HIS 1151; HISD 1218", "warning", "document-remark",
        "a {about} has no ConversationRef", "Refer to the message that is answered.", _answers_something,
    ),
    Rule(
        "SAM-03", "HIS 80601", "warning", "document-remark",
        "ConversationRef lacks RefToParent or RefToConversation", "Give both; they are equal when one message precedes.",
        _half_reference,
    ),
    Rule(
        "END-01", "HISD 1154 (list 7309)", "warning", "document-remark",
        "status '{about}' is neither new, changed nor cancelled", "Use N, M or C.", _unknown_status,
    ),
    Rule(
        "END-02", "HISD 1154", "warning", "document-remark",
        "{about} cannot be changed, only sent anew or cancelled", "Cancel it and send a new one.", _unchangeable,
    ),
    Rule(
        "END-03", "HISD 1154", "warning", "document-remark",
        "a change or cancellation has no document id", "Repeat the id of the document that is meant.", _cancels_nothing,
    ),
)  # fmt: skip
