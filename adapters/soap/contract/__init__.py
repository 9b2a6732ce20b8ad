"""The contract of the SOAP door, read once: operations, types and members, in the order of the XSD beside this file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from lxml import etree

XS = "{http://www.w3.org/2001/XMLSchema}"
#: Members of this kind hold a document, which may travel beside the envelope (MTOM).
BINARY = "base64Binary"


@dataclass(frozen=True, slots=True)
class Member:
    """One element of a type: `kind` is a complex type of the contract, or a built-in type of XML Schema."""

    name: str
    kind: str
    many: bool
    optional: bool


@dataclass(frozen=True, slots=True)
class Contract:
    """One version of it. A published version never changes but by operations (docs/soap.md, "What may grow")."""

    namespace: str
    raw: bytes
    root: etree._Element
    schema: etree.XMLSchema
    types: Mapping[str, tuple[Member, ...]]
    elements: Mapping[str, tuple[Member, ...]]
    operations: Mapping[str, str]  #: name → what it is for
    binaries: Mapping[str, tuple[str, ...]]  #: tags of the elements in it that hold a document, by operation

    @property
    def documents(self) -> tuple[str, ...]:
        """Names of the elements that hold a document in any request."""
        return tuple(sorted({tag.rpartition("}")[2] for tags in self.binaries.values() for tag in tags}))

    def tag(self, name: str) -> str:
        """A name of the contract as an element's tag."""
        return f"{{{self.namespace}}}{name}"

    def action(self, message: str) -> str:
        """The SOAPAction and wsa:Action of a message, by the name of its element."""
        return f"{self.namespace}/{message}"


@cache
def version_1() -> Contract:
    """The contract `urn:samhandling-hub:epj:v1`."""
    return read((files("adapters.soap.contract") / "v1.xsd").read_bytes())


def read(raw: bytes) -> Contract:
    """A contract from its XSD: an operation is an element X that has an element XResponse."""
    root = etree.fromstring(raw)
    restrictions = ((t, t.find(f"{XS}restriction")) for t in root.findall(f"{XS}simpleType"))
    simple = {t.get("name", ""): _local(r.get("base")) for t, r in restrictions if r is not None}
    types = {t.get("name", ""): _members(t, simple) for t in root.findall(f"{XS}complexType")}
    elements, documented = {}, {}
    for element in root.findall(f"{XS}element"):
        name = element.get("name", "")
        inner = element.find(f"{XS}complexType")
        elements[name] = _members(inner, simple) if inner is not None else types[_local(element.get("type"))]
        documented[name] = " ".join((element.findtext(f"{XS}annotation/{XS}documentation") or "").split())
    operations = {name: documented[name] for name in elements if f"{name}Response" in elements}
    space = root.get("targetNamespace", "")
    binaries = {
        name: tuple(f"{{{space}}}{member.name}" for member in elements[name] if member.kind == BINARY)
        for name in operations
    }
    schema = etree.XMLSchema(etree.fromstring(raw))
    return Contract(space, raw, root, schema, types, elements, operations, binaries)


def _members(found: etree._Element, simple: Mapping[str, str]) -> tuple[Member, ...]:
    made = []
    for element in found.iter(f"{XS}element"):
        kind = _local(element.get("type"))
        many, optional = element.get("maxOccurs", "1") != "1", element.get("minOccurs", "1") == "0"
        made.append(Member(element.get("name", ""), simple.get(kind, kind), many, optional))
    return tuple(made)


def _local(name: str | None) -> str:
    return (name or "").rpartition(":")[2]
