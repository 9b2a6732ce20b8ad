"""A server that answers a request with recorded bytes, as they lay on the wire: first line, headers, chunks and all."""

from __future__ import annotations

import asyncio
import re

#: What both peers say to a receipt that they take.
NOTHING = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


class Player:
    """Listens while open (`async with`); `answers` are whole HTTP messages by the name in the path, else 204."""

    def __init__(self) -> None:
        self.answers: dict[str, bytes] = {}
        self.asked: list[bytes] = []  #: bodies of the requests, in order
        self._server: asyncio.Server | None = None
        self._port = 0

    async def __aenter__(self) -> Player:
        self._server = await asyncio.start_server(self._exchange, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    def url(self, name: str) -> str:
        """Where the answer of this name is given; the port is known while it is open."""
        return f"http://127.0.0.1:{self._port}/{name}"

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length:\s*(\d+)", head, re.I)
        assert length is not None, "our client says how much it sends"
        self.asked.append(await reader.readexactly(int(length[1])))
        name = head.split(b" ", 2)[1].decode().strip("/")
        writer.write(self.answers.get(name, NOTHING))
        await writer.drain()
        writer.close()
