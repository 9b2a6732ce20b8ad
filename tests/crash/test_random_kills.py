"""Killed at random moments while messages go both ways, a hub loses nothing, doubles nothing and keeps every promise."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

from ops.partner.handles import Pki
from tests.crash.village import DOCTOR, GOOD, NURSING, PHYSIO, Nursery, Village, village

#: How many times the power goes; more by SAMHUB_CRASH_ROUNDS.
ROUNDS = int(os.environ.get("SAMHUB_CRASH_ROUNDS", "12"))
#: How many of each kind are under way at once.
AT_ONCE = 3


def _actors(here: Village) -> list[Callable[[], Awaitable[object]]]:
    """All that goes on in the village, one call a message."""

    async def puts_into_outbox() -> None:
        here.put_into_outbox(GOOD)
        await here.until(lambda: not list((here.physio / "outbox").glob("*.xml")), "the outbox to be emptied")

    return [
        lambda: here.hand_over(DOCTOR, GOOD, "henvisning"),
        lambda: here.hand_over(NURSING, GOOD, padding=300_000),
        lambda: here.partner_sends(DOCTOR),
        lambda: here.partner_sends(NURSING, "dialog-svar", padding=300_000),
        lambda: here.partner_sends(PHYSIO),
        puts_into_outbox,
    ]


async def _all(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.gather(*tasks)


async def test_killed_at_random_under_load_nothing_is_lost_and_nothing_doubled(
    tmp_path: Path, pki: Pki, nursery: Nursery
) -> None:
    """Many kill -9 while both directions are loaded; then all that was promised is counted."""
    dice = random.Random(os.environ.get("SAMHUB_CRASH_SEED", "samhub"))
    going = True

    async def busy(act: Callable[[], Awaitable[object]]) -> None:
        while going:
            await act()

    async with village(tmp_path, pki, nursery, hub={"lease_seconds": 2.0}) as here:
        actors = [asyncio.create_task(busy(act)) for act in _actors(here) for _ in range(AT_ONCE)]
        for _ in range(ROUNDS):
            await here.life.ready()
            await asyncio.sleep(dice.uniform(0.05, 1.0))
            here.life.check()
            here.life.kill()
        await here.until(lambda: here.life.deaths == ROUNDS, "the last of its deaths")
        await here.until(lambda: min(len(here.sent), len(here.got)) > ROUNDS, "messages both ways")
        going = False
        await here.life.through(_all(actors))
        await here.rest()
    await here.count()
