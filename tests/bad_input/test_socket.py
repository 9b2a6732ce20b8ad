"""The same door on a real socket: halves, trickles, lies about length, and more than is taken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from hub.ports import ArrivalFilter, ArrivalRecord
from ops.partner.aside import Aside, eventually
from ops.serve.run import running
from tests.support.letters import Letter, business
from tests.support.world import World


@dataclass
class Served:
    """A hub that listens."""

    world: World
    host: str
    port: int

    def say(self, *pieces: bytes, listen: bool = True) -> bytes:
        """Writes these bytes to a connection of its own, and returns all that comes back before it is closed."""
        return self.world.run(self._say(pieces, listen))

    async def _say(self, pieces: tuple[bytes, ...], listen: bool) -> bytes:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        answer = asyncio.create_task(reader.read())
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0)
        if not listen:
            writer.close()
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)
            return b""
        try:
            return await asyncio.wait_for(answer, 20)
        finally:
            writer.close()

    def newest(self) -> ArrivalRecord | None:
        """The newest arrival."""
        return next(iter(self.world.run(self.world.hub.store.arrivals(ArrivalFilter(limit=1)))), None)

    def next_after(self, before: ArrivalRecord | None) -> ArrivalRecord:
        """The arrival that comes after `before`."""

        def look() -> ArrivalRecord | None:
            now = self.newest()
            return now if now is not None and (before is None or now.arrival.id != before.arrival.id) else None

        found = eventually(look, wanted="an arrival")
        assert found is not None
        return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, keys, aside: Aside) -> Iterator[Served]:  # type: ignore[no-untyped-def]
    """On a free port; its worker watches and sweeps beside."""
    world = World(tmp_path_factory.mktemp("served"), keys, aside, http={"port": 0}, hub={"max_message_bytes": 100_000})
    url, leave = aside.enter(running(world.hub))
    split = urlsplit(url)
    assert split.hostname and split.port
    yield Served(world, split.hostname, split.port)
    leave()
    world.close()


def request(letter: Letter, *, length: int | None = None, close: bool = True) -> bytes:
    """A POST of it, whole; `length` lies about its body."""
    headers = {"Host": "hub", "Content-Length": str(len(letter.body) if length is None else length), **letter.headers}
    headers |= {"Connection": "close"} if close else {}
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(["POST /ebxml HTTP/1.1", *lines, "", ""]).encode() + letter.body


def good(served: Served) -> Letter:
    return business(served.world.post_to, served.world.sample().document)


def test_a_whole_message_is_acknowledged(served: Served) -> None:
    answer = served.say(request(good(served)))
    assert answer.startswith(b"HTTP/1.1 200") and b"<eb:Acknowledgment" in answer


def test_half_a_request_is_kept_as_half_a_package(served: Served) -> None:
    """The sender announces it all, sends half, and goes: nothing is promised, and people can see what came."""
    before, letter = served.newest(), good(served)
    half = letter.body[: len(letter.body) // 2]
    served.say(request(Letter(letter.headers, half), length=len(letter.body)), listen=False)
    arrival = served.next_after(before)
    assert (arrival.state, arrival.code) == ("quarantined", "mime")
    assert arrival.arrival.body == half
    served.say(request(letter))
    assert served.next_after(arrival).state == "accepted", "the sender's resend is taken"


def test_a_message_that_came_whole_counts_though_the_sender_did_not_wait(served: Served) -> None:
    """It is stored; its resend gets the same answer and is delivered once."""
    before, letter = served.newest(), good(served)
    served.say(request(letter), listen=False)
    arrival = served.next_after(before)
    assert arrival.state == "accepted"
    assert arrival.answer and arrival.answer in served.say(request(letter))


def test_a_trickle_of_bytes_is_a_message_all_the_same(served: Served) -> None:
    whole = request(good(served))
    answer = served.say(*(whole[i : i + 50] for i in range(0, len(whole), 50)))
    assert b"<eb:Acknowledgment" in answer


def test_chunks_are_a_message_all_the_same(served: Served) -> None:
    letter = good(served)
    lines = ["POST /ebxml HTTP/1.1", "Host: hub", "Transfer-Encoding: chunked", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in letter.headers.items()]
    pieces = [letter.body[i : i + 999] for i in range(0, len(letter.body), 999)]
    chunks = b"".join(f"{len(p):x}\r\n".encode() + p + b"\r\n" for p in pieces)
    answer = served.say("\r\n".join([*lines, "", ""]).encode() + chunks + b"0\r\n\r\n")
    assert b"<eb:Acknowledgment" in answer


@pytest.mark.parametrize("kilobytes", [101, 1000, 20_000])
def test_too_large_is_told_by_413_and_the_connection_does_not_hang(served: Served, kilobytes: int) -> None:
    before = served.newest()
    letter = Letter({"Content-Type": "text/xml"}, b"x" * (kilobytes * 1000))
    answer = served.say(request(letter))
    assert answer.startswith(b"HTTP/1.1 413") or not answer, answer[:200]
    arrival = served.next_after(before)
    assert arrival.code == "too-large" and len(arrival.arrival.body) <= 65_536


NO_HTTP = {
    "noise": bytes(range(256)),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a mail": b"EHLO test.invalid\r\n",
    "a header without end": b"POST /ebxml HTTP/1.1\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
    "a length that is none": b"POST /ebxml HTTP/1.1\r\nHost: h\r\nContent-Length: mange\r\n\r\n",
    "two lengths": b"POST /ebxml HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a negative length": b"POST /ebxml HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
}


@pytest.mark.parametrize("said", NO_HTTP.values(), ids=NO_HTTP.keys())
def test_what_is_no_http_is_answered_400_or_cut_and_the_next_is_served(served: Served, said: bytes) -> None:
    answer = served.say(said + b"\r\n\r\n")
    assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")), answer[:200]
    assert b"Traceback" not in answer
    assert b"<eb:Acknowledgment" in served.say(request(good(served)))


def test_a_second_request_in_the_same_breath_is_answered_too(served: Served) -> None:
    first, second = request(good(served), close=False), request(good(served))
    answer = served.say(first + second)
    assert answer.count(b"<eb:Acknowledgment ") == 2


def test_many_who_say_nothing_keep_nobody_out(served: Served) -> None:
    """Connections that never send their request take no turn from those that do."""

    async def quiet() -> list[asyncio.StreamWriter]:
        return [(await asyncio.open_connection(served.host, served.port))[1] for _ in range(150)]

    silent = served.world.run(quiet())
    assert b"<eb:Acknowledgment" in served.say(request(good(served)))
    for writer in silent:
        served.world.run(_closed(writer))


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
