"""A referral, from the record system that writes it to the hospital that answers it, and what is told on the way."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest

from hub.formats import apprec as apprecs
from hub.formats import document as documents
from hub.formats import xml
from ops.partner.handles import Refused
from ops.sector import SECTOR

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR


def read_apprec(document):
    """An AppRec's facts."""
    return apprecs.read(xml.parse(document, xml.Bounds.for_document(1_000_000)))


def test_a_referral_is_sealed_acknowledged_and_answered(samhub_hub, samhub_partner, samhub_samples):
    """Handed over by REST, it reaches the hospital whole, signed and encrypted, and its AppRec comes home."""
    hospital = samhub_partner()
    hub = samhub_hub([hospital])
    referral = samhub_samples("henvisning", receiver=hospital)

    message_id = hub.epj(DOCTOR.her_id).send(referral)

    hub.until(message_id, "done")
    [arrived] = hospital.received
    assert arrived.raw == referral.document
    assert (arrived.from_her, arrived.to_her) == (DOCTOR.her_id, hospital.her_id)
    assert (arrived.envelope.service, arrived.envelope.action) == ("S-HENVISNING", "HENVISNING")
    assert (arrived.envelope.from_role, arrived.envelope.to_role) == ("HENVISNINGsender", "HENVISNINGreceiver")
    assert arrived.envelope.cpa_id == f"{DOCTOR.her_id}_{hospital.her_id}"
    parcel = hub.run(hub.built.store.parcel(hub.delivery(message_id).id))
    assert b"Henvises" in referral.document and b"Henvises" not in parcel.body
    assert hub.events(message_id) == ["received", "routed", "acknowledged", "apprec_ok"]


def test_its_apprec_reaches_the_record_system_that_sent_it(samhub_hub, samhub_partner, samhub_samples):
    """The AppRec is fetched like any message, refers to the referral, and is itself answered by nothing."""
    hospital = samhub_partner()
    hub = samhub_hub([hospital])
    epj = hub.epj(DOCTOR.her_id)
    referral = samhub_samples("henvisning", receiver=hospital)
    hub.until(epj.send(referral), "done")

    handed = epj.take_one()

    found = read_apprec(handed.document)
    assert handed.about["isAppRec"] is True
    assert (found.version, found.status, found.original_id) == ("1.1", "1", referral.msg_id)
    assert epj.answer(handed.message_id, DOCTOR.her_id) == 400
    assert hub.until(handed.message_id, "done").apprec_due_at is None
    assert len(hospital.received) == 1  # the referral, and never an AppRec on its AppRec


def test_status_and_notifications_follow_the_message(samhub_hub, samhub_partner, samhub_samples):
    """EDI 2.0 v3: Unconfirmed until the Acknowledgment is here, then Acknowledged, then with its AppRec; each told once."""
    hospital = samhub_partner(behaviour="down")
    hub = samhub_hub([hospital])
    epj = hub.epj(DOCTOR.her_id)

    message_id = epj.send(samhub_samples(receiver=hospital))

    [before] = epj.status(message_id)
    assert before["receiverHerId"] == int(hospital.her_id)
    assert (before["transportDeliveryState"], before["sent"], before["apprecInfo"]) == ("Unconfirmed", False, None)

    hospital.behave("no-acknowledgment")
    hub.until(message_id, "sent")
    [sent] = epj.status(message_id)
    assert (sent["transportDeliveryState"], sent["sent"], sent["apprecInfo"]) == ("Unconfirmed", True, None)

    hospital.behave("never-apprec")
    hub.until(message_id, "acknowledged")
    [acknowledged] = epj.status(message_id)
    assert (acknowledged["transportDeliveryState"], acknowledged["apprecInfo"]) == ("Acknowledged", None)

    hospital.send(hospital.apprec_about(hospital.received[-1]), DOCTOR.her_id)
    hub.until(message_id, "done")
    [answered] = epj.status(message_id)
    own = answered["apprecInfo"].pop("appRecId")
    assert answered["apprecInfo"] == {"appRecStatus": "Ok", "appRecErrorList": []}
    assert epj.call("GET", f"/messages/{own}")[1]["isAppRec"] is True
    assert epj.told(message_id) == [
        "MessageSentStateUpdated",
        "MessageDeliveryStateUpdated",
        "MessageApprecInfoUpdated",
    ]


def test_a_message_acknowledged_at_once_is_told_as_sent_too(samhub_hub, samhub_partner, samhub_samples):
    """Whoever waits for MessageSentStateUpdated does not wait in vain when the Acknowledgment comes in the same exchange."""
    hospital = samhub_partner(behaviour="never-apprec")
    hub = samhub_hub([hospital])
    epj = hub.epj(DOCTOR.her_id)
    message_id = epj.send(samhub_samples(receiver=hospital))

    hub.until(message_id, "acknowledged")

    assert epj.told(message_id) == ["MessageSentStateUpdated", "MessageDeliveryStateUpdated"]


def test_a_negative_apprec_is_told_with_its_code(samhub_hub, samhub_partner, samhub_samples):
    """The sender reads Rejected and the code of list 8221; the transport stays Acknowledged."""
    hospital = samhub_partner(behaviour="negative-apprec")
    hub = samhub_hub([hospital])
    epj = hub.epj(DOCTOR.her_id)

    message_id = epj.send(samhub_samples(receiver=hospital))

    hub.until(message_id, "rejected")
    [status] = epj.status(message_id)
    assert status["transportDeliveryState"] == "Acknowledged"
    assert status["apprecInfo"]["appRecStatus"] == "Rejected"
    assert [e["errorCode"] for e in status["apprecInfo"]["appRecErrorList"]] == ["E21"]


def test_a_message_error_is_told_as_rejected_by_transport(samhub_hub, samhub_partner, samhub_samples):
    """MessageError of severity Error: Rejected, and no AppRec."""
    hospital = samhub_partner(behaviour="message-error")
    hub = samhub_hub([hospital])
    epj = hub.epj(DOCTOR.her_id)

    message_id = epj.send(samhub_samples(receiver=hospital))

    hub.until(message_id, "rejected")
    [status] = epj.status(message_id)
    assert (status["transportDeliveryState"], status["apprecInfo"]) == ("Rejected", None)
    assert "MessageDeliveryStateUpdated" in epj.told(message_id)


def test_a_dead_letter_is_told_as_abandoned(samhub_hub, samhub_partner, samhub_samples):
    """Given up: Abandoned, and the sender is told."""
    hospital = samhub_partner(behaviour="forbidden")
    hub = samhub_hub([hospital])
    epj = hub.epj(DOCTOR.her_id)

    message_id = epj.send(samhub_samples(receiver=hospital))

    hub.until(message_id, "dead")
    assert epj.status(message_id)[0]["transportDeliveryState"] == "Abandoned"
    assert "MessageDeliveryStateUpdated" in epj.told(message_id)


def test_a_message_between_two_parties_of_the_house_stays_inside(samhub_hub, samhub_samples):
    """Local to local: ready at once, fetched, answered by the hub; both sides read the same and nothing left the house."""
    hub = samhub_hub(local=[DOCTOR, PHYSIO])
    sender, receiver = hub.epj(DOCTOR.her_id), hub.epj(PHYSIO.her_id)
    referral = samhub_samples(receiver=PHYSIO)

    message_id = sender.send(referral)
    handed = receiver.take_one()

    assert handed.document == referral.document
    assert hub.until(message_id, "done").attempts == 0
    assert read_apprec(sender.take_one().document).original_id == referral.msg_id
    assert hub.story(message_id).message.direction == "local"


def test_a_record_system_of_the_house_may_reject(samhub_hub, samhub_samples):
    """Where record systems answer themselves, a negative AppRec settles the sender's delivery with its code."""
    hub = samhub_hub(local=[DOCTOR, PHYSIO], apprec="system")
    sender, receiver = hub.epj(DOCTOR.her_id), hub.epj(PHYSIO.her_id)
    message_id = sender.send(samhub_samples(receiver=PHYSIO))
    handed = receiver.take_one()
    assert hub.delivery(message_id).state == "acknowledged"

    assert receiver.answer(handed.message_id, PHYSIO.her_id, ("E35", "ingen slik pasient her")) == 202

    delivery = hub.until(message_id, "rejected")
    assert (delivery.apprec_status, delivery.apprec_code) == ("2", "E35")
    assert receiver.answer(handed.message_id, PHYSIO.her_id) == 409  # one AppRec, never changed afterwards
    found = read_apprec(sender.take_one().document)
    assert (found.status, [e.code for e in found.errors]) == ("2", ["E35"])


def test_every_receiver_of_a_copy_gets_it_and_answers_for_itself(samhub_hub, samhub_partner, samhub_samples):
    """Primary and copy, remote and local: one delivery and one AppRec each, as PRIM and as COP."""
    hospital, other = samhub_partner(), samhub_partner(behaviour="negative-apprec")
    hub = samhub_hub([hospital, other], local=[DOCTOR, PHYSIO])
    epj = hub.epj(DOCTOR.her_id)

    message_id = epj.send(samhub_samples(receiver=hospital, copies=[other, PHYSIO]))
    hub.epj(PHYSIO.her_id).take_one()

    hub.until(message_id, "done", to=hospital.her_id)
    hub.until(message_id, "done", to=PHYSIO.her_id)
    hub.until(message_id, "rejected", to=other.her_id)
    assert hub.story(message_id).outcome == "rejected"  # the gravest of the three
    states = {s["receiverHerId"]: s["apprecInfo"]["appRecStatus"] for s in epj.status(message_id)}
    assert states == {int(hospital.her_id): "Ok", int(other.her_id): "Rejected", int(PHYSIO.her_id): "Ok"}
    roles = {_sender_of(h.document): _role_of(h.document) for h in epj.take()}
    assert roles == {hospital.her_id: "PRIM", other.her_id: "COP", PHYSIO.her_id: "COP"}


def _sender_of(document):
    return read_apprec(document).sender.her_id


def _role_of(document):
    root = xml.parse(document, xml.Bounds.for_document(1_000_000))
    return documents.value_of(documents.child(root, "Sender"), "Role")


def test_only_the_receivers_asked_for_get_it(samhub_hub, samhub_partner, samhub_samples):
    """`receiverHerIds` chooses among the document's receivers."""
    hospital, other = samhub_partner(), samhub_partner()
    hub = samhub_hub([hospital, other])

    message_id = hub.epj(DOCTOR.her_id).send(
        samhub_samples(receiver=hospital, copies=[other]), receivers=[other.her_id]
    )

    hub.until(message_id, "done", to=other.her_id)
    assert hospital.received == []


def test_a_receiver_that_the_document_does_not_name_is_refused_to_the_senders_face(
    samhub_hub, samhub_partner, samhub_samples
):
    """What every receiver would reject is not sent: asked-for receivers must stand in the document."""
    hospital, other = samhub_partner(), samhub_partner()
    hub = samhub_hub([hospital, other])

    with pytest.raises(Refused, match="document-addressing"):
        hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=hospital), receivers=[other.her_id])
    assert other.received == []


def test_an_incoming_discharge_letter_reaches_the_doctor_and_is_answered(samhub_hub, samhub_partner, samhub_samples):
    """The mirror image: acknowledged on the wire, fetched by the record system, AppRec to the hospital."""
    hospital = samhub_partner()
    hub = samhub_hub([hospital])
    letter = samhub_samples("epikrise", sender=hospital, receiver=DOCTOR)

    answer = hospital.send(letter)

    assert answer.kind == "acknowledgment"
    assert answer.answer.envelope.acknowledgment.ref_to_message_id == answer.message_id
    assert hub.epj(DOCTOR.her_id).take_one().document == letter.document
    hub.until(answer.message_id, "done")
    [apprec] = hospital.await_received(1)
    found = read_apprec(apprec.raw)
    assert (found.original_id, found.status) == (letter.msg_id, "1")
    assert (apprec.envelope.service, apprec.envelope.action) == ("S-EPIKRISE", "APPREC")
    assert (apprec.envelope.from_role, apprec.envelope.to_role) == ("EPIKRISEreceiver", "EPIKRISEsender")


def test_a_record_system_may_upload_the_apprec_itself(samhub_hub, samhub_partner, samhub_samples):
    """EDI 2.0 A9.4: an AppRec handed over as a document answers the message, once; nothing is overdue afterwards."""
    hospital = samhub_partner()
    hub = samhub_hub([hospital], apprec="system")
    epj = hub.epj(DOCTOR.her_id)
    answer = hospital.send(samhub_samples("epikrise", sender=hospital, receiver=DOCTOR))
    handed = epj.take_one()
    own = hub.apprec_about(handed, DOCTOR)

    epj.send(own, sender=DOCTOR.her_id)

    hub.until(answer.message_id, "done")
    hospital.await_received(1)
    with pytest.raises(Refused, match="apprec-twice"):
        epj.send(hub.apprec_about(handed, DOCTOR, status="2"), sender=DOCTOR.her_id)
    assert epj.answer(handed.message_id, DOCTOR.her_id) == 409
    hub.clock.forward(hours=97)
    hub.restart()
    assert hub.count("overdue") == 0


def test_a_document_without_her_ids_goes_from_and_to_whom_the_record_system_says(
    samhub_hub, samhub_partner, samhub_samples
):
    """Older formats name parties by other numbers: senderHerId and receiverHerIds are what the envelope says."""
    hospital = samhub_partner()
    hub = samhub_hub([hospital])
    epj = hub.epj(DOCTOR.her_id)
    referral = samhub_samples("henvisning", receiver=hospital)
    numbered = re.sub(rb'<Id>(\d+)</Id><TypeId V="HER"', rb'<Id>\1</Id><TypeId V="LIN"', referral.document)

    message_id = epj.send(numbered, sender=DOCTOR.her_id, receivers=[hospital.her_id])

    hub.until(message_id, "done")
    [received] = hospital.received
    assert (received.from_her, received.to_her, received.raw) == (DOCTOR.her_id, hospital.her_id, numbered)
    with pytest.raises(Refused, match="document-unaddressed"):
        epj.send(numbered.replace(referral.msg_id.encode(), str(uuid4()).encode()), sender=DOCTOR.her_id)


def test_the_same_document_handed_over_twice_goes_out_once(samhub_hub, samhub_partner, samhub_samples):
    """A record system that is not sure may hand over again: the same id back, one message at the hospital."""
    hospital = samhub_partner()
    hub = samhub_hub([hospital])
    epj = hub.epj(DOCTOR.her_id)
    referral = samhub_samples(receiver=hospital)

    first, second = epj.send(referral), epj.send(referral)

    assert first == second
    hub.until(first, "done")
    assert len(hospital.received) == 1
    assert "duplicate" in hub.events(first)


def test_another_document_under_a_used_msgid_is_refused(samhub_hub, samhub_partner, samhub_samples):
    """MsgId is unique: the record system is told to its face."""
    hospital = samhub_partner()
    hub = samhub_hub([hospital])
    epj = hub.epj(DOCTOR.her_id)
    referral = samhub_samples(receiver=hospital, number=1)
    epj.send(referral)

    with pytest.raises(Refused, match="id-reused") as refusal:
        epj.send(samhub_samples(receiver=hospital, msg_id=referral.msg_id, number=2))

    assert refusal.value.status == 409
