"""Fixtures over tests.support.world: one PKI and one hub for a whole session, since each test writes its own messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ops.partner.aside import Aside
from tests.support.world import Keys, World


@pytest.fixture(scope="session")
def aside() -> Iterator[Aside]:
    """The event loop of the hubs, in a thread of its own."""
    own = Aside()
    yield own
    own.close()


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Good and bad certificates."""
    return Keys.made(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, keys: Keys, aside: Aside) -> Iterator[World]:
    """A hub with default settings."""
    made = World(tmp_path_factory.mktemp("world"), keys, aside)
    yield made
    made.close()


@pytest.fixture
def new_world(tmp_path_factory: pytest.TempPathFactory, keys: Keys, aside: Aside) -> Iterator[Callable[..., World]]:
    """Makes hubs with other settings: `new_world(hub={"allow_3des": False})`; `agreements` are texts of CPAs."""
    made: list[World] = []

    def make(**settings: Any) -> World:
        made.append(World(tmp_path_factory.mktemp("world"), keys, aside, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()
