"""`samhub system`: the record systems of this hub, and their API keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer
from pydantic import ValidationError

from adapters.register.file import Read, SystemRow, read
from adapters.register.made import joined
from hub.errors import ConfigurationError
from hub.message import ApiKey
from hub.record_systems.kept import Kept, KeptChange
from hub.record_systems.keys import Act, held
from ops import systems
from ops.cli.common import (
    AsJson,
    ConfigFile,
    configuration,
    fail,
    listing,
    oslo,
    plain,
    print_json,
    run,
    store,
    user,
)

system = typer.Typer(no_args_is_help=True, help="Record systems (EPJ): list, add, rotate, revoke, remove.")
SystemId = Annotated[str, typer.Argument(help="Its name here.")]
Why = Annotated[str, typer.Option("--reason", help="Goes into the journal.")]
Ends = Annotated[str, typer.Option("--expires", help="The new key ends after this, such as 365d; else it has no end.")]
#: A name is part of a path, of names of queues and of HTTP Basic.
_NAME = re.compile(r"[\w][\w.-]{0,63}")
_LONG = re.compile(r"(\d{1,5})(d|h|m|)")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}
IN_FORCE = "in force within 2 s on every node that runs"


@system.command("list")
def list_systems(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """All record systems, of the party file and made by command: how each is reached, its HER-ids, and its API keys.

    With --json one object a line.
    """
    file, kept = _file(config), _kept(config)
    whole, mistakes = joined(file, kept)
    made, now = {one.id: one.made_at for one in kept.systems}, datetime.now(UTC)
    rows: list[dict[str, Any]] = [
        {
            "id": one.id,
            "channel": one.channel,
            "her_ids": sorted(one.her_ids),
            "apprec": one.apprec,
            "language": one.language,
            "certificates": len(one.certificates),
            "made": "parties.toml" if one.id in file.systems else "command",
            "made_at": None if one.id in file.systems else made[one.id],
            "keys": [_shown(key, now) for key in held(kept, one.id, file_key(file, one.id))],
        }
        for one in whole.systems.values()
    ]
    columns: dict[str, Callable[[Any], object]] = {
        "system": lambda r: r["id"],
        "from": lambda r: r["made"],
        "channel": lambda r: r["channel"],
        "HER-ids": lambda r: ", ".join(r["her_ids"]),
        "answers by AppRec": lambda r: "the hub" if r["apprec"] == "hub" else "the system",
        "key": lambda r: r["key"]["number"] if r["key"] else "none: REST and SOAP are closed to it",
        "made": lambda r: (r["key"]["made_at"] or r["made"]) if r["key"] else None,
        "ends": lambda r: r["key"]["ends"] if r["key"] else None,
        "last used": lambda r: r["key"]["used_at"] if r["key"] else None,
    }
    if as_json:
        for row in rows:
            print_json({**row, "keys": [{n: v for n, v in key.items() if n != "ends"} for key in row["keys"]]})
    else:
        listing(
            [{**row, "key": key} for row in rows for key in row["keys"] or [None]], False, columns, "no record systems"
        )
    if mistakes:
        fail(*mistakes)


def _shown(key: ApiKey, now: datetime) -> dict[str, Any]:
    """A key, without anything by which it is known."""
    state = "holds" if key.holds(now) else "ended" if key.revoked_at is None else "revoked"
    ends = f"revoked {oslo(key.revoked_at)}" if key.revoked_at else key.expires_at
    times = {"made_at": key.made_at, "expires_at": key.expires_at, "revoked_at": key.revoked_at, "used_at": key.used_at}
    return {"number": key.number, "state": state, **times, "ends": ends}


@system.command("add")
def add(
    system_id: SystemId,
    her_ids: Annotated[str, typer.Option("--her-ids", help="The HER-ids it may speak for, with commas.")],
    channel: Annotated[str, typer.Option(help="mailbox (REST and SOAP), folder or queue.")] = "mailbox",
    folder: Annotated[Path | None, typer.Option(help="For folder; else systems/<id>.")] = None,
    to_hub: Annotated[str, typer.Option(help="For queue: where it publishes; else samhub.<id>.to-hub.")] = "",
    from_hub: Annotated[str, typer.Option(help="For queue: what it consumes; else samhub.<id>.from-hub.")] = "",
    apprec: Annotated[str, typer.Option(help="Who answers what it receives: system or hub; else by channel.")] = "",
    language: Annotated[str, typer.Option(help="What it is told in: en or nb.")] = "en",
    certificates: Annotated[
        str, typer.Option(help="Hex SHA-256 of client certificates by which it is known too, with commas.")
    ] = "",
    clients: Annotated[
        str, typer.Option(help="client_id of those whose access tokens make them it, with commas; see tokens.issuer.")
    ] = "",
    expires: Ends = "",
    reason: Why = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Brings in a record system and prints its API key, once: only its SHA-256 is kept.

    It lives in the store. A party of the party file that has keys, no address and no system is served by it from then on.
    """
    if not _NAME.fullmatch(system_id):
        fail(f"{system_id}: letters, digits, dots and dashes make a name, at most 64", code=2)
    found, ends = configuration(config), _until(expires)
    if channel == "queue" and not found.queue.url:
        fail("--channel queue: queue.url is empty; name the broker in [queue] first", code=2)
    place = folder or (Path("systems") / system_id if channel == "folder" else None)
    try:
        row = SystemRow(
            id=system_id,
            her_ids=_words(her_ids),
            channel=cast(Literal["mailbox", "folder", "queue"], channel),
            folder=place,
            to_hub=to_hub,
            from_hub=from_hub,
            apprec=cast(Literal["hub", "system"] | None, apprec or None),
            language=cast(Literal["en", "nb"], language),
            certificates_sha256=_words(certificates),
            clients=_words(clients),
        )
    except ValidationError as error:
        fail(*(f"--{str(e['loc'][0]).replace('_', '-')}: {e['msg']}" for e in error.errors()), code=2)
    file = read(found.registry.parties)

    async def work() -> tuple[str, list[str]]:
        async with store(config) as opened:
            return await systems.added(opened, file, row, ends, _act(reason))

    key, told = run(work())
    _told(system_id, 1, key, told, as_json)


@system.command("rotate")
def rotate(
    system_id: SystemId,
    keep: Annotated[
        str, typer.Option(help="How long its other keys still hold: 14d, 12h, 30m; 0: not at all.")
    ] = "14d",
    expires: Ends = "",
    reason: Why = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Gives a record system a new API key beside those it has, which end after --keep, and prints it, once.

    Also one of the party file: the new key lives in the store, and the one that stands there ends like the others.
    """
    file, longest, ends = _file(config), _long("--keep", keep), _until(expires)

    async def work() -> tuple[str, KeptChange]:
        async with store(config) as opened:
            return await systems.rotated(opened, file, system_id, longest, ends, _act(reason))

    key, change = run(work())
    new, *others = change.keys
    told = [f"key {one.number} ends {oslo(one.expires_at)}" for one in others if one.expires_at is not None]
    _told(system_id, new.number, key, told, as_json)


@system.command("revoke")
def revoke(
    system_id: SystemId,
    number: Annotated[
        int | None, typer.Option("--key", help="Its number; else all. 0: the one of the party file.", min=0)
    ] = None,
    reason: Why = "",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Takes one API key of a record system away, or all of them, for good; also one that stands in the party file."""
    file = _whatever_is_wrong(config)

    async def work() -> KeptChange:
        async with store(config) as opened:
            return await systems.revoked(opened, file, system_id, number, _act(reason))

    gone = [key.number for key in run(work()).keys]
    if as_json:
        print_json({"id": system_id, "revoked": gone})
        return
    print(
        f"{system_id}: key {', '.join(map(str, gone))} taken away; {IN_FORCE}"
        if gone
        else f"{system_id}: no key is left"
    )


@system.command("remove")
def remove(system_id: SystemId, reason: Why = "", config: ConfigFile = None) -> None:
    """Takes a record system away that was made by command, and its API keys; what was said about its messages stays."""
    file = _whatever_is_wrong(config)

    async def work() -> None:
        async with store(config) as opened:
            await systems.removed(opened, file, system_id, _act(reason))

    run(work())
    print(f"{system_id} and its keys are taken away; {IN_FORCE}")


def file_key(file: Read, system_id: str) -> str:
    """Digest of the key that the party file has for a system; empty where it has none."""
    own = file.systems.get(system_id)
    return own.key_sha256 if own is not None else ""


def _file(config: Path | None) -> Read:
    return read(configuration(config).registry.parties)


def _whatever_is_wrong(config: Path | None) -> Read:
    """Also where the party file cannot be read: what is taken away from a thief does not wait until that is mended."""
    parties = configuration(config).registry.parties
    try:
        return read(parties)
    except ConfigurationError as error:
        for mistake in (*error.mistakes, f"{parties} cannot be used: only keys of the store are looked at"):
            typer.echo(mistake, err=True)
        return Read({}, {}, {}, parties.parent)


def _kept(config: Path | None) -> Kept:
    """Nothing, where there is no store yet."""
    found = configuration(config).store
    if not found.url and not found.path.exists():
        return Kept()

    async def work() -> Kept:
        async with store(config) as opened:
            return await opened.systems_kept()

    return run(work())


def _act(reason: str) -> Act:
    return Act(datetime.now(UTC), user(), reason)


def _words(written: str) -> list[str]:
    return [word.strip() for word in written.split(",") if word.strip()]


def _until(written: str) -> datetime | None:
    return datetime.now(UTC) + _long("--expires", written) if written else None


def _long(option: str, written: str) -> timedelta:
    """A length of time as people write it; a bare number only where it is 0."""
    found = _LONG.fullmatch(written.strip())
    if found is None or (not found[2] and int(found[1])):
        fail(f"{option} {written}: write it as 14d, 12h or 30m; 0: at once", code=2)
    return timedelta(**{_UNITS[found[2] or "m"]: int(found[1])})


def _told(system_id: str, number: int, key: str, more: list[str], as_json: bool) -> None:
    if as_json:
        print_json(plain({"id": system_id, "number": number, "api_key": key, "told": more}))
        return
    print(f"API key {number} of {system_id}, told this once: {key}")
    for line in (*more, IN_FORCE):
        print(line)
