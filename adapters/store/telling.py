"""What one node has found out or done and others go on from: the verbs of hub.ports.Store about webhooks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from adapters.store import rows
from adapters.store.rows import instant, micros
from adapters.store.session import Row, Session
from hub.events import Entry
from hub.ports import HookLane

Result = TypeVar("Result")


class Telling(ABC):
    """The same for any store that can be asked by named statements, and does work in a transaction."""

    @abstractmethod
    async def named(self, name: str, *values: object) -> list[Row]:
        """See adapters.store.looking.Looking."""

    @abstractmethod
    async def written(self, work: Callable[[Session], Result]) -> Result:
        """See adapters.store.noting.Noting."""

    async def hooks(self) -> list[HookLane]:
        """See hub.ports.Store."""
        return [_lane(row) for row in await self.named("hooks")]

    async def keep_hooks(
        self, kept: Sequence[HookLane], dropped: Sequence[tuple[str, str]], journal: Sequence[Entry] = ()
    ) -> None:
        """See hub.ports.Store."""

        def work(session: Session) -> None:
            for system, lane in sorted(dropped):
                session.run("drop_hook", system, lane)
            for one in sorted(kept, key=lambda one: (one.system, one.lane)):
                session.run("keep_hook", *_row(one))
            for entry in journal:
                session.run("keep_entry", *rows.entry_row(entry))

        await self.written(work)


def _row(one: HookLane) -> tuple[Any, ...]:
    """A row of `webhooks`."""
    times = micros(one.since), micros(one.next_at)
    return (
        one.system,
        one.lane,
        one.told,
        one.ends,
        one.tries,
        *times,
        one.code,
        one.because,
        micros(one.given_up_at),
    )


def _lane(row: Row) -> HookLane:
    """The value of a row of `webhooks`."""
    since, next_at, given_up_at = (instant(row[name]) for name in ("since", "next_at", "given_up_at"))
    told, ends, tries = row["told"], row["ends"], row["tries"]
    return HookLane(
        row["system"], row["lane"], told, ends, tries, since, next_at, row["code"], row["because"], given_up_at
    )
