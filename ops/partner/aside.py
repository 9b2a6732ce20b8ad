"""An event loop beside the test: hub and partners run there while the test, plain or async, goes on in its own thread."""

from __future__ import annotations

import asyncio
import ctypes
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

Result = TypeVar("Result")


#: A loop that has not turned for so many seconds, though it was asked to, hangs.
TURNS_WITHIN = 10.0


class Hung(TimeoutError):
    """The event loop no longer turns; nothing that lives on it can be asked any more."""


class Aside:
    """Runs coroutines in a thread of its own. Close it when nothing needs it any more."""

    def __init__(self) -> None:
        self._hung = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="samhub", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result], seconds: float = 60) -> Result:
        """The result of `work`, or its exception, here. TimeoutError when it takes too long, Hung when the loop stands still."""
        if self._hung:
            work.close()
            raise Hung("the event loop of the hub hung in an earlier step")
        waited = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return waited.result(seconds)
        except TimeoutError:
            if not waited.done() and not self._turns():
                self._hung = True
                raise Hung(f"the event loop of the hub has not turned for {TURNS_WITHIN:g} s") from None
            raise

    def _turns(self) -> bool:
        turned = threading.Event()
        self._loop.call_soon_threadsafe(turned.set)
        return turned.wait(TURNS_WITHIN)

    def enter(self, context: AbstractAsyncContextManager[Result]) -> tuple[Result, Callable[[], None]]:
        """Enters an asynchronous context; gives what it gives, and what leaves it again."""
        entered = self.run(_entered(context))
        return entered, lambda: self.run(_left(context))

    def close(self) -> None:
        """Stops the loop and its thread; one that hangs is broken off, or left behind where it cannot be."""
        if self._hung:
            self._broken_off()
            return
        self.run(self._loop.shutdown_default_executor())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _broken_off(self) -> None:
        """Raises SystemExit in the thread, which ends what turns for ever in Python; what sleeps ends with the process."""
        # What is left on it is told nobody: from a finalizer, a traceback in the midst of a parse breaks that (CPython 106905).
        self._loop.set_exception_handler(lambda *_: None)
        ident = ctypes.c_ulong(self._thread.ident or 0)
        self._loop.call_soon_threadsafe(self._loop.stop)
        for _ in range(20):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(SystemExit))
            self._thread.join(0.1)
            if not self._thread.is_alive():
                return


async def _entered(context: AbstractAsyncContextManager[Result]) -> Result:
    return await context.__aenter__()


async def _left(context: AbstractAsyncContextManager[Any]) -> None:
    await context.__aexit__(None, None, None)


class MovableClock:
    """The time of this machine, until it is moved: on, as time goes, or by a jump, as when somebody sets a clock."""

    def __init__(self) -> None:
        self._ahead, self._went = timedelta(), timedelta()

    def now(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(UTC) + self._ahead

    def forward(self, **by: float) -> datetime:
        """Moves on: `clock.forward(hours=12)`. Returns the time it then is."""
        self._went += timedelta(**by)
        return self.jump(**by)

    def jump(self, **by: float) -> datetime:
        """Is set to another time: `clock.jump(hours=-12)`. Returns the time that it then tells."""
        self._ahead += timedelta(**by)
        return self.now()

    def monotonic(self) -> float:
        """Seconds that passed, and those that it was moved forward."""
        return time.monotonic() + self._went.total_seconds()


def eventually(look: Callable[[], Result], seconds: float = 10, wanted: str = "") -> Result:
    """What `look` gives as soon as that is true; AssertionError with the last it gave when it never is."""
    end = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > end:
            raise AssertionError(f"{wanted or 'it'} did not come within {seconds:g} s; last seen: {found!r}")
        time.sleep(0.01)
    return found
