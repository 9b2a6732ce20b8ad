"""What a hub does by itself never ends unnoticed: it is told, counted, begun again, and where it keeps ending the process is not live."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from hub.ports import NodeRecord
from ops.serve import app, duties
from ops.serve.duties import TOO_OFTEN, Duties


async def returns() -> None:
    """As a loop does whose condition nobody thought of."""


async def fails() -> None:
    """With words that may hold content."""
    raise LookupError("Line Danser, 13116900216")


async def cancels_itself() -> None:
    """As a library does that passes a cancellation on to the wrong one."""
    raise asyncio.CancelledError


ENDS = pytest.mark.parametrize("work", [returns, fails, cancels_itself], ids=lambda work: work.__name__)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> CollectorRegistry:
    """And no waiting."""
    monkeypatch.setattr(duties, "FIRST", 0.0)
    return CollectorRegistry()


async def ended_often(made: Duties, work: Callable[[], Awaitable[object]], times: int) -> list[Any]:
    """The log of a duty that ends so often, and then does not."""
    lives, goes_on = 0, asyncio.Event()

    async def life() -> None:
        nonlocal lives
        lives += 1
        if lives <= times:
            await work()
        else:
            goes_on.set()
            await asyncio.sleep(3600)

    with capture_logs() as told:
        task = made.begin("one", life)
        async with asyncio.timeout(10):
            await goes_on.wait()
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()
    return told


@ENDS
async def test_what_ends_is_told_counted_and_begun_again(
    registry: CollectorRegistry, work: Callable[[], Awaitable[object]]
) -> None:
    """However it ended; in words without content."""
    told = await ended_often(Duties(registry), work, 3)
    assert [(line["event"], line["log_level"], line["times"]) for line in told] == [
        ("duty-ended", "error", n) for n in (1, 2, 3)
    ]
    assert registry.get_sample_value("samhub_duty_ended_total", {"duty": "one"}) == 3
    assert "Danser" not in str(told)


@pytest.mark.parametrize(("times", "status"), [(TOO_OFTEN - 1, 200), (TOO_OFTEN, 503)])
async def test_a_process_whose_duty_keeps_ending_is_neither_live_nor_ready(
    registry: CollectorRegistry, times: int, status: int
) -> None:
    """And says which; once is not often."""
    made, asked = Duties(registry), []

    async def writable() -> bool:
        return True

    async def proven(_: float) -> bool:
        return True

    kit = SimpleNamespace(store=SimpleNamespace(writable=writable, proven=proven))
    node = NodeRecord("one", "", datetime.now(UTC), datetime.now(UTC))
    health = app._Health(kit, registry, made, lambda: node)  # type: ignore[arg-type]

    async def work() -> None:
        asked.append([(await ask(None)).status_code for ask in (health.live, health.ready)])  # type: ignore[arg-type]

    await ended_often(made, work, times + 1)
    assert asked[-1] == [status, status]


async def test_what_has_not_ended_again_for_a_while_is_well(
    registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that could not go on for a minute is not taken out of service for ever."""
    monkeypatch.setattr(duties, "GOOD_LIFE", 0.0)
    made = Duties(registry)
    await ended_often(made, fails, TOO_OFTEN)
    await asyncio.sleep(0)
    assert made.ending == []


async def test_told_to_end_it_ends(registry: CollectorRegistry) -> None:
    """Also where the work swallows it."""

    async def stubborn() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return

    task = Duties(registry).begin("one", stubborn)
    await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait([task])
    assert task.cancelled()
