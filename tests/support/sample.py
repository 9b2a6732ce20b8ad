"""A sample of what is too much for every run: spoilt documents, changed packages and fuzzed messages, by a told seed.

Without `--all` a run takes a share of them, another with each commit, so that in time all are tried; the first lines of the run
tell the seed, and `--seed` takes the same ones again. With `--all` it takes every one.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import TypeVar

import pytest

One = TypeVar("One")
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Sampling:
    """What a run takes of everything."""

    all: bool
    seed: str

    def some(self, everything: Sequence[One], share: float, what: str, least: int = 1) -> list[One]:
        """A share of it in its order, never fewer than `least`; `what` keeps apart those who draw from equal lists."""
        count = max(least, round(share * len(everything)))
        if self.all or count >= len(everything):
            return list(everything)
        drawn = random.Random(f"{self.seed} {what}").sample(range(len(everything)), count)
        return [everything[index] for index in sorted(drawn)]

    def at_most(self, share: float, tried: int) -> float:
        """How many of those tried may be of a kind that makes up no more than `share` of everything.

        A sample may hold more of them by chance: four standard deviations more.
        """
        mean = share * tried
        return mean if self.all else mean + 4 * sqrt(mean)

    def count(self, everything: int, share: float) -> int:
        """How many examples of a search without end."""
        return everything if self.all else max(1, round(share * everything))


#: No sample at all.
EVERYTHING = Sampling(True, "")
#: What this run takes, for what must know it before a fixture can be asked.
_this_run = EVERYTHING


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much is tried."""
    group = parser.getgroup("samhub", "how much is tried")
    group.addoption("--all", action="store_true", help="every spoilt document and fuzzed message, instead of a sample")
    group.addoption("--seed", default="", help="what the sample is drawn by; else the commit that is tested")


def pytest_configure(config: pytest.Config) -> None:
    """The seed is settled once, before other processes are told of it."""
    if not config.option.seed:
        config.option.seed = _commit()
    global _this_run
    _this_run = of(config)


def pytest_report_header(config: pytest.Config) -> str:
    """How to draw the same again."""
    found = of(config)
    return "sample: all of it" if found.all else f"sample: --seed {found.seed} (everything: --all)"


def this_run() -> Sampling:
    """What this run takes; known when test files are imported."""
    return _this_run


def of(config: pytest.Config) -> Sampling:
    """What this run takes."""
    return Sampling(config.option.all, config.option.seed)


@pytest.fixture(scope="session")
def sampling(pytestconfig: pytest.Config) -> Sampling:
    """What this run takes of everything."""
    return of(pytestconfig)


def _commit() -> str:
    """Of the checkout; a copy without history has always the same sample."""
    told = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return told.stdout.strip() or "samhub"
