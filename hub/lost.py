"""What follows when a document that lies ready in a mailbox of the house cannot be read: our fault, on a person's list."""

from __future__ import annotations

from datetime import datetime

from hub.errors import ContentLost
from hub.events import Entry, Event
from hub.ports import Change, DeliveryFilter, MoveOrder, Store
from hub.states import Move, State


async def found(message_id: str, lost: ContentLost, store: Store, now: datetime) -> Change:
    """Its deliveries that wait to be fetched wait for a person; nothing where none does.

    Who asks is told to ask again. Whoever sent it and sends it again puts it back, and it lies ready again.
    """
    wanted = DeliveryFilter(message_id=message_id, states=(State.AVAILABLE,))
    waiting = await store.deliveries(wanted)
    code, because = "content-lost", f"its document cannot be read: {lost}"
    return Change(
        moves=tuple(MoveOrder(one.id, Move.MISS, now, code, because) for one in waiting),
        journal=tuple(Entry(now, Event.OVERDUE, code, because, message_id, one.id) for one in waiting),
    )
