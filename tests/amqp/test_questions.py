"""Synchronous questions, both ways: answered in time, too late, by another, twice (nhn-amqp.md §4.2)."""

from __future__ import annotations

from uuid import uuid4

import pytest
from lxml import etree

from hub.formats import amqp, amqp_report
from hub.message import DeliveryRecord
from ops.partner.handles import Refused
from tests.amqp.conftest import DOCTOR, OTHER, PARTNER, Desk, queues
from tests.amqp.letters import Hand, Letter

# --- we are asked


def question(desk: Desk, **changed: object) -> tuple[str, Letter]:
    """MsgId and message of a question."""
    sample = desk.sample()
    asked = {"reply_to": "8009001_syncreply", "ttl": 15_000, **changed}
    return sample.msg_id, desk.letter(sample.document, **asked)


def answer_to(desk: Desk, msg_id: str) -> bytes:
    """The record system's document that names the question as what it follows."""
    return referring(desk.sample(sender=DOCTOR, receiver=PARTNER).document, msg_id)


def referring(document: bytes, msg_id: str) -> bytes:
    """The document with a ConversationRef to a MsgId."""
    root = etree.fromstring(document)
    info = root[0]
    reference = etree.Element(etree.QName(root, "ConversationRef"))
    for name in ("RefToParent", "RefToConversation"):
        etree.SubElement(reference, etree.QName(root, name)).text = msg_id
    info.find("{*}Sender").addprevious(reference)
    return etree.tostring(root)


def test_an_answer_goes_to_the_queue_that_was_named_under_the_same_correlation(desk: Desk):
    """Function of the question, no reply-to, ttl 15 s, HER-ids swapped."""
    msg_id, asked = question(desk)
    assert desk.take(asked, "amqp_sync").code == "accepted"
    desk.hub.epj(DOCTOR.her_id).take_one()

    answered = desk.hub.epj(DOCTOR.her_id).send(answer_to(desk, msg_id), DOCTOR.her_id)

    delivery = desk.hub.delivery(answered)
    message, body = desk.sealed(delivery)
    assert (message.to, message.reply_to, message.ttl) == ("8009001_syncreply", "", 3_000)
    assert message.correlation_id == asked.message.correlation_id
    assert message.message_id not in ("", asked.message.message_id)
    assert (message.function, message.from_her, message.to_her) == ("DIALOG_HELSEFAGLIG", DOCTOR.her_id, PARTNER.her_id)
    assert desk.open(body)
    assert delivery.apprec_due_at is None


def test_a_question_is_not_answered_by_an_apprec(desk: Desk):
    """Its answer is the receipt, also where the hub answers for the record system."""
    _, asked = question(desk)
    desk.take(asked, "amqp_sync")
    handed = desk.hub.epj(DOCTOR.her_id).take_one()

    assert desk.promised("apprec") == []
    assert desk.hub.delivery(handed.message_id).state == "done"


def test_an_answer_that_comes_too_late_is_refused_to_its_face(desk: Desk):
    """The asker has been told that none came."""
    msg_id, asked = question(desk)
    desk.take(asked, "amqp_sync")
    desk.hub.clock.forward(seconds=4)

    with pytest.raises(Refused) as told:
        desk.hub.epj(DOCTOR.her_id).send(answer_to(desk, msg_id), DOCTOR.her_id)
    assert (told.value.status, told.value.code) == (409, "sync-over")


def test_an_answer_that_could_not_be_sent_in_time_expires_and_the_record_system_is_told(desk: Desk):
    """There is no broker here."""
    msg_id, asked = question(desk)
    desk.take(asked, "amqp_sync")
    answered = desk.hub.epj(DOCTOR.her_id).send(answer_to(desk, msg_id), DOCTOR.her_id)
    desk.sealed(desk.hub.delivery(answered))
    desk.hub.clock.forward(seconds=4)

    assert desk.hub.until(answered, "expired", seconds=30).code == "time-to-live-expired"
    assert desk.hub.epj(DOCTOR.her_id).told(answered) == ["MessageDeliveryStateUpdated"]


def test_a_question_is_answered_once(desk: Desk):
    """A second answer would reach nobody that waits."""
    msg_id, asked = question(desk)
    desk.take(asked, "amqp_sync")
    desk.hub.epj(DOCTOR.her_id).send(answer_to(desk, msg_id), DOCTOR.her_id)

    with pytest.raises(Refused) as told:
        desk.hub.epj(DOCTOR.her_id).send(answer_to(desk, msg_id), DOCTOR.her_id)
    assert told.value.code == "sync-twice"


def test_a_question_without_a_reply_queue_is_refused(desk: Desk):
    """Nobody could be answered."""
    _, asked = question(desk, reply_to="")
    assert desk.take(asked, "amqp_sync").code == "bus-field"
    assert desk.report()[1].data == ("ReplyTo",)


def test_a_question_that_breaks_its_schema_is_told_on_the_bus(desk: Desk):
    """No AppRec is due, so the error queue is where the asker hears of it (§7 step 12)."""
    sample = desk.sample()
    broken = sample.document.replace(b"MIGversion", b"MIGversjon")
    desk.take(desk.letter(broken, reply_to="8009001_syncreply"), "amqp_sync")

    assert desk.promised("apprec") == []
    assert desk.report()[1].condition == "transport:not-well-formed-xml"


def test_a_reply_to_an_asynchronous_message_goes_the_usual_way(desk: Desk):
    """A reference to what was no question makes no answer of it."""
    sample = desk.sample()
    desk.take(desk.letter(sample.document))
    sent = desk.hub.epj(DOCTOR.her_id).send(answer_to(desk, sample.msg_id), DOCTOR.her_id)

    message, _ = desk.sealed(desk.hub.delivery(sent))
    assert (message.to, message.correlation_id) == ("8009001_async", message.message_id)


# --- we ask


@pytest.fixture
def asking(bus_hub, partner, samhub_samples) -> Desk:
    """A hub whose partner is asked synchronously."""
    manners = {PARTNER.her_id: {"endpoint": f"amqp+sync:{queues('8009001')['amqp_sync']}"}}
    return Desk(bus_hub(manners), partner, samhub_samples)


def asked(desk: Desk) -> tuple[str, DeliveryRecord, amqp.BusMessage]:
    """A question of our record system's: our id, its delivery, and what goes out."""
    message_id = desk.hub.epj(DOCTOR.her_id).send(desk.sample(sender=DOCTOR, receiver=PARTNER))
    delivery = desk.hub.delivery(message_id)
    return message_id, delivery, desk.sealed(delivery)[0]


def reply(desk: Desk, to: amqp.BusMessage, **changed: object) -> Letter:
    """As the one that was asked answers."""
    return desk.letter(None, correlation_id=to.correlation_id, reply_to="", **changed)


def test_a_question_goes_to_the_synchronous_queue_and_says_where_its_answer_is_read(asking: Desk):
    """§2.1: reply-to, correlation-id = message-id, ttl."""
    message_id, delivery, message = asked(asking)
    assert (message.to, message.reply_to, message.ttl) == ("8009001_sync", "8000201_syncreply", 3_000)
    assert message.correlation_id == message.message_id == delivery.eb_message_id
    assert delivery.apprec_due_at is None and delivery.expires_at is not None
    assert message_id


def test_its_answer_settles_it_and_is_handed_to_who_asked(asking: Desk):
    """Both are told: that it is answered, and the answer."""
    message_id, _, message = asked(asking)
    answer = reply(asking, message)
    assert asking.take(answer, "amqp_syncreply").code == "accepted"

    assert asking.hub.until(message_id, "done").because == "answered"
    assert asking.hub.epj(DOCTOR.her_id).told(message_id)[-1] == "MessageDeliveryStateUpdated"
    assert asking.hub.epj(DOCTOR.her_id).take_one().document
    assert asking.promised("apprec") == []


def test_the_same_answer_again_is_noted_only(asking: Desk):
    """At least once."""
    _, _, message = asked(asking)
    answer = reply(asking, message)
    assert [asking.take(answer, "amqp_syncreply").code for _ in range(2)] == ["accepted", "sync-late"]
    assert len(asking.hub.epj(DOCTOR.her_id).take()) == 1


def test_an_answer_from_another_is_refused_and_both_are_told(asking: Desk, samhub_pki):
    """§4.2: the library hands it on all the same."""
    message_id, _, message = asked(asking)
    stranger = Hand.of(OTHER.her_id, samhub_pki.folder / "sykehus")
    document = asking.sample(sender=OTHER).document
    letter = asking.letter(document, by=stranger, correlation_id=message.correlation_id)
    assert asking.take(letter, "amqp_syncreply").code == "sync-stranger"

    assert asking.hub.delivery(message_id).state == "waiting"
    assert "sync-stranger" in [e.code for e in asking.hub.story(message_id).journal]
    assert asking.hub.epj(DOCTOR.her_id).take() == []
    (told,) = [d for d in asking.hub.deliveries() if d.kind == "signal"]
    report = amqp_report.read(*asking.sealed(told))
    assert (told.receiver, report.condition) == (OTHER.her_id, "transport:invalid-field-value")
    assert report.data == (PARTNER.her_id, OTHER.her_id)


def test_an_answer_to_nothing_that_was_asked_is_dropped(asking: Desk):
    """§4.2: kept and noted, and nobody is told."""
    message_id, _, message = asked(asking)
    for other in (str(uuid4()), ""):
        assert asking.take(reply(asking, message).but(correlation_id=other), "amqp_syncreply").code == "sync-unknown"

    assert asking.hub.delivery(message_id).state == "waiting"
    assert asking.promised("signal") == []


def test_an_answer_after_its_time_is_kept_and_noted_and_settles_nothing(asking: Desk):
    """§4.2: the asker has been told that none came."""
    message_id, _, message = asked(asking)
    asking.hub.clock.forward(seconds=4)
    asking.hub.until(message_id, "expired", seconds=30)
    assert asking.take(reply(asking, message), "amqp_syncreply").code == "sync-late"

    assert asking.hub.delivery(message_id).state == "expired"
    assert "sync-late" in [e.code for e in asking.hub.story(message_id).journal]
    assert asking.hub.epj(DOCTOR.her_id).take() == []
    assert asking.promised("signal") == []


def test_an_answer_that_cannot_be_used_settles_the_question_and_is_told(asking: Desk):
    """It will not get another."""
    message_id, _, message = asked(asking)
    broken = asking.sample().document.replace(b"MIGversion", b"MIGversjon")
    letter = asking.letter(broken, correlation_id=message.correlation_id)
    asking.take(letter, "amqp_syncreply")

    assert asking.hub.delivery(message_id).code == "sync-unusable"
    assert asking.report()[1].condition == "transport:not-well-formed-xml"


def test_an_error_report_about_a_question_ends_it(asking: Desk):
    """No need to wait for what will not come."""
    from tests.amqp.test_reports import report

    message_id, delivery, _ = asked(asking)
    asking.take(report(delivery), "amqp_error")

    assert asking.hub.delivery(message_id).state == "rejected"
