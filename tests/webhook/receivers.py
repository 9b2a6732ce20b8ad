"""A record system that is told events, over a real store and a clock that the test holds; its answers are what the test says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from hub.clock import ClockWatch
from hub.events import Notification
from hub.message import Channel, Outcome, Reached, RecordSystem, Webhook
from hub.ports import Change, HookLane, Store
from hub.record_systems.facade import RecordSystems
from hub.record_systems.values import Happened
from hub.record_systems.webhooks import Terms, Webhooks
from tests.conformance import values as v

HER = "8000202"
EPJ = RecordSystem("epj", frozenset({HER}), Channel.MAILBOX, webhook=Webhook("https://epj.invalid/", (b"s" * 32,)))
TERMS = Terms(tuple(timedelta(minutes=m) for m in (1, 2, 4, 8, 16, 30)), timedelta(hours=24))
TAKEN = Outcome(Reached.YES, "handed-over", "HTTP 200", answered=True)
REFUSED = Outcome(Reached.NO, "http-permanent", "HTTP 400", answered=True)
AWAY = Outcome(Reached.NO, "connect-failed", "no connection")
GONE = Outcome(Reached.NO, "http-permanent", "HTTP 410", permanent=True, answered=True)
#: What an answer is, by the message that an event is about.
Answers = Callable[[Notification], Outcome]


class HandedIn:
    """Time passes, and is set, as the test says."""

    def __init__(self) -> None:
        self.wall, self.passed = v.NOW, 0.0

    def now(self) -> Any:
        return self.wall

    def monotonic(self) -> float:
        return self.passed

    def passes(self, time: timedelta, ahead: timedelta = timedelta(0)) -> None:
        """So much passes, while the wall clock is set by `ahead`."""
        self.wall += time + ahead
        self.passed += time.total_seconds()


@dataclass
class Receiver:
    """Of one record system."""

    store: Store
    answers: Answers = lambda _: TAKEN
    clock: HandedIn = field(default_factory=HandedIn)
    taken: list[Notification] = field(default_factory=list)
    asked: list[Notification] = field(default_factory=list)
    system: RecordSystem = EPJ

    def __post_init__(self) -> None:
        dice = SimpleNamespace(fraction=lambda: 0.5)
        self.kit: Any = SimpleNamespace(store=self.store, clock=self.clock, clock_watch=ClockWatch(), dice=dice)
        self.kit.clock_watch.now(self.clock)
        self.restarts()

    def restarts(self) -> None:
        """The hub: what it remembered is forgotten."""
        nobody: Any = None
        facade = RecordSystems(self.kit, nobody, nobody, nobody, nobody)
        self.webhooks = Webhooks(self.kit, facade, self._say, TERMS)

    async def _say(self, _: RecordSystem, happened: Happened) -> Outcome:
        self.asked.append(happened.event)
        outcome = self.answers(happened.event)
        if outcome.reached is Reached.YES:
            self.taken.append(happened.event)
        return outcome

    async def lanes(self) -> list[HookLane]:
        return [lane for lane in await self.store.hooks() if lane.system == self.system.id]

    async def lane(self, name: str) -> HookLane:
        return next(lane for lane in await self.lanes() if lane.lane == name)

    async def turn(self) -> None:
        """All that is due now."""
        while await self.webhooks.tell(self.system, await self.lanes()):
            pass

    async def passes(self, time: timedelta, step: timedelta = timedelta(minutes=5)) -> None:
        """Time passes while the hub runs."""
        end = self.clock.wall + time
        while self.clock.wall < end:
            self.clock.passes(min(step, end - self.clock.wall))
            await self.turn()

    async def happens(self, *messages: str) -> None:
        """Something, to each of these messages in turn."""
        for message in messages:
            note = v.notification(HER, message, at=self.clock.now())
            await self.store.apply(Change(notifications=(note,)))

    def told(self) -> list[str]:
        """The messages that were told about and taken, in order."""
        return [note.message_id for note in self.taken]

    def doubles(self) -> int:
        """Events that were taken more than once."""
        return sum(count - 1 for count in Counter(note.offset for note in self.taken).values())


def refusing(*messages: str, by: Outcome = REFUSED) -> Answers:
    """All but these are taken."""
    return lambda note: by if note.message_id in messages else TAKEN


def scripted(outcomes: Iterable[Outcome]) -> Answers:
    """One after another, and then all is taken."""
    left = list(outcomes)
    return lambda _: left.pop(0) if left else TAKEN
