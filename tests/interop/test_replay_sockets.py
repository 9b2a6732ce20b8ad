"""Every request of a Java HttpClient as it lay on the wire, at a door that listens: its body is kept, and it gets one answer."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from hub.ports import ArrivalFilter
from ops.serve.run import running
from tests.interop import replay
from tests.interop.stand import standings
from tests.interop.test_replay_settling import aside, keys  # noqa: F401  fixtures

#: Asked behind each request on the same connection: its answer is the second, and the last.
AFTER = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


@pytest.fixture
def stands(standards, tmp_path, keys, aside, monkeypatch):  # noqa: F811
    with standings(standards, tmp_path, keys, aside, monkeypatch.setattr) as made:
        yield made


async def exchanged(port: int, wire: bytes, *, apart: bool) -> bytes:
    """All that comes back for the request and what is asked behind it; `apart`: the body in a segment of its own."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head, blank, body = wire.partition(b"\r\n\r\n")
    for piece in (head + blank, body) if apart else (wire,):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.01 if apart else 0)
    writer.write(AFTER)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize("apart", [False, True], ids=["in one segment", "its body apart"])
def test_a_request_that_offers_http2_keeps_its_body_and_gets_one_answer(apart, stands, standards):
    """`Upgrade: h2c` may be ignored, the request may not (RFC 9110 7.8); Content-Length and chunked."""
    wrong = {}
    offering = [one for one in replay.exchanges(standards) if "Upgrade" in one.request.headers]
    stand = stands.of(offering[0])
    url, leave = stand.entered(running(stand.hub))
    try:
        for one in offering:
            stand.clock.at = one.at + timedelta(seconds=1)
            answer = stand.run(exchanged(int(url.rpartition(":")[2]), one.request.wire, apart=apart))
            question = replay.envelope(one.request).kind in ("ping", "status_request")
            kept = stand.run(stand.hub.store.arrivals(ArrivalFilter(limit=300)))
            if answer.count(b"HTTP/1.1 ") != 2 or not answer.rpartition(b"HTTP/1.1 ")[2].startswith(b"200"):
                wrong[one.id] = answer[:200]
            elif not question and one.request.body not in [a.arrival.body for a in kept]:
                wrong[one.id] = "its bytes were not kept"
    finally:
        leave()
    assert len(offering) == 54
    assert not wrong, "\n".join(f"{name}: {why!r}" for name, why in wrong.items())
