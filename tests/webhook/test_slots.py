"""Who is told at once: those that are slow or failed take no place of those that are well, however many they are."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from hub.message import Outcome, RecordSystem
from hub.record_systems.values import Happened
from ops.webhooks import SLOW, Slots
from tests.conformance import values as v
from tests.webhook.receivers import AWAY, EPJ, HER, TAKEN, HandedIn

EVENT = Happened(v.notification(HER), None, None, None)


class Far:
    """Record systems whose answers the test gives."""

    def __init__(self) -> None:
        self.clock, self.open = HandedIn(), dict[str, asyncio.Future[Outcome]]()
        self.slots = Slots(4, self._say, self.clock.monotonic)
        self.tasks: list[Any] = []

    async def _say(self, system: RecordSystem, _: Happened) -> Outcome:
        answer = self.open[system.id] = asyncio.get_running_loop().create_future()
        return await answer

    async def begins(self, *names: str) -> set[str]:
        """An event for each of these; whose requests are open then."""
        self.tasks += [asyncio.create_task(self.slots(replace(EPJ, id=name), EVENT)) for name in names]
        return await self._now()

    async def answers(self, name: str, outcome: Outcome, after: float = 0) -> set[str]:
        """One of them, after so many seconds; whose requests are open then."""
        self.clock.passed += after
        self.open.pop(name).set_result(outcome)
        return await self._now()

    async def _now(self) -> set[str]:
        for _ in range(10):
            await asyncio.sleep(0)
        return set(self.open)

    async def ends(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def test_those_that_hang_are_as_many_as_may_and_leave_the_others_their_places() -> None:
    """Each costs a place of those that are well once; from then on they wait for each other only."""
    far, hanging = Far(), [f"hangs {n}" for n in range(4)]
    assert await far.begins(*hanging) == set(hanging)
    for name in hanging:
        await far.answers(name, AWAY, after=10)
    assert await far.begins(*hanging) == {hanging[0]}
    assert await far.begins("well", "also well") == {hanging[0], "well", "also well"}
    assert await far.answers(hanging[0], AWAY) == {hanging[1], "well", "also well"}
    await far.ends()


async def test_who_answers_slowly_is_told_beside_the_others_until_it_is_quick_again() -> None:
    far = Far()
    for name in ("slow", "slower"):
        await far.begins(name)
        await far.answers(name, TAKEN, after=SLOW + 1)
    assert await far.begins("slow", "slower") == {"slow"}
    assert await far.answers("slow", TAKEN, after=SLOW / 2) == {"slower"}
    assert await far.begins("slow") == {"slow", "slower"}
    await far.ends()
