"""What nobody foresaw is told without content and stops nothing: what it was about stays kept and is tried again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from hub.errors import StoreUnavailable

Result = TypeVar("Result")
log = structlog.get_logger("worker")


async def guarded(work: Callable[[], Awaitable[Result]], **about: str) -> Result | None:
    """The result of `work`, or None when it failed, which is then in the log."""
    try:
        return await work()
    except StoreUnavailable as error:
        log.error("store-unavailable", because=str(error), **about)
    except Exception as error:
        log.error("unforeseen", kind=type(error).__name__, where=where(error), **about)
    return None


def where(error: BaseException) -> str:
    """File and line of an error, without its text: that may hold content."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}" if trace else "?"
