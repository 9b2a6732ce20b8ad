"""What a sender wishes in the envelope stands there, as its receiver reads it (EDI 2.0 A7.1, A7.6, A9.6)."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from lxml import etree

from hub.message import Transport
from hub.record_systems.values import AppRecStatus, Order, Refused
from ops.sector import SECTOR
from tests.support.agreements import Side, agreement

DOCTOR, PHYSIO = SECTOR[1], SECTOR[2]
#: The doctor's organisation, as a party of its own: level 1.
PRACTICE = replace(DOCTOR, her_id=DOCTOR.organisation_her_id)
CONVERSATION = "6A5D5A3E-7B0C-4A38-9D4E-0B5F1F7A2C11"
#: All at once, as NAV asks of those who send to it, and more.
WISHED = Transport(
    cpa_id="nav:qass:35065",
    conversation_id=CONVERSATION,
    service="BehandlerKrav",
    service_type="navtype",
    action="OppgjorsMelding",
    sender_role="Behandler",
    receiver_role="Utbetaler",
    application_name="Min EPJ <&>",
    application_version="7.1",
    middleware_name="Mellomvare",
    middleware_version="2",
    compress=True,
    sender_level_1=True,
)
EB = "{http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd}"


class _Sender:
    """The doctor's record system, without a door."""

    def __init__(self, hub: Any) -> None:
        self.hub, self.facade = hub, hub.built.systems
        directory = hub.built.kit.directory
        self.caller = self.facade.at_its_place(directory.system(directory.party(DOCTOR.her_id).system))

    def submit(self, document: bytes, **order: Any) -> Any:
        return self.hub.run(self.facade.submit(self.caller, Order(document, "rest", **order)))


def _envelope(received: Any) -> bytes:
    """As it came over the wire."""
    start, end = (received.body.index(mark) for mark in (b"<SOAP:Envelope", b"</SOAP:Envelope>"))
    return received.body[start : end + len("</SOAP:Envelope>")]


def _told(received: Any) -> dict[str, Any]:
    """What an envelope says."""
    root = etree.fromstring(_envelope(received))
    found = {etree.QName(e).localname: e for e in root.iter(etree.Element)}
    roles = [e.text for e in root.iter(f"{EB}Role")]
    texts = {name: found[name].text for name in ("CPAId", "ConversationId", "Service", "Action")}
    return {**texts, "type": found["Service"].get(f"{EB}type"), "roles": roles, **json.loads(found["Description"].text)}


def test_everything_that_is_wished_stands_in_the_envelope_and_on_every_try(samhub_hub, samhub_partner, samhub_samples):
    """Also from the sender's organisation; the receipt of it is taken; the bytes are the same each time."""
    hospital = samhub_partner(behaviour="no-acknowledgment")
    hub = samhub_hub([hospital], [DOCTOR, PRACTICE], times="sector")
    sender, sample = _Sender(hub), samhub_samples(receiver=hospital)
    said = sender.submit(sample.document, sender=DOCTOR.her_id, transport=WISHED)
    assert said.decided == "taken", said
    hub.until_tried(said.message_id)
    assert sender.submit(sample.document, transport=replace(WISHED, action="Annen")).message_id == said.message_id

    at = hub.delivery(said.message_id).next_at
    assert hub.delivery(said.message_id).state == "sent", hub.delivery(said.message_id)
    hub.clock.forward(seconds=(at - hub.clock.now()).total_seconds() + 0.1)
    hub.until_tried(said.message_id, 2)
    one, two = hospital.received[:2]
    told = _told(one)
    assert one.body == two.body and one.from_her == DOCTOR.organisation_her_id
    assert {key: told[key] for key in told if not key.startswith("MSH")} == {
        "CPAId": WISHED.cpa_id,
        "ConversationId": CONVERSATION,
        "Service": WISHED.service,
        "Action": WISHED.action,
        "type": "navtype",
        "roles": ["Behandler", "Utbetaler"],
        "fagsystem": "Min EPJ <&>",
        "fagsystem-versjon": "7.1",
        "mellomvare": "Mellomvare",
        "mellomvare-versjon": "2",
    }
    assert one.document.msg_id == sample.msg_id
    hospital.acknowledge(one)
    hub.until(said.message_id, "acknowledged")


def test_an_apprec_travels_as_is_wished(samhub_hub, samhub_partner, samhub_samples):
    hospital = samhub_partner()
    hub = samhub_hub([hospital], [DOCTOR, PRACTICE], apprec="system")
    sender = _Sender(hub)
    hospital.send(samhub_samples(sender=hospital, receiver=DOCTOR).document, DOCTOR.her_id)
    [info] = sender.hub.run(sender.facade.unread(sender.caller, [DOCTOR.her_id], 10)).messages
    work = sender.facade.answer(
        sender.caller, DOCTOR.her_id, info.record.id, AppRecStatus.OK, (), replace(WISHED, action="")
    )
    made = hub.run(work)
    hub.until(made.message_id, "done")
    told = _told(next(one for one in hospital.received if one.document is not None))
    assert (told["CPAId"], told["Service"], told["Action"]) == (WISHED.cpa_id, WISHED.service, "APPREC")
    unfit = sender.facade.answer(
        sender.caller, DOCTOR.her_id, info.record.id, AppRecStatus.OK, (), Transport(sender="999")
    )
    with pytest.raises(Refused) as caught:
        hub.run(unfit)
    assert caught.value.said.code == "not-your-party"


#: What contradicts a CPA, and what it says of it.
CONTRADICTIONS = {
    "another CPA": Transport(cpa_id="en:annen"),
    "no CPA": Transport(cpa_id="{lower}_{higher}"),
    "another service": Transport(service="BehandlerKrav"),
    "another action": Transport(action="OppgjorsMelding"),
    "another role": Transport(sender_role="Behandler"),
    "another receiver's role": Transport(receiver_role="Utbetaler"),
    "another type": Transport(service_type="navtype"),
    "compressed": Transport(compress=True),
}


def test_what_contradicts_a_cpa_is_refused_before_anything_is_promised(
    samhub_hub, samhub_partner, samhub_samples, samhub_pki, tmp_path
):
    """A CPA binds both (CPPA 2.0 8.1); what it says itself may be wished."""
    hospital = samhub_partner()
    ours, theirs = (
        Side(her, samhub_pki.certificate(place, "sign"), samhub_pki.certificate(place, "encrypt"))
        for her, place in ((DOCTOR.her_id, DOCTOR.organisation), (hospital.her_id, "partner"))
    )
    file = tmp_path / "cpa.xml"
    file.write_text(agreement("fast:avtale:1", ours, theirs, code="DIALOG_HELSEFAGLIG"), "utf-8")
    hub = samhub_hub([hospital], agreements=[file])
    sender = _Sender(hub)
    lower, higher = sorted((DOCTOR.her_id, hospital.her_id), key=int)
    for name, wished in CONTRADICTIONS.items():
        wish = replace(wished, cpa_id=wished.cpa_id.format(lower=lower, higher=higher))
        said = sender.submit(samhub_samples("dialog-helsefaglig", receiver=hospital).document, transport=wish)
        assert (said.decided, said.code) == ("refused", "against-agreement"), (name, said)
        assert "fast:avtale:1" in said.because, (name, said)
    wish = Transport(
        cpa_id="fast:avtale:1", sender_role="DIALOG_HELSEFAGLIGsender", application_name="x", compress=False
    )
    assert (
        sender.submit(samhub_samples("dialog-helsefaglig", receiver=hospital).document, transport=wish).decided
        == "taken"
    )


def test_what_cannot_be_followed_is_refused_with_its_name(samhub_hub, samhub_partner, samhub_samples):
    hospital = samhub_partner()
    sender = _Sender(samhub_hub([hospital], [DOCTOR, PRACTICE]))

    def said(**order: Any) -> Any:
        return sender.submit(samhub_samples(receiver=hospital).document, **order)

    unreadable = said(transport=Transport(conversation_id="7", cpa_id="a\nb"))
    assert (unreadable.code, [member for member, _ in unreadable.members]) == ("request", ["cpaId", "conversationId"])
    assert said(transport=Transport(sender=PHYSIO.her_id)).code == "not-your-party"
    assert said(transport=Transport(receiver="99999")).code == "receiver-unknown"
    assert said(message_type="DIALOG_INNBYGGER_KOORDINATOR").code == "message-type"
    assert said(sender=DOCTOR.organisation_her_id).decided == "taken"


def test_in_the_house_nothing_is_lost_by_wishes(samhub_hub, samhub_samples):
    """No envelope is made; the document is there byte for byte, and its message says the conversation."""
    hub = samhub_hub(local=[DOCTOR, PHYSIO])
    sender, sample = _Sender(hub), samhub_samples(receiver=PHYSIO)
    said = sender.submit(sample.document, transport=replace(WISHED, sender_level_1=False))
    directory = hub.built.kit.directory
    physio = sender.facade.at_its_place(directory.system(directory.party(PHYSIO.her_id).system))
    assert hub.run(sender.facade.document(physio, said.message_id)) == sample.document
    kept = hub.run(hub.built.kit.store.message(said.message_id))
    assert kept.conversation_id == CONVERSATION and kept.transport == replace(WISHED, sender_level_1=False)

    def listed(**filters: Any) -> list[str]:
        found = hub.run(sender.facade.unread(physio, [PHYSIO.her_id], 10, **filters))
        return [one.record.id for one in found.messages]

    other = sender.submit(samhub_samples(receiver=PHYSIO).document).message_id
    assert listed() == [said.message_id, other] and listed(descending=True) == [other, said.message_id]
    assert listed(business_document_id=sample.msg_id.upper()) == [said.message_id]
    assert listed(sender=DOCTOR.her_id) == listed() and listed(sender=PHYSIO.her_id) == []
