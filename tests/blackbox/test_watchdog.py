"""A hub whose event loop no longer turns tells where it stands and ends, and is begun again: nobody waits for it for ever."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.serve.watchdog import HUNG
from tests.blackbox.conftest import NewSite
from tests.support.steady import PAUSE

#: What takes the loop when the process gets a signal: in Python, and in a call that gives the interpreter away.
TAKES_THE_LOOP = """
import signal, time

def spins(*_):
    while True:
        pass

def sleeps(*_):
    while True:
        time.sleep(3600)

signal.signal(signal.SIGUSR1, spins)
signal.signal(signal.SIGUSR2, sleeps)
"""
SECONDS = 60.0


@pytest.fixture(autouse=True)
def takes_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process that is begun can be hung by a signal."""
    folder = tmp_path / "faults"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(TAKES_THE_LOOP)
    monkeypatch.setenv("PYTHONPATH", str(folder))


async def until(seen: Callable[[], bool]) -> None:
    """Waits, also for the end of a process."""
    async with asyncio.timeout(SECONDS):
        while not seen():
            await asyncio.sleep(PAUSE)


async def test_a_loop_that_does_not_turn_ends_the_process(new_site: NewSite) -> None:
    """It says so in one sentence, then where it stood, and ends with a code of its own; begun again, all goes on."""
    async with new_site(work={"watchdog_seconds": 1}) as here:
        hub = await here.hub()
        await here.partner.behaves("down")
        await here.doctor.hand_over(here.partner)
        os.kill(hub.pid, signal.SIGUSR1)
        await until(lambda: not hub.alive)
        assert hub.close() == HUNG
        (said,) = hub.log(event="loop-hung")
        assert said["level"] == "error" and "has not turned for 1 s" in said["because"]
        assert "in spins" in hub.tail(60_000) and "task worker" in hub.tail(60_000)
        await hub.again()
        await here.partner.behaves("good")
        await here.rest()
        await here.assert_all_accounted()


async def test_of_several_workers_only_that_one_ends(new_site: NewSite, store_url: str) -> None:
    """The first process begins it again; the other goes on all the while."""
    async with new_site(store=store_url, work={"watchdog_seconds": 1}) as here:
        hub = await here.hub(workers=2)
        first, other = hub.workers
        os.kill(first, signal.SIGUSR2)
        died = await hub.logged(event="worker-died")
        assert died["code"] == HUNG
        await hub.until(lambda: len(hub.workers) == 2 and first not in hub.workers, "to have two workers again")
        assert other in hub.workers
        await here.doctor.hand_over(here.partner)
        await here.rest()
        await here.assert_all_accounted()
