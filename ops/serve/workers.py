"""Several worker processes behind one port: started, watched, started again when one dies, and stopped together."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import structlog

from ops.serve import supervisor
from ops.serve.watchdog import Looks

log = structlog.get_logger("workers")
#: Tells a worker its number; the first one has the doors that only one process can keep.
NUMBER = "SAMHUB_WORKER"
#: Where workers keep their counts, so that any of them can tell those of all (prometheus_client's own name).
COUNTS = "PROMETHEUS_MULTIPROC_DIR"
#: Names the descriptor at which a worker hears that the process that started it is gone.
LIFELINE = "SAMHUB_LIFELINE"
#: A worker without that process, which has not finished what is under way after so many seconds, is cut off.
ORPHANED_SECONDS = 60.0
#: A worker that died is started again after this many seconds; more each time, up to the longest.
FIRST, LONGEST = 0.5, 30.0
#: One that has run so long had a good life.
GOOD_LIFE = 60.0
#: One that has not said for so long that it lives is ended.
SILENT_SECONDS = 30.0


def number() -> int | None:
    """Which worker this process is; None when it is alone."""
    said = os.environ.get(NUMBER, "")
    return int(said) if said else None


async def run(
    command: Sequence[str],
    count: int,
    stop: asyncio.Event,
    again: Callable[[Callable[[], None]], None] = lambda _: None,
) -> None:
    """Runs `command` in so many processes until `stop` is set, then lets each finish what is under way.

    `again` is told what to call when everything shall be read anew: SIGHUP is passed on to each of them.
    Each is given one end of a pipe whose other end this process alone holds: when it ends, in whatever way, they hear it.
    """
    lifeline, held = os.pipe()
    alive: set[asyncio.subprocess.Process] = set()

    def pass_on() -> None:
        for process in alive:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGHUP)

    again(pass_on)
    try:
        with tempfile.TemporaryDirectory(prefix="samhub-counts-") as counts:
            lives = (_kept(command, n, Path(counts), lifeline, stop, alive) for n in range(count))
            await asyncio.gather(*lives)
    finally:
        os.close(held)
        os.close(lifeline)


def end_with_supervisor(stop: asyncio.Event) -> None:
    """In a worker: sets `stop` when the process that started it is gone, else it would serve on beside those of the next start.

    Where the end does not come in time, nobody is left who would force it: the process is cut off.
    """
    said = os.environ.get(LIFELINE, "")
    if not said:
        return
    os.set_inheritable(int(said), False)
    loop = asyncio.get_running_loop()
    threading.Thread(target=_orphaned, args=(int(said), loop, stop), name="lifeline", daemon=True).start()


def _orphaned(lifeline: int, loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Waits for the end of the pipe: nobody ever writes to it."""
    os.read(lifeline, 1)
    log.error("supervisor-gone", pid=os.getpid())
    with suppress(RuntimeError):  # the loop has ended meanwhile, and the process will
        loop.call_soon_threadsafe(stop.set)
    time.sleep(ORPHANED_SECONDS)
    os._exit(1)


async def _kept(
    command: Sequence[str],
    n: int,
    counts: Path,
    lifeline: int,
    stop: asyncio.Event,
    alive: set[asyncio.subprocess.Process],
) -> None:
    wait = FIRST
    while not stop.is_set():
        begun = asyncio.get_running_loop().time()
        code = await _lived(command, n, counts, lifeline, stop, alive)
        if stop.is_set():
            return
        wait = FIRST if asyncio.get_running_loop().time() - begun > GOOD_LIFE else min(2 * wait, LONGEST)
        log.error("worker-died", worker=n, code=code, again_in=wait)
        await _either(stop, asyncio.create_task(asyncio.sleep(wait)))


async def _lived(
    command: Sequence[str],
    n: int,
    counts: Path,
    lifeline: int,
    stop: asyncio.Event,
    alive: set[asyncio.subprocess.Process],
) -> int:
    """One life of one worker; its exit code, negative when a signal ended it."""
    ear = supervisor.Ear(counts / f"worker-{n}.socket")
    own = {NUMBER: str(n), COUNTS: str(counts), LIFELINE: str(lifeline), supervisor.SOCKET: str(ear.path)}
    environment = {**os.environ, **own}
    process = await asyncio.create_subprocess_exec(*command, env=environment, pass_fds=(lifeline,), preexec_fn=_deaf)
    alive.add(process)
    listening = asyncio.create_task(_listened(process, ear, n))
    try:
        await _either(stop, asyncio.create_task(process.wait()))
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        return await process.wait()
    finally:
        alive.discard(process)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        ear.close()


def _deaf() -> None:
    """In the child, before it begins: SIGHUP does nothing until it listens for it, and reads everything anyway."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


async def _listened(process: asyncio.subprocess.Process, ear: supervisor.Ear, n: int) -> None:
    """A worker that has said that it lives, and then no longer does, is ended: something holds its interpreter itself.

    It tells where it stood (SIGABRT, faulthandler). Only looks that came on time count, as in ops.serve.watchdog.
    """
    loop, lives, looks = asyncio.get_running_loop(), False, Looks(SILENT_SECONDS)
    last = loop.time()
    while True:
        await asyncio.sleep(looks.apart)
        now, heard = loop.time(), ear.heard()
        lives = lives or supervisor.ALIVE in heard
        if looks.hangs(now - last, turned=bool(heard) or not lives):
            log.error("worker-silent", worker=n, because=f"it has said nothing for {SILENT_SECONDS:g} s; it is ended")
            process.send_signal(signal.SIGABRT)
            return
        last = now


async def _either(stop: asyncio.Event, other: asyncio.Task[object]) -> None:
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({stopping, other}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not other.done():
        other.cancel()


def myself(*words: str) -> list[str]:
    """This command again, with these words."""
    return [sys.executable, "-m", "ops.cli", *words]
