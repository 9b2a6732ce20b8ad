"""What each act of a person does to record systems and their API keys: plain functions from what is kept to what changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hub.errors import NotFound
from hub.events import Entry, Event
from hub.message import FILE_KEY, ApiKey
from hub.record_systems.kept import Kept, KeptChange, SystemRecord


@dataclass(frozen=True, slots=True)
class Act:
    """Who acts, when, and what for."""

    at: datetime
    actor: str
    reason: str = ""

    def entry(self, code: str, text: str) -> Entry:
        """Its line of the journal; keys are named by their numbers, never by themselves or their digests."""
        return Entry(self.at, Event.SYSTEM, code, f"{text}: {self.reason}" if self.reason else text, actor=self.actor)


def held(kept: Kept, system_id: str, file_key: str = "") -> list[ApiKey]:
    """Every API key of a system, ended ones too; in front the one that the party file has, by its digest."""
    known = {key.sha256: key for key in kept.keys}
    own = [key for key in kept.keys if key.system == system_id and key.number != FILE_KEY]
    if not file_key:
        return own
    narrowed = known.get(file_key) or ApiKey(file_key, system_id, FILE_KEY)
    return [replace(narrowed, system=system_id, number=FILE_KEY), *own]


def added(record: SystemRecord, digest: str, ends: datetime | None, act: Act) -> KeptChange:
    """A record system with its first key."""
    key = ApiKey(digest, record.id, 1, act.at, ends)
    entry = act.entry("system-added", f"system {record.id} with key 1{_until(ends)}")
    return KeptChange((record,), keys=(key,), journal=(entry,))


def rotated(
    keys: Sequence[ApiKey], system_id: str, digest: str, keep: timedelta, ends: datetime | None, act: Act
) -> KeptChange:
    """A new key; those that the system has end after `keep`, or at their own time where that is sooner."""
    last = act.at + keep
    ending = tuple(replace(key, expires_at=min(key.expires_at or last, last)) for key in keys if key.holds(act.at))
    new = ApiKey(digest, system_id, max((key.number for key in keys), default=0) + 1, act.at, ends)
    told = [f"key {new.number}{_until(ends)} is new", *(f"key {key.number}{_until(key.expires_at)}" for key in ending)]
    entry = act.entry("key-made", f"system {system_id}: {', '.join(told)}")
    return KeptChange(keys=(new, *ending), journal=(entry,))


def revoked(keys: Sequence[ApiKey], system_id: str, number: int | None, act: Act) -> KeptChange:
    """Takes one key away, by its number, or all; what was taken away before stays as it was. Raises NotFound."""
    if number is not None and number not in {key.number for key in keys}:
        raise NotFound(f"system {system_id} has no key {number}; see: samhub system list")
    chosen = [key for key in keys if key.revoked_at is None and number in (None, key.number)]
    told = ", ".join(str(key.number) for key in chosen)
    journal = (act.entry("key-revoked", f"system {system_id}: key {told} taken away"),) if chosen else ()
    return KeptChange(keys=tuple(replace(key, revoked_at=act.at) for key in chosen), journal=journal)


def removed(system_id: str, act: Act) -> KeptChange:
    """Takes a record system away that was made by command, and its keys with it."""
    return KeptChange(gone=(system_id,), journal=(act.entry("system-removed", f"system {system_id} and its keys"),))


def _until(at: datetime | None) -> str:
    return f" until {at:%Y-%m-%d %H:%M} UTC" if at is not None else ""
