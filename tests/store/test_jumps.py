"""A clock that jumps by hours and weeks ends nothing wrongly, lets nothing wait too long, and keeps no lease for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.store.sqlite import SqliteStore
from hub import delivery, follow_up
from hub.circuit import Circuits
from hub.clock import STANDS, ClockWatch, Steady
from hub.message import Channel, Claimed, DeliveryRecord, Outcome, Parcel, Reached
from hub.ports import DeliveryFilter
from hub.settings import Settings
from hub.states import TRYING, State
from ops.serve.leases import LeaseClock
from tests.conformance import values as v

SETTINGS = Settings(retry_interval_seconds=7200, persist_duration_seconds=86_400, lease_seconds=30)
INTERVAL, LIFE = timedelta(hours=2), timedelta(hours=24)
#: The longest that anything may wait: the agreed interval, stretched.
LONGEST = INTERVAL * 1.2
MOMENT = timedelta(seconds=1)


class HandedIn:
    """Time passes and is set as the test says."""

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
class Silent:
    """The wire: what is sent may have come, and no receipt does."""

    reached: Reached = Reached.MAYBE

    async def send(self, _claimed: Claimed, _parcel: Parcel) -> Outcome:
        return Outcome(self.reached, "unreadable-answer", "no answer came")


class Hub:
    """The parts of one that look at the time, over a real store."""

    def __init__(self, store: SqliteStore) -> None:
        self.clock, self.store, dice = HandedIn(), store, Random(1)
        self.kit: Any = SimpleNamespace(
            store=store,
            clock=self.clock,
            clock_watch=ClockWatch(),
            settings=SETTINGS,
            dice=SimpleNamespace(fraction=dice.random, uuid=lambda: str(dice.random())),
        )
        self.leases, self.circuits = LeaseClock(self.kit), Circuits(1000, delivery.backoff(self.kit))
        self.senders = {Channel.EBXML_HTTP: Silent(), Channel.EBXML_SMTP: Silent(Reached.NO)}
        self.kit.clock_watch.now(self.clock)
        self.held: dict[str, float] = {}  #: what a dead node has, and from when on

    async def promise(self) -> None:
        """Of each kind one: sent and not answered, never reached, in time or never, and one that waits for its AppRec."""
        now = self.clock.now()
        given = {
            "created_at": now,
            "give_up_at": now + LIFE,
            "apprec_due_at": now + 4 * LIFE,
            "retry_interval": INTERVAL,
            "rule": "built-in: answer",  # goes where its question came from: no register is asked
        }
        plain = {**given, "next_at": now, "expires_at": None, "retries": 3, "apprec_due_at": now + 100 * LIFE}
        for more in (
            plain,
            {**plain, "channel": Channel.EBXML_SMTP, "address": v.THERE},
            {**plain, "expires_at": now + LIFE / 2},
            {**given, "state": State.ACKNOWLEDGED, "expires_at": None},
        ):
            made = await v.promised(self.store, **more)
            await self.store.keep_parcel(made.id, v.parcel(), made.eb_message_id)

    async def turn(self, *, dies: bool = False) -> None:
        """One round of all that looks at the time; or the node dies with what it has claimed."""
        await follow_up.compare_clocks(self.kit)
        await follow_up.pull_back(self.kit, self.leases.now())
        await follow_up.watch(self.kit)
        lease = timedelta(seconds=SETTINGS.lease_seconds)
        taken = await self.store.claim(self.clock.now(), 100, lease, v.NOBODY, 100, by=self.leases.now())
        self.held |= {one.delivery.id: self.clock.passed for one in taken if dies}
        for claimed in () if dies else taken:
            await delivery.attempt(claimed, self.kit, self.senders, self.circuits)

    async def all(self) -> dict[str, DeliveryRecord]:
        """Every delivery as it stands."""
        return {one.id: one for one in await self.store.deliveries(DeliveryFilter(limit=1000))}


OPEN = {State.WAITING, State.SENT, State.ACKNOWLEDGED}
steps = st.lists(
    st.tuples(
        st.sampled_from([1, 40, 300, 599, 660, 3600, 9000]).map(lambda s: timedelta(seconds=s)),
        st.sampled_from([0, 0, 0, 2, 30, 24 * 14, -2, -30, -24 * 14]).map(lambda h: timedelta(hours=h)),
        st.booleans(),
    ),
    max_size=14,
)


async def lived(store: SqliteStore, walked: Sequence[tuple[timedelta, timedelta, bool]]) -> None:
    """Goes through the steps: (what passes, by how much the wall clock is set, whether the node dies), looking each time."""
    hub, since = Hub(store), STANDS
    await hub.promise()
    for time, ahead, dies in walked:
        before = await hub.all()
        hub.clock.passes(time, ahead)
        since = timedelta(0) if ahead else since + time
        await hub.turn(dies=dies)
        after = await hub.all()
        ended = [one for one in after if before[one].state in OPEN and after[one].state not in OPEN]
        assert since >= STANDS or not ended, f"ended {since} after a jump: {[after[one] for one in ended]}"
        held = {one for one, at in hub.held.items() if hub.clock.passed - at < SETTINGS.lease_seconds}
        due = {one.id: one.next_at for one in after.values() if one.next_at and one.id not in held}
        far = {one: at for one, at in due.items() if at > hub.clock.now() + LONGEST + MOMENT}
        assert not far, f"waits too long at {hub.clock.now()}: {far}"
    await every_lease_ends(hub)


async def every_lease_ends(hub: Hub) -> None:
    """Whatever the clock has done: after the longest interval all that can be tried has been tried once more, or ended."""
    hub.clock.passes(LONGEST + STANDS)
    tried = {one: d.attempts for one, d in (await hub.all()).items() if d.state in (State.WAITING, State.SENT)}
    await hub.turn()
    after = await hub.all()
    left = {one for one, number in tried.items() if after[one].attempts <= number and after[one].state in TRYING}
    assert not left


@settings(max_examples=25, deadline=None)
@given(steps)
def test_nothing_is_ended_wrongly_nothing_waits_too_long_and_every_lease_ends(
    walked: list[tuple[timedelta, timedelta, bool]],
) -> None:
    """At random moments, forward and back; dead nodes between."""

    async def work() -> None:
        with TemporaryDirectory() as folder:
            async with await SqliteStore.open(Path(folder) / "samhub.db", min_free_bytes=0) as store:
                await lived(store, walked)

    asyncio.run(work())


async def test_a_jump_that_stands_ends_what_is_over_and_is_told_once(tmp_path: Path) -> None:
    """Ten minutes later everything goes its way, and the journal says what was."""
    async with await SqliteStore.open(tmp_path / "samhub.db", min_free_bytes=0) as store:
        hub = Hub(store)
        await hub.promise()
        await hub.turn()
        hub.clock.passes(MOMENT, timedelta(weeks=2))
        for _ in range(3):
            await hub.turn()
            hub.clock.passes(timedelta(minutes=1))
        assert {one.state for one in (await hub.all()).values()} <= OPEN
        hub.clock.passes(STANDS)
        assert isinstance(hub.kit.clock_watch.now(hub.clock), Steady)
        await hub.turn()
        assert sorted(one.state for one in (await hub.all()).values()) == ["dead", "dead", "expired", "overdue"]
        told = [entry for entry in await store.journal() if entry.event == "clock_jumped"]
        assert len(told) == 1 and "on by 14 days" in told[0].because
