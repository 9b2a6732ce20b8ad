"""Gives every test of the suite each store in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from hub.ports import Store
from tests.conformance.stores import PLACES, Place


@pytest.fixture(params=sorted(PLACES))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Where a store lies, empty at first; for tests that open it more than once."""
    made = PLACES[request.param](tmp_path)
    yield made
    made.drop()


@pytest_asyncio.fixture
async def store(place: Place) -> AsyncIterator[Store]:
    """An empty store, open; its own invariants are checked when the test ends."""
    async with place.open() as opened:
        yield opened
