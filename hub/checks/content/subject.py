"""A document under examination: what several rules look at is found once, by the first that asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from lxml import etree

from hub.formats.document import BODIES, Address, Document, by_name, child, children, coded, said
from hub.formats.envelope import Envelope
from xsd.catalogue import Standard


class Parts:
    """The first child of each name of an element that may be missing: looked through once, asked many times."""

    __slots__ = ("_named", "element")

    def __init__(self, element: etree._Element | None) -> None:
        self.element = element
        self._named = by_name(element)

    def get(self, name: str) -> etree._Element | None:
        """The child of this name."""
        return self._named.get(name)

    def text(self, name: str) -> str:
        """What the child says; empty without one."""
        return said(self._named.get(name))

    def value(self, name: str) -> str:
        """The code in V of the child; empty without one."""
        return coded(self._named.get(name))


@dataclass(frozen=True, slots=True)
class Patient:
    """What a document says about who it is about; stays among the rules."""

    element: etree._Element
    named: bool
    idents: tuple[tuple[etree._Element, str, str], ...] = field(repr=False)  #: element, type, value
    born_and_sex: bool


@dataclass(frozen=True)
class Subject:
    """A document, and the envelope that it came in: `envelope` is None where there was none."""

    root: etree._Element
    document: Document
    standard: Standard | None
    now: datetime
    size: int
    envelope: Envelope | None = None
    from_her: str = ""  #: of the envelope
    to_her: str = ""

    @cached_property
    def head(self) -> Parts:
        """MsgInfo, of which a document without MsgHead has none."""
        return Parts(child(self.root, "MsgInfo"))

    @cached_property
    def documents(self) -> tuple[tuple[Parts, Parts], ...]:
        """The documents that a MsgHead carries, as a rule the business part first, each with its RefDoc."""
        found = map(Parts, children(self.root, "Document"))
        return tuple((document, Parts(document.get("RefDoc"))) for document in found)

    @cached_property
    def body(self) -> etree._Element | None:
        """The business part of a document without MsgHead."""
        return next((b for name in BODIES if (b := child(self.root, name)) is not None), None)

    @cached_property
    def attachments(self) -> tuple[Parts, ...]:
        """RefDoc of every attachment (MsgType A), wherever the standard has them."""
        if not self.document.attachments:
            return ()
        return tuple(r for r in map(Parts, self.root.iter("{*}RefDoc")) if r.value("MsgType") == "A")

    @cached_property
    def parties(self) -> tuple[tuple[etree._Element | None, Address], ...]:
        """Sender, receiver and copies: the element that each stands in, and how it was read."""
        sender, receiver, copies = self._party_elements()
        document = self.document
        both = ((sender, document.sender), (receiver, document.receiver))
        return (*both, *zip(copies, document.copies, strict=False))

    def _party_elements(self) -> tuple[etree._Element | None, etree._Element | None, list[etree._Element]]:
        if self.document.kind == "msghead":
            copies = list(children(self.head.element, "OtherReceiver")) if self.document.copies else []
            return self.head.get("Sender"), self.head.get("Receiver"), copies
        if self.document.kind == "bare" and self.body is not None:
            sender, receiver, _ = BODIES[str(self.body.tag).rpartition("}")[2]]
            return child(self.body, sender), child(self.body, receiver), list(children(self.body, "CopyDest"))
        return child(self.root, "Sender"), child(self.root, "Receiver"), []

    @cached_property
    def patient(self) -> Patient | None:
        """Who the document is about."""
        if self.document.kind == "msghead":
            found = self.head.get("Patient")
            return _of_head(found) if found is not None else None
        if self.document.kind == "bare":
            found = child(self.body, "Patient")
            return _of_bare(found) if found is not None else None
        return None


def _of_head(patient: etree._Element) -> Patient:
    parts = Parts(patient)
    named = bool(parts.text("FamilyName") or parts.text("GivenName"))  # a newborn has no given name yet
    each = ((i, Parts(i)) for i in children(patient, "Ident"))
    idents = tuple((i, ident.value("TypeId"), ident.text("Id")) for i, ident in each)
    return Patient(patient, named, idents, bool(parts.text("DateOfBirth") and parts.value("Sex")))


def _of_bare(patient: etree._Element) -> Patient:
    parts = Parts(patient)
    own = (patient, parts.value("TypeOffId"), parts.text("OffId"))
    each = ((i, Parts(i)) for i in children(patient, "AdditionalId"))
    more = ((i, ident.value("Type"), ident.text("Id")) for i, ident in each)
    born = parts.value("DateOfBirth") or parts.text("DateOfBirth")
    idents = tuple(i for i in (own, *more) if i[1] or i[2])
    return Patient(patient, bool(parts.text("Name")), idents, bool(born and parts.value("Sex")))
