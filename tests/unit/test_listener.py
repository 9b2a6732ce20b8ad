"""What a process has for itself while it serves: a port, a store; and the offsets that it gives."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hub.errors import ConfigurationError, StoreUnavailable
from ops.serve.alone import alone
from ops.serve.run import least_offset, listener


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_answers_leave_at_once(host: str) -> None:
    """Without TCP_NODELAY each answer on a kept connection waits some 40 ms for the partner's delayed ACK."""
    accepted = asyncio.Queue[asyncio.StreamWriter]()
    own = listener(host, 0)

    async with await asyncio.start_server(lambda _, writer: accepted.put(writer), sock=own):
        _, caller = await asyncio.open_connection(host, own.getsockname()[1])
        answering = await accepted.get()

        assert answering.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

        for one in (caller, answering):
            one.close()
            await one.wait_closed()


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "worker"])
def test_a_port_in_use_is_one_sentence(shared: bool) -> None:
    """Which one, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ConfigurationError) as told:
            listener("127.0.0.1", port, shared=shared)
    (sentence,) = told.value.mistakes
    assert f"127.0.0.1:{port}" in sentence and "http.port" in sentence


def test_a_host_that_is_not_ours_is_one_sentence() -> None:
    """As a name that was mistyped."""
    with pytest.raises(ConfigurationError, match=r"http\.host"):
        listener("192.0.2.1", 0)


def test_a_second_hub_on_one_embedded_store_is_refused(tmp_path: Path) -> None:
    """It hears who serves it; when that one is gone the next may."""
    store = tmp_path / "data" / "samhub.db"
    for _ in range(2):
        with (
            alone(store),
            pytest.raises(StoreUnavailable, match=r"another hub serves it \(process \d+\)"),
            alone(store),
        ):
            raise AssertionError("both serve it")
    with alone(store), alone(tmp_path / "data" / "another.db"):
        pass


def test_offsets_begin_above_any_that_were_given() -> None:
    """A record system that has seen a thousand a second since the last start has seen no greater one."""
    start = datetime(2026, 3, 2, tzinfo=UTC)
    for lived in (timedelta(seconds=1), timedelta(days=1), timedelta(days=3650)):
        given = least_offset(start) + int(lived.total_seconds() * 1000)
        assert given <= least_offset(start + lived) < 2**53
