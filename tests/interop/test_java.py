"""`java.net.http.HttpClient` as it is: every request over http offers HTTP/2 (`Upgrade: h2c`), and keeps its connection."""

from __future__ import annotations

import gzip
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from ops.partner.aside import Aside
from tests.support.doors import Door, Doors, Heard, opened
from tests.support.world import Keys, World

PROGRAM = Path(__file__).with_name("Client.java")
#: How it is handed the body: known in length, or not, which it sends in chunks.
KINDS = ("bytes", "stream")
#: A GET with a body it sends as it is told; what needs none it sends without.
BODILESS = ("live", "ready", "metrics", "control, looked at")


@dataclass
class Java:
    """The program, running; one connection for each address, as long as the other side lets it."""

    process: subprocess.Popen[str]
    folder: Path
    numbers: Iterator[int]

    def ask(self, door: Door, kind: str, body: bytes | None = None, more: Sequence[str] = ()) -> Heard:
        """One request, and its answer; status 0 with the name of the exception where there was none."""
        file = self.folder / f"body-{next(self.numbers)}"
        file.write_bytes(door.body if body is None else body)
        headers = [f"{name}: {value}" for name, value in door.headers.items()]
        assert self.process.stdin and self.process.stdout
        print(door.method, door.url, kind, file, *headers, *more, sep="\t", file=self.process.stdin, flush=True)
        status, told = self.process.stdout.readline().rstrip("\n").split("\t")
        return Heard(int(status), {}, Path(told).read_bytes() if int(status) else told.encode())


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory, keys: Keys, aside: Aside) -> Iterator[Doors]:
    """All of them."""
    world = World(tmp_path_factory.mktemp("doors"), keys, aside, http={"port": 0})
    yield from opened(world, aside)
    world.close()


@pytest.fixture(scope="module")
def java(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Java]:
    """Compiled and started once."""
    folder = tmp_path_factory.mktemp("java")
    process = subprocess.Popen(
        ["java", str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr, text=True
    )
    yield Java(process, folder, count())
    assert process.stdin
    process.stdin.close()
    assert process.wait(20) == 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_door_answers_a_java_client_rightly(doors: Doors, java: Java, kind: str) -> None:
    """Twice each, so that the second goes over a connection that is known."""
    wrong = {}
    for name, door in doors.every.items():
        for turn in (1, 2):
            heard = java.ask(door, "none" if name in BODILESS else kind)
            if not door.right(heard):
                wrong[name, turn] = heard
    assert wrong == {}


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_message_comes_whole(doors: Doors, java: Java, kind: str) -> None:
    """Megabytes in many segments; what stands before the first boundary is a preamble."""
    door = doors.every["ebxml"]
    assert door.right(java.ask(door, kind, b"preamble " * 400_000 + b"\r\n" + door.body))


def test_a_path_with_a_slash_needs_no_redirect(doors: Doors, java: Java) -> None:
    """This client follows none unless told."""
    for name in ("ebxml", "partner"):
        door = doors.every[name]
        slashed = Door(name, door.url + "/", door.method, door.headers, door.body, door.status, door.words)
        assert door.right(java.ask(slashed, "bytes"))


def test_a_compressed_message_is_taken(doors: Doors, java: Java) -> None:
    """It packs nothing itself; who does so says it."""
    for name in ("ebxml", "rest, an order", "partner"):
        door = doors.every[name]
        assert door.right(java.ask(door, "bytes", gzip.compress(door.body), ["Content-Encoding: gzip"]))
        assert java.ask(door, "bytes", door.body, ["Content-Encoding: br"]).status == 415
