"""Where a request ends: at every door one request gets one answer, the right one or a refusal, whatever is said of its length.

Each form of a request is sent to each door, first and later on its connection, with another request behind it. Where the
form is read, both are answered; where it is refused, nothing behind it is. What stands in its body is never answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

import pytest

from ops.partner import door as simulated
from ops.partner.aside import Aside
from ops.serve import connection
from tests.support.doors import INNER, LAST, Door, Doors, Heard, opened
from tests.support.world import Keys, World

#: What a form does with a door: the pieces that go out, each in a segment of its own.
Form = Callable[[Door], Sequence[bytes]]
DOORS = (
    "ebxml",
    "ebxml, no ebXML",
    "rest, an order",
    "rest, no order",
    "rest, a stranger",
    "rest, read with a body",
    "soap, an operation",
    "soap, no envelope",
    "soap, a stranger",
    "metrics",
    "live",
    "ready",
    "nobody's",
    "partner",
    "partner, no ebXML",
    "control, steered",
    "control, no JSON",
    "control, looked at",
)
#: So many connections to one door at a time.
AT_ONCE = 16
CHUNKED = b"Transfer-Encoding: chunked"


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory, keys: Keys, aside: Aside) -> Iterator[Doors]:
    """One hub for all of it."""
    world = World(tmp_path_factory.mktemp("doors"), keys, aside, http={"port": 0})
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            simulated, "SILENT_SECONDS", 0.5
        )  # aiohttp waits where a chunk is wrong, so the simulator gives up
        yield from opened(world, aside)
    world.close()


def test_every_door_is_asked(doors: Doors) -> None:
    """The names stand here so that each is a test of its own."""
    assert tuple(doors.every) == DOORS


def length(body: bytes) -> bytes:
    return b"Content-Length: %d" % len(body)


def chunks(body: bytes, size: int = 50) -> bytes:
    pieces = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


# --- what must be read


OFFERS = {
    "h2c": [b"Upgrade: h2c"],
    "websocket": [b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
    "TLS": [b"Upgrade: TLS/1.0, HTTP/1.1"],
    "several": [b"Upgrade: h2c, websocket", b"Upgrade: IRC/6.9"],
    "nothing": [b"Upgrade:"],
    "nonsense": [b"Upgrade: \t,;= a b"],
    "tcp": [b"upgrade: tcp"],
    "none": [],
}
CONNECTIONS = {
    "": [],
    "upgrade": [b"Connection: Upgrade"],
    "as Java": [b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA"],
    "keep": [b"Connection: keep-alive, upgrade"],
}


def offered(lines: Sequence[bytes], *, chunked: bool, apart: bool) -> Form:
    def form(door: Door) -> list[bytes]:
        head = door.head(*lines, CHUNKED if chunked else length(door.body))
        body = chunks(door.body) if chunked else door.body
        return [head, body] if apart else [head + body]

    return form


READ: dict[str, Form] = {
    f"{offer}, {linked or 'no Connection'}, {'chunked' if chunked else 'length'}, {'apart' if apart else 'together'}": offered(
        [*lines, *CONNECTIONS[linked]], chunked=chunked, apart=apart
    )
    for offer, lines in OFFERS.items()
    for linked in CONNECTIONS
    for chunked in (False, True)
    for apart in (False, True)
} | {
    "cut in the head": lambda d: _cut(d.head(b"Upgrade: h2c", b"Connection: Upgrade", length(d.body)) + d.body, 40),
    "a chunk extension": lambda d: [d.head(CHUNKED) + chunks(d.body).replace(b"\r\n", b";name=value\r\n", 1)],
    "a trailer": lambda d: [d.head(CHUNKED) + chunks(d.body)[:-2] + b"X-API-Key: trailer\r\nX-Sum: 1\r\n\r\n"],
    "zeros before a chunk's size": lambda d: [d.head(CHUNKED) + b"000000" + chunks(d.body)],
    "Chunked": lambda d: [d.head(b"transfer-encoding:\tChunked ") + chunks(d.body)],
    "line ends before it": lambda d: [b"\r\n\r\n" + d.head(length(d.body)) + d.body],
    "100-continue": lambda d: [d.head(b"Expect: 100-continue", length(d.body)), d.body],
    "an absolute target": lambda d: [d.head(length(d.body), target=d.url) + d.body],
}


def _cut(said: bytes, size: int) -> list[bytes]:
    return [said[:size], said[size : 2 * size], said[2 * size :]]


# --- what may be refused: then nothing behind it is read


def _header(*lines: bytes) -> Form:
    return lambda d: [d.head(*lines, length(d.body)) + d.body]


def _told(line: bytes) -> Form:
    return lambda d: [d.head(line) + d.body]


def _coded(*lines: bytes) -> Form:
    return lambda d: [d.head(*lines) + chunks(d.body)]


def _sized(size: bytes) -> Form:
    """A first chunk whose size is written so; what it would hold is a request."""
    return lambda d: [d.head(CHUNKED) + size + b"\r\n" + INNER + b"\r\n0\r\n\r\n"]


def _chunked(edit: Callable[[bytes], bytes]) -> Form:
    return lambda d: [d.head(CHUNKED) + edit(chunks(d.body, 10_000_000))]


UNCERTAIN: dict[str, Form] = {
    "two lengths, equal": lambda d: [d.head(length(d.body), length(d.body)) + d.body],
    "a list of equal lengths": lambda d: [d.head(length(d.body) + b", %d" % len(d.body)) + d.body],
    "two lengths, the second shorter": lambda d: [d.head(length(d.body), b"Content-Length: 0") + d.body],
    "two lengths, the first shorter": lambda d: [d.head(b"Content-Length: 0", length(d.body)) + d.body],
    "length and chunks": lambda d: [d.head(length(d.body), CHUNKED) + chunks(d.body)],
    "chunks and length": lambda d: [d.head(CHUNKED, b"Content-Length: 3") + chunks(d.body)],
    "length and another coding": lambda d: [d.head(b"Transfer-Encoding: identity", length(d.body)) + d.body],
    **{
        f"a length of {value!r}": _told(b"Content-Length:" + value)
        for value in (b"", b" +5", b" -1", b" 0x10", b" 1e3", b" 5 5", b" 5;", b" 18446744073709551621", b"\x0b5", b"\xa05")
    },
    **{
        f"a coding of {value!r}": _coded(b"Transfer-Encoding:" + value)
        for value in (
            b"", b" identity", b" gzip", b" gzip, chunked", b" chunked, identity", b" chunked, chunked", b" xchunked",
            b" chunked;q=1", b" chunked,", b" ,chunked", b' "chunked"', b"\x0bchunked", b" chunked\x00", b" chun\xe4ked",
        )
    },
    "two codings": _coded(CHUNKED, CHUNKED),
    "two codings, the last none": _coded(CHUNKED, b"Transfer-Encoding: identity"),
    "two codings, the first none": _coded(b"Transfer-Encoding: identity", CHUNKED),
    "a blank before the colon of a coding": _coded(b"Transfer-Encoding : chunked"),
    "a blank before the colon of a length": lambda d: [d.head(b"Content-Length : %d" % len(d.body)) + d.body],
    "a folded coding": _coded(b"Transfer-Encoding:\r\n chunked"),
    "a folded length": lambda d: [d.head(b"Content-Length: 1\r\n 2") + d.body],
    "a folded header": _header(b"X-Long: a\r\n b"),
    "a folded header, by a tab": _header(b"X-Long: a\r\n\tb"),
    "a first line that is folded": lambda d: [d.head(length(d.body)).replace(b"\r\nHost", b"\r\n Host", 1) + d.body],
    "bare line ends": lambda d: [d.head(length(d.body)).replace(b"\r\n", b"\n") + d.body],
    "a bare line end": _header(b"X-One: a\nX-Two: b"),
    "a bare line end that hides a length": lambda d: [d.head(b"X-One: a\nContent-Length: 0", length(d.body)) + d.body],
    "a bare line end at the end": lambda d: [d.head(length(d.body))[:-2] + b"\n" + d.body],
    "a bare carriage return": _header(b"X-One: a\rTransfer-Encoding: chunked"),
    "NUL in a value": _header(b"X-One: a\x00b"),
    "NUL in a name": _header(b"X\x00: a"),
    "a control character": _header(b"X-One: a\x01b"),
    "a blank in a name": _header(b"X One: a"),
    "no name": _header(b": a"),
    "no colon": _header(b"X-One"),
    **{
        f"a chunk of {size[:20]!r}": _sized(size)
        for size in (
            b"", b"g", b"-1", b"+24", b"0x24", b" 24", b"24 ", b"2_4", b"10000000000000000", b"FFFFFFFFFFFFFFFFFFFF",
            b"24;\x00", b"24;a\nb", b'24;a="\r\n"',
        )
    },
    "a chunk longer than its size": _chunked(lambda c: b"3" + c[c.index(b"\r\n") :]),
    "a chunk without its end": _chunked(lambda c: c.replace(b"\r\n0\r\n", b"0\r\n")),
    "a chunk with a bare line end": _chunked(lambda c: c.replace(b"\r\n", b"\n", 1)),
    "a chunk that ends barely": _chunked(lambda c: c.replace(b"\r\n0\r\n", b"\n0\r\n")),
    "a last chunk with a bare carriage return": _chunked(lambda c: c[:-4] + b"\r\r\n"),
    "a length among the trailers": _chunked(lambda c: c[:-2] + b"Content-Length: 5\r\n\r\n"),
    "a folded trailer": _chunked(lambda c: c[:-2] + b"X-One: a\r\n b\r\n\r\n"),
    "too long a header": _header(b"X-One: " + b"a" * 60_000),
    "too many headers": _header(*(b"X-%d: a" % n for n in range(300))),
    "too long a target": lambda d: [d.head(length(d.body), target="/" + "x" * 60_000) + d.body],
    "too long trailers": _chunked(lambda c: c[:-2] + b"X-One: " + b"a" * 400_000 + b"\r\n\r\n"),
    "too long an extension": lambda d: [d.head(CHUNKED), *[b"5;" + b"e" * 200_000] * 2, b"\r\nab"],
    "the preface of HTTP/2": lambda _: [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x12\x04\x00\x00\x00\x00\x00"],
    "HTTP/2.0": lambda d: [d.head(length(d.body), version=b"2.0") + d.body],
    "HTTP/0.9": lambda d: [d.head(length(d.body), version=b"0.9") + d.body],
    "CONNECT": lambda _: [b"CONNECT inner:80 HTTP/1.1\r\nHost: inner\r\n" + length(INNER) + b"\r\n\r\n" + INNER],
    "two hosts": _header(b"Host: another"),
}  # fmt: skip


def _apart(form: Form) -> Form:
    """The body in a segment of its own."""

    def apart(door: Door) -> list[bytes]:
        whole = b"".join(form(door))
        cut = whole.index(b"\r\n\r\n") + 4 if b"\r\n\r\n" in whole else len(whole)
        return [piece for piece in (whole[:cut], whole[cut:]) if piece]

    return apart


UNCERTAIN |= {
    f"{name}, apart": _apart(form) for name, form in UNCERTAIN.items() if "chunk" in name or "trailer" in name
}
WHOLE = {"first": 0, "later": 1}


@pytest.mark.parametrize("place", WHOLE)
@pytest.mark.parametrize("name", DOORS)
def test_no_request_loses_its_body_whatever_it_offers(doors: Doors, name: str, place: str) -> None:
    """RFC 9110 7.8: an offer may be passed over, a request not. The next on the connection is answered in its turn."""
    door, before = doors.every[name], WHOLE[place]

    def wrong(heard: list[Heard]) -> bool:
        if door.simulated and len(heard) == 1 + before and all(map(door.right, heard)):
            return False  # answered and closed, for what aiohttp would have spoken from here on
        own, last = heard[:-1], heard[-1:]
        return len(own) != 1 + before or not all(map(door.right, own)) or [h.status for h in last] != [404]

    assert _failures(doors, door, READ, wrong, before) == {}


@pytest.mark.parametrize("place", WHOLE)
@pytest.mark.parametrize("name", DOORS)
def test_what_is_uncertain_is_refused_once_and_nothing_behind_it_is_read(doors: Doors, name: str, place: str) -> None:
    """RFC 9112 6.1, 6.3, 11.2. Where it can be read all the same, as the simulator does now and then, it is read whole."""
    door, before = doors.every[name], WHOLE[place]

    def wrong(heard: list[Heard]) -> bool:
        if len(heard) < before or not all(map(door.right, heard[:before])):
            return True
        match [h.status for h in heard[before:]]:
            case [400 | 408 | 431 | 505]:
                return False
            case [one]:  # answered before the rest of it came: a stranger, or who reads no body
                return one != door.status
            case [one, 404]:
                return one != door.status or not door.simulated
        return True

    assert _failures(doors, door, UNCERTAIN, wrong, before) == {}


def _failures(
    doors: Doors, door: Door, forms: dict[str, Form], wrong: Callable[[list[Heard]], bool], before: int
) -> dict[str, list[Heard]]:
    """The forms that are answered wrongly, with what was said."""
    own = [door.head(length(door.body)) + door.body] * before

    async def all_of_them() -> dict[str, list[Heard]]:
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(form: Form) -> list[Heard]:
            async with turn:
                return await door.hear([*own, *form(door), LAST])

        heard = await asyncio.gather(*map(one, forms.values()))
        return {name: said for name, said in zip(forms, heard, strict=True) if wrong(said)}

    return doors.world.run(all_of_them(), 200)


# --- what the hub says to it


TOLD = {
    "two lengths, the second shorter": (400, b"Content-Length"),
    "length and chunks": (400, b"Transfer-Encoding"),
    "a coding of b' gzip, chunked'": (400, b"other than chunked"),
    "a folded header": (400, b"whitespace"),
    "too many headers": (431, b"256 fields"),
    "too long a header": (431, b"32768 bytes"),
    "HTTP/2.0": (505, b"HTTP/1.1"),
    "CONNECT": (400, b"no proxy"),
    "two hosts": (400, b"Host"),
}


@pytest.mark.parametrize("form", TOLD)
def test_a_refusal_says_why_and_closes(doors: Doors, form: str) -> None:
    """In plain words: whose language the door speaks is not known yet."""
    door, (status, words) = doors.every["ebxml"], TOLD[form]
    (heard,) = doors.world.run(door.hear([*UNCERTAIN[form](door), LAST]))
    assert (heard.status, heard.headers["connection"]) == (status, "close")
    assert words in heard.body and heard.body.endswith(b"\n")


SHORT: dict[str, Form] = {
    "nothing of a length": lambda d: [d.head(length(d.body))],
    "half of a length": lambda d: [d.head(length(d.body)) + d.body[:20]],
    "half of a length, after an offer": lambda d: [
        d.head(b"Upgrade: h2c", b"Connection: Upgrade", length(d.body)) + d.body[:20]
    ],
    "no chunk": lambda d: [d.head(CHUNKED)],
    "half a chunk": lambda d: [d.head(CHUNKED) + chunks(d.body)[:30]],
    "no last chunk": lambda d: [d.head(CHUNKED) + chunks(d.body)[:-5]],
    "a chunk as large as there is": lambda d: [d.head(CHUNKED) + b"ffffffffffffffff\r\n" + d.body],
    "half a head": lambda d: [d.head(length(d.body))[:30]],
}


@pytest.mark.parametrize("name", [name for name in DOORS if not name.startswith(("partner", "control"))])
def test_a_body_shorter_than_told_is_refused_when_no_more_comes(doors: Doors, name: str) -> None:
    """The sender says no more: he is told what is missing; what needs no body may have been answered before."""
    door = doors.every[name]

    def wrong(heard: list[Heard]) -> bool:
        return len(heard) != 1 or not (heard[0].status == 400 or door.right(heard[0]))

    async def all_of_them() -> dict[str, list[Heard]]:
        heard = await asyncio.gather(*(door.hear(form(door), half_close=True) for form in SHORT.values()))
        return {form: said for form, said in zip(SHORT, heard, strict=True) if wrong(said)}

    assert doors.world.run(all_of_them()) == {}


@pytest.mark.parametrize("form", SHORT)
def test_a_request_that_stands_still_is_given_up(doors: Doors, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9110 15.5.9; the connection does not stay open for it."""
    monkeypatch.setattr(connection, "SILENT_SECONDS", 0.4)
    door = doors.every["ebxml"]
    (heard,) = doors.world.run(door.hear(SHORT[form](door)))
    assert heard.status == 408 and b"nothing came for" in heard.body


def test_who_is_slow_is_heard_out(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only silence counts, not how long it takes."""
    monkeypatch.setattr(connection, "SILENT_SECONDS", 0.5)
    door = doors.every["ebxml"]
    said = door.head(length(door.body), b"Connection: close") + door.body

    async def slowly() -> None:
        pieces: list[bytes] = []
        for start in range(0, 500, 10):
            pieces.append(said[start : start + 10])
        (heard,) = await door.hear([*pieces, said[500:]])
        assert door.right(heard)

    doors.world.run(slowly())


def test_what_was_asked_is_answered_though_the_asker_says_no_more(doors: Doors) -> None:
    """A half-closed connection, as simple clients leave it: the answer goes out, then it is closed."""
    for name in ("ebxml", "rest, an order", "live"):
        door = doors.every[name]
        (heard,) = doors.world.run(door.hear([door.head(length(door.body)) + door.body], half_close=True))
        assert door.right(heard), name


def test_bytes_behind_a_body_spoil_no_answer(doors: Doors) -> None:
    """A body longer than told: the request is answered, and what trails it is not taken for a request."""
    for name in ("ebxml", "rest, an order", "live"):
        door = doors.every[name]
        whole = door.head(length(door.body)) + door.body
        for pieces in ([whole + b"xx"], [whole, b"xx"]):
            (heard,) = doors.world.run(door.hear([*pieces, LAST]))
            assert door.right(heard), name


def test_a_refusal_does_not_overtake_an_answer_that_is_due(doors: Doors) -> None:
    """Whole requests before it are answered in their order; then it is refused."""
    door = doors.every["ebxml"]
    whole = door.head(length(door.body)) + door.body
    heard = doors.world.run(door.hear([whole * 3 + door.head(length(door.body), CHUNKED) + door.body]))
    assert [h.status for h in heard] == [door.status] * 3 + [400] and all(map(door.right, heard[:3]))


def test_many_requests_in_one_breath_that_offer_something_are_all_answered(doors: Doors) -> None:
    """More than any stack is deep."""
    door = doors.every["live"]
    one = door.head(b"Upgrade: h2c", b"Connection: Upgrade", length(INNER)) + INNER
    heard = doors.world.run(door.hear([one * 1500, LAST]))
    assert len(heard) == 1501 and all(map(door.right, heard[:-1]))


def test_trailers_are_no_header_fields(doors: Doors) -> None:
    """RFC 9110 6.5.1: a key among them opens nothing."""
    door, key = doors.every["rest, a stranger"], doors.world.site.keys["legesenter"].encode()
    body = chunks(b"x")[:-2] + b"X-API-Key: " + key + b"\r\n\r\n"
    heard = doors.world.run(door.hear([door.head(CHUNKED) + body, LAST]))
    assert [h.status for h in heard] == [401, 404]


# --- one more slash


@pytest.mark.parametrize("name", [name for name in DOORS if name != "control, looked at"])  # is one already
def test_a_slash_behind_the_path_is_the_same_door(doors: Doors, name: str) -> None:
    """Few message handlers follow a redirect with a POST."""
    door = doors.every[name]
    target = door.url.split("/", 3)[3]
    close = door.head(length(door.body), b"Connection: close", target=f"/{target}/")
    (heard,) = doors.world.run(door.hear([close + door.body]))
    assert door.right(heard)
