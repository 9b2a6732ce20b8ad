"""The clock of leases: the server's where nodes share a store, and nobody's wall clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from hub.checks.header import lifetime
from hub.clock import ClockWatch
from hub.verdict import PASS, Refuse, Retry
from ops.serve.leases import LeaseClock

NOW = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
LEASE = 30


class Node:
    """One with a wall clock, a monotonic clock and a store whose server has a clock of its own."""

    def __init__(self, wall: datetime, server: datetime | None) -> None:
        self.wall, self.passed, self.server = wall, 0.0, server
        clock = SimpleNamespace(now=lambda: self.wall, monotonic=lambda: self.passed)
        self.kit: Any = SimpleNamespace(
            clock=clock,
            clock_watch=ClockWatch(),
            store=SimpleNamespace(clock=self._clock),
            settings=SimpleNamespace(lease_seconds=LEASE),
        )
        self.leases = LeaseClock(self.kit)
        self.kit.clock_watch.now(clock)

    async def _clock(self) -> datetime | None:
        return self.server

    def passes(self, seconds: float, ahead: timedelta = timedelta(0)) -> None:
        """Everywhere; the wall clock is set by `ahead`."""
        self.passed += seconds
        self.wall += timedelta(seconds=seconds) + ahead
        if self.server is not None:
            self.server += timedelta(seconds=seconds)


@pytest.mark.parametrize("days", [-9, 0, 9])
async def test_nodes_of_different_times_agree_about_leases(days: int) -> None:
    """As soon as each has asked once; whatever becomes of its wall clock."""
    node = Node(NOW + timedelta(days=days), NOW)
    assert not await node.leases.compared()
    assert node.leases.now() == NOW
    node.passes(7, ahead=timedelta(days=days))
    assert node.leases.now() == NOW + timedelta(seconds=7) and node.leases.sure


async def test_an_embedded_store_has_the_monotonic_clock() -> None:
    """From the wall clock of the start on."""
    node = Node(NOW, None)
    node.passes(7, ahead=timedelta(weeks=1))
    assert not await node.leases.compared()
    assert node.leases.now() == NOW + timedelta(seconds=7) and node.leases.sure


@pytest.mark.parametrize("hours", [-1, 1])
async def test_when_the_servers_clock_was_set_nobody_takes_what_others_have(hours: int) -> None:
    """For one lease, in which every node lengthens its own; then all goes on by the new time."""
    node = Node(NOW, NOW)
    await node.leases.compared()
    node.server = NOW + timedelta(hours=hours)
    assert await node.leases.compared()
    assert node.leases.now() == NOW + timedelta(hours=hours) and not node.leases.sure
    node.passes(LEASE)
    assert node.leases.sure and not await node.leases.compared()


@pytest.mark.parametrize(("ahead", "verdict"), [(0, Refuse), (3600, Retry), (-7200, type(PASS))])
def test_a_message_does_not_expire_on_arrival_by_a_clock_that_has_jumped(ahead: int, verdict: type) -> None:
    """It is judged again when the new time has stood, and is no sender's fault until then."""
    node = Node(NOW, None)
    node.passes(1, ahead=timedelta(seconds=ahead))
    ended = SimpleNamespace(time_to_live=NOW - timedelta(minutes=5))
    came: Any = SimpleNamespace(envelope=ended, now=node.wall, late=False)
    assert isinstance(lifetime(came, node.kit), verdict)
