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
    disturbed = 0.0
    for number in range(rounds):
        with Neighbours() as neighbours:
            start = number % len(names)
            for name in names[start:] + names[:start]:
                seconds[name].append(_batch(cases[name], turns[name], clock))
        disturbed = max(disturbed, neighbours.used)
    return Rounds({name: tuple(found) for name, found in seconds.items()}, disturbed)


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

    def __enter__(self) -> Neighbours:
        self._begun, self._busy, self._own = time.perf_counter(), machine_seconds(), self._ours()
        return self

    def __exit__(self, *_: object) -> None:
        passed = time.perf_counter() - self._begun
        foreign = (machine_seconds() - self._busy) - (self._ours() - self._own)
        if passed > 0.1:  # the machine counts in hundredths of a second
            self.used = max(0.0, foreign / passed)

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
    spent = (Path(task, "schedstat").read_text().split()[0] for task in Path(f"/proc/{pid}/task").iterdir())
    return sum(int(nanoseconds) for nanoseconds in spent) / 1e9


def process_bytes(pid: int | str = "self", what: str = "VmRSS") -> int:
    """Resident memory of a process (VmRSS), or its peak (VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = next(line for line in lines if line.startswith(f"{what}:"))
    return int(found.split()[1]) * 1024
