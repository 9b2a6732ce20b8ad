"""A way to a server of ours that can be shut, held up, and lost at the moment when the server answers."""

from __future__ import annotations

import asyncio
import contextlib

#: Between the first byte of an answer and the loss of the connection: the answer is whole by then, and nobody has it.
MOMENT = 0.1


class Gate:
    """Listens on `port` while it is not shut, and leads to `behind`."""

    def __init__(self, behind: int) -> None:
        self._behind, self.port = behind, 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._answers = asyncio.Event()
        self._fatal = False

    async def open(self) -> None:
        """Everything passes, also what was held up."""
        self._fatal = False
        self._answers.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._through, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        """Nobody is there, and all connections are gone."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def hold(self) -> None:
        """What is said to the server still comes there; what it answers waits."""
        self._answers.clear()

    def lose(self) -> None:
        """A connection on which the server answers anything is lost, and the answer with it."""
        self._fatal = True

    async def _through(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        far: asyncio.StreamWriter | None = None
        try:
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._behind)
            there, back = asyncio.create_task(_pump(reader, far)), asyncio.create_task(self._back(far_reader, writer))
            try:
                await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                there.cancel()
                back.cancel()
                await asyncio.gather(there, back, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            return
        finally:
            self._open.discard(task)
            for one in (writer, far):
                if one is not None:
                    one.transport.abort()

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            await self._answers.wait()
            if self._fatal:
                await asyncio.sleep(MOMENT)
                return
            writer.write(data)
            await writer.drain()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
