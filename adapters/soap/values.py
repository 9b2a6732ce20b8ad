"""Values of the contract as Python has them, read from elements and written into them, member by member as the XSD says."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from lxml import etree

from adapters.soap.contract import BINARY, Contract, Member
from adapters.soap.port import Place, Refused
from hub.formats import schema_words
from hub.formats.envelope_write import escape_text
from hub.formats.times import parse_instant
from xsd.catalogue import SchemaFault

XOP = "http://www.w3.org/2004/08/xop/include"
INCLUDE = f"{{{XOP}}}Include"
#: So many mistakes of a request are told.
MOST_PLACES = 20

#: Documents that travelled beside an envelope, by the element that they belong into.
Beside = Mapping[etree._Element, bytes]


#: What a text of the body means: the bytes that were lifted out of it, or the text itself (hub.formats.lifted).
Meant = Callable[[str], bytes | str]


def request(
    element: etree._Element, contract: Contract, beside: Beside, meant: Meant = str
) -> tuple[str, dict[str, Any]]:
    """The operation that a request asks for, and its values. Raises Refused with every place that breaks the contract.

    Documents are taken out first: what came beside is not the schema's business, and what stands in base64 is decoded
    here, once, however long it is.
    """
    space, _, name = str(element.tag).rpartition("}")
    if space[1:] != contract.namespace or name not in contract.operations:
        known = ", ".join(contract.operations)
        raise Refused("request", f"the Body holds no operation of {contract.namespace}", f"There are: {known}.")
    documents = dict(beside)
    for one in element.iter(*contract.binaries[name]) if contract.binaries[name] else ():
        if one not in documents:
            documents[one] = _decoded(one, meant)
        del one[:]
        one.text = None
    if not len(element) and not (element.text or "").strip():
        element.text = None  # blanks of a writer that indents, where the schema has nothing at all
    if not contract.schema.validate(element):
        places = tuple(_place(error) for error in contract.schema.error_log)[:MOST_PLACES]
        raise Refused("request", f"{name} is not as the contract has it", "See the places.", places=places)
    return name, _read(element, contract.elements[name], contract, documents)


def _decoded(element: etree._Element, meant: Meant) -> bytes:
    """Base64 in one line or many (RFC 4648 3.3 leaves that to us)."""
    name, written = etree.QName(element).localname, meant(element.text or "")
    try:
        if len(element):
            raise ValueError
        if isinstance(written, bytes):
            return written
        return base64.b64decode(written.encode("ascii").translate(None, b" \t\r\n"), validate=True)
    except ValueError:  # binascii.Error is one; letters outside ASCII are another
        place = Place(f"line {element.sourceline}: {name}", "not base64")
        raise Refused("request", f"{name} is not base64", "Send it as base64, or by MTOM.", places=(place,)) from None


def _place(error: Any) -> Place:
    """In the validator's terms it would quote what was sent; the kind of mistake and its names are enough."""
    path = (error.path or "").rpartition("/")[2].rpartition(":")[2].partition("[")[0]
    element = re.match(r"Element '(?:\{[^}]*\})?([^']*)'", error.message)
    named = element.group(1) if element else path
    said = schema_words.said(SchemaFault(error.line, error.column, named, error.message))
    return Place(f"line {error.line}: {named}", f"{said.text}. {said.hint}")


_READ: Mapping[str, Callable[[str], Any]] = {
    "int": int,
    "long": int,
    "boolean": lambda written: written.strip() in ("true", "1"),
    "string": str,
    "dateTime": lambda written: parse_instant(written.strip(), UTC),
}


def _read(
    element: etree._Element, members: tuple[Member, ...], contract: Contract, documents: Mapping[etree._Element, bytes]
) -> dict[str, Any]:
    """By name; what is absent is None, or an empty list. The schema has seen to order and number."""
    found: dict[str, Any] = {member.name: [] if member.many else None for member in members}
    kinds = {contract.tag(member.name): member for member in members}
    for child in element:
        member = kinds[str(child.tag)]
        value = _value(child, member, contract, documents)
        if member.many:
            found[member.name].append(value)
        else:
            found[member.name] = value
    return found


def _value(
    element: etree._Element, member: Member, contract: Contract, documents: Mapping[etree._Element, bytes]
) -> Any:
    if member.kind == BINARY:
        return documents[element]
    if member.kind in contract.types:
        return _read(element, contract.types[member.kind], contract, documents)
    return _READ[member.kind](element.text or "")


@dataclass(slots=True)
class Written:
    """An element of the contract as text: its pieces in order, documents as base64 among them or beside it."""

    contract: Contract
    attached: dict[str, bytes] | None = None  #: documents by Content-ID; None: they go into the text
    pieces: list[str | bytes] = field(default_factory=list)  #: bytes are base64 already

    def element(self, name: str, values: Mapping[str, Any]) -> Written:
        """A global element with its members in the contract's order."""
        self.pieces.append(f'<h:{name} xmlns:h="{self.contract.namespace}">')
        self._members(self.contract.elements[name], values)
        self.pieces.append(f"</h:{name}>")
        return self

    def _members(self, members: tuple[Member, ...], given: Mapping[str, Any]) -> None:
        for member in members:
            value = given.get(member.name)
            if member.many:
                for one in value or ():
                    self._member(member, one)
            elif value is not None:
                self._member(member, value)

    def _member(self, member: Member, value: Any) -> None:
        name = member.name
        if member.kind in self.contract.types:
            self.pieces.append(f"<h:{name}>")
            self._members(self.contract.types[member.kind], value)
            self.pieces.append(f"</h:{name}>")
        elif member.kind != BINARY:
            self.pieces.append(f"<h:{name}>{escape_text(text(value))}</h:{name}>")
        elif self.attached is None:
            self.pieces += (f"<h:{name}>", base64.b64encode(value), f"</h:{name}>")
        else:
            own = f"{uuid4()}@samhub"
            self.attached[own] = value
            include = f'<xop:Include xmlns:xop="{XOP}" href="cid:{own}"/>'
            self.pieces += (f"<h:{name}>", include.encode(), f"</h:{name}>")

    def as_agreed(self) -> None:
        """Held to the contract as a request is, but for documents, which stand in it as they are.

        Raises ValueError where it would be broken.
        """
        made = etree.fromstring("".join(one for one in self.pieces if isinstance(one, str)))
        if not self.contract.schema.validate(made):
            error = self.contract.schema.error_log[0]
            raise ValueError(f"{etree.QName(made).localname}: {error.path} breaks the contract")

    def content(self) -> bytes:
        """In UTF-8."""
        return b"".join(one if isinstance(one, bytes) else one.encode() for one in self.pieces)


def text(value: Any) -> str:
    """As the contract writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)
