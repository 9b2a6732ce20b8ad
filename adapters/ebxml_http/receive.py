"""`POST /ebxml`: hands the bytes as received to the kernel and puts its answer on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import datetime

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from hub.bounds import cut_short, taken
from hub.formats import coding
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
        body, trouble = await _came(request, max_bytes)  # the kernel refuses what is larger
        headers, peer = dict(request.headers.items()), request.client.host if request.client else ""
        arrival = Arrival(new_id(), "ebxml_http", now(), headers, body, trouble=trouble, peer=peer)
        if "content-encoding" in arrival.headers and not trouble and len(body) <= max_bytes:
            said = ", ".join(request.headers.getlist("content-encoding"))
            arrival = await asyncio.to_thread(_unpacked, arrival, said, max_bytes)
        return _response(await receive(arrival))

    return post


async def _came(request: Request, max_bytes: int) -> tuple[bytes, tuple[str, str] | None]:
    """The body as it comes, and why it is not whole.

    What came before the connection was lost lies in quarantine with that reason. A whole one counts, though nobody hears
    the answer before the sender asks again.
    """
    lost = False

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal lost
        try:
            async for piece in request.stream():
                yield piece
        except ClientDisconnect:
            lost = True

    body = await taken(pieces(), max_bytes)
    return body, ("mime", cut_short(len(body), request.headers.get("content-length", ""))) if lost else None


def _unpacked(arrival: Arrival, said: str, max_bytes: int) -> Arrival:
    """The same out of its content codings: these are HTTP's, like chunks; what partners sign and send again is inside.

    The headers about the packed form go off with it (RFC 9110 8.4). What cannot be unpacked stays as it was received.
    """
    found = coding.unpacked(said, arrival.body, max_bytes) if arrival.body else b""
    if isinstance(found, coding.CodingFault):
        return replace(arrival, trouble=("mime" if found.known else "content-coding", found.text))
    return replace(arrival, headers=coding.bare(arrival.headers), body=found)


def _response(answer: Answer) -> Response:
    headers = dict(answer.headers)
    if answer.status == 415:
        headers["Accept-Encoding"] = coding.ACCEPTED  # RFC 9110 12.5.3
    return Response(answer.body, status_code=answer.status, headers=headers)
