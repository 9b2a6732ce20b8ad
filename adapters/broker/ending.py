"""Ends tasks for certain, whatever they wait for in a library."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

#: After so many seconds a task that goes on is cancelled once more.
AGAIN = 5.0


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
