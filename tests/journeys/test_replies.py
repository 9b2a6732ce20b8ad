"""Receipts in the same exchange, or by themselves, as agreed with each partner."""

from __future__ import annotations

from ops.partner.aside import eventually
from ops.sector import SECTOR

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR


def asynchronous(partner, **more):
    """The party file's manners for a partner whose receipts travel by themselves."""
    return {partner.her_id: {"reply": "async", **more}}


def a_signal(partner, count=1):
    """The signals the partner has got, once there are so many."""
    return eventually(lambda: partner.signals if len(partner.signals) >= count else [], wanted=f"{count} signals")


def test_by_default_the_receipt_comes_in_the_same_exchange(samhub_hub, samhub_partner, samhub_samples):
    """HTTP 200 with the signed Acknowledgment; nothing travels by itself."""
    partner = samhub_partner()
    samhub_hub([partner])

    answer = partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR))

    assert (answer.status, answer.kind) == (200, "acknowledgment")
    assert partner.signals == []


def test_an_asynchronous_partner_gets_its_acknowledgment_by_itself(samhub_hub, samhub_partner, samhub_samples):
    """HTTP 202 and nothing in the exchange; then the Acknowledgment, about the message and with its digests."""
    partner = samhub_partner()
    samhub_hub([partner], manners=asynchronous(partner))

    answer = partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR))

    assert (answer.status, answer.body) == (202, b"")
    [signal] = a_signal(partner)
    assert signal.envelope.kind == "acknowledgment"
    assert signal.envelope.acknowledgment.ref_to_message_id == answer.message_id
    assert len(signal.envelope.acknowledgment.references) == 2


def test_a_refusal_travels_by_itself_too(samhub_hub, samhub_partner, samhub_samples):
    """The MessageError of an asynchronous partner."""
    partner = samhub_partner()
    samhub_hub([partner], manners=asynchronous(partner))

    answer = partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR), how="wrong-key")

    assert (answer.status, answer.body) == (202, b"")
    [signal] = a_signal(partner)
    assert signal.envelope.ref_to_message_id == answer.message_id
    assert [e.code for e in signal.envelope.errors] == ["SecurityFailure"]


def test_what_cannot_be_read_is_answered_at_once_even_so(samhub_hub, samhub_partner, samhub_samples):
    """A SOAP Fault has no address to travel to."""
    partner = samhub_partner()
    samhub_hub([partner], manners=asynchronous(partner))

    answer = partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR), how="garbage")

    assert answer.kind == "fault"


def test_a_duplicate_of_an_asynchronous_partner_gets_the_same_receipt_again(samhub_hub, samhub_partner, samhub_samples):
    """The same bytes travel once more."""
    partner = samhub_partner()
    samhub_hub([partner], manners=asynchronous(partner))

    partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR), how="duplicate")

    first, second = a_signal(partner, 2)
    assert first.body == second.body


def test_a_receipt_that_cannot_be_brought_is_tried_again(samhub_hub, samhub_partner, samhub_samples):
    """The partner sends, and goes down before it can be told; when it is back the receipt comes."""
    partner = samhub_partner(behaviour="down")
    hub = samhub_hub([partner], manners=asynchronous(partner))
    partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR))
    eventually(lambda: [d for d in hub.deliveries() if d.kind == "signal" and d.code == "connect-failed"])

    partner.behave("good")

    a_signal(partner)
    [signal] = eventually(lambda: [d for d in hub.deliveries(states=("done",)) if d.kind == "signal"])
    assert signal.apprec_due_at is None


def test_receipts_go_where_the_partner_takes_them(samhub_hub, samhub_partner, samhub_samples):
    """A partner with another address for receipts gets them there."""
    partner, elsewhere = samhub_partner(), samhub_partner()
    samhub_hub([partner], manners=asynchronous(partner, signal_endpoint=elsewhere.url))

    partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR))

    a_signal(elsewhere)
    assert partner.signals == []


def test_our_own_message_to_an_asynchronous_partner_waits_for_the_receipt(samhub_hub, samhub_partner, samhub_samples):
    """Sent, then acknowledged by what comes by itself, then answered; it went out once."""
    partner = samhub_partner(behaviour="late-acknowledgment", late_seconds=0.2)
    hub = samhub_hub([partner], times="sector", manners=asynchronous(partner))
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))

    hub.until(message_id, "sent")
    hub.until(message_id, "done")

    assert len(partner.received) == 1
    assert [e for e in hub.events(message_id) if e != "routed"] == [
        "received",
        "handed_over",
        "acknowledged",
        "apprec_ok",
    ]
