"""The process of a serving hub: the quickest event loop there is, and a collector that does not look in vain."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
from collections.abc import Callable


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
