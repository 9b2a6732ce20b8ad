"""Fixtures of the journeys."""

from __future__ import annotations

from tests.support.answers import answers  # noqa: F401
from tests.support.hearing import log  # noqa: F401
