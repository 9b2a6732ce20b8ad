"""Clients that nobody here wrote. Where one is not at hand its suite does not run, and the last lines of the run say so."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable

import pytest

from tests.support.fixtures import aside, keys

__all__ = ["aside", "keys"]


def _compiles() -> bool:
    """Whether there is a Java that runs a source file: one without a compiler does not."""
    if shutil.which("java") is None:
        return False
    modules = subprocess.run(["java", "--list-modules"], capture_output=True, text=True, check=False)
    return "jdk.compiler" in modules.stdout


#: Suite → whether what it needs is there, and how to get it.
NEEDS: dict[str, tuple[Callable[[], bool], str]] = {
    "test_java.py": (_compiles, "a JDK, 11 or later (Debian: apt-get install default-jdk-headless)"),
    "test_curl.py": (lambda: shutil.which("curl") is not None, "curl (Debian: apt-get install curl)"),
}
_absent = pytest.StashKey[dict[str, str]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Takes the tests out that have nothing to run."""
    ours = {item.path.name for item in items if item.path.parent.name == "interop"}
    missing = {file: how for file, (there, how) in NEEDS.items() if file in ours and not there()}
    absent = [item for item in items if item.path.parent.name == "interop" and item.path.name in missing]
    config.stash[_absent] = {item.nodeid.split("::")[0]: missing[item.path.name] for item in absent}
    items[:] = [item for item in items if item not in absent]
    config.hook.pytest_deselected(items=absent)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Names the suites that did not run for want of a program, and how to get it."""
    if files := config.stash.get(_absent, None):
        terminalreporter.section("suites that did not run")
        for file, how in files.items():
            terminalreporter.write_line(f"{file}: needs {how}")
