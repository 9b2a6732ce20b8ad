"""Gives every test of the suites each store, transport or door in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from hub.ports import Sender, Store
from ops.partner.aside import Aside
from ops.partner.handles import Pki
from tests.conformance.doors import Hall
from tests.conformance.hall import HALLS, Ground
from tests.conformance.stores import PLACES, Place
from tests.conformance.transports import TRANSPORTS, Transport


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


@pytest_asyncio.fixture(params=list(TRANSPORTS))
async def transport(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Transport]:
    """A way to send with its far side, which takes what comes until it is told something else."""
    made = TRANSPORTS[request.param](tmp_path, lambda: request.getfixturevalue("shared_broker"))
    async with made:
        yield made


@pytest_asyncio.fixture
async def sender(transport: Transport) -> AsyncIterator[Sender]:
    """Its sender, open."""
    async with transport.open() as opened:
        yield opened


@pytest.fixture(params=list(HALLS))
def hall(
    request: pytest.FixtureRequest,
    samhub_hub: Any,
    samhub_partner: Any,
    samhub_samples: Any,
    samhub_pki: Pki,
    _samhub_aside: Aside,
    tmp_path: Path,
) -> Iterator[Hall]:
    """A hub with one door, somebody before it, and a store whose mood can be chosen; in the end it is well."""
    with ExitStack() as stack:
        ground = Ground(
            samhub_hub,
            samhub_partner,
            samhub_samples,
            samhub_pki,
            _samhub_aside,
            lambda: request.getfixturevalue("shared_broker"),
            tmp_path,
            lambda context: stack.callback(_samhub_aside.enter(context)[1]),
        )
        made = HALLS[request.param](ground)
        yield made
        made.store.mood = "well"
