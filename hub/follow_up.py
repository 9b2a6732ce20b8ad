"""Nothing is green before the AppRec is home: watches the time of every delivery that waits for one."""

from __future__ import annotations

from datetime import datetime, timedelta

from hub import bus, intake
from hub.clock import STANDS, Jumped
from hub.events import Entry, Event, Notification, NotificationType
from hub.kit import Kit
from hub.message import BUS_DOOR, DeliveryRecord
from hub.ports import Change, MoveOrder
from hub.retry import Backoff
from hub.states import Move, State


async def judge_again(kit: Kit, limit: int = 20) -> int:
    """Judges anew what could not be judged before; its receipt goes out by itself. Returns how many were looked at."""
    lease = timedelta(seconds=kit.settings.lease_seconds)
    arrivals = await kit.store.undecided(kit.clock.now(), limit, lease)
    for arrival in arrivals:
        receive = bus.receive if arrival.door.startswith(BUS_DOOR) else intake.receive
        await receive(arrival, kit, late=True)
    return len(arrivals)


async def compare_clocks(kit: Kit) -> bool:
    """Reads the wall clock and the monotonic clock side by side; true when one has jumped, which is then journaled."""
    kit.clock_watch.now(kit.clock)
    jumps = kit.clock_watch.untold()
    if jumps:
        await kit.store.apply(Change(journal=tuple(_jumped(one) for one in jumps)))
        kit.clock_watch.told(jumps)
    return bool(jumps)


def _jumped(jump: Jumped) -> Entry:
    way = "on" if jump.by > timedelta(0) else "back"
    because = (
        f"{way} by {abs(jump.by)}; until {jump.at + STANDS:%Y-%m-%d %H:%M} nothing expires, is given up or overdue"
    )
    return Entry(jump.at, Event.CLOCK_JUMPED, "clock-jumped", because)


async def pull_back(kit: Kit, by: datetime) -> int:
    """Mends what waits longer than it ever should, as after a clock that was ahead was set right; returns how many."""
    s = kit.settings
    longest = timedelta(seconds=max(s.backoff_longest_seconds, s.sync_seconds, s.lease_seconds))
    lease, arrivals = (timedelta(seconds=n) for n in (s.lease_seconds, max(s.retry_undecided_seconds, s.lease_seconds)))
    return await kit.store.pull_back(kit.clock.now(), by, lease, longest * (1 + Backoff().jitter), arrivals)


async def watch(kit: Kit, limit: int = 200) -> int:
    """Marks as overdue what has no AppRec within its time (HIS 80415 3.3.4); returns how many. A late one is still taken.

    By a clock that has just jumped nothing is overdue.
    """
    if isinstance(kit.clock_watch.now(kit.clock), Jumped):
        return 0
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
