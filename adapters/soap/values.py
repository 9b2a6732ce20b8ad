"""Values of the contract as Python has them, read from elements and written into them, member by member as the XSD says."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from lxml import etree

from adapters.soap.contract import BINARY, Contract, Member
from adapters.soap.port import Place, Refused
from hub.formats import schema_words
from hub.formats.times import parse_instant
from xsd.catalogue import SchemaFault

XOP = "http://www.w3.org/2004/08/xop/include"
INCLUDE = f"{{{XOP}}}Include"
#: So many mistakes of a request are told.
MOST_PLACES = 20
#: What XML cannot hold; a text from elsewhere may have it.
_UNWRITABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

#: Documents that travelled beside an envelope, by the element that they belong into.
Beside = Mapping[etree._Element, bytes]


def request(element: etree._Element, contract: Contract, beside: Beside) -> tuple[str, dict[str, Any]]:
    """The operation that a request asks for, and its values. Raises Refused with every place that breaks the contract.

    Documents are taken out first: what came beside is not the schema's business, and what stands in base64 is decoded
    here, once, however long it is.
    """
    name = etree.QName(element).localname
    if element.tag != contract.tag(name) or name not in contract.operations:
        known = ", ".join(contract.operations)
        raise Refused("request", f"the Body holds no operation of {contract.namespace}", f"There are: {known}.")
    documents = dict(beside)
    for one in element.iter(*contract.binaries):
        if one not in documents:
            documents[one] = _decoded(one)
        del one[:]
        one.text = None
    if not len(element) and not (element.text or "").strip():
        element.text = None  # blanks of a writer that indents, where the schema has nothing at all
    if not contract.schema.validate(element):
        places = tuple(_place(error) for error in contract.schema.error_log)[:MOST_PLACES]
        raise Refused("request", f"{name} is not as the contract has it", "See the places.", places=places)
    return name, _read(element, contract.elements[name], contract, documents)


def _decoded(element: etree._Element) -> bytes:
    """Base64 in one line or many (RFC 4648 3.3 leaves that to us)."""
    name, written = etree.QName(element).localname, (element.text or "")
    try:
        if len(element):
            raise ValueError
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


def write(
    parent: etree._Element,
    members: tuple[Member, ...],
    given: Mapping[str, Any],
    contract: Contract,
    attached: dict[str, bytes] | None,
) -> None:
    """Writes members in the contract's order; documents go into `attached` by Content-ID, or as base64 without it."""
    for member in members:
        value = given.get(member.name)
        for one in (value or []) if member.many else [] if value is None else [value]:
            _write(etree.SubElement(parent, contract.tag(member.name)), member, one, contract, attached)


def _write(
    element: etree._Element, member: Member, value: Any, contract: Contract, attached: dict[str, bytes] | None
) -> None:
    if member.kind in contract.types:
        write(element, contract.types[member.kind], value, contract, attached)
    elif member.kind != BINARY:
        element.text = text(value)
    elif attached is None:
        element.text = base64.b64encode(value).decode()
    else:
        own = f"{uuid4()}@samhub"
        attached[own] = value
        etree.SubElement(element, INCLUDE, {"href": f"cid:{own}"}, nsmap={"xop": XOP})


def text(value: Any) -> str:
    """As XML can hold it: what it cannot becomes U+FFFD."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    return _UNWRITABLE.sub("\ufffd", str(value))
