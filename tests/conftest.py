"""What every test may ask for, and how a run goes: each by a module of its own."""

from __future__ import annotations

pytest_plugins = (
    "tests.servers.fixtures",
    "tests.support.hanging",
    "tests.support.last_words",
    "tests.support.order",
    "tests.support.run",
    "tests.support.sample",
    "tests.support.standards",
)
