"""Random verbs in random order: a store behaves like a simple model that keeps everything in dictionaries."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from hub.events import Entry, Notification
from hub.message import Arrival, DeliveryRecord, Outcome, Parcel
from hub.ports import (
    Applied,
    ArrivalFilter,
    ArrivalRecord,
    AttemptRecord,
    Change,
    Claim,
    Conflict,
    DeliveryFilter,
    Lane,
    Store,
    Taken,
    Word,
)
from hub.states import MOVES, TRYING, Move, State, after, allowed
from tests.conformance import values as v
from tests.conformance.stores import PLACES, Place
from tests.support.sample import Sampling

ADDRESSES = (v.HERE, v.THERE, "http://third.invalid/ebxml")
RECEIVERS = ("8000102", "8000202")


@dataclass
class Model:
    """What a store must remember, in the plainest words."""

    claims: dict[str, Taken] = field(default_factory=dict)
    arrivals: dict[str, ArrivalRecord] = field(default_factory=dict)
    deliveries: dict[str, DeliveryRecord] = field(default_factory=dict)
    attempts: dict[str, list[AttemptRecord]] = field(default_factory=dict)
    leases: dict[str, datetime] = field(default_factory=dict)
    duties: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    bookmarks: dict[str, int] = field(default_factory=dict)
    parcels: dict[str, Parcel] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)
    journal: list[Entry] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)

    def apply(self, change: Change) -> Applied | Taken | Conflict:
        """Claims, then moves, then everything."""
        for claim in change.claims:
            if claim.key in self.claims:
                return self.claims[claim.key]
        moved = self.deliveries | {d.id: d for d in change.deliveries}
        for order in change.moves:
            standing = moved[order.delivery_id]
            if not allowed(standing.state, order.move):
                return Conflict(order.delivery_id, standing.state)
            moved[order.delivery_id] = replace(
                standing,
                state=after(order.move),
                next_at=order.next_at,
                code=order.code,
                because=order.because,
                changed_at=order.at,
                failures=standing.failures if order.failures is None else order.failures,
                said=standing.said if order.said is None else order.said,
                interval_from=order.interval_from or standing.interval_from,
                lost=standing.lost if order.lost is None else order.lost,
            )
        for word in change.words:
            moved[word.delivery_id] = replace(moved[word.delivery_id], said=word.said)
        self._keep(change, moved)
        return Applied()

    def _keep(self, change: Change, deliveries: dict[str, DeliveryRecord]) -> None:
        self.deliveries = deliveries
        arrival_id = change.arrival.arrival.id if change.arrival else ""
        first = change.messages[0].record.id if change.messages else ""
        self.claims |= {c.key: Taken(c.key, c.digest, arrival_id, first) for c in change.claims}
        if change.arrival:
            self.arrivals[arrival_id] = change.arrival
        self.documents |= {new.record.id: new.document for new in change.messages}
        self.journal += change.journal
        self.notifications += change.notifications

    def due(self, now: datetime) -> list[DeliveryRecord]:
        """In the order in which they must be taken, where no two fell due at once."""
        waiting = [d for d in self.deliveries.values() if d.state in TRYING and d.next_at is not None]
        due = [d for d in waiting if d.next_at <= now]  # type: ignore[operator]
        return sorted(due, key=lambda d: (d.priority, d.next_at))

    def lanes(self, now: datetime) -> list[Lane]:
        """Each address with what is due to it, the most urgent first."""
        urgent: dict[str, int] = {}
        for one in self.due(now):
            urgent.setdefault(one.address, one.priority)
        return [Lane(address, priority) for priority, address in sorted((p, a) for a, p in urgent.items())]

    def chosen(
        self, now: datetime, limit: int, most: Mapping[str, int], single: frozenset[str]
    ) -> list[DeliveryRecord]:
        """Those of them that may be taken, `most` of each address under way at once; of a single one's that whose turn it is."""
        chosen: list[DeliveryRecord] = []
        due = self.due(now)
        turns = {a: self._turn([d for d in due if d.address == a]) for a in single}
        for one in (d for d in due if d.address not in single or d.id == turns[d.address]):
            leased = sum(until > now and self.deliveries[d].address == one.address for d, until in self.leases.items())
            same = sum(c.address == one.address for c in chosen)
            if leased + same < most[one.address] and len(chosen) < limit:
                chosen.append(one)
        return chosen

    def _turn(self, due: list[DeliveryRecord]) -> str:
        """Of each priority the one that has been due longest; among these the least tried, then the most urgent."""
        first = {d.priority: d for d in reversed(due)}.values()
        return min(first, key=lambda d: (d.attempts, d.priority)).id if due else ""

    def begin(self, one: DeliveryRecord, now: datetime, lease: timedelta) -> DeliveryRecord:
        """An attempt, recorded and leased."""
        begun = replace(one, attempts=one.attempts + 1, next_at=now + lease)
        self.deliveries[one.id] = begun
        self.leases[one.id] = now + lease
        self.attempts.setdefault(one.id, []).append(AttemptRecord(one.id, begun.attempts, now, None, "", "", ""))
        return begun

    def end(self, delivery_id: str, number: int, outcome: Outcome, at: datetime) -> None:
        """An attempt completed."""
        tries = self.attempts[delivery_id]
        begun = tries[number - 1]
        tries[number - 1] = replace(
            begun, ended_at=at, reached=outcome.reached, code=outcome.code, because=outcome.because
        )
        if number == len(tries):
            self.leases.pop(delivery_id, None)

    def extend(self, delivery_id: str, until: datetime) -> None:
        """A lease lengthened; the next time with it, where it is the lease's own."""
        lease, one = self.leases.get(delivery_id), self.deliveries[delivery_id]
        if lease is not None and lease < until:
            self.leases[delivery_id] = until
            if one.next_at == lease:
                self.deliveries[delivery_id] = replace(one, next_at=until)

    def lead(self, duty: str, node: str, now: datetime, until: datetime) -> bool:
        """Free, ours, or its time is over."""
        holder, over = self.duties.get(duty, (node, now))
        if holder != node and over > now:
            return False
        self.duties[duty] = (node, until)
        return True

    def undecided(self, now: datetime, limit: int, lease: timedelta) -> list[Arrival]:
        """Those whose time has come, the oldest first."""
        found = [a for a in self.arrivals.values() if a.state == "undecided" and a.next_at and a.next_at <= now]
        chosen = sorted(found, key=lambda a: a.next_at or now)[:limit]
        self.arrivals |= {a.arrival.id: replace(a, next_at=now + lease) for a in chosen}
        return [a.arrival for a in chosen]

    def counts(self) -> dict[str, int]:
        """How many stand where."""
        found = {str(state): 0 for state in State}
        for delivery in self.deliveries.values():
            found[delivery.state] += 1
        for arrival in self.arrivals.values():
            key = f"arrival:{arrival.state}"
            found[key] = found.get(key, 0) + 1
        return found


class Verbs(RuleBasedStateMachine):
    """Runs the same verbs on a store and on the model. Every instant is another, so that every order is certain."""

    make_place: Callable[[Path], Place]

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._folder = tempfile.TemporaryDirectory(prefix="samhub-model-")
        self._place = self.make_place(Path(self._folder.name))
        self._stack = AsyncExitStack()
        self.store: Store = self._run(self._stack.enter_async_context(self._place.open()))
        self.model, self.now = Model(), v.NOW

    def _run(self, work: Any) -> Any:
        return self._runner.run(work)

    def teardown(self) -> None:
        """The store is checked as it is closed."""
        try:
            self._run(self._stack.aclose())
        finally:
            self._runner.close()
            self._place.drop()
            self._folder.cleanup()

    def _tick(self, seconds: float = 0) -> datetime:
        self.now += timedelta(seconds=seconds, microseconds=1000)
        return self.now

    def _apply(self, change: Change) -> None:
        assert self._run(self.store.apply(change)) == self.model.apply(change)

    @rule(
        key=st.sampled_from("abcdef"),
        priority=st.sampled_from((0, 5, 9)),
        address=st.sampled_from(ADDRESSES),
        count=st.integers(1, 3),
        large=st.booleans(),
    )
    def accept(self, key: str, priority: int, address: str, count: int, large: bool) -> None:
        """A message with its arrival, a claim that may have been taken, and one to three deliveries."""
        record, message = v.arrival_record(arrival=v.arrival(received_at=self._tick())), v.message()
        due = {"priority": priority, "address": address}
        change = v.accepted(
            b"large" * 60_000 if large else key.encode(),
            record=replace(message, arrival_id=record.arrival.id),
            claims=(Claim(f"{key}{len(self.model.claims) // 4}", key),),
            deliveries=tuple(v.delivery(message.id, next_at=self._tick(), **due) for _ in range(count)),
        )
        self._apply(replace(change, arrival=record, notifications=(v.notification(RECEIVERS[0], message.id),)))

    @rule(after=st.floats(0, 300))
    def accept_undecided(self, after: float) -> None:
        """An arrival that cannot be judged yet."""
        record = v.arrival_record("undecided", next_at=self._tick() + timedelta(seconds=after), answer=b"")
        self._apply(Change(arrival=record))

    @rule(data=st.data(), what=st.sampled_from(Move), wait=st.floats(0, 300))
    @precondition(lambda self: self.model.deliveries)
    def move(self, data: st.DataObject, what: Move, wait: float) -> None:
        """Any move of any delivery, allowed or not."""
        self._apply(Change(moves=(self._order(data, what, wait),), journal=(v.entry(because=str(what)),)))

    @rule(data=st.data(), moves=st.lists(st.sampled_from(Move), min_size=2, max_size=4))
    @precondition(lambda self: self.model.deliveries)
    def moves_together(self, data: st.DataObject, moves: list[Move]) -> None:
        """Several moves in one change, with a word to a record system: all or none."""
        orders = tuple(self._order(data, what, 5) for what in moves)
        self._apply(Change(moves=orders, notifications=(v.notification(RECEIVERS[1]),)))

    def _order(self, data: st.DataObject, what: Move, wait: float) -> Any:
        chosen = data.draw(st.sampled_from(sorted(self.model.deliveries)))
        next_at = self._tick() + timedelta(seconds=wait) if MOVES[what][1] in TRYING else None
        more = data.draw(
            st.sampled_from(
                [
                    {},
                    {"failures": 2},
                    {"said": "they say so"},
                    {"said": "", "failures": 0},
                    {"interval_from": v.NOW, "lost": 3},
                ]
            )
        )
        return v.move(chosen, what, at=self.now, next_at=next_at, **more)

    @rule(data=st.data(), said=st.text(st.characters(exclude_categories=["C"]), max_size=20))
    @precondition(lambda self: self.model.deliveries)
    def hear(self, data: st.DataObject, said: str) -> None:
        """Words of a partner that move nothing."""
        chosen = data.draw(st.sampled_from(sorted(self.model.deliveries)))
        self._apply(Change(words=(Word(chosen, said),)))

    @rule(
        limit=st.integers(1, 5),
        per_address=st.integers(1, 3),
        skip=st.frozensets(st.sampled_from(ADDRESSES), max_size=2),
        single=st.frozensets(st.sampled_from(ADDRESSES), max_size=2),
        only=st.none() | st.frozensets(st.sampled_from(ADDRESSES), max_size=2),
        lease=st.integers(1, 60),
        wait=st.floats(0, 120),
    )
    def claim(
        self,
        limit: int,
        per_address: int,
        skip: frozenset[str],
        single: frozenset[str],
        only: frozenset[str] | None,
        lease: int,
        wait: float,
    ) -> None:
        """Takes up what is due; each delivery taken gets another lease, so that no two fall due at once."""
        now, length = self._tick(wait), timedelta(seconds=lease)
        most = {a: 0 if a in skip else 1 if a in single else per_address for a in ADDRESSES}
        if only is not None:
            most = {a: most[a] if a in only else 0 for a in ADDRESSES}
        expected = self.model.chosen(now, limit, most, single)
        assert self._run(self.store.lanes(now, 10)) == self.model.lanes(now)
        found = self._run(self.store.claim(now, limit, length, skip, per_address, single=single, only=only))
        assert [one.delivery.id for one in found] == [one.id for one in expected]
        begun = [self.model.begin(one, now, length) for one in expected]
        assert [(one.delivery, one.attempt) for one in found] == [(one, one.attempts) for one in begun]
        assert [one.parcel for one in found] == [self.model.parcels.get(one.id) for one in begun]
        for one in begun:  # several with one lease would fall due together; a person's move tells them apart
            if allowed(one.state, Move.HAND_OVER):
                order = v.move(one.id, Move.HAND_OVER, at=now, next_at=self._tick() + length)
                self._apply(Change(moves=(order,)))

    @rule(data=st.data(), what=st.sampled_from((Move.ACKNOWLEDGE, Move.TRY_AGAIN, Move.HAND_OVER, Move.GIVE_UP)))
    @precondition(lambda self: self.model.attempts)
    def settle(self, data: st.DataObject, what: Move) -> None:
        """An attempt comes home, in its time or late; when its move is refused only the attempt is noted."""
        chosen = data.draw(st.sampled_from(sorted(self.model.attempts)))
        number = data.draw(st.integers(1, len(self.model.attempts[chosen])))
        next_at = self._tick(1) + timedelta(seconds=7) if MOVES[what][1] in TRYING else None
        change = Change(moves=(v.move(chosen, what, at=self.now, next_at=next_at),))
        for one in (change, Change()):
            done = self._run(self.store.settle(chosen, number, v.outcome(), self.now, one))
            assert done == self.model.apply(one)
            if isinstance(done, Applied):
                return self.model.end(chosen, number, v.outcome(), self.now)
        return None

    @rule(data=st.data(), seconds=st.integers(1, 90))
    @precondition(lambda self: self.model.deliveries)
    def extend(self, data: st.DataObject, seconds: int) -> None:
        """Any delivery's lease, whether it has one or not; never two the same."""
        chosen, until = data.draw(st.sampled_from(sorted(self.model.deliveries))), self._tick()
        until += timedelta(seconds=seconds)
        self._run(self.store.extend([chosen], until))
        self.model.extend(chosen, until)

    @rule(
        duty=st.sampled_from("xy"), node=st.sampled_from(("one", "two")), term=st.integers(0, 60), wait=st.floats(0, 40)
    )
    def lead(self, duty: str, node: str, term: int, wait: float) -> None:
        """Two nodes ask for two duties."""
        now, length = self._tick(wait), timedelta(seconds=term)
        assert self._run(self.store.lead(duty, node, now, length)) == self.model.lead(duty, node, now, now + length)

    @rule(name=st.sampled_from("ab"), value=st.integers(0, 9))
    def keep_bookmark(self, name: str, value: int) -> None:
        """Forward, or not at all."""
        self._run(self.store.keep_bookmark(name, value))
        self.model.bookmarks[name] = max(value, self.model.bookmarks.get(name, 0))
        assert self._run(self.store.bookmark(name)) == self.model.bookmarks[name]

    @rule(data=st.data(), size=st.sampled_from((0, 10, 300_000)))
    @precondition(lambda self: self.model.deliveries)
    def keep_parcel(self, data: st.DataObject, size: int) -> None:
        """Sealed once; who seals again is told what was kept."""
        chosen = data.draw(st.sampled_from(sorted(self.model.deliveries)))
        sealed = v.parcel(b"x" * size + str(self._tick()).encode())
        kept = self.model.parcels.setdefault(chosen, sealed)
        name = self.model.deliveries[chosen].eb_message_id
        assert self._run(self.store.keep_parcel(chosen, sealed, name)) == kept

    @rule(limit=st.integers(1, 3), lease=st.integers(1, 60), wait=st.floats(0, 200))
    def judge_again(self, limit: int, lease: int, wait: float) -> None:
        """What could not be judged comes back and is decided."""
        now, length = self._tick(wait), timedelta(seconds=lease)
        expected = self.model.undecided(now, limit, length)
        assert self._run(self.store.undecided(now, limit, length)) == expected
        for arrival in expected:
            self._apply(Change(arrival=ArrivalRecord(arrival, "accepted", "accepted", "now proven", 200)))

    @rule()
    def open_again(self) -> None:
        """Closed, checked, and opened again: nothing is different."""
        self._run(self._stack.aclose())
        self.store = self._run(self._stack.enter_async_context(self._place.open()))

    @invariant()
    def both_tell_the_same(self) -> None:
        """Deliveries, attempts, counts, journal and notifications."""
        self._run(self._compare())

    async def _compare(self) -> None:
        store, model = self.store, self.model
        found = await store.deliveries(DeliveryFilter(limit=10_000))
        assert {d.id: d for d in found} == model.deliveries
        assert await store.counts() == model.counts()
        assert await store.journal(limit=10_000) == model.journal
        told = await store.notifications(RECEIVERS, 0, 10_000)
        assert [replace(n, offset=0) for n in told] == model.notifications
        assert [n.offset for n in told] == sorted({n.offset for n in told})

    @rule()
    def look_at_everything(self) -> None:
        """The slower questions: every claim, arrival, document, parcel and attempt."""
        self._run(self._look())

    async def _look(self) -> None:
        store, model = self.store, self.model
        found = await store.arrivals(ArrivalFilter(limit=10_000))
        assert {a.arrival.id: a for a in found} == model.arrivals
        for key, taken in model.claims.items():
            assert await store.earlier(key) == (taken, model.arrivals.get(taken.arrival_id))
        for delivery in model.deliveries:
            assert await store.attempts(delivery) == model.attempts.get(delivery, [])
            assert await store.parcel(delivery) == model.parcels.get(delivery)
        for message, document in model.documents.items():
            assert await store.document(message) == document
        missing = {d.id for d in await store.missing_apprecs(v.later(3600), 10_000)}
        assert missing == {d.id for d in model.deliveries.values() if allowed(d.state, Move.MISS)}


def _machine(make: Callable[[Path], Place]) -> type[Verbs]:
    return type("VerbsOf", (Verbs,), {"make_place": staticmethod(make)})


#: Of the examples, where a run takes a sample.
SHARE = 0.3
STORES: Mapping[str, Callable[[Path], Place]] = PLACES


@pytest.mark.parametrize("name", sorted(STORES))
def test_a_store_behaves_like_the_model(name: str, sampling: Sampling) -> None:
    """Whatever is done in whatever order."""
    chosen = settings(
        max_examples=sampling.count(40, SHARE),
        stateful_step_count=40,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    run_state_machine_as_test(_machine(STORES[name]), settings=chosen)
