"""What a process and whoever started it, systemd or the process of `--workers`, say to each other: it serves, it lives.

Both hear the same: a datagram to the socket that NOTIFY_SOCKET names (sd_notify(3)). Where nobody listens nothing is said.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from pathlib import Path

#: Names the socket.
SOCKET = "NOTIFY_SOCKET"
READY, ALIVE = "READY=1", "WATCHDOG=1"


def tell(word: str) -> None:
    """Says one word, without waiting: who does not hear it now hears the next."""
    name = os.environ.get(SOCKET, "")
    if not name:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as said:
        said.setblocking(False)
        said.sendto(word.encode(), f"\0{name[1:]}" if name.startswith("@") else name)


class Ear:
    """Hears what one process says that was given `path` as its NOTIFY_SOCKET; made anew for each life of it."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self.path, self._heard = path, set[str]()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(path))
        asyncio.get_running_loop().add_reader(self._socket, self._hear)

    def _hear(self) -> None:
        with suppress(BlockingIOError):
            self._heard.add(self._socket.recv(64).decode(errors="replace"))

    def heard(self) -> set[str]:
        """What was said since the last time that this was asked."""
        heard, self._heard = self._heard, set()
        return heard

    def close(self) -> None:
        """Hears no more."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self.path.unlink(missing_ok=True)
