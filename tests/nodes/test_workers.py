"""`samhub serve --workers`: several processes behind one port are one hub, and one that dies comes back."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from ops.bench.harness import children
from ops.demo.stage import free_ports
from ops.partner.handles import Pki
from ops.sector import write_site
from tests.crash.village import DOCTOR, NURSING, SETTINGS, sampled
from tests.support.logins import written_down

#: Far more than it takes; what is waited for comes sooner.
SECONDS = 90


class Command:
    """The command that runs the workers."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, key: str) -> None:
        self.process, self.url, self.key = process, url, key

    @property
    def workers(self) -> list[int]:
        """Their process ids."""
        return children(self.process.pid)

    async def ready(self, count: int) -> None:
        """Until so many workers serve, each of them: a new connection may reach any."""
        async with asyncio.timeout(SECONDS):
            while sum(map(self._listens, self.workers)) < count or not await self._answers():
                await asyncio.sleep(0.1)

    def _listens(self, pid: int) -> bool:
        """Whether one of the process's sockets listens at the port that they share."""
        rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        own = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{self.port:04X}") and row[3] == "0A"}
        with contextlib.suppress(OSError):
            return any(_target(file) in own for file in Path(f"/proc/{pid}/fd").iterdir())
        return False

    @property
    def port(self) -> int:
        """The one that they share."""
        return int(self.url.rpartition(":")[2])

    async def _answers(self) -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/health/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def hand_over(self, count: int) -> None:
        """As many documents between two local parties, each over a connection of its own."""
        for _ in range(count):
            async with aiohttp.ClientSession() as session:
                headers = {"X-API-Key": self.key}
                async with session.post(f"{self.url}/api/v3/messages", json=order(), headers=headers) as answer:
                    assert answer.status == 202, await answer.text()

    async def halted(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
        """A document of which half has been handed over, and the other half."""
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(self.url).port)
        body = json.dumps(order()).encode()
        head = f"POST /api/v3/messages HTTP/1.1\r\nHost: hub\r\nX-API-Key: {self.key}\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body[:100])
        await writer.drain()
        await asyncio.sleep(0.3)
        return reader, writer, body[100:]

    async def received(self) -> float:
        """How many have been received, by what any of the workers tells of all."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/metrics") as answer:
            text = await answer.text()
        assert text.count("# TYPE samhub_events_total") == 1
        assert text.count("# TYPE samhub_standing") == 1
        return sum(float(n) for n in re.findall(r'samhub_events_total\{[^}]*event="received"[^}]*\} (\S+)', text))


def order() -> dict[str, object]:
    """A document from one local party to another."""
    return {
        "senderHerId": int(NURSING.her_id),
        "receiverHerIds": [int(DOCTOR.her_id)],
        "businessDocument": base64.b64encode(sampled("dialog-helsefaglig", NURSING, DOCTOR).document).decode(),
    }


async def gone(pids: Iterable[int]) -> None:
    """Until none of these processes is there."""
    async with asyncio.timeout(SECONDS):
        while any(Path(f"/proc/{pid}").exists() for pid in pids):
            await asyncio.sleep(0.05)


def _target(link: Path) -> str:
    """Where it leads; nowhere when it has gone meanwhile."""
    with contextlib.suppress(OSError):
        return str(link.readlink())
    return ""


@asynccontextmanager
async def served(
    folder: Path, pki: Pki, store: dict[str, object], workers: int, port: int = 0
) -> AsyncIterator[Command]:
    """`samhub serve --workers N` on a site of its own; on a free port unless told."""
    port = port or free_ports(1)[0]
    settings = {**SETTINGS, "http": {"port": port}, "store": {**SETTINGS["store"], **store}}
    site = write_site(folder / "site", pki.folder, (NURSING, DOCTOR), [], settings=settings)
    words = (sys.executable, "-m", "ops.cli", "serve", "--config", str(site.configuration), "--workers", str(workers))
    with (folder / "err.txt").open("wb") as err:
        process = await asyncio.create_subprocess_exec(*words, stderr=err, stdout=asyncio.subprocess.DEVNULL)
    try:
        yield Command(process, f"http://127.0.0.1:{port}", site.keys[NURSING.system])
    finally:
        left = children(process.pid) if process.returncode is None else []
        if process.returncode is None:
            process.kill()
            await process.wait()
        await gone(left)


async def test_workers_are_one_hub_to_all_who_come(tmp_path: Path, pki: Pki, store_url: str) -> None:
    """They share port and store; any of them tells the counts of all, those of one that died included."""
    async with served(tmp_path, pki, written_down(store_url, tmp_path / "password"), 2) as command:
        await command.ready(2)
        await command.hand_over(10)
        assert await command.received() == 10
        before = command.workers
        os.kill(before[0], signal.SIGKILL)
        async with asyncio.timeout(SECONDS):
            while len(command.workers) < 2 or before[0] in command.workers:
                await asyncio.sleep(0.1)
        await command.ready(2)
        await command.hand_over(5)
        assert await command.received() == 15


async def test_they_end_together_when_they_are_told_to(tmp_path: Path, pki: Pki, store_url: str) -> None:
    """SIGTERM to the command: every worker finishes, none is left behind, and it was no failure."""
    async with served(tmp_path, pki, written_down(store_url, tmp_path / "password"), 2) as command:
        await command.ready(2)
        workers = command.workers
        command.process.terminate()
        assert await asyncio.wait_for(command.process.wait(), SECONDS) == 0
        assert [pid for pid in workers if Path(f"/proc/{pid}").exists()] == []


async def test_workers_whose_supervisor_was_killed_finish_and_leave_the_port_to_the_next(
    tmp_path: Path, pki: Pki, store_url: str
) -> None:
    """Nobody tells them: a document that is half handed over is still taken, then all are gone and the next start is alone."""
    store = written_down(store_url, tmp_path / "password")
    async with served(tmp_path, pki, store, 2) as command:
        await command.ready(2)
        orphans = command.workers
        reader, writer, rest = await command.halted()
        command.process.kill()
        await command.process.wait()
        await asyncio.sleep(0.3)
        writer.write(rest)
        assert (await asyncio.wait_for(reader.read(), SECONDS)).startswith(b"HTTP/1.1 202")
        writer.close()
        await gone(orphans)
    port = urlsplit(command.url).port
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))  # shared by nobody: without SO_REUSEPORT it would be taken
    async with served(tmp_path / "next", pki, store, 2, port or 0) as again:
        await again.ready(2)
        await again.hand_over(3)


async def test_a_supervisor_that_dies_while_workers_start_leaves_none(tmp_path: Path, pki: Pki, store_url: str) -> None:
    """They hear it as soon as they look."""
    async with served(tmp_path, pki, written_down(store_url, tmp_path / "password"), 2) as command:
        async with asyncio.timeout(SECONDS):
            while len(orphans := command.workers) < 2:
                await asyncio.sleep(0.01)
        command.process.kill()
        await command.process.wait()
        await gone(orphans)


async def test_the_embedded_store_serves_one_process(tmp_path: Path, pki: Pki) -> None:
    """Asked for more it says what is missing, and is used wrongly."""
    async with served(tmp_path, pki, {}, 2) as command:
        assert await asyncio.wait_for(command.process.wait(), SECONDS) == 2
        assert "store.url" in (tmp_path / "err.txt").read_text()
