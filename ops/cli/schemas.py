"""`samhub schemas import` and `list`: the official schemas of a site, and which schema is in force for what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.errors import HubError
from ops.cli.common import AsJson, ConfigFile, configuration, fail, listing

schemas = typer.Typer(no_args_is_help=True, help="Schemas in force: import, list.")


@schemas.command("import")
def take(
    source: Annotated[Path, typer.Argument(help="Folder or ZIP file with the official schemas.")],
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Puts an archive of official schemas in force at this site; the network is never asked.

    Tells every file's SHA-256, namespace and standard. What does not compile is told and not put in force. A running hub
    takes them up when it is started again. Exit 1 when nothing was put in force.
    """
    from ops.schemas import take as taken

    found = configuration(config)
    try:
        rows = taken(found, source)
    except HubError as error:
        fail(str(error))
    columns: dict[str, Callable[[Any], object]] = {
        "state": lambda r: r.state,
        "standard": lambda r: r.standard,
        "namespace": lambda r: r.namespace,
        "file": lambda r: r.file,
        "sha256": lambda r: r.sha256,
        "because": lambda r: r.because,
    }
    listing(rows, as_json, columns, "")
    counts = Counter(row.state for row in rows)
    if not as_json:
        print(", ".join(f"{counts[state]} {state}" for state in ("in force", "part", "other", "refused")))
    if not counts["in force"]:
        raise typer.Exit(1)


@schemas.command("list")
def list_schemas(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Which schema every namespace is checked by. Exit 1 when an imported file was changed or is gone."""
    from ops.schemas import in_force

    try:
        rows = list(in_force(configuration(config)))
    except HubError as error:
        fail(str(error), code=2)
    columns: dict[str, Callable[[Any], object]] = {
        "standard": lambda r: r.standard,
        "namespace": lambda r: r.namespace,
        "whose": lambda r: r.whose,
        "state": lambda r: r.state,
        "file": lambda r: r.file,
        "sha256": lambda r: r.sha256,
    }
    listing(rows, as_json, columns, "no schemas")
    if any(row.state != "good" for row in rows):
        raise typer.Exit(1)
