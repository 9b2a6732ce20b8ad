"""The AMQP 1.0 codec before a witness: what qpid-proton writes we read, and what we write it reads, value by value."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, assume, given, settings

from adapters.amqp import sections
from adapters.amqp.values import Described, Symbol, Timestamp, Value, decode, encode
from tests.unit.test_amqp_values import _VALUES

Ask = Callable[[list[Any]], Any]


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """Debian's python3-qpid-proton belongs to Debian's own Python; it answers line by line."""
    words = ["/usr/bin/python3", str(Path(__file__).with_name("proton_side.py"))]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None and other.stdout is not None
        ends = other.stdin, other.stdout

        def asked(order: list[Any]) -> Any:
            ends[0].write(json.dumps(order) + "\n")
            ends[0].flush()
            return json.loads(ends[1].readline())

        yield asked
        other.stdin.close()


def told(value: Value) -> Any:
    """As the other side tells its values."""
    match value:
        case None | bool():
            return value
        case Timestamp():
            return ["time", int(value)]
        case Symbol():
            return ["symbol", str(value)]
        case float():
            return ["float", value.hex()]
        case int():
            return ["int", value]
        case UUID():
            return ["uuid", value.hex]
        case bytes():
            return ["bytes", value.hex()]
        case str():
            return ["text", value]
        case Described():
            return ["described", told(value.descriptor), told(value.value)]
        case dict():
            return ["map", sorted(([told(k), told(v)] for k, v in value.items()), key=repr)]
        case _:
            return ["list", [told(v) for v in value]]


@pytest.mark.parametrize("seed", range(5))
def test_what_proton_writes_we_read(ask: Ask, seed: int) -> None:
    for raw, meant in ask(["make", seed]):
        found, end = decode(bytes.fromhex(raw))
        assert told(found) == meant and end == len(raw) // 2


def lost_by_proton(value: Value) -> bool:
    """A described value inside a described one: proton 0.37 forgets what stands behind it."""
    match value:
        case Described():
            return isinstance(value.value, Described) or lost_by_proton(value.value)
        case list():
            return any(map(lost_by_proton, value))
        case dict():
            return any(map(lost_by_proton, value.values()))
        case _:
            return False


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=_VALUES)
def test_what_we_write_proton_reads(ask: Ask, value: Value) -> None:
    assume(not lost_by_proton(value))
    assert ask(["read", encode(value).hex()]) == told(value)


def test_the_sections_that_we_write_are_those_of_a_message(ask: Ask) -> None:
    fields = {"message-id": "i", "to": "q", "subject": "S", "reply-to": "r", "correlation-id": "c"}
    raw = sections.encode_properties({**fields, "content-type": "text/plain"})
    assert ask(["read", raw.hex()]) == told(decode(raw)[0])
    own = sections.encode_application_properties({"fromHerId": "1", "æ": "ø" * 300})
    assert ask(["read", own.hex()]) == told(decode(own)[0])


def test_a_whole_message_of_proton_is_taken_apart(ask: Ask) -> None:
    given = {
        "id": "i",
        "address": "q",
        "subject": "S",
        "reply_to": "r",
        "correlation_id": "c",
        "content_type": "text/plain",
        "ttl": 15,
        "properties": {"fromHerId": "93238", "n": 5},
        "body": "<a>blåbær</a>",
    }
    raw = bytes.fromhex(ask(["message", given]))
    found = sections.properties(raw)
    assert isinstance(found, dict)
    wanted = {"message-id": "i", "to": "q", "subject": "S", "reply-to": "r", "correlation-id": "c"}
    assert wanted.items() <= found.items() and found["content-type"] == "text/plain"
    assert sections.application_properties(raw) == {"fromHerId": "93238", "n": "5"}
    assert sections.body(raw) == "<a>blåbær</a>".encode()
