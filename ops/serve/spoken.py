"""Tells every journal entry to the log and the metrics, once it is durable; the store itself knows neither."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, cast

import structlog
from prometheus_client import CollectorRegistry, Counter

from hub.codes import REASONS
from hub.events import Entry, Event
from hub.formats.words import unsaid
from hub.message import Outcome
from hub.ports import Applied, Change, Conflict, Store, Taken

log = structlog.get_logger("journal")
#: Entries whose sentence quotes what another system wrote: kept with the message for people, but never logged.
FOREIGN_WORDS = frozenset(
    {
        Event.MESSAGE_ERROR,
        Event.ACCEPTED_WITH_WARNING,
        Event.APPREC_NEGATIVE,
        Event.APPREC_UNCLEAR,
        Event.APPREC_SENT,
    }
)
LEVELS = {"us": "error", "network": "warning", "sender": "info", "receiver": "info", "nobody": "info"}
#: Told louder than whose fault it is asks for: a person must act, and nothing else comes of it.
LOUDER = {
    Event.RECEIPT_REFUSED: "warning",
    Event.APPREC_UNCLEAR: "warning",
    Event.CLOCK_JUMPED: "warning",
}


class _Spoken:
    """A store that speaks; every verb that is not here is the store's own."""

    def __init__(self, store: Store, registry: CollectorRegistry) -> None:
        self._store = store
        self._events = Counter(
            "samhub_events", "What happened, by event and code.", ["event", "code"], registry=registry
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def apply(self, change: Change) -> Applied | Taken | Conflict:
        done = await self._store.apply(change)
        return self._told(done, change)

    async def settle(
        self, delivery_id: str, attempt: int, outcome: Outcome, at: datetime, change: Change
    ) -> Applied | Taken | Conflict:
        done = await self._store.settle(delivery_id, attempt, outcome, at, change)
        return self._told(done, change)

    def _told(self, done: Applied | Taken | Conflict, change: Change) -> Applied | Taken | Conflict:
        if isinstance(done, Applied):
            self._tell(change.journal)
        return done

    def _tell(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self._events.labels(entry.event, entry.code).inc()
            ids = {"message": entry.message_id, "delivery": entry.delivery_id, "arrival": entry.arrival_id}
            row = REASONS.get(entry.code)
            level = LOUDER.get(entry.event) or (LEVELS[row.blame] if row else "info")
            if entry.event not in FOREIGN_WORDS:
                ids["because"] = unsaid(entry.because)
            getattr(log, level)(str(entry.event), code=entry.code, **{k: v for k, v in ids.items() if v})


def spoken(store: Store, registry: CollectorRegistry) -> Store:
    """The same store, which tells what it has made durable."""
    return cast(Store, _Spoken(store, registry))
