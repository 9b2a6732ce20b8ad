"""`samhub circuit`: addresses that are left alone because tries in a row did not reach them, and one tried at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from hub import commands
from hub.errors import NotFound
from hub.formats import address
from hub.neighbours import host
from ops.cli.common import AsJson, ConfigFile, fail, hub, listing, run, user

circuit = typer.Typer(no_args_is_help=True, help="Addresses that are left alone until they answer.")

COLUMNS: dict[str, Callable[[Any], object]] = {
    "address": lambda c: address.shown(c.address),
    "host": lambda c: address.shown(host(c.address)),
    "failures": lambda c: c.failures,
    "since": lambda c: c.since,
    "last cause": lambda c: c.cause,
    "next probe": lambda c: c.until,
}


@circuit.command("list")
def list_circuits(config: ConfigFile = None, as_json: AsJson = False) -> None:
    """All that are open, as every node knows them: since when, why, and when each is probed next."""

    async def work() -> list[Any]:
        async with hub(config) as built:
            return await built.store.circuits()

    listing(run(work()), as_json, COLUMNS, "no address is left alone")


@circuit.command("reset")
def reset(
    wanted: Annotated[str, typer.Argument(help="The address as the list shows it, or its host.")],
    why: Annotated[str, typer.Option(help="Goes into the journal.")] = "",
    config: ConfigFile = None,
) -> None:
    """Has an address, or all of a host, tried at once by every node; what waits for it follows when it answers."""

    async def work() -> list[str]:
        async with hub(config) as built:
            return await commands.reset_circuits(wanted, user(), why, built.kit)

    try:
        for one in run(work()):
            print(f"{one}: tried at once")
    except NotFound as error:
        fail(str(error))
