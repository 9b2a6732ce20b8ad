"""What every test may ask for: the shared standards, where they are present, and an honest word where they are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.servers.fixtures import amqp_url, own_broker, own_postgres, postgres_url, private_broker  # noqa: F401

REPO = Path(__file__).resolve().parent.parent
STANDARDS = Path(os.environ.get("SAMHUB_STANDARDS", str(REPO.parent / "shared" / "standards")))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Suites that need the shared standards do not run without them, and the last lines of the run say so."""
    if STANDARDS.is_dir():
        return
    absent = [item for item in items if "standards" in getattr(item, "fixturenames", ())]
    config.stash[_absent] = sorted({item.nodeid.split("::")[0] for item in absent})
    items[:] = [item for item in items if item not in absent]
    config.hook.pytest_deselected(items=absent)


_absent = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Names the suites that did not run for want of data, and how to get it."""
    if files := config.stash.get(_absent, None):
        terminalreporter.section("suites that did not run")
        for file in files:
            terminalreporter.write_line(file)
        terminalreporter.write_line(
            f"They read official schemas and messages from {STANDARDS}; set SAMHUB_STANDARDS to a folder that has them."
        )


@pytest.fixture(scope="session")
def standards() -> Path:
    """The folder of official schemas, samples and CPAs that the project is tested against but does not contain."""
    return STANDARDS
