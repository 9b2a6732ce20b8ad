"""Purges by itself, once in so many hours: by a rule for each kind and message type, and one line of the journal a run."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from adapters.store.forget import Ages
from adapters.store.opening import KeptStore, untrusted
from adapters.store.purge import Purged, Rule
from adapters.store.rows import instant, micros
from adapters.store.settings import PurgeSettings
from hub.events import Entry, Event
from hub.kit import Kit
from hub.ports import Change

log = structlog.get_logger("keeping")
#: When it was done last, by the wall clock.
LAST = "purged"
SKEW = timedelta(hours=1)


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


async def purge(store: KeptStore, kit: Kit, settings: PurgeSettings) -> None:
    """One run; nothing by a clock that is not trusted."""
    now = kit.clock.now()
    if why := await untrusted(store, now):
        log.warning("not-purged", because=why)
        return
    content = [await store.purge(before, really=True, rule=rule) for before, rule in rules(settings, now)]
    rows = await store.forget(ages(settings, now))
    because = f"{_sum(content)}; {rows.notifications} notifications, {rows.journal} lines of the journal, {rows.receipts} receipts"
    await kit.store.apply(Change(journal=(Entry(now, Event.PURGED, "purged", because),)))
    await store.keep_bookmark(LAST, micros(now) or 0)


def rules(settings: PurgeSettings, now: datetime) -> list[tuple[datetime, Rule]]:
    """What goes, and until when it must have been settled: what went over the wire first, then documents by their types."""
    own = settings.by_type()
    quarantine = now - timedelta(days=settings.quarantine_days)
    return [
        (now - timedelta(days=settings.sealed_days), Rule(sealed=True, quarantine=quarantine)),
        (now - timedelta(days=settings.documents_days), Rule(others=tuple(own), quarantine=quarantine)),
        *((now - timedelta(days=days), Rule(only=name, quarantine=quarantine)) for name, days in own.items()),
    ]


def ages(settings: PurgeSettings, now: datetime) -> Ages:
    """Of the rows that are removed whole; 0 days: never."""
    days = (settings.notifications_days, settings.journal_days, settings.receipts_days)
    return Ages(*(now - timedelta(days=count) if count else None for count in days))


def _sum(content: list[Purged]) -> str:
    bodies, size, files = (sum(getattr(one, name) for one in content) for name in ("bodies", "size", "files"))
    return f"{bodies} bodies of {size} bytes, {files} files"
