"""The party file: read with every mistake told at once, and written for those who begin."""

from __future__ import annotations

import ssl
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.register import hooks
from hub.bounds import LONGEST
from hub.errors import ConfigurationError
from hub.formats import queues
from hub.formats.cpa_certificates import Use, of_chain
from hub.message import Channel, Party, RecordSystem, Refers

HER_ID = r"^[1-9]\d{0,9}$"
#: Times beyond this are beyond sense.
_SECONDS = LONGEST.total_seconds()
#: Fields of a party that hold the registered addresses of its queues.
QUEUES = ("amqp_async", "amqp_sync", "amqp_syncreply", "amqp_error")


class SystemRow(BaseModel):
    """A record system: which HER-ids it serves and how it is reached."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(description="Its name here.", min_length=1)
    her_ids: list[str] = Field(description="The HER-ids it serves.", min_length=1)
    channel: Literal["mailbox", "folder", "queue"] = Field(
        "mailbox", description="It fetches by REST, from a folder, or consumes a queue of the broker."
    )
    folder: Path | None = Field(
        None, description="For folder: holds inbox/, outbox/ and receipts/; it must be there, the hub never makes it."
    )
    to_hub: str = Field("", description="For queue: where it publishes; empty: samhub.<id>.to-hub.", max_length=200)
    from_hub: str = Field("", description="For queue: what it consumes; empty: samhub.<id>.from-hub.", max_length=200)
    apprec: Literal["hub", "system"] | None = Field(
        None,
        description="Who answers what it receives: the hub when it is handed over, or the record system; "
        "without it the system where channel is mailbox, else the hub.",
    )
    language: Literal["en", "nb"] = Field(
        "en", description="What it is told in, where it does not ask for another: English, or Norwegian (nb)."
    )
    api_key_sha256: str = Field(
        "",
        description="Hex SHA-256 of its first API key for REST and SOAP; those of samhub system rotate lie in the store.",
    )
    clients: list[Annotated[str, Field(min_length=1, max_length=500)]] = Field(
        [], description="client_id of those whose access tokens make them this record system; see tokens.issuer."
    )
    certificates_sha256: list[str] = Field(
        [],
        description="Hex SHA-256 of the client certificates by which it is known instead; see http.certificate_header.",
    )
    webhook: str = Field(
        "",
        description="Where it is told at once what happened, ids and states only, beside what it polls: an https address "
        "(http on this machine only); empty: it polls. See docs/webhook.md.",
    )
    webhook_secret_file: Path | None = Field(
        None,
        description="File with the secret that the webhook is signed with, one a line (several in roll-over), which others "
        "may not read.",
    )


class PartyRow(BaseModel):
    """A party: local when it has a system or is left to one, remote when it has an endpoint or a queue on the message bus."""

    model_config = ConfigDict(extra="forbid")

    her_id: str = Field(description="HER-id of the communication party (level 2).", pattern=HER_ID)
    name: str = Field("", description="What people call it.")
    organisation_her_id: str = Field("", description="HER-id of its enterprise (level 1).")
    organisation_number: str = Field("", description="Nine digits.")
    system: str = Field(
        "",
        description="Its record system in this file, when this hub serves it; with keys and no address it may be left to "
        "the one that samhub system add makes for it.",
    )
    keys: Path | None = Field(None, description="Local: folder with sign.key.pem, encrypt.key.pem and certificates.")
    mail: str = Field("", description="Local: the mail address that it sends from and receives at, for ebXML by mail.")
    endpoint: str = Field("", description="Remote: where it takes messages: http(s)://… or mailto:…; else amqp_async.")
    signal_endpoint: str = Field("", description="Remote: where it takes receipts, when elsewhere.")
    amqp_async: str = Field(
        "", description="Queue for messages on the message bus, as registered: host/EXCHANGE/QUEUE; local: read by us."
    )
    amqp_sync: str = Field("", description="Queue for synchronous questions, likewise.")
    amqp_syncreply: str = Field("", description="Local: queue for answers to its synchronous questions, likewise.")
    amqp_error: str = Field("", description="Queue for error reports about what it sent, likewise.")
    signing_certificates: list[Path] = Field(
        [], description="Certificates it signs with, PEM or DER; several in roll-over."
    )
    encryption_certificate: Path | None = Field(None, description="Certificate to encrypt for it.")
    client_certificate: Path | None = Field(
        None, description="Remote: PEM file by which we show ourselves to its server (TLS); else ebxml_http's."
    )
    client_key: Path | None = Field(None, description="The key of it, where that is another file.")
    reply: Literal["sync", "async"] = Field("sync", description="Receipts in the same exchange, or by themselves.")
    encrypted: bool = Field(True, description="Payloads are encrypted.")
    compressed: bool = Field(False, description="Payloads are gzipped before encryption.")
    payload_form: Literal["bare", "mime"] = Field("bare", description="What it expects inside the encryption.")
    allow_sha1: bool = Field(False, description="Accept its SHA-1 signatures.")
    acknowledgment_refers: Refers = Field(
        "auto",
        description="Whether our Acknowledgments repeat the MessageId in MessageData/RefToMessageId, which HITS 1172 109 "
        "forbids and many handlers elsewhere look for: always, never, or auto: where the agreement names the parties by "
        "other ids than HER-ids, or the partner's own Acknowledgments have it.",
    )
    time_to_live_seconds: float | None = Field(
        None,
        description="Seconds until what we send it expires (TimeToLive); 0: none is written; else the hub's.",
        ge=0,
        le=_SECONDS,
    )
    warnings: bool | None = Field(
        None,
        description="Remote: tell it of a missing AckRequested by a Warning, or say nothing; else as hub.warnings has it.",
    )
    retries: int | None = Field(None, description="Retries after the first hand-over.", ge=0)
    retry_interval_seconds: float | None = Field(None, description="Seconds between hand-overs.", gt=0, le=_SECONDS)
    persist_duration_seconds: float | None = Field(None, description="Seconds until it is given up.", gt=0, le=_SECONDS)


class AgreementRow(BaseModel):
    """Settings of one CPA, which go before those of the party; the CPA itself lies in the folder of agreements."""

    model_config = ConfigDict(extra="forbid")

    cpa_id: str = Field(description="Its cpaid.", min_length=1)
    acknowledgment_refers: Refers | None = Field(None, description="As of a party.")
    time_to_live_seconds: float | None = Field(None, description="As of a party.", ge=0, le=_SECONDS)


class PartyFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid")

    system: list[SystemRow] = []
    party: list[PartyRow] = []
    agreement: list[AgreementRow] = []


@dataclass(frozen=True, slots=True)
class Read:
    """A party file, read: values for the kernel, and the rows they came from."""

    systems: dict[str, RecordSystem]
    parties: dict[str, Party]
    rows: dict[str, PartyRow]
    folder: Path
    agreements: dict[str, AgreementRow] = field(default_factory=dict)  #: by cpaid


def read(path: Path) -> Read:
    """Raises ConfigurationError with every mistake of the file and of the certificates it names."""
    try:
        found = PartyFile.model_validate(tomllib.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        raise ConfigurationError([f"{path}: no such file; samhub init writes an example"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"{path}: not TOML: {error}"]) from None
    except ValidationError as error:
        mistakes = [f"{path}: {'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()]
        raise ConfigurationError(mistakes) from None
    mistakes = [f"{path}: {m}" for m in _contradictions(found)]
    folder = path.parent
    systems = {s.id: system_of(s, folder, mistakes) for s in found.system}
    parties = {row.her_id: _party(row, folder, mistakes) for row in found.party}
    if mistakes:
        raise ConfigurationError(mistakes)
    rows, agreements = {row.her_id: row for row in found.party}, {row.cpa_id: row for row in found.agreement}
    return Read(systems, parties, rows, folder, agreements)


def _contradictions(found: PartyFile) -> Iterable[str]:
    systems = {s.id: s for s in found.system}
    seen: set[str] = set()
    for row in found.party:
        who = f"party {row.her_id}"
        if row.her_id in seen:
            yield f"{who} stands there twice"
        seen.add(row.her_id)
        if row.system and row.system not in systems:
            yield f"{who}: there is no system {row.system}; add a [[system]] with that id"
        elif row.system and row.her_id not in systems[row.system].her_ids:
            yield f"{who}: system {row.system} does not list it in her_ids"
        if not row.system and not row.endpoint and not row.amqp_async and row.keys is None:
            yield f"{who} has neither a system or keys (local) nor an endpoint or amqp_async (remote)"
        for name in QUEUES:
            written = getattr(row, name)
            if written and queues.address(written) is None:
                yield f"{who}: {name} is {written}; write it as registered: host/EXCHANGE/QUEUE"
    named = [row.id for row in found.system]
    yield from (f"system {one} stands there twice" for one in sorted(set(named)) if named.count(one) > 1)
    shown = [one.lower().replace(":", "") for row in found.system for one in row.certificates_sha256]
    yield from (f"certificate {one} is of two systems" for one in sorted(set(shown)) if shown.count(one) > 1)
    clients = [one for row in found.system for one in sorted(set(row.clients))]
    yield from (f"client {one} is of two systems" for one in sorted(set(clients)) if clients.count(one) > 1)
    keys = [row.api_key_sha256.lower() for row in found.system if row.api_key_sha256]
    for system in found.system:
        if system.api_key_sha256 and keys.count(system.api_key_sha256.lower()) > 1:
            yield f"system {system.id}: another system has the same API key; give it one of its own: samhub system rotate"
        if system.channel == "folder" and system.folder is None:
            yield f"system {system.id}: channel is folder, but folder is missing"
    yield from _shared_queues(found.system)
    named = [row.cpa_id for row in found.agreement]
    yield from (f"agreement {cpa_id} stands there twice" for cpa_id in sorted(set(named)) if named.count(cpa_id) > 1)


def _shared_queues(rows: list[SystemRow]) -> Iterable[str]:
    """A queue that two read would give each the other's documents."""
    seen: dict[str, str] = {}
    for row in rows:
        for name in queue_names(row) if row.channel == "queue" else ():
            if name in seen:
                yield f"system {row.id}: queue {name} is used by {seen[name]} already"
            seen[name] = row.id


def queue_names(row: SystemRow) -> tuple[str, str]:
    """The queue that a record system publishes to, and the one that it consumes."""
    return row.to_hub or f"samhub.{row.id}.to-hub", row.from_hub or f"samhub.{row.id}.from-hub"


def system_of(row: SystemRow, folder: Path, mistakes: list[str]) -> RecordSystem:
    """The record system that a row says, its files relative to `folder`; what cannot be used is told in `mistakes`."""
    outbox, address = queue_names(row) if row.channel == "queue" else ("", "")
    if row.folder is not None and row.channel != "queue":
        address = str((folder / row.folder).absolute())
    webhook = hooks.read(f"system {row.id}", row.webhook, row.webhook_secret_file, folder, mistakes)
    return RecordSystem(
        row.id,
        frozenset(row.her_ids),
        Channel(row.channel),
        address,
        row.apprec or ("system" if row.channel == "mailbox" else "hub"),
        row.api_key_sha256.lower(),
        outbox,
        frozenset(one.lower().replace(":", "") for one in row.certificates_sha256),
        row.language,
        clients=frozenset(row.clients),
        webhook=webhook,
    )


def _party(row: PartyRow, folder: Path, mistakes: list[str]) -> Party:
    signing, encryption = list(row.signing_certificates), row.encryption_certificate
    if row.keys is not None:
        signing = signing or sorted((folder / row.keys).glob("sign*.cert.pem"))
        encryption = encryption or row.keys / "encrypt.cert.pem"
    return Party(
        her_id=row.her_id,
        name=row.name,
        organisation_her_id=row.organisation_her_id,
        organisation_number=row.organisation_number,
        system=row.system or None,
        endpoint=row.endpoint or (f"amqp:{row.amqp_async}" if row.amqp_async and not row.system else ""),
        mail=row.mail.lower(),
        signing_certificates=tuple(
            c for p in signing if (c := _certificate(folder / p, "signing", row.her_id, mistakes))
        ),
        encryption_certificate=_certificate(folder / encryption, "encryption", row.her_id, mistakes)
        if encryption
        else b"",
        client=_client(row, folder, mistakes),
    )


def _client(row: PartyRow, folder: Path, mistakes: list[str]) -> tuple[str, str]:
    """Files of the certificate and key that we show to its server; tried, so that nobody finds out by a failed message."""
    if row.client_certificate is None:
        if row.client_key is not None:
            mistakes.append(f"party {row.her_id}: client_key without client_certificate")
        return "", ""
    certificate = folder / row.client_certificate
    key = folder / row.client_key if row.client_key is not None else certificate
    try:
        ssl.create_default_context().load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        words = (error.reason or "no certificate and key in PEM").lower().replace("_", " ")
        mistakes.append(f"party {row.her_id}: {certificate} and {key}: {words}")
    except OSError as error:
        mistakes.append(f"party {row.her_id}: {certificate} or {key}: {error.strerror}")
    return str(certificate), str(key)


def _certificate(path: Path, use: Use, her_id: str, mistakes: list[str]) -> bytes:
    try:
        return der(path.read_bytes(), use)
    except OSError as error:
        mistakes.append(f"party {her_id}: {path}: {error.strerror}")
    except ValueError:
        mistakes.append(f"party {her_id}: {path}: neither PEM nor DER of a certificate, or of authorities only")
    return b""


def der(content: bytes, use: Use = "signing") -> bytes:
    """A certificate's DER from PEM or DER; of a chain the end entity's. Raises ValueError."""
    return of_chain(content, use)


def written(systems: Iterable[SystemRow], parties: Iterable[PartyRow]) -> str:
    """The file's text, each table with only what is set; comments explain every field once, at the top."""
    lines = ["# Who takes part. Paths are relative to this file.", "#"]
    for model, name in ((SystemRow, "system"), (PartyRow, "party"), (AgreementRow, "agreement")):
        lines.append(f"# [[{name}]]: {' '.join((model.__doc__ or '').split())}")
        lines += [f"#   {key}: {info.description}" for key, info in model.model_fields.items()]
    for name, rows in (("system", systems), ("party", parties)):
        for row in rows:
            lines += ["", *_table(name, row)]
    return "\n".join(lines) + "\n"


def _table(name: str, row: BaseModel) -> list[str]:
    return [f"[[{name}]]", *(f"{k} = {_toml(v)}" for k, v in row.model_dump(exclude_defaults=True).items())]


def _toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case list():
            return f"[{', '.join(_toml(v) for v in value)}]"
        case _:
            escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
