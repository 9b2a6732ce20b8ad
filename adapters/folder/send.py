"""Writes a document into a record system's `inbox/`: whole and durable, or not at all."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path

from hub.message import Claimed, Outcome, Parcel, Reached

#: A disk that has not answered by then hangs, as a share does whose server is away.
WRITE_SECONDS = 30.0
#: Letters of the document's type in a file's name, which a disk takes up to 255 bytes of.
LONGEST_KIND = 60


class FolderSender:
    """The sender of channel `folder`; an address is the path of a record system's folder."""

    def __init__(self, seconds: float = WRITE_SECONDS) -> None:
        self._seconds = seconds
        self._hanging: Counter[str] = Counter()

    async def send(self, claimed: Claimed, parcel: Parcel) -> Outcome:
        """Written under the delivery's id, so that a second try after a crash overwrites instead of doubling."""
        folder = claimed.delivery.address
        if not folder:
            return Outcome(Reached.NO, "no-endpoint", "no folder is named", permanent=True)
        if self._hanging[folder]:
            return Outcome(Reached.NO, "folder-unwritable", f"{folder}: an earlier write has not come back yet")
        target = Path(folder) / "inbox" / _name(claimed)
        try:
            await self._written(folder, target, parcel.body)
        except TimeoutError:
            return Outcome(Reached.MAYBE, "timed-out", f"{folder} has not answered within {self._seconds:g} s")
        except Unsynced as error:
            return Outcome(Reached.MAYBE, "folder-unwritable", f"{target.name} lies there, not synced: {error}")
        except OSError as error:
            return Outcome(Reached.NO, "folder-unwritable", f"{target.parent}: {error.strerror}")
        return Outcome(Reached.YES, "fetched", f"written to {target.name}")

    async def _written(self, folder: str, target: Path, content: bytes) -> None:
        """In a thread of its own: one that hangs takes none from others, and keeps no process from ending."""
        writing = _threaded(lambda: write_durably(target, content))
        try:
            async with asyncio.timeout(self._seconds):
                await asyncio.shield(writing)
        finally:
            if not writing.done():
                self._hanging[folder] += 1
                writing.add_done_callback(partial(self._came_back, folder))

    def _came_back(self, folder: str, writing: asyncio.Future[None]) -> None:
        """What became of it nobody asks any more: it is written again."""
        self._hanging[folder] -= 1
        if not writing.cancelled():
            writing.exception()


class Unsynced(OSError):
    """The file is there under its name, but the loss of power may take it away."""


def _threaded(work: Callable[[], None]) -> asyncio.Future[None]:
    ended: Future[None] = Future()

    def run() -> None:
        try:
            work()
        except Exception as error:
            ended.set_exception(error)
        else:
            ended.set_result(None)

    threading.Thread(target=run, name="folder", daemon=True).start()
    return asyncio.wrap_future(ended)


def _name(claimed: Claimed) -> str:
    kind = re.sub(r"[^A-Za-z0-9_-]", "", claimed.message.type_code)[:LONGEST_KIND] or "document"
    return f"{kind}-{claimed.delivery.id}.xml"


def write_durably(target: Path, content: bytes) -> None:
    """Beside it, synced, renamed, and the folder synced: a reader never sees half a file, a crash loses none.

    The record system's own folder is never made here: where it is missing, a share is not mounted or a name is wrong, and
    nobody would read what was written. Raises Unsynced when all but the last step is done.
    """
    target.parent.mkdir(exist_ok=True)
    half = target.with_suffix(".part")
    with half.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    half.replace(target)
    try:
        _synced(target.parent)
    except OSError as error:
        raise Unsynced(error.strerror or type(error).__name__) from error


def _synced(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
