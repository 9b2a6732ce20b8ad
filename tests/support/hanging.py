"""A test that hangs fails alone, within its time-out, and says where every thread and every task stood.

What hangs may be the hub: its event loop, in a thread of its own, no longer turns. Everything that was made on that loop is
thrown away with the test, so that the next one gets a new loop, a new hub and new partners. What holds the interpreter
itself is ended by pytest (`faulthandler_exit_on_timeout` in pyproject.toml), and a new process goes on behind it.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any

import pytest

from ops.partner.aside import Hung
from ops.serve.stacks import stacks

_hung = pytest.StashKey[bool]()


def _took_too_long(error: BaseException) -> bool:
    return isinstance(error, TimeoutError) or (
        isinstance(error, pytest.fail.Exception) and "Timeout" in str(error)  # by pytest-timeout
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[None]:
    """Adds to the report of what took too long where everything stood."""
    if call.excinfo is not None and _took_too_long(call.excinfo.value):
        item.stash[_hung] = item.stash.get(_hung, False) or isinstance(call.excinfo.value, Hung)
        loops = [o for o in gc.get_objects() if issubclass(type(o), asyncio.AbstractEventLoop)]
        item.add_report_section(call.when, "where everything stood", stacks(loops))
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Throws away everything that was made on a loop that no longer turns: nobody else shall wait for it."""
    try:
        if item.stash.get(_hung, False):
            item.session._setupstate.teardown_exact(None)
            gc.collect()  # what the loop leaves is told now, not in the midst of something else
    finally:
        yield
