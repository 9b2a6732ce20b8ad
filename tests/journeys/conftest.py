"""Fixtures of the journeys."""

from __future__ import annotations

from tests.support.answers import answers  # noqa: F401
