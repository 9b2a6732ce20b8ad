"""A clock that is moved under real processes: Debian's libfaketime, told by a file that may change while they run."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

#: Where Debian (package faketime, which brings libfaketime) puts it.
LIBRARY = "faketime/libfaketime.so.1"
#: libfaketime 0.9.10 computes a sleep until a moment of the monotonic clock by the faked wall clock, and the kernel refuses
#: what comes of it; Python's time.sleep sleeps so. It is made to wait by select, which is left alone.
SLEEP = '''"""Sleeps by select, as time.sleep did before Python 3.11: see tests/support/site/clock.py."""
import select
import time


def sleep(seconds):
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)


time.sleep = sleep
'''


def library() -> Path:
    """libfaketime. AssertionError with what to install where it is absent."""
    found = sorted(Path("/usr/lib").glob(f"*/{LIBRARY}"))
    assert found, "libfaketime is missing: install it (Debian: apt-get install faketime) and try again"
    return found[0]


class MovedClock:
    """The wall clock of every process that is begun with `environment`; the monotonic clock is never moved.

    `now` and `forward` are those of ops.partner.aside.MovableClock, so that a test may be written for either.
    """

    def __init__(self, folder: Path, *, late: bool = False) -> None:
        """`folder` is its own; it is made. `late`: a move is seen within a second, which costs far less at each look."""
        self._ahead, self._file = timedelta(), folder / "ahead"
        (folder / "sleep").mkdir(parents=True)
        (folder / "sleep" / "sitecustomize.py").write_text(SLEEP)
        path = os.pathsep.join(filter(None, (str(folder / "sleep"), os.environ.get("PYTHONPATH", ""))))
        self.environment = {
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            **({"FAKETIME_CACHE_DURATION": "1"} if late else {"FAKETIME_NO_CACHE": "1"}),
            "PYTHONPATH": path,
        }
        self._tell()

    def now(self) -> datetime:
        """What those processes take for now, in UTC."""
        return datetime.now(UTC) + self._ahead

    def forward(self, **by: float) -> datetime:
        """Moves at once, of those that run too: `forward(days=5)`. Returns the time it then is."""
        self._ahead += timedelta(**by)
        self._tell()
        return self.now()

    def back(self, **by: float) -> datetime:
        """The same the other way, as a clock that was set wrongly and is mended."""
        return self.forward(**{unit: -value for unit, value in by.items()})

    def _tell(self) -> None:
        """In one step: the file is read whenever anybody asks for the time."""
        aside = self._file.with_suffix(".part")
        aside.write_text(f"{self._ahead.total_seconds():+.3f}\n")
        aside.replace(self._file)


def forget(pid: int) -> None:
    """Away with the shared memory of a process that was killed and could not do so itself."""
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        (Path("/dev/shm") / name).unlink(missing_ok=True)
