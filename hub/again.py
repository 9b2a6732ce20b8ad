"""A document that comes a second time: what was promised the first time is kept, promised anew, or over for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hub import commands, notices, removed
from hub.errors import StoreUnavailable
from hub.kit import Kit
from hub.message import Channel, DeliveryRecord
from hub.ports import Change, Conflict, DeliveryFilter
from hub.states import Move, State

#: `kept`: it is, or has been, brought; `again`: it had been given up and is promised anew; `over`: it will not be brought.
Fate = Literal["kept", "again", "over"]
#: Where a delivery stands → what somebody is told who hands its document over again.
FATES: dict[State, Fate] = {
    State.WAITING: "kept",
    State.SENT: "kept",
    State.AVAILABLE: "kept",
    State.ACKNOWLEDGED: "kept",
    State.DONE: "kept",
    State.HELD: "kept",
    State.OVERDUE: "kept",
    State.DEAD: "again",
    State.EXPIRED: "again",
    State.REJECTED: "over",
    State.DISCARDED: "over",
}
#: How often it is looked at anew when another change came between.
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Said:
    """What became of the first promise, with words for who asks."""

    fate: Fate
    because: str = ""


def fate(delivery: DeliveryRecord) -> Fate:
    """By the table; but what is overdue without any receipt, or lost here, is tried no more; a question is over for good."""
    found = FATES[State(delivery.state)]
    if delivery.state == State.OVERDUE and delivery.code in ("receipts-missing", "content-lost"):
        found = "again"
    return "over" if found == "again" and delivery.channel is Channel.AMQP_SYNC else found


async def handed_over(message_id: str, actor: str, kit: Kit) -> Said:
    """What is promised of a message that came again. Raises StoreUnavailable when nothing could be promised."""
    for _ in range(ROUNDS):
        deliveries = await kit.store.deliveries(DeliveryFilter(message_id=message_id))
        lost = [one for one in deliveries if fate(one) == "again"]
        if not lost:
            over = [f"HER-id {one.receiver}: {one.state}, {one.because}" for one in deliveries if fate(one) == "over"]
            return Said("over", "; ".join(over)) if over else Said("kept")
        if await removed.is_removed(message_id, kit.store):
            return Said("over", removed.why(message_id, deliveries))
        made = [await commands.ordered(one, Move.RESEND, actor, "handed over again", kit) for one in lost]
        told = tuple(
            note for one, (order, _) in zip(lost, made, strict=True) for note in notices.of_move(one, order, kit)
        )
        change = Change(
            moves=tuple(order for order, _ in made), notifications=told, journal=tuple(entry for _, entry in made)
        )
        if not isinstance(await kit.store.apply(change), Conflict):
            return Said("again", f"tried again for HER-id {', '.join(one.receiver for one in lost)}")
    raise StoreUnavailable("other changes came between each time; hand it over again")
