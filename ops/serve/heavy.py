"""Where what takes long is done: in a few threads of its own, so that the loop is there for everybody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Found = TypeVar("Found")
#: Large documents that are worked on at once by one process: more would not be done sooner, and each takes its memory.
AT_ONCE = 2


class Heavy:
    """hub.kit.Work in threads; what comes while all are taken waits its turn."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="heavy")

    async def __call__(self, task: Callable[[], Found], /) -> Found:
        """See hub.kit.Work."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, task)

    def close(self) -> None:
        """Waits for what is under way."""
        self._threads.shutdown()
