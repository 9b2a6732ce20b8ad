"""Every way in which a partner may send to us: the answer on the wire, the code in the house, and what the doctor gets."""

from __future__ import annotations

import pytest

from hub.ports import ArrivalFilter
from ops.partner.aside import eventually
from ops.partner.behaviours import Sending
from ops.sector import SECTOR

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR

#: Refused by a signed MessageError: (errorCode, our code).
ERRORS = {
    "wrong-signature": ("SecurityFailure", "signature-invalid"),
    "signs-other": ("SecurityFailure", "signature-invalid"),
    "revoked-certificate": ("SecurityFailure", "certificate-revoked"),
    "expired-certificate": ("SecurityFailure", "certificate-expired"),
    "unknown-issuer": ("SecurityFailure", "certificate-unknown-issuer"),
    "wrong-purpose": ("SecurityFailure", "certificate-purpose"),
    "unsigned": ("SecurityFailure", "signature-missing"),
    "wrong-key": ("SecurityFailure", "decryption"),
    "expired": ("TimeToLiveExpired", "time-to-live-expired"),
    "reused-id": ("Inconsistent", "id-reused"),
}
#: Refused by a SOAP Fault: (HTTP status, our code, how it is kept).
FAULTS = {
    "garbage": (500, "xml-encoding", "quarantined"),
    "doctype": (500, "xml-doctype", "quarantined"),
    "huge": (413, "too-large", "quarantined"),
    "wrong-receiver": (500, "receiver-not-ours", "refused"),
}
#: Acknowledged; how often the same document came in.
TAKEN = ("good", "duplicate", "same-document")
CUT = ("half-request",)
WARNED = ("no-ack-request",)


def test_every_behaviour_has_its_row():
    """A new way to send wrongly needs an answer that it must get."""
    assert {*ERRORS, *FAULTS, *TAKEN, *CUT, *WARNED} == {str(b) for b in Sending}


@pytest.fixture
def meeting(samhub_hub, samhub_partner, samhub_samples):
    """A hub, its record system, a partner, and a discharge letter from the one to the other."""
    partner = samhub_partner()
    partner.partner.huge_bytes = 1_000_000
    hub = samhub_hub([partner], settings={"hub": {"max_message_bytes": 500_000}})
    return hub, hub.epj(DOCTOR.her_id), partner, samhub_samples("epikrise", sender=partner, receiver=DOCTOR)


def kept(hub, *states):
    """Arrivals that stand so, newest first."""
    return hub.run(hub.built.store.arrivals(ArrivalFilter(states=states)))


@pytest.mark.parametrize("behaviour", ERRORS)
def test_what_is_wrong_is_refused_by_a_signed_message_error(behaviour, meeting):
    """The right errorCode, about the message sent; kept with the reason; nothing reaches the doctor but what was right."""
    hub, epj, partner, letter = meeting
    error_code, code = ERRORS[behaviour]

    answer = partner.send(letter, how=behaviour)

    assert (answer.status, answer.kind) == (200, "error")
    envelope = answer.answer.envelope
    assert envelope.ref_to_message_id == answer.message_id
    assert [(e.code, e.severity) for e in envelope.errors] == [(error_code, "Error")]
    assert len(answer.answer.references) == 1  # it is signed
    [arrival] = kept(hub, "refused")
    assert (arrival.code, arrival.arrival.body) == (code, answer.sent)
    assert len(epj.take()) == (1 if behaviour == "reused-id" else 0)


@pytest.mark.parametrize("behaviour", FAULTS)
def test_what_cannot_be_read_or_is_for_nobody_gets_a_soap_fault(behaviour, meeting):
    """A Fault that says why; the bytes are kept; no trace of ourselves goes out."""
    hub, epj, partner, letter = meeting
    status, code, state = FAULTS[behaviour]

    answer = partner.send(letter, how=behaviour)

    assert (answer.status, answer.kind) == (status, "fault")
    assert b"Traceback" not in answer.body and b".py" not in answer.body
    [arrival] = kept(hub, state)
    assert arrival.code == code
    assert epj.take() == []


@pytest.mark.parametrize("behaviour", TAKEN)
def test_what_is_right_reaches_the_doctor_once(behaviour, meeting):
    """Acknowledged each time it comes; handed on once, answered by one AppRec."""
    _hub, epj, partner, letter = meeting

    answer = partner.send(letter, how=behaviour)

    assert answer.kind == "acknowledgment"
    assert epj.take_one().document == letter.document
    partner.await_received(1)
    assert epj.take() == []
    assert len(partner.received) == 1


@pytest.mark.parametrize("behaviour", WARNED)
def test_a_message_that_asks_for_no_receipt_is_taken_with_a_warning(behaviour, meeting):
    """HITS 1172 4.2.2.1: no Acknowledgment then, but a MessageError of severity Warning, which means accepted."""
    _, epj, partner, letter = meeting

    answer = partner.send(letter, how=behaviour)

    assert (answer.kind, answer.answer.envelope.highest_severity) == ("error", "Warning")
    assert epj.take_one().document == letter.document


@pytest.mark.parametrize("behaviour", CUT)
def test_half_a_request_lies_in_quarantine_and_stands_in_nobodys_way(behaviour, meeting):
    """The connection was cut: nothing was promised, what came is kept with that reason, and the whole is welcome later."""
    hub, epj, partner, letter = meeting

    assert partner.send(letter, how=behaviour).kind == "none"
    [half] = eventually(lambda: kept(hub, "quarantined"))
    answer = partner.send(letter)

    assert half.code == "mime"
    assert answer.kind == "acknowledgment"
    assert epj.take_one().document == letter.document


def test_a_document_that_breaks_its_schema_is_acknowledged_and_rejected_by_apprec(meeting, samhub_samples):
    """The envelope was sound: Acknowledgment; the document is not: T02, and the doctor never sees it."""
    _hub, epj, partner, _ = meeting
    note = samhub_samples("dialog-helsefaglig", sender=partner, receiver=DOCTOR)
    spoilt = note.document.replace(b"MIGversion>", b"MIGversjon>")

    assert partner.send(spoilt, DOCTOR.her_id).kind == "acknowledgment"

    [apprec] = partner.await_received(1)
    assert b'V="T02"' in apprec.raw and note.msg_id.encode() in apprec.raw
    assert epj.take() == []
