"""What is read from files: who is who, what is agreed, where it goes, whose certificates hold; judged, then put in place whole."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

from adapters.register.directory import Defaults, FileDirectory
from adapters.register.keys import FolderKeys
from adapters.revocation.crl import CrlStore
from hub.errors import ConfigurationError
from hub.formats.cpa_certificates import every
from hub.kit import Kit
from hub.record_systems.kept import Kept
from hub.trust.certificates import TrustAnchors
from ops.config import Configuration
from ops.queues import unserved
from routing.decide import TableRouter
from routing.rule import Rule
from routing.table import read_rules

#: Kind and name of something in the register → a digest of all that is said of it.
Facts = Mapping[tuple[str, str], str]
Part = Literal["directory", "router", "keys", "anchors", "revocation"]
#: So many of a kind that changed are named.
SHOWN = 5
#: Kinds that are followed by themselves, whenever their files change: no part of the revision.
OF_THEIR_OWN = frozenset({"CRLs"})
#: Kinds that the directory tells: they are other ones where a record system was made or taken away.
OF_DIRECTORY = frozenset({"parties", "record systems"})


@dataclass(frozen=True, slots=True)
class Register:
    """Everything that was read at one time; `revision` is a digest of it, the same on every node that read the same."""

    directory: FileDirectory
    keys: FolderKeys
    rules: tuple[Rule, ...]
    router: TableRouter
    anchors: TrustAnchors
    revocation: CrlStore
    facts: Facts
    revision: str
    since: datetime

    @property
    def kept(self) -> Kept:
        """The record systems and keys that were made by command, as far as they are in it."""
        return self.directory.kept


class Registers:
    """The register in force. Who lives long asks through `live`; one piece of work is done with one `kit`."""

    def __init__(self, configuration: Configuration, now: Callable[[], datetime]) -> None:
        """Reads it. Raises ConfigurationError with every mistake."""
        self.configuration, self._now = configuration, now
        self.current = read(configuration, now)
        self._kit: Kit | None = None

    def live(self, part: Part) -> Any:
        """One part as it is at each time that it is asked."""
        return _Live(self, part)

    def bind(self, kit: Kit) -> Kit:
        """The kit of those who live long; its `present()` is one whose register does not change any more."""
        self._whole = replace(kit, snapshot=self.kit)
        self._kit = None
        return self._whole

    def kit(self) -> Kit:
        """What one piece of work is done with, from beginning to end."""
        if self._kit is None:
            now = self.current
            self._kit = replace(
                self._whole,
                directory=now.directory,
                router=now.router,
                keys=now.keys,
                anchors=now.anchors,
                revocation=now.revocation,
            )
        return self._kit

    def read(self) -> Register:
        """Everything anew, judged, and not yet in force; may be done in a thread.

        Raises ConfigurationError with every mistake, also those that a start only warns of: what runs is not given up for
        something that is half of no use.
        """
        return read(self.configuration, self._now, strict=True, kept=self.current.kept)

    def begin(self, kept: Kept) -> None:
        """With the record systems and keys of the store. Raises ConfigurationError with every mistake in them."""
        new = serving(self.current, kept, self._now())
        if mistakes := [*new.directory.mistakes, *unserved(self.configuration, new.directory)]:
            raise ConfigurationError(mistakes)
        self.take(new)

    def serving(self, kept: Kept) -> Register:
        """What is in force, with other record systems and keys; not yet in force. May be done in a thread."""
        return serving(self.current, kept, self._now())

    def abreast(self, new: Register) -> Register:
        """What was read, with the record systems and keys in force: others may have been taken while it was read."""
        return new if new.kept is self.current.kept else serving(new, self.current.kept, self._now())

    def take(self, new: Register) -> list[str]:
        """Puts it in force, in one step; returns what changed, a line for each kind."""
        old, self.current, self._kit = self.current, new, None
        return changed(old, new)


class _Live:
    """A part of the register in force; every verb is its own."""

    def __init__(self, registers: Registers, part: Part) -> None:
        self._registers, self._part = registers, part

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(self._registers.current, self._part), name)


def changed(old: Register, new: Register) -> list[str]:
    """What is there now and was not, what is gone, and what is said otherwise; empty when nothing is."""
    lines = []
    for kind in dict.fromkeys(kind for kind, _ in (*new.facts, *old.facts)):
        was, now = ({name: d for (k, name), d in r.facts.items() if k == kind} for r in (old, new))
        told = (
            ("added", sorted(now.keys() - was.keys())),
            ("removed", sorted(was.keys() - now.keys())),
            ("changed", sorted(name for name in now.keys() & was.keys() if now[name] != was[name])),
        )
        if words := [_named(what, names) for what, names in told if names]:
            lines.append(f"{kind}: {'; '.join(words)}")
    order = [[rule.name for rule in one.rules] for one in (old, new)]
    if sorted(order[0]) == sorted(order[1]) and order[0] != order[1]:
        lines.append("routes: in another order")
    return lines


def _named(what: str, names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{len(names)} {what} ({', '.join(names[:SHOWN])}{more})"


def touched(old: Register, new: Register) -> frozenset[str] | None:
    """HER-ids of receivers whose way or certificates may be another now; None: anybody's."""
    differs = {key for key in old.facts.keys() | new.facts.keys() if old.facts.get(key) != new.facts.get(key)}
    if differs and all(kind in ("parties", "keys") for kind, _ in differs):
        return frozenset(name for _, name in differs)
    return None if differs or old.rules != new.rules else frozenset()


# --- reading


def read(
    configuration: Configuration, now: Callable[[], datetime], *, strict: bool = False, kept: Kept | None = None
) -> Register:
    """Registers, keys, routes, authorities and CRLs; every mistake in all of them is told at once.

    `kept` are the record systems and keys that were made by command.
    """
    mistakes: list[str] = []
    found: list[Any] = []
    for part in (partial(_directory, kept=kept), _rules, _anchors):
        try:
            found.append(part(configuration))
        except ConfigurationError as error:
            found.append(None)
            mistakes += error.mistakes
    revocation = CrlStore(configuration.revocation, now)
    if strict:
        mistakes += [f"CRL {name}: {why}" for name, why in revocation.look().items()]
        mistakes += [f"agreement {name} cannot be used: {why}" for name, why in _broken(found[0])]
        mistakes += found[0][0].mistakes if found[0] is not None else []
    if mistakes:
        raise ConfigurationError(mistakes)
    directory, keys = cast(tuple[FileDirectory, FolderKeys], found[0])
    rules, anchors = cast(tuple[Rule, ...], found[1]), cast(TrustAnchors, found[2])
    facts = _facts(directory, keys, rules, anchors, revocation)
    router = TableRouter(rules, directory.system)
    return Register(directory, keys, rules, router, anchors, revocation, facts, _revision(facts, rules), now())


def serving(register: Register, kept: Kept, now: datetime) -> Register:
    """The same with other record systems and keys of the store; those with a mistake are left out of it."""
    directory = register.directory.with_kept(kept)
    if kept.systems == register.kept.systems:
        return replace(register, directory=directory, router=TableRouter(register.rules, directory.system))
    facts = {key: digest for key, digest in register.facts.items() if key[0] not in OF_DIRECTORY}
    facts = dict(directory.facts()) | facts
    router, revision = TableRouter(register.rules, directory.system), _revision(facts, register.rules)
    return replace(register, directory=directory, router=router, facts=facts, revision=revision, since=now)


def _broken(found: tuple[FileDirectory, FolderKeys] | None) -> list[tuple[str, str]]:
    return list(found[0].broken.items()) if found is not None else []


def _facts(
    directory: FileDirectory, keys: FolderKeys, rules: tuple[Rule, ...], anchors: TrustAnchors, revocation: CrlStore
) -> dict[tuple[str, str], str]:
    facts = dict(directory.facts())
    facts |= {("keys", her): _digest(*keys.certificates(her)) for her, _ in directory.key_folders()}
    facts |= {("routes", rule.name): _digest(rule.model_dump_json().encode()) for rule in rules}
    authorities = {*anchors.roots, *anchors.intermediates}
    facts |= {("authorities", _digest(one)): "root" if one in anchors.roots else "below" for one in authorities}
    return facts | {("CRLs", name): digest for name, digest in revocation.files()}


def _revision(facts: Facts, rules: tuple[Rule, ...]) -> str:
    own = sorted((kind, name, digest) for (kind, name), digest in facts.items() if kind not in OF_THEIR_OWN)
    return _digest(repr((own, [rule.name for rule in rules])).encode())


def _digest(*content: bytes) -> str:
    whole = hashlib.sha256()
    for one in content:
        whole.update(hashlib.sha256(one).digest())
    return whole.hexdigest()[:12]


def _directory(configuration: Configuration, kept: Kept | None) -> tuple[FileDirectory, FolderKeys]:
    hub_settings, registry = configuration.hub, configuration.registry
    defaults = Defaults(
        hub_settings.retries,
        timedelta(seconds=hub_settings.retry_interval_seconds),
        timedelta(seconds=hub_settings.persist_duration_seconds),
        timedelta(seconds=hub_settings.time_to_live_seconds) if hub_settings.time_to_live_seconds else None,
        frozenset(function.upper() for function in registry.unagreed_functions),
    )
    by_mail = bool(configuration.relay.host)
    directory = FileDirectory(registry.parties, registry.agreements, defaults, by_mail=by_mail, kept=kept)
    keyless = [
        f"party {p.her_id} is served here but has no keys; name their folder in {registry.parties.name}"
        for p in directory.parties()
        if p.local and p.her_id not in dict(directory.key_folders())
    ]
    if mistakes := [*keyless, *unserved(configuration, directory)]:
        raise ConfigurationError(mistakes)
    return directory, FolderKeys(directory.key_folders())


def _rules(configuration: Configuration) -> tuple[Rule, ...]:
    routes = configuration.registry.routes
    return read_rules(routes.read_text("utf-8"), routes.name) if routes.exists() else ()


def _anchors(configuration: Configuration) -> TrustAnchors:
    trust, mistakes = configuration.trust, list[str]()
    roots, intermediates = (_certificates(folder, mistakes) for folder in (trust.roots, trust.intermediates))
    if not roots:
        mistakes.append(f"{trust.roots}: no root certificate; nothing that partners sign could be trusted")
    if mistakes:
        raise ConfigurationError(mistakes)
    return TrustAnchors(roots, intermediates)


def _certificates(folder: Path, mistakes: list[str]) -> tuple[bytes, ...]:
    found = list[bytes]()
    for file in sorted(folder.glob("*")) if folder.is_dir() else []:
        try:
            found += every(file.read_bytes())
        except ValueError:
            mistakes.append(f"{file}: neither PEM nor DER of a certificate")
    return tuple(found)
