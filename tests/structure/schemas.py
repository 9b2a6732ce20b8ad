"""Reads schemas into plain values: two that ask the same of a document come out equal, however they are written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from lxml import etree

XS = "http://www.w3.org/2001/XMLSchema"
MODELS = ("sequence", "choice", "all", "group", "element", "any")
Value = tuple[object, ...]


@dataclass(frozen=True)
class Place:
    """A part of a schema, with what names mean there."""

    node: etree._Element
    namespace: str  #: of what is defined in this file
    adopted: bool  #: the file has no namespace of its own, so its unprefixed names are in `namespace` too
    elements: bool  #: elements defined inside others are in `namespace`
    attributes: bool

    def parts(self, *names: str) -> Iterator[Place]:
        """The children, in order, that have one of these names; all but annotations if none is given."""
        for node in self.node.iterchildren(etree.Element):
            if (name := etree.QName(node).localname) != "annotation" and (not names or name in names):
                yield replace(self, node=node)

    @property
    def kind(self) -> str:
        """What it is: element, sequence, simpleType …"""
        return etree.QName(self.node).localname

    def get(self, name: str, default: str = "") -> str:
        """An attribute of the part."""
        return self.node.get(name, default)

    def qualified(self, name: str) -> tuple[str, str]:
        """Namespace and local name that a reference means here."""
        prefix, _, local = name.rpartition(":")
        return self.node.nsmap.get(prefix or None) or (self.namespace if self.adopted else ""), local


class Complex(NamedTuple):
    """A type with elements or attributes."""

    mixed: bool
    abstract: str
    particles: Value = ()
    attributes: tuple[tuple[str, Value], ...] = ()


class Schemas:
    """Schemas that find each other by namespace; `file_of` says which file that is."""

    def __init__(self, file_of: Callable[[str], Path]) -> None:
        self._file_of = file_of
        self._found: dict[tuple[str, str, str], Place] = {}
        self._read: set[tuple[str, Path]] = set()

    def components(self, namespace: str) -> dict[str, Value]:
        """What a document may use of the namespace: each element with all that stands below it, and each attribute."""
        self._load(namespace, self._file_of(namespace))
        mine = [(kind, name, place) for (kind, space, name), place in self._found.items() if space == namespace]
        elements = {name: self._element(place, True, ()) for kind, name, place in mine if kind == "element"}
        return elements | {f"@{name}": self._value(place) for kind, name, place in mine if kind == "attribute"}

    def _load(self, namespace: str, path: Path) -> None:
        if (namespace, path.resolve()) in self._read:
            return
        self._read.add((namespace, path.resolve()))
        root = etree.fromstring(path.read_bytes())
        adopted = root.get("targetNamespace") is None
        forms = [root.get(f"{of}FormDefault") == "qualified" for of in ("element", "attribute")]
        for part in Place(root, namespace, adopted, *forms).parts():
            if part.kind == "include":
                self._load(namespace, path.parent / part.get("schemaLocation"))
            elif part.kind != "import":
                kind = "type" if part.kind in ("complexType", "simpleType") else part.kind
                assert self._found.setdefault((kind, namespace, part.get("name")), part) is part, "defined twice"

    def _named(self, kind: str, place: Place, reference: str) -> Place:
        namespace, local = place.qualified(reference)
        if (kind, namespace, local) not in self._found:
            self._load(namespace, self._file_of(namespace))
        return self._found[kind, namespace, local]

    def _element(self, place: Place, qualified: bool, above: tuple[etree._Element, ...]) -> Value:
        name = _name(place.namespace if qualified else "", place.get("name"))
        facts = tuple(place.get(fact) for fact in ("nillable", "abstract", "fixed", "default", "substitutionGroup"))
        return ("element", name, self._type(place, above), facts)

    def _type(self, place: Place, above: tuple[etree._Element, ...]) -> Value:
        """The type of an element or the base of a type; a type inside itself is told by how far up it began."""
        reference = place.get("type") or place.get("base")
        if reference and place.qualified(reference)[0] == XS:
            return ("builtin", place.qualified(reference)[1])
        inline = [self._named("type", place, reference)] if reference else [*place.parts("complexType", "simpleType")]
        if not inline:
            return ("builtin", "anyType")
        if inline[0].node in above:
            return ("again", len(above) - above.index(inline[0].node))
        if inline[0].kind == "simpleType":
            return self._simple(inline[0])
        return self._complex(inline[0], (*above, inline[0].node))

    def _complex(self, place: Place, above: tuple[etree._Element, ...]) -> Complex:
        body, base = place, Complex(mixed=place.get("mixed") == "true", abstract=place.get("abstract"))
        for wrapped in place.parts("complexContent", "simpleContent"):
            (body,) = wrapped.parts("extension", "restriction")
            extended = self._type(body, above)
            if body.kind == "restriction":
                assert extended == ("builtin", "anyType"), "restrictions of other types are not compared"
                continue
            assert isinstance(extended, Complex), "values with attributes are not compared"
            base = base._replace(particles=extended.particles, attributes=extended.attributes)
            base = base._replace(mixed=base.mixed or wrapped.get("mixed") == "true")
        assert not [*body.parts("anyAttribute")], "attribute wildcards are not compared"
        own = tuple(particle for part in body.parts(*MODELS) for particle in self._particles(part, above))
        attributes = dict(base.attributes) | self._attributes(body)
        return base._replace(particles=(*base.particles, *own), attributes=tuple(sorted(attributes.items())))

    def _attributes(self, place: Place) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for part in place.parts("attribute", "attributeGroup"):
            if part.kind == "attributeGroup":
                found |= self._attributes(self._named("attributeGroup", part, part.get("ref")))
                continue
            definition = self._named("attribute", part, part.get("ref")) if part.get("ref") else part
            qualified = definition is not part or part.attributes
            name = _name(definition.namespace if qualified else "", definition.get("name"))
            fixed, default = (part.get(fact) or definition.get(fact) for fact in ("fixed", "default"))
            found[name] = (part.get("use", "optional"), fixed, default, self._value(definition))
        return found

    def _value(self, attribute: Place) -> Value:
        return self._type(attribute, ())

    def _particles(self, place: Place, above: tuple[etree._Element, ...]) -> Value:
        """What a content model asks for, without the sequences and groups that only hold things together."""
        often = (place.get("minOccurs", "1"), place.get("maxOccurs", "1"))
        if place.kind == "element":
            return ((*often, self._occurring(place, above)),)
        if place.kind == "any":
            return ((*often, "any", place.get("namespace", "##any"), place.get("processContents", "strict")),)
        parts = (self._named("group", place, place.get("ref")) if place.kind == "group" else place).parts(*MODELS)
        inside = [self._particles(part, above) for part in parts]
        if place.kind == "choice":
            return ((*often, "choice", *sorted(inside, key=repr)),)
        assert place.kind in ("sequence", "group"), f"{place.kind} is not compared"
        together = tuple(particle for particles in inside for particle in particles)
        return together if often == ("1", "1") else ((*often, "sequence", *together),)

    def _occurring(self, place: Place, above: tuple[etree._Element, ...]) -> Value:
        if place.get("ref"):
            return self._element(self._named("element", place, place.get("ref")), True, above)
        return self._element(place, place.elements, above)

    def _simple(self, place: Place) -> Value:
        (body,) = place.parts("restriction", "union", "list")
        if body.kind == "restriction":
            facets = sorted((p.kind, p.get("value")) for p in body.parts() if p.kind != "simpleType")
            return ("restricted", self._type(body, ()), tuple(facets)) if facets else self._type(body, ())
        assert body.kind == "union", "lists are not compared"
        named = [replace(body, node=_as_typed(body.node, member)) for member in body.get("memberTypes").split()]
        return ("union", *(self._type(member, ()) for member in named), *map(self._simple, body.parts("simpleType")))


def without_itself(value: object, name: str) -> object:
    """A value from which every element of that name is gone that stands, at once, in an element of that name."""
    if not isinstance(value, tuple):
        return value
    return tuple(without_itself(part, name) for part in value if not _again(part, name))


def _again(part: object, name: str) -> bool:
    match part:
        case (_, _, ("element", str(found), ("again", 1), _)):
            return etree.QName(found).localname == name
    return False


def _name(namespace: str, local: str) -> str:
    return f"{{{namespace}}}{local}"


def _as_typed(node: etree._Element, type_name: str) -> etree._Element:
    """A part of that type, with the prefixes that hold at the node."""
    return etree.Element("member", {"type": type_name}, nsmap=node.nsmap)


def first_difference(ours: object, theirs: object, path: str = "") -> str:
    """Where two values part, by the elements on the way there; empty if nowhere."""
    if ours == theirs:
        return ""
    if not (isinstance(ours, tuple) and isinstance(theirs, tuple) and len(ours) == len(theirs)):
        return f"{path}: ours {str(ours)[:200]}, official {str(theirs)[:200]}"
    here = f"{path}/{etree.QName(str(ours[1])).localname}" if ours[:1] == ("element",) else path
    return next(found for a, b in zip(ours, theirs, strict=True) if (found := first_difference(a, b, here)))
