"""Knows every standard by its namespace, and checks a whole document against the schemas that lie beside this file."""

from __future__ import annotations

import re
import threading
import tomllib
from dataclasses import dataclass, replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal

from lxml import etree

from xsd import site
from xsd.archive import SITE
from xsd.blanks import collapsed
from xsd.ground import OWN, Ground, Places, Store, own
from xsd.survey import BASE64, Shape, lift, namespace, put_back, survey

_Element = etree._Element
AppRecVersion = Literal["1.0", "1.1", "none"]
First = Literal["imported", "ours"]
Kind = Literal["document", "receipt", "head", "common", "transport"]

_KEPT_DRIVERS: Final = 64
_KEPT_PLANS: Final = 1024
_SMALL_SHAPE: Final = 32  # tags in a shape that is worth remembering


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

    @property
    def place(self) -> tuple[int, str]:
        """Line and element."""
        return self.line, self.element

    @property
    def of_value(self) -> bool:
        """Whether a value is not one of its type, rather than outside what the standard allows of that type."""
        return "is not a valid value of" in self.message and "[facet" not in self.message


@dataclass(frozen=True, slots=True)
class Checked:
    """What the schemas say of a document: every fault, and the namespaces in it that no schema here knows."""

    faults: tuple[SchemaFault, ...]
    unchecked: tuple[str, ...]


_Wanted = tuple[frozenset[str], bool]  # namespaces, and whether enclosed documents may be ones that nobody here knows
_Made = tuple[_Wanted, bool]  # and whether it serves large documents, apart from all others


@dataclass(frozen=True, slots=True)
class _Plan:
    """What documents of one shape need: which schemas (None: the document itself has none), and what has none here."""

    wanted: _Wanted | None
    unchecked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Driver:
    """Schemas compiled together, and the lock that keeps one validation's fault list apart from the next."""

    schema: etree.XMLSchema
    lock: threading.Lock


class Catalogue:
    """The standards we know and the schemas we have; schemas are compiled when first needed, and kept."""

    def __init__(self, standards: tuple[Standard, ...], grounds: tuple[Ground, ...] = ()) -> None:
        """Schemas are compiled on the first of the grounds on which they compile together; without any, on our own."""
        if len({standard.namespace for standard in standards}) != len(standards):
            raise ValueError("a namespace is named twice in the index of standards")
        self._standards = standards
        self._by_namespace = {standard.namespace: standard for standard in standards}
        self._grounds = grounds or (Ground(_own_places(standards), {OWN: own}),)
        self._checked = frozenset(self.places)
        self._lifts = all(ground.places.get(BASE64, "").startswith(f"{OWN}/") for ground in self._grounds)
        self._plans: dict[Shape, _Plan] = {}
        self._drivers: dict[_Made, _Driver] = {}
        self._compiling = (
            threading.Lock()
        )  # one at a time: two at once may each find the other's half of libxml2's types

    @classmethod
    def load(cls, folder: Path | None = None, *, first: First = "imported") -> Catalogue:
        """Reads the index, and what a site has imported into its folder. Raises `ValueError` if either is malformed.

        `first` says whose schema is in force for a namespace that both have.
        """
        rows = tomllib.loads((files("xsd") / "index.toml").read_text("utf-8"))["standard"]
        standards = tuple(_standard(row) for row in rows)
        if folder is None or not (listed := site.imported(folder)):
            return cls(standards)
        ours, theirs = _own_places(standards), {one.namespace: f"{SITE}/{one.file}" for one in listed}
        stores: dict[str, Store] = {OWN: own, SITE: partial(site.read, folder)}
        grounds = (Ground({**ours, **theirs}, stores), Ground({**theirs, **ours}, stores))
        known = tuple(s if s.has_schema else replace(s, file=theirs.get(s.namespace, "")) for s in standards)
        return cls(known, grounds if first == "imported" else grounds[::-1])

    @property
    def places(self) -> Places:
        """Where the schema lies that each namespace is checked by: `own/…` in this package, `site/…` imported."""
        return self._grounds[0].places

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
        return self._plan(survey(root)[0]).unchecked

    def validate(self, root: _Element) -> tuple[SchemaFault, ...]:
        """Every schema fault of the document and of what it encloses; empty if there are none.

        What has no schema here is passed over, while the message header around it is still checked: ask `covers`.
        """
        return self.check(root).faults

    def check(self, root: _Element, *, apart: bool = False) -> Checked:
        """`validate` and `covers` in one look at the document.

        `apart`: by schemas of their own, for what takes long in a thread: nobody else waits for them.
        """
        shape, packed = survey(root)
        plan = self._plan(shape)
        if plan.wanted is None:
            return Checked((), plan.unchecked)
        driver = self._driver((plan.wanted, apart))
        lifted = lift(packed) if packed and self._lifts else ()
        try:
            return Checked(_faults(driver, root), plan.unchecked)
        finally:
            put_back(lifted)

    def _plan(self, shape: Shape) -> _Plan:
        """Partners send documents of few shapes: what each needs is worked out once."""
        plan = self._plans.get(shape)
        if plan is None:
            plan = self._planned(shape)
            if len(shape.documents) + len(shape.others) <= _SMALL_SHAPE:
                if len(self._plans) >= _KEPT_PLANS:
                    self._plans.clear()
                self._plans[shape] = plan
        return plan

    def _planned(self, shape: Shape) -> _Plan:
        names = tuple(dict.fromkeys(map(namespace, shape.documents)))
        unchecked = tuple(name for name in names if name and name not in self._checked)
        if names[0] in unchecked:
            return _Plan(None, unchecked)
        known = self._checked.intersection((*names, *map(namespace, shape.others)))
        return _Plan((known, bool(unchecked)), unchecked)

    def _driver(self, made: _Made) -> _Driver:
        if (driver := self._drivers.get(made)) is not None:
            return driver
        with self._compiling:
            if (driver := self._drivers.get(made)) is None:
                driver = _Driver(self._compiled(*made[0]), threading.Lock())
                for oldest in list(self._drivers)[: max(0, len(self._drivers) - _KEPT_DRIVERS + 1)]:
                    self._drivers.pop(oldest, None)
                self._drivers[made] = driver
            return driver

    def _compiled(self, namespaces: frozenset[str], lax: bool) -> etree.XMLSchema:
        """A schema of ours may not fit an imported one that it uses: then those of the next ground are taken for both."""
        *before, last = self._grounds
        for ground in before:
            try:
                return ground.compiled(namespaces, lax=lax)
            except etree.XMLSchemaParseError:
                continue
        return last.compiled(namespaces, lax=lax)


def _own_places(standards: tuple[Standard, ...]) -> dict[str, str]:
    return {standard.namespace: f"{OWN}/{standard.file}" for standard in standards if standard.has_schema}


def _standard(row: dict[str, Any]) -> Standard:
    told: dict[str, Any] = {"types": tuple(row.get("types", ())), "patient": bool(row.get("patient", False))}
    try:
        return Standard(**{name: row[name] for name in Standard.__dataclass_fields__ if name not in told}, **told)
    except KeyError as missing:
        raise ValueError(f"a row of index.toml ({row.get('key', '?')}) lacks {missing}") from missing


def _faults(driver: _Driver, root: _Element) -> tuple[SchemaFault, ...]:
    with driver.lock:
        if driver.schema.validate(root):
            return ()
        faults = tuple(_fault(entry) for entry in driver.schema.error_log)
        with collapsed(root, {fault.place for fault in faults if fault.of_value}) as changed:
            if not changed:
                return faults
            driver.schema.validate(root)
            return tuple(_fault(entry) for entry in driver.schema.error_log)


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
    "[facet 'length'] The value has a length",
    "[facet 'minLength'] The value has a length",
    "[facet 'maxLength'] The value has a length",
)
_VALUE_FIRST: Final = (
    re.compile(r"'.*( is not a valid value of the [^']*type(?: '[^']*')?\.)", re.DOTALL),
    re.compile(
        r"(\[facet '\w+'\] )The value '.*'( is not (?:accepted by the pattern|an element of the set) .*)", re.DOTALL
    ),
    re.compile(
        r"(\[facet '\w+'\] )The value '.*'( (?:is (?:less|greater) than the|must be (?:less|greater) than|has more) "
        r"[^']*'[^']*'\)?\.)",
        re.DOTALL,
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
