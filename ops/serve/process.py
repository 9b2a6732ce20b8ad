"""The process of a serving hub: the quickest event loop there is, and a collector that does not look in vain."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
from collections.abc import Callable

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

#: So many files and connections are wanted, where the system's limit allows it.
FILES = 65_536


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed (not on Windows), else None for asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def tell_last_words() -> None:
    """A process that is ended by SIGABRT, or by a fault of its own, says where its threads stood."""
    faulthandler.enable()


def settle_down() -> None:
    """Call when the hub has been put together: what is there stays, and a message's values go by their counts alone.

    A message makes some thousands of values without cycles; at the usual threshold the collector walks them in vain
    several times for each.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def open_many() -> None:
    """Lets the process have as many files and connections open as it may: the usual 1 024 are soon used by who hangs."""
    if resource is not None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < most:
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def open_files() -> int:
    """How many files and connections the process may have open."""
    if resource is None:
        return FILES
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return FILES if soft == resource.RLIM_INFINITY else soft
