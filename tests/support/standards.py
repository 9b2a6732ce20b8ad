"""The shared standards: where they are, and an honest word where they are not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.last_words import say

REPO = Path(__file__).resolve().parents[2]
#: The section of the last lines that names them.
NOT_RUN = "suites that did not run"
STANDARDS = Path(os.environ.get("SAMHUB_STANDARDS", str(REPO.parent / "shared" / "standards")))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Suites that need the shared standards do not run without them, and the last lines of the run say so."""
    if STANDARDS.is_dir():
        return
    absent = [item for item in items if "standards" in getattr(item, "fixturenames", ())]
    items[:] = [item for item in items if item not in absent]
    config.hook.pytest_deselected(items=absent)
    for file in sorted({item.nodeid.split("::")[0] for item in absent}):
        say(NOT_RUN, file)
    if absent:
        say(
            NOT_RUN,
            f"They read official schemas and messages from {STANDARDS}; set SAMHUB_STANDARDS to a folder with them.",
        )


@pytest.fixture(scope="session")
def standards() -> Path:
    """The folder of official schemas, samples and CPAs that the project is tested against but does not contain."""
    return STANDARDS
