"""Ends what lay ready in a mailbox of the house for as long as it may and was not fetched: nothing vanishes unseen (EDI 2.0 A13.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from hub import notices
from hub.clock import Jumped
from hub.events import Entry, Event
from hub.kit import Kit
from hub.message import DeliveryRecord
from hub.ports import Applied, Change, DeliveryFilter, MoveOrder, Store
from hub.states import Move, State

#: Code of a delivery that ended so.
NOT_FETCHED = "not-fetched"
#: So many are looked at together.
PAGE = 200


async def end(before: datetime, kit: Kit) -> int:
    """Ends what has lain ready since `before`, on a person's list and told to its sender; returns how many.

    What is fetched in the same moment is fetched. By a clock that has just jumped nothing ends.
    """
    if isinstance(kit.clock_watch.now(kit.clock), Jumped):
        return 0
    count = 0
    async for one in unfetched(before, kit.store):
        count += isinstance(await kit.store.apply(_ended(one, kit)), Applied)
    return count


async def unfetched(before: datetime, store: Store) -> AsyncIterator[DeliveryRecord]:
    """What has lain ready since `before`; what was laid ready anew since then has its whole time from there."""
    since: datetime | None = None
    while True:
        wanted = DeliveryFilter(states=(State.AVAILABLE,), since=since, until=before, limit=PAGE)
        found = await store.deliveries(wanted)
        for one in found:
            if (one.changed_at or one.created_at) < before:
                yield one
        if len(found) < PAGE:
            return
        last = found[-1].created_at
        since = last if last != since else last + timedelta(microseconds=1)


def _ended(delivery: DeliveryRecord, kit: Kit) -> Change:
    now, since = kit.clock.now(), delivery.changed_at or delivery.created_at
    because = f"it lay ready for HER-id {delivery.receiver} since {since:%Y-%m-%d %H:%M} UTC and was not fetched"
    order = MoveOrder(delivery.id, Move.EXPIRE, now, NOT_FETCHED, because)
    entry = Entry(now, Event.EXPIRED, NOT_FETCHED, because, delivery.message_id, delivery.id)
    return Change(moves=(order,), journal=(entry,), notifications=notices.of_move(delivery, order, kit))
