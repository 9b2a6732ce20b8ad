"""A hub at a port with two record systems, and clients that others have written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ops.partner.aside import Aside
from ops.serve.run import running
from tests.soap.stand import Stand
from tests.support.fixtures import aside, keys, new_world
from tests.support.hearing import log
from tests.support.world import Keys, World

__all__ = ["aside", "keys", "log", "new_world"]


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory, keys: Keys, aside: Aside) -> Iterator[Stand]:
    """One hub for all of it: each test hands over documents of its own."""
    world = World(tmp_path_factory.mktemp("soap"), keys, aside, http={"port": 0}, hub={"max_message_bytes": 6_000_000})
    url, leave = aside.enter(running(world.hub))
    yield Stand(world, url)
    leave()
    world.close()
