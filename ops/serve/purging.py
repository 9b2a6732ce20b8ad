"""Purges by itself, once in so many hours: by a rule for each kind and message type, and one line of the journal a run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from adapters.queue import events
from adapters.store.forget import Ages
from adapters.store.opening import KeptStore, untrusted
from adapters.store.purge import Purged, Rule
from adapters.store.rows import instant, micros
from adapters.store.settings import PurgeSettings
from hub import unfetched
from hub.events import Entry, Event
from hub.kit import Kit
from hub.ports import Change

log = structlog.get_logger("keeping")
#: When it was done last, by the wall clock.
LAST = "purged"
SKEW = timedelta(hours=1)
#: Duties whose bookmarks say how far a record system has been told.
TELLING = ("folder-receipts", events.DUTY)


async def due(store: KeptStore, settings: PurgeSettings, now: datetime) -> bool:
    """Whether so many hours have passed since the last run, or since a hub first asked.

    A moment in the future, but for what clocks of several nodes differ by, was told by a clock that was wrong.
    """
    last = instant(await store.bookmark(LAST) or None)
    if last is None:
        await store.keep_bookmark(LAST, micros(now) or 0)
        return False
    between = timedelta(hours=settings.every_hours)
    return bool(between) and not now - between < last <= now + SKEW


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What one rule would take now."""

    rule: str
    what: str
    count: int
    size: int


async def foreseen(store: KeptStore, settings: PurgeSettings, now: datetime) -> list[Foreseen]:
    """What a run would do now, rule by rule; nothing is changed. What ends unfetched has its document counted next time."""
    found = []
    if settings.unfetched_days:
        missed = unfetched.unfetched(now - timedelta(days=settings.unfetched_days), store)
        found.append(
            Foreseen("not fetched in time", "deliveries that would end", len([one async for one in missed]), 0)
        )
    for before, rule in rules(settings, now):
        gone = await store.purge(before, really=False, rule=rule)
        found.append(Foreseen(named(rule), "bodies", gone.bodies, gone.size))
    return found


def named(rule: Rule) -> str:
    """A rule, as people know it."""
    if rule.sealed:
        return "as it went over the wire"
    if rule.confirmed:
        return "confirmed by all receivers"
    if rule.only:
        return f"settled, of type {rule.only}"
    return "settled, or ended without being fetched" if rule.unfetched else "settled"


async def purge(store: KeptStore, kit: Kit, settings: PurgeSettings) -> str:
    """One run, and what it did in words; nothing, and no words, by a clock that is not trusted."""
    now = kit.clock.now()
    if why := await untrusted(store, now):
        log.warning("not-purged", because=why)
        return ""
    missed = await _ended(settings, kit, now)
    content = [await store.purge(before, really=True, rule=rule) for before, rule in rules(settings, now)]
    rows = await store.forget(ages(settings, now))
    lines = (
        f"{rows.notifications} notifications, {rows.journal} lines of the journal, {rows.receipts} receipts, "
        f"{rows.bookmarks} bookmarks"
    )
    because = f"{_sum(content)}; {missed} not fetched in time; {lines}"
    await kit.store.apply(Change(journal=(Entry(now, Event.PURGED, "purged", because),)))
    await store.keep_bookmark(LAST, micros(now) or 0)
    return because


async def purge_confirmed(store: KeptStore, kit: Kit, settings: PurgeSettings) -> None:
    """The part that cannot wait for a day: what all receivers have, and what was not fetched; a line where any was."""
    now = kit.clock.now()
    urgent = prompt(settings, now)
    if not (settings.every_hours and urgent) or await untrusted(store, now):
        return
    missed = await _ended(settings, kit, now)
    content = [await store.purge(before, really=True, rule=rule) for before, rule in urgent]
    if missed or any(one.bodies for one in content):
        because = f"{_sum(content)}; {missed} not fetched in time"
        await kit.store.apply(Change(journal=(Entry(now, Event.PURGED, "purged", because),)))


async def _ended(settings: PurgeSettings, kit: Kit, now: datetime) -> int:
    """Ends what was not fetched in time, before its document may go; returns how many."""
    if not settings.unfetched_days:
        return 0
    return await unfetched.end(now - timedelta(days=settings.unfetched_days), kit)


def prompt(settings: PurgeSettings, now: datetime) -> list[tuple[datetime, Rule]]:
    """The rules that are followed every hour; of types with days of their own they take nothing."""
    own, found = tuple(settings.by_type()), []
    quarantine = now - timedelta(days=settings.quarantine_days)
    if settings.confirmed_documents:
        found.append((now, Rule(others=own, confirmed=True, quarantine=quarantine)))
    if settings.unfetched_days:
        before = now - timedelta(days=settings.unfetched_days)
        found.append((before, Rule(others=own, unfetched=True, quarantine=quarantine)))
    return found


def rules(settings: PurgeSettings, now: datetime) -> list[tuple[datetime, Rule]]:
    """What goes, and until when it must have been settled: what went over the wire first, then documents by their types."""
    own, missed = settings.by_type(), settings.unfetched_days > 0
    quarantine = now - timedelta(days=settings.quarantine_days)
    return [
        (now - timedelta(days=settings.sealed_days), Rule(sealed=True, quarantine=quarantine)),
        *prompt(settings, now),
        (now - timedelta(days=settings.documents_days), Rule(others=tuple(own), quarantine=quarantine)),
        *(
            (now - timedelta(days=days), Rule(only=name, unfetched=missed, quarantine=quarantine))
            for name, days in own.items()
        ),
    ]


def ages(settings: PurgeSettings, now: datetime) -> Ages:
    """Of the rows that are removed whole; 0 days: never."""
    days = (settings.notifications_days, settings.journal_days, settings.receipts_days)
    notifications, journal, receipts = (now - timedelta(days=count) if count else None for count in days)
    return Ages(notifications, journal, receipts, TELLING)


def _sum(content: list[Purged]) -> str:
    bodies, size, files = (sum(getattr(one, name) for one in content) for name in ("bodies", "size", "files"))
    return f"{bodies} bodies of {size} bytes, {files} files"
