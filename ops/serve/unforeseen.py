"""What nobody foresaw is told without content and stops nothing: what it was about stays kept and is tried again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from hub.errors import StoreUnavailable, place

Result = TypeVar("Result")
log = structlog.get_logger("worker")


async def guarded(work: Callable[[], Awaitable[Result]], **about: str) -> Result | None:
    """The result of `work`, or None when it failed, which is then in the log."""
    try:
        return await work()
    except StoreUnavailable as error:
        log.error("store-unavailable", because=str(error), **about)
    except Exception as error:
        log.error("unforeseen", kind=type(error).__name__, where=place(error), **about)
    return None
