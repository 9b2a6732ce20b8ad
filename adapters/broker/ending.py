"""Begins tasks that somebody looks after, and ends them for certain, whatever they wait for in a library."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

#: Begins what goes on for as long as an adapter is open, under a name: whoever gives it sees to it that it does not end.
Begin = Callable[[str, Callable[[], Coroutine[Any, Any, None]]], asyncio.Task[None]]

#: After so many seconds a task that goes on is cancelled once more.
AGAIN = 5.0


def begun(_name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
    """For an adapter that is used by itself: nobody begins anew what has ended."""
    return asyncio.create_task(work())


async def ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels each until it has ended; what went wrong in it is of no interest any more.

    A client of a broker may swallow a cancellation that comes at the same moment as what it waits for
    (`asyncio.wait_for` before Python 3.12), and then whoever waits for the task waits for ever.
    """
    all_of_them = list(tasks)
    left = {task for task in all_of_them if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN)
    await asyncio.gather(*all_of_them, return_exceptions=True)
