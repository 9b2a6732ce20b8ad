"""Hears the log in tests."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

Told = list[MutableMapping[str, Any]]


@pytest.fixture
def told() -> Iterator[Told]:
    """Every entry that the log is told, whatever another test made of the log."""
    with _heard() as entries:
        yield entries


@pytest.fixture
def log() -> Iterator[Told]:
    """The same, where `told` is another word."""
    with _heard() as entries:
        yield entries


@contextmanager
def _heard() -> Iterator[Told]:
    before = structlog.get_config()
    structlog.reset_defaults()
    with capture_logs() as entries:
        yield entries
    structlog.configure(**before)
