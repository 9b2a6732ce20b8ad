"""The process that dies: runs one hub after another, each in a fork of its own, and kills it at the steps it was told.

Reads orders as lines of JSON, answers by lines of JSON: `{"ready": url}` when a hub serves, `{"ended": status}` when it
is gone. What takes a second is imported once, here; everything else a hub does anew each time.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adapters.store.postgres import PostgresStore
from adapters.store.postgres.pool import Pool
from adapters.store.sqlite import SqliteStore
from adapters.store.writer import Writer
from hub.ports import Change
from ops import config
from ops.assemble import hub as assembled
from ops.serve import logs, process
from ops.serve.run import until

VERBS = ("apply", "claim", "keep_parcel", "settle", "undecided", "lead", "keep_bookmark")
_verb: contextvars.ContextVar[str] = contextvars.ContextVar("verb", default="other")


def deaths(list_of_dead: Path) -> list[list[str]]:
    """The steps of each death so far."""
    lines = list_of_dead.read_text().splitlines() if list_of_dead.exists() else []
    return [line.split("\t") for line in lines]


class Steps:
    """Knows at each durable step what is being made durable, and does there what the order says."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._order = order
        self._here = threading.local()  # a store may have several threads that write
        self._held = threading.Event()

    def watch(self) -> None:
        """From now on each piece of work that a store's writers do is known by its verb and events."""
        for store in (SqliteStore, PostgresStore):
            for name in VERBS:
                setattr(store, name, _named(name, getattr(store, name)))
        for writer in (Writer, Pool):
            self._watch(writer)

    def _watch(self, writer: Any) -> None:
        do = writer.do

        async def told(itself: Any, work: Callable[[Any], Any], *more: Any) -> Any:
            name = _verb.get()

            def noted(connection: Any) -> Any:
                vars(self._here).setdefault("gathered", []).append(name)
                return work(connection)

            return await do(itself, noted, *more)

        writer.do = told

    def on_step(self, step: str) -> None:
        """Runs in the thread that writes, where nothing else goes on until it returns."""
        if step == "before-commit":
            self._here.going = list(dict.fromkeys(self._here.gathered))
            self._here.gathered = []
        steps = [f"{name} {step}" for name in self._here.going]
        if "once" in self._order:
            self._kill_once(Path(self._order["once"]), steps)
        if self._order.get("hold") in steps:
            say({"held": self._order["hold"]})
            self._held.wait()

    def _kill_once(self, list_of_dead: Path, steps: list[str]) -> None:
        """What is made durable together is died of together: one line for each death, its steps with tabs between."""
        if set(steps) - {step for death in deaths(list_of_dead) for step in death}:
            with list_of_dead.open("a") as file:
                file.write("\t".join(steps) + "\n")
            os.kill(os.getpid(), signal.SIGKILL)

    def release(self) -> None:
        """Lets go what is held."""
        self._held.set()


def _named(name: str, verb: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(verb)
    async def named(*given: Any, **more: Any) -> Any:
        changes = [one for one in given if isinstance(one, Change)]
        events = sorted({str(entry.event) for change in changes for entry in change.journal})
        before = _verb.set(f"{name}:{'+'.join(events)}" if changes else name)
        try:
            return await verb(*given, **more)
        finally:
            _verb.reset(before)

    return named


def say(word: dict[str, Any]) -> None:
    """One line to the parent."""
    os.write(1, (json.dumps(word) + "\n").encode())


def live(order: dict[str, Any]) -> None:
    """A hub's whole life."""
    steps = Steps(order)
    steps.watch()
    found = config.load(Path(order["configuration"]))
    logs.configure(found.log)

    async def work() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        loop.add_signal_handler(signal.SIGUSR1, steps.release)
        async with assembled(found, on_step=steps.on_step) as built:
            process.settle_down()
            await until(stop, built, lambda url: say({"ready": url, "pid": os.getpid()}))

    with asyncio.Runner(loop_factory=process.loop_factory()) as runner:
        runner.run(work())


def main() -> None:
    """One hub at a time, as ordered, until there are no more orders."""
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            try:
                live(json.loads(line))
            except BaseException as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(0)
        say({"begun": pid})
        say({"ended": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])})


if __name__ == "__main__":
    main()
