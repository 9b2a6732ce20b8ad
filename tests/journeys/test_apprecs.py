"""Nothing is green before the AppRec is home: missing, late, negative, twice, strange, and about what nobody knows."""

from __future__ import annotations

import re

import pytest

from ops.partner.aside import eventually
from ops.partner.partner import Partner
from ops.sector import SECTOR

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR


def sent_to(hub, partner, sample):
    """Hands a document over and waits until the partner has acknowledged it; our id, and what the partner got."""
    message_id = hub.epj(DOCTOR.her_id).send(sample)
    hub.until(message_id, "acknowledged")
    return message_id, partner.received[-1]


def test_after_96_hours_without_an_apprec_it_is_overdue_and_a_person_is_told(
    samhub_hub, samhub_partner, samhub_samples
):
    """HIS 80415 3.3.4: not before, and the sending record system reads why."""
    partner = samhub_partner(behaviour="never-apprec")
    hub = samhub_hub([partner], times="sector")
    epj = hub.epj(DOCTOR.her_id)
    message_id, _ = sent_to(hub, partner, samhub_samples(receiver=partner))

    hub.clock.forward(hours=95, minutes=59)
    hub.watched()
    assert hub.delivery(message_id).state == "acknowledged"
    hub.clock.forward(minutes=2)

    overdue = hub.until(message_id, "overdue")
    assert overdue.code == "apprec-missing"
    [status] = epj.status(message_id)
    assert (status["transportDeliveryState"], status["apprecInfo"], status["state"]) == (
        "Acknowledged",
        None,
        "overdue",
    )
    assert epj.told(message_id)[-1] == "MessageApprecInfoUpdated"


def test_a_message_without_any_receipt_is_overdue_as_unconfirmed(samhub_hub, samhub_partner, samhub_samples):
    """Handed over, never acknowledged, no AppRec: nobody may read from its status that it was taken."""
    partner = samhub_partner(behaviour="no-acknowledgment")
    manners = {partner.her_id: {"retries": 50, "persist_duration_seconds": 1_000_000}}
    hub = samhub_hub([partner], times="sector", manners=manners)
    epj = hub.epj(DOCTOR.her_id)
    message_id = epj.send(samhub_samples(receiver=partner))
    hub.until(message_id, "sent")

    hub.clock.forward(hours=97)

    assert hub.until(message_id, "overdue").code == "receipts-missing"
    assert epj.status(message_id)[0]["transportDeliveryState"] == "Unconfirmed"


@pytest.mark.parametrize("spelt", [str.upper, lambda own: own.replace("-", "")], ids=["capitals", "no hyphens"])
def test_an_apprec_finds_its_message_however_it_spells_the_id(
    spelt, samhub_hub, samhub_partner, samhub_samples, monkeypatch
):
    """A refusal whose OriginalMsgId was in capitals was lost, and the message overdue (field row 15)."""
    plain = Partner.apprec_about

    def about(self, received, status):
        own = received.document.msg_id.encode()
        return plain(self, received, status).replace(own, spelt(own.decode()).encode())

    monkeypatch.setattr(Partner, "apprec_about", about)
    partner = samhub_partner(behaviour="negative-apprec")
    hub = samhub_hub([partner])
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    assert hub.until(message_id, "rejected").code == "apprec-negative"


def test_a_late_apprec_is_still_taken(samhub_hub, samhub_partner, samhub_samples):
    """HITS 1168 9.1: it was overdue, and now it is done."""
    partner = samhub_partner(behaviour="never-apprec")
    hub = samhub_hub([partner], times="sector")
    message_id, received = sent_to(hub, partner, samhub_samples(receiver=partner))
    hub.clock.forward(hours=97)
    hub.until(message_id, "overdue")

    partner.send(partner.apprec_about(received), DOCTOR.her_id)

    hub.until(message_id, "done")
    assert hub.events(message_id)[-2:] == ["overdue", "apprec_ok"]


def test_a_late_negative_apprec_is_taken_too(samhub_hub, samhub_partner, samhub_samples):
    """Late, and a no: rejected with its code."""
    partner = samhub_partner(behaviour="never-apprec")
    hub = samhub_hub([partner], times="sector")
    message_id, received = sent_to(hub, partner, samhub_samples(receiver=partner))
    hub.clock.forward(hours=97)
    hub.until(message_id, "overdue")

    partner.send(partner.apprec_about(received, "2"), DOCTOR.her_id)

    assert hub.until(message_id, "rejected").apprec_code == "E21"


def test_a_local_record_system_that_never_fetches_makes_it_overdue(samhub_hub, samhub_samples):
    """Inside the house the same rule holds; sent again by a person it is told as new, and fetched it is done."""
    hub = samhub_hub(local=[DOCTOR, PHYSIO])
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=PHYSIO))
    hub.clock.forward(hours=97)
    overdue = hub.until(message_id, "overdue")

    assert hub.act(overdue.id, "resend", "ringte dem").state == "available"

    physio = hub.epj(PHYSIO.her_id)
    assert physio.told(message_id) == ["NewMessage", "NewMessage"]
    physio.take()
    hub.until(message_id, "done")


def test_the_same_apprec_twice_changes_nothing(samhub_hub, samhub_partner, samhub_samples):
    """In two envelopes: acknowledged both times, handed to the record system once, the delivery stands."""
    partner = samhub_partner(behaviour="never-apprec")
    hub = samhub_hub([partner])
    epj = hub.epj(DOCTOR.her_id)
    message_id, received = sent_to(hub, partner, samhub_samples(receiver=partner))
    apprec = partner.apprec_about(received)

    first, second = partner.send(apprec, DOCTOR.her_id), partner.send(apprec, DOCTOR.her_id)

    assert (first.kind, second.kind) == ("acknowledgment", "acknowledgment")
    assert hub.delivery(message_id).state == "done"
    assert len(epj.take()) == 1


def test_a_contradicting_apprec_is_said_and_the_first_one_stands(samhub_hub, samhub_partner, samhub_samples):
    """HITS 1168 5.1: an AppRec is never changed afterwards."""
    partner = samhub_partner(behaviour="never-apprec")
    hub = samhub_hub([partner])
    message_id, received = sent_to(hub, partner, samhub_samples(receiver=partner))
    partner.send(partner.apprec_about(received, "2"), DOCTOR.her_id)

    partner.send(partner.apprec_about(received, "1"), DOCTOR.her_id)

    assert hub.delivery(message_id).state == "rejected"
    last = hub.story(message_id).journal[-1]
    assert last.event == "signal" and "contradicts the first" in last.because


def test_an_apprec_about_an_unknown_message_is_acknowledged_and_told(samhub_hub, samhub_partner, samhub_samples):
    """It may belong to another system: acknowledged, journaled, handed on, and answered by nothing."""
    partner, other = samhub_partner(behaviour="never-apprec"), samhub_partner()
    hub = samhub_hub([partner, other])
    epj = hub.epj(DOCTOR.her_id)
    message_id, received = sent_to(hub, partner, samhub_samples(receiver=partner))
    strange = partner.apprec_about(received).replace(received.document.msg_id.encode(), _uuid())

    answer = partner.send(strange, DOCTOR.her_id)

    assert answer.kind == "acknowledgment"
    assert "apprec_unmatched" in hub.events(answer.message_id)
    assert hub.delivery(message_id).state == "acknowledged"
    assert epj.take_one().document == strange


def test_an_apprec_of_somebody_else_does_not_settle_the_delivery(samhub_hub, samhub_partner, samhub_samples):
    """Two receivers, and the AppRec of one: the other's delivery goes on waiting."""
    primary, copy = samhub_partner(behaviour="never-apprec"), samhub_partner(behaviour="never-apprec")
    hub = samhub_hub([primary, copy])
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=primary, copies=[copy]))
    for one in (primary, copy):
        hub.until(message_id, "acknowledged", to=one.her_id)

    copy.send(copy.apprec_about(copy.received[0]), DOCTOR.her_id)

    assert hub.delivery(message_id, to=copy.her_id).state == "done"
    assert hub.delivery(message_id, to=primary.her_id).state == "acknowledged"


def test_an_apprec_under_an_ordinary_action_is_known_by_its_root(samhub_hub, samhub_partner, samhub_samples):
    """As NAV sends it: Service and Action of the process, an enterprise that nobody addressed as sender (ebxml.md 1.8, 10.51)."""
    nav = samhub_partner("79768", "never-apprec")
    hub = samhub_hub([nav])
    message_id, received = sent_to(hub, nav, samhub_samples(receiver=nav))
    apprec = re.sub(rb"<Sender>.*?</Sender>", NAV_SENDER, nav.apprec_about(received), flags=re.S)

    answer = nav.send(apprec, DOCTOR.her_id, service="ForesporselFraSaksbehandler", action="Svar")

    assert answer.kind == "acknowledgment"
    assert hub.until(message_id, "done").apprec_status == "1"


NAV_SENDER = (
    b'<Sender><HCP><Inst><Name>NAV</Name><Id>889640782</Id><TypeId V="ENH" DN="Organisasjonsnummeret"/>'
    b"<Dept><Name>Elektronisk mottak</Name></Dept></Inst></HCP></Sender>"
)


def test_an_apprec_1_0_that_refers_to_the_document_id_finds_its_message(samhub_hub, samhub_partner, samhub_samples):
    """ebxml.md 7.4: of a referral it names ServReq/Id, not MsgId."""
    partner = samhub_partner(behaviour="never-apprec")
    hub = samhub_hub([partner])
    message_id, received = sent_to(hub, partner, samhub_samples("henvisning", receiver=partner))
    document = received.document
    assert document.document_id != document.msg_id
    old = partner.apprec_about(received).replace(b"apprec/2012-02-15", b"apprec/2004-11-21")
    old = old.replace(b"v1.1 2012-02-15", b"1.0 2004-11-21").replace(
        document.msg_id.encode(), document.document_id.encode()
    )

    partner.send(old, DOCTOR.her_id)

    hub.until(message_id, "done")


def test_an_apprec_names_both_sides_also_where_the_document_does_not(samhub_hub, samhub_partner, samhub_samples):
    """HIS 80415 3.5: where the document gives no number, the AppRec has the HER-ids that the envelope was proven with."""
    partner = samhub_partner()
    hub = samhub_hub([partner])
    letter = samhub_samples("epikrise", sender=partner, receiver=DOCTOR)
    anonymous = re.sub(rb"<(Inst|Dept)><Name>[^<]*</Name><Id>\d+</Id><TypeId[^>]*/>", rb"<\1>", letter.document)

    answer = partner.send(anonymous, DOCTOR.her_id)
    hub.epj(DOCTOR.her_id).take_one()

    assert answer.kind == "acknowledgment"
    [apprec] = partner.await_received(1)
    assert (apprec.document.sender.her_id, apprec.document.receiver.her_id) == (DOCTOR.her_id, partner.her_id)


def test_what_answers_by_apprec_1_0_gets_1_0(samhub_hub, samhub_partner, samhub_samples):
    """HITS 1168 8.3: the version follows the standard, 1.0 for a dialogue 1.0, 1.1 for 1.1."""
    partner = samhub_partner()
    hub = samhub_hub([partner])
    epj = hub.epj(DOCTOR.her_id)
    for kind in ("dialog-foresporsel", "dialog-helsefaglig"):
        partner.send(samhub_samples(kind, sender=partner, receiver=DOCTOR))
        epj.take()
        partner.await_received(len(partner.received) or 1)

    eventually(lambda: len(partner.received) == 2)

    versions = [re.search(rb"xmlstds/apprec/(\d{4})", r.raw).group(1) for r in partner.received]
    assert versions == [b"2004", b"2012"]


def test_an_apprec_is_never_answered_by_an_apprec(samhub_hub, samhub_partner, samhub_samples):
    """Neither a good one nor one that breaks its schema: acknowledged, and silence."""
    partner = samhub_partner(behaviour="never-apprec")
    hub = samhub_hub([partner])
    epj = hub.epj(DOCTOR.her_id)
    _, received = sent_to(hub, partner, samhub_samples(receiver=partner))
    broken = partner.apprec_about(received).replace(b"<Status", b"<Statuss").replace(b"</Status>", b"</Statuss>")

    answer = partner.send(broken, DOCTOR.her_id)
    partner.send(partner.apprec_about(received), DOCTOR.her_id)
    epj.take()

    assert answer.kind == "acknowledgment"
    assert "refused" in hub.events(answer.message_id)
    hub.watched()
    assert len(partner.received) == 1


def _uuid():
    from uuid import uuid4

    return str(uuid4()).encode()
