"""Tells the dispatch what has become due, once it is durable; the store itself knows nothing of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

from hub.message import Outcome
from hub.ports import Applied, Change, Conflict, Lane, Store, Taken


class _Offering:
    """A store that offers the lanes of new deliveries; every verb that is not here is the store's own."""

    def __init__(self, store: Store, offer: Callable[[list[Lane]], None]) -> None:
        self._store, self._offer = store, offer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def apply(self, change: Change) -> Applied | Taken | Conflict:
        return self._offered(await self._store.apply(change), change)

    async def settle(
        self, delivery_id: str, attempt: int, outcome: Outcome, at: datetime, change: Change
    ) -> Applied | Taken | Conflict:
        return self._offered(await self._store.settle(delivery_id, attempt, outcome, at, change), change)

    def _offered(self, done: Applied | Taken | Conflict, change: Change) -> Applied | Taken | Conflict:
        if isinstance(done, Applied):
            lanes = {d.address: Lane(d.address, d.priority) for d in change.deliveries if d.next_at is not None}
            if lanes:
                self._offer(list(lanes.values()))
        return done


def offering(store: Store, offer: Callable[[list[Lane]], None]) -> Store:
    """The same store, whose new deliveries are offered to whichever node is free."""
    return cast(Store, _Offering(store, offer))
