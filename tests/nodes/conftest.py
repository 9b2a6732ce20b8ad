"""Recovery times of the faults, told at the end of the run; keys and a database for each fleet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from ops.partner.handles import Pki
from ops.servers.postgres import schema

_TIMES: list[str] = []
Told = Callable[[str, float], None]


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Example certificates."""
    return Pki.made(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def store_url() -> Iterator[str]:
    """An empty place in a PostgreSQL."""
    with schema(f"fleet_{uuid4().hex[:12]}") as url:
        yield url


@pytest.fixture
def recovery() -> Told:
    """Tells how long something took to be well again after a fault, in seconds since `since` (time.monotonic)."""

    def told(fault: str, since: float) -> None:
        _TIMES.append(f"{fault}: {time.monotonic() - since:.1f} s")

    return told


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How long each fault was felt."""
    if _TIMES:
        terminalreporter.section("recovery times")
        for line in _TIMES:
            terminalreporter.write_line(line)
