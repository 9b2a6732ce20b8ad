"""The page that a newcomer reads, done as it says: in its order, from an empty folder, each block in a shell of its own.

Only the ports are others, for several tests run on one machine.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from ops.demo.stage import free_ports
from tests.support.standards import REPO

BIN = Path(sys.prefix) / "bin"
PAGE = (REPO / "README.md").read_text("utf-8")


def section() -> str:
    """What stands below "Connect a record system"."""
    return PAGE.partition("## Connect a record system in five minutes\n")[2].partition("\n## ")[0]


def blocks(kind: str) -> list[str]:
    """The fenced blocks of a language, or those that are indented (`kind` empty), in the page's order."""
    if kind:
        return re.findall(rf"```{kind}\n(.*?)```", section(), re.S)
    return [re.sub(r"(?m)^    ", "", one) for one in re.findall(r"(?m)(?:^    .*\n)+", section())]


def ports_of(text: str, first: int) -> str:
    """The page's ports, and those of the site that is tried."""
    return text.replace("8085", str(first)).replace("8086", str(first + 1))


@dataclass
class Newcomer:
    """Somebody with the page, in the folder that it makes."""

    site: Path
    port: int

    def types(self, text: str) -> str:
        """A block, in a new shell; what it prints. It must succeed."""
        return self._ran(["bash", "-euo", "pipefail", "-c", ports_of(text, self.port)])

    def python(self, text: str) -> str:
        """A block of Python."""
        return self._ran([str(BIN / "python"), "-c", ports_of(text, self.port)])

    def _ran(self, command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=self.site, env=environment(), capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{command[-1]}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
        return done.stdout


def environment() -> dict[str, str]:
    """Nothing but what a login gives, with the commands of `.venv` at hand, as `activate` does it."""
    return {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"}


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    """As far as the first block goes: a site, the hub in terminal 1, the simulator in terminal 2."""
    first = blocks("")[0]
    lines = [line.partition("#")[0].strip() for line in first.splitlines() if line.strip()]
    assert lines[:2] == ["make setup", ". .venv/bin/activate"]  # done: these tests run in it
    made, serve, simulate = lines[2:]
    folder = tmp_path_factory.mktemp("newcomer")
    port = next(p for p in free_ports(40) if not _taken(p))
    with ExitStack() as stack:
        subprocess.run(
            ["bash", "-euc", made.replace("init site", f"init site --port {port}")],
            cwd=folder, env=environment(), check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        for number, command in enumerate((serve, f"{simulate} --port {port + 1}"), 1):
            log = (folder / f"terminal-{number}.log").open("w")
            terminal = subprocess.Popen(
                ["bash", "-euc", f"exec {command}"],
                cwd=folder / "site", env=environment(), stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
            stack.callback(log.close)
            stack.callback(_stopped, terminal)
        found = Newcomer(folder / "site", port)
        _until(lambda: all(map(_taken, range(port, port + 4))))
        yield found


def _taken(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _until(seen: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not seen():  # type: ignore[operator]
        assert time.monotonic() < end, "the hub or the simulator does not listen"
        time.sleep(0.1)


def _stopped(terminal: subprocess.Popen[bytes]) -> None:
    terminal.terminate()
    terminal.wait(30)


def test_the_commands_of_the_third_terminal(newcomer: Newcomer) -> None:
    """In their order; ID is what the one before has shown."""
    lines = [line.partition("#")[0].strip() for line in blocks("")[1].splitlines() if line.strip()]
    said = newcomer.types(lines[0])
    own = said.split()[-1]
    assert ": delivered" in said and re.fullmatch(r"[0-9a-f-]{36}", own)
    for line in lines[1:]:
        out = newcomer.types(re.sub(r"\bID\b", own, line))
        assert "Traceback" not in out
    assert own[:8] in newcomer.types("samhub message list")


def test_soap(newcomer: Newcomer) -> None:
    """The ten lines of Python."""
    [block] = blocks("python")
    assert newcomer.python(block).strip() in ("waiting", "sent", "acknowledged", "done", "available")
    assert len(block.strip().splitlines()) <= 10


def test_rest(newcomer: Newcomer) -> None:
    """Sent, followed, fetched, confirmed, answered: every call is one that the hub takes."""
    block = blocks("sh")[0]
    out = newcomer.types(block)
    assert '"transportDeliveryState"' in out and '"businessDocument"' in out
    assert "errorCode" not in out, out
    assert len(block.strip().splitlines()) <= 10


def test_folder(newcomer: Newcomer) -> None:
    """Its receipt is there, and tells."""
    block = blocks("sh")[1]
    out = newcomer.types(block)
    assert re.search(r"message [0-9a-f]{8}", out), out
    assert len(block.strip().splitlines()) <= 10


def test_the_page_of_the_soap_door_runs_as_it_stands(newcomer: Newcomer) -> None:
    """docs/soap.md: the Python that it shows."""
    text = (REPO / "docs" / "soap.md").read_text("utf-8")
    [block] = re.findall(r"```python\n(.*?)```", text, re.S)
    assert "legesenter" in newcomer.python(block)


def test_every_fault_of_the_soap_door_stands_on_its_page() -> None:
    """And none that the register has not."""
    from hub.codes import REASONS

    text = (REPO / "docs" / "soap.md").read_text("utf-8")
    table = text.partition("| code | what happened")[2].partition("\nSOAP's own")[0]
    named = set(re.findall(r"`([a-z][a-z-]+)`", table)) - {"tryAgain", "place"}
    assert named - set(REASONS) == set()
    source = "".join(p.read_text("utf-8") for p in (REPO / "adapters" / "soap").rglob("*.py"))
    raised = set(re.findall(r'Refused\(\s*"([a-z-]+)"', source)) | {"not-well-formed", "xml-hostile"}
    assert raised - named == set()
