"""Servers of record systems on loopback, which do what the test says, and what came to them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Far:
    """A server of a record system, and what came to it."""

    url: str = ""
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    elsewhere: int = 0  #: requests that came to where it points
    written: int = 0


Behaviour = Callable[[web.Request, Far], Awaitable[web.StreamResponse]]


def says(status: int, **headers: str) -> Behaviour:
    async def said(_: web.Request, __: Far) -> web.StreamResponse:
        return web.Response(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()}, body=b"x" * 99)

    return said


async def redirects(request: web.Request, far: Far) -> web.StreamResponse:
    return web.Response(status=307, headers={"Location": f"{far.url}/elsewhere"})


async def hangs(request: web.Request, far: Far) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


async def resets(request: web.Request, far: Far) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def garbage(request: web.Request, far: Far) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.write(b"\x00\xff no HTTP at all \r\n\r\n")  # type: ignore[attr-defined]
    request.transport.close()
    return web.Response()


def endless(status: int) -> Behaviour:
    async def writes(request: web.Request, far: Far) -> web.StreamResponse:
        answer = web.StreamResponse(status=status)
        await answer.prepare(request)
        for _ in range(10_000):
            await answer.write(b"x" * 65_536)
            far.written += 65_536
        return answer

    return writes


def half(status: int) -> Behaviour:
    async def stops(request: web.Request, far: Far) -> web.StreamResponse:
        answer = web.StreamResponse(status=status, headers={"Content-Length": "100"})
        await answer.prepare(request)
        await answer.write(b"half")
        await asyncio.sleep(30)
        return answer

    return stops


async def gzipped(request: web.Request, far: Far) -> web.StreamResponse:
    """It says so, and it is not."""
    return web.Response(body=b"no gzip", headers={"Content-Encoding": "gzip"})


@asynccontextmanager
async def serving(behaviour: Behaviour, context: ssl.SSLContext | None = None) -> AsyncIterator[Far]:
    """On loopback."""
    far, app = Far(), web.Application()

    async def asked(request: web.Request) -> web.StreamResponse:
        far.requests.append((dict(request.headers), await request.read()))
        return await behaviour(request, far)

    async def elsewhere(_: web.Request) -> web.StreamResponse:
        far.elsewhere += 1
        return web.Response()

    app.router.add_post("/hook", asked)
    app.router.add_route("*", "/elsewhere", elsewhere)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    far.url = f"http{'s' if context else ''}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield far
    finally:
        await runner.cleanup()
