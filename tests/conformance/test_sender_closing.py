"""A sender is closed in time, whatever it is about and whoever is not there any more."""

from __future__ import annotations

import asyncio

import pytest

from hub.message import Outcome, Reached
from tests.conformance.attempts import PATIENCE, reached, tried
from tests.conformance.transports import Transport

#: Closing takes no longer than a goodbye that nobody answers.
CLOSED = 5.0


@pytest.mark.parametrize("trouble", ["take", "gone", "never", "later", "dies", "silent"])
async def test_idle_it_is_closed_in_time(transport: Transport, trouble: str) -> None:
    """Also when the other side has become difficult since."""
    async with transport.open() as sender:
        await reached(sender, transport.letter())
        await getattr(transport, trouble)()
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < CLOSED


@pytest.mark.parametrize("trouble", ["take", "gone"])
async def test_without_ever_having_sent_it_is_closed_in_time(transport: Transport, trouble: str) -> None:
    """Whether anybody is there or not."""
    await getattr(transport, trouble)()
    async with transport.open():
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < CLOSED


async def test_under_way_it_is_closed_in_time_and_the_attempt_ends(transport: Transport) -> None:
    """With an outcome that is not a yes: nobody has said so."""
    async with transport.open() as sender:
        await reached(sender, transport.letter())
        letter = transport.letter()
        await transport.silent()
        attempt = asyncio.create_task(tried(sender, letter))
        await asyncio.sleep(0.2)
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < CLOSED
    async with asyncio.timeout(PATIENCE):
        outcome = await attempt
    assert isinstance(outcome, Outcome) and outcome.reached is not Reached.YES and not outcome.permanent, outcome
