"""When the other side does not answer: tried again as agreed, given up in the end, and then a person decides."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hub import insights
from hub.errors import NotAllowed
from ops.sector import SECTOR

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR


def attempts(hub, message_id):
    """The recorded tries of a message's only delivery."""
    return hub.story(message_id).attempts


def waits(hub, message_id):
    """Hours between the tries that handed it over."""
    times = [a.started_at for a in attempts(hub, message_id)]
    return [round((b - a).total_seconds() / 3600, 1) for a, b in itertools.pairwise(times)]


def next_try(hub, message_id, count):
    """Moves the clock to just after the next planned try, and waits until that has ended."""
    at = hub.delivery(message_id).next_at
    hub.clock.forward(seconds=max(0.0, (at - hub.clock.now()).total_seconds()) + 0.1)
    hub.until_tried(message_id, count)


@pytest.fixture
def silent(samhub_partner):
    """A partner that takes everything and says nothing."""
    return samhub_partner(behaviour="no-acknowledgment")


def test_without_an_agreement_it_is_sent_six_times_twelve_hours_apart_and_then_given_up(
    samhub_hub, silent, samhub_samples
):
    """HIS 1037 5.2: Retries 5, RetryInterval 12 h; after the last interval it is a dead letter and the sender is told."""
    hub = samhub_hub([silent], times="sector")
    epj = hub.epj(DOCTOR.her_id)
    message_id = epj.send(samhub_samples(receiver=silent))
    hub.until_tried(message_id)

    for count in range(2, 7):
        next_try(hub, message_id, count)
    assert hub.delivery(message_id).state == "sent"  # the receipt of the last one has its time too
    next_try(hub, message_id, 7)

    dead = hub.until(message_id, "dead")
    assert dead.code == "retries-exhausted"
    assert len(silent.received) == 6
    assert all(12 <= hours <= 14.5 for hours in waits(hub, message_id))
    assert "MessageDeliveryStateUpdated" in epj.told(message_id)


def test_every_resend_is_the_same_message_byte_for_byte(samhub_hub, silent, samhub_samples):
    """HITS 1171 9.6: the same MessageId, the same signature, the same bytes."""
    hub = samhub_hub([silent])
    hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=silent))

    first, second, third = silent.await_received(3)[:3]

    assert first.body == second.body == third.body
    assert first.envelope.message_id == third.envelope.message_id


def test_a_try_is_recorded_and_the_next_one_timed_before_it_is_made(samhub_hub, samhub_partner, samhub_samples):
    """While the partner has not answered yet, the store already knows the attempt and when it would be made again."""
    slow = samhub_partner(behaviour="slow", slow_seconds=1.0)
    hub = samhub_hub([slow])
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=slow))
    slow.await_received(1)

    [attempt] = attempts(hub, message_id)
    delivery = hub.delivery(message_id)

    assert (attempt.number, attempt.ended_at) == (1, None)
    assert delivery.attempts == 1 and delivery.next_at > hub.clock.now()
    hub.until(message_id, "done")
    assert attempts(hub, message_id)[0].code == "handed-over" or attempts(hub, message_id)[0].ended_at is not None


def test_what_the_party_file_says_about_retries_holds(samhub_hub, silent, samhub_samples):
    """One retry after four hours, agreed with this partner: two hand-overs, then given up."""
    manners = {silent.her_id: {"retries": 1, "retry_interval_seconds": 4 * 3600}}
    hub = samhub_hub([silent], times="sector", manners=manners)
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=silent))
    hub.until_tried(message_id)

    next_try(hub, message_id, 2)
    next_try(hub, message_id, 3)

    assert hub.until(message_id, "dead").code == "retries-exhausted"
    assert len(silent.received) == 2
    assert all(4 <= hours <= 4.9 for hours in waits(hub, message_id))


def test_persist_duration_ends_the_retries(samhub_hub, silent, samhub_samples):
    """Ten hours of PersistDuration and retries each four hours: given up at ten hours, not after the retries."""
    manners = {silent.her_id: {"retry_interval_seconds": 4 * 3600, "persist_duration_seconds": 10 * 3600}}
    hub = samhub_hub([silent], times="sector", manners=manners)
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=silent))
    hub.until_tried(message_id)

    for count in range(2, 5):
        next_try(hub, message_id, count)

    dead = hub.until(message_id, "dead")
    assert dead.code == "persist-duration-over"
    assert timedelta(hours=10) <= dead.changed_at - dead.created_at < timedelta(hours=10, minutes=1)
    assert len(silent.received) == 3


def test_a_partner_that_cannot_be_reached_is_tried_more_often_and_uses_up_no_retry(
    samhub_hub, samhub_partner, samhub_samples
):
    """20 s, 40 s, 80 s … before anything is handed over; when the partner is back it goes out at once."""
    partner = samhub_partner(behaviour="down")
    hub = samhub_hub([partner], times="sector", settings={"hub": {"circuit_failures": 100}})
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    hub.until_tried(message_id)

    for count in range(2, 9):
        next_try(hub, message_id, count)

    delivery = hub.delivery(message_id)
    assert (delivery.state, delivery.handed_over, delivery.code) == ("waiting", 0, "connect-failed")
    times = [a.started_at for a in attempts(hub, message_id)]
    gaps = [(b - a).total_seconds() for a, b in itertools.pairwise(times)]
    assert all(20 * 2**n <= gap <= 20 * 2**n * 1.2 + 2 for n, gap in enumerate(gaps))
    partner.behave("good")
    hub.clock.forward(hours=1)
    assert hub.until(message_id, "done").attempts == 9


def test_a_person_resends_a_dead_letter(samhub_hub, samhub_partner, samhub_samples):
    """The same message again, with all its tries before it; nothing is overdue because it lay there for a week."""
    partner = samhub_partner(behaviour="forbidden")
    hub = samhub_hub([partner])
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    dead = hub.until(message_id, "dead")
    hub.clock.forward(days=7)
    partner.behave("never-apprec")

    hub.act(dead.id, "resend", "ringte dem")

    acknowledged = hub.until(message_id, "acknowledged")
    assert acknowledged.apprec_due_at > hub.clock.now() + timedelta(hours=95)
    assert partner.received[-1].envelope.message_id == dead.eb_message_id
    resent = next(e for e in hub.story(message_id).journal if e.event == "resent")
    assert (resent.actor, resent.because) == ("tester", "ringte dem")


def test_a_resend_after_a_message_error_gets_a_new_message_id(samhub_hub, samhub_partner, samhub_samples):
    """HITS 1171 9.7: what the other side refused goes in a new envelope, about the same document."""
    partner = samhub_partner(behaviour="message-error")
    hub = samhub_hub([partner])
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    refused = hub.until(message_id, "rejected")
    partner.behave("good")

    hub.act(refused.id, "resend")

    hub.until(message_id, "done")
    first, second = partner.received
    assert first.raw == second.raw
    assert first.envelope.message_id != second.envelope.message_id


def test_a_resend_after_a_negative_apprec_is_not_allowed(samhub_hub, samhub_partner, samhub_samples):
    """HIS 80415 3.2: the document must be corrected and sent with a new MsgId; the person is told so."""
    partner = samhub_partner(behaviour="negative-apprec")
    hub = samhub_hub([partner])
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    rejected = hub.until(message_id, "rejected")

    with pytest.raises(NotAllowed, match="new MsgId"):
        hub.act(rejected.id, "resend")


def test_a_held_message_stays_until_it_is_released(samhub_hub, samhub_partner, samhub_samples):
    """Put aside by a person: not tried, though the partner is back; released, it goes out."""
    partner = samhub_partner(behaviour="down")
    hub = samhub_hub([partner])
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    hub.until_tried(message_id)

    held = hub.act(hub.delivery(message_id).id, "hold", "feil avdeling?")
    partner.behave("good")
    tries = held.attempts
    other = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    hub.until(other, "done")
    assert (hub.delivery(message_id).state, hub.delivery(message_id).attempts) == ("held", tries)
    hub.act(held.id, "release")

    hub.until(message_id, "done")
    assert [e for e in hub.events(message_id) if e in ("held", "released", "apprec_ok")] == [
        "held",
        "released",
        "apprec_ok",
    ]


def test_a_discarded_message_is_never_sent(samhub_hub, samhub_partner, samhub_samples):
    """A person gives it up for good: nothing more happens, also when the partner is back."""
    partner = samhub_partner(behaviour="down")
    hub = samhub_hub([partner])
    epj = hub.epj(DOCTOR.her_id)
    message_id = epj.send(samhub_samples(receiver=partner))
    hub.until_tried(message_id)

    hub.act(hub.delivery(message_id).id, "discard", "sendt på papir")
    partner.behave("good")
    hub.until(epj.send(samhub_samples(receiver=partner)), "done")

    assert len(partner.received) == 1
    assert hub.delivery(message_id).state == "discarded"
    with pytest.raises(NotAllowed):
        hub.act(hub.delivery(message_id).id, "resend")


def test_a_late_acknowledgment_is_taken_after_the_hub_gave_up(samhub_hub, silent, samhub_samples):
    """ebxml.md 6.2: the partner's receipt comes by itself when it is a dead letter already; it counts, and so does its AppRec."""
    hub = samhub_hub([silent], times="sector", manners={silent.her_id: {"retries": 0}})
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=silent))
    hub.until_tried(message_id)
    next_try(hub, message_id, 2)
    hub.until(message_id, "dead")
    [received] = silent.received

    silent.acknowledge(received)
    hub.until(message_id, "acknowledged")
    silent.send(silent.apprec_about(received), DOCTOR.her_id)

    hub.until(message_id, "done")
    kinds = [r.kind for r in hub.story(message_id).receipts]
    assert kinds == ["acknowledgment", "apprec"]


def test_an_acknowledgment_that_comes_after_the_apprec_is_kept_as_evidence(samhub_hub, silent, samhub_samples):
    """The AppRec overtook it and settled the delivery; the receipt changes nothing and is kept all the same."""
    hub = samhub_hub([silent], times="sector")
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=silent))
    [received] = silent.await_received(1)
    hub.until(message_id, "sent")
    silent.send(silent.apprec_about(received), DOCTOR.her_id)
    hub.until(message_id, "done")

    assert silent.acknowledge(received).status == 200

    assert [r.kind for r in hub.story(message_id).receipts] == ["apprec", "acknowledgment"]
    assert hub.delivery(message_id).state == "done"


def test_a_connection_that_the_partner_has_closed_meanwhile_costs_no_hours(samhub_hub, samhub_partner, samhub_samples):
    """Kept connections die without a word; the same bytes go out on a new one within the same try."""
    partner = samhub_partner()
    hub = samhub_hub([partner], times="sector")
    epj = hub.epj(DOCTOR.her_id)
    hub.until(epj.send(samhub_samples(receiver=partner)), "done")
    partner.drop_connections()

    message_id = epj.send(samhub_samples(receiver=partner))

    assert hub.until(message_id, "done").attempts == 1


def test_a_lost_answer_costs_minutes_and_counts_as_one_retry(samhub_hub, samhub_partner, samhub_samples):
    """Half an answer each time: the same bytes after 1, 2, 4 minutes, people are told so, and it is one hand-over."""
    partner = samhub_partner(behaviour="half-response")
    hub = samhub_hub([partner], times="sector")
    epj = hub.epj(DOCTOR.her_id)
    message_id = epj.send(samhub_samples(receiver=partner))
    hub.until_tried(message_id)
    first = hub.delivery(message_id)
    assert 55 < (first.next_at - hub.clock.now()).total_seconds() < 73
    for count in range(2, 5):
        next_try(hub, message_id, count)

    waiting = hub.delivery(message_id)
    assert (waiting.state, waiting.handed_over, waiting.lost) == ("sent", 1, 4)
    [explanation] = insights.explained(hub.story(message_id))
    assert explanation.next.startswith(f"the answer was lost, asked again at {waiting.next_at:%Y-%m-%dT%H:%M}")
    assert epj.told(message_id).count("MessageSentStateUpdated") == 1
    gaps = [(b.started_at - a.started_at).total_seconds() for a, b in itertools.pairwise(attempts(hub, message_id))]
    assert all(60 * 2**n <= gap <= 60 * 2**n * 1.2 + 5 for n, gap in enumerate(gaps))

    partner.behave("good")
    next_try(hub, message_id, 5)
    assert hub.until(message_id, "done").attempts == 5
    assert {r.body for r in partner.received} == {partner.received[0].body}


def test_a_certificate_that_nothing_can_be_encrypted_for_is_a_dead_letter_with_its_reason(
    samhub_hub, samhub_partner, samhub_samples, tmp_path
):
    """An EC key: told with whose it is, before anything is sent; another partner is served meanwhile."""
    partner = samhub_partner()
    other = samhub_partner()
    manners = {partner.her_id: {"encryption_certificate": str(of_ec(tmp_path))}}
    hub = samhub_hub([partner, other], manners=manners)
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))

    dead = hub.until(message_id, "dead")

    assert dead.code == "unfit-certificate" and "its key is not RSA" in dead.because
    assert partner.received == [] and dead.handed_over == 0
    hub.until(hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=other)), "done")


def of_ec(folder):
    """A certificate with an EC key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "partner")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=9))
    target = folder / "ec.pem"
    target.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return target
