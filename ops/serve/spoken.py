"""Tells every journal entry to the log and the metrics, once it is durable; the store itself knows neither."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

import structlog
from prometheus_client import CollectorRegistry, Counter

from hub import insights, lost
from hub.codes import REASONS
from hub.errors import ContentLost
from hub.events import Entry, Event
from hub.formats import identifiers
from hub.formats.words import unsaid
from hub.message import Outcome
from hub.ports import Applied, Change, Conflict, DeliveryFilter, HookLane, Store, Taken
from xsd.lists import code_list

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
#: Told as a warning whoever is to blame: something is lost to somebody, or a person must act and nothing else comes of it.
LOST = frozenset(
    {
        Event.REFUSED,
        Event.QUARANTINED,
        Event.UNDECIDED,
        Event.REUSED,
        Event.DEAD,
        Event.EXPIRED,
        Event.OVERDUE,
        Event.MESSAGE_ERROR,
        Event.RECEIPT_REFUSED,
        Event.APPREC_NEGATIVE,
        Event.APPREC_UNMATCHED,
        Event.APPREC_UNCLEAR,
        Event.CLOCK_JUMPED,
        Event.WEBHOOK_GIVEN_UP,
    }
)
#: A receipt that was not taken is lost, though it is only a signal that changed nothing.
LOST_SIGNALS = frozenset({"receipt-unproven", "receipt-digest"})
#: Ours to say, but nothing of ours is broken.
NO_FAULT = frozenset({"asked-too-often", "clock-jumped"})
#: Types that may stand in the log; any other is what a sender wrote, and may be content.
TYPES = code_list("8279") | {"APPREC", "SIGNAL", "Acknowledgment", "MessageError", "Ping", "StatusRequest"}
Level = Literal["info", "warning", "error"]


def level(entry: Entry, cause: str = "") -> Level:
    """By what is lost, not by blame: our own fault is an error, what heals itself is news like any other."""
    if any(_ours(code) for code in (entry.code, cause)):
        return "error"
    lost = entry.event in LOST or (entry.event is Event.SIGNAL and entry.code in LOST_SIGNALS)
    return "warning" if lost else "info"


def _ours(code: str) -> bool:
    row = REASONS.get(code)
    return row is not None and row.blame == "us" and code not in NO_FAULT


@dataclass(frozen=True, slots=True)
class _About:
    """Whose an entry is, and what."""

    from_her: str = ""
    to_her: str = ""
    type_code: str = ""
    cause: str = ""

    def fields(self) -> dict[str, str]:
        """As the log has them: numbers and known words only."""
        given = {"from": _number(self.from_her), "to": _number(self.to_her), "cause": self.cause}
        type_code = self.type_code if self.type_code in TYPES else "(other)" if self.type_code else ""
        return {name: value for name, value in {**given, "type": type_code}.items() if value}


def _number(her_id: str) -> str:
    return her_id if identifiers.her_id(her_id) else ""


class _Spoken:
    """A store that speaks; every verb that is not here is the store's own."""

    def __init__(self, store: Store, registry: CollectorRegistry, now: Callable[[], datetime]) -> None:
        self._store, self._now = store, now
        self._events = Counter(
            "samhub_events", "What happened, by event and code.", ["event", "code"], registry=registry
        )

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def document(self, message_id: str) -> bytes | None:
        """The store's own; of what lies ready to be fetched and cannot be read a person is told."""
        try:
            return await self._store.document(message_id)
        except ContentLost as found:
            change = await lost.found(message_id, found, self._store, self._now())
            if change.moves:
                await self.apply(change)
            raise

    async def apply(self, change: Change) -> Applied | Taken | Conflict:
        done = await self._store.apply(change)
        return await self._told(done, change)

    async def settle(
        self, delivery_id: str, attempt: int, outcome: Outcome, at: datetime, change: Change
    ) -> Applied | Taken | Conflict:
        done = await self._store.settle(delivery_id, attempt, outcome, at, change)
        return await self._told(done, change)

    async def keep_hooks(
        self, kept: Sequence[HookLane], dropped: Sequence[tuple[str, str]], journal: Sequence[Entry] = ()
    ) -> None:
        await self._store.keep_hooks(kept, dropped, journal)
        for entry in journal:
            await self._tell(entry, Change())

    async def _told(self, done: Applied | Taken | Conflict, change: Change) -> Applied | Taken | Conflict:
        if isinstance(done, Applied):
            for entry in change.journal:
                await self._tell(entry, change)
        return done

    async def _tell(self, entry: Entry, change: Change) -> None:
        self._events.labels(entry.event, entry.code).inc()
        about = await self._about(entry, change)
        ids = {"message": entry.message_id, "delivery": entry.delivery_id, "arrival": entry.arrival_id}
        if entry.event not in FOREIGN_WORDS:
            ids["because"] = unsaid(entry.because)
        if entry.actor != "hub":
            ids["actor"] = entry.actor
        how = level(entry, about.cause if entry.event in LOST else "")
        said = {name: value for name, value in ids.items() if value}
        getattr(log, how)(str(entry.event), code=entry.code, **said, **about.fields())

    async def _about(self, entry: Entry, change: Change) -> _About:
        """From what was just kept; from the store only for what somebody will look for by party, which is seldom."""
        record = next((new.record for new in change.messages if new.record.id == entry.message_id), None)
        if record is not None:
            return _About(record.from_her, record.to_her, record.type_code)
        if (
            change.arrival is not None
            and entry.arrival_id == change.arrival.arrival.id
            and change.arrival.facts.from_her
        ):
            facts = change.arrival.facts
            return _About(facts.from_her, facts.to_her, facts.type_code)
        return await self._looked_up(entry) if level(entry) != "info" else _About()

    async def _looked_up(self, entry: Entry) -> _About:
        """What speaks after a commit must not fail: it would be taken for the commit's own failure."""
        try:
            record = await self._store.message(entry.message_id) if entry.message_id else None
            wanted = DeliveryFilter(ids=(entry.delivery_id,))
            found = await self._store.deliveries(wanted) if entry.delivery_id else []
        except Exception:
            return _About()
        type_code = record.type_code if record is not None else ""
        for promised in found:
            return _About(promised.sender, promised.receiver, type_code, insights.cause(promised))
        return _About(record.from_her, record.to_her, type_code) if record is not None else _About()


def spoken(store: Store, registry: CollectorRegistry, now: Callable[[], datetime]) -> Store:
    """The same store, which tells what it has made durable, and what it cannot give any more."""
    return cast(Store, _Spoken(store, registry, now))
