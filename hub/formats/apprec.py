"""Reads an AppRec: what it says of which message; versions 1.0 and 1.1 differ only in their namespace (HIS 80415)."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime

from lxml import etree

from hub.formats import document as documents
from hub.formats.document import APPREC_NAMESPACES, NORWAY, Address, child, children, text_of, value_of
from hub.formats.times import parse_instant


@dataclass(frozen=True, slots=True)
class AppRecError:
    """One Error: a code of list 8221 (or 8222, 8223), its text, and words of the one who refused."""

    code: str
    system: str
    text: str = ""
    other_text: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class AppRec:
    """What a receiver says about one message. `status` of list 8258: 1 OK, 2 Avvist, 3 OK with errors in parts."""

    version: str
    id: str
    gen_date: datetime | None
    status: str
    errors: tuple[AppRecError, ...]
    original_id: str
    original_type: str
    original_issue_date: str
    sender: Address
    receiver: Address


def read(root: etree._Element) -> AppRec | None:
    """The AppRec, or None when the root is no AppRec. An unknown status with errors counts as 2, else as 1."""
    namespace = etree.QName(root).namespace or ""
    if namespace not in APPREC_NAMESPACES:
        return None
    original = child(root, "OriginalMsgId")
    errors = tuple(_error(e) for e in children(root, "Error"))
    status = value_of(root, "Status")
    if status not in ("1", "2", "3"):
        status = "2" if errors else "1"
    return AppRec(
        version=APPREC_NAMESPACES[namespace],
        id=text_of(root, "Id"),
        gen_date=parse_instant(text_of(root, "GenDate"), NORWAY),
        status=status,
        errors=errors,
        original_id=text_of(original, "Id"),
        original_type=value_of(original, "MsgType"),
        original_issue_date=text_of(original, "IssueDate"),
        sender=documents.hcp(child(root, "Sender")),
        receiver=documents.hcp(child(root, "Receiver")),
    )


def _error(element: etree._Element) -> AppRecError:
    """Code and code system, also where they were written the other way round (ebxml.md §7.4)."""
    code, system = (element.get("V") or "").strip(), (element.get("S") or "").strip()
    if exchanged(element):
        code, system = system, code
    return AppRecError(code, system, (element.get("DN") or "").strip(), (element.get("OT") or "").strip())


def exchanged(error: etree._Element) -> bool:
    """Whether the code and the OID of its list have changed places: some of NAV's applications wrote it so."""
    code, system = (error.get("V") or "").strip(), (error.get("S") or "").strip()
    return code.startswith("2.16.") and not system.startswith("2.16.")


def righted(root: etree._Element) -> etree._Element:
    """A copy in which code and OID stand where the schema wants them; the AppRec itself where they do already."""
    if not any(exchanged(error) for error in children(root, "Error")):
        return root
    copy = deepcopy(root)
    for error in children(copy, "Error"):
        if exchanged(error):
            code, system = error.get("S") or "", error.get("V") or ""
            error.set("V", code)
            error.set("S", system)
    return copy
