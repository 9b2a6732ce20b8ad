"""What runs in a process of its own: the hub under load, and one message accepted in a memory that holds nothing else."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from hub.kit import Kit
from hub.message import Outcome
from hub.ports import Change, Store
from ops import assemble, config
from ops.bench.harness import process_bytes
from ops.bench.kernel import judged, stages
from ops.bench.material import Wire
from ops.cli.common import run, stopped
from ops.config import Configuration
from ops.serve import logs, process
from ops.serve.run import until


class _Mute:
    """A store that keeps no journal, counts nothing and logs nothing: the hub with everything switched off (P21)."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def apply(self, change: Change) -> Any:
        return await self._store.apply(replace(change, journal=()))

    async def settle(self, delivery_id: str, attempt: int, outcome: Outcome, at: Any, change: Change) -> Any:
        return await self._store.settle(delivery_id, attempt, outcome, at, replace(change, journal=()))


async def serve(configuration: Configuration, *, quiet: bool) -> None:
    """Runs a hub as `samhub serve` does."""
    if quiet:
        vars(assemble)["spoken"] = lambda store, _: cast(Store, _Mute(store))
    logs.configure(configuration.log)
    stop = stopped()
    async with assemble.hub(configuration) as hub:
        process.settle_down()
        await until(stop, hub, lambda _: None)


async def memory(configuration: Configuration, files: Iterable[Path]) -> None:
    """Accepts a small message, then the one in `files`, and prints by how much the peak grew above what stood before."""
    small, large = (_read(file) for file in files)
    async with assemble.hub(configuration) as hub:
        _accept(small, hub.kit)
        before = process_bytes()
        _accept(large, hub.kit)
        print(process_bytes(what="VmHWM") - before)


def _accept(wire: Wire, kit: Kit) -> None:
    found = judged(wire, kit, stages())
    assert found.document is not None, "the message was refused"


def _read(file: Path) -> Wire:
    head, _, body = file.read_bytes().partition(b"\n")
    return Wire(json.loads(head), body)


def main(words: list[str]) -> None:
    """`serve FILE loud|quiet`, or `memory FILE SMALL LARGE`."""
    found = config.load(Path(words[1]))
    if words[0] == "serve":
        run(serve(found, quiet=words[2] == "quiet"), process.loop_factory())
    else:
        asyncio.run(memory(found, [Path(word) for word in words[2:]]))


if __name__ == "__main__":
    main(sys.argv[1:])
