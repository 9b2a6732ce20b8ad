"""What record systems are told of a move: the sender how its message stands, the receiver that it lies ready (EDI 2.0 A10.2)."""

from __future__ import annotations

from datetime import datetime

from hub.events import Notification, NotificationType
from hub.kit import Kit
from hub.message import DeliveryRecord
from hub.ports import MoveOrder
from hub.states import Move, after


def of_move(delivery: DeliveryRecord, order: MoveOrder, kit: Kit) -> tuple[Notification, ...]:
    """Of a move that changes where the delivery stands, or lays it ready; what stays where it is is no news."""
    told: tuple[Notification, ...] = ()
    if order.move is Move.OFFER:
        kind = NotificationType.NEW_MESSAGE
        told = (Notification(kind, delivery.message_id, delivery.receiver, delivery.sender, order.at),)
    if after(order.move) == delivery.state:
        return told
    return (*told, *to_sender(delivery, order.at, kit))


def to_sender(delivery: DeliveryRecord, at: datetime, kit: Kit) -> tuple[Notification, ...]:
    """To the record system that sent it; none where that is not in the house, and none of a receipt that we wrote."""
    party = kit.directory.party(delivery.sender)
    if delivery.kind == "signal" or party is None or not party.local:
        return ()
    kind = NotificationType.DELIVERY_STATE
    return (Notification(kind, delivery.message_id, delivery.sender, delivery.receiver, at),)
