"""The process of a serving hub: the quickest event loop there is, and a collector that does not look in vain."""

from __future__ import annotations

import asyncio
import ctypes
import faulthandler
import gc
import sys
from collections.abc import Callable
from contextlib import suppress

#: A thread that works on something large gives the interpreter back after so long when the loop asks for it: at the usual
#: 5 ms a small message, which asks some ten times, would wait for it longer than it takes.
SWITCH_SECONDS = 0.0005
#: Memory of so many bytes is asked of the system, and given back to it (mallopt(3), M_MMAP_THRESHOLD).
LARGE_BYTES, _M_MMAP_THRESHOLD = 1_000_000, -3

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
    sys.setswitchinterval(SWITCH_SECONDS)
    _give_large_memory_back()


def _give_large_memory_back() -> None:
    """Tells glibc that what is large never comes from the heap: else it learns from the first large body not to give it back.

    A document of 20 MB on its way out took 3.5 times its size, and takes 2.4. Any other C library does as it does.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)


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
