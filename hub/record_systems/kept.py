"""What the store keeps of record systems that were made by command, and of API keys: values, and the port."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from hub.events import Entry
from hub.message import ApiKey

#: Bookmark of the revision that every change of systems and keys raises; read once a second by every process.
REVISION = "record systems"


@dataclass(frozen=True, slots=True)
class SystemRecord:
    """A record system that was made by command."""

    id: str
    said: str  #: what a [[system]] of the party file would say of it, as JSON
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """All of them at one revision. Tables may be newer than `revision`, never older."""

    revision: int = 0
    systems: tuple[SystemRecord, ...] = ()
    keys: tuple[ApiKey, ...] = ()  #: by system and number; those with FILE_KEY only narrow what the party file grants


@dataclass(frozen=True, slots=True)
class KeptChange:
    """One act of a person, as one value: applied whole, or not at all."""

    systems: tuple[SystemRecord, ...] = ()
    gone: tuple[str, ...] = ()  #: ids of systems that are taken away, with the keys that were made for them
    keys: tuple[ApiKey, ...] = ()  #: made, or with another end; when they were last used is not touched
    journal: tuple[Entry, ...] = ()


class KeepsSystems(Protocol):
    """The part of a store that keeps record systems and API keys."""

    async def systems_kept(self) -> Kept:
        """Everything that is kept."""
        ...

    async def change_systems(self, revision: int, change: KeptChange) -> bool:
        """Makes a change durable and raises the revision; false, and nothing is changed, where it is not `revision` any more."""
        ...

    async def keys_used(self, used: Mapping[ApiKey, datetime]) -> None:
        """Keeps when keys were last used; an earlier time than the kept one changes nothing. Raises no revision."""
        ...
