"""What a line of the benchmark says: its figures beside their gates and goals, and the parts they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One ratio: `at_most` says whether it must stay below its gate or reach it."""

    name: str
    value: float
    gate: float
    goal: float
    at_most: bool = True
    unit: str = "×"

    @property
    def met(self) -> bool:
        """Whether the gate is met."""
        return self.value <= self.gate if self.at_most else self.value >= self.gate

    @property
    def distance(self) -> float:
        """How near to its gate: above 1 it is missed."""
        if self.at_most:
            return self.value / self.gate if self.gate else (0.0 if self.met else 2.0)
        return self.gate / self.value if self.value > 0 else 2.0


@dataclass(frozen=True, slots=True)
class Part:
    """One row of a table of parts: what it costs, and what its floor or peer costs; microseconds unless told."""

    name: str
    ours: float
    floor: float | None = None
    unit: str = "µs"


@dataclass(frozen=True, slots=True)
class Line:
    """One line, measured."""

    what: str
    figures: Sequence[Figure]
    parts: Sequence[Part] = ()
    neighbours: float = 0.0  #: processors that others used meanwhile, at most
    note: str = ""  #: what people must know to read it

    @property
    def met(self) -> bool:
        """Whether every gate is met."""
        return all(figure.met for figure in self.figures)

    def plain(self, noisy: float) -> dict[str, Any]:
        """The line for programs: the figure nearest to its gate in front, all of them behind."""
        first = max(self.figures, key=lambda figure: figure.distance)
        told: dict[str, Any] = {
            "what": self.what,
            "value": rounded(first.value),
            "gate": first.gate,
            "goal": first.goal,
            "met": self.met,
            "at_most": first.at_most,
            "figures": [_plain(figure) for figure in self.figures],
        }
        if self.neighbours > noisy:
            told["noisy"] = rounded(self.neighbours)
        if self.note:
            told["note"] = self.note
        return told


def _plain(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "value": rounded(figure.value),
        "gate": figure.gate,
        "goal": figure.goal,
        "met": figure.met,
        "unit": figure.unit,
    }


def rounded(value: float) -> float:
    """Three digits that say something."""
    return float(f"{value:.3g}") if abs(value) < 1000 else float(round(value))
