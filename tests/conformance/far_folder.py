"""A record system's folder as the far side of the folder transport: a disk says yes, no or nothing, never "later" in words.

It says "later" by being full, "no" by being no folder, and nothing when it hangs, as a share on a network does. It takes
the bytes and is lost before it says so where a file may be laid into a folder that cannot be opened for syncing.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

from adapters.folder.disk import own
from adapters.folder.send import FolderSender
from hub.message import Channel
from hub.ports import Sender
from tests.conformance.letters import ANSWER, Got, Letter, letter

#: Where root is told no by nobody, rights are those of somebody else.
NOBODY = 65534


class FolderTransport:
    """tests.conformance.transports.Transport; it knows the letters that it made, and so the files that will come."""

    final = False
    says_later = True

    def __init__(self) -> None:
        self._top = Path(tempfile.mkdtemp(prefix="samhub-folder-"))
        self._top.chmod(0o777)
        self._office = self._top / "fysioterapi"
        self._inbox = self._office / "inbox"
        self._aside = own(self._office, "inbox")
        self._letters: list[Letter] = []
        self._got: list[Got] = []
        self._in_the_way: list[Path] = []

    async def __aenter__(self) -> FolderTransport:
        await self.take()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.take()
        shutil.rmtree(self._top)

    def open(self) -> AbstractAsyncContextManager[Sender]:
        """See Transport.open: there is nothing to be opened."""
        return _open()

    def letter(self, content: bytes = b"") -> Letter:
        """See Transport.letter; the file is named after the delivery."""
        made = letter(Channel.FOLDER, str(self._office), content)
        self._letters.append(Letter(made.claimed, made.parcel, f"HENVISNING-{made.claimed.delivery.id}"))
        return self._letters[-1]

    def lost_letter(self) -> Letter:
        """See Transport.lost_letter."""
        return letter(Channel.FOLDER, "", b"")

    async def take(self) -> None:
        """See Transport.take."""
        self._collect()
        for path in self._in_the_way:
            await _freed(path)
        self._in_the_way.clear()
        if self._office.is_file():
            self._office.unlink()
        for room in (self._inbox, self._aside, own(self._office, "names")):
            room.mkdir(parents=True, exist_ok=True)
            room.chmod(0o777)

    async def gone(self) -> None:
        """See Transport.gone: the folder is not there, as when a share is not mounted."""
        self._collect()
        shutil.rmtree(self._office)

    async def never(self) -> None:
        """See Transport.never: what is named is a file, and no folder."""
        await self.gone()
        self._office.write_text("no folder")

    async def later(self) -> None:
        """See Transport.later: the disk is full, for every letter that was made."""
        for half in self._halves():
            half.symlink_to("/dev/full")

    async def dies(self) -> None:
        """See Transport.dies: files may be laid into the folder, but it cannot be opened, and so not be synced."""
        self._inbox.chmod(0o333)
        if os.getuid() == 0:
            os.seteuid(NOBODY)

    async def silent(self) -> None:
        """See Transport.silent: opening the file hangs, for every letter that was made."""
        for half in self._halves():
            os.mkfifo(half)

    async def got(self) -> list[Got]:
        """See Transport.got."""
        self._collect()
        return self._got

    def _collect(self) -> None:
        """Takes files away, as a record system does, who has every right; a part of a file is none."""
        if os.getuid() == 0:
            os.seteuid(0)
        if not self._inbox.is_dir():
            return
        self._inbox.chmod(0o777)
        for file in sorted(self._inbox.glob("*.xml")):
            self._got.append(Got(file.stem, file.read_bytes()))
            file.unlink()

    def _halves(self) -> list[Path]:
        self._in_the_way = [self._aside / f"{one.claimed.delivery.id}.part" for one in self._letters]
        return self._in_the_way


class Marked:
    """Marks that last for as long as this process."""

    def __init__(self) -> None:
        self._kept: dict[str, int] = {}

    async def bookmark(self, name: str) -> int:
        """See hub.ports.Store."""
        return self._kept.get(name, 0)

    async def keep_bookmark(self, name: str, value: int) -> None:
        """See hub.ports.Store."""
        self._kept[name] = max(value, self._kept.get(name, 0))


@asynccontextmanager
async def _open() -> AsyncIterator[Sender]:
    yield FolderSender(Marked(), seconds=ANSWER)


async def _freed(path: Path) -> None:
    """Takes away what stood in the way, and lets go who hangs on it."""
    if path.is_fifo():
        reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        path.unlink()
        await asyncio.sleep(0.05)  # a writer that hung has its turn
        os.close(reading)
    with suppress(FileNotFoundError):
        path.unlink()
