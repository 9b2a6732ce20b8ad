"""What a mail about a mail of ours does: bounces, Faults, repetitions, and that two machines come to an end."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from adapters.ebxml_smtp.receive import arrival_of
from hub import mailings
from hub.formats import fault, mail
from hub.ports import ArrivalFilter, DeliveryFilter, MessageFilter
from ops.partner import wire
from ops.sector import SECTOR
from tests.mail import shapes
from tests.mail.conftest import SURGERY, MailHub
from tests.mail.shapes import WORDS, headers, report, said, status, whole, wrapped
from tests.mail.test_real_shapes import arrivals, quiet, taken

DOCTOR = SECTOR[1]
OTHER = "305d481b-0eb9-430f-a8a6-f5f87abe4ebb"


@dataclass(frozen=True)
class Waiting:
    """A message of ours that a partner's mail server took, and of which nothing has been heard."""

    id: str
    delivery: str
    message_id: str  #: of the mail
    mail: bytes


@pytest.fixture
def lost(samhub_partner):
    """A partner that takes and is silent."""
    return samhub_partner(behaviour="accept-and-lose", by="mail")


@pytest.fixture
def hub(samhub_hub, lost):
    """A hub that has all the time in the world for a resend."""
    return samhub_hub([lost], settings={"hub": {"retry_interval_seconds": 50}})


@pytest.fixture
def waiting(hub, lost, samhub_samples):
    """One message, handed over."""
    sent = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=lost))
    delivery = hub.until(sent, "sent")
    content = lost.partner.mails[0]
    return Waiting(sent, delivery.id, mail.read(content).message_id, content)


FAILED = "failed", "5.1.1"
#: A report about the message: how it is made, the state and code that follow, and what people read.
REPORTS = {
    "by our envelope id": (lambda w: report(WORDS, status(*FAILED, w.delivery)), "dead", "mail-bounced", "5.1.1"),
    "by our Message-ID in returned headers": (
        lambda w: report(WORDS, status(*FAILED), headers(w.message_id)), "dead", "mail-bounced", "5.1.1"),
    "by the returned mail": (lambda w: report(WORDS, status(*FAILED), whole(w.mail)), "dead", "mail-bounced", "5.1.1"),
    "with an envelope id of somebody else's server": (
        lambda w: report(WORDS, status(*FAILED, "QQ314159"), headers(w.message_id)), "dead", "mail-bounced", "5.1.1"),
    "with LF": (
        lambda w: report(WORDS, status(*FAILED), headers(w.message_id)).replace(b"\r\n", b"\n"), "dead", "mail-bounced", "5.1.1"),
    "its status in base64": (
        lambda w: report(WORDS, status(*FAILED, w.delivery, "base64")), "dead", "mail-bounced", "5.1.1"),
    "wrapped by a list": (
        lambda w: wrapped()(report(WORDS, status(*FAILED, w.delivery))), "dead", "mail-bounced", "5.1.1"),
    "without a status": (
        lambda w: report(WORDS, status("failed", "", w.delivery)), "dead", "mail-bounced", "without a status"),
    "delayed": (lambda w: report(WORDS, status("delayed", "4.4.1", w.delivery)), "sent", "mail-delayed", "delayed: 4.4.1"),
    "given up after days": (
        lambda w: report(WORDS, status("failed", "4.4.7", w.delivery)), "sent", "mail-delayed", "failed: 4.4.7"),
    "delivered": (
        lambda w: report(WORDS, status("delivered", "2.0.0", w.delivery)), "sent", "mail-on-its-way", "delivered: 2.0.0"),
    "relayed": (
        lambda w: report(WORDS, status("relayed", "2.0.0", w.delivery)), "sent", "mail-on-its-way", "relayed: 2.0.0"),
}  # fmt: skip
#: What says nothing of ours, or nothing for certain.
NOTHING = {
    "neither id": lambda w: report(WORDS, status(*FAILED)),
    "an id that is not ours": lambda w: report(WORDS, status(*FAILED, OTHER), headers(f"{OTHER}.1@hub.example")),
    "the id of the message": lambda w: report(WORDS, status(*FAILED, w.id)),
    "a report that was cut": lambda w: report(WORDS)[:-20],
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_settles_the_delivery_that_it_speaks_of(name, hub, waiting):
    """5.x.x ends it, all else leaves the schedule as it is; either way it stands in the message's journal."""
    build, state, code, words = REPORTS[name]
    before = hub.delivery(waiting.id)

    answer = taken(hub, build(waiting))

    assert answer.code == code
    now = hub.delivery(waiting.id)
    assert now.state == state
    assert now.next_at == (None if state == "dead" else before.next_at)
    entry = next(e for e in hub.story(waiting.id).journal if e.code == code)
    assert words in entry.because
    assert entry.event == ("dead" if state == "dead" else "signal")


@pytest.mark.parametrize("name", NOTHING)
def test_a_report_about_nothing_of_ours_moves_nothing(name, hub, lost, waiting):
    """Forged, or of another mail: kept for a person, answered by nobody."""
    answer = taken(hub, NOTHING[name](waiting))

    assert answer.code == "receipt-unknown"
    assert hub.delivery(waiting.id).state == "sent"
    assert [a.state for a in arrivals(hub) if a.code == "receipt-unknown"] == ["quarantined"]
    assert len(lost.partner.mails) == 1


def test_a_report_about_a_message_that_went_by_http_moves_nothing(samhub_hub, samhub_partner, samhub_samples):
    """No mail server can know anything of it."""
    mailed, posted = samhub_partner(by="mail"), samhub_partner(behaviour="no-acknowledgment")
    hub = samhub_hub([mailed, posted], settings={"hub": {"retry_interval_seconds": 50}})
    delivery = hub.until(hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=posted)), "sent")

    answer = taken(hub, report(WORDS, status(*FAILED, delivery.id)))

    assert answer.code == "receipt-unknown"
    assert hub.delivery(delivery.message_id).state == "sent"


def test_a_bounce_after_the_apprec_is_noted_and_moves_nothing(hub, lost, waiting):
    """What is done stays done; a person can read that a server says otherwise."""
    lost.behave("good")
    received = _read(lost, waiting.mail)
    lost.send(lost.apprec_about(received), DOCTOR.her_id)
    hub.until(waiting.id, "done")

    taken(hub, report(WORDS, status(*FAILED, waiting.delivery)))

    assert hub.delivery(waiting.id).state == "done"
    assert [e.event for e in hub.story(waiting.id).journal if e.code == "mail-bounced"] == ["signal"]


def _read(partner, content):
    found = mail.read(content)
    received = wire.read(found.headers, found.body, partner.partner.keys.decryption)
    assert received is not None
    return received


def _fault(waiting, code, **fields):
    body = fault.write(code, "cannot read it").decode()
    return said("8009000@edi.example", "text/xml", body, **fields)


@pytest.mark.parametrize(("code", "state", "event"), [("Client", "dead", "dead"), ("Server", "sent", "signal")])
@pytest.mark.parametrize("field", ["In_Reply_To", "References"])
def test_a_soap_fault_settles_the_delivery_that_it_answers(code, state, event, field, hub, lost, waiting):
    """Client is for good, Server may pass; it is never answered."""
    answer = taken(hub, _fault(waiting, code, **{field: f"<x@y.example> <{waiting.message_id}>"}))

    assert answer.code == "soap-fault"
    assert hub.delivery(waiting.id).state == state
    assert [e.event for e in hub.story(waiting.id).journal if e.code == "soap-fault"] == [event]
    assert len(lost.partner.mails) == 1


def test_a_soap_fault_about_nothing_of_ours_is_kept_and_not_answered(hub, lost, waiting):
    """Neither by a Fault nor by anything else, though a known partner sent it."""
    answer = taken(hub, _fault(waiting, "Client", In_Reply_To=f"<{OTHER}.1@hub.example>"))

    assert answer.code == "receipt-unknown"
    assert hub.delivery(waiting.id).state == "sent"
    assert quiet_but(hub, waiting)


def quiet_but(hub, waiting):
    """Whether nothing is on its way out but the message itself."""
    return [d.message_id for d in hub.deliveries()] == [waiting.id]


def test_an_automatic_reply_to_ours_stands_in_its_journal(hub, waiting):
    """A vacation text: put aside, moving nothing; who looks at the message reads that nobody may be there."""
    taken(
        hub,
        said("8009000@edi.example", "text/plain", "Ute", Auto_Submitted="auto-replied", In_Reply_To=waiting.message_id),
    )

    assert hub.delivery(waiting.id).state == "sent"
    entry = next(e for e in hub.story(waiting.id).journal if e.code == "mail-aside")
    assert "automatic reply" in entry.because


def test_a_vacation_text_that_does_not_say_what_it_is_gets_no_answer(hub, waiting):
    """It answers ours, so answering it could go on for ever."""
    taken(hub, said("8009000@edi.example", "text/plain", "Ute", In_Reply_To=f"<{waiting.message_id}>"))

    assert arrivals(hub)[0].code == "mime"
    assert quiet_but(hub, waiting)


def test_the_same_text_again_and_again_is_answered_once(samhub_hub, samhub_partner, samhub_eventually):
    """A machine that answers our Fault with the same words, under new Message-IDs, comes to an end."""
    partner = samhub_partner(by="mail")
    hub = samhub_hub([partner])
    for n in range(4):
        content = said(partner.partner.address, "text/plain", "Jeg er ute.")
        taken(hub, content.replace(b"c41c.2@", f"c41c.{n}@".encode()))

    samhub_eventually(lambda: quiet(hub))
    assert len(arrivals(hub)) == 4
    assert len(partner.partner.mails) == 1


# --- receipts of ours


def test_a_bounce_of_a_receipt_of_ours_is_for_a_person_and_moves_nothing(
    samhub_hub, samhub_partner, samhub_samples, samhub_eventually
):
    """The message stays accepted, its document handed on; that its sender may send again can be read."""
    partner = samhub_partner(behaviour="accept-and-lose", by="mail")
    hub = samhub_hub([partner])
    partner.send(samhub_samples("epikrise", sender=partner))
    receipt = samhub_eventually(lambda: partner.partner.mails)[0]
    delivery = mail.delivery_of(mail.read(receipt).message_id)
    samhub_eventually(lambda: hub.deliveries(ids=(delivery,))[0].state == "done")

    answer = taken(hub, report(WORDS, status(*FAILED), headers(mail.read(receipt).message_id)))

    assert (answer.code, "our receipt to HER-id 8009000" in answer.because) == ("mail-bounced", True)
    assert hub.deliveries(ids=(delivery,))[0].state == "done"
    assert [a.state for a in arrivals(hub) if a.code == "mail-bounced"] == ["quarantined"]
    assert len(hub.epj(DOCTOR.her_id).take()) == 1


@pytest.mark.parametrize("code", ["Client", "Server"])
def test_a_soap_fault_about_a_receipt_of_ours_is_its_refusal(
    code, samhub_hub, samhub_partner, samhub_samples, samhub_eventually
):
    """Finished long ago, and taken back; it stands at the message that the receipt is about, once."""
    partner = samhub_partner(by="mail")
    hub = samhub_hub([partner])
    partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR))
    receipt = samhub_eventually(lambda: partner.partner.mails)[0]
    [own] = samhub_eventually(lambda: [d for d in hub.deliveries(states=("done",)) if d.kind == "signal"])
    answers = f"<{mail.read(receipt).message_id}>"

    for text in ("cannot read it", "nor now"):
        body = fault.write(code, text).decode()
        answer = taken(hub, said("8009000@edi.example", "text/xml", body, In_Reply_To=answers))
        assert answer.code == "receipt-refused"

    [refused] = hub.deliveries(ids=(own.id,))
    assert (refused.state, refused.code, refused.said) == (
        "rejected", "receipt-refused", f"SOAP Fault, {code}: cannot read it")  # fmt: skip
    told = [e for e in hub.run(hub.built.store.journal()) if e.event == "receipt_refused"]
    [about] = hub.run(hub.built.store.messages(MessageFilter(kind="business")))
    assert [e.message_id for e in told] == [about.id]
    assert len(partner.partner.mails) == 1


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
def test_a_message_error_about_a_receipt_of_ours_is_its_refusal(
    signed, samhub_hub, samhub_partner, samhub_samples, samhub_eventually
):
    """As over HTTP: found by the MessageId of the receipt, which went out as a mail of its own."""
    partner = samhub_partner(by="mail")
    hub = samhub_hub([partner])
    partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR))
    samhub_eventually(lambda: partner.signals)
    samhub_eventually(lambda: [d for d in hub.deliveries(states=("done",)) if d.kind == "signal"])

    partner.refuse(partner.signals[0], signed=signed)

    [refused] = samhub_eventually(lambda: hub.deliveries(states=("rejected",)))
    assert refused.code == "receipt-refused" and refused.because.endswith("(signed)" if signed else "(unsigned)")


def test_what_a_fault_by_mail_says_stands_with_the_delivery(hub, waiting):
    """Server: nothing moves, and the words are there; Client: they are the last cause."""
    answers = f"<{waiting.message_id}>"
    for code, state in (("Server", "sent"), ("Client", "dead")):
        taken(hub, _fault(waiting, code, In_Reply_To=answers))
        found = hub.delivery(waiting.id)
        assert (found.state, found.said) == (state, f"{code}: cannot read it")
    assert found.because == "answered by a SOAP Fault (Client); the partner said: Client: cannot read it"


def test_an_unsigned_message_error_by_mail_is_heard(hub, lost, waiting, samhub_eventually):
    """It moves nothing, and stands with the delivery."""
    lost.refuse(_read(lost, waiting.mail), signed=False)
    samhub_eventually(lambda: hub.delivery(waiting.id).said.endswith("simulated refusal (unsigned)"))
    assert hub.delivery(waiting.id).state == "sent"


def test_the_same_message_in_another_mail_gets_the_same_receipt_again(
    samhub_hub, samhub_partner, samhub_samples, samhub_eventually
):
    """A resend has a new Message-ID and the same eb:MessageId (HIS 1037 H-67): the same receipt, one document."""
    partner = samhub_partner(by="mail")
    hub = samhub_hub([partner])
    message_id, written = partner.sealed(samhub_samples("epikrise", sender=partner))

    partner.post(written)
    partner.post(written)

    signals = samhub_eventually(lambda: partner.signals if len(partner.signals) == 2 else [])
    assert len({s.body for s in signals}) == 1
    assert {s.envelope.acknowledgment.ref_to_message_id for s in signals} == {message_id}
    assert len(hub.epj(DOCTOR.her_id).take()) == 1


def test_the_same_mail_by_another_way_counts_once(samhub_hub, samhub_partner, samhub_samples, samhub_eventually):
    """Servers write their fields above it; it is the same mail all the same, and is not acknowledged again."""
    partner = samhub_partner(by="mail")
    hub = samhub_hub([partner])
    _, written = partner.sealed(samhub_samples("epikrise", sender=partner))
    content = shapes.mail(written, partner.partner.address)

    answers = [taken(hub, content), taken(hub, shapes.added("Received: from elsewhere")(content))]

    assert [a.code for a in answers] == ["acknowledged", "duplicate"]
    samhub_eventually(lambda: partner.signals and quiet(hub))
    assert len(partner.signals) == 1


def test_another_message_under_a_message_id_that_was_used_is_judged(samhub_hub, samhub_partner, samhub_samples):
    """A mail program that gives the same Message-ID twice must not lose us a message."""
    partner = samhub_partner(by="mail")
    hub = samhub_hub([partner])
    for number in (1, 2):
        _, written = partner.sealed(samhub_samples("epikrise", sender=partner, number=number))
        assert taken(hub, shapes.mail(written, partner.partner.address)).code == "acknowledged"

    assert len(hub.epj(DOCTOR.her_id).take()) == 2


# --- what cannot be judged now


@pytest.fixture
def lists(samhub_pki, tmp_path):
    """A folder for revocation lists, empty; call it and they are there."""
    folder = tmp_path / "crl"
    folder.mkdir()
    there = samhub_pki.folder / "crl"
    return folder, lambda: shutil.copytree(there, folder, dirs_exist_ok=True)


def test_what_cannot_be_judged_now_is_kept_and_acknowledged_by_itself(
    lists, samhub_hub, samhub_partner, samhub_samples, samhub_eventually
):
    """The sender's server is told 250 once: it will not come again, and need not."""
    folder, published = lists
    partner = samhub_partner(by="mail")
    hub = samhub_hub([partner], settings={"revocation": {"folder": str(folder)}})
    assert partner.send(samhub_samples("epikrise", sender=partner)).status == 250
    assert [a.state for a in arrivals(hub)] == ["undecided"]

    published()
    hub.clock.forward(hours=1)

    samhub_eventually(lambda: partner.signals)
    assert [s.envelope.kind for s in partner.signals] == ["acknowledgment"]
    assert len(hub.epj(DOCTOR.her_id).take()) == 1


def test_a_ping_that_cannot_be_answered_now_holds_up_no_mailbox(lists, samhub_hub, samhub_partner):
    """It is kept and refused: as 503 it would lie in the way of all mail behind it, for as long as that lasts."""
    partner = samhub_partner(by="mail")
    hub = samhub_hub([partner], settings={"revocation": {"folder": str(lists[0])}})

    assert partner.ping(DOCTOR.her_id).status == 250
    assert [(a.state, a.code) for a in arrivals(hub)] == [("refused", "revocation-unknown")]


# --- two machines


@pytest.mark.parametrize("first", ["said", "fault", "error", "acknowledgment", "report"])
async def test_two_hubs_that_cannot_read_each_other_come_to_an_end(
    first, town_and_hospital: tuple[MailHub, MailHub]
) -> None:
    """Whatever one gets that seems to come from the other: at most one answer, and none to that."""
    town, hospital = town_and_hospital
    theirs = f"{SURGERY.system}@edi.example"
    content = {
        "said": said(theirs, "text/plain", "Hei"),
        "fault": said(theirs, "text/xml", fault.write("Client", "no").decode()),
        "error": said(theirs, "text/xml", ERROR, SOAPAction='"ebXML"'),
        "acknowledgment": said(theirs, "text/xml", ACKNOWLEDGMENT, SOAPAction='"ebXML"'),
        "report": report(WORDS, status(*FAILED, OTHER), headers(f"{OTHER}.1@kommune.example")),
    }[first]

    await mailings.receive(arrival_of(content, str(uuid4()), datetime.now(UTC)), town.hub.kit)
    town.hub.worker.wake()
    for _ in range(100):
        counts = [await side.hub.store.counts() for side in (town, hospital)]
        if not any(c["waiting"] or c["sent"] for c in counts):
            break
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)  # for an answer to the answer, which must not come

    answers = [await side.hub.store.deliveries(DeliveryFilter()) for side in (town, hospital)]
    came = await hospital.hub.store.arrivals(ArrivalFilter(limit=10))
    assert [len(found) for found in answers] == [1 if first == "said" else 0, 0]
    assert [(a.state, a.code) for a in came] == ([("quarantined", "receipt-unknown")] if first == "said" else [])


HEADER = (
    '<SOAP:Envelope xmlns:SOAP="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:eb="http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd"><SOAP:Header>'
    '<eb:MessageHeader eb:version="2.0" SOAP:mustUnderstand="1">'
    '<eb:From><eb:PartyId eb:type="HER">8000402</eb:PartyId></eb:From>'
    '<eb:To><eb:PartyId eb:type="HER">8000202</eb:PartyId></eb:To><eb:CPAId>8000202_8000402</eb:CPAId>'
    "<eb:ConversationId>1</eb:ConversationId><eb:Service>urn:oasis:names:tc:ebxml-msg:service</eb:Service>"
    "<eb:Action>{action}</eb:Action></eb:MessageHeader>{signal}</SOAP:Header><SOAP:Body/></SOAP:Envelope>"
)
#: Receipts that break half of the rules there are.
ERROR = HEADER.format(
    action="MessageError",
    signal='<eb:ErrorList SOAP:mustUnderstand="1" eb:version="2.0" eb:highestSeverity="Error">'
    '<eb:Error eb:errorCode="Unknown" eb:severity="Error"/></eb:ErrorList>',
)
ACKNOWLEDGMENT = HEADER.format(
    action="Acknowledgment",
    signal='<eb:Acknowledgment SOAP:mustUnderstand="1" eb:version="2.0"><eb:Timestamp>now</eb:Timestamp>'
    f"<eb:RefToMessageId>{OTHER}</eb:RefToMessageId></eb:Acknowledgment>",
)
