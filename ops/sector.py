"""The example sector, and whole sites of it: parties, keys and configuration of a hub; for init, the demo and tests."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

from adapters.register.file import PartyRow, SystemRow, written
from ops import config
from ops.certs.make_example import ExampleParty, make_example


@dataclass(frozen=True, slots=True)
class Member:
    """One communication party of a sector; parties of one organisation share its keys."""

    her_id: str
    name: str
    organisation_her_id: str
    organisation: str  #: folder name of its keys
    organisation_number: str
    system: str = ""  #: the record system that serves it, by convention named after the organisation


#: The sector that `samhub init` and the demo are about; names, numbers and HER-ids are invented.
SECTOR = (
    Member("8000102", "Solvik kommune, pleie og omsorg", "8000101", "kommune", "999000010", "kommune"),
    Member("8000202", "Solvik legesenter", "8000201", "legesenter", "999000029", "legesenter"),
    Member("8000302", "Solvik fysioterapi", "8000301", "fysioterapi", "999000037", "fysioterapi"),
    Member("8000402", "Fjordby sykehus, kirurgisk avdeling", "8000401", "sykehus", "999000045", "sykehus"),
    Member("8000403", "Fjordby sykehus, laboratoriet", "8000401", "sykehus", "999000045", "laboratorium"),
)
HOSPITAL = ("sykehus", "laboratorium")


@dataclass(frozen=True, slots=True)
class Site:
    """A hub's folder, written; `keys` are the API keys of its record systems by name."""

    folder: Path
    configuration: Path
    keys: dict[str, str] = field(repr=False)


def make_keys(folder: Path, members: Sequence[Member], bad_for: str = "") -> None:
    """The example PKI for every organisation among `members`."""
    organisations = {m.organisation: m for m in members}
    parties = [ExampleParty(o, m.name.split(",")[0], m.organisation_number) for o, m in organisations.items()]
    make_example(folder, parties, datetime.now(UTC), bad_for)


def write_site(
    folder: Path,
    certs: Path,
    local: Sequence[Member],
    remote: Sequence[tuple[Member, str]],
    *,
    channel: str = "mailbox",
    apprec: str = "hub",
    folder_systems: Sequence[str] = (),
    queue_systems: Mapping[str, str] | None = None,
    manners: dict[str, dict[str, Any]] | None = None,
    settings: dict[str, dict[str, Any]] | None = None,
) -> Site:
    """Writes a hub's site. `remote` are members with their endpoints; `manners` are more fields of a party, by HER-id.

    `certs` is the PKI's folder; `settings` are sections of the configuration; `queue_systems` are record systems by
    queue, each with what the names of its queues begin with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    keys = {m.system: secrets.token_urlsafe(24) for m in local}
    queues, by_folder = queue_systems or {}, set(folder_systems)
    systems = [_system(name, local, keys[name], name in by_folder, channel, apprec, queues.get(name)) for name in keys]
    near = certs.relative_to(folder) if certs.is_relative_to(folder) else certs  # so that a site can be moved
    rows = [_local(m, near, manners or {}) for m in local]
    rows += [_remote(m, endpoint, near, manners or {}) for m, endpoint in remote]
    (folder / "parties.toml").write_text(written(systems, rows), "utf-8")
    (folder / "agreements").mkdir(exist_ok=True)
    for system in systems:
        for place in ("inbox", "outbox", "receipts") if system.folder is not None else ():
            (folder / str(system.folder) / place).mkdir(parents=True, exist_ok=True)
    _write_keys(folder / "keys", local, keys)
    given = {
        "trust": {"roots": near / "ca" / "roots", "intermediates": near / "ca" / "intermediates"},
        "revocation": {"folder": near / "crl"},
        **(settings or {}),
    }
    target = folder / config.FILE_NAME
    target.write_text(config.example(**given), "utf-8")
    return Site(folder, target, keys)


def _system(
    name: str, local: Sequence[Member], key: str, by_folder: bool, channel: str, apprec: str, queues: str | None
) -> SystemRow:
    digest = hashlib.sha256(key.encode()).hexdigest()
    served = [m for m in local if m.system == name]
    ids = list(dict.fromkeys(her for m in served for her in (m.organisation_her_id, m.her_id) if her))
    place = Path("systems") / name if by_folder or channel == "folder" else None
    return SystemRow(
        id=name,
        her_ids=ids,
        channel="folder" if place else "mailbox" if queues is None else "queue",
        to_hub=f"{queues}.to-hub" if queues else "",
        from_hub=f"{queues}.from-hub" if queues else "",
        folder=place,
        apprec=cast(Literal["hub", "system"] | None, apprec or None),
        api_key_sha256=digest,
    )


def _local(member: Member, certs: Path, manners: dict[str, dict[str, Any]]) -> PartyRow:
    row: dict[str, Any] = {
        "her_id": member.her_id,
        "name": member.name,
        "organisation_her_id": member.organisation_her_id,
        "organisation_number": member.organisation_number,
        "system": member.system,
        "keys": certs / member.organisation,
    }
    return PartyRow(**(row | manners.get(member.her_id, {})))


def _remote(member: Member, endpoint: str, certs: Path, manners: dict[str, dict[str, Any]]) -> PartyRow:
    own = certs / member.organisation
    row: dict[str, Any] = {
        "her_id": member.her_id,
        "name": member.name,
        "organisation_her_id": member.organisation_her_id,
        "organisation_number": member.organisation_number,
        "endpoint": endpoint,
        "signing_certificates": [own / "sign.cert.pem"],
        "encryption_certificate": own / "encrypt.cert.pem",
    }
    return PartyRow(**(row | manners.get(member.her_id, {})))


def _write_keys(folder: Path, local: Sequence[Member], keys: dict[str, str]) -> None:
    """API keys for the command line, one file for each HER-id, readable by their owner alone."""
    folder.mkdir(exist_ok=True)
    for member in local:
        target = folder / f"{member.her_id}.key"
        target.touch(mode=0o600)
        target.chmod(0o600)
        target.write_text(keys[member.system] + "\n")
