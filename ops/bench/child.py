"""What runs in a process of its own: the hub under load, bare mail libraries, one message in a memory of nothing else."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import aiosmtplib
from aiosmtpd.smtp import SMTP

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
    process.open_many()
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


async def bare_listener(port: int) -> None:
    """aiosmtpd alone: takes every mail and forgets it."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(_Forgetful(), decode_data=False), "127.0.0.1", port)
    async with server:
        await stopped().wait()


class _Forgetful:
    async def handle_DATA(self, *_: object) -> str:
        return "250 taken"


async def bare_sender(port: int, file: Path, count: int) -> None:
    """aiosmtplib alone: sends the same mail so often over one connection; prints its processor seconds for each."""
    content = file.read_bytes()
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as client:
        await client.sendmail("a@bench.example", ["b@bench.example"], content)
        begun = time.process_time()
        for _ in range(count):
            await client.sendmail("a@bench.example", ["b@bench.example"], content)
        print((time.process_time() - begun) / count)


def pairs(url: str, file: Path, pause: float) -> None:
    """Asks for a sign of life and hands over a document of `file`, each of them once; prints the seconds of each pair."""
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    print("begun", flush=True)
    for path, headers, body in json.loads(file.read_text("utf-8")):
        if stop:
            return
        time.sleep(pause)
        begun = time.perf_counter()
        for asked in (("GET", "/api/v3/ping", None, headers), ("POST", path, body.encode(), headers)):
            connection.request(*asked)
            with connection.getresponse() as answer:
                answer.read()
            assert answer.status in (200, 202), f"the hub under test said {answer.status}"
        print(time.perf_counter() - begun)


def main(words: list[str]) -> None:
    """`serve FILE loud|quiet`, `memory FILE SMALL LARGE`, `pairs URL FILE SECONDS`, `smtpd PORT`, or `smtplib PORT FILE COUNT`."""
    match words:
        case ["serve", file, loudness]:
            run(serve(config.load(Path(file)), quiet=loudness == "quiet"), process.loop_factory())
        case ["memory", file, *messages]:
            asyncio.run(memory(config.load(Path(file)), [Path(word) for word in messages]))
        case ["pairs", url, file, pause]:
            pairs(url, Path(file), float(pause))
        case ["smtpd", port]:
            run(bare_listener(int(port)), process.loop_factory())
        case ["smtplib", port, file, count]:
            run(bare_sender(int(port), Path(file), int(count)), process.loop_factory())


if __name__ == "__main__":
    main(sys.argv[1:])
