"""The socket that a hub listens on."""

from __future__ import annotations

import asyncio
import socket

import pytest

from ops.serve.run import _listener


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_answers_leave_at_once(host: str) -> None:
    """Without TCP_NODELAY each answer on a kept connection waits some 40 ms for the partner's delayed ACK."""
    accepted = asyncio.Queue[asyncio.StreamWriter]()
    listener = _listener(host, 0, shared=False)

    async with await asyncio.start_server(lambda _, writer: accepted.put(writer), sock=listener):
        _, caller = await asyncio.open_connection(host, listener.getsockname()[1])
        answering = await accepted.get()

        assert answering.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

        for one in (caller, answering):
            one.close()
            await one.wait_closed()
