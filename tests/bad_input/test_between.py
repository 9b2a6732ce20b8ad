"""When something always comes between, nothing is kept, and then nothing is promised either."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hub import intake, submission
from hub.errors import StoreUnavailable
from hub.message import Arrival
from hub.ports import Change, Conflict
from tests.support.letters import business
from tests.support.world import DOCTOR, PARTNER, World


class _Restless:
    """A store in which each change finds that another came before it."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def apply(self, change: Change) -> Conflict:
        self.asked += 1
        return Conflict("delivery", "done")


def test_a_message_is_not_acknowledged_when_nothing_of_it_could_be_kept(world: World) -> None:
    restless = _Restless(world.hub.kit.store)
    kit = replace(world.hub.kit, store=restless)  # type: ignore[arg-type]
    letter = business(world.post_to, world.sample().document)
    arrival = Arrival("restless", "ebxml_http", world.clock.now(), letter.headers, letter.body)
    with pytest.raises(StoreUnavailable):
        world.run(intake.receive(arrival, kit))
    assert restless.asked == intake.ROUNDS


def test_a_document_is_not_taken_when_nothing_of_it_could_be_kept(world: World) -> None:
    kit = replace(world.hub.kit, store=_Restless(world.hub.kit.store))  # type: ignore[arg-type]
    document = world.sample(sender=DOCTOR, receiver=PARTNER).document
    arrival = Arrival("restless", "rest", world.clock.now(), {}, document, "legesenter")
    with pytest.raises(StoreUnavailable):
        world.run(submission.submit(arrival, kit))
