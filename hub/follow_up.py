"""Nothing is green before the AppRec is home: watches the time of every delivery that waits for one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from hub import bus, intake, sight, taking
from hub.clock import STANDS, Jumped
from hub.errors import StoreUnavailable, bare
from hub.events import Entry, Event, Notification, NotificationType
from hub.kit import Kit
from hub.message import BUS_DOOR, Answer, Arrival, DeliveryRecord
from hub.ports import ArrivalRecord, Change, MoveOrder
from hub.retry import LEFT_ALONE, Backoff
from hub.states import Move, State

Item = TypeVar("Item")


async def judge_again(kit: Kit, limit: int = 20) -> int:
    """Judges anew what could not be judged before; its receipt goes out by itself. Returns how many were looked at.

    One that nobody can judge stops no other, and ends in quarantine; what it stumbled over is raised when all are done.
    """
    lease = timedelta(seconds=kit.settings.lease_seconds)
    arrivals = await kit.store.undecided(kit.clock.now(), limit, lease)
    await _each(arrivals, partial(_judged_again, kit=kit), partial(_not_judged, kit=kit))
    return len(arrivals)


async def _judged_again(arrival: Arrival, kit: Kit) -> None:
    if arrival.trouble is not None:
        return await _lost(arrival, *arrival.trouble, kit)
    receive = bus.receive if arrival.door.startswith(BUS_DOOR) else intake.receive
    await receive(arrival, kit, late=True)
    return None


async def _lost(arrival: Arrival, code: str, because: str, kit: Kit) -> None:
    """Its bytes cannot be read here: nothing is judged without them; its partner's next resend is judged by itself."""
    seen = sight.at_sight(arrival)
    record = ArrivalRecord(arrival, "quarantined", code, because, 202, facts=seen)
    entry = Entry(kit.clock.now(), Event.QUARANTINED, code, because, arrival_id=arrival.id)
    await kit.store.apply(Change(arrival=record, journal=(entry,)))


async def _not_judged(arrival: Arrival, error: Exception, kit: Kit) -> None:
    """Judged again later, like all that cannot be judged now."""
    code, again = "unforeseen", kit.clock.now() + timedelta(seconds=kit.settings.retry_undecided_seconds)
    answer = Answer(202, {}, b"", code, bare(error))
    change = taking.still_undecided(arrival, code, bare(error), again, answer, sight.at_sight(arrival), kit)
    await kit.store.apply(change)


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
    s, stretched = kit.settings, 1 + Backoff().jitter
    soon = timedelta(seconds=max(s.backoff_longest_seconds, s.sync_seconds, s.lease_seconds)) * stretched
    longest = max(soon, timedelta(minutes=max(s.lost_answer_minutes, default=0)) * stretched, LEFT_ALONE)
    lease, arrivals = (timedelta(seconds=n) for n in (s.lease_seconds, max(s.retry_undecided_seconds, s.lease_seconds)))
    return await kit.store.pull_back(kit.clock.now(), by, lease, longest, arrivals, soon)


async def watch(kit: Kit, limit: int = 200) -> int:
    """Marks as overdue what has no AppRec within its time (HIS 80415 3.3.4); returns how many. A late one is still taken.

    By a clock that has just jumped nothing is overdue.
    """
    if isinstance(kit.clock_watch.now(kit.clock), Jumped):
        return 0
    missing = await kit.store.missing_apprecs(kit.clock.now(), limit)
    await _each(missing, partial(_mark, kit=kit), partial(_mark_barely, kit=kit))
    return len(missing)


async def _mark(delivery: DeliveryRecord, kit: Kit) -> None:
    await kit.store.apply(_missed(delivery, kit))


async def _mark_barely(delivery: DeliveryRecord, error: Exception, kit: Kit) -> None:
    """Without the words that may be at fault: a person must see it all the same."""
    now, because = kit.clock.now(), f"no AppRec in time; {bare(error)}"
    order = MoveOrder(delivery.id, Move.MISS, now, "unforeseen", because)
    entry = Entry(now, Event.OVERDUE, "unforeseen", because, delivery.message_id, delivery.id)
    await kit.store.apply(Change(moves=(order,), journal=(entry,), notifications=(_overdue(delivery, now),)))


async def _each(
    items: Sequence[Item],
    work: Callable[[Item], Awaitable[None]],
    stumbled: Callable[[Item, Exception], Awaitable[None]],
) -> None:
    """Each by itself: what one stumbles over is noted at it, and the first such error is raised when all are done."""
    found: list[Exception] = []
    for item in items:
        try:
            await _one(item, work, stumbled, found)
        except StoreUnavailable:
            raise
        except Exception as error:  # nor could it be noted: it comes again after its lease
            found.append(error)
    if found:
        raise found[0]


async def _one(
    item: Item,
    work: Callable[[Item], Awaitable[None]],
    stumbled: Callable[[Item, Exception], Awaitable[None]],
    found: list[Exception],
) -> None:
    try:
        await work(item)
    except StoreUnavailable:
        raise
    except Exception as error:
        found.append(error)
        await stumbled(item, error)


def _missed(delivery: DeliveryRecord, kit: Kit) -> Change:
    now = kit.clock.now()
    due = delivery.apprec_due_at.isoformat(timespec="seconds") if delivery.apprec_due_at else "?"
    code = "receipts-missing" if delivery.state == State.SENT else "apprec-missing"
    because = f"no AppRec from HER-id {delivery.receiver} by {due}; it stood at {delivery.state}"
    order = MoveOrder(delivery.id, Move.MISS, now, code, because)
    entry = Entry(now, Event.OVERDUE, code, because, delivery.message_id, delivery.id)
    return Change(moves=(order,), journal=(entry,), notifications=(_overdue(delivery, now),))


def _overdue(delivery: DeliveryRecord, now: datetime) -> Notification:
    kind = NotificationType.APPREC_INFO
    return Notification(kind, delivery.message_id, delivery.sender, delivery.receiver, now, "overdue")
