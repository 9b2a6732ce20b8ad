"""Brings in record systems, gives them API keys and takes both away, over the store: whatever runs follows within seconds."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from adapters.register.file import Read, SystemRow
from adapters.register.made import joined
from hub.digest import sha256
from hub.errors import ConfigurationError, NotFound, StoreUnavailable
from hub.message import ApiKey
from hub.record_systems import keys
from hub.record_systems.kept import KeepsSystems, Kept, KeptChange, SystemRecord
from hub.record_systems.keys import Act

#: Bytes of chance in an API key: nobody guesses it, and its SHA-256 is all that is kept.
KEY_BYTES = 24
#: How often it is tried over while others change systems too.
TRIES = 50


def new_key() -> str:
    """An API key, of letters that need no quoting anywhere."""
    return secrets.token_urlsafe(KEY_BYTES)


async def added(
    store: KeepsSystems, file: Read, row: SystemRow, ends: datetime | None, act: Act
) -> tuple[str, list[str]]:
    """Makes a record system and the places it needs; its key, and what its maker should know.

    Raises ConfigurationError, with nothing changed, where it cannot stand beside those that there are.
    """
    said = row.model_dump_json(exclude_defaults=True, exclude={"api_key_sha256"})
    record, key = SystemRecord(row.id, said, act.at), new_key()

    def change(kept: Kept) -> KeptChange:
        if mistakes := _against(file, kept, record, row):
            raise ConfigurationError(mistakes)
        return keys.added(record, sha256(key.encode()), ends, act)

    change(await store.systems_kept())
    for place in _places(file.folder, row):
        place.mkdir(parents=True, exist_ok=True)
    await _changed(store, change)
    whole, _ = joined(file, await store.systems_kept())
    return key, list(_told(whole, row))


async def rotated(
    store: KeepsSystems, file: Read, system_id: str, keep: timedelta, ends: datetime | None, act: Act
) -> tuple[str, KeptChange]:
    """Gives a record system a new key beside those that it has, which end after `keep`. Raises NotFound."""
    key = new_key()

    def change(kept: Kept) -> KeptChange:
        if system_id not in joined(file, kept)[0].systems:
            raise _unknown(system_id)
        return keys.rotated(_held(file, kept, system_id), system_id, sha256(key.encode()), keep, ends, act)

    return key, await _changed(store, change)


async def revoked(store: KeepsSystems, file: Read, system_id: str, number: int | None, act: Act) -> KeptChange:
    """Takes one key of a record system away, or all. Raises NotFound."""

    def change(kept: Kept) -> KeptChange:
        own = _held(file, kept, system_id)
        if not own and system_id not in joined(file, kept)[0].systems:
            raise _unknown(system_id)
        return keys.revoked(own, system_id, number, act)

    return await _changed(store, change)


async def removed(store: KeepsSystems, file: Read, system_id: str, act: Act) -> None:
    """Takes a record system away that was made by command. Raises NotFound, or ConfigurationError for one of the file."""

    def change(kept: Kept) -> KeptChange:
        if system_id in {one.id for one in kept.systems}:
            return keys.removed(system_id, act)
        if system_id not in file.systems:
            raise _unknown(system_id)
        text = f"system {system_id} stands in the party file: take it out there, then samhub reload; its keys end with"
        raise ConfigurationError([f"{text}: samhub system revoke {system_id}"])

    await _changed(store, change)


async def _changed(store: KeepsSystems, act: Callable[[Kept], KeptChange]) -> KeptChange:
    """Judged over what is kept, and done over just that: of two at once the second judges again."""
    for _ in range(TRIES):
        kept = await store.systems_kept()
        change = act(kept)
        if change == KeptChange() or await store.change_systems(kept.revision, change):
            return change
    raise StoreUnavailable("others change record systems all the time; nothing was changed, try again")


def _held(file: Read, kept: Kept, system_id: str) -> Sequence[ApiKey]:
    own = file.systems.get(system_id)
    return keys.held(kept, system_id, own.key_sha256 if own is not None else "")


def _unknown(system_id: str) -> NotFound:
    return NotFound(f"there is no system {system_id}; see: samhub system list")


def _against(file: Read, kept: Kept, record: SystemRecord, row: SystemRow) -> list[str]:
    """Why it cannot be made."""
    if row.id in {one.id for one in kept.systems} | file.systems.keys():
        return [f"there is a system {row.id} already; samhub system rotate {row.id} gives it a new key"]
    enterprises = {one.organisation_her_id for one in file.rows.values()}
    mistakes = [
        f"HER-id {her} is no party of the party file; add a [[party]] with its keys for it first, then samhub reload"
        for her in row.her_ids
        if her not in file.rows and her not in enterprises
    ]
    mistakes += [
        f"HER-id {her} is a remote party: it has an endpoint or a queue, and no system"
        for her in row.her_ids
        if her in file.rows and _remote(file, her)
    ]
    before = joined(file, kept)[1]
    found = joined(file, replace(kept, systems=(*kept.systems, record)))[1]
    return mistakes + [mistake for mistake in found if mistake not in before]


def _remote(file: Read, her: str) -> bool:
    row = file.rows[her]
    return not row.system and bool(row.endpoint or row.amqp_async)


def _told(whole: Read, row: SystemRow) -> Sequence[str]:
    """For which HER-ids another system gets what comes."""
    others = [(her, whole.parties[her].system) for her in row.her_ids if her in whole.parties]
    return [f"HER-id {her}: what comes for it goes to {other}, as before" for her, other in others if other != row.id]


def _places(near: Path, row: SystemRow) -> list[Path]:
    names = ("inbox", "outbox", "receipts") if row.channel == "folder" else ()
    return [near / str(row.folder) / name for name in names]
