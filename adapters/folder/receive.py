"""Takes what record systems put into `outbox/`: accepted files end in `outbox/taken/`, refused ones in `outbox/refused/`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from adapters.folder import outbox as outboxes
from adapters.folder import receipts, words
from adapters.folder.outbox import Outbox
from adapters.folder.receipts import FILE, Receipts
from hub.errors import bare
from hub.message import Channel, RecordSystem
from hub.record_systems.facade import RecordSystems
from hub.record_systems.telling import Telling
from hub.record_systems.values import Caller, Order, Said


class FolderDoor:
    """Looks through the outboxes of all folder record systems; call `sweep` every now and then.

    A file is first renamed into the hub's own place, and put away when the hub has it for good and its receipt is written.
    What lies there after a death is taken up again: the same document gets the same answer and goes out once.
    """

    def __init__(
        self,
        facade: RecordSystems,
        now: Callable[[], datetime],
        max_bytes: int,
        trouble: Callable[[str], None],
        telling: Telling,
    ) -> None:
        """`trouble` is told in words of a folder or a file that cannot be handled, once for as long as that lasts."""
        self._facade, self._now, self._max = facade, now, max_bytes
        self._trouble, self._troubled = trouble, dict[Path, str]()
        self._receipts = Receipts(facade, telling)
        self._outboxes: dict[str, Outbox] = {}
        self._decided: dict[Path, Said] = {}  #: whose receipt could not be written yet

    async def sweep(self, systems: list[RecordSystem]) -> int:
        """Hands over every whole `outbox/*.xml`, and rewrites receipts; returns how many files were looked at."""
        count = 0
        for system in systems:
            if system.channel is Channel.FOLDER:
                count += await self._through(system, self._outbox(system))
                with self._by_itself(Path(system.address) / "receipts"):
                    while await self._receipts.follow(system):
                        pass
        return count

    def _outbox(self, system: RecordSystem) -> Outbox:
        found = self._outboxes.get(system.id)
        if found is None or found.folder != Path(system.address):
            found = self._outboxes[system.id] = Outbox(Path(system.address))
        return found

    async def _through(self, system: RecordSystem, box: Outbox) -> int:
        placed, waiting, odd = list[Path](), list[Path](), list[Path]()
        with self._by_itself(box.outbox):
            placed, waiting = await asyncio.to_thread(box.whole, self._now())
            odd = await asyncio.to_thread(box.odd) if box.outbox.is_dir() else []
        for file in odd:
            with self._by_itself(file):
                await self._waits(system, file, Said("later", "no-file"))
        for file in placed:
            with self._by_itself(file):
                await self._weigh(system, box, file)
        count = len(placed)
        for file in waiting:
            with self._by_itself(file):
                count += await self._looked_at(system, box, file)
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

    async def _looked_at(self, system: RecordSystem, box: Outbox, file: Path) -> int:
        """Taken, where it is a document that can be read, and something may be taken now."""
        if not outboxes.is_xml(file):
            text = f"ignored\n{words.word('only-xml', system.language)}\n"
            await asyncio.to_thread(receipts.once, box.folder, outboxes.clean(file.name), text)
            return 0
        if (busy := await self._facade.busy()) is not None:
            await self._waits(system, file, busy)
            return 1
        try:
            await asyncio.to_thread(outboxes.readable, file)
        except FileNotFoundError:
            return 0  # taken back meanwhile
        except OSError as error:
            await self._waits(system, file, _unreadable(error, system))
            return 1
        placed = await asyncio.to_thread(box.take, file)
        await self._weigh(system, box, placed)
        return 1

    async def _waits(self, system: RecordSystem, file: Path, said: Said) -> None:
        text = words.waits(said, system.language)
        await asyncio.to_thread(receipts.put, Path(system.address), outboxes.clean(file.stem), text)

    async def _weigh(self, system: RecordSystem, box: Outbox, placed: Path) -> None:
        """Handed over, its receipt written, and put away, in this order."""
        caller = self._facade.at_its_place(system)
        said = self._decided.get(placed) or await self._handed_over(caller, box, placed)
        if said is None:
            return  # somebody still writes to it
        if said.decided == "later":  # what is our own fault is in quarantine, and would come there at every sweep
            await self._waits(system, placed, said)
            return
        self._decided[placed] = said
        await self._written(caller, placed.stem, said)
        await asyncio.to_thread(box.put_away, placed, "taken" if said.decided == "taken" else "refused")
        del self._decided[placed]

    async def _handed_over(self, caller: Caller, box: Outbox, placed: Path) -> Said | None:
        try:
            body = await asyncio.to_thread(outboxes.read, placed, self._max)
        except OSError as error:
            return _unreadable(error, caller.system)
        if not await asyncio.to_thread(box.same, placed):
            return None
        order = Order(body, Channel.FOLDER, facts={FILE: placed.stem})
        return await self._facade.busy() or await self._facade.submit(caller, order)

    async def _written(self, caller: Caller, stem: str, said: Said) -> None:
        """The receipt of what is decided; that of a document that came before only tells which one follows it."""
        system, folder = caller.system, Path(caller.system.address)
        if said.decided != "taken":
            return await asyncio.to_thread(receipts.put, folder, stem, words.refused(said, system.language))
        file = (await self._facade.handed_over_as(caller, said.message_id)).get(FILE, "")
        if file == stem:
            return await self._receipts.rewrite(system, said.message_id, stem)
        text = words.again(said, file, system.language)
        return await asyncio.to_thread(receipts.put, folder, stem, text, said.message_id)


def _unreadable(error: OSError, system: RecordSystem) -> Said:
    why = f"{error.strerror or type(error).__name__}; {words.word('rights', system.language)}"
    return Said("later", "file-unreadable", why)
