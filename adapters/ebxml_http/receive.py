"""`POST /ebxml`: hands the bytes as received to the kernel and puts its answer on the wire."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from hub.message import Answer, Arrival

Receive = Callable[[Arrival], Awaitable[Answer]]


def endpoint(
    receive: Receive,
    now: Callable[[], datetime],
    new_id: Callable[[], str],
    max_bytes: int,
    full: Callable[[], Awaitable[Answer | None]],
) -> Callable[[Request], Awaitable[Response]]:
    """The request handler. `full` answers before a byte is read when nothing new may be taken."""

    async def post(request: Request) -> Response:
        if refusal := await full():
            return _response(refusal)
        body = await _bounded(request, max_bytes)
        headers = dict(request.headers.items())
        return _response(await receive(Arrival(new_id(), "ebxml_http", now(), headers, body)))

    return post


async def _bounded(request: Request, max_bytes: int) -> bytes:
    """The body, read no further than one byte over the limit: the kernel then refuses it by its size."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            break
    return b"".join(chunks)


def _response(answer: Answer) -> Response:
    return Response(answer.body, status_code=answer.status, headers=dict(answer.headers))
