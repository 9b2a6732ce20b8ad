"""A way to a server that leads through a network namespace, so that it can be cut as a cable is: nothing comes, nobody is told."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

_numbers = itertools.count(os.getpid() % 200)
#: Runs inside the namespace: what is said to it is said on the host's end of the cable.
RELAY = """
import asyncio, sys
here, there, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
async def through(reader, writer):
    far_reader, far_writer = await asyncio.open_connection(there, port)
    await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer), return_exceptions=True)
async def main():
    server = await asyncio.start_server(through, here, port)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()
asyncio.run(main())
"""


@dataclass(frozen=True)
class Cable:
    """A way to 127.0.0.1:`port` over `host`:`port`."""

    host: str
    port: int
    device: str

    def cut(self) -> None:
        """From now on nothing comes through."""
        _ip("link", "set", self.device, "down")

    def mend(self) -> None:
        """It does again; what was sent meanwhile is sent again by TCP, as far as it has patience."""
        _ip("link", "set", self.device, "up")


@asynccontextmanager
async def cable(port: int) -> AsyncIterator[Cable]:
    """A namespace with one cable to it; removed on leaving. Needs root."""
    assert os.geteuid() == 0, "a network namespace can only be made by root: run the tests as root, or in a container"
    number = next(_numbers)
    space, device, far = f"samhub-{os.getpid()}-{number}", f"sh{os.getpid() % 100000}{number % 100}a", "far"
    ours, theirs = f"10.213.{number % 250}.1", f"10.213.{number % 250}.2"
    _ip("netns", "add", space)
    try:
        _ip("link", "add", device, "type", "veth", "peer", "name", far, "netns", space)
        _ip("addr", "add", f"{ours}/30", "dev", device)
        _ip("link", "set", device, "up")
        _ip("-n", space, "addr", "add", f"{theirs}/30", "dev", far)
        _ip("-n", space, "link", "set", far, "up")
        async with _relays(space, ours, theirs, port):
            yield Cable(theirs, port, device)
    finally:
        _ip("netns", "delete", space)


@asynccontextmanager
async def _relays(space: str, ours: str, theirs: str, port: int) -> AsyncIterator[None]:
    """One at each end of the cable."""
    command = ("ip", "netns", "exec", space, sys.executable, "-c", RELAY, theirs, ours, str(port))
    inside = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    outside = await asyncio.start_server(lambda r, w: _through(r, w, port), ours, port)
    try:
        assert inside.stdout is not None
        assert await inside.stdout.readline() == b"ready\n"
        yield
    finally:
        outside.close()
        inside.kill()
        await inside.wait()


async def _through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    try:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer), return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


def _ip(*words: str) -> None:
    done = subprocess.run(("ip", *words), capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
