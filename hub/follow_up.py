"""Nothing is green before the AppRec is home: watches the time of every delivery that waits for one."""

from __future__ import annotations

from datetime import timedelta

from hub import bus, intake, sight
from hub.errors import StoreUnavailable
from hub.events import Entry, Event, Notification, NotificationType
from hub.kit import Kit
from hub.message import BUS_DOOR, Arrival, DeliveryRecord
from hub.ports import ArrivalRecord, Change, MoveOrder
from hub.states import Move, State


async def judge_again(kit: Kit, limit: int = 20) -> int:
    """Judges anew what could not be judged before; its receipt goes out by itself. Returns how many were looked at."""
    lease = timedelta(seconds=kit.settings.lease_seconds)
    arrivals = await kit.store.undecided(kit.clock.now(), limit, lease)
    for arrival in arrivals:
        receive = bus.receive if arrival.door.startswith(BUS_DOOR) else intake.receive
        try:
            await receive(arrival, kit, late=True)
        except StoreUnavailable:
            raise
        except Exception as error:  # the others of this round are judged all the same
            await _stumbled(arrival, type(error).__name__, kit)
    return len(arrivals)


async def _stumbled(arrival: Arrival, kind: str, kit: Kit) -> None:
    """What nobody foresaw goes into quarantine, as at the door; else it would be tried for ever."""
    because = f"{kind} while it was judged again"
    entry = Entry(kit.clock.now(), Event.QUARANTINED, "unforeseen", because, arrival_id=arrival.id)
    record = ArrivalRecord(arrival, "quarantined", "unforeseen", because, facts=sight.at_sight(arrival))
    await kit.store.apply(Change(arrival=record, journal=(entry,)))


async def watch(kit: Kit, limit: int = 200) -> int:
    """Marks as overdue what has no AppRec within its time (HIS 80415 3.3.4); returns how many. A late one is still taken."""
    missing = await kit.store.missing_apprecs(kit.clock.now(), limit)
    for delivery in missing:
        await kit.store.apply(_missed(delivery, kit))
    return len(missing)


def _missed(delivery: DeliveryRecord, kit: Kit) -> Change:
    now = kit.clock.now()
    due = delivery.apprec_due_at.isoformat(timespec="seconds") if delivery.apprec_due_at else "?"
    code = "receipts-missing" if delivery.state == State.SENT else "apprec-missing"
    because = f"no AppRec from HER-id {delivery.receiver} by {due}; it stood at {delivery.state}"
    order = MoveOrder(delivery.id, Move.MISS, now, code, because)
    entry = Entry(now, Event.OVERDUE, code, because, delivery.message_id, delivery.id)
    note = Notification(
        NotificationType.APPREC_INFO, delivery.message_id, delivery.sender, delivery.receiver, now, "overdue"
    )
    return Change(moves=(order,), journal=(entry,), notifications=(note,))
