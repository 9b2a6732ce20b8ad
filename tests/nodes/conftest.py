"""Recovery times of the faults, told at the end of the run; keys and a database for each fleet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from ops.partner.handles import Pki
from ops.servers.databases import database
from tests.nodes.fleet import nurseries
from tests.support.last_words import say

Told = Callable[[str, float], None]


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Example certificates."""
    return Pki.made(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session", autouse=True)
def _nurseries() -> Iterator[None]:
    """Ends where hubs are born, once the last fleet is gone."""
    yield
    nurseries().close()


@pytest.fixture
def store_url() -> Iterator[str]:
    """An empty place in a PostgreSQL."""
    with database() as url:
        yield url


@pytest.fixture
def recovery() -> Told:
    """Tells how long something took to be well again after a fault, in seconds since `since` (time.monotonic)."""

    def told(fault: str, since: float) -> None:
        say("recovery times", f"{fault}: {time.monotonic() - since:.1f} s")

    return told
