"""Receipts, questions and lifetimes on the wire: who may say what about which message, and when it is too late."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

from hub.ports import ArrivalFilter
from ops.sector import SECTOR

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR


def test_a_ping_is_answered_by_a_signed_pong(samhub_hub, samhub_partner):
    """The Pong names the Ping."""
    partner = samhub_partner()
    samhub_hub([partner])

    answer = partner.ping(DOCTOR.her_id)

    envelope = answer.answer.envelope
    assert (answer.kind, envelope.ref_to_message_id) == ("pong", answer.message_id)
    assert len(answer.answer.references) == 1


def test_a_status_request_tells_what_became_of_the_askers_message(samhub_hub, samhub_partner, samhub_samples):
    """Received while it waits for the doctor, Processed afterwards, NotRecognized for what the asker did not send."""
    partner, other = samhub_partner(), samhub_partner()
    hub = samhub_hub([partner, other])
    sent = partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR))

    before = partner.ask(sent.message_id, DOCTOR.her_id)
    hub.epj(DOCTOR.her_id).take_one()
    after = partner.ask(sent.message_id, DOCTOR.her_id)
    unknown = partner.ask("00000000-0000-4000-8000-000000000000", DOCTOR.her_id)
    curious = other.ask(sent.message_id, DOCTOR.her_id)

    assert before.kind == "status_response"
    told = [a.answer.envelope.status for a in (before, after, unknown, curious)]
    assert told == ["Received", "Processed", "NotRecognized", "NotRecognized"]


def test_a_ping_from_somebody_unknown_is_refused(samhub_hub, samhub_partner):
    """Only parties that we know are told that we are there."""
    partner, stranger = samhub_partner(), samhub_partner()
    hub = samhub_hub([partner])
    stranger.meet(f"{hub.url}/ebxml", partner.partner._certificate_of)

    answer = stranger.ping(DOCTOR.her_id)

    assert answer.kind in ("error", "fault")


def test_a_message_within_its_lifetime_is_taken_and_after_it_refused(samhub_hub, samhub_partner, samhub_samples):
    """TimeToLive is compared with our clock when it arrives."""
    partner = samhub_partner()
    hub = samhub_hub([partner])
    letter = samhub_samples("epikrise", sender=partner, receiver=DOCTOR)
    end = datetime.now(UTC) + timedelta(hours=1)

    in_time = partner.send(letter, time_to_live=end)
    hub.clock.forward(hours=2)
    too_late = partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR), time_to_live=end)

    assert in_time.kind == "acknowledgment"
    assert [e.code for e in too_late.answer.envelope.errors] == ["TimeToLiveExpired"]
    assert len(hub.epj(DOCTOR.her_id).take()) == 1


def test_a_receipt_that_comes_by_itself_is_taken(samhub_hub, samhub_partner, samhub_samples):
    """Asynchronous Acknowledgment: HTTP 200 and an empty body for it, and the delivery moves."""
    partner = samhub_partner(behaviour="no-acknowledgment")
    hub = samhub_hub([partner], times="sector")
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    hub.until(message_id, "sent")

    answer = partner.acknowledge(partner.received[0])

    assert (answer.status, answer.kind) == (200, "empty")
    assert hub.delivery(message_id).state == "acknowledged"


def test_a_receipt_for_what_we_never_sent_changes_nothing(samhub_hub, samhub_partner, samhub_samples):
    """It is journaled, answered by nothing, and moves no delivery."""
    partner = samhub_partner(behaviour="no-acknowledgment")
    hub = samhub_hub([partner], times="sector")
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    hub.until(message_id, "sent")
    [received] = partner.received
    strange = dataclasses.replace(received, envelope=dataclasses.replace(received.envelope, message_id="strange"))

    answer = partner.acknowledge(strange)

    assert (answer.status, answer.body) == (200, b"")
    assert hub.delivery(message_id).state == "sent"
    [arrival] = hub.run(hub.built.store.arrivals(ArrivalFilter(limit=1)))
    assert arrival.code == "receipt-unknown"


def test_an_unsigned_message_error_does_not_stop_a_delivery(samhub_hub, samhub_partner, samhub_samples):
    """ebxml.md 10.14: seen in the wild; shown to a person, believed by nobody."""
    partner = samhub_partner(behaviour="no-acknowledgment")
    hub = samhub_hub([partner], times="sector")
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    hub.until(message_id, "sent")

    partner.refuse(partner.received[0], signed=False)

    assert hub.delivery(message_id).state == "sent"
    said = hub.story(message_id).journal[-1]
    assert (said.event, said.code) == ("signal", "receipt-unproven")


def test_a_message_error_that_comes_by_itself_stops_the_resends(samhub_hub, samhub_partner, samhub_samples):
    """Signed, severity Error: rejected, and not sent again."""
    partner = samhub_partner(behaviour="no-acknowledgment")
    hub = samhub_hub([partner], times="sector")
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    hub.until(message_id, "sent")

    partner.refuse(partner.received[0])

    rejected = hub.delivery(message_id)
    assert (rejected.state, rejected.code, rejected.next_at) == ("rejected", "message-error", None)


def test_a_signal_is_never_answered_by_a_signal(samhub_hub, samhub_partner, samhub_samples):
    """HIS 1037 9: not even one that is wrong through and through."""
    partner = samhub_partner(behaviour="no-acknowledgment")
    hub = samhub_hub([partner], times="sector")
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    hub.until(message_id, "sent")

    answers = [partner.acknowledge(partner.received[0], how) for how in ("wrong-signature", "signs-other", "revoked")]

    assert [(a.status, a.body) for a in answers] == [(200, b"")] * 3
    assert hub.delivery(message_id).state == "sent"
    assert partner.signals == []
