"""A receipt of ours that the partner does not take: told at the message that it is about, once, and never called delivered."""

from __future__ import annotations

import pytest

from ops.partner import wire
from ops.partner.aside import eventually
from ops.sector import SECTOR
from tests.support.answers import (
    answering,
    error,
    next_try,
    nothing,
    page,
    soap,
    unsigned_error,
    warning,
)

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR
ASYNC = {"reply": "async"}


def received_by(hub):
    """Our id of the one document that came in."""
    [message] = [m for m in hub.run(hub.built.store.messages(_business())) if m.direction == "in"]
    return message.id


def _business():
    from hub.ports import MessageFilter

    return MessageFilter(kind="business")


def told(hub, message_id):
    """What the document's journal says of its receipt."""
    return [e for e in hub.story(message_id).journal if e.event == "receipt_refused"]


def receipt_of(hub):
    """The delivery of the one receipt that went out by itself, or was refused."""
    [one] = [d for d in hub.deliveries() if d.kind == "signal"]
    return one


#: What the partner answers to our receipt → the words that a person reads.
AT_ONCE = {
    "unsigned with 200": (
        answering(200, unsigned_error),
        "SecurityFailure //eb:MessageHeader: Unauthorized Msg (unsigned)",
    ),
    "unsigned with 500, packed": (answering(500, unsigned_error, "gzip"), "Unauthorized Msg (unsigned)"),
    "signed with 200": (answering(200, error), "Unauthorized Msg (signed)"),
    "signed with 400": (answering(400, error), "Unauthorized Msg (signed)"),
    "a Client fault": (answering(500, soap("Client", "No EbMSMessage found")), "Client: No EbMSMessage found"),
}


@pytest.mark.parametrize("how", AT_ONCE)
def test_a_refusal_in_the_answer_to_our_receipt(how, samhub_hub, samhub_partner, samhub_samples, answers, log):
    """It ends: nobody acknowledges a receipt, so the refusal is all that will ever be heard of it."""
    partner = samhub_partner()
    hub = samhub_hub([partner], times="sector", manners={partner.her_id: ASYNC})
    answers.receipt, words = AT_ONCE[how]
    partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR))

    refused = eventually(lambda: next((d for d in hub.deliveries(states=("rejected",))), None))
    assert (refused.kind, refused.code, refused.next_at, refused.attempts) == ("signal", "receipt-refused", None, 1)
    assert words in refused.because and words in refused.said
    [entry] = told(hub, received_by(hub))
    assert words in entry.because and refused.eb_message_id in entry.because
    assert hub.story(refused.message_id).outcome == "rejected"
    (warned,) = [said for said in log if said["event"] == "receipt_refused"]
    assert warned["log_level"] == "warning" and "Unauthorized" not in str(warned)
    assert len(answers.receipts) == 1 and not partner.signals  # nothing answers a signal by a signal


TAKEN = {
    "202": answering(202, nothing),
    "201 and a page": answering(201, page),
    "a warning": answering(200, warning),
}


@pytest.mark.parametrize("how", TAKEN)
def test_what_is_no_refusal_is_none(how, samhub_hub, samhub_partner, samhub_samples, answers):
    partner = samhub_partner()
    hub = samhub_hub([partner], times="sector", manners={partner.her_id: ASYNC})
    answers.receipt = TAKEN[how]
    partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR))
    eventually(lambda: receipt_of(hub).state == "done")
    assert told(hub, received_by(hub)) == []


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
@pytest.mark.parametrize("reply", ["async", "sync"])
def test_a_refusal_that_comes_by_itself(reply, signed, samhub_hub, samhub_partner, samhub_samples, answers):
    """Found by our receipt's own MessageId, whether it went out by itself or in the sender's exchange; told once."""
    partner = samhub_partner()
    hub = samhub_hub([partner], times="sector", manners={partner.her_id: {"reply": reply}})
    sent = partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR))
    if reply == "async":
        eventually(lambda: receipt_of(hub).state == "done")
    receipt = answers.receipts[0] if reply == "async" else sent.answer
    message_id = received_by(hub)

    for _ in range(2):
        answer = partner.refuse(receipt, signed=signed)
        assert (answer.status, answer.body) == (200, b"")

    words = f"SecurityFailure //eb:MessageHeader: simulated refusal ({'signed' if signed else 'unsigned'})"
    [entry] = told(hub, message_id)
    assert words in entry.because
    refused = receipt_of(hub)
    assert (refused.state, refused.code) == ("rejected", "receipt-refused") and words in refused.because
    assert refused.eb_message_id == receipt.envelope.message_id
    assert not [e for e in hub.run(hub.built.store.journal()) if "did not send" in e.because]

    hub.act(refused.id, "resend", "de har rettet det")  # the same receipt, under the same MessageId
    eventually(lambda: receipt_of(hub).state == "done")
    again = (answers.receipts or partner.signals)[-1]
    assert again.envelope.message_id == receipt.envelope.message_id


def test_a_refusal_of_a_refusal_stands_at_its_arrival(samhub_hub, samhub_partner, samhub_samples):
    """What was refused became no message; its MessageError is refused in turn, and somebody can read that."""
    partner = samhub_partner()
    hub = samhub_hub([partner], times="sector")
    sent = partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR), how="wrong-signature")
    assert sent.kind == "error"

    partner.refuse(sent.answer)

    refused = receipt_of(hub)
    assert (refused.state, refused.code) == ("rejected", "receipt-refused")
    [entry] = [e for e in hub.run(hub.built.store.journal()) if e.event == "receipt_refused"]
    assert (entry.message_id, entry.delivery_id) == ("", refused.id)


def test_nobody_else_can_refuse_it(samhub_hub, samhub_partner, samhub_samples):
    """Another partner that names our receipt: nothing of the kind was sent to it."""
    partner, other = samhub_partner(), samhub_partner()
    hub = samhub_hub([partner, other], times="sector")
    sent = partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR))
    strange = wire.message_error(
        sent.answer, other.partner.keys.signing, "x", hub.clock.now(), severity="Error", code="Unknown", text="x"
    )
    spoofed = wire.Wire(strange.headers, strange.body.replace(partner.her_id.encode(), other.her_id.encode()))

    assert other.post(spoofed).status == 200

    assert told(hub, received_by(hub)) == [] and not [d for d in hub.deliveries() if d.kind == "signal"]


def test_an_acknowledgment_or_a_warning_about_our_receipt_changes_nothing(
    samhub_hub,
    samhub_partner,
    samhub_samples,
    answers,
):
    partner = samhub_partner()
    hub = samhub_hub([partner], times="sector", manners={partner.her_id: ASYNC})
    partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR))
    eventually(lambda: receipt_of(hub).state == "done")

    partner.acknowledge(answers.receipts[0])
    partner.post(partner.partner.error(answers.receipts[0], "Warning", "OtherXml", "not nice"))

    assert receipt_of(hub).state == "done" and told(hub, received_by(hub)) == []


def test_the_same_receipt_refused_for_each_copy_is_told_once(samhub_hub, samhub_partner, samhub_samples, answers):
    """The message comes again, its receipt goes out again, and is refused again."""
    partner = samhub_partner()
    hub = samhub_hub([partner], times="sector", manners={partner.her_id: ASYNC})
    answers.receipt = answering(200, unsigned_error)
    _, written = partner.sealed(samhub_samples("epikrise", sender=partner, receiver=DOCTOR))

    def refused() -> int:
        return sum(d.state == "rejected" for d in hub.deliveries() if d.kind == "signal")

    partner.post(written)
    eventually(lambda: refused() == 1)
    partner.post(written)
    eventually(lambda: refused() == 2)

    assert len(told(hub, received_by(hub))) == 1
    assert len({r.envelope.message_id for r in answers.receipts}) == 1


# --- failures, again and again


@pytest.mark.parametrize("what", [page, soap("Server", "No EbMSMessage found")], ids=["a page", "a Server fault"])
def test_a_receipt_that_is_answered_by_500_again_and_again_ends(
    what,
    samhub_hub,
    samhub_partner,
    samhub_samples,
    answers,
):
    """Growing waits, a number that is set, and then a person: on the dead letter list, and at the message."""
    partner = samhub_partner()
    settings = {"hub": {"receipt_tries": 3}}
    hub = samhub_hub([partner], times="sector", manners={partner.her_id: ASYNC}, settings=settings)
    answers.receipt = answering(500, what)
    partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR))
    eventually(lambda: [d.failures for d in hub.deliveries() if d.kind == "signal"] == [1])
    own = receipt_of(hub)
    waits = [(own.next_at - hub.clock.now()).total_seconds()]
    next_try(hub, own.message_id, 2)
    waits.append((receipt_of(hub).next_at - hub.clock.now()).total_seconds())
    next_try(hub, own.message_id, 3)

    dead = hub.until(own.message_id, "dead")

    assert 15 < waits[0] <= 24 < 35 < waits[1] <= 48
    assert (dead.code, dead.attempts) == ("receipt-not-taken", 3)
    assert dead.because.startswith("answered 3 times in a row by a failure; last: HTTP 500")
    [entry] = told(hub, received_by(hub))
    assert ("No EbMSMessage found" in entry.because) is (what is not page)
    assert ("No EbMSMessage found" in dead.said) is (what is not page)


@pytest.mark.parametrize("trouble", ["http 500", "refused connections"])
def test_two_receipts_that_are_never_taken_hold_up_no_document(
    trouble,
    samhub_hub,
    samhub_partner,
    samhub_samples,
    answers,
):
    """Four documents behind them: all four are tried, and delivered as soon as that is possible."""
    partner = samhub_partner()
    own = {"hub": {"receipt_tries": 10_000, "circuit_failures": 2}}
    hub = samhub_hub([partner], manners={partner.her_id: ASYNC}, settings=own)
    epj = hub.epj(DOCTOR.her_id)
    answers.receipt = answering(500, page)
    for _ in range(2):
        partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR))
    eventually(lambda: [d.failures > 2 for d in hub.deliveries() if d.kind == "signal"] == [True] * 2)
    if trouble != "http 500":
        partner.behave("down")
        eventually(lambda: {d.code for d in hub.deliveries() if d.kind == "signal"} == {"connect-failed"})

    ids = [epj.send(samhub_samples(receiver=partner)) for _ in range(4)]

    if trouble != "http 500":  # each probe goes to another one, document as well as receipt
        eventually(lambda: all(hub.delivery(i).attempts for i in ids))
        partner.behave("good")
    for message_id in ids:
        hub.until(message_id, "done")
    assert {d.state for d in hub.deliveries() if d.kind == "signal"} == {"waiting"}
