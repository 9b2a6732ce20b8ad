"""A hub as a user runs it: `samhub serve` in processes of its own, that may be killed, hung, filled up and begun again."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from ops.bench.harness import children
from tests.support.site.clock import MovedClock, forget
from tests.support.standards import REPO
from tests.support.steady import PAUSE

#: A hub serves within, in seconds; two are usual on an idle machine.
STARTS_WITHIN = 60.0
#: It ends within, once it is told to.
ENDS_WITHIN = 60.0
#: What must be true at a moment: asked every few milliseconds.
Seen = Callable[[], "bool | Awaitable[bool]"]


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Its lines of JSON."""
        return [json.loads(line) for line in self.out.splitlines()]


def samhub(*words: str) -> list[str]:
    """The command line of `samhub` with these words."""
    return [sys.executable, "-m", "ops.cli", *words]


class Group:
    """A process with all that it begins, in a session of its own; it ends with us, even if we are killed."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str], out: Path, err: Path) -> None:
        """`out` and `err` are added to."""
        with out.open("ab") as told, err.open("ab") as log:
            self.process = subprocess.Popen(
                words,
                cwd=REPO,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=log,
                start_new_session=True,
            )
        script = f"read _; kill -9 -{self.process.pid} 2>/dev/null"
        self._watch = subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, start_new_session=True)

    @property
    def pid(self) -> int:
        """Of the first process."""
        return self.process.pid

    @property
    def members(self) -> list[int]:
        """The first process and those that it has begun."""
        with contextlib.suppress(OSError):
            return [self.pid, *children(self.pid)]
        return [self.pid]

    def signal(self, number: signal.Signals) -> None:
        """To every process of the group; none is left to hear it when all have ended."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def close(self) -> int:
        """Kills what is left of it; how the first process ended, negative by a signal."""
        self.signal(signal.SIGKILL)
        assert self._watch.stdin is not None
        self._watch.stdin.close()
        self._watch.wait()
        code = self.process.wait()  # last: until now nobody else could have its number
        forget(self.pid)
        return code


class Pages:
    """What any hub shows to machines, at `url`."""

    url: str

    async def get(self, path: str, seconds: float = 10) -> tuple[int, str]:
        """HTTP status and text of any of its pages; 0 and nothing where nobody answers."""
        timeout = aiohttp.ClientTimeout(total=seconds)
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(self.url + path) as answer:
                return answer.status, await answer.text()
        return 0, ""

    async def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric over all its lines with these labels; 0 where it has none."""
        _, text = await self.get("/metrics")
        found = re.findall(rf"^{re.escape(name)}(?:\{{(.*)\}})? (\S+)$", text, re.MULTILINE)
        wanted = {f'{label}="{value}"' for label, value in labels.items()}
        return sum(float(value) for said, value in found if wanted <= set(said.split(",")))

    async def standing(self, state: str) -> int:
        """How many deliveries stand at a state, as its metrics tell."""
        return int(await self.metric("samhub_standing", state=state))


class HubProcess(Pages):
    """One `samhub serve`, life after life on the same port; made by Here.hub."""

    def __init__(
        self, name: str, folder: Path, configuration: Path, port: int, clock: MovedClock | None, words: Sequence[str]
    ) -> None:
        """`words` are further words of the command, such as `--workers 2`."""
        self.name, self.configuration, self.port = name, configuration, port
        self.url = f"http://127.0.0.1:{port}"
        self.deaths = 0  #: how often it was killed
        self._clock, self._words = clock, words
        self._out, self._err = folder / f"{name}.out", folder / f"{name}.log"
        self._life: Group | None = None
        self._began = 0  #: where in `_out` this life begins
        self._expected = False  #: somebody has ended it

    @property
    def clock(self) -> MovedClock:
        """Its wall clock, where it was begun with `clock=True`."""
        assert self._clock is not None, "begin it by `await here.hub(clock=True)`"
        return self._clock

    @property
    def environment(self) -> Mapping[str, str]:
        """What a command needs to take the same time for now."""
        return self._clock.environment if self._clock is not None else {}

    # --- living and dying

    @property
    def alive(self) -> bool:
        """Whether its first process is there."""
        return self._life is not None and self._life.process.poll() is None

    @property
    def pid(self) -> int:
        """Of its first process."""
        assert self._life is not None, f"{self.name} was not begun"
        return self._life.pid

    @property
    def workers(self) -> list[int]:
        """With `--workers`: the process ids of those that serve."""
        return children(self.pid)

    async def begin(self) -> HubProcess:
        """Begins it, and returns once it is ready (`/health/ready`, and every worker has said that it serves)."""
        assert not self.alive, f"{self.name} is there already"
        self.close()
        self._expected = False
        self._began = self._out.stat().st_size if self._out.exists() else 0
        words = samhub("serve", "--config", str(self.configuration), *self._words)
        self._life = Group(words, self.environment, self._out, self._err)
        await self.until(self._ready, "to be ready", STARTS_WITHIN)
        return self

    async def again(self) -> HubProcess:
        """Begins it once more after it has died or was stopped, on the same port and store."""
        return await self.begin()

    async def _ready(self) -> bool:
        wanted = int(self._words[self._words.index("--workers") + 1]) if "--workers" in self._words else 1
        with self._out.open("rb") as out:
            out.seek(self._began)
            serving = len(re.findall(rb"^ready: ", out.read(), re.MULTILINE))
        return serving >= wanted and (await self.get("/health/ready"))[0] == 200

    def kill(self) -> None:
        """As the power goes: kill -9, all of its processes at once, whatever they do."""
        self._end_expected(signal.SIGKILL)
        self.deaths += 1
        self.close()

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Tells it to end, as a supervisor does, and waits; AssertionError when it does not, or says that it failed."""
        life = self._life
        assert life is not None
        self._expected = True
        life.process.send_signal(number)
        await self.until(lambda: not self.alive, f"to end on {number.name}", ENDS_WITHIN)
        code = self.close()
        assert code == 0, f"{self.name} ended by {code}:\n{self.tail()}"

    def hang(self) -> None:
        """From now on none of its processes goes on (SIGSTOP); its port still takes connections, as the system does."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """They go on, as if no time had passed but by the clocks."""
        self._signal(signal.SIGCONT)

    def _end_expected(self, number: signal.Signals) -> None:
        self._expected = True
        self._signal(number)

    def _signal(self, number: signal.Signals) -> None:
        assert self._life is not None, f"{self.name} was not begun"
        self._life.signal(number)

    def close(self) -> int:
        """Ends it for good, with all that it began; how its first process ended."""
        life, self._life = self._life, None
        self._expected = True
        return life.close() if life is not None else 0

    def check(self) -> None:
        """AssertionError when it has ended and nobody told it to."""
        assert self._expected or self.alive, f"{self.name} ended by itself:\n{self.tail()}"

    # --- faults

    def fill_disk(self) -> None:
        """From now on not a byte more can be written to any file, by any of its processes."""
        self._limit(0)

    def make_room(self) -> None:
        """Everything can be written again."""
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, most: int) -> None:
        assert self._life is not None
        for pid in self._life.members:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))

    async def kill_when(self, seen: Seen, seconds: float = 60) -> None:
        """Kills it at a moment: as soon as `seen` is true, which may be a coroutine, such as a look at a metric."""
        await self.until(seen, "the moment to come at which it is killed", seconds)
        self.kill()

    # --- looking from outside

    def log(self, **fields: object) -> list[dict[str, Any]]:
        """Its log lines of all lives that have these fields: `log(event="unforeseen")`."""
        return [line for line in self._lines() if fields.items() <= line.items()]

    def _lines(self) -> Iterator[dict[str, Any]]:
        for line in self._err.read_text("utf-8", "replace").splitlines() if self._err.exists() else ():
            with contextlib.suppress(ValueError):
                found = json.loads(line)
                if isinstance(found, dict):
                    yield found

    async def logged(self, seconds: float = 30, **fields: object) -> dict[str, Any]:
        """The first log line with these fields, waited for."""
        await self.until(lambda: bool(self.log(**fields)), f"to log {fields}", seconds)
        return self.log(**fields)[0]

    def tail(self, most: int = 3000) -> str:
        """The end of what it said on standard error."""
        return self._err.read_text("utf-8", "replace")[-most:] if self._err.exists() else ""

    async def until(self, seen: Seen, what: str, seconds: float = 30) -> None:
        """Waits for something; AssertionError with the end of its log when it does not come within `seconds`."""
        end = time.monotonic() + seconds
        while not await true(seen):
            self.check()
            assert time.monotonic() < end, f"{self.name} was waited for in vain, {what}:\n{self.tail()}"
            await asyncio.sleep(PAUSE)


async def true(seen: Seen) -> bool:
    """What `seen` says, at once or when it is awaited."""
    found = seen()
    return bool(await found) if inspect.isawaitable(found) else bool(found)


async def said(words: Sequence[str], environment: Mapping[str, str], seconds: float = 120) -> Said:
    """Runs a command to its end."""
    process = await asyncio.create_subprocess_exec(
        *words,
        cwd=REPO,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Said(process.returncode or 0, out.decode(), err.decode())
