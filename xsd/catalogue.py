"""Knows every standard by its namespace, and checks a whole document against the schemas that lie beside this file."""

from __future__ import annotations

import re
import threading
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final, Literal

from lxml import etree

_Element = etree._Element
AppRecVersion = Literal["1.0", "1.1", "none"]
Kind = Literal["document", "receipt", "head", "common", "transport"]

_GROUND: Final = "samhub-xsd:/"  # the only place a schema may be read from
_CONTENT: Final = "common/refdoc.xsd"  # where the strict wildcard for enclosed documents stands
_KEPT_DRIVERS: Final = 64
_CONTENT_DOCUMENTS: Final = etree.XPath("//*[local-name()='RefDoc']/*[local-name()='Content']/*")


@dataclass(frozen=True, slots=True)
class Standard:
    """One version of one standard, as a row of `index.toml` says it."""

    key: str
    name: str
    his: str
    version: str
    namespace: str
    root: str
    file: str
    apprec: AppRecVersion
    kind: Kind
    types: tuple[str, ...] = ()  #: codes of list 8279 that its documents have; empty: not told
    patient: bool = False  #: whether a document is always about a patient who must be identified

    @property
    def has_schema(self) -> bool:
        """Whether documents of this standard can be checked here; without it they pass unchecked."""
        return self.file != ""


@dataclass(frozen=True, slots=True)
class SchemaFault:
    """One place where a document breaks its schema. The message names elements and types, never content.

    `line` counts from 1. `column` is 0 where the validator does not know it, which for parsed trees is always.
    """

    line: int
    column: int
    element: str
    message: str


@dataclass(frozen=True, slots=True)
class _Driver:
    """Schemas compiled together, and the lock that keeps one validation's fault list apart from the next."""

    schema: etree.XMLSchema
    lock: threading.Lock


class Catalogue:
    """The standards we know and the schemas we have; schemas are compiled when first needed, and kept."""

    def __init__(self, standards: tuple[Standard, ...]) -> None:
        self._standards = standards
        self._by_namespace = {standard.namespace: standard for standard in standards}
        self._drivers: dict[tuple[frozenset[str], bool], _Driver] = {}
        self._compiling = threading.Lock()

    @classmethod
    def load(cls) -> Catalogue:
        """Reads the index. Raises `ValueError` if it is malformed or names a namespace twice."""
        rows = tomllib.loads((files("xsd") / "index.toml").read_text("utf-8"))["standard"]
        standards = tuple(_standard(row) for row in rows)
        if len({standard.namespace for standard in standards}) != len(standards):
            raise ValueError("index.toml names a namespace twice")
        return cls(standards)

    def find(self, namespace: str) -> Standard | None:
        """The standard whose documents have this namespace, or None if we have never heard of it."""
        return self._by_namespace.get(namespace)

    def standards(self) -> tuple[Standard, ...]:
        """Every standard we know, in the order of the index."""
        return self._standards

    def covers(self, root: _Element) -> tuple[str, ...]:
        """Namespaces of the document and of the documents it encloses which have no schema here, in document order.

        Empty means that everything is checked. Content without a namespace is not listed: it is a fault.
        """
        documents = dict.fromkeys(_namespace(element) for element in (root, *_enclosed(root)))
        return tuple(namespace for namespace in documents if namespace and not self._can_check(namespace))

    def validate(self, root: _Element) -> tuple[SchemaFault, ...]:
        """Every schema fault of the document and of what it encloses; empty if there are none.

        What has no schema here is passed over, while the message header around it is still checked: ask `covers`.
        """
        if not self._can_check(_namespace(root)) and _namespace(root):
            return ()
        driver = self._driver(self._occurring(root), lax=bool(self.covers(root)))
        with driver.lock:
            if driver.schema.validate(root):
                return ()
            return tuple(_fault(entry) for entry in driver.schema.error_log)

    def _can_check(self, namespace: str) -> bool:
        standard = self._by_namespace.get(namespace)
        return standard is not None and standard.has_schema

    def _occurring(self, root: _Element) -> frozenset[str]:
        found = {_namespace(element) for element in root.iter(etree.Element)}
        return frozenset(namespace for namespace in found if self._can_check(namespace))

    def _driver(self, namespaces: frozenset[str], *, lax: bool) -> _Driver:
        wanted = (namespaces, lax)
        if (driver := self._drivers.get(wanted)) is not None:
            return driver
        with self._compiling:
            if wanted not in self._drivers:
                while len(self._drivers) >= _KEPT_DRIVERS:
                    self._drivers.pop(next(iter(self._drivers)))
                self._drivers[wanted] = _Driver(self._compiled(namespaces, lax=lax), threading.Lock())
            return self._drivers[wanted]

    def _compiled(self, namespaces: frozenset[str], *, lax: bool) -> etree.XMLSchema:
        known = [self._by_namespace[namespace] for namespace in sorted(namespaces)]
        imports = "".join(f'<xs:import namespace="{s.namespace}" schemaLocation="{s.file}"/>' for s in known)
        text = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>'
        return etree.XMLSchema(etree.fromstring(text, _parser(lax=lax), base_url=f"{_GROUND}driver.xsd"))


class _OwnSchemas(etree.Resolver):
    """Hands out the schemas of this package and nothing else: neither network nor other files are ever asked."""

    def __init__(self, ground: Traversable, *, lax: bool) -> None:
        self._ground = ground
        self._lax = lax

    def resolve(self, system_url: str | None, public_id: str | None, context: Any) -> Any:  # noqa: ARG002 (lxml's signature)
        path = (system_url or "").removeprefix(_GROUND)
        if path == system_url or ".." in path.split("/"):
            raise ValueError("a schema may only be read from the catalogue")
        text = self._ground.joinpath(path).read_bytes()
        if self._lax and path == _CONTENT:
            text = text.replace(b'processContents="strict"', b'processContents="lax"')
        return self.resolve_string(text, context, base_url=system_url)


def _parser(*, lax: bool) -> etree.XMLParser[_Element]:
    parser = etree.XMLParser(no_network=True, resolve_entities=False, load_dtd=False)
    parser.resolvers.add(_OwnSchemas(files("xsd"), lax=lax))
    return parser


def _standard(row: dict[str, Any]) -> Standard:
    told: dict[str, Any] = {"types": tuple(row.get("types", ())), "patient": bool(row.get("patient", False))}
    try:
        return Standard(**{name: row[name] for name in Standard.__dataclass_fields__ if name not in told}, **told)
    except KeyError as missing:
        raise ValueError(f"a row of index.toml ({row.get('key', '?')}) lacks {missing}") from missing


def _enclosed(root: _Element) -> list[_Element]:
    found = _CONTENT_DOCUMENTS(root)
    return [element for element in found if isinstance(element, _Element)] if isinstance(found, list) else []


def _namespace(element: _Element) -> str:
    return etree.QName(element).namespace or ""


# What libxml2 says, and how much of it may be repeated: values stand in quotes, and a value may itself hold quotes.
_WHERE: Final = re.compile(r"Element '((?:\{[^}]*\})?[^']*)'(?:, attribute '((?:\{[^}]*\})?[^']*)')?: ", re.DOTALL)
_HARMLESS: Final = (
    "This element is not expected",
    "Missing child element(s)",
    "No matching global element declaration",
    "No matching global declaration",
    "Character content",
    "Element content is not allowed",
    "The attribute '",
    "[facet 'minLength'] The value has a length",
    "[facet 'maxLength'] The value has a length",
)
_VALUE_FIRST: Final = (
    re.compile(r"'.*( is not a valid value of the [^']*type(?: '[^']*')?\.)", re.DOTALL),
    re.compile(
        r"(\[facet '\w+'\] )The value '.*'( is not (?:accepted by the pattern|an element of the set) .*)", re.DOTALL
    ),
    re.compile(r"The actual value '.*'( does not match the fixed value constraint '[^']*'\.)", re.DOTALL),
)
_QUOTED: Final = re.compile(r"'.*'", re.DOTALL)


def _fault(entry: etree._LogEntry) -> SchemaFault:
    where = _WHERE.match(entry.message)
    element = _local(where[1]) if where else ""
    attribute = f"attribute '{_local(where[2])}': " if where and where[2] else ""
    said = entry.message[where.end() :] if where else entry.message
    return SchemaFault(entry.line, entry.column, element, attribute + _without_values(said.strip()))


def _local(name: str) -> str:
    return name.rsplit("}", 1)[-1]


def _without_values(said: str) -> str:
    """The validator's words with every value from the document replaced by '…'."""
    if said.startswith(_HARMLESS):
        return said
    for pattern in _VALUE_FIRST:
        if found := pattern.fullmatch(said):
            *before, after = found.groups()
            return f"{''.join(before)}'…'{after}"
    return _QUOTED.sub("'…'", said)
