"""A run: servers that all of its processes share, and at its end the question whether anything of it is still there."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.servers.keeper import RUN, Run

#: What a test has begun may take so long to end when everybody is busy.
SECONDS = 10.0
_run = pytest.StashKey[Run]()


def pytest_configure(config: pytest.Config) -> None:
    """The process that leads opens the run; the workers belong to it."""
    if not hasattr(config, "workerinput") and RUN not in os.environ:
        config.stash[_run] = Run()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Ends the servers when the workers are gone, and fails a run that leaves a process behind."""
    yield
    run = session.config.stash.get(_run, None)
    if run is None:
        return
    mark = str(run.folder)
    left = [f"the keeper of {name} did not end" for name in run.close()]
    end = time.monotonic() + SECONDS
    while (found := processes(mark)) and time.monotonic() < end:
        time.sleep(0.1)
    if left := left + found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        _tell(session, left)


def _tell(session: pytest.Session, left: list[str]) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.section("left behind by this run: processes that no test ended", sep="=", red=True)
        for line in left:
            reporter.write_line(line)


def processes(mark: str) -> list[str]:
    """Processes that inherited this run's environment and are still there, but for this one; only where /proc tells."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            inherited = f"{RUN}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0")
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:  # gone meanwhile, or somebody else's
            continue
        if inherited and int(folder.name) != os.getpid():
            found.append(f"{folder.name}: {words[:200] or '(ended, and nobody has asked how)'}")
    return sorted(found)
