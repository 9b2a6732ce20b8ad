"""Writes documents that our schemas allow, by walking them: for what no shared message happens to use.

It reads the manner of writing that `xsd/` keeps, not all of XML Schema; a construct it does not know is an error.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from xsd.catalogue import Standard

_XS = "{http://www.w3.org/2001/XMLSchema}"
_GROUND = Path(__file__).parents[2] / "xsd"
_DEEPEST = 12  #: below this only what must be there is written
_VALUES = {
    "ID": ("id{n}",),
    "IDREF": ("id1",),
    "NCName": ("a",),
    "NMTOKEN": ("a",),
    "Name": ("a",),
    "QName": ("a",),
    "anyType": ("tekst",),
    "anyURI": ("urn:a", "tel:22000000"),
    "base64Binary": ("AAAA",),
    "boolean": ("true", "false"),
    "date": ("2012-02-15",),
    "dateTime": ("2012-02-15T10:00:00", "2012-02-15T10:00:00.5+01:00"),
    "decimal": ("1.5",),
    "double": ("1.5", "1E3"),
    "duration": ("P4D",),
    "gYear": ("2012",),
    "gYearMonth": ("2012-02",),
    "int": ("1",),
    "integer": ("1", "-1"),
    "language": ("no",),
    "nonNegativeInteger": ("0",),
    "positiveInteger": ("1",),
    "string": ("tekst", "x"),
    "time": ("10:00:00",),
    "token": ("1", "2.16.578.1.12.4.1.1.8116"),
}


@dataclass(frozen=True)
class _Found:
    """A component and the namespace it came to by being included there."""

    node: etree._Element
    namespace: str


class _Schemas:
    """Every named component that can be reached from one schema file."""

    def __init__(self, file: str) -> None:
        self._by_name: dict[tuple[str, str], _Found] = {}
        self._read: set[tuple[Path, str]] = set()
        self._load((_GROUND / file).resolve(), "")

    def _load(self, path: Path, includer: str) -> None:
        root = etree.parse(path).getroot()
        namespace = root.get("targetNamespace") or includer
        if (path, namespace) in self._read:
            return
        self._read.add((path, namespace))
        for node in root.iterchildren(etree.Element):
            if node.tag in (f"{_XS}include", f"{_XS}import"):
                inner = namespace if node.tag == f"{_XS}include" else ""
                self._load((path.parent / str(node.get("schemaLocation"))).resolve(), inner)
            elif name := node.get("name"):
                kind = str(node.tag).replace("complexType", "type").replace("simpleType", "type")
                self._by_name[kind, f"{{{namespace}}}{name}"] = _Found(node, namespace)

    def find(self, kind: str, written: str, user: _Found) -> _Found:
        """The component that a reference means, where it is written."""
        prefix, _, local = written.rpartition(":")
        namespace = user.node.nsmap.get(prefix or None) or user.namespace
        return self._by_name[f"{_XS}{kind}", f"{{{namespace}}}{local}"]

    def root(self, standard: Standard) -> _Found:
        """The element a document begins with."""
        return self._by_name[f"{_XS}element", f"{{{standard.namespace}}}{standard.root}"]


def invented(standard: Standard, count: int) -> Iterator[bytes]:
    """`count` documents: one with nothing optional, one with everything, the others by the dice of their number."""
    schemas = _Schemas(standard.file)
    for number in range(count):
        share = (0.0, 1.0)[number] if number < 2 else 0.5
        document = _Writer(schemas, random.Random(number), share).document(standard)
        yield etree.tostring(document, encoding="utf-8")


class _Writer:
    """Writes one document. `share` is how often what is optional is written."""

    def __init__(self, schemas: _Schemas, dice: random.Random, share: float) -> None:
        self._schemas, self._dice, self._share = schemas, dice, share
        self._ids = 0

    def document(self, standard: Standard) -> etree._Element:
        holder = etree.Element("holder")
        self._element(holder, self._schemas.root(standard), 0)
        return holder[0]

    def _times(self, node: etree._Element, depth: int) -> int:
        least, most = int(node.get("minOccurs", "1")), node.get("maxOccurs", "1")
        if node.get("processContents") == "strict" or depth > _DEEPEST or self._dice.random() >= self._share:
            return least
        return max(least, self._dice.choice((1, 2)) if most == "unbounded" else min(2, int(most)))

    def _element(self, parent: etree._Element, found: _Found, depth: int) -> None:
        if ref := found.node.get("ref"):
            found = self._schemas.find("element", ref, found)
        name = found.node.get("name")
        element = etree.SubElement(parent, f"{{{found.namespace}}}{name}" if found.namespace else str(name))
        self._typed(element, found, depth)

    def _typed(self, element: etree._Element, found: _Found, depth: int) -> None:
        if (fixed := found.node.get("fixed")) is not None:
            element.text = fixed
        elif (written := found.node.get("type")) is None:
            for inline in found.node.iterchildren(f"{_XS}complexType", f"{_XS}simpleType"):
                self._type(element, _Found(inline, found.namespace), depth)
        elif (value := self._builtin(written)) is not None:
            element.text = value
        else:
            self._type(element, self._schemas.find("type", written, found), depth)

    def _type(self, element: etree._Element, found: _Found, depth: int) -> None:
        if found.node.tag == f"{_XS}simpleType":
            element.text = self._simple(found)
        else:
            self._content(element, found, depth)

    def _content(self, element: etree._Element, found: _Found, depth: int) -> None:
        for node in found.node.iterchildren(etree.Element):
            part = _Found(node, found.namespace)
            match etree.QName(node).localname:
                case "sequence" | "all" | "group" | "choice" | "element" | "any":
                    for _ in range(self._times(node, depth)):
                        self._particle(element, part, depth + 1)
                case "complexContent" | "simpleContent":
                    self._derived(element, _Found(node[-1], found.namespace), depth)
                case "attribute":
                    self._attribute(element, part)
                case "attributeGroup":
                    self._content(element, self._schemas.find("attributeGroup", str(node.get("ref")), part), depth)
                case "annotation" | "anyAttribute":
                    pass
                case other:
                    raise NotImplementedError(other)

    def _particle(self, element: etree._Element, part: _Found, depth: int) -> None:
        match etree.QName(part.node).localname:
            case "element":
                self._element(element, part, depth)
            case "group":
                self._content(element, self._schemas.find("group", str(part.node.get("ref")), part), depth)
            case "choice":
                options = [n for n in part.node.iterchildren(etree.Element) if n.tag != f"{_XS}annotation"]
                chosen = _Found(self._dice.choice(options), part.namespace)
                for _ in range(self._times(chosen.node, depth)):
                    self._particle(element, chosen, depth)
            case "any":
                etree.SubElement(element, "{urn:other}other")
            case _:
                self._content(element, part, depth)

    def _derived(self, element: etree._Element, derivation: _Found, depth: int) -> None:
        """An extension has its base's content first."""
        base = str(derivation.node.get("base"))
        if (value := self._builtin(base)) is not None:
            element.text = value
        elif derivation.node.tag == f"{_XS}extension":
            self._type(element, self._schemas.find("type", base, derivation), depth)
        self._content(element, derivation, depth)

    def _attribute(self, element: etree._Element, found: _Found) -> None:
        node = found.node
        if node.get("use") != "required" and self._dice.random() >= self._share:
            return
        qualified = node.getroottree().getroot().get("attributeFormDefault") == "qualified"
        fixed = node.get("fixed")
        if ref := node.get("ref"):
            if ref.startswith("xml:"):
                found = self._schemas.find("attribute", ref, _Found(node, "http://www.w3.org/XML/1998/namespace"))
            else:
                found = self._schemas.find("attribute", ref, found)
            qualified = True
        name = str(found.node.get("name"))
        value = fixed or found.node.get("fixed") or self._attribute_value(found)
        element.set(f"{{{found.namespace}}}{name}" if qualified else name, value)

    def _attribute_value(self, found: _Found) -> str:
        if (written := found.node.get("type")) is None:
            return self._simple(_Found(found.node.find(f"{_XS}simpleType"), found.namespace))  # type: ignore[arg-type]
        value = self._builtin(written)
        return value if value is not None else self._simple(self._schemas.find("type", written, found))

    def _simple(self, found: _Found) -> str:
        node = found.node[-1]
        how = _Found(node, found.namespace)
        if node.tag == f"{_XS}restriction":
            allowed = [str(e.get("value")) for e in node.iter(f"{_XS}enumeration")]
            if allowed:
                return self._dice.choice(allowed)
            if node.find(f"{_XS}pattern") is not None and str(node.get("base")).endswith("token"):
                return "2.16.578.1.12.4.1.1.8116"
            return self._of(str(node.get("base")), how)
        if node.tag == f"{_XS}list":
            return self._of(str(node.get("itemType")), how)
        return self._of(self._dice.choice(str(node.get("memberTypes")).split()), how)

    def _of(self, written: str, user: _Found) -> str:
        value = self._builtin(written)
        return value if value is not None else self._simple(self._schemas.find("type", written, user))

    def _builtin(self, written: str) -> str | None:
        if not written.startswith("xs:"):
            return None
        self._ids += 1
        return self._dice.choice(_VALUES[written.removeprefix("xs:")]).replace("{n}", str(self._ids))
