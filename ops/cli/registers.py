"""`samhub reload`, and what the nodes that run tell of the register they run."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from adapters.store.opening import KeptStore
from hub.errors import ConfigurationError
from hub.ports import NodeRecord
from hub.record_systems.kept import Kept
from ops import registers
from ops.cli.common import AsJson, ConfigFile, configuration, fail, plain, print_json, run, store
from ops.serve.reloading import DEAD, ORDER

#: How often the answers of the nodes are looked for, in seconds.
LOOK = 0.1


def reload(
    config: ConfigFile = None,
    as_json: AsJson = False,
    seconds: Annotated[
        float, typer.Option("--timeout", help="Wait at most so many seconds for every node.", min=0.1)
    ] = 60,
) -> None:
    """Has every running node read parties, agreements, routes, keys, certificates and CRLs anew: all of it, or nothing.

    The order lies in the store, so it reaches the workers and nodes that share it. Exit 1 when a node could not take what
    lies there, or did not answer; it then runs on with what it had.
    """
    asked, found = run(_ordered(config, seconds))
    if not found:
        fail("no hub runs on this store; it reads everything when it is started with: samhub serve")
    for one in found:
        if as_json:
            print_json({**plain(one), "taken": _took(one, asked)})
        else:
            print("\n".join(_answer(one, asked)))
    if not all(_took(one, asked) for one in found):
        raise typer.Exit(1)


async def _ordered(config: Path | None, seconds: float) -> tuple[int, list[NodeRecord]]:
    """The order's number, and what every node that lives said to it."""
    async with store(config) as opened:
        order = await opened.bookmark(ORDER) + 1
        alive = {one.node for one in await living(opened)}
        if not alive:
            return order, []
        await opened.keep_bookmark(ORDER, order)
        found: list[NodeRecord] = []
        try:
            async with asyncio.timeout(seconds):
                while not found or any(one.answered < order for one in found):
                    await asyncio.sleep(LOOK)
                    found = [one for one in await living(opened) if one.node in alive]
                    if not found:
                        return order, []
        except TimeoutError:
            pass  # who has not answered is told
        return order, found


async def living(opened: KeptStore) -> list[NodeRecord]:
    """The nodes that have said lately that they live."""
    now = datetime.now(UTC)
    return [one for one in await opened.nodes() if now - one.seen < DEAD]


def _took(one: NodeRecord, order: int) -> bool:
    return one.answered >= order and not one.faults


def _answer(one: NodeRecord, order: int) -> list[str]:
    if one.answered < order:
        return [f"{one.node}: has not answered; revision {one.revision}, last seen {one.seen:%H:%M:%S} UTC"]
    if one.faults:
        return [f"{one.node}: NOT TAKEN, revision {one.revision} stays", *(f"  {fault}" for fault in one.faults)]
    changes = one.changes or ("nothing has changed",)
    return [f"{one.node}: revision {one.revision}", *(f"  {change}" for change in changes)]


def show_running(config: Path | None) -> None:
    """What each node runs, as JSON lines, and whether it is what lies in the files here. Exit 1 when a node is red."""

    async def work() -> tuple[list[NodeRecord], Kept]:
        async with store(config) as opened:
            return await living(opened), await opened.systems_kept()

    (found, kept), here, faults = run(work()), "", list[str]()
    try:
        here = registers.read(configuration(config), lambda: datetime.now(UTC), strict=True, kept=kept).revision
    except ConfigurationError as error:
        faults = error.mistakes
    for one in found:
        print_json(
            {**plain(one), "red": bool(one.faults), "as_in_files": one.revision == here, "in_files": here or faults}
        )
    if not found:
        fail("no hub runs on this store")
    if any(one.faults for one in found):
        raise typer.Exit(1)
