"""What a hub does for its store by itself: marks it with its bodies, and tells at the start what of it is damaged."""

from __future__ import annotations

import asyncio

import structlog

from adapters.store.opening import KeptStore
from hub.codes import reason
from hub.errors import StoreUnavailable

log = structlog.get_logger("keeping")
#: The store and its bodies get a new mark so often, in seconds: copies of two such times do not fit together.
MARKED = 3600.0


class Keeping:
    """The duty of one process that serves."""

    def __init__(self, store: KeptStore) -> None:
        self._store = store

    async def run(self) -> None:
        """Until cancelled."""
        await self.tell_of_damage()
        while True:
            try:
                await self._store.pair()
            except StoreUnavailable as error:
                log.error("store-unavailable", because=str(error), code="store-unavailable")
            await asyncio.sleep(MARKED)

    async def tell_of_damage(self) -> None:
        """Which bodies cannot be read, as far as that is seen without reading all of them; with what to do."""
        try:
            found = await self._store.missing()
        except StoreUnavailable as error:
            log.error("store-unavailable", because=str(error), code="store-unavailable")
            return
        for words in found:
            log.error("store-damaged", code="content-lost", because=words, do=reason("content-lost").hint)
