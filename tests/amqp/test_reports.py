"""Error reports that come: told to who sent, never answered, whatever they look like (nhn-amqp.md §4.4)."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from hub.events import Event
from hub.formats import amqp, amqp_report
from hub.formats.amqp import BusMessage
from hub.formats.amqp_report import Condition
from hub.message import DeliveryRecord
from hub.ports import Change, MoveOrder
from hub.states import Move
from tests.amqp.conftest import DOCTOR, PARTNER, Desk
from tests.amqp.letters import Letter


def sent(desk: Desk, state: str = "acknowledged") -> tuple[str, DeliveryRecord]:
    """A message of ours that the broker took, as far as anybody can tell."""
    sample = desk.sample(sender=DOCTOR, receiver=PARTNER)
    message_id = desk.hub.epj(DOCTOR.her_id).send(sample)
    delivery = desk.hub.delivery(message_id)
    desk.sealed(delivery)
    if state != "waiting":
        moved(desk, delivery, {"acknowledged": Move.ACKNOWLEDGE, "done": Move.FINISH}[state])
    return message_id, desk.hub.delivery(message_id)


def moved(desk: Desk, delivery: DeliveryRecord, move: Move) -> None:
    """By hand, for there is no broker here."""
    order = MoveOrder(delivery.id, move, datetime.now(UTC), "bus-taken", "the broker took it")
    desk.hub.run(desk.hub.built.store.apply(Change(moves=(order,))))


def report(about: DeliveryRecord, condition: str = "transport:invalid-certificate", **changed: object) -> Letter:
    """As its receiver writes it."""
    own = BusMessage(function="DIALOG_HELSEFAGLIG", from_her=about.sender, to_her=about.receiver)
    own = amqp.read({**amqp.headers(own), "message-id": about.eb_message_id})
    at = datetime.now(UTC)
    made = amqp_report.written(
        own,
        Condition(condition),
        "simulated",
        data=("Subject: x",),
        message_id=str(uuid4()),
        at=at,
        queue="8000201_error",
    )
    assert made is not None
    return Letter(made, b"").but(**changed)


def test_a_report_refuses_what_the_broker_had_taken_and_the_record_system_is_told(desk: Desk):
    """The broker's word came first, the receiver's complaint long after it."""
    message_id, delivery = sent(desk)
    assert desk.take(report(delivery), "amqp_error").code == "bus-error"

    found = desk.hub.delivery(message_id)
    assert (found.state, found.code) == ("rejected", "bus-error")
    assert found.because == "transport:invalid-certificate simulated Subject: x"
    assert desk.hub.epj(DOCTOR.her_id).told(message_id)[-1] == "MessageDeliveryStateUpdated"


@pytest.mark.parametrize("condition", list(Condition))
def test_every_condition_is_understood_and_never_answered(desk: Desk, condition: str):
    """§4.4: whatever it says, it ends here."""
    message_id, delivery = sent(desk)
    desk.take(report(delivery, condition), "amqp_error")

    assert desk.hub.delivery(message_id).because.startswith(condition)
    assert desk.promised("signal") == []


def test_an_id_is_known_however_it_is_spelt(desk: Desk):
    """§2.1: HEAD writes GUIDs without hyphens."""
    message_id, delivery = sent(desk)
    about = {
        "originalMessageId": UUID(delivery.eb_message_id).hex.upper(),
        "errorCondition": "transport:internal-error",
    }
    desk.take(report(delivery).but(properties=about), "amqp_error")

    assert desk.hub.delivery(message_id).state == "rejected"


def test_a_copy_of_our_own_message_is_read_as_the_report_that_it_is(desk: Desk):
    """§4.4: up to 7.0.2 the faulty message comes back with properties added, and ids of its own."""
    message_id, delivery = sent(desk)
    copied, _ = desk.sealed(delivery)
    added = {
        **copied.properties,
        "originalMessageId": copied.message_id,
        "errorCondition": "transport:expired-certificate",
    }
    swapped = {"from_her": PARTNER.her_id, "to_her": DOCTOR.her_id, "properties": added}
    desk.take(Letter(copied, b"").but(**swapped), "amqp_error")

    assert desk.hub.delivery(message_id).because.startswith("transport:expired-certificate")


def test_a_soap_fault_is_a_report_too(desk: Desk):
    """§4.4: the id stands in its detail."""
    message_id, delivery = sent(desk)
    fault = (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value>'
        '</s:Code><s:Reason><s:Text xml:lang="en">bad</s:Text></s:Reason><s:Detail>'
        '<d:messageId xmlns:d="http://www.kith.no/xmlstds/digitaldialog/2013-10-08">'
        f"{delivery.eb_message_id}</d:messageId></s:Detail></s:Fault></s:Body></s:Envelope>"
    )
    own = BusMessage("AMQP_SOAP_FAULT", PARTNER.her_id, DOCTOR.her_id, content_type="application/soap+xml")
    desk.take(Letter(own, fault.encode()), "amqp_error")

    assert (desk.hub.delivery(message_id).state, desk.hub.delivery(message_id).because) == ("rejected", "s:Sender bad")


@pytest.mark.parametrize("body", [b"", b"anything", b"\xff\xfe", b"<a/>"])
def test_whatever_lies_in_our_error_queue_is_kept_and_done_with(desk: Desk, body: bytes):
    """§4.4: it accepts anything, never answers, and always completes."""
    for letter in (Letter(BusMessage(), body), desk.letter(), Letter(desk.letter().message, body)):
        assert desk.take(letter, "amqp_error").code == "receipt-unknown"

    assert {a.state for a in desk.arrivals()} == {"quarantined"}
    assert desk.hub.deliveries() == []


def test_an_error_is_never_answered_by_an_error_wherever_it_lies(desk: Desk):
    """Two parties could bounce them for ever."""
    message_id, delivery = sent(desk)
    for door in ("amqp_async", "amqp_sync", "amqp_syncreply", "amqp_error"):
        bare = report(delivery).without("content-type", "subject", "property:applicationTimeStamp")
        desk.take(bare, door)

    assert desk.promised("signal") == []
    assert desk.hub.delivery(message_id).state == "rejected"


def test_a_report_about_our_own_report_is_only_noted(desk: Desk):
    """It settles nothing, and is not answered."""
    desk.take(desk.letter().without("subject"))
    (own,) = desk.promised("signal")
    desk.take(report(own), "amqp_error")

    assert len(desk.promised("signal")) == 1
    assert desk.promised("signal")[0].state != "rejected"


def test_a_report_from_another_than_the_receiver_moves_nothing(desk: Desk):
    """Nobody signs these: who did not get the message cannot complain about it."""
    message_id, delivery = sent(desk)
    desk.take(report(delivery).but(from_her="8777777"), "amqp_error")

    assert desk.hub.delivery(message_id).state == "acknowledged"
    assert "receipt-unproven" in [e.code for e in desk.hub.story(message_id).journal]


def test_what_an_apprec_has_settled_is_not_taken_back(desk: Desk):
    """The business receipt is the last word; the contradiction is shown."""
    message_id, delivery = sent(desk)
    order = MoveOrder(delivery.id, Move.APPREC_OK, datetime.now(UTC), "apprec-ok", "ok", apprec_status="1")
    desk.hub.run(desk.hub.built.store.apply(Change(moves=(order,))))
    desk.take(report(delivery), "amqp_error")

    assert desk.hub.delivery(message_id).state == "done"
    assert Event.MESSAGE_ERROR in desk.hub.events(message_id)


def test_an_apprec_of_ours_that_is_refused_is_no_longer_done(desk: Desk):
    """Nobody answers an AppRec, so the broker's word had finished it; now a person must look."""
    desk.take(desk.letter())
    desk.hub.epj(DOCTOR.her_id).take_one()
    (apprec,) = desk.promised("apprec")
    desk.sealed(apprec)
    moved(desk, apprec, Move.FINISH)
    desk.take(report(apprec), "amqp_error")

    assert desk.hub.deliveries(ids=(apprec.id,))[0].state == "rejected"


def test_the_same_report_again_changes_nothing_more(desk: Desk):
    """§4.5."""
    message_id, delivery = sent(desk)
    told = report(delivery)
    for _ in range(2):
        desk.take(told, "amqp_error")

    assert desk.hub.epj(DOCTOR.her_id).told(message_id).count("MessageDeliveryStateUpdated") == 1
    assert "it stood at rejected already" in desk.hub.story(message_id).journal[-1].because
