"""Lends one server to every process of a run: the first that asks has it started, and it ends when the run is over.

The run is whoever opened it: it holds one end of a pipe in the run's folder. A keeper, which is a process of its own for each
server, holds the other, and ends its server when nobody is there any more, however that came about.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hub.errors import HubError

#: Names the folder of the run; every process of the run inherits it.
RUN = "SAMHUB_TEST_RUN"
PIPE = "alive"
#: A server starts within, also beside others that use every processor.
SECONDS = 120.0
ROOT = Path(__file__).resolve().parents[2]

Server = Any
Start = Callable[[], tuple[Server, Mapping[str, Any]]]


class Run:
    """A run of tests or figures; while it is open, servers that are lent stay. Close it to have them ended."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="samhub-run-"))
        os.mkfifo(self.folder / PIPE)
        self._alive: int | None = os.open(self.folder / PIPE, os.O_RDWR)  # both ends, so that opening waits for nobody
        os.environ[RUN] = str(self.folder)

    def close(self) -> list[str]:
        """Ends what was lent; the names of keepers that did not end in time."""
        if self._alive is not None:
            os.close(self._alive)
            self._alive = None
        end = time.monotonic() + SECONDS
        while (left := sorted(f.stem for f in self.folder.glob("*.json"))) and time.monotonic() < end:
            time.sleep(0.05)
        os.environ.pop(RUN, None)
        return left


def in_a_run() -> bool:
    """Whether this process belongs to a run that lends servers."""
    return bool(os.environ.get(RUN))


def lent(kind: str) -> Mapping[str, Any]:
    """What must be known to reach the one server of this kind. Raises HubError when it does not start."""
    folder = Path(os.environ[RUN])
    with locked(folder / f"{kind}.lock"):
        file = folder / f"{kind}.json"
        if not file.exists():
            _begin(kind, folder)
        found: Mapping[str, Any] = json.loads(file.read_text("utf-8"))
        return found


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """One process at a time."""
    with file.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _begin(kind: str, folder: Path) -> None:
    log = folder / f"{kind}.log"
    with log.open("ab") as out:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "ops.servers.keeper", kind, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=ROOT,
            start_new_session=True,
        )
    end = time.monotonic() + SECONDS
    while not (folder / f"{kind}.json").exists():
        if keeper.poll() is not None or time.monotonic() > end:
            raise HubError(f"the {kind} of this run does not start:\n{log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.02)


def _postgres() -> tuple[Server, Mapping[str, Any]]:
    from ops.servers.postgres import QUICK, PostgresServer

    server = PostgresServer(settings=dict(QUICK)).start()
    return server, {"url": server.url}


def _rabbitmq() -> tuple[Server, Mapping[str, Any]]:
    from ops.servers.rabbitmq import Broker

    broker = Broker().start()
    return broker, broker.facts()


KINDS: Mapping[str, Start] = {"postgres": _postgres, "rabbitmq": _rabbitmq}


def main(kind: str, folder: Path) -> None:
    """Starts the server, says where it is, and ends it when the run is over."""
    alive = os.open(folder / PIPE, os.O_RDONLY | os.O_NONBLOCK)
    server, facts = KINDS[kind]()
    file = folder / f"{kind}.json"
    try:
        aside = file.with_suffix(".part")
        aside.write_text(json.dumps(facts), "utf-8")
        aside.replace(file)
        hung_up = select.poll()
        hung_up.register(alive, 0)  # only that the last writer is gone; nobody ever writes
        hung_up.poll()
    finally:
        server.close()
        file.unlink(missing_ok=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
