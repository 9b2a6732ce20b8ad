"""KITH's official acceptance cases, and what each must come to: the table expected.tsv, one row for each case."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from hub.formats import document as documents
from hub.formats import xml
from hub.formats.document import Address, Document
from tests.acceptance.facts import APPREC
from tests.official_index import rows

TABLE = Path(__file__).parent / "expected.tsv"
#: Folders of the standards that this hub answers for; EPJ content, kjernejournal, epikrise 1.0 and drafts are left out.
LISTED = frozenset(APPREC)
FOLDERS = re.compile(r"(?i)testcase|fasithenvisningsending|case-mottak-")
#: Who stands in the envelope for a party that the document gives no HER-id.
SENDER, RECEIVER = "8009000", "8000202"


@dataclass(frozen=True, slots=True)
class Expected:
    """One row: how the case is sent, what must come of it, who must do it, and why."""

    case: str  #: path below samples
    criterion: str  #: number and variant in KITH's document, or the scenario; `base` for the case that others vary
    sent: str  #: '' to the receiver; `copy`, `both`, `twice`; `level 1`: the unit is not ours; `unknown`: nobody is
    reaction: str  #: MessageError or SOAP Fault, or else the AppRec: `Avvist` with its code, or OK
    remark: str  #: a rule that must be remarked, and whether at the sender or the receiver
    by: str  #: message handler, record system, or both
    because: str


def expected() -> tuple[Expected, ...]:
    """The table."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        next(reader)
        return tuple(Expected(*row) for row in reader)


def found(standards: Path) -> Iterator[str]:
    """Every official case of the listed standards that is in the collection."""
    return (name for name, parts, _ in _listed(standards) if FOLDERS.match(parts[-2]))


def others(standards: Path) -> Iterator[Expected]:
    """Every other sample of the listed standards, by the verdict that the collection's own list has for it."""
    for name, parts, outcome in _listed(standards):
        if not FOLDERS.match(parts[-2]):
            yield Expected(name, "", "", REACTIONS[outcome], "", "message handler", "")


#: What the official schema says → what its sender is answered.
REACTIONS = {"valid": "OK", "INVALID": "Avvist T02", "NOT WELL-FORMED": "MessageError"}


def _listed(standards: Path) -> Iterator[tuple[str, list[str], str]]:
    for row in rows(standards):
        parts = row.file.split("/")
        if parts[0] == "samples" and parts[1] in LISTED:
            yield "/".join(parts[1:]), parts, row.outcome


@dataclass(frozen=True)
class Case:
    """An official case with its bytes, and the envelope that a partner would put around it."""

    expected: Expected
    raw: bytes = field(repr=False)

    @property
    def family(self) -> str:
        """The standard and version, as the folder has it: svarrapport-1.3."""
        return self.expected.case.partition("/")[0]

    @cached_property
    def document(self) -> Document | None:
        """As the hub reads it; None where it cannot be read."""
        root = xml.parse(self.raw, xml.Bounds.for_document(len(self.raw)))
        return None if isinstance(root, xml.XmlFault) else documents.read(root)

    @cached_property
    def sender(self) -> str:
        """From: the document's sender, level 2 before level 1; never one of the receivers (one case has it so)."""
        named = self.document.sender.her_ids if self.document else ()
        return next((her for her in reversed(named) if her not in self.receivers), SENDER)

    @cached_property
    def receivers(self) -> tuple[str, ...]:
        """To, one envelope each."""
        if self.document is None:
            return (RECEIVER,)
        primary, copies = self.document.receiver, self.document.copies
        own = [her for her in (primary.her_id, *(c.her_id for c in copies)) if her]
        match self.expected.sent:
            case "copy":
                return (own[1] if primary.her_id and len(own) > 1 else (own or [RECEIVER])[0],)
            case "both":
                return (own[0], own[1])
            case "level 1":
                return (_first_level(primary) or RECEIVER,)
            case _:
                return ((own or [RECEIVER])[0],)

    @property
    def stands_in(self) -> str:
        """Which party of the envelope is a stand-in, because the document gives it no HER-id."""
        names = {"From": self.sender == SENDER, "To": RECEIVER in self.receivers}
        return ", ".join(name for name, stand_in in names.items() if stand_in)


def _first_level(address: Address) -> str:
    return address.her_ids[0] if address.her_ids else ""


def cases(standards: Path, wanted: Iterable[Expected]) -> tuple[Case, ...]:
    """Each with its bytes."""
    return tuple(Case(row, (standards / "samples" / row.case).read_bytes()) for row in wanted)
