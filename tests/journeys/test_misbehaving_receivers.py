"""Every way in which a partner may treat what we send it: the code at once, the outcome in the end, and what the sender sees."""

from __future__ import annotations

import pytest

from ops.partner.behaviours import Receiving
from ops.sector import SECTOR

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR

#: Passes by itself: (how far the first try came, its code). Once the partner behaves, the message is delivered.
PASSING = {
    "down": ("no", "connect-failed"),
    "unavailable": ("no", "http-temporary"),
    "half-response": ("maybe", "connection-lost"),
    "garbage": ("yes", "unreadable-answer"),
    "empty-envelope": ("yes", "unreadable-answer"),
    "no-acknowledgment": ("yes", "handed-over"),
    "wrong-signature": ("yes", "receipt-unproven"),
    "signs-other": ("yes", "receipt-unproven"),
    "revoked-certificate": ("yes", "receipt-unproven"),
    "wrong-digest": ("yes", "receipt-digest"),
}
#: Ends the delivery: (state, code, transportDeliveryState).
ENDING = {
    "good": ("done", "apprec-ok", "Acknowledged"),
    "slow": ("done", "apprec-ok", "Acknowledged"),
    "late-acknowledgment": ("done", "apprec-ok", "Acknowledged"),
    "warning": ("done", "apprec-ok", "Acknowledged"),
    "late-apprec": ("done", "apprec-ok", "Acknowledged"),
    "two-apprecs": ("done", "apprec-ok", "Acknowledged"),
    "contradicting-apprecs": ("done", "apprec-ok", "Acknowledged"),
    "never-apprec": ("acknowledged", "acknowledged", "Acknowledged"),
    "negative-apprec": ("rejected", "apprec-negative", "Acknowledged"),
    "message-error": ("rejected", "message-error", "Rejected"),
    "forbidden": ("dead", "http-permanent", "Abandoned"),
    "soap-fault": ("dead", "soap-fault", "Abandoned"),
}
#: Words that an operator must find in the reason.
WORDS = {
    "wrong-signature": "signature",
    "signs-other": "not what was signed",
    "revoked-certificate": "revoked",
    "wrong-digest": "another digest",
    "forbidden": "HTTP 403",
    "unavailable": "HTTP 503",
    "down": "127.0.0.1",
}


def test_every_behaviour_has_its_row():
    """A new way to misbehave needs an outcome that it must have."""
    assert {*PASSING, *ENDING} == {str(b) for b in Receiving}


@pytest.mark.parametrize("behaviour", PASSING)
def test_what_may_pass_is_tried_again_until_it_has(behaviour, samhub_hub, samhub_partner, samhub_samples):
    """The first try says what was wrong; nothing is given up; when the partner behaves, the AppRec comes home."""
    partner = samhub_partner(behaviour=behaviour)
    hub = samhub_hub([partner])
    epj = hub.epj(DOCTOR.her_id)
    message_id = epj.send(samhub_samples(receiver=partner))
    hub.until_tried(message_id)

    first = hub.story(message_id).attempts[0]
    assert (first.reached, first.code) == PASSING[behaviour]
    assert WORDS.get(behaviour, "") in first.because
    assert epj.status(message_id)[0]["transportDeliveryState"] == "Unconfirmed"

    partner.behave("good")
    hub.until(message_id, "done")
    assert {r.raw for r in partner.received} == {partner.received[0].raw}
    assert len(epj.take()) == 1  # one AppRec, however often it was sent


@pytest.mark.parametrize("behaviour", ENDING)
def test_what_ends_a_delivery_ends_it_with_its_code(behaviour, samhub_hub, samhub_partner, samhub_samples):
    """State, code, and what the sending record system reads."""
    state, code, transport = ENDING[behaviour]
    partner = samhub_partner(behaviour=behaviour)
    hub = samhub_hub([partner])
    epj = hub.epj(DOCTOR.her_id)

    message_id = epj.send(samhub_samples(receiver=partner))

    delivery = hub.until(message_id, state)
    assert delivery.code == code
    assert WORDS.get(behaviour, "") in delivery.because
    assert epj.status(message_id)[0]["transportDeliveryState"] == transport


def test_a_partner_slower_than_we_wait_is_tried_again(samhub_hub, samhub_partner, samhub_samples):
    """No answer in time may mean that it was taken: the same bytes again, and the partner knows them."""
    partner = samhub_partner(behaviour="slow", slow_seconds=1.0)
    hub = samhub_hub([partner], settings={"ebxml_http": {"answer_seconds": 0.2}})
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    hub.until_tried(message_id)

    first = hub.story(message_id).attempts[0]
    assert (first.reached, first.code) == ("maybe", "timed-out")
    partner.behave("good")
    hub.until(message_id, "done")


def test_a_warning_means_accepted(samhub_hub, samhub_partner, samhub_samples):
    """MessageError of severity Warning: a receipt like any other, with its words kept for people (HITS 1171 8.3)."""
    partner = samhub_partner(behaviour="warning")
    hub = samhub_hub([partner])
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))

    hub.until(message_id, "done")

    warned = next(e for e in hub.story(message_id).journal if e.event == "accepted_with_warning")
    assert "simulated warning" in warned.because
    assert [r.kind for r in hub.story(message_id).receipts] == ["message_error", "apprec"]


def test_a_message_error_stops_the_resends_and_is_kept(samhub_hub, samhub_partner, samhub_samples):
    """Severity Error: rejected, one try, the partner's words in the journal, the signed error as evidence."""
    partner = samhub_partner(behaviour="message-error")
    hub = samhub_hub([partner])
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))

    delivery = hub.until(message_id, "rejected")

    assert "SecurityFailure" in delivery.because and "simulated refusal" in delivery.because
    assert (len(partner.received), delivery.next_at) == (1, None)
    assert [(r.kind, r.proven) for r in hub.story(message_id).receipts] == [("message_error", True)]
