"""What comes twice: the same answer again, delivered once; and what only looks like the same (ebxml.md 6.1, 6.4)."""

from __future__ import annotations

import dataclasses
import re

from ops.sector import SECTOR

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR


def test_the_same_message_gets_the_same_acknowledgment_byte_for_byte(samhub_hub, samhub_partner, samhub_samples):
    """Also after a restart: the answer was kept, not made anew."""
    partner = samhub_partner()
    hub = samhub_hub([partner])
    message_id, written = partner.sealed(samhub_samples("epikrise", sender=partner, receiver=DOCTOR))
    first = partner.post(written)

    second = partner.post(written)
    hub.restart()
    third = partner.post(written)

    assert first.kind == "acknowledgment"
    assert first.body == second.body == third.body
    assert len(hub.epj(DOCTOR.her_id).take()) == 1
    assert hub.events(message_id).count("duplicate") == 2


def test_a_refused_message_gets_the_same_error_again(samhub_hub, samhub_partner, samhub_samples):
    """A proven message that was refused: the same MessageError, byte for byte."""
    partner = samhub_partner()
    samhub_hub([partner])
    _, written = partner.sealed(samhub_samples("epikrise", sender=partner, receiver=DOCTOR), how="wrong-key")

    first, second = partner.post(written), partner.post(written)

    assert first.kind == second.kind == "error"
    assert first.body == second.body


def test_an_unproven_message_takes_no_id_from_the_honest_one(samhub_hub, samhub_partner, samhub_samples):
    """Whoever forges a MessageId cannot keep the genuine message out."""
    partner = samhub_partner()
    hub = samhub_hub([partner])
    letter = samhub_samples("epikrise", sender=partner, receiver=DOCTOR)
    forged = partner.send(letter, how="wrong-signature")

    honest = partner.send(letter, message_id=forged.message_id)

    assert (forged.kind, honest.kind) == ("error", "acknowledgment")
    hub.epj(DOCTOR.her_id).take_one()


def test_one_document_for_two_receivers_of_one_system_is_imported_once_and_answered_twice(
    samhub_hub, samhub_partner, samhub_samples
):
    """HITS 1168 5.4: two envelopes, one MsgId, one record system: one import, one AppRec for each receiver."""
    partner = samhub_partner()
    nurse = dataclasses.replace(PHYSIO, system=DOCTOR.system)
    hub = samhub_hub([partner], local=[DOCTOR, nurse])
    letter = samhub_samples("epikrise", sender=partner, receiver=DOCTOR, copies=[nurse])

    answers = [partner.send(letter.document, her) for her in (DOCTOR.her_id, nurse.her_id)]

    assert [a.kind for a in answers] == ["acknowledgment"] * 2
    assert hub.epj(DOCTOR.her_id).take_one().document == letter.document
    apprecs = partner.await_received(2)
    assert {a.from_her for a in apprecs} == {DOCTOR.her_id, nurse.her_id}
    assert all(letter.msg_id.encode() in a.raw for a in apprecs)


def test_one_document_for_two_receivers_of_one_system_is_refused_for_both(samhub_hub, samhub_partner, samhub_samples):
    """What comes once is answered for everybody there, also when it is refused: nobody waits 96 hours for the copy's no."""
    partner = samhub_partner()
    nurse = dataclasses.replace(PHYSIO, system=DOCTOR.system)
    hub = samhub_hub([partner], local=[DOCTOR, nurse])
    letter = samhub_samples("epikrise", sender=partner, receiver=DOCTOR, copies=[nurse])
    nameless = re.sub(rb"(<Patient>.*?)<Name>[^<]*</Name>", rb"\1", letter.document, flags=re.S)

    answers = [partner.send(nameless, her) for her in (DOCTOR.her_id, nurse.her_id)]

    assert [a.kind for a in answers] == ["acknowledgment"] * 2
    apprecs = partner.await_received(2)
    assert sorted(a.from_her for a in apprecs) == sorted([DOCTOR.her_id, nurse.her_id])
    assert all(b"E36" in a.raw for a in apprecs)
    assert hub.epj(DOCTOR.her_id).take() == []


def test_one_document_for_receivers_of_two_systems_is_imported_by_both(samhub_hub, samhub_partner, samhub_samples):
    """Different systems inside one hub: not duplicates; each imports and answers."""
    partner = samhub_partner()
    hub = samhub_hub([partner], local=[DOCTOR, PHYSIO])
    letter = samhub_samples("epikrise", sender=partner, receiver=DOCTOR, copies=[PHYSIO])

    for her in (DOCTOR.her_id, PHYSIO.her_id):
        partner.send(letter.document, her)

    for her in (DOCTOR.her_id, PHYSIO.her_id):
        assert hub.epj(her).take_one().document == letter.document
    assert {a.from_her for a in partner.await_received(2)} == {DOCTOR.her_id, PHYSIO.her_id}


def test_another_document_under_a_known_msgid_is_refused_aloud(samhub_hub, samhub_partner, samhub_samples):
    """An id used twice: the new content must not vanish as if it were a copy; an alarm stands at the first message."""
    partner = samhub_partner()
    hub = samhub_hub([partner])
    epj = hub.epj(DOCTOR.her_id)
    letter = samhub_samples("epikrise", sender=partner, receiver=DOCTOR, number=1)
    first = partner.send(letter)
    epj.take_one()

    answer = partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR, msg_id=letter.msg_id, number=2))

    assert [e.code for e in answer.answer.envelope.errors] == ["Inconsistent"]
    assert epj.take() == []
    assert "reused" in hub.events(first.message_id)
