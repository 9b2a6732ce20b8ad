"""What has happened, told to record systems over their webhooks: in order, at least once, and who is refused holds nobody up.

One lane of each record system is of all that is new. An event that is not taken is tried again, and those behind it wait.
After a few tries the next event of another message is tried: if that is taken, it is not the receiver but this message that
is refused, and it gets a lane of its own, in which all of its events wait for each other. What is not taken in time is given
up: it stands in a lane that waits for a person, and what is new goes on. So there is one row for each record system, and
a bounded number beside it, however long a receiver is down. The rules are plain functions of a lane.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from hub.clock import Jumped
from hub.errors import ContentLost, NotFound, StoreUnavailable
from hub.events import Entry, Event, Notification
from hub.kit import Kit
from hub.message import Outcome, Reached, RecordSystem
from hub.ports import HookLane
from hub.record_systems.facade import RecordSystems
from hub.record_systems.values import Happened
from hub.retry import LEFT_ALONE

#: Names of lanes; every other is a message's id.
NEW, BEHIND = "", "behind"
#: Events that are read at once, and that are told before it is kept how far that came.
READ, TOLD = 100, 20
#: After so many tries in vain it is found out whether an event of another message is taken.
PATIENCE = 3
#: Messages of one record system that are told apart from all others at once; what is refused beyond that is given up.
APART = 20
#: A wait is stretched by up to this share.
JITTER = 0.2
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Say(Protocol):
    """Tells a record system one event. The outcome is permanent where it wants none any more; nothing is raised."""

    async def __call__(self, system: RecordSystem, happened: Happened, /) -> Outcome: ...


@dataclass(frozen=True, slots=True)
class Terms:
    """For how long, and how often."""

    waits: tuple[timedelta, ...]  #: after tries in vain, one after another; the last holds on
    give_up: timedelta


def due(lane: HookLane, now: datetime, terms: Terms) -> bool:
    """Whether it may be told now; a time that is further ahead than any wait was set by another clock."""
    if lane.given_up_at is not None:
        return False
    longest = max(LEFT_ALONE, max(terms.waits) * (1 + JITTER))
    return lane.next_at is None or not now < lane.next_at <= now + longest


def taken(lane: HookLane, offset: int) -> HookLane:
    """After an event was told: nothing is in its way."""
    return HookLane(lane.system, lane.lane, offset, lane.ends)


def in_vain(lane: HookLane, outcome: Outcome, now: datetime, fraction: float, terms: Terms) -> HookLane:
    """After a try in vain; no sooner again than the receiver asks for, up to an hour."""
    tries = lane.tries + 1
    wait = terms.waits[min(tries, len(terms.waits)) - 1] * (1 + JITTER * fraction)
    again = now + max(wait, min(outcome.after or timedelta(0), LEFT_ALONE))
    return replace(
        lane, tries=tries, since=lane.since or now, next_at=again, code=outcome.code, because=outcome.because
    )


def over(lane: HookLane, at: datetime, now: datetime, terms: Terms) -> bool:
    """Whether an event of `at` has had its time, counted from when it could have been told first."""
    return lane.since is not None and now - max(lane.since, at) >= terms.give_up


def of_message(lane: HookLane) -> bool:
    """Whether it is of one message only."""
    return lane.lane not in (NEW, BEHIND)


def again(lane: HookLane) -> HookLane:
    """As a person has it tried at once, with all its time before it."""
    return HookLane(lane.system, lane.lane, lane.told, lane.ends)


class Webhooks:
    """One node at a time may tell; how far it came is in the store."""

    def __init__(self, kit: Kit, facade: RecordSystems, say: Say, terms: Terms) -> None:
        self._kit, self._facade, self._say, self._terms = kit, facade, say, terms

    async def tell(self, system: RecordSystem, lanes: Iterable[HookLane]) -> bool:
        """What is new for one, and then what of it is due apart from that; true when there may be more at once.

        `lanes` are its own, as the store has them. A record system that is told for the first time is told what happens from
        now on. Raises, when the others are told, what nobody foresaw of one event.
        """
        own, now = {lane.lane: lane for lane in lanes}, self._kit.clock.now()
        if NEW not in own:
            own[NEW] = HookLane(system.id, NEW, await self._kit.store.newest_offset(sorted(system.her_ids)))
            await self._kit.store.keep_hooks([own[NEW]], [])
        walk = _Walk(self._kit, self._facade, self._say, self._terms, system, own)
        more = await walk.along(NEW) if due(own[NEW], now, self._terms) else False
        apart = [lane for name, lane in own.items() if name != NEW and due(lane, now, self._terms)]
        if apart and own[NEW].given_up_at is None:
            longest = min(apart, key=lambda lane: lane.next_at or _LONG_AGO)
            more |= await walk.along(longest.lane) or len(apart) > 1
        if walk.stumbled is not None:
            raise walk.stumbled
        return more


class _Walk:
    """One record system's lanes, walked one at a time; `own` is what is known of them, by name."""

    def __init__(
        self,
        kit: Kit,
        facade: RecordSystems,
        say: Say,
        terms: Terms,
        system: RecordSystem,
        own: dict[str, HookLane],
    ) -> None:
        self._kit, self._facade, self._say, self._terms = kit, facade, say, terms
        self._system, self._own, self._kept = system, own, dict(own)
        self.stumbled: Exception | None = None  #: what nobody foresaw

    async def along(self, name: str) -> bool:
        """Tells what is next in a lane, until something is not taken; true when there may be more at once."""
        begun = self._own[name]
        last = begun.ends if begun.ends is not None else self._own[NEW].told if of_message(begun) else None
        notes = await self._read(begun.told)
        ours = [note for note in notes if last is None or note.offset <= last]
        try:
            rest, outcome = await self._told(name, ours)
        finally:  # also where it is broken off
            await self._keep()
        if outcome is not None:
            return await self._missed(name, rest, outcome)
        ended = not rest and (len(notes) < READ or len(ours) < len(notes))
        if ended and last is not None:
            del self._own[name], self._kept[name]
            await self._kit.store.keep_hooks([], [(self._system.id, name)])
        return not ended

    async def _told(self, name: str, notes: Sequence[Notification]) -> tuple[Sequence[Notification], Outcome | None]:
        """What is left from the first that was not taken, with the outcome; or that there is more than is told at once."""
        told = 0
        for place, note in enumerate(notes):
            lane = self._own[name]
            if not self._is_of(lane, note):
                self._own[name] = replace(lane, told=note.offset)
                continue
            if told == TOLD:
                return notes[place:], None
            outcome = await self._tried(note)
            if outcome.reached is not Reached.YES:
                return notes[place:], outcome
            self._own[name], told = taken(lane, note.offset), told + 1
        return (), None

    def _is_of(self, lane: HookLane, note: Notification) -> bool:
        return about(note) == lane.lane if of_message(lane) else about(note) not in self._own

    async def _tried(self, note: Notification) -> Outcome:
        """An event of which no more can be read is told as far as it is known, lest it holds those behind it for good."""
        try:
            happened = await self._facade.happened(note)
        except ContentLost:
            happened = Happened(note, None, None, None)
        except StoreUnavailable:
            raise
        except Exception as error:
            self.stumbled, happened = self.stumbled or error, Happened(note, None, None, None)
        return await self._say(self._system, happened)

    async def _missed(self, name: str, rest: Sequence[Notification], outcome: Outcome) -> bool:
        now, note = self._kit.clock.now(), rest[0]
        lane = self._own[name] = in_vain(self._own[name], outcome, now, self._kit.dice.fraction(), self._terms)
        if outcome.permanent:
            return await self._stopped(outcome, now)
        if not of_message(lane) and lane.tries >= PATIENCE and await self._others(name, rest):
            return True
        if over(lane, note.at, now, self._terms) and not isinstance(self._kit.clock_watch.now(self._kit.clock), Jumped):
            return await self._given_up(name, rest, now)
        await self._keep()
        return False

    async def _others(self, name: str, rest: Sequence[Notification]) -> bool:
        """Whether an event of another message is taken: then the one before it goes its own way."""
        head, lane = rest[0], self._own[name]
        room = sum(map(of_message, self._own.values())) < APART
        if not room and name != NEW:  # it stands among what is given up, and stays there
            return False
        others = (n for n in rest if about(n) != about(head) and self._is_of(lane, n))
        other = next(others, None)
        if other is None:
            return False
        outcome = await self._tried(other)
        if outcome.reached is not Reached.YES:
            return False
        self._own[name] = taken(lane, other.offset)
        own = replace(lane, lane=about(head), told=head.offset - 1, ends=None)
        if room:
            self._own[own.lane] = own
            await self._keep()
        else:
            now = self._kit.clock.now()
            why = f"{APART} messages are told apart from the others already; of this one: {lane.because}"
            await self._keep(self._left_behind(replace(own, because=why), other.offset - 1, now))
        return True

    async def _given_up(self, name: str, rest: Sequence[Notification], now: datetime) -> bool:
        """What of a message or of a range is left waits for a person. Of what is new all that has had its time."""
        lane = self._own[name]
        if name != NEW:
            self._own[name] = replace(lane, given_up_at=now)
            await self._keep([self._entry(self._own[name], now)])
            return False
        first, last = rest[0].offset - 1, rest[0].offset
        old = now - self._terms.give_up
        notes = rest
        while notes and notes[0].at <= old:
            last = [note for note in notes if note.at <= old][-1].offset
            notes = await self._read(last)
        self._own[NEW] = replace(lane, told=last)
        await self._keep(self._left_behind(replace(lane, told=first), last, now))
        return False

    def _left_behind(self, lane: HookLane, last: int, now: datetime) -> list[Entry]:
        """Events up to `last` are given up, with what was before; a line for the journal where none had been."""
        before = self._own.get(BEHIND)
        if before is not None:
            ends = max(before.ends or 0, last)
            self._own[BEHIND] = replace(before, ends=ends, code=lane.code, because=lane.because)
            return []
        self._own[BEHIND] = made = replace(lane, lane=BEHIND, ends=last, given_up_at=now)
        return [self._entry(made, now)]

    async def _stopped(self, outcome: Outcome, now: datetime) -> bool:
        """The receiver wants nothing any more: nothing is told until a person says so."""
        stopped = replace(self._own[NEW], given_up_at=now, code=outcome.code, because=outcome.because)
        self._own[NEW] = stopped
        await self._keep([self._entry(stopped, now)])
        return False

    async def _read(self, after: int) -> list[Notification]:
        return await self._kit.store.notifications(sorted(self._system.her_ids), after, READ)

    async def _keep(self, journal: Sequence[Entry] = ()) -> None:
        """What has changed since it was read: the rest may have been changed by a person meanwhile."""
        changed = [lane for name, lane in self._own.items() if self._kept.get(name) != lane]
        if changed or journal:
            await self._kit.store.keep_hooks(changed, [], journal)
            self._kept = dict(self._own)

    def _entry(self, lane: HookLane, now: datetime) -> Entry:
        own = lane.lane if of_message(lane) else ""
        return Entry(now, Event.WEBHOOK_GIVEN_UP, "webhook-given-up", f"{lane.system}: {what(lane)}", own)


def about(note: Notification) -> str:
    """What an event keeps its order with: its message; by itself where there is none, as of what was turned away."""
    return note.message_id or note.id


def what(lane: HookLane) -> str:
    """What of a record system's events a lane holds, and what the last try of them met."""
    if of_message(lane):
        held = f"message {lane.lane}, from offset {lane.told + 1}"
    else:
        held = f"from offset {lane.told + 1}" + (f" to {lane.ends}" if lane.ends is not None else " on")
    return f"{held}; {lane.tries} tries in vain, the last: {lane.because}" if lane.because else held


async def retry(system: str, message: str, actor: str, why: str, kit: Kit) -> list[HookLane]:
    """A person has told at once what waits for its time or was given up; `message` empty: all. Raises NotFound."""
    wanted = [lane for lane in await _lanes(system, message, kit) if lane.given_up_at or lane.tries]
    if not wanted:
        raise NotFound(f"nothing of {system}{_named(message)} waits to be told again; see: samhub webhook list")
    now, made = kit.clock.now(), [again(lane) for lane in wanted]
    await kit.store.keep_hooks(made, [], _journal(wanted, "webhook-retried", actor, why, now))
    return made


async def discard(system: str, message: str, actor: str, why: str, kit: Kit) -> list[HookLane]:
    """A person gives up for good what was given up, and later events of it are told as all others. Raises NotFound."""
    wanted = [lane for lane in await _lanes(system, message, kit) if lane.given_up_at and lane.lane != NEW]
    if not wanted:
        raise NotFound(f"nothing of {system}{_named(message)} was given up; see: samhub webhook list")
    dropped = [(lane.system, lane.lane) for lane in wanted]
    await kit.store.keep_hooks([], dropped, _journal(wanted, "webhook-discarded", actor, why, kit.clock.now()))
    return wanted


async def _lanes(system: str, message: str, kit: Kit) -> list[HookLane]:
    return [lane for lane in await kit.store.hooks() if lane.system == system and (not message or lane.lane == message)]


def _named(message: str) -> str:
    return f", message {message}," if message else ""


def _journal(lanes: Iterable[HookLane], code: str, actor: str, why: str, now: datetime) -> list[Entry]:
    return [
        Entry(
            now,
            Event.WEBHOOK,
            code,
            f"{lane.system}: {what(lane)}" + (f": {why}" if why else ""),
            lane.lane if of_message(lane) else "",
            actor=actor,
        )
        for lane in lanes
    ]
