"""`samhub system`: the record systems of this hub, and their API keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer
from pydantic import ValidationError

from adapters.register.file import SystemRow, read
from hub.digest import sha256
from ops.cli.common import AsJson, ConfigFile, configuration, fail, listing, print_json
from ops.systems import added, given_key, new_key

system = typer.Typer(no_args_is_help=True, help="Record systems (EPJ): list, add, key.")
SystemId = Annotated[str, typer.Argument(help="Its name here.")]


@system.command("list")
def list_systems(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """All record systems of the party file: how each is reached, and which HER-ids it may speak for."""
    found = read(configuration(config).registry.parties)
    columns: dict[str, Callable[[Any], object]] = {
        "system": lambda s: s.id,
        "channel": lambda s: s.channel,
        "HER-ids": lambda s: ", ".join(sorted(s.her_ids)),
        "answers by AppRec": lambda s: "the hub" if s.apprec == "hub" else "the system",
        "language": lambda s: s.language,
        "API key": lambda s: "set" if s.key_sha256 else "none: REST and SOAP are closed to it",
    }
    rows = [
        {"id": s.id, "channel": s.channel, "her_ids": sorted(s.her_ids), "apprec": s.apprec, "language": s.language}
        for s in found.systems.values()
    ]
    if as_json:
        for row in rows:
            print_json(row)
        return
    listing(list(found.systems.values()), False, columns, "no record systems")


@system.command("add")
def add(
    system_id: SystemId,
    her_ids: Annotated[str, typer.Option("--her-ids", help="The HER-ids it may speak for, with commas.")],
    channel: Annotated[str, typer.Option(help="mailbox (REST and SOAP), folder or queue.")] = "mailbox",
    folder: Annotated[Path | None, typer.Option(help="For folder; else systems/<id>.")] = None,
    apprec: Annotated[str, typer.Option(help="Who answers what it receives: system or hub; else by channel.")] = "",
    language: Annotated[str, typer.Option(help="What it is told in: en or nb.")] = "en",
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Adds a record system to the party file and prints its API key, once: only its SHA-256 is kept."""
    parties, key = configuration(config).registry.parties, new_key()
    place = folder or (Path("systems") / system_id if channel == "folder" else None)
    try:
        row = SystemRow(
            id=system_id,
            her_ids=[her.strip() for her in her_ids.split(",") if her.strip()],
            channel=cast(Literal["mailbox", "folder", "queue"], channel),
            folder=place,
            apprec=cast(Literal["hub", "system"] | None, apprec or None),
            language=cast(Literal["en", "nb"], language),
            api_key_sha256=sha256(key.encode()),
        )
    except ValidationError as error:
        fail(*(f"--{str(e['loc'][0]).replace('_', '-')}: {e['msg']}" for e in error.errors()), code=2)
    added(parties, row)
    _told(system_id, key, as_json)


@system.command("key")
def key(system_id: SystemId, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Gives a record system a new API key and prints it, once; the old one ends with the next reload."""
    parties, made = configuration(config).registry.parties, new_key()
    given_key(parties, system_id, made)
    _told(system_id, made, as_json)


def _told(system_id: str, key: str, as_json: bool) -> None:
    if as_json:
        print_json({"id": system_id, "api_key": key})
        return
    print(f"API key of {system_id}, told this once: {key}")
    print("in force for running nodes with: samhub reload")
