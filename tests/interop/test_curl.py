"""`curl --http2` over http: it offers h2c with its first request, and sends a large body only when it is told to go on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from ops.partner.aside import Aside
from tests.support.doors import Door, Doors, Heard, opened
from tests.support.world import Keys, World

#: How it is asked to speak.
MANNERS: dict[str, Sequence[str]] = {
    "http2": ["--http2"],
    "http2, chunked": ["--http2", "-H", "Transfer-Encoding: chunked"],
    "http2, asks first": ["--http2", "-H", "Expect: 100-continue"],
    "http1.1": ["--http1.1"],
    "http1.0": ["--http1.0"],
}


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory, keys: Keys, aside: Aside) -> Iterator[Doors]:
    """All of them."""
    world = World(tmp_path_factory.mktemp("doors"), keys, aside, http={"port": 0})
    yield from opened(world, aside)
    world.close()


def curl(door: Door, folder: Path, *words: str, times: int = 1) -> list[Heard]:
    """So many requests over one connection, if the other side keeps it; one answer each."""
    (folder / "body").write_bytes(door.body)
    headers = [word for name, value in door.headers.items() for word in ("-H", f"{name}: {value}")]
    asked = ["--data-binary", f"@{folder / 'body'}", "-X", door.method, *headers]
    command = ["curl", "--silent", "--show-error", "--max-time", "30", "--write-out", "%{http_code}\n", *words, *asked]
    for number in range(times):
        command += ["--output", str(folder / f"answer-{number}"), door.url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    statuses = done.stdout.split()
    return [Heard(int(s), {}, (folder / f"answer-{n}").read_bytes()) for n, s in enumerate(statuses)]


@pytest.mark.parametrize("manner", MANNERS)
def test_every_door_answers_curl_rightly(doors: Doors, tmp_path: Path, manner: str) -> None:
    """Twice over one connection: the second finds nothing left of the first."""
    wrong = {}
    for name, door in doors.every.items():
        heard = curl(door, tmp_path, *MANNERS[manner], times=2)
        if len(heard) != 2 or not all(map(door.right, heard)):
            wrong[name] = heard
    assert wrong == {}


def test_http2_without_asking_is_refused_and_not_misread(doors: Doors, tmp_path: Path) -> None:
    """It is not spoken here: the preface is answered by 400 of HTTP/1.1, which such a client takes for a broken line."""
    door = doors.every["ebxml"]
    with pytest.raises(AssertionError, match=r"HTTP/2|HTTP2|framing|Empty reply|Error"):
        curl(door, tmp_path, "--http2-prior-knowledge")
    assert door.right(curl(door, tmp_path, "--http2")[0])
