"""A message of the bus that is right comes in once; one that is wrong is told to its sender, once (nhn-amqp.md §7)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lxml import etree

from hub import bus
from hub.formats import amqp
from hub.trust import cms, signed_data
from ops.look.party import checked
from tests.amqp.conftest import DOCTOR, PARTNER, Desk


def test_a_message_is_handed_to_the_record_system_and_answered_by_an_apprec_on_the_bus(desk: Desk):
    """§4.3: an ordinary message with function APPREC, to the asynchronous queue of the sender."""
    sample = desk.sample()
    assert desk.take(desk.letter(sample.document)).code == "accepted"

    assert desk.hub.epj(DOCTOR.her_id).take_one().document == sample.document
    (apprec,) = desk.promised("apprec")
    message, body = desk.sealed(apprec)
    assert (message.function, message.to, message.reply_to) == ("APPREC", "8009001_async", "8000201_async")
    assert (message.from_her, message.to_her) == (DOCTOR.her_id, PARTNER.her_id)
    assert message.correlation_id == message.message_id != ""
    assert message.content_type == "application/pkcs7-mime; smime-type=signed-and-enveloped-data"
    assert message.properties["X-MessageInfo-OriginalMsgId"] == sample.msg_id
    root = etree.fromstring(desk.open(body))
    assert root.findtext("{*}OriginalMsgId/{*}Id") == sample.msg_id


def test_the_same_message_again_is_noted_and_nothing_more(desk: Desk):
    """§4.5: at least once; known by sender and message-id, by what is inside, for encryption differs each time."""
    sample = desk.sample()
    first = desk.letter(sample.document)
    again = desk.letter(sample.document).but(message_id=first.message.message_id)

    assert [desk.take(one).code for one in (first, first, again)] == ["accepted", "duplicate", "duplicate"]
    assert len(desk.hub.epj(DOCTOR.her_id).take()) == 1


def test_the_same_document_in_another_message_is_kept_and_handed_on_once(desk: Desk):
    """HITS 1168 5.4, as at every other door."""
    sample = desk.sample()

    codes = [desk.take(desk.letter(sample.document)).code for _ in range(2)]

    assert codes == ["accepted", "business-duplicate"]
    assert len(desk.hub.epj(DOCTOR.her_id).take()) == 1
    assert desk.promised("signal") == []


def test_another_document_under_a_message_id_that_was_used_is_refused_aloud(desk: Desk):
    """The new content must not vanish."""
    first = desk.letter()
    desk.take(first)

    assert desk.take(desk.letter().but(message_id=first.message.message_id)).code == "id-reused"
    assert desk.report()[1].condition == "transport:invalid-field-value"


@pytest.mark.parametrize(
    ("field", "named"),
    [
        ("property:toHerId", "toHerId"),
        ("subject", "Label"),
        ("property:applicationTimeStamp", "applicationTimeStamp"),
        ("content-type", "ContentType"),
    ],
)
def test_a_field_that_is_missing_is_named_in_the_report(desk: Desk, field: str, named: str):
    """§7 step 4. Without toHerId nobody can be named as the one who reports."""
    assert desk.take(desk.letter().without(field)).code == "bus-field"

    if field == "property:toHerId":
        assert desk.promised("signal") == []
        return
    _, report = desk.report()
    assert (report.condition, report.data) == ("transport:invalid-field-value", (named,))


def test_all_that_is_missing_is_named_at_once(desk: Desk):
    """§7 step 4."""
    desk.take(desk.letter().without("subject", "content-type", "property:applicationTimeStamp"))

    assert desk.report()[1].data == ("Label", "applicationTimeStamp", "ContentType")


def test_without_a_sender_nobody_is_told_and_the_bytes_are_kept(desk: Desk):
    """§7 step 4: no report, done with."""
    desk.take(desk.letter().without("property:fromHerId"))

    assert desk.promised("signal") == []
    assert [(a.state, a.code) for a in desk.arrivals()] == [("quarantined", "bus-field")]


def test_an_unknown_sender_has_no_queue_where_it_could_be_told(desk: Desk):
    """§4.4, §7 step 5."""
    assert desk.take(desk.letter().but(from_her="8777777")).code == "sender-unknown"
    assert desk.hub.deliveries() == []
    assert any("nobody can be told" in said for said in desk.journal("sender-unknown"))


def test_a_message_for_somebody_else_is_refused(desk: Desk):
    """§1.3: the queue may be shared, toHerId decides."""
    assert desk.take(desk.letter().but(to_her="8777777")).code == "receiver-not-ours"
    message, report = desk.report()
    assert report.condition == "transport:invalid-field-value"
    assert (message.to, message.to_her, message.from_her) == ("8009001_error", PARTNER.her_id, "8777777")


def test_a_report_says_what_its_reader_needs(desk: Desk):
    """§2.3, §4.4: the faulty message, when, what, and everything that a receiver demands of any message."""
    letter = desk.letter().without("subject")
    desk.take(letter)

    message, report = desk.report()
    assert report.about[0] == letter.message.message_id
    assert report.received_at is not None and report.description
    assert amqp.missing(message) == ()


def test_the_same_refusal_is_told_once_however_often_the_broker_brings_it(desk: Desk):
    """A crash between keeping and settling makes the broker bring it again."""
    letter = desk.letter().without("subject")

    assert [desk.take(letter).code for _ in range(2)] == ["bus-field", "duplicate"]
    assert len(desk.promised("signal")) == 1


@pytest.mark.parametrize(
    ("kind", "code", "condition"),
    [
        ("revoked", "certificate-revoked", "transport:revoked-certificate"),
        ("expired", "certificate-expired", "transport:expired-certificate"),
        ("wrong-purpose", "certificate-purpose", "transport:invalid-certificate"),
        ("unknown-issuer", "certificate-unknown-issuer", "transport:invalid-certificate"),
    ],
)
def test_each_way_in_which_a_certificate_is_wrong_has_its_own_word(desk: Desk, wrong, kind, code, condition):
    """§3.5, with subject and thumbprint."""
    assert desk.take(desk.letter(by=wrong(kind))).code == code
    _, report = desk.report()
    assert report.condition == condition
    assert [item.partition(":")[0] for item in report.data] == ["Subject", "Thumbprint"]


def test_a_certificate_that_is_not_the_senders_is_refused(desk: Desk, samhub_pki):
    """§3.3: its own key must have signed, not any that is embedded."""
    stranger = desk.partner.of(PARTNER.her_id, samhub_pki.folder / "sykehus")
    assert desk.take(desk.letter(by=stranger)).code == "certificate-not-embedded"
    assert desk.report()[1].condition == "transport:invalid-certificate"


def test_what_is_encrypted_for_somebody_else_is_told(desk: Desk, samhub_pki):
    """§3.3 step 3."""
    other = samhub_pki.certificate("sykehus")
    letter = desk.partner.write(desk.sample().document, DOCTOR.her_id, other, "DIALOG_HELSEFAGLIG")
    assert desk.take(letter).code == "decryption"
    assert desk.report()[1].condition == "transport:invalid-certificate"


class _Mended:
    """The register, after the certificate that a partner signs with was put into it."""

    def __init__(self, directory, certificate):
        self._directory, self._certificate = directory, certificate

    def __getattr__(self, name):
        return getattr(self._directory, name)

    def bus_profile(self, **asked):
        found = self._directory.bus_profile(**asked)
        return replace(found, signing_certificates=(*found.signing_certificates, self._certificate))


def test_what_was_refused_says_whose_it_is_and_is_judged_again_when_the_register_is_mended(desk: Desk, samhub_pki):
    """Still wrong: refused as before, and its sender is told once; mended: taken, answered by AppRec, the report stays sent."""
    stranger = desk.partner.of(PARTNER.her_id, samhub_pki.folder / "sykehus")
    letter, kit = desk.letter(by=stranger), desk.hub.built.kit
    assert desk.take(letter).code == "certificate-not-embedded"
    [first] = desk.arrivals()
    facts = first.facts
    assert (facts.from_her, facts.to_her, facts.type_code) == (PARTNER.her_id, DOCTOR.her_id, "DIALOG_HELSEFAGLIG")
    assert facts.eb_message_id

    assert desk.hub.run(bus.receive(first.arrival, kit, late=True)).code == "certificate-not-embedded"
    [again] = desk.arrivals()
    assert (again.state, again.code) == ("refused", "certificate-not-embedded")
    assert len(desk.promised("signal")) == 1

    mended = replace(kit, directory=_Mended(kit.directory, stranger.signing.certificate_der))
    assert desk.hub.run(bus.receive(first.arrival, mended, late=True)).code == "accepted"
    assert [a.state for a in desk.arrivals()] == ["accepted"]
    assert len(desk.promised("signal")) == 1


def test_a_signature_that_does_not_verify_is_told_at_once(desk: Desk, samhub_pki):
    """§3.3 step 6: the library lets it come ten times and die; nobody but the sender can correct it."""
    signed = bytearray(signed_data.sign(desk.sample().document, desk.partner.signing))
    signed[-3] ^= 1
    body = cms.encrypt(bytes(signed), samhub_pki.certificate(DOCTOR.organisation))
    assert desk.take(type(desk.letter())(desk.letter().message, body)).code == "signature-invalid"
    assert desk.report()[1].condition == "transport:invalid-certificate"


@pytest.mark.parametrize("body", [b"", b"\x00\x01garbage", b"<MsgHead/>"])
def test_a_body_that_is_no_cms_is_told_and_kept(desk: Desk, body: bytes):
    """§0.12."""
    letter = desk.letter()
    code = desk.take(type(letter)(letter.message, body)).code
    assert code in ("no-payload", "not-sealed")
    assert desk.arrivals()[0].state == "refused"
    assert len(desk.promised("signal")) == 1


def test_a_sender_in_the_document_that_is_not_the_one_on_the_message_is_an_attack(desk: Desk):
    """§4.4: abuse:spoofing-attack."""
    document = desk.sample(sender=None).document  # the doctor itself
    assert desk.take(desk.letter(document)).code == "bus-spoofed"
    assert desk.report()[1].condition == "abuse:spoofing-attack"


def test_a_document_that_is_for_another_is_told_what_was_expected_and_what_came(desk: Desk):
    """§7 step 12: expected; received."""
    assert desk.take(desk.letter(desk.sample(receiver=None, sender=PARTNER).document)).code == "accepted"
    document = desk.sample(receiver=PARTNER).document
    assert desk.take(desk.letter(document)).code == "bus-addressing"
    assert desk.report()[1].data == (DOCTOR.her_id, PARTNER.her_id)


@pytest.mark.parametrize("content", [b"<MsgHead", b"not xml at all", b'<!DOCTYPE x><MsgHead xmlns="x"/>'])
def test_what_is_no_xml_inside_is_told(desk: Desk, content: bytes):
    """§7 step 11."""
    desk.take(desk.letter(content))
    assert desk.report()[1].condition == "transport:not-well-formed-xml"


def test_a_document_that_breaks_its_schema_gets_a_negative_apprec_not_an_error(desk: Desk):
    """As at every other door: the document's fault is answered in the document's language."""
    sample = desk.sample()
    broken = sample.document.replace(b"<MIGversion>", b"<MIGversjon>").replace(b"</MIGversion>", b"</MIGversjon>")
    assert broken != sample.document
    desk.take(desk.letter(broken))

    assert desk.promised("signal") == []
    (apprec,) = desk.promised("apprec")
    _, body = desk.sealed(apprec)
    assert etree.fromstring(desk.open(body)).find("{*}Status").get("V") == "2"


@pytest.mark.parametrize("content_type", ["text/plain", "TEXT/PLAIN; charset=utf-8"])
def test_what_nobody_has_signed_is_refused_unless_the_settings_take_it(desk: Desk, bus_hub, content_type: str):
    """§3.1: the library takes it with a warning; here that must be said."""
    plain = desk.sample().document
    letter = type(desk.letter())(desk.letter().but(content_type=content_type).message, plain)
    assert desk.take(letter).code == "bus-unsigned"
    assert desk.report()[1].condition == "transport:unsupported-message"

    trusting = bus_hub(hub={"bus_unsigned": "accept"})
    other = Desk(trusting, desk.partner, None)
    assert other.take(letter).code == "accepted"
    assert trusting.epj(DOCTOR.her_id).take_one().document == plain
    assert any("nor encrypted" in a.because for a in other.arrivals())


def test_content_types_that_are_spelt_otherwise_are_read_all_the_same(desk: Desk):
    """§3.1: all else that is not empty is signed and enveloped."""
    for spelt in ("application/pkcs7-mime;smime-type=Signed-and-Enveloped-Data", "application/octet-stream"):
        assert desk.take(desk.letter(content_type=spelt)).code == "accepted"


def test_a_blind_wire_gets_the_function_from_the_document(desk: Desk):
    """§0.5: RabbitMQ 4 does not show the subject to 0.9.1."""
    letter = desk.letter().without("subject", "to")
    blind = type(letter)(letter.message, letter.body, {amqp.BLIND: "1"})
    desk.take(blind)

    assert desk.hub.story(desk.hub.epj(DOCTOR.her_id).take_one().message_id).message.action == "DIALOG_HELSEFAGLIG"


def test_what_cannot_be_judged_now_is_kept_and_judged_again(desk: Desk, bus_hub, samhub_pki, tmp_path):
    """§3.5: an unreachable revocation list is temporary, never reported."""
    import shutil

    folder = tmp_path / "crl"
    folder.mkdir()
    other = Desk(bus_hub(revocation={"folder": str(folder), "look_seconds": 0}), desk.partner, desk._samples)
    assert other.take(other.letter()).code == "revocation-unknown"
    assert [a.state for a in other.arrivals()] == ["undecided"]

    shutil.copytree(samhub_pki.folder / "crl", folder, dirs_exist_ok=True)
    other.hub.clock.forward(hours=1)
    other.hub.watched()

    assert other.hub.epj(DOCTOR.her_id).take_one().document
    assert other.promised("signal") == []


def test_a_party_of_the_bus_is_looked_at_by_its_queues(desk: Desk):
    """Nobody can be pinged there: what can be said is whether its queues and certificates are known."""
    rows = {what: (good, words) for what, good, words in desk.hub.run(checked(PARTNER.her_id, desk.hub.built.kit))}
    assert rows["async queue on the bus"] == (True, "8009001_async")  # its enterprise's (§1.3)
    assert rows["error queue on the bus"] == (True, "8009001_error")
    assert "ping" not in rows
