"""Everything that a hub does by itself for as long as it runs: begun in one place, and none of it ends unnoticed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from prometheus_client import CollectorRegistry, Counter

from hub.errors import place

log = structlog.get_logger("duties")
Work = Callable[[], Awaitable[object]]
#: A duty that ended is begun again after so many seconds; twice as many each time, up to the longest.
FIRST, LONGEST = 0.1, 30.0
#: One that went on for so long had a good life: the next end is its first again.
GOOD_LIFE = 60.0
#: One that has ended so often in a row keeps ending: the process is no longer live.
TOO_OFTEN = 5


class Duties:
    """The duties of one process. Each is a coroutine that never returns; one that does, or fails, is begun again."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._ended = Counter(
            "samhub_duty_ended",
            "How often something that a hub does by itself ended and was begun again.",
            ["duty"],
            registry=registry,
        )
        self._in_a_row: dict[str, int] = {}

    @property
    def ending(self) -> list[str]:
        """Those that keep ending; empty where all is well."""
        return sorted(name for name, times in self._in_a_row.items() if times >= TOO_OFTEN)

    def begin(self, name: str, work: Work) -> asyncio.Task[None]:
        """A task that keeps to a duty until it is cancelled; whoever begins it ends it."""
        return asyncio.create_task(self.kept(name, work), name=name)

    async def kept(self, name: str, work: Work) -> None:
        """Keeps to a duty until cancelled."""
        while True:
            began = asyncio.get_running_loop().time()
            because = await _lived(work)
            if (own := asyncio.current_task()) is not None and own.cancelling():
                raise asyncio.CancelledError  # the work has swallowed it
            lived = asyncio.get_running_loop().time() - began
            times = self._in_a_row[name] = 1 if lived > GOOD_LIFE else self._in_a_row.get(name, 0) + 1
            wait = min(FIRST * 2.0 ** min(times - 1, 20), LONGEST)
            self._ended.labels(name).inc()
            log.error("duty-ended", duty=name, because=because, times=times, again_in=wait)
            settled = asyncio.get_running_loop().call_later(wait + GOOD_LIFE, self._well, name, times)
            try:
                await asyncio.sleep(wait)
            except asyncio.CancelledError:
                settled.cancel()
                self._in_a_row.pop(name, None)
                raise

    def _well(self, name: str, times: int) -> None:
        """Since then it has not ended again: all is well with it."""
        if self._in_a_row.get(name) == times:
            del self._in_a_row[name]


async def _lived(work: Work) -> str:
    """One life of a duty; why it ended. What it says for itself may hold content: kind and place are told."""
    try:
        await work()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return "it was cancelled by somebody who had no part in it"
    except Exception as error:
        return f"{type(error).__name__} at {place(error)}"
    return "it returned"
