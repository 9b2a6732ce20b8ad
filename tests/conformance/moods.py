"""A store in a mood: the real one, which is full, slow, away or broken when it is told so."""

from __future__ import annotations

import asyncio
from typing import Any

from hub.errors import StoreUnavailable
from hub.ports import Applied, Change, Conflict, Store, Taken
from tests.conformance.letters import CONTENT


class MoodyStore:
    """hub.ports.Store. Only arrivals meet its moods; what a hub does by itself goes on."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.mood = "well"
        self.waiting = 0  #: changes that are held up

    def __getattr__(self, name: str) -> Any:
        """Everything else is the store's own."""
        return getattr(self._store, name)

    async def writable(self) -> bool:
        """See Store.writable."""
        return self.mood != "full" and await self._store.writable()

    async def apply(self, change: Change) -> Applied | Taken | Conflict:
        """See Store.apply; what nobody foresaw happens to it, but not to what is put into quarantine then."""
        arrival = change.arrival
        if arrival is None or (self.mood == "broken" and arrival.state == "quarantined"):
            return await self._store.apply(change)
        await self._held_up()
        if self.mood == "away":
            raise StoreUnavailable("no connection")
        if self.mood == "broken":
            raise ZeroDivisionError(CONTENT)
        return await self._store.apply(change)

    async def _held_up(self) -> None:
        self.waiting += 1
        while self.mood == "slow":
            await asyncio.sleep(0.01)
        self.waiting -= 1
