"""Chooses from an archive of official schemas what can be put in force: one file for each namespace, and what it includes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from lxml import etree

from xsd.ground import XS, Ground, Places, beside, own, parse

SITE: Final = "site"  # the store of what a site has imported
_CATALOG: Final = "{urn:oasis:names:tc:entity:xmlns:xml:catalog}"
State = Literal["in force", "part", "other", "refused"]


@dataclass(frozen=True, slots=True)
class Found:
    """One schema file of the archive, and what becomes of it."""

    file: str
    sha256: str
    namespace: str
    state: State  #: in force; part of one in force; other (the namespace has another file); refused
    because: str = ""


class _Archive:
    """What the files of an archive say about themselves."""

    def __init__(self, texts: Mapping[str, bytes]) -> None:
        self.texts = texts
        self.files = sorted(file for file in texts if file.lower().endswith(".xsd"))
        self.refused: dict[str, str] = {}
        self._trees: dict[str, etree._Element] = {}
        self._included: dict[str, set[str]] = {}
        for file in self.files:
            try:
                self._trees[file], self._included[file] = _schema(file, texts[file])
            except (ValueError, etree.XMLSyntaxError) as error:
                self.refused[file] = str(error).split(", line")[0]

    def namespace(self, file: str) -> str:
        return self._trees[file].get("targetNamespace", "") if file in self._trees else ""

    def imports(self, file: str) -> set[str]:
        return {link.get("namespace", "") for link in self._trees[file].iterchildren(f"{XS}import")}

    def parts(self, file: str) -> set[str]:
        """The files it includes, and those that they include."""
        parts: set[str] = set()
        waiting = [file]
        while waiting:
            new = (self._included[waiting.pop()] & self._trees.keys()) - parts
            parts |= new
            waiting += new
        return parts


def _schema(file: str, text: bytes) -> tuple[etree._Element, set[str]]:
    """The tree, and the files it includes. Raises `ValueError` if one of them would lie outside the archive."""
    root = parse(text)
    if root.tag != f"{XS}schema":
        raise ValueError("not an XML schema")
    links = root.iterchildren(f"{XS}include", f"{XS}redefine")
    return root, {beside(file, link.get("schemaLocation", "")) for link in links}


def chosen(texts: Mapping[str, bytes], own_places: Places) -> tuple[Found, ...]:
    """Every schema file among the texts (path → bytes), with what becomes of it.

    An OASIS catalog at the top of the archive says which of several files of a namespace is meant; without one it is the
    file that no other includes, of the latest version. What does not compile with the rest is not put in force.
    """
    archive = _Archive(texts)
    in_force, failed = _compiling(archive, own_places)
    parts = {part for file in in_force.values() for part in archive.parts(file)}
    return tuple(_found(archive, file, set(in_force.values()), parts, failed) for file in archive.files)


def _found(archive: _Archive, file: str, in_force: set[str], parts: set[str], failed: Mapping[str, str]) -> Found:
    reason = archive.refused.get(file) or failed.get(file, "")
    state: State = "in force" if file in in_force else "part" if file in parts else "refused" if reason else "other"
    if state == "other":
        reason = (
            "the namespace has another file" if archive.namespace(file) else "no namespace, and nothing includes it"
        )
    digest = hashlib.sha256(archive.texts[file]).hexdigest()
    return Found(file, digest, archive.namespace(file), state, reason if state in ("other", "refused") else "")


def _compiling(archive: _Archive, own_places: Places) -> tuple[dict[str, str], dict[str, str]]:
    """The file of each namespace that compiles, and why others do not.

    Where a file fails its namespace's next one is tried; a file is not blamed for what it imports.
    """
    waiting = _candidates(archive)
    in_force = {namespace: files.pop(0) for namespace, files in waiting.items()}
    failed: dict[str, str] = {}
    doubtful = set(in_force)
    while doubtful:
        places = {**own_places, **{name: f"{SITE}/{file}" for name, file in in_force.items()}}
        ground = Ground(places, {"own": own, SITE: archive.texts.__getitem__})
        broken = {name: error for name in sorted(doubtful) if (error := _error(ground, name))}
        guilty = [name for name in broken if not (archive.imports(in_force[name]) - {name}) & broken.keys()]
        for name in guilty or list(broken):
            failed[in_force.pop(name)] = broken[name]
            if waiting[name]:
                in_force[name] = waiting[name].pop(0)
        doubtful = broken.keys() & in_force.keys()
    return in_force, failed


def _error(ground: Ground, namespace: str) -> str:
    try:
        ground.compiled([namespace])
    except etree.XMLSchemaParseError as error:
        return " ".join(str(error).split())
    return ""


def _candidates(archive: _Archive) -> dict[str, list[str]]:
    """The files of each namespace, best first."""
    named = set(dict(_catalogued(archive)).items())
    inner = {part for file in archive.files if archive.namespace(file) for part in archive.parts(file) - {file}}
    latest = sorted(archive.files, key=_version, reverse=True)
    best = sorted(latest, key=lambda f: ((archive.namespace(f), f) not in named, f in inner, f.count("/")))
    files: dict[str, list[str]] = {}
    for file in best:
        if namespace := archive.namespace(file):
            files.setdefault(namespace, []).append(file)
    return files


def _version(file: str) -> list[tuple[int, str]]:
    """Numbers compare as numbers: v1.10 is later than v1.9."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", file.lower())]


def _catalogued(archive: _Archive) -> Iterator[tuple[str, str]]:
    """What the catalogs at the top of the archive say, the first word last so that it holds."""
    for file in sorted(archive.texts, reverse=True):
        if "/" in file or not file.lower().endswith(".xml"):
            continue
        try:
            root = parse(archive.texts[file])
        except (ValueError, etree.XMLSyntaxError):
            continue
        for entry in reversed(list(root.iter(f"{_CATALOG}uri", f"{_CATALOG}public"))):
            yield entry.get("name") or entry.get("publicId") or "", entry.get("uri", "")
