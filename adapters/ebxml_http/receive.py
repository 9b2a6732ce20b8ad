"""`POST /ebxml`: hands the bytes as received to the kernel and puts its answer on the wire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import datetime

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from hub.bounds import taken
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
        body = await taken(_came(request), max_bytes)  # the kernel refuses what is larger
        headers = dict(request.headers.items())
        return _response(await receive(Arrival(new_id(), "ebxml_http", now(), headers, body)))

    return post


async def _came(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes.

    When the connection is lost, what has come is judged as it is: half a package is none and lies in quarantine with
    that reason, and a whole one counts, though nobody hears the answer before the sender asks again.
    """
    with suppress(ClientDisconnect):
        async for chunk in request.stream():
            yield chunk


def _response(answer: Answer) -> Response:
    return Response(answer.body, status_code=answer.status, headers=dict(answer.headers))
