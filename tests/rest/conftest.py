"""Hubs whose REST door is asked: an easy one, and one that demands all that EDI 2.0 demands."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ops.partner.aside import Aside
from ops.serve.run import running
from tests.rest.caller import Caller
from tests.support.fixtures import aside, keys, new_world, world
from tests.support.world import Keys, World

__all__ = ["aside", "keys", "new_world", "world"]


@pytest.fixture
def easy(world: World) -> Caller:
    """Asks a hub with default settings."""
    return Caller(world)


@pytest.fixture(scope="session")
def national_world(tmp_path_factory: pytest.TempPathFactory, keys: Keys, aside: Aside) -> Iterator[World]:
    """A hub of national manner."""
    made = World(tmp_path_factory.mktemp("national"), keys, aside, rest={"manner": "national"})
    yield made
    made.close()


@pytest.fixture
def national(national_world: World) -> Caller:
    """Asks a hub of national manner, of which each record system has said that it is there (A11.1)."""
    asks = Caller(national_world)
    asks.say_all()
    return asks


#: Short enough that nobody waits for them, long enough for a busy machine.
QUICK = {"look_seconds": 0.02, "heartbeat_seconds": 0.05, "streams": 3, "stalled_seconds": 0.5}


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, keys: Keys, aside: Aside) -> Iterator[tuple[World, str]]:
    """A hub of easy manner on a socket, and its URL."""
    made = World(tmp_path_factory.mktemp("served"), keys, aside, rest=QUICK, http={"port": 0})
    url, leave = aside.enter(running(made.hub))
    yield made, url
    leave()
    made.close()
