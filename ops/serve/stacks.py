"""Where every thread and every task stands: the last words of a process that hangs. Lines of code, never their values."""

from __future__ import annotations

import asyncio
import io
import sys
import threading
import traceback
from collections.abc import Iterable

#: Of so many tasks of a loop the stacks are told; thousands that wait for the same would hide the one that matters.
MOST = 200


def stacks(loops: Iterable[asyncio.AbstractEventLoop]) -> str:
    """All threads of this process, and the tasks of these loops. Callable from any thread, whatever the others do."""
    told = io.StringIO()
    frames = sys._current_frames()
    for thread in threading.enumerate():
        if (frame := frames.get(thread.ident or 0)) is not None:
            told.write(f"thread {thread.name}\n{''.join(traceback.format_stack(frame))}\n")
    for loop in loops:
        tasks = sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
        for task in tasks[:MOST]:
            told.write(f"task {task.get_name()}\n")
            task.print_stack(file=told)
        if len(tasks) > MOST:
            told.write(f"and {len(tasks) - MOST} more tasks\n")
    return told.getvalue()
