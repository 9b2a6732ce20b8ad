"""What a hub does for its store by itself: tells what of it is damaged, marks it with its bodies, packs what is old, purges."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from adapters.store.opening import KeptStore
from adapters.store.room import sized
from adapters.store.settings import PurgeSettings
from hub.codes import reason
from hub.errors import StoreUnavailable
from hub.kit import Kit
from ops.serve import purging
from ops.serve.unforeseen import guarded

log = structlog.get_logger("keeping")
#: The store and its bodies get a new mark so often, in seconds: copies of two such times do not fit together.
MARKED = 3600.0
#: How often it is looked how much room there is, in seconds; it is told when there is less than so many times what must stay.
LOOKED, EARLY = 60.0, 3
#: What came longer ago is packed.
OLD = timedelta(hours=1)
#: Who keeps house for all nodes does so for this long, and then for as long again.
TERM = timedelta(seconds=2 * MARKED)


class Keeping:
    """The duty of one process that serves; `node` is its name among those that share the store, empty where none does."""

    def __init__(self, store: KeptStore, kit: Kit, settings: PurgeSettings, node: str) -> None:
        self._store, self._kit, self._settings, self._node = store, kit, settings, node
        self._told = False

    async def run(self) -> None:
        """Until cancelled."""
        await self.tell_of_damage()
        while True:
            await guarded(self.round)
            for _ in range(int(MARKED / LOOKED)):
                self.tell_of_room()
                await asyncio.sleep(LOOKED)

    def tell_of_room(self) -> None:
        """Before nothing new is taken any more; once for as long as it lasts, and again when there is room."""
        room = self._store.room()
        nearly = room is not None and room[0] < EARLY * room[1]
        if room is not None and nearly != self._told:
            free, least = map(sized, room)
            words = f"{free} free; with less than {least} (store.min_free_bytes) nothing new is taken"
            (log.warning if nearly else log.info)("store-nearly-full" if nearly else "store-has-room", because=words)
        self._told = nearly

    async def round(self) -> None:
        """Once: the mark, and, by one of the nodes, what all share."""
        await self._store.pair()
        now = self._kit.clock.now()
        if self._node and not await self._store.lead("keeping", self._node, now, TERM):
            return
        packed = await self._store.condense(now - OLD)
        if packed.rows:
            log.info("packed", rows=packed.rows, saved=packed.saved)
        if await purging.due(self._store, self._settings, now):
            await purging.purge(self._store, self._kit, self._settings)
        else:
            await purging.purge_confirmed(self._store, self._kit, self._settings)

    async def tell_of_damage(self) -> None:
        """Which bodies cannot be read, as far as that is seen without reading all of them; with what to do."""
        try:
            found = await self._store.missing()
        except StoreUnavailable as error:
            log.error("store-unavailable", because=str(error), code="store-unavailable")
            return
        for words in found:
            log.error("store-damaged", code="content-lost", because=words, do=reason("content-lost").hint)
