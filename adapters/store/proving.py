"""Whether a store can be written: a write that succeeded lately says so, and one is tried where none did."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Protocol

from hub.errors import StoreUnavailable

#: How long a write that is only made to see whether it can be is waited for, in seconds.
PATIENCE = 3.0


class Writes(Protocol):
    """Who writes for a store, one transaction after the other."""

    failing: str  #: why the last write failed; empty when it did not
    written_at: float  #: when the last one succeeded, by the monotonic clock

    async def do(self, work: Any) -> Any:
        """Does `work` in a transaction of its own."""
        ...


async def proven(writer: Writes, seconds: float) -> bool:
    """Whether a write has succeeded within so many seconds; one is made where none has, and waited for PATIENCE at most."""
    if time.monotonic() - writer.written_at > seconds:
        await tried(writer)
    return not writer.failing and time.monotonic() - writer.written_at <= seconds


async def tried(writer: Writes) -> None:
    """A write that changes a row, to learn whether all is well, or well again; its end is not waited for for ever."""
    try:
        async with asyncio.timeout(PATIENCE):
            await writer.do(lambda session: session.run("touch") and None)
    except (StoreUnavailable, TimeoutError):
        return
