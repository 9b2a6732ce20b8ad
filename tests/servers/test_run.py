"""A run itself: who hangs fails alone and says where, nobody leaves a process behind, a sample can be drawn again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ops.partner.aside import eventually
from ops.servers import keeper
from ops.servers.postgres import listens
from tests.support.sample import Sampling
from tests.support.standards import REPO

PLUGINS = ("hanging", "order", "run", "sample")
HANGS = """
import ops.partner.aside
ops.partner.aside.TURNS_WITHIN = 0.5

async def turns_for_ever():
    while True:
        pass

async def one():
    return 1

def test_that_is_well(_samhub_aside):
    assert _samhub_aside.run(one()) == 1

def test_that_hangs(_samhub_aside):
    _samhub_aside.run(turns_for_ever(), 0.5)

def test_behind_it(_samhub_aside):
    assert _samhub_aside.run(one()) == 1
"""
HOLDS = """
import ctypes

def test_that_holds_the_interpreter():
    ctypes.PyDLL(None).sleep(60)

def test_behind_it():
    pass
"""
LEAVES = """
import subprocess

def test_that_leaves_a_process():
    subprocess.Popen(["sleep", "60"], start_new_session=True)
"""


@pytest.fixture
def ran(tmp_path: Path):
    """Runs a file of tests as a run of its own: `ran(text, *options)`; its exit code and what it said."""

    def run(text: str, *options: str) -> tuple[int, str]:
        file = tmp_path / "test_one.py"
        file.write_text(text)
        plugins = [word for name in PLUGINS for word in ("-p", f"tests.support.{name}")]
        command = [sys.executable, "-m", "pytest", "-c", os.devnull, f"--rootdir={tmp_path}", *plugins, *options, file]
        environment = {name: value for name, value in os.environ.items() if name not in (keeper.RUN, "PYTEST_ADDOPTS")}
        environment = {n: v for n, v in environment.items() if not n.startswith("PYTEST_XDIST")}
        done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, timeout=120)
        return done.returncode, done.stdout + done.stderr

    return run


def test_a_test_whose_hub_hangs_fails_alone_and_says_where(ran) -> None:
    """With the stack of the loop that no longer turns; the next test has a new one."""
    code, said = ran(HANGS, "-n", "0")

    assert code == 1
    assert re.search(r"1 failed, 2 passed", said), said
    assert "where everything stood" in said
    assert "turns_for_ever" in said.partition("where everything stood")[2]


def test_what_holds_the_interpreter_ends_its_process_and_no_other_test(ran) -> None:
    """Nothing in it can hear a time-out."""
    code, said = ran(HOLDS, "-n", "1", "-o", "faulthandler_timeout=2", "-o", "faulthandler_exit_on_timeout=true")

    assert code == 1
    assert re.search(r"1 failed, 1 passed", said), said
    assert "test_that_holds_the_interpreter" in said


def test_a_process_that_is_left_behind_fails_the_run_and_is_named(ran) -> None:
    """Whatever session it is in."""
    code, said = ran(LEAVES, "-n", "0")

    left = re.search(r"^(\d+): sleep 60$", said, re.MULTILINE)
    assert code == 1
    assert left, said
    os.kill(int(left.group(1)), signal.SIGKILL)


def test_a_sample_is_drawn_again_by_its_seed() -> None:
    """In the order of everything; another seed, or another use, draws others; and all of it is all of it."""
    everything = list(range(1000))
    one = Sampling(False, "seed")

    assert one.some(everything, 0.1, "a") == sorted(one.some(everything, 0.1, "a"))
    assert len(one.some(everything, 0.1, "a")) == 100
    assert one.some(everything, 0.1, "a") != one.some(everything, 0.1, "b")
    assert one.some(everything, 0.1, "a") != Sampling(False, "another").some(everything, 0.1, "a")
    assert Sampling(True, "seed").some(everything, 0.1, "a") == everything
    assert len(one.some(everything, 0, "a", least=7)) == 7


def test_a_server_is_lent_once_to_all_of_a_run_and_ends_with_it(tmp_path: Path) -> None:
    """Also when the one who opened the run is killed."""
    text = """
import os, signal, sys
from ops.servers import keeper
run = keeper.Run()
print(keeper.lent("postgres")["url"], keeper.lent("postgres")["url"], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = {name: value for name, value in os.environ.items() if name != keeper.RUN}
    done = subprocess.run([sys.executable, "-c", text], cwd=REPO, env=environment, capture_output=True, text=True)
    first, second = done.stdout.split()
    assert first == second

    port = urlsplit(first).port
    assert port
    eventually(lambda: not listens(port), 60, "the server's end")
