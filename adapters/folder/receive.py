"""Takes what record systems put into `outbox/`: accepted files move to `outbox/taken/`, refused ones to `outbox/refused/`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from adapters.folder.send import write_durably
from hub.errors import bare
from hub.message import Channel, RecordSystem
from hub.record_systems.facade import RecordSystems
from hub.record_systems.values import Order, Said

#: A file younger than this may still be being written.
SETTLE = timedelta(seconds=1)


class FolderDoor:
    """Looks through the outboxes of all folder record systems; call `sweep` every now and then."""

    def __init__(
        self,
        facade: RecordSystems,
        now: Callable[[], datetime],
        max_bytes: int,
        trouble: Callable[[str], None],
    ) -> None:
        """`trouble` is told in words of a folder or a file that cannot be handled, once for as long as that lasts."""
        self._facade, self._now, self._max = facade, now, max_bytes
        self._trouble, self._troubled = trouble, dict[Path, str]()

    async def sweep(self, systems: list[RecordSystem]) -> int:
        """Hands over every settled `outbox/*.xml`; returns how many were looked at.

        The file is moved after the hub has it for good. A crash between the two makes it come again, and the same
        document handed over again gets the same answer and goes out once.
        """
        count = 0
        for system in systems:
            if system.channel is not Channel.FOLDER:
                continue
            outbox, found = Path(system.address) / "outbox", list[Path]()
            with self._by_itself(outbox):
                found = await asyncio.to_thread(_settled, outbox, self._now())
            for file in found:
                with self._by_itself(file):
                    await self._take(system, file)
                count += 1
        return count

    @contextmanager
    def _by_itself(self, place: Path) -> Iterator[None]:
        """Whatever is wrong with one folder or file keeps no other waiting; it is tried at each sweep."""
        try:
            yield
        except Exception as error:
            why = (isinstance(error, OSError) and error.strerror) or bare(error)
            if self._troubled.get(place) != why:
                self._trouble(f"{place}: {why}")
            self._troubled[place] = why
        else:
            self._troubled.pop(place, None)

    async def _take(self, system: RecordSystem, file: Path) -> None:
        said = await self._facade.busy() or await self._handed_over(system, file)
        if said.decided == "later":  # what is our own fault is in quarantine, and would come there at every sweep
            await asyncio.to_thread(_say, file, f"waits\n{said.code}: {said.because}\n")
            return
        await asyncio.to_thread(_put_away, file, "taken" if said.decided == "taken" else "refused", _words(said))

    async def _handed_over(self, system: RecordSystem, file: Path) -> Said:
        try:
            body = await asyncio.to_thread(_read, file, self._max)
        except OSError as error:  # one file that cannot be read keeps no other waiting
            why = f"{error.strerror or type(error).__name__}; check who may read it"
            return Said("later", "file-unreadable", why)
        return await self._facade.submit(self._facade.at_its_place(system), Order(body, "folder"))


def _settled(outbox: Path, now: datetime) -> list[Path]:
    if not outbox.is_dir():
        return []
    limit = (now - SETTLE).timestamp()
    return sorted(p for p in outbox.iterdir() if p.suffix.lower() == ".xml" and p.is_file() and _written(p) <= limit)


def _written(file: Path) -> float:
    """When it was last written; one that has gone meanwhile is for later."""
    try:
        return file.stat().st_mtime
    except OSError:
        return float("inf")


def _read(file: Path, most: int) -> bytes:
    """Its bytes, no further than one over what is taken: the kernel then refuses it by its size."""
    with file.open("rb") as opened:
        return opened.read(most + 1)


def _say(file: Path, words: str) -> None:
    """The receipt of a file; not written anew each time while it says the same."""
    receipt = file.parent.parent / "receipts" / f"{file.stem}.txt"
    if not receipt.is_file() or receipt.read_bytes() != words.encode():
        write_durably(receipt, words.encode())


def _put_away(file: Path, where: str, words: str) -> None:
    _say(file, words)
    target = file.parent / where / file.name
    target.parent.mkdir(exist_ok=True)
    file.replace(target)


def _words(said: Said) -> str:
    first = f"message {said.message_id}" if said.message_id else "refused"
    return f"{first}\n{said.code}: {said.because}\n"
