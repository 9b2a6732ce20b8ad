"""The line of the doors: what our own HTTP connection costs at the ebXML and at the REST door, beside uvicorn's own.

The hub's real application stands behind both, and the same request comes again and again over a kept connection without
a socket: what it costs the thread that serves is told, turn about. The store knows the document, so that it answers soon
and the share of the connection is as large as it ever is.
"""

from __future__ import annotations

import asyncio
import base64
import json
import statistics
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from hub.errors import HubError
from ops.bench.harness import Neighbours
from ops.bench.line import Figure, Line, Part
from ops.bench.material import LOCAL, REMOTE, Bed, document, idle_hub
from ops.samples.make import make
from ops.serve.connection import Connection
from ops.system import SystemDice

SIZE = 20_000
#: Rounds, and exchanges of each connection in one.
ROUNDS, EXCHANGES = 121, 3
#: No worse than so much.
GATE, GOAL = 1.03, 1.0


class _Line(asyncio.Transport):
    """The other end of a connection: keeps the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.said = b""

    def write(self, data: Any) -> None:
        self.said += bytes(data)

    def close(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Kept:
    """A kept connection to an application, of one of the two kinds."""

    def __init__(
        self, kind: type[HttpToolsProtocol], app: ASGIApp, request: bytes | Callable[[], bytes], good: bytes
    ) -> None:
        """`request`: the same each time, or the next one, made before it is asked for."""
        self._app, self._good = app, good
        self._next: Callable[[], bytes] = (lambda: request) if isinstance(request, bytes) else request
        self._answered = asyncio.Event()
        config = uvicorn.Config(
            self._noted, interface="asgi3", log_config=None, access_log=False, ws="none", lifespan="off"
        )
        config.load()
        self._line = _Line()
        self._protocol = kind(config=config, server_state=ServerState(), app_state={})
        self._protocol.connection_made(self._line)

    async def _noted(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
        self._answered.set()

    @property
    def said(self) -> bytes:
        """The last answer."""
        return self._line.said

    async def exchange(self) -> None:
        """One request and its answer. Raises HubError where that is not the right one."""
        self._line.said = b""
        self._answered.clear()
        self._protocol.data_received(self._next())
        await self._answered.wait()
        if self._good not in self._line.said[:40]:
            raise HubError(f"the door under test said {self._line.said[:200]!r}")

    async def seconds(self, exchanges: int, clock: Callable[[], float] = time.thread_time) -> float:
        """For one exchange, by `clock`: of this thread, or of the whole process."""
        begun = clock()
        for _ in range(exchanges):
            await self.exchange()
        return (clock() - begun) / exchanges

    def close(self) -> None:
        """Forgets its timers."""
        self._protocol.connection_lost(None)


async def beside(found: Bed, *, rounds: int = ROUNDS) -> Line:
    """Processor time of an exchange over our connection ÷ over uvicorn's, at both doors."""
    figures, parts = [], []
    with Neighbours() as neighbours:
        async with idle_hub(found) as hub:
            for name, request, good in (("ebXML", _message(found), b" 200 "), ("REST", _order(found), b" 202 ")):
                ours, theirs = await _turn_about(hub.app, request, good, rounds)
                ratio = statistics.median(one / other for one, other in zip(ours, theirs, strict=True))
                figures.append(Figure(f"{name} door, {SIZE // 1000} kB, known", ratio, GATE, GOAL))
                parts.append(Part(f"one exchange at the {name} door", 1e6 * edge(ours), 1e6 * edge(theirs)))
        ours, theirs = await _turn_about(_bare, _message(found), b" 200 ", rounds)
        parts.append(Part("one exchange with nothing behind the door", 1e6 * edge(ours), 1e6 * edge(theirs)))
    what = "a request at a door: processor time with our HTTP connection ÷ with uvicorn's own"
    return Line(what, figures, parts, neighbours.used)


async def _turn_about(app: ASGIApp, request: bytes, good: bytes, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of both kinds, round by round, in alternating order."""
    pair = [Kept(kind, app, request, good) for kind in (Connection, HttpToolsProtocol)]
    found: tuple[list[float], list[float]] = ([], [])
    for kept in pair:
        await kept.seconds(2 * EXCHANGES)
    for number in range(rounds):
        for place in ((0, 1), (1, 0))[number % 2]:
            found[place].append(await pair[place].seconds(EXCHANGES))
    for kept in pair:
        kept.close()
    return found


def edge(seconds: list[float]) -> float:
    """The quickest quarter: others can only add to what it costs."""
    return statistics.quantiles(seconds, n=4)[0]


async def _bare(_: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def _message(found: Bed) -> bytes:
    wire = found.message(document(SIZE))
    return request("/ebxml", wire.headers, wire.body)


def _order(found: Bed) -> bytes:
    now, msg_id = datetime.now(UTC), SystemDice().uuid()
    sample = make("dialog-helsefaglig", sender=LOCAL, receiver=REMOTE, gen_date=now, msg_id=msg_id, number=1)
    order = {
        "senderHerId": int(LOCAL.her_id),
        "receiverHerIds": [int(REMOTE.her_id)],
        "businessDocument": base64.b64encode(sample.document).decode(),
    }
    headers = {"X-API-Key": found.site.keys[LOCAL.system], "Content-Type": "application/json"}
    return request("/api/v3/messages", headers, json.dumps(order).encode())


def request(path: str, headers: Mapping[str, str], body: bytes, method: str = "POST") -> bytes:
    """The bytes of a request."""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: bench",
        f"Content-Length: {len(body)}",
        "Accept: */*",
        "User-Agent: bench",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body
