"""What people do: hold, release, resend, discard; each is journaled with who did it."""

from __future__ import annotations

from datetime import datetime, timedelta

from hub.errors import NotAllowed, NotFound
from hub.events import Entry, Event
from hub.kit import Kit
from hub.message import DeliveryRecord
from hub.ports import Change, Conflict, DeliveryFilter, MoveOrder
from hub.states import Move

EVENTS = {
    Move.HOLD: (Event.HELD, "held"),
    Move.RELEASE: (Event.RELEASED, "released"),
    Move.RESEND: (Event.RESENT, "resent"),
    Move.DISCARD: (Event.DISCARDED, "discarded"),
}


async def act(delivery_id: str, move: Move, actor: str, why: str, kit: Kit) -> DeliveryRecord:
    """Makes one of a person's moves and returns the delivery as it then stands.

    Raises NotFound, or NotAllowed when the move is not possible from where the delivery stands.
    """
    found = await kit.store.deliveries(DeliveryFilter(ids=(delivery_id,)))
    if not found:
        raise NotFound(f"delivery {delivery_id} is not known here; see: samhub delivery list")
    delivery = found[0]
    if move is Move.RESEND and delivery.apprec_status == "2":
        text = "the receiver answered by a negative AppRec: correct the document and send it with a new MsgId"
        raise NotAllowed("not-from-here", text)
    event, code = EVENTS[move]
    now = kit.clock.now()
    trying = move in (Move.RESEND, Move.RELEASE)
    anew = (
        move is Move.RESEND and delivery.state == "rejected"
    )  # a corrected envelope gets a new MessageId (HITS 1171 9.7)
    order = MoveOrder(
        delivery.id,
        move,
        now,
        code,
        why or f"{code} by {actor}",
        next_at=now if trying else None,
        handed_over=0 if trying else None,
        eb_message_id=kit.dice.uuid() if anew else None,
        give_up_at=now + timedelta(seconds=kit.settings.persist_duration_seconds) if trying else None,
        apprec_due_at=_due_anew(delivery, now, kit) if trying else None,
    )
    entry = Entry(now, event, code, why or f"{code} by {actor}", delivery.message_id, delivery.id, actor=actor)
    done = await kit.store.apply(Change(moves=(order,), journal=(entry,)))
    if isinstance(done, Conflict):
        raise NotAllowed(
            "not-from-here", f"delivery {delivery_id} stands at {done.state}; {move} is not possible from there"
        )
    return (await kit.store.deliveries(DeliveryFilter(ids=(delivery_id,))))[0]


def _due_anew(delivery: DeliveryRecord, now: datetime, kit: Kit) -> datetime | None:
    """An AppRec that could not come before it was sent again has its time from now; None keeps what is still to come."""
    if delivery.apprec_due_at is None or delivery.apprec_due_at > now:
        return None
    return now + timedelta(hours=kit.settings.apprec_deadline_hours)
