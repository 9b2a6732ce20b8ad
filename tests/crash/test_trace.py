"""In a trace of system calls every answer follows the sync of what it answers (performance.md, P10)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

from ops.partner.behaviours import Sending
from ops.partner.handles import Pki
from tests.crash.village import DOCTOR, GOOD, Nursery, sampled, village

Result = TypeVar("Result")
CALLS = "pwrite64,fdatasync,fsync,sendto,sendmsg,write,writev"
_CALL = re.compile(r"^(\d+) +(?:<\.\.\. )?(\w+)(\(\d+<([^>]*)>)?(.*)$")


class Trace:
    """What strace wrote, line for line in the order in which it happened."""

    def __init__(self, text: str) -> None:
        self._lines = [found.groups() for line in text.splitlines() if (found := _CALL.match(line))]

    def written(self, marker: str) -> int:
        """Where these words were first given to the store's log of writes."""
        return next(n for n, (_, call, _, to, rest) in enumerate(self._lines) if _wal(call, to) and marker in rest)

    def durable(self, after: int) -> int:
        """Where the first sync that began after that place ended well."""
        for n in range(after, len(self._lines)):
            thread, call, given, to, rest = self._lines[n]
            if given and call == "fdatasync" and to.endswith("-wal"):
                return n if rest.endswith("= 0") else self._resumed(n, thread)
        raise AssertionError("never synced")

    def _resumed(self, begun: int, thread: str) -> int:
        for n in range(begun + 1, len(self._lines)):
            if self._lines[n][0] == thread and self._lines[n][1] == "fdatasync":
                assert self._lines[n][4].endswith("= 0")
                return n
        raise AssertionError("a sync that never ended")

    def said(self, marker: str) -> int:
        """Where these words first went out on a socket."""
        return next(n for n, (_, _, _, to, rest) in enumerate(self._lines) if to and "TCP" in to and marker in rest)


def _wal(call: str, to: str | None) -> bool:
    return call == "pwrite64" and bool(to) and str(to).endswith("-wal")


async def _all(works: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    return list(await asyncio.gather(*works))


async def test_in_a_trace_of_system_calls_every_answer_follows_its_sync(tmp_path: Path, pki: Pki) -> None:
    """Many messages at once at both doors: each is written, synced, and only then answered."""
    trace = tmp_path / "trace.txt"
    strace = ("strace", "-f", "-yy", "-s", "8192", "-o", str(trace), "-e", f"trace={CALLS}")
    nursery = Nursery(tmp_path / "errors.txt", *strace)
    async with village(tmp_path, pki, nursery) as here:
        await here.life.ready()
        documents = [sampled("epikrise", GOOD, DOCTOR).document for _ in range(8)]
        letters = [here.good.sealed(document, DOCTOR.her_id, Sending.GOOD) for document in documents]
        await here.life.through(_all(here.good.insist_on(*one) for one in letters))
        taken = await here.life.through(_all(here.hand_over(DOCTOR, GOOD) for _ in range(8)))
    nursery.close()
    found = Trace(trace.read_text(errors="replace"))
    for marker in [*(message_id for message_id, _ in letters), *taken]:
        written = found.written(marker)
        assert written < found.durable(written) < found.said(marker), marker
