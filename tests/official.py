"""The official schemas as an oracle: imports are resolved by namespace, as the collection's own catalogue says."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, unquote

from lxml import etree

XS = "http://www.w3.org/2001/XMLSchema"


class Official:
    """Validates a whole document, what it encloses included, by the official schemas."""

    def __init__(self, standards: Path) -> None:
        self._xsd = standards / "xsd"
        lines = (self._xsd / "catalog.tsv").read_text("utf-8").splitlines()
        rows = csv.reader((line for line in lines if line and not line.startswith("#")), delimiter="\t")
        # libxml2 passes over an import whose location is not ASCII, without a word
        self._files = {row[0]: quote(row[1]) for row in rows if len(row) > 1}
        self._namespaces = frozenset(self._files)
        self._driver = lru_cache(maxsize=256)(self._compiled)

    @property
    def namespaces(self) -> frozenset[str]:
        """Those that the collection has a schema for."""
        return self._namespaces

    def faults(self, root: etree._Element, among: frozenset[str] | None = None) -> list[str]:
        """The validator's words, with lines; empty when valid. `among`: the namespaces that occur, if they are known."""
        schema = self._driver((occurring(root) if among is None else among) & self.namespaces)
        if schema.validate(root):
            return []
        return [f"line {entry.line}: {entry.message}" for entry in schema.error_log]

    def _compiled(self, namespaces: frozenset[str]) -> etree.XMLSchema:
        imports = "".join(
            f'<xs:import namespace="{n}" schemaLocation="official:/{self._files[n]}"/>' for n in sorted(namespaces)
        )
        parser = etree.XMLParser(no_network=True)
        parser.resolvers.add(_ByNamespace(self._xsd, self._files))
        driver = f'<xs:schema xmlns:xs="{XS}">{imports}</xs:schema>'
        return etree.XMLSchema(etree.fromstring(driver, parser, base_url="official:/driver.xsd"))


def occurring(root: etree._Element) -> frozenset[str]:
    """The namespaces of a document's elements."""
    names = {str(element.tag) for element in root.iter(etree.Element)}
    return frozenset(name[1:].partition("}")[0] for name in names if name.startswith("{"))


class _ByNamespace(etree.Resolver):
    def __init__(self, folder: Path, files: dict[str, str]) -> None:
        self._folder, self._files = folder, files

    def resolve(self, system_url: str, public_id: str, context: object) -> object:
        path = self._folder / unquote(system_url.removeprefix("official:/"))
        root = etree.fromstring(path.read_bytes(), etree.XMLParser(load_dtd=False, no_network=True))
        for element in root.iter(f"{{{XS}}}import"):
            if (known := self._files.get(element.get("namespace") or "")) is not None:
                element.set("schemaLocation", f"official:/{known}")
        for element in root.iter(f"{{{XS}}}include"):
            beside = (path.parent / (element.get("schemaLocation") or "")).resolve()
            element.set("schemaLocation", f"official:/{quote(str(beside.relative_to(self._folder.resolve())))}")
        return self.resolve_string(etree.tostring(root), context, base_url=system_url)
