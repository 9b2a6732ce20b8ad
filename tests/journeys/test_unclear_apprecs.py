"""An AppRec that is odd: what it says of a no reaches people at once, and nothing of it turns the message green."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest

from ops.sector import SECTOR

DOCTOR = SECTOR[1]
#: How an honest AppRec is changed, its status first; state and code of the original after it; what record systems hear.
ODD = {
    "3, and Avvist with an Error": ("2", ('V="2" DN="Avvist"', 'V="3" DN="Avvist"'), "overdue", "apprec-unclear", "unclear"),
    "a true 3": ("2", ('V="2" DN="Avvist"', 'V="3" DN="OK, feil i delmelding"'), "rejected", "apprec-partly", "3"),
    "an unknown code": ("1", ('V="1"', 'V="4"'), "overdue", "apprec-unclear", "unclear"),
    "an OK in the code's place": ("1", ('V="1"', 'V="OK"'), "overdue", "apprec-unclear", "unclear"),
    "no code": ("1", ('Status V="1"', "Status"), "overdue", "apprec-unclear", "unclear"),
    "OK with an Error": ("2", ('V="2" DN="Avvist"', 'V="1" DN="OK"'), "overdue", "apprec-unclear", "unclear"),
    "a yes that breaks its schema": ("1", ("MIGversion>", "MIGversjon>"), "overdue", "apprec-unclear", "unclear"),
    "a no that breaks its schema": ("2", ("MIGversion>", "MIGversjon>"), "rejected", "apprec-negative", "2"),
    "a 3 that breaks its schema": (
        "2",
        ('V="2" DN="Avvist"/><', 'V="3" DN="OK, feil i delmelding"/><Feil/><'),
        "rejected",
        "apprec-partly",
        "3",
    ),
}  # fmt: skip


@pytest.mark.parametrize("by", ["http", "mail"])
def test_the_remark_stands_at_the_original_and_a_person_has_it(samhub_hub, samhub_partner, samhub_samples, by):
    """Journal, notification and state of the message that it answers; both versions of AppRec."""
    partner = samhub_partner(by=by, behaviour="never-apprec")
    hub = samhub_hub([partner], times="sector")
    epj = hub.epj(DOCTOR.her_id)
    for number, (name, (status, (old, new), state, code, told)) in enumerate(ODD.items(), 1):
        kind = ("dialog-helsefaglig", "henvisning")[number % 2]  # answered by AppRec 1.0 and 1.1
        message_id = epj.send(samhub_samples(kind, receiver=partner))
        hub.until(message_id, "acknowledged")
        honest = partner.apprec_about(partner.await_received(number)[-1], status).decode()
        assert old in honest, name

        partner.send(honest.replace(old, new).encode(), DOCTOR.her_id)

        delivery = hub.until(message_id, state)
        assert delivery.code == code, name
        event = "apprec_unclear" if code == "apprec-unclear" else "apprec_negative"
        assert event in hub.events(message_id), name
        notes = [n["description"] for n in epj.notifications() if n["relatedMessageId"] == message_id]
        assert notes[-1] == told, name
        [shown] = epj.status(message_id)
        info = shown["apprecInfo"] or {"appRecStatus": None}
        assert info["appRecStatus"] != "Ok" and shown["transportDeliveryState"] == "Acknowledged", name


def test_a_clear_apprec_after_an_unclear_one_is_taken(samhub_hub, samhub_partner, samhub_samples):
    partner = samhub_partner(behaviour="never-apprec")
    hub = samhub_hub([partner], times="sector")
    for status, state in (("1", "done"), ("2", "rejected")):
        message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
        hub.until(message_id, "acknowledged")
        clear = partner.apprec_about(partner.received[-1], status)
        own_id = f"<Id>{uuid4()}</Id>".encode()
        unclear = re.sub(
            rb"<Id>.*?</Id>", own_id, re.sub(rb"<Status [^>]*>", b'<Status V="9" DN="OK"/>', clear), count=1
        )
        partner.send(unclear, DOCTOR.her_id)
        hub.until(message_id, "overdue")
        partner.send(clear, DOCTOR.her_id)
        hub.until(message_id, state)


def test_what_was_taken_in_part_is_not_sent_again(samhub_hub, samhub_partner, samhub_samples):
    """The rest of it was taken: what helps is a corrected document (HIS 80415 3.2)."""
    partner = samhub_partner(behaviour="never-apprec")
    hub = samhub_hub([partner], times="sector")
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    hub.until(message_id, "acknowledged")
    partly = partner.apprec_about(partner.received[-1], "2").replace(
        b'V="2" DN="Avvist"', b'V="3" DN="OK, feil i delmelding"'
    )
    partner.send(partly, DOCTOR.her_id)
    delivery = hub.until(message_id, "rejected")
    with pytest.raises(Exception, match="correct the document"):
        hub.act(delivery.id, "resend")
