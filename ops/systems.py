"""Adds a record system to the party file, or gives it a new API key; the file's comments and order stay as they are."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path

from adapters.register.file import Read, SystemRow, read, written_system
from hub.digest import sha256
from hub.errors import ConfigurationError

#: Bytes of chance in an API key: nobody guesses it, and its SHA-256 is all that is kept.
KEY_BYTES = 24


def new_key() -> str:
    """An API key, of letters that need no quoting anywhere."""
    return secrets.token_urlsafe(KEY_BYTES)


def added(parties: Path, row: SystemRow) -> Read:
    """Writes a record system into the party file, and makes the places it needs; the file as it then reads.

    What comes for one of its HER-ids goes to it where the party's own `system` says so. Raises ConfigurationError, with
    nothing changed, where the file would not read.
    """
    text = parties.read_text("utf-8")
    before = read(parties)
    if row.id in before.systems:
        raise ConfigurationError(
            [f"{parties}: there is a system {row.id} already; samhub system key gives it a new key"]
        )
    unknown = [her for her in row.her_ids if her not in before.rows and not _enterprise(before, her)]
    if unknown:
        listed = ", ".join(unknown)
        raise ConfigurationError(
            [f"{parties}: HER-id {listed} is no party of the file; add a [[party]] for it first (see its top)"]
        )
    found = _written(parties, f"{text.rstrip()}\n\n{written_system(row)}")
    _places(parties.parent, row)
    return found


def given_key(parties: Path, system_id: str, key: str) -> Read:
    """Gives a record system another API key: the old one is of no use any more, once running nodes have reloaded."""
    text = parties.read_text("utf-8")
    if system_id not in read(parties).systems:
        raise ConfigurationError([f"{parties}: there is no system {system_id}; see: samhub system list"])
    blocks = re.split(r"(?m)^(?=\[\[)", text)
    own = [i for i, block in enumerate(blocks) if block.startswith("[[system]]") and _id(block) == system_id]
    line = f'api_key_sha256 = "{sha256(key.encode())}"'
    block = blocks[own[0]]
    named = re.compile(r"(?m)^api_key_sha256\s*=.*$")
    blocks[own[0]] = named.sub(line, block) if named.search(block) else f"{block.rstrip()}\n{line}\n\n"
    return _written(parties, "".join(blocks))


def _id(block: str) -> str:
    found = re.search(r'(?m)^id\s*=\s*["\']([^"\']*)["\']', block)
    return found.group(1) if found else ""


def _enterprise(file: Read, her: str) -> bool:
    return any(row.organisation_her_id == her for row in file.rows.values())


def _written(parties: Path, text: str) -> Read:
    """Beside it first, read as the hub will, then in its place: a running hub never reads half of it."""
    handle, name = tempfile.mkstemp(prefix=f".{parties.name}.", dir=parties.parent)
    beside = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        found = read(beside)
        beside.chmod(parties.stat().st_mode & 0o777)
        beside.replace(parties)
    except ConfigurationError as error:
        raise ConfigurationError([m.replace(str(beside), str(parties)) for m in error.mistakes]) from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
    return found


def _places(near: Path, row: SystemRow) -> None:
    names: Sequence[str] = ("inbox", "outbox", "receipts") if row.channel == "folder" else ()
    for name in names:
        (near / str(row.folder) / name).mkdir(parents=True, exist_ok=True)
