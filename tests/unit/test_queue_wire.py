"""What stands on the queues, read and written without a broker."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from adapters.queue import wire
from adapters.queue.wire import Asked, Fault, Published
from hub.events import Notification, NotificationType
from hub.message import Channel, RecordSystem
from hub.record_systems.values import Happened, Order, Said

NOW = datetime(2026, 11, 25, 3, tzinfo=UTC)
SYSTEM = RecordSystem("epj", frozenset({"1"}), Channel.QUEUE, "samhub.epj.from-hub", outbox="samhub.epj.to-hub")


def published(content_type="application/xml", encoding="", message_id="m", correlation_id="", **headers):
    """As the broker hands it out."""
    return Published(content_type, encoding, headers, message_id, correlation_id, "", False)


def order(arrival_id: str) -> Order:
    """A document that came over the queue."""
    return Order(b"", "queue", arrival_id=arrival_id, received_at=NOW)


@pytest.mark.parametrize("given", ["application/xml", "text/xml; charset=UTF-8", "APPLICATION/XML"])
def test_xml_by_either_name_is_read(given: str) -> None:
    """With or without parameters, in any case."""
    assert wire.read(published(given)) == Asked()


@pytest.mark.parametrize(("given", "encoding"), [("", ""), ("application/json", ""), ("application/xml", "gzip")])
def test_anything_else_is_said(given: str, encoding: str) -> None:
    """By the code that a record system's maker can look up."""
    found = wire.read(published(given, encoding))
    assert isinstance(found, Fault) and found.code == "content-type"


@pytest.mark.parametrize("given", [["1", "2"], [1, 2], "1,2", " 1 , 2 ", b"1,2"])
def test_receivers_come_as_a_list_or_with_commas(given: object) -> None:
    """Numbers or texts, as a client's library makes them."""
    assert wire.read(published(receivers=given)) == Asked("", ("1", "2"))


@pytest.mark.parametrize("given", ["", "0", "x", [[1]], {"a": 1}, ["1", ""], -1, "1;2", "12345678901", True])
def test_what_is_no_her_id_is_said(given: object) -> None:
    """Never passed on as if it were one."""
    found = wire.read(published(receivers=given))
    assert isinstance(found, Fault) and found.code == "request"


def test_one_sender_at_most() -> None:
    """A document has one."""
    assert wire.read(published(sender=1)) == Asked("1")
    assert isinstance(wire.read(published(sender="1,2")), Fault)


@pytest.mark.parametrize(
    ("reply_to", "may"),
    [
        ("amq.rabbitmq.reply-to.abc", True),
        ("amq.gen-abc", True),
        ("samhub.epj.answers", True),
        ("samhub.epj.to-hub", False),
        ("samhub.epj2.from-hub", False),
        ("anything", False),
        ("", False),
    ],
)
def test_an_answer_goes_to_a_queue_of_its_own_only(reply_to: str, may: bool) -> None:
    """Else one record system could write to another through us, or make us answer ourselves for ever."""
    assert wire.may_reply(reply_to, SYSTEM) is may


def test_an_answer_has_one_id_however_often_the_broker_hands_the_document_out() -> None:
    """Another publication of the same document gets another answer."""
    said = Said("taken", "accepted", "valid", "ours")
    first, again = (wire.answer(said, published(), order(arrival), "en") for arrival in ("a1", "a2"))
    other = wire.answer(said, published(message_id="n"), order("a3"), "en")

    assert first.message_id == again.message_id != other.message_id
    assert first.correlation_id == "m"
    assert wire.answer(said, published(correlation_id="c"), order("a1"), "en").correlation_id == "c"


def test_a_refusal_says_why_and_what_to_do() -> None:
    """Code, reason and hint of the register."""
    written = wire.answer(Said("refused", "document-malformed", "line 3"), published(), order("a1"), "en")

    said = json.loads(written.body)
    assert (said["type"], said["code"], said["description"]) == ("MessageRefused", "document-malformed", "line 3")
    assert said["hint"] and said["relatedMessageId"] is None
    assert written.type == "status" and written.headers == {"event": "MessageRefused"}


def test_an_event_about_a_message_that_is_gone_is_told_all_the_same() -> None:
    """Its offset is its id."""
    note = Notification(NotificationType.APPREC_INFO, "ours", "1", "2", NOW, "1", 7)

    written = wire.event(Happened(note, None, None, None), "en")

    assert written.message_id == "7" and written.correlation_id == ""
    assert json.loads(written.body)["offset"] == 7


@pytest.mark.parametrize(
    ("headers", "before"), [({}, None), ({"x-delivery-count": 3}, 3), ({"x-delivery-count": "3"}, None)]
)
def test_the_count_of_a_quorum_queue_is_read(headers: dict[str, object], before: int | None) -> None:
    """A record system may write anything there; only the broker writes a number."""
    assert Published("", "", headers, "", "", "", True).deliveries_before == before
