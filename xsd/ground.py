"""Compiles schemas together: imports go by namespace to the schema in force, and nothing but the catalogue is ever read."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterable, Mapping
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote, unquote

from lxml import etree

XS: Final = "{http://www.w3.org/2001/XMLSchema}"
OWN: Final = "own"  # the store of schemas that lie in this package
_GROUND: Final = "samhub-xsd:/"  # the only place a schema may be read from
TRIES: Final = 5  # how often schemas are compiled anew where one of them was not loaded

#: Reads one schema of a store by its path there.
Store = Callable[[str], bytes]
#: Where the schema of each namespace lies: the store's name, a slash, the path there.
Places = Mapping[str, str]


def own(path: str) -> bytes:
    """A schema of this package."""
    return (files("xsd") / path).read_bytes()


class Ground:
    """Where the schema of each namespace lies, and how each store is read."""

    def __init__(self, places: Places, stores: Mapping[str, Store]) -> None:
        self.places = places
        self._stores = stores

    def compiled(self, namespaces: Collection[str], *, lax: bool = False) -> etree.XMLSchema:
        """One schema for all these namespaces; `lax` lets enclosed documents be ones that no schema here knows.

        Raises `etree.XMLSchemaParseError` if they do not compile together, `RuntimeError` if they cannot be read whole.

        libxml2 passes over an import that it could not load, and says nothing: a schema that lacks one would call good
        documents unknown for as long as it is kept. So what was asked for is compared with what the schemas name.
        """
        for _ in range(TRIES):
            resolver = _Resolver(self, namespaces, lax=lax)
            try:
                made = self._made(sorted(namespaces), resolver)
            except etree.XMLSchemaParseError:
                if resolver.whole:
                    raise
            else:
                if resolver.whole:
                    return made
        raise RuntimeError(f"{len(resolver.missing)} schemas were not loaded, {min(resolver.missing)} first")

    def _made(self, namespaces: Iterable[str], resolver: _Resolver) -> etree.XMLSchema:
        imports = "".join(
            f'<xs:import namespace="{name}" schemaLocation="{_GROUND}{quote(self.places[name])}"/>'
            for name in namespaces
        )
        text = f'<xs:schema xmlns:xs="{XS[1:-1]}">{imports}</xs:schema>'
        parser = _parser()
        parser.resolvers.add(resolver)
        return etree.XMLSchema(etree.fromstring(text, parser, base_url=f"{_GROUND}driver.xsd"))

    def read(self, place: str) -> etree._Element:
        """A schema with its links made to lead to places here."""
        store, _, path = place.partition("/")
        root = parse(self._stores[store](path))
        for link in root.iterchildren(f"{XS}import", f"{XS}include", f"{XS}redefine"):
            target = self._target(link, store, path)
            link.attrib.pop("schemaLocation", None)
            if target:
                # libxml2 passes over a location that is not ASCII, without a word
                link.set("schemaLocation", f"{_GROUND}{quote(target)}")
        return root

    def _target(self, link: etree._Element, store: str, path: str) -> str:
        if link.tag == f"{XS}import":
            return self.places.get(link.get("namespace", ""), "")
        return f"{store}/{beside(path, link.get('schemaLocation', ''))}"


def parse(text: bytes) -> etree._Element:
    """A schema's tree. Raises `ValueError` if it has a DOCTYPE, `etree.XMLSyntaxError` if it is not XML."""
    root = etree.fromstring(text, _parser())
    if root.getroottree().docinfo.internalDTD is not None:
        raise ValueError("a schema with a DOCTYPE is not read")
    return root


def beside(path: str, location: str) -> str:
    """The path that a relative location in the schema at `path` means. Raises `ValueError` if it leads out."""
    found = posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(location)))
    if found.startswith(("/", "..")):
        raise ValueError(f"{path} includes a file outside its folder")
    return found


def _parser() -> etree.XMLParser[etree._Element]:
    return etree.XMLParser(no_network=True, resolve_entities=False, load_dtd=False)


class _Resolver(etree.Resolver):
    """Hands out what lies in the stores and nothing else: neither network nor other files are ever asked."""

    def __init__(self, ground: Ground, namespaces: Iterable[str], *, lax: bool) -> None:
        self._ground = ground
        self._lax = lax
        self._named = {ground.places[name] for name in namespaces}  #: places that a schema handed out refers to
        self._asked: set[str] = set()

    @property
    def missing(self) -> set[str]:
        """What was never asked for."""
        return self._named - self._asked

    @property
    def whole(self) -> bool:
        """Whether everything that is named was handed out."""
        return not self.missing

    def resolve(self, system_url: str | None, public_id: str | None, context: Any) -> Any:  # noqa: ARG002 (lxml's signature)
        url = system_url or ""
        if not url.startswith(_GROUND):
            raise ValueError("a schema may only be read from the catalogue")
        place = unquote(url.removeprefix(_GROUND))
        self._asked.add(place)
        schema = self._ground.read(place)
        for link in schema.iterchildren(f"{XS}import", f"{XS}include", f"{XS}redefine"):
            if location := link.get("schemaLocation"):
                self._named.add(unquote(location.removeprefix(_GROUND)))
        if self._lax:
            _loosened(schema)
        return self.resolve_string(etree.tostring(schema), context, base_url=url)


def _loosened(schema: etree._Element) -> None:
    """The strict wildcard for enclosed documents, in the element or type Content of RefDoc, made lax."""
    for wildcard in schema.iter(f"{XS}any"):
        if any(above.get("name") == "Content" for above in wildcard.iterancestors()):
            wildcard.set("processContents", "lax")
