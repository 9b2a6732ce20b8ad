"""Clients that nobody here wrote. Where one is not at hand its suite does not run, and the last lines of the run say so."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable

import pytest

from tests.support.fixtures import aside, keys
from tests.support.last_words import say
from tests.support.standards import NOT_RUN

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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Takes the tests out that have nothing to run, and says so in the last lines."""
    ours = {item.path.name for item in items if item.path.parent.name == "interop"}
    missing = {file: how for file, (there, how) in NEEDS.items() if file in ours and not there()}
    absent = [item for item in items if item.path.parent.name == "interop" and item.path.name in missing]
    items[:] = [item for item in items if item not in absent]
    config.hook.pytest_deselected(items=absent)
    for file in sorted({item.nodeid.split("::")[0] for item in absent}):
        say(NOT_RUN, f"{file}: needs {missing[file.rpartition('/')[2]]}")
