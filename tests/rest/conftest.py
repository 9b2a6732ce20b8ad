"""Hubs whose REST door is asked: an easy one, and one that demands all that EDI 2.0 demands."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ops.partner.aside import Aside
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
    """Asks a hub of national manner."""
    return Caller(national_world)
