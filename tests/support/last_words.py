"""What a run says in its last lines, whichever of its processes found it."""

from __future__ import annotations

from typing import Any

import pytest

_SENT = "last words"
#: Section → its lines, each once, in the order in which they were said.
_said: dict[str, dict[str, None]] = {}


def say(section: str, line: str) -> None:
    """A line of a section at the end of the run."""
    _said.setdefault(section, {})[line] = None


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process that does not lead hands over what it has to say."""
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output[_SENT] = {section: list(lines) for section, lines in _said.items()}


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """The one that leads takes it."""
    for section, lines in getattr(node, "workeroutput", {}).get(_SENT, {}).items():
        for line in lines:
            say(section, line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """And says it."""
    for section, lines in _said.items():
        terminalreporter.section(section)
        for line in lines:
            terminalreporter.write_line(line)
