"""A fresh store on a real server, opened by as many nodes as a test asks for; it is checked when the test ends."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any

import psycopg
import pytest
import pytest_asyncio

from adapters.store.postgres import PostgresStore
from ops.servers import databases

Open = Callable[..., Awaitable[PostgresStore]]


@pytest.fixture
def url() -> Iterator[str]:
    """An empty store."""
    with databases.database() as made:
        yield made


@pytest_asyncio.fixture
async def node(url: str) -> AsyncIterator[Open]:
    """Opens another node on the same store."""
    async with AsyncExitStack() as stack:

        async def opened(**given: Any) -> PostgresStore:
            return await stack.enter_async_context(await PostgresStore.open(url, min_free_bytes=0, **given))

        yield opened
        assert await (await opened()).check() == []


@pytest.fixture
def other(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection beside the store's own, for locks and looks."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


class Held:
    """A node's durable step `before-commit`, held until it is let go: everything is written, nothing is committed."""

    def __init__(self) -> None:
        self.wanted = False
        self.reached, self._go = threading.Event(), threading.Event()

    def __call__(self, step: str) -> None:
        if self.wanted and step == "before-commit":
            self.wanted = False
            self.reached.set()
            assert self._go.wait(20)

    def let_go(self) -> None:
        """On to the commit."""
        self._go.set()
