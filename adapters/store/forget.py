"""Removes rows whose time is over: what record systems were told, lines of the journal, receipts, bookmarks; in small steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from adapters.store import bookmarks
from adapters.store.rows import micros
from adapters.store.session import Session

#: So many rows go in one transaction; between two of them everybody else may write.
BATCH = 500
BREATH = 0.005
#: Until when the journal is not whole any more: what came before is not asked for its lines (check.sql).
SINCE = "journal since"


@dataclass(frozen=True, slots=True)
class Ages:
    """What is older goes; None: nothing of it does."""

    notifications: datetime | None = None
    journal: datetime | None = None  #: but for what has not been settled
    receipts: datetime | None = None
    telling: tuple[str, ...] = ()  #: duties whose bookmarks are offsets, see adapters.store.bookmarks


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many rows went."""

    notifications: int = 0
    journal: int = 0
    receipts: int = 0
    bookmarks: int = 0


def forgotten(session: Session, alone: Callable[[], AbstractContextManager[object]], ages: Ages) -> Forgotten:
    """Each table is walked in the order in which its rows came, no further than they are old enough."""
    if ages.journal is not None:
        with alone():
            session.run("keep_bookmark", SINCE, micros(ages.journal))
    told = _gone(session, alone, "notifications", ages.notifications)
    journal = _gone(session, alone, "journal", ages.journal)
    receipts = _gone(session, alone, "receipts", ages.receipts)
    return Forgotten(told, journal, receipts, bookmarks.gone(session, alone, ages.telling))


def _gone(
    session: Session, alone: Callable[[], AbstractContextManager[object]], name: str, before: datetime | None
) -> int:
    if before is None:
        return 0
    at, place, count = micros(before) or 0, -1, 0
    while found := session.run(f"{name}_in_order", place, BATCH).fetchall():
        with alone():
            count += session.run(f"forget_{name}", found[0]["place"], found[-1]["place"], at).rowcount
        if all(row["at"] >= at for row in found):
            break
        place = found[-1]["place"]
        time.sleep(BREATH)
    return count
