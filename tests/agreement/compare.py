"""Two verdicts on one document, ours and the official one, and the list of differences that have a reason."""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from tests.official import Official
from xsd.catalogue import Catalogue

_LIST = Path(__file__).with_name("differences.toml")


@dataclass(frozen=True)
class Difference:
    """A row of differences.toml: what one side says that the other does not, and why that is right."""

    ours: str  #: our verdict: valid or invalid
    fault: str  #: pattern that every fault of the side that finds faults must have
    reason: str
    samples: tuple[str, ...] = ()  #: the shared documents it concerns; spoilt ones are known by the fault alone

    def explains(self, verdicts: Verdicts, name: str) -> bool:
        """Whether this row accounts for everything the stricter side says; `name` is empty for spoilt documents."""
        stricter = verdicts.ours or verdicts.official
        known = self.ours == ("invalid" if verdicts.ours else "valid") and (not name or name in self.samples)
        return known and all(re.search(self.fault, fault) for fault in stricter)


def differences() -> tuple[Difference, ...]:
    """Every row."""
    rows = tomllib.loads(_LIST.read_text("utf-8")).get("difference", [])
    return tuple(Difference(**{**row, "samples": tuple(row.get("samples", ()))}) for row in rows)


@dataclass(frozen=True)
class Verdicts:
    """The faults each side finds; empty means valid."""

    ours: tuple[str, ...]
    official: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Both say valid, or both say invalid."""
        return bool(self.ours) == bool(self.official)


class Judges:
    """Our catalogue beside the official schemas."""

    def __init__(self, ours: Catalogue, official: Official) -> None:
        self.ours, self.official = ours, official

    def both(self, root: etree._Element) -> Verdicts:
        """What each says about a document that we know; enclosed documents unknown to us are left out for the official."""
        unknown = self.ours.covers(root)
        return self._verdicts(root, self.official.faults(_without(root, unknown) if unknown else root))

    def spoilt(self, root: etree._Element, namespaces: frozenset[str]) -> Verdicts:
        """The same about a copy of a document that we know all of, in which these namespaces occurred."""
        return self._verdicts(root, self.official.faults(root, namespaces))

    def _verdicts(self, root: etree._Element, official: list[str]) -> Verdicts:
        ours = tuple(f"Element '{fault.element}': {fault.message}" for fault in self.ours.validate(root))
        return Verdicts(ours, tuple(official))

    def documents(self, root: etree._Element) -> Iterator[etree._Element]:
        """The document; where its root is not ours to judge, the outermost documents in it that are."""
        if self._known(root):
            yield root
            return
        known = [e for e in root.iter(etree.Element) if self._known(e)]
        for element in known:
            if not any(ancestor in known for ancestor in element.iterancestors()):
                yield etree.fromstring(etree.tostring(element, with_tail=False))

    def _known(self, element: etree._Element) -> bool:
        standard = self.ours.find(etree.QName(element).namespace or "")
        if standard is None or not standard.has_schema:
            return False
        return standard.kind != "common" or (element.getparent() is None and element.tag.endswith(f"}}{standard.root}"))


def _without(root: etree._Element, unknown: tuple[str, ...]) -> etree._Element:
    whole = copy.deepcopy(root)
    for content in whole.iter("{*}Content"):
        for child in content.iterchildren(etree.Element):
            if etree.QName(child).namespace in unknown:
                content.remove(child)
    return whole
