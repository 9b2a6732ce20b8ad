"""Both AMQPs become the same headers: from RabbitMQ 3 with its binary headers, from 4 without subject, and from AMQP 1.0."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.amqp import sections, wire
from adapters.amqp.values import encode
from adapters.amqp.wire import Death, Delivered, Sections
from hub.formats import amqp
from hub.formats.amqp import BLIND
from tests.unit.test_amqp_message import MESSAGE

HEADERS = amqp.headers(MESSAGE)
OWN = {name.removeprefix("property:"): value for name, value in HEADERS.items() if name.startswith("property:")}
STANDARD = {name: value for name, value in HEADERS.items() if not name.startswith("property:") and name != "ttl"}
BODY = b"\x30\x80"


def rabbit3(**more: Any) -> Delivered:
    """An AMQP 1.0 message as RabbitMQ 3 gives it to a 0.9.1 client: subject and properties in binary (§1.4)."""
    headers = {
        "x-amqp-1.0-properties": sections.encode_properties(STANDARD),
        "x-amqp-1.0-app-properties": sections.encode_application_properties(OWN),
    }
    return replace(rabbit4(), headers=headers, type="binary", **more)


def rabbit4(**more: Any) -> Delivered:
    """The same from RabbitMQ 4: properties are headers, subject and `to` are lost."""
    given = {
        "body": BODY,
        "headers": dict(OWN),
        "message_id": MESSAGE.message_id,
        "correlation_id": MESSAGE.correlation_id,
        "reply_to": MESSAGE.reply_to,
        "content_type": MESSAGE.content_type,
        "expiration": "15000",
        "queue": "8141703_async",
        "exchange": "NHNTESTServiceBus",
        "routing_key": "8141703_async",
    }
    return Delivered(**{**given, **more})


def test_from_rabbitmq_3_everything_is_decoded() -> None:
    headers, body = wire.from_delivered(rabbit3())
    assert (amqp.headers(amqp.read(headers)), body) == (HEADERS, BODY)
    assert BLIND not in headers and headers["delivery:queue"] == "8141703_async"


def test_from_rabbitmq_4_all_but_subject_and_to_and_that_is_said() -> None:
    headers, body = wire.from_delivered(rabbit4())
    found = amqp.read(headers)
    assert body == BODY and found.blind and (found.function, found.to) == ("", "")
    assert amqp.headers(found) == {k: v for k, v in HEADERS.items() if k not in ("subject", "to")}
    assert amqp.missing(found) == ()


def test_headers_that_nhns_sample_and_a_future_broker_add_are_read_first() -> None:
    more = {"x-amqp-1.0-properties-subject": "A", "x-amqp-1.0-properties-to": "q"}
    for came in (rabbit3(), rabbit4()):
        headers, _ = wire.from_delivered(replace(came, headers={**came.headers, **more}))
        assert (headers["subject"], headers["to"]) == ("A", "q") and BLIND not in headers


def test_from_amqp_1_everything_is_seen() -> None:
    came = Sections(BODY, STANDARD, {**OWN, "fromHerId": 93238}, ttl=15_000)
    headers, body = wire.from_sections(came, "8141703_async")
    assert (amqp.headers(amqp.read(headers)), body) == (HEADERS, BODY) and BLIND not in headers


def test_ids_are_taken_where_they_are_whole() -> None:
    """A uuid is sixteen raw bytes in RabbitMQ 3's basic property, and whole in the section; long ids are headers in 4."""
    number = UUID("469eb15c-8e40-4720-9e0f-d83fcc4470e8")
    raw = b"\x00\x53\x73" + encode([number])
    headers, _ = wire.from_delivered(Delivered(b"", {"x-amqp-1.0-properties": raw}, message_id="F\x9e"))
    assert headers["message-id"] == str(number)
    headers, _ = wire.from_sections(Sections(b"", {"message-id": number}), "q")
    assert headers["message-id"] == str(number)
    headers, _ = wire.from_delivered(rabbit4(message_id=f"urn:uuid:{number}"))
    assert amqp.read(headers).message_id == str(number)
    headers, _ = wire.from_delivered(Delivered(b"", {"x-message-id": "i" * 300, "x-correlation-id": b"c"}))
    assert (headers["message-id"], headers["correlation-id"]) == ("i" * 300, "c")


@pytest.mark.parametrize(
    ("written", "bare"), [("/queue/a b", "a b"), ("/queues/a%20b", "a b"), ("h/EX/q", "q"), ("q", "q")]
)
def test_a_reply_queue_loses_its_prefix(written: str, bare: str) -> None:
    headers, _ = wire.from_delivered(Delivered(b"", reply_to=written))
    assert amqp.read(headers).reply_to == bare


def test_a_body_of_sections_is_made_plain_and_one_that_cannot_be_read_is_kept() -> None:
    """SOAP faults come as an AMQP string from some parties (§1.4, §4.4)."""
    _, body = wire.from_delivered(Delivered(b"\x00\x53\x77\xa1\x04<a/>", type="amqp-1.0"))
    assert body == b"<a/>"
    headers, body = wire.from_delivered(Delivered(b"\x00\x53\x77", type="amqp-1.0"))
    assert body == b"\x00\x53\x77" and "missing" in headers["delivery:fault"]
    assert wire.from_sections(Sections("<a/>"), "q")[1] == b"<a/>"
    assert wire.from_sections(Sections(None), "q")[1] == b""
    headers, body = wire.from_sections(Sections({"a": 1}), "q")
    assert body == b"{'a': 1}" and headers["delivery:fault"]


def test_sections_that_cannot_be_read_are_said_and_the_rest_is_taken() -> None:
    broken = {"x-amqp-1.0-properties": b"\xff", "x-amqp-1.0-app-properties": 5}
    headers, _ = wire.from_delivered(rabbit4(headers=broken | OWN))
    assert BLIND in headers and headers["message-id"] == MESSAGE.message_id
    assert amqp.read(headers).from_her == "93238"
    assert headers["delivery:fault"].count("x-amqp-1.0-") == 2


def test_an_empty_section_that_the_client_took_for_text_is_read() -> None:
    """00 53 73 45 is valid UTF-8."""
    headers, _ = wire.from_delivered(rabbit4(headers={"x-amqp-1.0-properties": "\x00Ss\x45"}))
    assert BLIND in headers and "delivery:fault" not in headers


def test_other_types_become_text_and_the_brokers_headers_are_no_properties() -> None:
    at = datetime(2026, 1, 31, 13, 45, 10, tzinfo=UTC)
    headers, _ = wire.from_delivered(
        Delivered(b"", {"fromHerId": 5, "b": True, "t": at, "d": {"a": 1}, "x-opt": "o", "X-Own": b"v", "n": None})
    )
    own = {name: value for name, value in headers.items() if name.startswith("property:")}
    assert own == {
        "property:fromHerId": "5",
        "property:b": "True",
        "property:t": "2026-01-31T13:45:10+00:00",
        "property:X-Own": "v",
    }


def test_a_message_that_died_before_tells_where_and_of_what() -> None:
    """nhn-amqp.md §4.5."""
    died = {
        "x-death": [
            {"queue": "q", "exchange": "EX", "reason": "delivery_limit", "count": 2, "routing-keys": ["q"]},
            {"queue": "r", "reason": b"expired"},
            "odd",
        ],
        "x-first-death-queue": "r",
        "x-first-death-exchange": "",
        "x-first-death-reason": "expired",
        "x-delivery-count": 4,
    }
    assert wire.deaths(died) == (Death("q", "EX", "delivery_limit", 2), Death("r", "", "expired", 1))
    assert wire.deaths({}) == wire.deaths({"x-death": "odd"}) == ()
    headers, _ = wire.from_delivered(rabbit4(headers=died, redelivered=True))
    facts = {name.removeprefix("delivery:"): v for name, v in headers.items() if name.startswith("delivery:")}
    assert facts == {
        "queue": "8141703_async",
        "exchange": "NHNTESTServiceBus",
        "routing-key": "8141703_async",
        "redelivered": "1",
        "first-death-queue": "r",
        "first-death-reason": "expired",
        "deaths": "3",
        "count": "4",
        "blind": "1",
    }
    headers, _ = wire.from_sections(Sections(b"", delivery_count=3, annotations=died), "q")
    assert (headers["delivery:count"], headers["delivery:redelivered"]) == ("3", "1")


def test_fields_are_kept_within_bounds_and_as_every_store_can_hold_them() -> None:
    headers, _ = wire.from_delivered(Delivered(b"", {"X-Long": "x" * 100_000, "X-Nul": "a\0b"}))
    assert len(headers["property:X-Long"]) == wire.LONGEST and headers["property:X-Nul"] == "a\ufffdb"
    assert headers["delivery:fault"] == "fields were cut"
    headers, _ = wire.from_sections(Sections(b"", {}, {f"X-{n}": "v" for n in range(9_000)}), "q")
    assert sum(name.startswith("property:") for name in headers) == wire.MOST_PROPERTIES
    assert headers["delivery:fault"] == "fields were cut"
    assert "delivery:fault" not in wire.from_delivered(rabbit3())[0]


# --- outwards


def test_what_is_published_carries_both_sections_and_plain_headers() -> None:
    """nhn-amqp.md §0.6, §1.4: right for receivers on RabbitMQ 3 and 4 alike."""
    found = wire.to_publishing(HEADERS, BODY)
    assert (found.body, found.delivery_mode, found.expiration) == (BODY, 2, 15_000)
    assert (found.message_id, found.correlation_id) == (MESSAGE.message_id, MESSAGE.correlation_id)
    assert (found.reply_to, found.content_type) == (MESSAGE.reply_to, MESSAGE.content_type)
    binary = {name: value for name, value in found.headers.items() if isinstance(value, bytearray)}
    assert sections.properties(bytes(binary["x-amqp-1.0-properties"])) == STANDARD
    assert sections.application_properties(bytes(binary["x-amqp-1.0-app-properties"])) == OWN
    assert {name: value for name, value in found.headers.items() if name not in binary} == OWN


def test_what_is_published_is_what_a_0_9_1_client_gets_back() -> None:
    sent = wire.to_publishing(HEADERS, BODY)
    came = Delivered(sent.body, sent.headers, expiration=str(sent.expiration))
    headers, body = wire.from_delivered(came)
    assert (amqp.headers(amqp.read(headers)), body) == (HEADERS, BODY)


def test_for_amqp_1_a_parcel_is_sections() -> None:
    found = wire.to_sections({**HEADERS, "delivery:queue": "no"}, b"")
    assert found == Sections(b"", STANDARD, OWN, ttl=15_000, durable=True)


def test_a_life_that_does_not_fit_is_left_out() -> None:
    """nhn-amqp.md §2.1: above 49.7 days, or zero, which means none."""
    for ttl in ("0", str(2**32), "soon", "9" * 40):
        assert wire.to_publishing({"ttl": ttl}, b"").expiration is None
        assert wire.to_sections({"ttl": ttl}, b"").ttl is None


def test_what_is_too_long_for_a_short_string_travels_in_the_section_alone() -> None:
    long = "ø" * 128
    found = wire.to_publishing({"message-id": long, f"property:{long}": "v", "property:x-small": "v"}, b"")
    assert found.message_id is None
    assert set(found.headers) == {"x-amqp-1.0-properties", "x-amqp-1.0-app-properties"}
    headers, _ = wire.from_delivered(Delivered(b"", found.headers))
    assert headers["message-id"] == long and headers[f"property:{long}"] == "v" and headers["property:x-small"] == "v"


_ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.datetimes(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_NAMES = st.sampled_from(
    [
        "x-amqp-1.0-properties",
        "x-amqp-1.0-app-properties",
        "x-amqp-1.0-properties-subject",
        "x-death",
        "x-delivery-count",
        "x-first-death-queue",
        "x-message-id",
        "fromHerId",
    ]
)


@given(st.dictionaries(_NAMES, _ODD), st.text(), st.sampled_from([None, "binary", "amqp-1.0"]), st.binary())
def test_no_delivery_makes_it_raise(headers: dict[str, Any], text: str, kind: str | None, body: bytes) -> None:
    came = Delivered(body, headers, message_id=text, reply_to=text, type=kind)
    amqp.read(wire.from_delivered(came)[0])
    amqp.read(wire.from_sections(Sections(body, headers, headers, headers), "q")[0])
