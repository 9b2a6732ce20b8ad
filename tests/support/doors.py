"""Every door of a hub and of the simulator on real sockets, with a request for each whose right answer is known."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httptools
from aiohttp import web

from ops.partner.aside import Aside
from ops.partner.door import runner
from ops.partner.partner import Partner, PartnerKeys
from ops.partner.serve import control_app
from ops.serve.run import running
from tests.support.letters import Letter, business
from tests.support.world import DOCTOR, PARTNER, World

#: A whole request. As a body, or at the beginning of one, it must never be answered by itself.
INNER = b"GET /inner HTTP/1.1\r\nHost: inner\r\n\r\n"
#: So long a connection may stay open after the last request on it.
CLOSED_SECONDS = 10
#: What comes last on a connection: nobody has it, and who is asked for it closes.
LAST = b"GET /last HTTP/1.1\r\nHost: last\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Door:
    """Where it is, a request to it, and the status and words of the right answer; `simulated` is not the hub's."""

    name: str
    url: str
    method: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    words: bytes = b""
    simulated: bool = False

    def head(self, *lines: bytes, target: str = "", version: bytes = b"1.1") -> bytes:
        """The head of its request, with more lines."""
        first = f"{self.method} {target or urlsplit(self.url).path} HTTP/".encode() + version
        own = [f"{name}: {value}".encode("latin-1") for name, value in self.headers.items()]
        return b"\r\n".join([first, b"Host: door", *own, *lines, b"", b""])

    def right(self, heard: Heard) -> bool:
        """Whether that is its answer."""
        return heard.status == self.status and self.words in heard.body

    async def hear(self, pieces: Sequence[bytes], *, half_close: bool = False) -> list[Heard]:
        """Writes the pieces, each in a segment of its own, and reads until the other side has closed."""
        split = urlsplit(self.url)
        reader, writer = await asyncio.open_connection(split.hostname, split.port)
        found = bytearray()
        answer = asyncio.create_task(_read(reader, found))
        try:
            for number, piece in enumerate(pieces):
                if number:
                    await asyncio.sleep(0.02)
                writer.write(piece)
                await writer.drain()
            if half_close:
                writer.write_eof()
        except ConnectionError:
            pass  # it has been refused already: what was said before counts
        await asyncio.wait([answer], timeout=CLOSED_SECONDS)
        writer.close()
        if not answer.done():
            await asyncio.wait([answer])
            return [*answers(bytes(found)), Heard(0, {}, b"the connection stays open")]
        return answers(bytes(found))


async def _read(reader: asyncio.StreamReader, found: bytearray) -> None:
    try:
        while piece := await reader.read(65_536):
            found += piece
    except ConnectionError:
        pass


class _Reader:
    """Answers as a client of another house reads them."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []

    def on_message_begin(self) -> None:
        self._headers: dict[str, str] = {}
        self._body = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.heard.append(Heard(parser.get_status_code() if (parser := self.parser) else 0, self._headers, self._body))

    parser: httptools.HttpResponseParser | None = None


def answers(said: bytes) -> list[Heard]:
    """All answers in what came back; raises where they are no HTTP."""
    reader = _Reader()
    reader.parser = httptools.HttpResponseParser(reader)
    reader.parser.feed_data(said)
    return [one for one in reader.heard if one.status != 100]


@dataclass(frozen=True, slots=True)
class Doors:
    """A hub that serves, a partner and a control interface beside it."""

    world: World
    every: Mapping[str, Door]
    letter: Callable[[], Letter]


def opened(world: World, aside: Aside) -> Iterator[Doors]:
    """While the generator stands."""
    doors, leave = aside.enter(_opened(world))
    yield doors
    leave()


@asynccontextmanager
async def _opened(world: World) -> AsyncIterator[Doors]:
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(running(world.hub))
        keys = PartnerKeys(world.keys.good, world.hub.kit.keys.decryption_keys(DOCTOR.her_id))
        partner = await stack.enter_async_context(Partner(PARTNER.her_id, keys))
        control = runner(control_app({PARTNER.her_id: partner}))
        await control.setup()
        stack.push_async_callback(control.cleanup)
        await web.TCPSite(control, "127.0.0.1", 0).start()
        steer = f"http://127.0.0.1:{control.addresses[0][1]}/"
        every = (*_of_hub(world, hub), *_of_simulator(world, partner, steer))
        yield Doors(world, {door.name: door for door in every}, lambda: _letter(world))


def _letter(world: World) -> Letter:
    return business(world.post_to, world.sample().document)


def _of_hub(world: World, url: str) -> Iterator[Door]:
    letter = _letter(world)
    key = {"X-API-Key": world.site.keys["legesenter"], "Content-Type": "application/json"}
    # What stands before the first boundary is a preamble, and nobody's business (RFC 2046 5.1.1).
    yield Door("ebxml", f"{url}/ebxml", "POST", letter.headers, INNER + letter.body, 200, b"<eb:Acknowledgment ")
    yield Door("ebxml, no ebXML", f"{url}/ebxml", "POST", {"Content-Type": "text/xml"}, INNER, 500, b"Fault>")
    yield Door("rest, an order", f"{url}/api/v3/messages", "POST", key, _order(world), 202, b'"id"')
    yield Door("rest, no order", f"{url}/api/v3/messages", "POST", key, INNER, 400, b"json_invalid")
    yield Door("rest, a stranger", f"{url}/api/v3/messages", "POST", {}, INNER, 401, b"unauthorized")
    yield Door("rest, read with a body", f"{url}/api/v3/ping", "GET", {}, INNER, 200, b"pong")
    basic = base64.b64encode(f"legesenter:{world.site.keys['legesenter']}".encode()).decode()
    soap = {"Authorization": f"Basic {basic}", "Content-Type": "text/xml"}
    yield Door("soap, an operation", f"{url}/soap/v1", "POST", soap, b" " * 100 + _ping(), 200, b"PingResponse")
    yield Door("soap, no envelope", f"{url}/soap/v1", "POST", soap, INNER, 500, b"not-well-formed")
    yield Door(
        "soap, a stranger", f"{url}/soap/v1", "POST", {"Content-Type": "text/xml"}, _ping(), 401, b"unauthorized"
    )
    yield Door("metrics", f"{url}/metrics", "GET", {}, INNER, 200, b"samhub_standing")
    yield Door("live", f"{url}/health/live", "GET", {}, INNER, 200, b"live")
    yield Door("ready", f"{url}/health/ready", "GET", {}, INNER, 200, b"writable")
    yield Door("nobody's", f"{url}/nothing", "PUT", {}, INNER, 404, b"no-such-path")


def _of_simulator(world: World, partner: Partner, control: str) -> Iterator[Door]:
    letter = _letter(world)
    steer, send = f"{control}partners/{PARTNER.her_id}", f"{control}partners/{PARTNER.her_id}/send"
    good = json.dumps({"receiving": "good"}).encode()
    yield Door("partner", partner.url, "POST", letter.headers, INNER + letter.body, 200, b"<eb:Acknowledgment ", True)
    yield Door("partner, no ebXML", partner.url, "POST", {}, INNER, 500, b"not ebXML", True)
    yield Door("control, steered", steer, "PUT", {}, good, 200, b'"good"', True)
    yield Door("control, no JSON", send, "POST", {}, INNER, 400, b"not JSON", True)
    yield Door("control, looked at", control, "GET", {}, INNER, 200, b"behaviours", True)


def _order(world: World) -> bytes:
    document = world.sample(sender=DOCTOR, receiver=PARTNER).document
    order = {
        "senderHerId": int(DOCTOR.her_id),
        "receiverHerIds": [int(PARTNER.her_id)],
        "businessDocument": base64.b64encode(document).decode(),
        "contentType": "application/xml",
        "contentTransferEncoding": "base64",
    }
    return b" " * 100 + json.dumps(order).encode()


def _ping() -> bytes:
    space = b"http://schemas.xmlsoap.org/soap/envelope/"
    ping = b'<Ping xmlns="urn:samhandling-hub:epj:v1"/>'
    return b'<s:Envelope xmlns:s="%s"><s:Body>%s</s:Body></s:Envelope>' % (space, ping)
