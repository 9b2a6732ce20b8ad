"""Streams of notifications over real connections: whole, in order, each once, and at nobody's cost (A10.5, A15.12)."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from ops.partner.aside import Aside
from ops.serve.run import running
from tests.rest.caller import RECEIVER, SENDER, Caller
from tests.rest.conftest import QUICK
from tests.support.world import World


class Stream:
    """What comes on one."""

    def __init__(self, reader: asyncio.StreamReader, status: int) -> None:
        self._reader, self.status = reader, status

    async def frame(self) -> str:
        """The next; empty when the stream has ended. Raises TimeoutError."""
        async with asyncio.timeout(20):
            try:
                size = int(await self._reader.readline() or b"0", 16)
                content = (await self._reader.readexactly(size + 2))[:size]
            except (asyncio.IncompleteReadError, ConnectionError):
                return ""
            return content.decode()

    async def events(self, count: int) -> list[dict[str, Any]]:
        """So many notifications, however many frames come in one piece; heartbeats are passed over."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            piece = await self.frame()
            if not piece:
                break
            found += [_event(one) for one in piece.split("\n\n") if one.startswith("event: notification")]
        return found


def _event(frame: str) -> dict[str, Any]:
    first, data = frame.split("\n")
    assert first == "event: notification" and data.startswith("data: ")
    return dict(json.loads(data.removeprefix("data: ")))


@asynccontextmanager
async def streamed(url: str, key: str, query: str, path: str = "/api/v3/notifications/stream") -> AsyncIterator[Stream]:
    """A stream while inside; cut off without a word on leaving."""
    split = urlsplit(url)
    reader, writer = await asyncio.open_connection(split.hostname, split.port, limit=2**20)
    head = f"GET {path}?{query} HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\napi-version: 3\r\n"
    writer.write(f"{head}nhn-source-system: a, 1\r\nAccept: text/event-stream\r\n\r\n".encode())
    try:
        async with asyncio.timeout(20):
            told = await reader.readuntil(b"\r\n\r\n")
        status = int(told.split(b" ", 2)[1])
        assert status != 200 or b"content-type: text/event-stream" in told.lower()
        yield Stream(reader, status)
    finally:
        writer.transport.abort()


@pytest.fixture(name="quick")
def _quick(served: tuple[World, str]) -> World:
    """Without a stream of the test before, which may not be seen yet to have been cut."""
    world = served[0]
    world.run(_until(lambda: len(world.hub.streaming.streams) == 0))
    return world


@pytest.fixture(name="url")
def _url(served: tuple[World, str]) -> str:
    return served[1]


def _send(world: World, count: int = 1) -> list[str]:
    """So many messages from the doctor to the nurses: each is a notification to them, and some to the doctor."""
    ask = Caller(world)
    return [ask("POST", "/api/v3/messages", ask.order()).json()["id"] for _ in range(count)]


def _newest(world: World, her: int = RECEIVER) -> int:
    return world.run(world.hub.store.newest_offset([str(her)]))


def _polled(world: World, after: int, her: int = RECEIVER) -> list[dict[str, Any]]:
    system = "kommune" if her == RECEIVER else "legesenter"
    reply = Caller(world)(
        "GET", "/api/v3/notifications", query=f"HerIds={her}&Offset={after}&NotificationsToFetch=1000", system=system
    )
    return list(reply.json()["notifications"])


def test_it_begins_with_connected_and_goes_on_from_the_offset(quick: World, url: str) -> None:
    """What was there before comes first; then what happens, with what a poll says, member for member."""
    after = _newest(quick)
    _send(quick, 2)

    async def read() -> tuple[str, list[dict[str, Any]], list[dict[str, Any]]]:
        async with streamed(url, quick.site.keys["kommune"], f"HerIds={RECEIVER}&Offset={after}") as stream:
            first = await stream.frame()
            old = await stream.events(2)
            await asyncio.to_thread(_send, quick)
            return first, old, await stream.events(1)

    first, old, new = quick.run(read())
    assert first == "event: connected\ndata: \n\n"
    assert old + new == _polled(quick, after) and len(old + new) == 3


def test_without_an_offset_it_begins_now(quick: World, url: str) -> None:
    """A6 row 5."""
    _send(quick)
    before = _newest(quick)

    async def read() -> list[dict[str, Any]]:
        async with streamed(url, quick.site.keys["kommune"], f"herids={RECEIVER}") as stream:
            assert "connected" in await stream.frame()
            await asyncio.to_thread(_send, quick)
            return await stream.events(1)

    [one] = quick.run(read())
    assert one["offset"] > before and one["type"] == "NewMessage"


def test_cut_and_resumed_while_messages_arrive_nothing_is_missing_and_nothing_twice(quick: World, url: str) -> None:
    """Cut without a word after every few events, and taken up again from the last offset."""
    after, total = _newest(quick), 40
    writer = threading.Thread(target=_send, args=(quick, total))

    async def read() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        step = 1
        while len(found) < total:
            last = found[-1]["offset"] if found else after
            async with streamed(url, quick.site.keys["kommune"], f"HerIds={RECEIVER}&Offset={last}") as stream:
                if stream.status == 429:  # those that were cut are not all seen to be yet: tried again
                    continue
                found += (await stream.events(min(step, total - len(found))))[:step]
            step = step % 5 + 1
        return found

    writer.start()
    found = quick.run(read(), 120)
    writer.join()
    assert found == _polled(quick, after) and len(found) == total


def test_unread_ones_come_first_and_then_what_happens(quick: World, url: str) -> None:
    """A6 row 13: without what was deleted, and without offsets."""
    _send(quick, 3)
    path = "/api/v3/notifications/unread/stream"
    every = _polled(quick, 0)
    facade = quick.hub.systems
    caller = facade.at_its_place(quick.hub.kit.directory.system("kommune"))
    for first in range(0, len(every) - 2, 1000):
        gone = [one["notificationId"] for one in every[first:-2][:1000]]
        quick.run(facade.delete(caller, gone))

    async def read() -> list[dict[str, Any]]:
        async with streamed(url, quick.site.keys["kommune"], f"HerIds={RECEIVER}", path) as stream:
            assert "connected" in await stream.frame()
            old = await stream.events(2)
            await asyncio.to_thread(_send, quick)
            return old + await stream.events(1)

    found = quick.run(read())
    wanted = _polled(quick, every[-3]["offset"])
    quick.run(_until(lambda: len(quick.hub.streaming.streams) == 0))
    assert found == [{name: one[name] for name in one if name != "offset"} for one in wanted]


def test_while_nothing_happens_it_shows_that_it_stands(quick: World, url: str) -> None:
    """A comment, which clients pass over (WHATWG 9.2.6)."""

    async def read() -> list[str]:
        async with streamed(url, quick.site.keys["kommune"], f"HerIds={RECEIVER}") as stream:
            return [await stream.frame() for _ in range(3)]

    assert quick.run(read())[1:] == [": heartbeat\n\n", ": heartbeat\n\n"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        (f"HerIds={RECEIVER}&Offset=x", 400),
        (f"HerIds={RECEIVER}&HerIds={RECEIVER}", 400),
        (f"HerIds={SENDER}", 403),
    ],
)
def test_what_would_be_refused_is_refused_before_it_begins(quick: World, url: str, query: str, status: int) -> None:
    async def read() -> int:
        async with streamed(url, quick.site.keys["kommune"], query) as stream:
            return stream.status

    assert quick.run(read()) == status
    assert len(quick.hub.streaming.streams) == 0


def test_a_record_system_has_so_many_and_another_its_own(quick: World, url: str) -> None:
    """429, which clients try again (A10.5); a place is free again when a stream is cut."""

    async def read() -> list[int]:
        key, other = quick.site.keys["kommune"], quick.site.keys["legesenter"]
        here, theirs = f"HerIds={RECEIVER}", f"HerIds={SENDER}"
        async with streamed(url, key, here) as a, streamed(url, key, here) as b:
            async with streamed(url, key, here) as c, streamed(url, key, here) as d, streamed(url, other, theirs) as e:
                found = [one.status for one in (a, b, c, d, e)]
            await _until(lambda: len(quick.hub.streaming.streams) == 2)
            async with streamed(url, key, here) as f:
                return [*found, f.status]

    assert quick.run(read()) == [200, 200, 200, 429, 200, 200]
    quick.run(_until(lambda: len(quick.hub.streaming.streams) == 0))


async def _until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not met():
            await asyncio.sleep(0.005)


def test_a_reader_that_takes_nothing_is_cut_off(quick: World, url: str) -> None:
    """It holds neither memory nor a place: what it does not take is not kept for it."""
    description = "x" * 50_000

    async def read() -> None:
        facade = quick.hub.systems
        told = facade.events

        async def wordy(*given: Any) -> Any:
            found = await told(*given)
            from dataclasses import replace

            return replace(found, events=tuple(replace(one, description=description) for one in found.events))

        facade.events = wordy  # type: ignore[method-assign]
        try:
            async with streamed(url, quick.site.keys["kommune"], f"HerIds={RECEIVER}&Offset=0"):
                assert len(quick.hub.streaming.streams) == 1
                await _until(lambda: len(quick.hub.streaming.streams) == 0)
        finally:
            facade.events = told  # type: ignore[method-assign]

    _send(quick, 120)
    quick.run(read())


def test_it_ends_when_the_right_to_it_does(quick: World, url: str) -> None:
    """A key that is known no more, seen at the latest when a sign of life is due."""
    facade = quick.hub.systems

    async def read() -> str:
        known = facade._with_key
        async with streamed(url, quick.site.keys["kommune"], f"HerIds={RECEIVER}") as stream:
            assert "connected" in await stream.frame()
            facade._with_key = lambda *_, **__: None  # type: ignore[method-assign]
            try:
                while piece := await stream.frame():
                    assert piece.startswith(": ")
            finally:
                facade._with_key = known  # type: ignore[method-assign]
            return piece

    assert quick.run(read()) == ""


def test_all_end_when_the_hub_stops(new_world: Any, aside: Aside) -> None:
    """At once and whole: the hub waits for nobody."""
    world = new_world(rest={"heartbeat_seconds": 60}, http={"port": 0})
    url, leave = aside.enter(running(world.hub))
    opened, over = threading.Event(), []

    async def read() -> list[str]:
        async with streamed(url, world.site.keys["kommune"], f"HerIds={RECEIVER}") as stream:
            found = [await stream.frame()]
            opened.set()
            return [*found, await stream.frame()]

    reading = threading.Thread(target=lambda: over.extend(world.run(read())))
    reading.start()
    opened.wait(20)
    leave()
    reading.join()
    assert over == ["event: connected\ndata: \n\n", ""]


def test_nothing_is_looked_for_while_there_are_none(quick: World, url: str) -> None:
    """One watcher for all streams, and it sleeps without them."""
    streaming, asked = quick.hub.streaming, []
    look = streaming.streams.look

    async def counted() -> None:
        asked.append(len(streaming.streams))
        await look()

    async def read() -> None:
        streaming.streams.look = counted  # type: ignore[method-assign]
        try:
            key, query = quick.site.keys["kommune"], f"HerIds={RECEIVER}"
            async with streamed(url, key, query), streamed(url, key, query):
                await _until(lambda: asked.count(2) > 2)
            await _until(lambda: len(streaming.streams) == 0)
            await _until(lambda: not streaming._wanted.is_set())
            del asked[:]
            await asyncio.sleep(10 * QUICK["look_seconds"])
        finally:
            streaming.streams.look = look  # type: ignore[method-assign]

    quick.run(_until(lambda: len(streaming.streams) == 0))
    quick.run(read())
    assert len(asked) <= 1


def test_it_ends_when_its_time_is_up_and_goes_on_with_the_next(quick: World, url: str, monkeypatch: Any) -> None:
    """In good order, between two events; one that was asked for without an offset stands, since nobody knows where it was."""
    settings = quick.hub.streaming.settings.model_copy(update={"stream_seconds": 0.3})
    monkeypatch.setattr(quick.hub.streaming, "settings", settings)
    after, key = _newest(quick), quick.site.keys["kommune"]
    _send(quick, 2)

    async def whole(query: str) -> str:
        async with streamed(url, key, query) as stream, asyncio.timeout(20):
            return (await stream._reader.read()).decode()

    said = quick.run(whole(f"HerIds={RECEIVER}&Offset={after}"))
    assert said.count("event: notification") == 2 and said.endswith("0\r\n\r\n")
    assert quick.run(whole(f"HerIds={RECEIVER}&Offset={_newest(quick)}")).count("event: notification") == 0

    async def stands() -> None:
        async with streamed(url, key, f"HerIds={RECEIVER}") as stream:
            for _ in range(12):  # heartbeats for twice as long
                await stream.frame()

    quick.run(stands())
