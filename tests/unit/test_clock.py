"""Whether the clock is trusted: it is, until it goes another way than the monotonic one, and again when it has stood."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.circuit import Circuits
from hub.clock import JUMP, STANDS, ClockWatch, Jumped, Steady
from hub.retry import Backoff

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
MOMENT = timedelta(seconds=1)


class HandedIn:
    """Time passes and is set as a test says."""

    def __init__(self) -> None:
        self._now, self._passed = NOW, 0.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._passed

    def passes(self, time: timedelta, ahead: timedelta = timedelta(0)) -> None:
        """So much passes, while the wall clock is set by `ahead`."""
        self._now += time + ahead
        self._passed += time.total_seconds()


def trusted(watch: ClockWatch, clock: HandedIn) -> bool:
    """Whether it is, now."""
    return isinstance(watch.now(clock), Steady)


durations = st.floats(0, 10 * STANDS.total_seconds()).map(lambda s: timedelta(seconds=s))
sets = st.one_of(
    st.just(timedelta(0)),
    st.floats(-1e6, 1e6).filter(lambda s: abs(s) > JUMP.total_seconds() + 1).map(lambda s: timedelta(seconds=s)),
)


@given(st.lists(st.tuples(durations, sets), max_size=40))
def test_it_is_trusted_when_no_jump_is_younger_than_ten_minutes(steps: list[tuple[timedelta, timedelta]]) -> None:
    """Whatever came before, in either direction; and each jump is told once, by how much it was."""
    watch, clock, since = ClockWatch(), HandedIn(), STANDS
    assert trusted(watch, clock)
    for time, ahead in steps:
        clock.passes(time, ahead)
        since = timedelta(0) if ahead else since + time
        if abs(since - STANDS) > MOMENT:
            assert trusted(watch, clock) == (since > STANDS)
        else:
            watch.now(clock)
    told = watch.untold()
    assert [round(jump.by.total_seconds()) for jump in told] == [round(a.total_seconds()) for _, a in steps if a]
    watch.told(told)
    assert watch.untold() == ()


@pytest.mark.parametrize("ahead", [29, -29], ids=["on", "back"])
def test_what_is_drawn_nearer_slowly_is_no_jump_and_a_sum_of_small_ones_is(ahead: int) -> None:
    """A time service that slews draws a clock on by seconds in hours; one that is set by 29 s again and again jumps."""
    watch, clock = ClockWatch(), HandedIn()
    watch.now(clock)
    for _ in range(100):
        clock.passes(STANDS + MOMENT, timedelta(seconds=ahead) / 10)
        assert trusted(watch, clock)
    for _ in range(2):
        clock.passes(MOMENT, timedelta(seconds=ahead))
    assert not trusted(watch, clock)


def test_a_machine_that_slept_has_jumped() -> None:
    """Its monotonic clock slept too: that the hub looked away is nobody's fault but the hub's."""
    watch, clock = ClockWatch(), HandedIn()
    watch.now(clock)
    clock.passes(MOMENT, timedelta(hours=8))
    found = watch.now(clock)
    assert isinstance(found, Jumped) and found.by == timedelta(hours=8)
    assert found.left(clock.monotonic()) == STANDS


@pytest.mark.parametrize("hours", [-48, -1, 0], ids=["days-back", "an-hour-back", "steady"])
def test_a_circuit_is_open_no_longer_than_its_longest_time(hours: int) -> None:
    """Whatever the clock was when it opened."""
    backoff = Backoff(timedelta(seconds=20), longest=timedelta(minutes=30))
    circuits = Circuits(1, backoff)
    circuits.failed("http://there.invalid", NOW, 0.5)
    left_alone = circuits.open_addresses(NOW + timedelta(hours=hours))
    assert left_alone == (frozenset() if hours else {"http://there.invalid"})
