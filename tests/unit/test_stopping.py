"""Who waits can be stopped at every moment: a hub that is told to end does, also when something happens just then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from adapters.amqp.line import Line
from adapters.amqp.settings import AmqpSettings
from adapters.broker import ending
from adapters.ebxml_smtp.relay import Relay
from adapters.ebxml_smtp.settings import RelaySettings
from ops.serve import lanes

Woken = tuple[Callable[[], None], Callable[[], Awaitable[object]]]


def _lane() -> Woken:
    event = asyncio.Event()
    return event.set, lambda: lanes._set(event, 60)


def _line() -> Woken:
    line = Line(AmqpSettings(url="amqp://localhost/BUS"), None, lambda: 0.5, print)  # type: ignore[arg-type]
    return line._there.set, line.session


def _relay() -> Woken:
    relay = Relay(RelaySettings(host="localhost", connections=1))
    relay._free = asyncio.Semaphore(0)
    return relay._free.release, relay._turn


async def test_a_task_that_swallows_its_cancellation_is_ended_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a client of a broker may: it went on for ever, and a hub that was told to end did not."""
    monkeypatch.setattr(ending, "AGAIN", 0.01)
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 3:
                    raise

    async def broken() -> None:
        raise ValueError

    tasks = [asyncio.create_task(stubborn()), asyncio.create_task(broken())]
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await ending.ended(tasks)
    assert swallowed == 3 and all(task.done() for task in tasks)


@pytest.mark.parametrize("woken", [_lane, _line, _relay])
async def test_a_wait_that_is_over_and_stopped_at_once_is_stopped(woken: Callable[[], Woken]) -> None:
    """asyncio.wait_for would go on as if nobody had said so, in Python 3.11."""
    wake, wait = woken()
    task = asyncio.create_task(wait())  # type: ignore[arg-type]
    await asyncio.sleep(0.01)
    wake()
    task.cancel()
    (ended,) = await asyncio.gather(task, return_exceptions=True)
    assert isinstance(ended, asyncio.CancelledError), ended
