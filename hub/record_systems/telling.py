"""What has happened, told to one record system after the other: in order, at least once, from a bookmark of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hub.errors import StoreUnavailable
from hub.message import RecordSystem
from hub.ports import Store
from hub.record_systems.facade import RecordSystems
from hub.record_systems.values import Happened

#: Events of one record system that are told before its bookmark is moved.
BATCH = 100
#: Tells one event; false where it could not be told now: it and all behind it come again.
Say = Callable[[Happened], Awaitable[bool]]


class Telling:
    """How far each record system has been told is a bookmark in the store; one node at a time may tell."""

    def __init__(self, duty: str, store: Store, facade: RecordSystems) -> None:
        self._duty, self._store, self._facade = duty, store, facade

    async def tell(self, system: RecordSystem, say: Say) -> bool:
        """What is new for one; true when there may be more at once.

        Raises, when those behind it are told, what nobody foresaw of one event: it is passed over.
        """
        name = f"{self._duty}:{system.id}"
        told = begun = await self._store.bookmark(name)
        notes = await self._store.notifications(sorted(system.her_ids), begun, BATCH)
        stumbled: Exception | None = None
        for note in notes:
            try:
                said = await say(await self._facade.happened(note))
            except StoreUnavailable:
                raise
            except Exception as error:
                stumbled, said = stumbled or error, True
            if not said:
                break
            told = note.offset
        if told > begun:
            await self._store.keep_bookmark(name, told)
        if stumbled is not None:
            raise stumbled
        return len(notes) == BATCH and told == notes[-1].offset
