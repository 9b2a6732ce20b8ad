"""Keeps `receipts/` true to the end of each delivery: one file for each that was handed over, written when its words change."""

from __future__ import annotations

import asyncio
from pathlib import Path

from adapters.folder import disk, words
from adapters.folder.outbox import gives_way
from hub.message import Channel, MessageRecord, RecordSystem
from hub.record_systems.facade import RecordSystems
from hub.record_systems.telling import Telling
from hub.record_systems.values import Happened

#: The name of a handed-over file's receipt, among the facts that are kept with its message.
FILE = "file"


class Receipts:
    """Rewrites the receipts of whatever has changed; what cannot be written keeps nobody waiting, and is owed."""

    def __init__(self, facade: RecordSystems, telling: Telling) -> None:
        self._facade, self._telling = facade, telling
        self._owed: dict[str, dict[str, str]] = {}  #: record system → message → file

    async def follow(self, system: RecordSystem) -> bool:
        """Tells what is new; true when there may be more at once. Raises the OSError of what could not be written."""
        owed, failed = self._owed.setdefault(system.id, {}), list[OSError]()

        async def write(message_id: str, file: str) -> None:
            try:
                await self.rewrite(system, message_id, file)
            except OSError as error:
                owed[message_id] = file
                failed.append(error)
            else:
                owed.pop(message_id, None)

        async def say(happened: Happened) -> bool:
            record, file = happened.record, happened.facts.get(FILE, "")
            if record and file and record.door == Channel.FOLDER and record.system == system.id:
                await write(record.id, file)
            return True

        for message_id, file in list(owed.items()):
            await write(message_id, file)
            if failed:
                break  # the rest would fare the same
        more = await self._telling.tell(system, say)
        if failed:
            raise failed[0]
        return more

    async def rewrite(self, system: RecordSystem, message_id: str, file: str) -> None:
        """How a message stands now, at all its receivers."""
        status = await self._facade.status(self._facade.at_its_place(system), message_id)
        text = words.standing(status, system.language)
        await asyncio.to_thread(put, Path(system.address), file, text, message_id)


async def file_answered(facade: RecordSystems, apprec: MessageRecord) -> str:
    """The name of the file that an AppRec answers; empty for every other document."""
    return (await facade.answered(apprec)).get(FILE, "")


def put(folder: Path, stem: str, text: str, message_id: str = "") -> None:
    """Written durably where its words have changed; a receipt of another message by that name is not written over."""
    room = disk.made(folder, "receipts")
    receipt, content = room / f"{stem}.txt", text.encode()
    if not gives_way(receipt) and not _about(receipt, message_id):
        receipt = room / f"{stem}-{message_id[:8] or 'waits'}.txt"
    if receipt.is_file() and receipt.read_bytes() == content:
        return
    half = disk.made(folder, disk.PLACE, "receipts") / f"{receipt.name}.part"
    disk.write_durably(receipt, content, half)


def once(folder: Path, name: str, text: str) -> None:
    """Written where nothing lies yet."""
    if not disk.there(folder / "receipts" / f"{name}.txt"):
        put(folder, name, text)


def _about(receipt: Path, message_id: str) -> bool:
    if not message_id or receipt.is_symlink() or not receipt.is_file():
        return False
    with receipt.open("rb") as opened:
        return opened.readline(200).strip() == f"message {message_id}".encode()
