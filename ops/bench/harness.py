"""Times cases turn about, so that every figure has its floor or peer beside it in the same minute; tells who disturbed."""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Case = Callable[[], object]
ROUNDS = 7
#: Rounds of two cases only, and seconds of a batch in them.
SHORT_ROUNDS, SHORT = 301, 0.005
#: Processors' worth of work by others from which on a run is called noisy.
NOISY = 0.6


@dataclass(frozen=True, slots=True)
class Rounds:
    """Seconds per call of each case, one value a round, and the most processors that others used in any round."""

    seconds: Mapping[str, tuple[float, ...]]
    neighbours: float

    def median(self, case: str) -> float:
        """The middle round of one case."""
        return statistics.median(self.seconds[case])

    def undisturbed(self, case: str) -> float:
        """The edge of the quickest tenth of many rounds of one case: others can only add to what it costs."""
        found = sorted(self.seconds[case])
        return found[len(found) // 10]

    def ratio(self, above: Sequence[str], below: Sequence[str]) -> float:
        """Sum of some cases ÷ sum of others: taken round by round, then the middle one."""
        tops, bottoms = (zip(*(self.seconds[c] for c in cases), strict=True) for cases in (above, below))
        return float(statistics.median(sum(t) / sum(b) for t, b in zip(tops, bottoms, strict=True)))


def interleaved(
    cases: Mapping[str, Case],
    *,
    rounds: int = ROUNDS,
    batch: float = 0.03,
    clock: Callable[[], float] = time.thread_time,
) -> Rounds:
    """Every case once a round, in rotated order, each in a batch of about so many seconds of `clock`."""
    names = list(cases)
    turns = {name: _turns(case, batch, clock) for name, case in cases.items()}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    disturbed, neighbours = 0.0, Neighbours()
    for number in range(rounds):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            seconds[name].append(_batch(cases[name], turns[name], clock))
        disturbed = max(disturbed, neighbours.lately())
    return Rounds({name: tuple(found) for name, found in seconds.items()}, disturbed)


def turn_about(above: Case, below: Case, *, rounds: int = SHORT_ROUNDS, batch: float = SHORT) -> Rounds:
    """`above` and `below` in many short batches, one straight after the other and in alternating order.

    To be read by what was `undisturbed`: on a busy machine the processor is taken away in most batches, and what the others
    leave in its caches costs the one more than the other.
    """
    return interleaved({"above": above, "below": below}, rounds=rounds, batch=batch)


def _turns(case: Case, batch: float, clock: Callable[[], float]) -> int:
    """How often a case fits into a batch; finding out warms it up as well."""
    count, spent = 1, _batch(case, 1, clock)
    while spent * count < batch / 3 and count < 1_000_000:
        count = max(2 * count, min(8 * count, round(batch / max(spent, 1e-9))))
        spent = _batch(case, count, clock)
    return max(1, round(batch / max(spent, 1e-9)))


def _batch(case: Case, turns: int, clock: Callable[[], float]) -> float:
    begun = clock()
    for _ in range(turns):
        case()
    return (clock() - begun) / turns


class Neighbours:
    """While inside, sees how many processors others use; `also` gives the seconds of processes that are ours too."""

    def __init__(self, also: Callable[[], float] = lambda: 0.0) -> None:
        self._also = also
        self.used = 0.0
        self._begin()

    def __enter__(self) -> Neighbours:
        self._begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.used = self.lately()

    def lately(self) -> float:
        """What they used since this was asked last; 0 for less than a tenth of a second, of which more is told later."""
        passed = time.perf_counter() - self._begun
        if passed <= 0.1:  # the machine counts in hundredths of a second
            return 0.0
        foreign = (machine_seconds() - self._busy) - (self._ours() - self._own)
        self._begin()
        return max(0.0, foreign / passed)

    def _begin(self) -> None:
        self._begun, self._busy, self._own = time.perf_counter(), machine_seconds(), self._ours()

    def _ours(self) -> float:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + children.ru_utime + children.ru_stime + self._also()


def machine_seconds() -> float:
    """Seconds of work of all processors since the machine started; 0 where there is no /proc."""
    try:
        with Path("/proc/stat").open() as file:
            ticks = [int(n) for n in file.readline().split()[1:]]
    except OSError:
        return 0.0
    return float(sum(ticks[:8]) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def process_seconds(pid: int) -> float:
    """Processor seconds of another process, all its threads together."""
    return sum(_nanoseconds(task) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9


def _nanoseconds(task: Path) -> int:
    try:
        return int((task / "schedstat").read_text().split()[0])
    except (FileNotFoundError, ProcessLookupError):
        return 0  # a thread that has just ended


def process_bytes(pid: int | str = "self", what: str = "VmRSS") -> int:
    """Resident memory of a process (VmRSS), or its peak (VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = next(line for line in lines if line.startswith(f"{what}:"))
    return int(found.split()[1]) * 1024


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found
