"""Requests that travel in a content coding, at both doors: unpacked within the bound, or refused in the door's own language."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from ops.partner.aside import Aside
from tests.bad_input.test_rest import order, problem
from tests.support import asgi
from tests.support.doors import LAST, Door, Doors, opened
from tests.support.letters import Letter, business
from tests.support.world import Keys, World

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "Deflate": zlib.compress,
    "deflate": lambda body: zlib.compress(body)[2:-4],  # without the header of zlib
    "identity": bytes,
    "": bytes,
    "gzip, deflate": lambda body: zlib.compress(gzip.compress(body)),
    "identity, gzip": gzip.compress,
}
UNKNOWN = ("br", "zstd", "compress", "gzip, br", "base64")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, keys: Keys, aside: Aside) -> Iterator[World]:
    """A hub that takes no more than a megabyte."""
    made = World(tmp_path_factory.mktemp("small"), keys, aside, hub={"max_message_bytes": 1_000_000})
    yield made
    made.close()


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory, keys: Keys, aside: Aside) -> Iterator[Doors]:
    """The hub's and the simulator's, on sockets."""
    made = World(tmp_path_factory.mktemp("doors"), keys, aside, http={"port": 0})
    yield from opened(made, aside)
    made.close()


def packed(letter: Letter, coding: str, pack: Callable[[bytes], bytes] | None = None) -> Letter:
    body = (pack or PACK.get(coding) or gzip.compress)(letter.body)
    headers = {**letter.headers, "Content-Encoding": coding, "Content-Length": str(len(body))}
    return replace(letter, headers=headers, body=body)


def fresh(world: World) -> Letter:
    return business(world.post_to, world.sample().document)


@pytest.mark.parametrize("coding", PACK)
def test_a_packed_message_is_acknowledged_and_kept_as_it_was_inside(world: World, coding: str) -> None:
    """What is kept is what the sender signed; how it travelled is HTTP's, like chunks."""
    letter = fresh(world)
    said = world.post(packed(letter, coding))
    assert said.kind == "acknowledgment" and said.arrival is not None
    assert said.arrival.arrival.body == letter.body
    assert said.arrival.arrival.headers.get("content-encoding", "identity") in ("identity", "")


def test_the_same_message_packed_and_not_is_one_message(world: World) -> None:
    letter = fresh(world)
    first, again = world.post(packed(letter, "gzip")), world.post(letter)
    assert first.reply.body == again.reply.body and "duplicate" in again.codes


@pytest.mark.parametrize("coding", UNKNOWN)
def test_an_unknown_coding_is_refused_by_415_and_named(world: World, coding: str) -> None:
    """RFC 9110 15.5.16; the answer says what is taken, and what came lies in quarantine as it came."""
    letter = packed(fresh(world), coding)
    said = world.post(letter)
    assert (said.reply.status, said.kind) == (415, "fault")
    assert (
        coding.split(", ")[-1].encode() in said.reply.body and said.reply.headers["accept-encoding"] == "gzip, deflate"
    )
    assert said.arrival is not None and (said.arrival.state, said.arrival.code) == ("quarantined", "content-coding")
    assert said.arrival.arrival.body == letter.body


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_what_is_not_what_it_says_is_refused(world: World, coding: str) -> None:
    said = world.post(packed(fresh(world), coding, bytes))
    assert said.kind == "fault" and f"not the {coding} that Content-Encoding says".encode() in said.reply.body
    assert said.arrival is not None and (said.arrival.state, said.arrival.code) == ("quarantined", "mime")


@pytest.mark.parametrize("coding", ["gzip", "deflate", "gzip, deflate"])
def test_a_bomb_is_too_large(small: World, coding: str) -> None:
    """It is unpacked no further than the bound, and no more of it is kept than of anything too large."""
    bomb = packed(Letter({"Content-Type": "text/xml"}, bytes(300_000_000)), coding)
    assert len(bomb.body) < 1_000_000
    said = small.post(bomb)
    assert said.reply.status == 413 and said.arrival is not None and said.arrival.code == "too-large"
    assert len(said.arrival.arrival.body) <= 65_536


def test_what_is_too_large_packed_is_not_unpacked(small: World) -> None:
    said = small.post(Letter({"Content-Type": "text/xml", "Content-Encoding": "gzip"}, bytes(1_000_001)))
    assert said.reply.status == 413 and said.arrival is not None and said.arrival.code == "too-large"


def test_no_bytes_are_told_and_no_rule_of_mime(world: World) -> None:
    headers = {"Content-Type": 'multipart/related; boundary="b"; type="text/xml"'}
    for told, words in (({}, b"no bytes came"), ({"Content-Length": "0"}, b"no bytes came, Content-Length said 0")):
        said = world.post(Letter({**headers, **told}, b""))
        assert said.kind == "fault" and words in said.reply.body and b"HITS" not in said.reply.body


# --- on a socket


def _post(door: Door, body: bytes, coding: str) -> bytes:
    lines = [b"Content-Length: %d" % len(body), b"Content-Encoding: " + coding.encode()]
    return door.head(*lines) + body


OPEN = ("ebxml", "rest, an order", "partner", "control, steered")


@pytest.mark.parametrize("name", OPEN)
def test_every_door_that_takes_a_body_takes_it_packed(doors: Doors, name: str) -> None:
    door = doors.every[name]
    for coding, pack in PACK.items():
        heard = doors.world.run(door.hear([_post(door, pack(door.body), coding), LAST]))
        assert len(heard) == 2 and door.right(heard[0]), (coding, heard)


@pytest.mark.parametrize("name", OPEN)
def test_every_door_names_a_coding_that_it_does_not_take(doors: Doors, name: str) -> None:
    door = doors.every[name]
    for coding in UNKNOWN:
        heard = doors.world.run(door.hear([_post(door, door.body, coding), LAST]))
        assert [h.status for h in heard] == [415, 404], coding
        assert coding.split(", ")[-1].encode() in heard[0].body


LANGUAGES = {"ebxml": "text/xml", "rest, an order": "application/problem+json", "control, steered": "application/json"}


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_refusal_is_in_the_language_of_the_door(doors: Doors, name: str) -> None:
    door = doors.every[name]
    for coding, body in (("br", door.body), ("gzip", b"not gzip")):
        heard = doors.world.run(door.hear([_post(door, body, coding), LAST]))
        assert heard[0].headers["content-type"].startswith(LANGUAGES[name])


# --- the REST door


@pytest.mark.parametrize("coding", PACK)
def test_a_packed_order_is_taken(world: World, coding: str) -> None:
    assert _rest(world, order(world), coding).status == 202


def test_a_packed_order_that_cannot_be_read_is_a_problem(world: World) -> None:
    assert "br" in problem(_rest(world, order(world), "br", bytes), 415, 0, "content-coding")["detail"]
    assert "not the gzip" in problem(_rest(world, order(world), "gzip", bytes), 400, 1001, "request")["detail"]


def test_a_bomb_of_an_order_is_too_large(small: World) -> None:
    problem(_rest(small, {"x": "y" * 3_000_000}, "gzip"), 413, 0, "too-large")


def _rest(world: World, body: dict[str, Any], coding: str, pack: Callable[[bytes], bytes] | None = None) -> Any:
    content = (pack or PACK[coding])(json.dumps(body).encode())
    headers = {"X-API-Key": world.site.keys["legesenter"], "Content-Encoding": coding}
    return world.run(asgi.call(world.hub.app, "POST", "/api/v3/messages", headers, content))
