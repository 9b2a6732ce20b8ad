"""Routing rules and the standards that are not known here: held, refused, passed or hurried, and why is always said."""

from __future__ import annotations

import pytest

from ops.partner.handles import Refused
from ops.sector import SECTOR

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR

HOLD = """
[[rule]]
name = "referrals wait for a look"
because = "the ward asked for it"
match = { type = "HENVISNING" }
then = { action = "hold" }
"""
REFUSE = """
[[rule]]
name = "no discharge letters here"
because = "the office closed in May"
match = { type = "EPIKRISE" }
then = { action = "refuse" }
"""
HURRY = """
[[rule]]
name = "laboratory answers first"
match = { type = "SVAR_LAB" }
then = { priority = 1 }
"""


def test_a_rule_holds_a_message_until_a_person_releases_it(samhub_hub, samhub_partner, samhub_samples):
    """Held with the rule's name and reason; released, it goes out."""
    partner = samhub_partner()
    hub = samhub_hub([partner], routes=HOLD)

    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))

    held = hub.delivery(message_id)
    assert (held.state, held.code, held.attempts) == ("held", "held-by-rule", 0)
    assert held.because == "rule referrals wait for a look: the ward asked for it"
    hub.act(held.id, "release")
    hub.until(message_id, "done")


def test_a_held_message_for_a_mailbox_lies_ready_when_it_is_released(samhub_hub, samhub_partner, samhub_samples):
    """An incoming message that a rule held: not told to the record system before, told and fetched after."""
    partner = samhub_partner()
    hub = samhub_hub([partner], routes=HOLD)
    epj = hub.epj(DOCTOR.her_id)
    answer = partner.send(samhub_samples("henvisning", sender=partner, receiver=DOCTOR))
    assert answer.kind == "acknowledgment"
    held = hub.delivery(answer.message_id)
    assert (held.state, epj.take()) == ("held", [])

    assert hub.act(held.id, "release").state == "available"

    epj.take_one()
    hub.until(answer.message_id, "done")


def test_a_held_message_can_be_released_but_not_resent(samhub_hub, samhub_partner, samhub_samples):
    """The words mean what they say, for a mailbox too."""
    from hub.errors import NotAllowed

    partner = samhub_partner()
    hub = samhub_hub([partner], routes=HOLD)
    answer = partner.send(samhub_samples("henvisning", sender=partner, receiver=DOCTOR))

    with pytest.raises(NotAllowed, match="stands at held"):
        hub.act(hub.delivery(answer.message_id).id, "resend")


def test_a_rule_refuses_what_a_record_system_hands_over(samhub_hub, samhub_partner, samhub_samples):
    """Refused to its face, with the rule's reason."""
    partner = samhub_partner()
    hub = samhub_hub([partner], routes=REFUSE)

    with pytest.raises(Refused, match="the office closed in May") as refusal:
        hub.epj(DOCTOR.her_id).send(samhub_samples("epikrise", receiver=partner))

    assert (refusal.value.status, refusal.value.code) == (403, "refused-by-rule")


def test_a_rule_refuses_what_a_partner_sends(samhub_hub, samhub_partner, samhub_samples):
    """Acknowledged, for the envelope is sound, and answered by a negative AppRec; the record system sees nothing."""
    partner = samhub_partner()
    hub = samhub_hub([partner], routes=REFUSE)

    answer = partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR))

    assert answer.kind == "acknowledgment"
    [apprec] = partner.await_received(1)
    assert apprec.document.kind == "apprec" and b'V="2"' in apprec.raw and b"E21" in apprec.raw
    assert hub.epj(DOCTOR.her_id).take() == []


def test_a_rule_lets_one_kind_go_before_the_others(samhub_hub, samhub_partner, samhub_samples, samhub_eventually):
    """With one line to the partner, the laboratory answer that came last goes first."""
    partner = samhub_partner(behaviour="down")
    settings = {"hub": {"per_partner": 1, "circuit_failures": 1}}
    hub = samhub_hub([partner], routes=HURRY, times="sector", settings=settings)
    epj = hub.epj(DOCTOR.her_id)
    ids = [epj.send(samhub_samples("henvisning", receiver=partner))]
    samhub_eventually(lambda: hub.delivery(ids[0]).code == "connect-failed")
    ids += [epj.send(samhub_samples(kind, receiver=partner)) for kind in ("dialog-helsefaglig", "labsvar")]

    partner.behave("good")
    hub.clock.forward(hours=2)

    for message_id in ids:
        hub.until(message_id, "done")
    order = [r.envelope.action for r in partner.received]
    assert order[0] == "SVAR_LAB"


def test_a_document_of_an_unknown_standard_is_passed_and_said_so(samhub_hub, samhub_partner, samhub_samples):
    """By default it goes through unchecked; the journal says for which namespace there is no schema."""
    partner = samhub_partner()
    hub = samhub_hub([partner])
    stranger = unknown(samhub_samples("dialog-helsefaglig", receiver=partner))

    message_id = hub.epj(DOCTOR.her_id).send(stranger, sender=DOCTOR.her_id)

    hub.until(message_id, "done")
    assert "no schema here for http://www.kith.no/xmlstds/dialog/2099-01-01" in hub.story(message_id).message.because


def test_a_document_of_an_unknown_standard_is_held_where_the_setting_says_so(
    samhub_hub, samhub_partner, samhub_samples
):
    """Both ways: held with the namespace named, until a person releases it."""
    partner = samhub_partner()
    hub = samhub_hub([partner], settings={"hub": {"unknown_standard": "hold"}})
    outgoing = unknown(samhub_samples("dialog-helsefaglig", receiver=partner))
    incoming = unknown(samhub_samples("dialog-helsefaglig", sender=partner, receiver=DOCTOR))

    sent = hub.epj(DOCTOR.her_id).send(outgoing, sender=DOCTOR.her_id)
    arrived = partner.send(incoming, DOCTOR.her_id).message_id

    for message_id in (sent, arrived):
        held = hub.delivery(message_id)
        assert held.state == "held" and "2099-01-01" in held.because
        hub.act(held.id, "release")
    hub.until(sent, "done")
    hub.epj(DOCTOR.her_id).take()
    hub.until(arrived, "done")


def unknown(sample):
    """The document in a version that nobody has written yet."""
    return sample.document.replace(b"xmlstds/dialog/2013-01-23", b"xmlstds/dialog/2099-01-01")
