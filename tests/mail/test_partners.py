"""Every way in which a partner that is reached by mail may treat what we send it: the first try, the outcome, what people read."""

from __future__ import annotations

import asyncio

import pytest

from hub import insights
from ops import config
from ops.assemble import hub
from ops.demo.stage import free_ports
from ops.epj import RecordSystemClient
from ops.partner.behaviours import HTTP_ONLY, ByMail, Receiving
from ops.partner.handles import partner_member
from ops.partner.serve import simulating
from ops.sector import SECTOR, write_site
from ops.serve.run import running

DOCTOR = SECTOR[1]

#: Passes by itself: (how far the first try came, its code, words of its reason). Once the partner behaves, it is delivered.
PASSING = {
    "greylist": ("no", "mail-temporary", "451 4.7.1"),
    "drop-mid-data": ("maybe", "connection-lost", "before the relay said"),
    "accept-and-lose": ("yes", "handed-over", "the relay took"),
    "no-acknowledgment": ("yes", "handed-over", "the relay took"),
    "wrong-signature": ("yes", "handed-over", ""),
    "signs-other": ("yes", "handed-over", ""),
    "wrong-digest": ("yes", "handed-over", ""),
    "revoked-certificate": ("yes", "handed-over", ""),
    "garbage": ("yes", "handed-over", ""),
    "empty-envelope": ("yes", "handed-over", ""),
}
#: Ends the delivery: (state, code, words of the reason).
ENDING = {
    "good": ("done", "apprec-ok", ""),
    "slow": ("done", "apprec-ok", ""),
    "reorder": ("done", "apprec-ok", ""),
    "deliver-twice": ("done", "apprec-ok", ""),
    "late-acknowledgment": ("done", "apprec-ok", ""),
    "warning": ("done", "apprec-ok", ""),
    "late-apprec": ("done", "apprec-ok", ""),
    "two-apprecs": ("done", "apprec-ok", ""),
    "contradicting-apprecs": ("done", "apprec-ok", ""),
    "never-apprec": ("acknowledged", "acknowledged", ""),
    "negative-apprec": ("rejected", "apprec-negative", ""),
    "message-error": ("rejected", "message-error", "simulated refusal"),
    "bounce-now": ("dead", "mail-permanent", "550 5.1.1"),
    "bounce-later": ("dead", "mail-bounced", "5.1.1"),
    "soap-fault": ("dead", "soap-fault", "Client"),
}
#: What the journal says of receipts that move nothing.
SAID = {
    "wrong-signature": "receipt-unproven",
    "signs-other": "receipt-unproven",
    "revoked-certificate": "receipt-unproven",
    "wrong-digest": "receipt-digest",
}


def test_every_behaviour_has_its_row():
    """A new way to misbehave needs an outcome that it must have."""
    assert {*PASSING, *ENDING} == {str(b) for b in (*ByMail, *Receiving)} - HTTP_ONLY


@pytest.mark.parametrize("behaviour", PASSING)
def test_what_may_pass_is_tried_again_until_it_has(behaviour, samhub_hub, samhub_partner, samhub_samples):
    """The first try says what was wrong; nothing is given up; when the partner behaves, one AppRec comes home."""
    reached, code, words = PASSING[behaviour]
    partner = samhub_partner(behaviour=behaviour, by="mail", slow_seconds=60)
    hub = samhub_hub([partner])
    epj = hub.epj(DOCTOR.her_id)
    message_id = epj.send(samhub_samples(receiver=partner))
    hub.until_tried(message_id)

    first = hub.story(message_id).attempts[0]
    assert (first.reached, first.code) == (reached, code)
    assert words in first.because
    assert epj.status(message_id)[0]["transportDeliveryState"] == "Unconfirmed"

    partner.behave("good")
    hub.until(message_id, "done")
    assert {r.raw for r in partner.received} == {partner.received[0].raw}
    assert len(epj.take()) == 1  # one AppRec, however often it was sent


@pytest.mark.parametrize("behaviour", SAID)
def test_a_receipt_that_cannot_be_taken_is_told_and_moves_nothing(
    behaviour, samhub_hub, samhub_partner, samhub_samples, samhub_eventually
):
    """It came by itself, as mail; the delivery's own journal says why it does not count."""
    partner = samhub_partner(behaviour=behaviour, by="mail")
    hub = samhub_hub([partner])
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))

    def codes():
        return {e.code for e in hub.story(message_id).journal if e.event == "signal"}

    samhub_eventually(lambda: SAID[behaviour] in codes())
    assert hub.delivery(message_id).state in ("waiting", "sent")


@pytest.mark.parametrize("behaviour", ENDING)
def test_what_ends_a_delivery_ends_it_with_its_code(behaviour, samhub_hub, samhub_partner, samhub_samples):
    """State, code and the reason that an operator reads."""
    state, code, words = ENDING[behaviour]
    partner = samhub_partner(behaviour=behaviour, by="mail")
    hub = samhub_hub([partner], settings={"hub": {"retry_interval_seconds": 5}})
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))

    delivery = hub.until(message_id, state)

    assert delivery.code == code
    assert words in delivery.because
    assert delivery.channel == "ebxml_smtp"
    assert len(hub.story(message_id).attempts) == 1


def test_greylisting_passes_by_waiting(samhub_hub, samhub_partner, samhub_samples):
    """Nobody has to do anything: put off a few times, then taken, with the same bytes."""
    partner = samhub_partner(behaviour="greylist", by="mail", slow_seconds=0.3)
    hub = samhub_hub([partner])
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))

    hub.until(message_id, "done")

    codes = [a.code for a in hub.story(message_id).attempts]
    assert codes[0] == "mail-temporary" and codes[-1] == "handed-over"
    assert len(partner.received) == 1


def test_a_bounce_tells_the_record_system_too(samhub_hub, samhub_partner, samhub_samples):
    """The sender reads Abandoned, and is notified as it is of any other end."""
    partner = samhub_partner(behaviour="bounce-later", by="mail")
    hub = samhub_hub([partner])
    epj = hub.epj(DOCTOR.her_id)
    message_id = epj.send(samhub_samples(receiver=partner))
    hub.until(message_id, "dead")

    assert epj.status(message_id)[0]["transportDeliveryState"] == "Abandoned"
    assert epj.told(message_id) == ["MessageSentStateUpdated", "MessageDeliveryStateUpdated"]


def test_what_arrives_twice_counts_once(samhub_hub, samhub_partner, samhub_samples, samhub_eventually):
    """A mail server that delivers twice: one document for the record system, one receipt, one AppRec."""
    partner = samhub_partner(behaviour="deliver-twice", by="mail")
    hub = samhub_hub([partner])
    answer = partner.send(samhub_samples("epikrise", sender=partner))
    assert answer.status == 250

    assert len(hub.epj(DOCTOR.her_id).take()) == 1
    samhub_eventually(lambda: partner.received and partner.signals)
    samhub_eventually(lambda: hub.count("waiting") == hub.count("sent") == 0)
    assert [s.envelope.kind for s in partner.signals] == ["acknowledgment"]
    assert [r.document.kind for r in partner.received] == ["apprec"]


def test_an_apprec_before_its_acknowledgment_is_taken(samhub_hub, samhub_partner, samhub_samples, samhub_eventually):
    """Done by the AppRec; the Acknowledgment that comes after it is kept as evidence (ebxml.md §6.2)."""
    partner = samhub_partner(behaviour="reorder", by="mail")
    hub = samhub_hub([partner])
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    hub.until(message_id, "done")

    receipts = samhub_eventually(lambda: len(found := hub.story(message_id).receipts) == 2 and found)

    assert [(r.kind, r.proven) for r in receipts] == [("apprec", True), ("acknowledgment", True)]


def test_a_partner_by_mail_sends_and_is_answered_by_mail(samhub_hub, samhub_partner, samhub_samples, samhub_eventually):
    """The listener says 250; Acknowledgment and AppRec come as mails of their own."""
    partner = samhub_partner(by="mail")
    hub = samhub_hub([partner])

    answer = partner.send(samhub_samples("epikrise", sender=partner))

    assert (answer.status, answer.kind) == (250, "empty")
    samhub_eventually(lambda: partner.signals)
    assert partner.signals[0].envelope.acknowledgment.ref_to_message_id == answer.message_id
    assert hub.epj(DOCTOR.her_id).take_one().about["businessDocumentMsgType"] == "EPIKRISE"
    assert partner.await_received(1)[0].document.kind == "apprec"


def test_the_mail_listener_keeps_its_port_when_a_hub_starts_again(samhub_hub, samhub_partner, samhub_samples):
    """Partners find it where it was."""
    partner = samhub_partner(by="mail")
    hub = samhub_hub([partner])
    hub.restart()

    assert partner.send(samhub_samples("epikrise", sender=partner)).status == 250


@pytest.mark.parametrize("behaviour", sorted(HTTP_ONLY))
def test_what_only_http_can_do_is_refused(behaviour, samhub_partner):
    """By its name."""
    with pytest.raises(ValueError, match=f"{behaviour} is only for partners that are reached by HTTP"):
        samhub_partner(behaviour=behaviour, by="mail")


def test_half_a_request_is_for_http(samhub_hub, samhub_partner, samhub_samples):
    """The same on the sending side."""
    partner = samhub_partner(by="mail")
    samhub_hub([partner])
    with pytest.raises(ValueError, match="half-request is only for partners"):
        partner.send(samhub_samples("epikrise", sender=partner), how="half-request")


async def test_the_simulator_is_the_relay_of_a_site_that_sends_by_mail(samhub_pki, samhub_samples, tmp_path):
    """`samhub simulate`: a `mailto:` party is a partner when relay.host is this machine."""
    relay, listener = free_ports(2)
    settings = {
        "http": {"port": 0},
        "work": {"poll_seconds": 0.02},
        "store": {"min_free_bytes": 0},
        "relay": {"host": "127.0.0.1", "port": relay, "tls": "off"},
        "listener": {"host": "127.0.0.1", "port": listener},
    }
    member = partner_member("8009000")
    manners = {DOCTOR.her_id: {"mail": "lege@edi.example"}}
    remote = [(member, "mailto:Prove@edi.example")]
    site = write_site(tmp_path / "site", samhub_pki.folder, [DOCTOR], remote, manners=manners, settings=settings)
    found = config.load(site.configuration)

    async with simulating(found) as partners, hub(found) as built, running(built) as url:
        async with RecordSystemClient(url, site.keys[DOCTOR.system]) as epj:
            status, answer = await epj.send(samhub_samples(receiver=member).document, DOCTOR.her_id)
        assert status == 202
        ended = asyncio.get_running_loop().time() + 10
        while (await insights.story(built.store, answer["id"])).outcome != "delivered":
            assert asyncio.get_running_loop().time() < ended
            await asyncio.sleep(0.05)

    assert partners[member.her_id].url == "mailto:prove@edi.example"
    assert len(partners[member.her_id].received) == 1
