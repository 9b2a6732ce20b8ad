"""The simulator's HTTP: aiohttp's, which reads offers of another protocol rightly, held to the rest of what the hub's doors keep."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import HttpVersion10, HttpVersion11, web

from hub.formats import coding
from ops.partner.wire import LIMIT

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
#: A request of which nothing more comes for so many seconds is given up, as at the hub's doors.
SILENT_SECONDS = 20.0
#: Offers that aiohttp takes by itself; it reads nothing more as HTTP then.
UPGRADED = frozenset({"websocket", "tcp"})
#: Where a request keeps its body once it has been read: who looks at it first is not the only one.
BODY = web.RequestKey("body", bytes)
RAW = web.RequestKey("raw", bytes)  #: as it was sent
#: Behind a path: a slash is no other path. `/ebxml` + EITHER_WAY is both.
EITHER_WAY = "{slash:/?}"


@web.middleware
async def _one_answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Behind a request whose end is not certain, or after which aiohttp waits for another protocol, the connection ends.

    What stands there is not read as the next request (RFC 9112 11.2).
    """
    if request.method == "CONNECT" or request.version not in (HttpVersion11, HttpVersion10):
        refused = web.Response(status=400, text="Bad Request: HTTP/1.1 is spoken here, and this is no proxy\n")
        refused.force_close()
        return refused
    try:
        if request.body_exists:  # answered before it has come, it may be read as the next request (seen with Expect)
            request[RAW] = await _came(request)
        answer = await handler(request)
    except web.HTTPRequestTimeout as late:
        late.force_close()
        raise
    if request.headers.get("Upgrade", "").strip().lower() in UPGRADED:
        answer.force_close()
    return answer


def application() -> web.Application:
    """An empty application behind such a door."""
    return web.Application(client_max_size=LIMIT, middlewares=[_one_answer])


def runner(app: web.Application, **settings: Any) -> web.AppRunner:
    """What runs it; bodies come as they were sent, for `body` to unpack."""
    return web.AppRunner(app, access_log=None, auto_decompress=False, lingering_time=1.0, **settings)


async def body(request: web.Request) -> bytes:
    """The body out of its content codings, read once. Raises what aiohttp answers: 408, 413, 415, or 400 where it is not what it says."""
    if (known := request.get(BODY)) is None:
        known = request[BODY] = await _unpacked(request)
    return known


async def _unpacked(request: web.Request) -> bytes:
    raw = request.get(RAW, b"")
    said = ", ".join(request.headers.getall("Content-Encoding", []))
    found = coding.unpacked(said, raw, LIMIT) if raw else raw
    if isinstance(found, bytes) and len(found) <= LIMIT:
        return found
    if isinstance(found, bytes):
        raise web.HTTPRequestEntityTooLarge(LIMIT, len(found))
    if found.known:
        raise web.HTTPBadRequest(text=found.text)
    raise web.HTTPUnsupportedMediaType(text=found.text, headers={"Accept-Encoding": coding.ACCEPTED})


async def _came(request: web.Request) -> bytes:
    """All of it, unless nothing comes for a while: aiohttp waits for ever for what stands behind a chunk that is wrong."""
    found = bytearray()
    try:
        while not request.content.at_eof():
            async with asyncio.timeout(SILENT_SECONDS):
                found += await request.content.readany()
            if len(found) > LIMIT:
                raise web.HTTPRequestEntityTooLarge(LIMIT, len(found))
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="nothing more of the request came") from None
    return bytes(found)
