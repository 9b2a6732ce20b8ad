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
    """What a receiver says about one message. `status` of list 8258: 1 OK, 2 Avvist, 3 OK with errors in parts.

    Empty where that cannot be told: then `doubt` says why, and only a person can find out.
    """

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
    doubt: str = ""  #: harmless words: codes and names of elements


#: Beginnings of what DN says where the receiver took the document, and words in it where it did not, or not all of it.
_YES = ("ok", "godkjent", "akseptert", "accepted")
_NO, _PARTLY = ("avvis", "reject", "refus"), ("delmelding", "partial", "partly", "part of", "message part")


def read(root: etree._Element) -> AppRec | None:
    """The AppRec, or None when the root is no AppRec."""
    namespace = etree.QName(root).namespace or ""
    if namespace not in APPREC_NAMESPACES:
        return None
    original = child(root, "OriginalMsgId")
    errors = tuple(_error(e) for e in children(root, "Error"))
    status, doubt = _status(value_of(root, "Status"), value_of(root, "Status", "DN"), bool(errors))
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
        doubt=doubt,
    )


def _status(code: str, words: str, errors: bool) -> tuple[str, str]:
    """The status that V, DN and the Errors say together, or why they say none (HIS 80415 3.3, list 8258).

    OK has no Error, Avvist has one; an unknown code counts as Avvist where there are Errors, as some systems write it.
    What speaks against itself is never taken for a yes.
    """
    said = words.casefold()
    yes = said.startswith(_YES) and not any(word in said for word in (*_NO, *_PARTLY))
    no, partly = any(word in said for word in _NO), any(word in said for word in _PARTLY)
    shown = code if code in ("1", "2", "3") else "unknown" if code else "missing"
    against = {
        "1": errors or no or partly,
        "2": yes,
        "3": no or not errors,
    }
    if shown in against and not against[shown]:
        return code, ""
    if shown not in against and errors and not yes and not partly:
        return "2", ""
    told = "Avvist" if no else "in part" if partly else "OK" if yes else "neither yes nor no"
    return "", f"Status is {shown}, its words say {told}, and {'there are Errors' if errors else 'there is no Error'}"


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
