"""What a hub does for its store by itself: tells what of it is damaged, marks it with its bodies, and packs what is old."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog

from adapters.store.opening import KeptStore
from hub.codes import reason
from hub.errors import StoreUnavailable
from hub.ports import Clock
from ops.serve.unforeseen import guarded

log = structlog.get_logger("keeping")
#: The store and its bodies get a new mark so often, in seconds: copies of two such times do not fit together.
MARKED = 3600.0
#: What came longer ago is packed.
OLD = timedelta(hours=1)
#: Who keeps house for all nodes does so for this long, and then for as long again.
TERM = timedelta(seconds=2 * MARKED)


class Keeping:
    """The duty of one process that serves; `node` is its name among those that share the store, empty where none does."""

    def __init__(self, store: KeptStore, clock: Clock, node: str) -> None:
        self._store, self._clock, self._node = store, clock, node

    async def run(self) -> None:
        """Until cancelled."""
        await self.tell_of_damage()
        while True:
            await guarded(self.round)
            await asyncio.sleep(MARKED)

    async def round(self) -> None:
        """Once: the mark, and, by one of the nodes, what all share."""
        await self._store.pair()
        now = self._clock.now()
        if self._node and not await self._store.lead("keeping", self._node, now, TERM):
            return
        packed = await self._store.condense(now - OLD)
        if packed.rows:
            log.info("packed", rows=packed.rows, saved=packed.saved)

    async def tell_of_damage(self) -> None:
        """Which bodies cannot be read, as far as that is seen without reading all of them; with what to do."""
        try:
            found = await self._store.missing()
        except StoreUnavailable as error:
            log.error("store-unavailable", because=str(error), code="store-unavailable")
            return
        for words in found:
            log.error("store-damaged", code="content-lost", because=words, do=reason("content-lost").hint)
