"""Ends a process whose event loop no longer turns, after it has told where everything stood: leases and supervisors do the rest.

It looks from a thread of its own, ten times in the time that is allowed, and counts only looks for which it came on time
itself: where the whole process stood still (the machine slept, the process was stopped, the processor or the interpreter
was taken by somebody else) the loop had no chance to turn, and the count begins anew.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from ops.serve import supervisor
from ops.serve.stacks import stacks

log = structlog.get_logger("watchdog")
#: How a process ends whose loop hung (EX_SOFTWARE).
HUNG = 70
#: Looks within the time that is allowed.
LOOKS = 10
#: A look that comes so much later than it should, in seconds, was held up itself.
LATE = 1.0
#: Telling where everything stands may itself hang, as where nobody reads what is told; then it ends without.
LAST_WORDS = 5.0
#: What holds the interpreter itself holds the watchdog too: after so many times what is allowed, and no less than so many
#: seconds, the process is ended by faulthandler, which needs no interpreter, and with its exit code, 1.
HELD, HELD_LEAST = 6, 60.0


class Looks:
    """Judges by the looks alone: `hangs` after so many in a row, each on time, between which the loop did not turn."""

    def __init__(self, seconds: float) -> None:
        self.apart = seconds / LOOKS
        self._in_vain = 0

    def hangs(self, since: float, *, turned: bool) -> bool:
        """One more look, so many seconds after the last one; whether the loop has turned since."""
        on_time = since <= self.apart + max(self.apart, LATE)
        self._in_vain = self._in_vain + 1 if on_time and not turned else 0
        return self._in_vain >= LOOKS


@contextmanager
def watched(seconds: float) -> Iterator[None]:
    """The running loop of this thread is watched while inside; 0 seconds: it is not."""
    if not seconds:
        yield
        return
    watchdog = _Watchdog(asyncio.get_running_loop(), seconds)
    try:
        yield
    finally:
        watchdog.close()


class _Watchdog:
    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop, self._seconds, self._looks = loop, seconds, Looks(seconds)
        self._turned, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Looks no more."""
        self._over.set()
        self._thread.join()
        faulthandler.cancel_dump_traceback_later()

    def _run(self) -> None:
        asked, held_from = False, 0.0
        last = _elapsed()
        while not self._over.wait(self._looks.apart):
            now = _elapsed()
            since, last = max(n - before for n, before in zip(now, last, strict=True)), now
            turned = asked and self._turned.is_set()
            if self._looks.hangs(since, turned=turned or not asked):
                self._end()
            if now[0] - held_from > self._seconds:
                faulthandler.dump_traceback_later(max(HELD * self._seconds, HELD_LEAST), exit=True)
                held_from = now[0]
            if turned or not asked:
                supervisor.tell(supervisor.ALIVE)
                asked = self._asked()

    def _asked(self) -> bool:
        """Asks the loop for a sign; false when it has ended."""
        self._turned.clear()
        try:
            self._loop.call_soon_threadsafe(self._turned.set)
        except RuntimeError:
            return False
        return True

    def _end(self) -> None:
        axe = threading.Timer(LAST_WORDS, os._exit, (HUNG,))
        axe.daemon = True
        axe.start()
        because = f"the event loop has not turned for {self._seconds:g} s; the process ends, to be started again"
        log.error("loop-hung", code=HUNG, because=because)
        sys.stderr.write(stacks([self._loop]))
        sys.stderr.flush()
        os._exit(HUNG)


def _elapsed() -> tuple[float, float]:
    """Seconds that passed, without and with those for which the machine slept."""
    asleep_too = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.monotonic(), time.clock_gettime(asleep_too)
