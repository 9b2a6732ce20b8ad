"""The official cases are played once a session; every test looks at what happened."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import structlog

from ops.partner.aside import Aside
from ops.partner.handles import Pki
from tests.acceptance.cases import cases, expected, others
from tests.acceptance.hall import Hall, Happened


@contextmanager
def quiet() -> Iterator[None]:
    """Only errors are told while some thousand messages go through."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    try:
        yield
    finally:
        structlog.reset_defaults()


@pytest.fixture(scope="session")
def hall(samhub_pki: Pki, _samhub_aside: Aside, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """Partners, and room for hubs."""
    hall = Hall(tmp_path_factory.mktemp("acceptance"), samhub_pki, _samhub_aside)
    yield hall
    hall.close()


@pytest.fixture(scope="session")
def happened(standards: Path, hall: Hall) -> dict[str, Happened]:
    """What became of every official case, by its name."""
    with quiet():
        return hall.play(cases(standards, expected()))


@pytest.fixture(scope="session")
def samples(standards: Path, hall: Hall) -> dict[str, Happened]:
    """What became of every other sample of the listed standards."""
    with quiet():
        return hall.play(cases(standards, others(standards)))
