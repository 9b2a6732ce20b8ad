"""Attempts at any transport: each is held to what every outcome must be."""

from __future__ import annotations

import asyncio

from hub.codes import REASONS
from hub.message import Outcome, Reached
from hub.ports import Sender
from tests.conformance.letters import ANSWER, CONNECT, CONTENT, PASSWORD, Letter

#: An attempt that connects twice, as some may, and waits for one answer, with some room on a busy machine.
PATIENCE = 2 * CONNECT + ANSWER + 4
#: A far side that has come back is reached by then, whatever waits a kept connection makes between its tries.
SOON = 10.0


async def tried(sender: Sender, letter: Letter) -> Outcome:
    """One attempt: it ends in time, raises nothing, gives a reason of the register, and tells no secret."""
    async with asyncio.timeout(PATIENCE):
        outcome = await sender.send(letter.claimed, letter.parcel)
    assert outcome.code in REASONS, outcome
    assert outcome.because.strip() and "\n" not in outcome.because, outcome
    for secret in (CONTENT, PASSWORD, PASSWORD.partition("/")[0]):
        assert secret not in outcome.because, outcome
    assert not (outcome.permanent and outcome.reached is Reached.MAYBE), "what may have arrived is never given up"
    return outcome


async def reached(sender: Sender, letter: Letter) -> Outcome:
    """An attempt that must succeed at once."""
    outcome = await tried(sender, letter)
    assert (outcome.reached, outcome.permanent) == (Reached.YES, False), outcome
    return outcome


async def soon_reached(sender: Sender, letter: Letter) -> Outcome:
    """Attempts until one succeeds, as the hub makes them."""
    end = asyncio.get_running_loop().time() + SOON
    while (outcome := await tried(sender, letter)).reached is not Reached.YES or outcome.permanent:
        assert asyncio.get_running_loop().time() < end, outcome
        await asyncio.sleep(0.05)
    return outcome
