"""The queue door: a message in one queue is a hand-over, a message in the other a document or what became of one."""

from __future__ import annotations

from ops.partner.aside import eventually
from tests.queue.conftest import DOCTOR, PHYSIO


def test_a_document_goes_out_and_its_whole_way_is_told(office, samhub_samples):
    """Accepted, sent, acknowledged, its AppRec home: as events in this order, and the AppRec itself as a document."""
    referral = samhub_samples(sender=DOCTOR, receiver=office.partner)

    ours = office.accepted(referral.document)

    office.hub.until(ours, "done")
    assert [r.raw for r in office.partner.received] == [referral.document]
    [apprec] = office.documents(1)
    assert apprec.headers["kind"] == "apprec" and apprec.headers["original-msg-id"] == referral.msg_id
    assert referral.msg_id.encode() in apprec.body
    told = eventually(lambda: t if "MessageApprecInfoUpdated" in (t := office.system.told(ours)) else [])
    assert told[0] == "MessageAccepted" and told[-1] == "MessageApprecInfoUpdated"


def test_an_event_says_whose_it_is_and_where_it_stands(office, samhub_samples):
    """A record system without any other door knows by its own MsgId which document an event is about."""
    referral = samhub_samples(sender=DOCTOR, receiver=office.partner)
    ours = office.accepted(referral.document)
    office.hub.until(ours, "done")

    [last] = eventually(lambda: [e for e in office.system.events if e["type"] == "MessageApprecInfoUpdated"])

    assert last["businessDocumentId"] == referral.msg_id and last["relatedMessageId"] == ours
    assert last["notificationReceiverHerId"] == int(DOCTOR.her_id)
    assert last["notificationTriggeredByHerId"] == int(office.partner.her_id)
    assert (last["state"], last["appRecStatus"]) == ("done", "1")
    offsets = [e["offset"] for e in office.system.events if "offset" in e]
    assert offsets == sorted(set(offsets))


def test_an_incoming_document_lies_in_the_queue_and_is_answered(office, samhub_samples):
    """Whole, with what a program needs to know beside it; the hub answers by AppRec."""
    letter = samhub_samples("epikrise", sender=office.partner, receiver=DOCTOR)

    sent = office.partner.send(letter)

    [came] = office.documents(1)
    assert came.body == letter.document and came.content_type == "application/xml" and came.persistent
    assert came.message_id == office.hub.story(sent.message_id).message.id
    assert came.headers["sender"] == office.partner.her_id and came.headers["receiver"] == DOCTOR.her_id
    assert came.headers["msg-id"] == letter.msg_id and came.headers["kind"] == "business"
    office.hub.until(sent.message_id, "done")
    assert letter.msg_id.encode() in office.partner.await_received(1)[0].raw


def test_a_record_system_answers_by_an_apprec_of_its_own(make_office, amqp_url, samhub_samples):
    """Where it answers for itself, the delivery is done when its AppRec has been published, not before."""
    office = make_office(amqp_url, apprec="system")
    letter = samhub_samples("epikrise", sender=office.partner, receiver=DOCTOR)
    sent = office.partner.send(letter)
    [came] = office.documents(1)
    office.hub.until(sent.message_id, "acknowledged")

    from ops.partner.handles import Handover

    handed = Handover(came.message_id, DOCTOR.her_id, {}, came.body)
    office.accepted(office.hub.apprec_about(handed, DOCTOR))

    office.hub.until(sent.message_id, "done")
    assert letter.msg_id.encode() in office.partner.await_received(1)[0].raw


def test_the_same_document_again_goes_out_once(office, samhub_samples):
    """Published anew, as after a crash of the record system: the same answer with the same id."""
    referral = samhub_samples(sender=DOCTOR, receiver=office.partner)
    ours = office.accepted(referral.document)

    again = office.answer(office.publish(referral.document))

    assert (again["type"], again["code"], again["relatedMessageId"]) == ("MessageAccepted", "duplicate", ours)
    office.hub.until(ours, "done")
    assert len(office.partner.received) == 1


def test_a_document_that_is_refused_is_told_why_and_put_aside(office, samhub_samples):
    """Not well-formed: an event with code and hint, without content; the bytes in the dead-letter queue and in the store."""
    half = samhub_samples(sender=DOCTOR, receiver=office.partner).document[:500]

    answer = office.answer(office.publish(half))

    assert (answer["type"], answer["code"]) == ("MessageRefused", "document-malformed")
    assert answer["relatedMessageId"] is None and answer["hint"]
    assert [d.body for d in eventually(office.dead)] == [half]
    assert office.hub.count("arrival:refused") == 1


def test_a_document_of_somebody_else_is_refused(office, samhub_samples):
    """The physiotherapist's referral in the doctor's queue."""
    foreign = samhub_samples(sender=PHYSIO, receiver=office.partner).document

    assert office.answer(office.publish(foreign))["code"] == "not-your-party"
    assert office.partner.received == []


def test_what_is_not_published_as_xml_is_refused(office, samhub_samples):
    """Without a content type, as JSON, or compressed: each is told what to do."""
    document = samhub_samples(sender=DOCTOR, receiver=office.partner).document

    for wrong in ({"content_type": None}, {"content_type": "application/json"}, {"content_encoding": "gzip"}):
        assert office.answer(office.publish(document, **wrong))["code"] == "content-type"

    assert office.accepted(document, content_type="text/xml; charset=utf-8")


def test_one_that_is_too_large_is_refused_and_no_more_of_it_is_kept(make_office, amqp_url, samhub_samples):
    """As at every other door."""
    office = make_office(amqp_url, settings={"hub": {"max_message_bytes": 10_000}})
    large = samhub_samples("dialog-svar", sender=DOCTOR, receiver=office.partner, padding=20_000).document

    assert office.answer(office.publish(large))["code"] == "too-large"
    assert [d.body for d in eventually(office.dead)] == [large]


def test_receivers_may_be_named_in_a_header(office, samhub_samples):
    """Of the two that the document names, only the one asked for; a stranger to the document is refused."""
    document = samhub_samples(sender=DOCTOR, receiver=office.partner, copies=[PHYSIO]).document

    ours = office.accepted(document, headers={"receivers": office.partner.her_id, "sender": int(DOCTOR.her_id)})

    assert [d.receiver for d in office.hub.story(ours).deliveries] == [office.partner.her_id]
    stranger = office.publish(document, headers={"receivers": ["8000102"]})
    assert office.answer(stranger)["code"] == "document-addressing"
    nonsense = office.publish(document, headers={"receivers": {"a": 1}})
    assert office.answer(nonsense)["code"] == "request"


def test_two_parties_of_the_house_by_queue_and_by_rest(office, samhub_samples):
    """From the queue to the physiotherapist's mailbox: local, and the AppRec comes back into the queue."""
    referral = samhub_samples(sender=DOCTOR, receiver=PHYSIO)

    office.accepted(referral.document)

    assert office.hub.epj(PHYSIO.her_id).take_one().document == referral.document
    [apprec] = office.documents(1)
    assert referral.msg_id.encode() in apprec.body


def test_the_events_of_before_are_not_told_again_after_a_restart(office, samhub_samples):
    """How far it was told is kept: the next hub goes on there."""
    ours = office.accepted(samhub_samples(sender=DOCTOR, receiver=office.partner).document)
    office.hub.until(ours, "done")
    eventually(lambda: "MessageApprecInfoUpdated" in office.system.told(ours))
    office.hub.stop()
    before = len(office.system.came)

    office.hub.start()
    second = office.accepted(samhub_samples(sender=DOCTOR, receiver=office.partner).document)
    eventually(lambda: "MessageApprecInfoUpdated" in office.system.told(second))

    assert [c.event["relatedMessageId"] for c in office.system.came[before:] if c.type == "status"].count(ours) == 0
