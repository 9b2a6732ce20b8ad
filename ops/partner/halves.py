"""Half of an answer, half of a request: what a connection that is cut leaves."""

from __future__ import annotations

import asyncio

from aiohttp import web
from yarl import URL

from ops.partner.wire import Wire


async def response(request: web.Request, written: Wire) -> web.StreamResponse:
    """Announces the whole answer, sends half of it, and cuts the connection."""
    answer = web.StreamResponse(headers={**written.headers, "Content-Length": str(len(written.body))})
    await answer.prepare(request)
    await answer.write(written.body[: len(written.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return answer


async def request(url: str, written: Wire) -> None:
    """Announces the whole body, sends half of it, and goes."""
    split = URL(url)
    _, writer = await asyncio.open_connection(split.host, split.port)
    lines = [f"POST {split.path} HTTP/1.1", f"Host: {split.host}", f"Content-Length: {len(written.body)}"]
    lines += [f"{name}: {value}" for name, value in written.headers.items()]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + written.body[: len(written.body) // 2])
    await writer.drain()
    writer.close()
    await writer.wait_closed()
