"""Lays a document into a record system's `inbox/`: whole and durable, once, whenever the hub dies."""

from __future__ import annotations

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from adapters.folder import disk
from adapters.folder.disk import Unsynced
from hub.digest import sha256
from hub.message import Claimed, MessageRecord, Outcome, Parcel, Reached

#: A disk that has not answered by then hangs, as a share does whose server is away.
WRITE_SECONDS = 30.0
#: Letters of the document's type in a file's name, which a disk takes up to 255 bytes of.
LONGEST_KIND = 60
Found = TypeVar("Found")
#: What the file of a document shall be called, without its ending; empty: by its type and its delivery.
Naming = Callable[[MessageRecord], Awaitable[str]]


class Marks(Protocol):
    """Marks that last; a part of hub.ports.Store."""

    async def bookmark(self, name: str) -> int: ...
    async def keep_bookmark(self, name: str, value: int) -> None: ...


async def by_type(_: MessageRecord) -> str:
    """Every document is named by its type and its delivery."""
    return ""


class FolderSender:
    """The sender of channel `folder`; an address is the path of a record system's folder.

    Written aside in the hub's own place, then a mark in the store that it lies there, then renamed into `inbox/`, then
    settled. Where there is a mark and nothing lies aside, it was renamed, and perhaps taken away: it does not come again.
    """

    def __init__(self, marks: Marks, naming: Naming = by_type, seconds: float = WRITE_SECONDS) -> None:
        self._marks, self._naming, self._seconds = marks, naming, seconds
        self._hanging: Counter[str] = Counter()

    async def send(self, claimed: Claimed, parcel: Parcel) -> Outcome:
        """See FolderSender. Raises StoreUnavailable: it is tried again after its lease."""
        folder = claimed.delivery.address
        if not folder:
            return Outcome(Reached.NO, "no-endpoint", "no folder is named", permanent=True)
        if self._hanging[folder]:
            return Outcome(Reached.NO, "folder-unwritable", f"{folder}: an earlier write has not come back yet")
        try:
            name = await self._brought(claimed, Path(folder), parcel.body)
        except TimeoutError:
            return Outcome(Reached.MAYBE, "timed-out", f"{folder} has not answered within {self._seconds:g} s")
        except Unsynced as error:
            return Outcome(Reached.MAYBE, "folder-unwritable", f"it lies in inbox, not synced: {error.strerror}")
        except OSError as error:
            return Outcome(Reached.NO, "folder-unwritable", f"{folder}: {error.strerror}")
        return Outcome(Reached.YES, "fetched", f"written to {name}" if name else "it had been laid there before")

    async def _brought(self, claimed: Claimed, folder: Path, content: bytes) -> str:
        """The name under which it lies in inbox; empty where it was laid there by an attempt that did not live to tell."""
        aside, mark = disk.own(folder, "inbox") / f"{claimed.delivery.id}.xml", _mark(claimed)
        marked = await self._marks.bookmark(mark) > 0
        # a place that is gone is another disk than the one that was written to
        if not marked or not await self._in_time(folder, aside.parent.is_dir):
            await self._in_time(folder, lambda: _write_aside(folder, aside, content))
            await self._marks.keep_bookmark(mark, 1)
        stem, ending = await self._naming(claimed.message), ".apprec.xml"
        if not stem:
            stem, ending = _name(claimed), ".xml"
        return await self._in_time(folder, lambda: _moved_in(folder, aside, stem, ending))

    async def _in_time(self, folder: Path, work: Callable[[], Found]) -> Found:
        """In a thread of its own: one that hangs takes none from others, and keeps no process from ending."""
        working = _threaded(work)
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.shield(working)
        finally:
            if not working.done():
                self._hanging[str(folder)] += 1
                working.add_done_callback(partial(self._came_back, str(folder)))

    def _came_back(self, folder: str, working: asyncio.Future[Found]) -> None:
        """What became of it nobody asks any more: the next attempt goes on from what lies there."""
        self._hanging[folder] -= 1
        if not working.cancelled():
            working.exception()


def _threaded(work: Callable[[], Found]) -> asyncio.Future[Found]:
    ended: Future[Found] = Future()

    def run() -> None:
        try:
            found = work()
        except Exception as error:
            ended.set_exception(error)
        else:
            ended.set_result(found)

    threading.Thread(target=run, name="folder", daemon=True).start()
    return asyncio.wrap_future(ended)


def _mark(claimed: Claimed) -> str:
    """Of this delivery to this folder, in this life: what a person lets go or sends again gets another time to be given up."""
    d = claimed.delivery
    life = f"{d.give_up_at:%Y%m%dT%H%M%S.%f}" if d.give_up_at else ""
    return f"folder:{d.id}:{life}:{sha256(d.address.encode())[:16]}"


def _name(claimed: Claimed) -> str:
    """By type and delivery, without an ending."""
    kind = re.sub(r"[^A-Za-z0-9_-]", "", claimed.message.type_code)[:LONGEST_KIND] or "document"
    return f"{kind}-{claimed.delivery.id}"


def _write_aside(folder: Path, aside: Path, content: bytes) -> None:
    """Nobody but the hub looks there."""
    disk.made(folder, disk.PLACE, aside.parent.name)
    try:
        disk.write_durably(aside, content)
    except Unsynced as error:
        raise OSError(error.errno, error.strerror) from error


def _moved_in(folder: Path, aside: Path, stem: str, ending: str) -> str:
    inbox, names = disk.made(folder, "inbox"), disk.made(folder, disk.PLACE, "names")
    if not disk.there(aside):
        disk.given_back(names, aside.name)
        disk.lasting(inbox)
        return ""
    name = disk.named(names, stem, ending, aside.name, lambda name: not disk.there(inbox / name))
    aside.rename(inbox / name)
    (names / name).unlink(missing_ok=True)
    disk.lasting(inbox, aside.parent)
    return name
