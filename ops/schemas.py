"""The schemas of a site: our own, and the official ones it has imported; which of them is in force for what."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.errors import ConfigurationError, HubError
from ops import config
from ops.config import Configuration
from xsd import site
from xsd.archive import SITE, chosen
from xsd.catalogue import Catalogue
from xsd.ground import own


@dataclass(frozen=True, slots=True)
class Taken:
    """One schema file of an archive, and what became of it."""

    file: str
    sha256: str
    namespace: str
    standard: str  #: name and version, empty if the index of standards does not know the namespace
    state: str  #: in force, part (of one in force), other, refused
    because: str


@dataclass(frozen=True, slots=True)
class InForce:
    """The schema that documents of a namespace are checked by."""

    namespace: str
    standard: str
    whose: str  #: ours, imported
    file: str
    sha256: str  #: when it was imported
    state: str  #: good, changed since it was imported, gone


def catalogue(configuration: Configuration) -> Catalogue:
    """The standards, with the schemas in force at this site.

    Raises ConfigurationError if the list of imported files is malformed, or one of them is not what was imported.
    """
    folder, schemas = configuration.standards.schemas, _loaded(configuration)
    if wrong := [(one, state) for one in site.imported(folder) if (state := _state(folder, one)) != "good"]:
        raise ConfigurationError([f"{folder / one.file}: {state}; import it again" for one, state in wrong])
    return schemas


def _loaded(configuration: Configuration) -> Catalogue:
    settings = configuration.standards
    try:
        return Catalogue.load(settings.schemas, first=settings.first)
    except ValueError as error:
        raise ConfigurationError([str(error)]) from None


def at_hand(path: Path | None) -> Catalogue:
    """That of the configuration named or found here; where there is none, our own schemas."""
    try:
        found = config.find(path)
    except ConfigurationError:
        if path is not None:
            raise
        return Catalogue.load()
    return catalogue(config.load(found))


def take(configuration: Configuration, source: Path) -> tuple[Taken, ...]:
    """Imports an archive (folder or ZIP) into the site. Raises HubError if nothing in it can be used."""
    ours = Catalogue.load()
    try:
        texts = site.unpacked(source)
        found = chosen(texts, ours.places)
        if any(one.state == "in force" for one in found):
            site.put(configuration.standards.schemas, texts, found)
    except (OSError, ValueError) as error:
        raise HubError(str(error)) from None
    if not found:
        raise HubError(f"{source}: no schema (.xsd) in it")
    return tuple(
        Taken(one.file, one.sha256, one.namespace, _name(ours, one.namespace), one.state, one.because) for one in found
    )


def in_force(configuration: Configuration) -> Iterator[InForce]:
    """Every namespace that can be checked, and by which schema."""
    folder, schemas = configuration.standards.schemas, _loaded(configuration)
    imported = {one.namespace: one for one in site.imported(folder)}
    for namespace, place in sorted(schemas.places.items()):
        store, _, file = place.partition("/")
        if store == SITE:
            one = imported[namespace]
            row = ("imported", file, one.sha256, _state(folder, one))
        else:
            row = ("ours", file, hashlib.sha256(own(file)).hexdigest(), "good")
        yield InForce(namespace, _name(schemas, namespace), *row)


def _state(folder: Path, one: site.Imported) -> str:
    try:
        digest = hashlib.sha256(site.read(folder, one.file)).hexdigest()
    except (OSError, ValueError):
        return "gone"
    return "good" if digest == one.sha256 else "changed since it was imported"


def _name(schemas: Catalogue, namespace: str) -> str:
    standard = schemas.find(namespace)
    return f"{standard.name} {standard.version}" if standard else ""
