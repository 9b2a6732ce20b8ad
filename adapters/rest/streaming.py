"""Notifications as they happen, as server-sent events: one watcher for all streams, and nothing that is kept for a slow one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from adapters.broker.ending import Begin, ended
from adapters.rest.settings import RestSettings
from hub.errors import StoreUnavailable
from hub.record_systems.streams import Stream, Streams
from hub.record_systems.values import Caller, Refused

#: Events that are read and written at once: what a stream costs while its reader takes them.
PAGE = 100
#: What may come before the first event (A10.5), and between two.
CONNECTED, HEARTBEAT = b"event: connected\ndata: \n\n", b": heartbeat\n\n"
#: What is new for a caller since it was asked last, in order; none when that is all. Raises Refused.
Feed = Callable[[Caller], Awaitable[Sequence[Mapping[str, Any]]]]


class Streaming:
    """The streams of this process. While there are none, nothing is looked for."""

    def __init__(self, streams: Streams, settings: RestSettings, begin: Begin) -> None:
        self.streams, self.settings, self._begin = streams, settings, begin
        self.over = False  #: the hub stops: every stream ends
        self._wanted = asyncio.Event()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """While inside, streams are told what happens; on leaving all of them end."""
        self.over = False
        watcher = self._begin("streams", self.run)
        try:
            yield
        finally:
            self.over = True
            self.streams.ring_all()
            await ended([watcher])

    async def run(self) -> None:
        """The watcher, until it is cancelled."""
        while True:
            await self._wanted.wait()
            with suppress(StoreUnavailable):  # the log tells of it; looked for again
                await self.streams.look()
            await asyncio.sleep(self.settings.look_seconds)

    async def open(self, caller: Caller, her_ids: Sequence[str], ring: Callable[[], None]) -> Stream:
        """Raises Refused where it is one too many."""
        stream = Stream(caller.id, tuple(dict.fromkeys(her_ids)), ring)
        await self.streams.open(stream)
        self._wanted.set()
        return stream

    def close(self, stream: Stream) -> None:
        """The last one lets the watcher sleep."""
        self.streams.close(stream)
        if not len(self.streams):
            self._wanted.clear()


class EventStream(Response):
    """One stream: what is new whenever it is rung, and a sign of life while nothing is (A10.5, A15.12).

    It ends when the hub does, when whoever asked for it may no longer, when its reader takes nothing, and when its time is up.
    """

    media_type = "text/event-stream"

    def __init__(
        self, streaming: Streaming, caller: Caller, still: Callable[[Caller], bool], *, ends: bool = True
    ) -> None:
        """`still`: whether it may do what it did. `ends`: when its time is up."""
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._streaming, self._caller, self._still = streaming, caller, still
        self._longest = (streaming.settings.stream_seconds if ends else 0) or float("inf")
        self._bell = asyncio.Event()
        self._stream: Stream | None = None

    async def opened(self, her_ids: Sequence[str], feed: Feed) -> EventStream:
        """Ready to be sent, or not to be: what would be refused is refused before anything is said. Raises Refused."""
        self._feed = feed
        self._stream = await self._streaming.open(self._caller, her_ids, self._bell.set)
        try:
            self._first = await feed(self._caller)
        except BaseException:
            self._streaming.close(self._stream)
            raise
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        gone = asyncio.create_task(_gone(receive))
        gone.add_done_callback(lambda _: self._bell.set())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._say(send, CONNECTED)
            await self._told(send, gone)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:  # it takes nothing, so it will not read the end either
            scope.get("samhub.abort", lambda: None)()
        finally:
            assert self._stream is not None, "opened before it is sent"
            self._streaming.close(self._stream)
            await ended([gone])

    async def _told(self, send: Send, gone: asyncio.Task[None]) -> None:
        events = self._first
        self._ends = asyncio.get_running_loop().time() + self._longest
        while not (self._streaming.over or gone.done() or self._left() <= 0):
            if events:
                await self._say(send, b"".join(map(_frame, events)))
            elif not await self._rung() and self._left() > 0:
                await self._say(send, HEARTBEAT)
            self._bell.clear()
            if not self._still(self._caller):
                return
            try:
                events = await self._feed(self._caller)
            except Refused:
                return
            except StoreUnavailable:
                events = ()

    def _left(self) -> float:
        """Seconds that it may still stand."""
        return self._ends - asyncio.get_running_loop().time()

    async def _rung(self) -> bool:
        try:
            async with asyncio.timeout(min(self._streaming.settings.heartbeat_seconds, self._left())):
                await self._bell.wait()
        except TimeoutError:
            return False
        return True

    async def _say(self, send: Send, said: bytes) -> None:
        """Raises TimeoutError where the reader takes nothing for too long."""
        async with asyncio.timeout(self._streaming.settings.stalled_seconds):
            await send({"type": "http.response.body", "body": said, "more_body": True})


def _frame(event: Mapping[str, Any]) -> bytes:
    """A15.12; JSON has no line ends of its own."""
    return b"event: notification\ndata: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
