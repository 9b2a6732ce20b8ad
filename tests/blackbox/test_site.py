"""The site itself: it sees what a hub does not tell, a clock can be handed in, and nothing that it began outlives it."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ops.partner.aside import eventually
from tests.blackbox.conftest import NewSite
from tests.support.site import clock
from tests.support.site.clock import MovedClock
from tests.support.site.process import Group
from tests.support.standards import REPO

TELLS_THE_TIME = """
import time
began, by_monotonic = time.time(), time.monotonic()
print("ready", flush=True)
input()
time.sleep(0.2)
print(round((time.time() - began) / 86400), round(time.monotonic() - by_monotonic) < 60)
"""
BEGINS_AND_DIES = """
import os, signal, sys
from pathlib import Path
from tests.support.site.process import Group
folder = Path(sys.argv[1])
group = Group(["sh", "-c", "sleep 60 & sleep 60"], {}, folder / "out", folder / "err")
print(group.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_what_a_partner_saw_twice_and_what_it_lost_is_counted(new_site: NewSite) -> None:
    """A hub inside, by a clock that is handed in: what really happened is well, what is forged is found."""
    async with new_site() as here:
        hub = await here.hub_inside()
        first = await here.doctor.hand_over(here.partner)
        second = await here.doctor.hand_over(here.partner)
        await here.rest()
        await here.assert_all_accounted()
        hub.clock.forward(days=5)
        assert await hub.standing("overdue") == 0
        seen = [r for r in here.partner.received if r.document is not None]
        one = next(r for r in seen if r.document.msg_id == first.msg_id)
        here.partner.received.append(replace(one, envelope=replace(one.envelope, message_id="another")))
        here.partner.kept.add("another")
        here.partner.received[:] = [r for r in here.partner.received if r.document.msg_id != second.msg_id]
        counted = here.count()
        assert len(counted.doubled) == 1 and first.msg_id in counted.doubled[0]
        assert any(second.msg_id in line for line in counted.lost)
        with pytest.raises(AssertionError, match="did not come"):
            await here.assert_all_accounted()


async def test_a_test_that_fails_leaves_no_process_behind(new_site: NewSite) -> None:
    """Whatever the hub was doing; one that hangs too."""
    with pytest.raises(ZeroDivisionError):
        async with new_site(partners=[]) as here:
            hub = await here.hub()
            pid = hub.pid
            hub.hang()
            raise ZeroDivisionError
    assert not Path(f"/proc/{pid}").exists()


async def test_a_hub_that_ends_by_itself_is_told(new_site: NewSite) -> None:
    """With the last that it said."""
    with pytest.raises(AssertionError, match="--roles"):
        async with new_site(partners=[]) as here:
            await here.hub("--roles", "nothing")


def test_a_process_ends_with_the_one_that_began_it(tmp_path: Path) -> None:
    """Also when that one is killed, and with all that it began."""
    command = [sys.executable, "-c", BEGINS_AND_DIES, str(tmp_path)]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=60)
    group = int(done.stdout)

    eventually(lambda: not _of_group(group), 20, "the end of the group")


def _of_group(group: int) -> list[str]:
    """Processes of a group, but for those that have ended and whom nobody has asked how."""
    told = subprocess.run(["ps", "-eo", "pgid=,stat=,pid="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in told.splitlines()]
    return [pid for pgid, stat, pid in rows if int(pgid) == group and not stat.startswith("Z")]


def test_a_clock_moves_the_wall_clock_of_a_process_and_nothing_else(tmp_path: Path) -> None:
    """While it runs; the monotonic clock stays, and sleep sleeps."""
    moved = MovedClock(tmp_path / "clock")
    with subprocess.Popen(
        [sys.executable, "-c", TELLS_THE_TIME],
        env={"PATH": "/usr/bin", **moved.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        moved.forward(days=5)
        out, _ = process.communicate("\n", timeout=30)
    assert out == "5 True\n"


def test_where_the_library_is_absent_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test passes without it, and none is skipped."""
    monkeypatch.setattr(clock, "LIBRARY", "faketime/none.so")

    with pytest.raises(AssertionError, match="apt-get install faketime"):
        clock.library()


def test_a_group_tells_how_it_ended(tmp_path: Path) -> None:
    """By itself, or because it was ended."""
    by_itself = Group(["sh", "-c", "echo done; exit 3"], {}, tmp_path / "out", tmp_path / "err")
    assert by_itself.process.wait(60) == 3
    assert by_itself.close() == 3
    assert (tmp_path / "out").read_text() == "done\n"
    assert Group(["sleep", "60"], {}, tmp_path / "out", tmp_path / "err").close() == -signal.SIGKILL
