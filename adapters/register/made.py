"""The party file together with the record systems that were made by command: one register, and whose key is whose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pydantic import ValidationError

from adapters.register.file import PartyRow, Read, SystemRow, system_of
from hub.message import FILE_KEY, ApiKey, Party, RecordSystem
from hub.record_systems.kept import Kept, SystemRecord

#: Hex SHA-256 of an API key → whose it is, and what is known of it.
Keys = Mapping[str, tuple[RecordSystem, ApiKey]]


def joined(read: Read, kept: Kept) -> tuple[Read, list[str]]:
    """Both as one, and every mistake in words. A system of the store with a mistake is left out: what the file says stands.

    A party that the file leaves open is served by the system of the store that has its HER-id; of several by the one that
    was made first, so that the next takes over when that is removed.
    """
    systems, mistakes, seen = dict(read.systems), list[str](), _Seen(read.systems.values())
    order = sorted(kept.systems, key=lambda one: (one.made_at, one.id))
    for record in order:
        try:
            system = system_of(row_of(record), read.folder, mistakes)
        except ValidationError as error:
            told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            mistakes.append(f"system {record.id}, made by command, cannot be read: {told}")
            continue
        if wrong := list(seen.against(system)):
            mistakes += wrong
            continue
        seen.add(system)
        systems[system.id] = system
    parties = dict(read.parties)
    for record in reversed(order):
        if record.id in systems and record.id not in read.systems:
            parties |= dict(_served(read, systems[record.id]))
    return replace(read, systems=systems, parties=parties), mistakes


def row_of(record: SystemRecord) -> SystemRow:
    """What is kept of a record system, as the party file would say it. Raises ValidationError."""
    return SystemRow.model_validate_json(record.said)


def left_open(row: PartyRow) -> bool:
    """Whether a party is to be served by whichever record system is made for it: it has keys, and nothing says where it is."""
    return row.keys is not None and not (row.system or row.endpoint or row.amqp_async)


def _served(read: Read, system: RecordSystem) -> Iterator[tuple[str, Party]]:
    for her_id in system.her_ids:
        if her_id in read.rows and left_open(read.rows[her_id]):
            yield her_id, replace(read.parties[her_id], system=system.id)


class _Seen:
    """What each record system has for itself."""

    def __init__(self, systems: Iterable[RecordSystem]) -> None:
        self._ids, self._certificates, self._places = set[str](), dict[str, str](), dict[str, str]()
        self._clients = dict[str, str]()
        for system in systems:
            self.add(system)

    def add(self, system: RecordSystem) -> None:
        self._ids.add(system.id)
        self._certificates |= dict.fromkeys(system.certificates, system.id)
        self._places |= dict.fromkeys(_places(system), system.id)
        self._clients |= dict.fromkeys(system.clients, system.id)

    def against(self, system: RecordSystem) -> Iterator[str]:
        """Why it cannot stand beside them."""
        who = f"system {system.id}"
        if system.id in self._ids:
            yield (
                f"{who} stands in the party file and was made by command too: take it out of the file, "
                f"or away with: samhub system remove {system.id}"
            )
            return
        for digest in sorted(system.certificates & self._certificates.keys()):
            yield f"{who}: certificate {digest} is of {self._certificates[digest]} already"
        for client in sorted(system.clients & self._clients.keys()):
            yield f"{who}: client {client} is of {self._clients[client]} already"
        for place in _places(system):
            if place in self._places:
                yield f"{who}: {system.channel} {place} is used by {self._places[place]} already"


def _places(system: RecordSystem) -> list[str]:
    """Where it lays and finds its documents: what two read would give each the other's."""
    return [place for place in (system.address, system.outbox) if place]


def keys_of(file: Mapping[str, RecordSystem], systems: Mapping[str, RecordSystem], kept: Kept) -> Keys:
    """Every API key there is. One of the file is valid for as long as it stands there, unless a command has ended it."""
    narrowed = {key.sha256: key for key in kept.keys}
    found: dict[str, tuple[RecordSystem, ApiKey]] = {}
    for system in file.values():
        if digest := system.key_sha256:
            found[digest] = (
                system,
                replace(narrowed.get(digest) or ApiKey(digest, system.id, FILE_KEY), system=system.id, number=FILE_KEY),
            )
    for key in kept.keys:
        if key.number != FILE_KEY and key.system in systems:
            found[key.sha256] = systems[key.system], key
    return found
