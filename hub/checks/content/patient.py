"""Is the patient identified well enough, and do the numbers have the check digits that they should?"""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from hub.checks.content.rule import Found, Rule, Subject
from hub.formats import identifiers
from hub.formats.document import child
from hub.formats.identifiers import ARITHMETIC

#: Numbers that identify a patient together with a name (HIS 80415 3.3.4 E36); an auxiliary number of either kind may.
SUFFICIENT = ("FNR", "DNR", "HNR", "FHN")


def _insufficient(subject: Subject) -> Iterator[Found]:
    """Name with a national, D- or common auxiliary number, or with date of birth and sex.

    Asked of every patient that stands there, and of a standard that is always about one. An emergency referral that can
    be read is never refused (HIS 80415 3.3.4).
    """
    if _emergency(subject):
        return
    patient = subject.patient
    if patient is None:
        if (
            subject.standard is not None
            and subject.standard.patient
            and (place := _without_patient(subject)) is not None
        ):
            yield Found(place, "Patient is missing")
        return
    number = any(kind in SUFFICIENT and _eleven_digits(value) for _, kind, value in patient.idents)
    if not patient.named:
        yield Found(patient.element, "the name is missing")
    elif not number and not patient.born_and_sex:
        yield Found(patient.element, "neither a number of eleven digits, nor date of birth and sex")


def _without_patient(subject: Subject) -> etree._Element | None:
    """Where the patient should stand; None where an animal or a material is examined instead (HIS 80821, HIS 80822)."""
    if subject.document.kind == "msghead":
        return subject.head.element
    body = subject.body if subject.document.kind == "bare" else None
    other = any(child(body, name) is not None for name in ("Animal", "Material"))
    return None if other else body


def _eleven_digits(value: str) -> bool:
    """Wrong check digits are no reason to refuse (E31 only where the process says so); what is no number at all is."""
    digits = identifiers.plain(value)
    return len(digits) == 11 and digits.isascii() and digits.isdecimal()


def _emergency(subject: Subject) -> bool:
    """A referral with urgency 0, as each version writes it."""
    if not subject.document.type_code.startswith("HENVISNING"):
        return False
    urgent = (e.get("V") for name in ("Priority", "Hastegrad") for e in subject.root.iter(f"{{*}}{name}"))
    return "0" in urgent


def _wrong_digits(subject: Subject) -> Iterator[Found]:
    patient = subject.patient
    for element, kind, value in patient.idents if patient is not None else ():
        if value and kind in ARITHMETIC and not ARITHMETIC[kind](identifiers.plain(value)):
            yield Found(element, kind)


def _organisation_digits(subject: Subject) -> Iterator[Found]:
    document = subject.document
    for address in (document.sender, document.receiver, *document.copies):
        for part in (address.organisation, address.unit, address.person):
            for ident in part.idents if part is not None else ():
                known = ARITHMETIC.get(ident.type) if ident.type in ("ENH", "HER", "HPR") else None
                if known is not None and not known(identifiers.plain(ident.value).lstrip("0") or "0"):
                    yield Found(subject.head.element, ident.type)


RULES = (
    Rule(
        "PAS-01", "HIS 80415 3.3.4 E36", "error", "document-patient",
        "the patient is not identified well enough: {about}",
        "Give the name, and a national identity number, a D-number, a common auxiliary number, or date of birth and sex.",
        _insufficient,
    ),
    Rule(
        "PAS-02", "HIS 80415 3.3.4 E31", "warning", "document-remark",
        "a number of type {about} does not have valid check digits", "Check the number.", _wrong_digits,
    ),
    Rule(
        "ADR-07", "HIS 1153; HIS 80601", "warning", "document-remark",
        "an identifier of type {about} cannot be right", "Check the number.", _organisation_digits,
    ),
)  # fmt: skip
