"""Real agreements (CPA) in use: their packaging, roles, retries and channels hold, with our certificates put into them."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta

import pytest

from hub.formats import mime
from hub.trust import cms
from ops.partner.aside import eventually
from ops.sector import SECTOR

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR
NAV = "79768"
#: The HER-id of the other side in each of the shared agreements.
OTHERS = {"nav_qass_30823_modified": "8138375", "nav.qass.12345": "8090595"}


@pytest.fixture
def nav(samhub_partner):
    """A partner with NAV's HER-id."""
    return samhub_partner(NAV)


@pytest.fixture
def agreement(standards, samhub_pki, nav, tmp_path):
    """A shared agreement with our HER-id, certificates and address in it; `renamed` are (old, new) services or actions."""

    def adapted(name, *renamed, start=-1, end=30):
        [path] = (standards / "cpa" / "nav-ebxml-processor-history").glob(f"{name}.xml")
        text = path.read_text("utf-8").replace(f">{OTHERS[name]}<", f">{DOCTOR.her_id}<")
        now = datetime.now(UTC)
        for element, days in (("Start", start), ("End", end)):
            moment = (now + timedelta(days=days)).isoformat(timespec="seconds").replace("+00:00", "Z")
            text = re.sub(rf"(<[\w:]*{element}>)[^<]*", rf"\g<1>{moment}", text)
        for old, new in renamed:
            text = re.sub(rf'(?<=[">]){old}(?=["<])', new, text)
        ours, theirs = re.findall(r"<[\w:]*PartyInfo .*?</[\w:]*PartyInfo>", text, flags=re.S)
        text = text.replace(ours, certified(ours, samhub_pki, DOCTOR.organisation))
        text = text.replace(theirs, certified(addressed(theirs, nav.url), samhub_pki, "partner"))
        target = tmp_path / f"{name}.xml"
        target.write_text(text, "utf-8")
        return target

    return adapted


def certified(party, pki, organisation):
    """A PartyInfo with our certificates in place of the ones it had: by what their certId says they are for."""

    def other(found):
        use = "encrypt" if "crypt" in found.group(2) else "sign"
        return found.group(1) + base64.b64encode(pki.certificate(organisation, use)).decode() + found.group(4)

    pattern = r'(<[\w:]*Certificate [\w:]*certId="([^"]*)".*?<[\w:]*X509Certificate>)(.*?)(</[\w:]*X509Certificate>)'
    return re.sub(pattern, other, party, flags=re.S)


def addressed(party, url):
    """Every endpoint of a PartyInfo at this address."""
    return re.sub(r'(<[\w:]*Endpoint [^>]*uri=")[^"]*', rf"\g<1>{url}", party)


def content_inside(received, keys):
    """What lies inside the encryption, before anything is unpacked."""
    boundary = re.match(rb"--([^\r\n]+)", received.body).group(1).decode()
    package = mime.read({"content-type": f'multipart/related; boundary="{boundary}"'}, received.body)
    return cms.decrypt(package.attachments[0].content, keys.decryption, cms.CmsPolicy()).content


def test_gzip_roles_and_cpaid_are_as_the_agreement_says(samhub_hub, samhub_samples, samhub_pki, nav, agreement):
    """A settlement's packaging: gzip inside the encryption; CPAId and roles are those of the CPA, not of the sector."""
    file = agreement("nav_qass_30823_modified", ("BehandlerKrav", "S-HENVISNING"), ("OppgjorsMelding", "HENVISNING"))
    hub = samhub_hub([nav], agreements=[file])
    referral = samhub_samples("henvisning", receiver=nav)

    message_id = hub.epj(DOCTOR.her_id).send(referral)

    hub.until(message_id, "done")
    [received] = nav.received
    assert content_inside(received, samhub_pki.partner_keys)[:2] == b"\x1f\x8b"
    assert received.raw == referral.document
    assert received.envelope.cpa_id == "nav:qass:30823"
    assert (received.envelope.from_role, received.envelope.to_role) == ("Behandler", "KontrollUtbetaler")


@pytest.mark.parametrize(
    ("name", "renamed", "interval", "persist"),
    [
        ("nav_qass_30823_modified", ("BehandlerKrav", "OppgjorsMelding"), timedelta(hours=12), timedelta(days=4)),
        ("nav.qass.12345", ("OppgjorsKontroll", "Oppgjorskrav"), timedelta(hours=4), timedelta(days=2)),
    ],
)
def test_the_retries_are_those_of_the_agreement(
    name, renamed, interval, persist, samhub_hub, samhub_samples, nav, agreement
):
    """Retries 4, each 12 h within 4 days; for prescriptions each 4 h within 2 days; then a dead letter."""
    file = agreement(name, (renamed[0], "S-HENVISNING"), (renamed[1], "HENVISNING"))
    nav.behave("no-acknowledgment")
    hub = samhub_hub([nav], agreements=[file], times="sector")

    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples("henvisning", receiver=nav))
    hub.until_tried(message_id)

    delivery = hub.delivery(message_id)
    assert (delivery.retries, delivery.retry_interval) == (4, interval)
    assert delivery.give_up_at - delivery.created_at == persist
    for count in range(2, 7):
        hub.clock.forward(seconds=interval.total_seconds() * 1.21)
        hub.until_tried(message_id, count)
    hub.until(message_id, "dead")
    assert len(nav.received) == 5


def test_a_message_under_an_agreement_is_taken_and_its_receipt_travels_by_itself(
    samhub_hub, samhub_samples, nav, agreement
):
    """syncReplyMode none: HTTP 202, then the Acknowledgment under the same CPAId; Service, Action and Role as NAV writes them."""
    hub = samhub_hub([nav], agreements=[agreement("nav_qass_30823_modified")])
    enquiry = samhub_samples("dialog-foresporsel", sender=nav, receiver=DOCTOR)

    answer = nav.send(enquiry, **FROM_NAV)

    assert (answer.status, answer.body) == (202, b"")
    [signal] = eventually(lambda: nav.signals)
    assert (signal.envelope.kind, signal.envelope.cpa_id) == ("acknowledgment", "nav:qass:30823")
    assert hub.epj(DOCTOR.her_id).take_one().document == enquiry.document


def test_our_apprec_travels_under_the_action_that_the_agreement_has_for_it(samhub_hub, samhub_samples, nav, agreement):
    """With NAV there is no APPREC: an ordinary action of the service carries it, with the roles of the CPA."""
    hub = samhub_hub([nav], agreements=[agreement("nav_qass_30823_modified")])
    enquiry = samhub_samples("dialog-foresporsel", sender=nav, receiver=DOCTOR)
    nav.send(enquiry, **FROM_NAV)

    hub.epj(DOCTOR.her_id).take_one()

    [apprec] = nav.await_received(1)
    envelope = apprec.envelope
    assert (envelope.cpa_id, envelope.service, envelope.action) == (
        "nav:qass:30823",
        "ForesporselFraSaksbehandler",
        "Kvittering",
    )
    assert (envelope.from_role, envelope.to_role) == ("Sykmelder", "Saksbehandler")
    assert apprec.document.kind == "apprec" and enquiry.msg_id.encode() in apprec.raw


FROM_NAV = {
    "cpa_id": "nav:qass:30823",
    "service": "ForesporselFraSaksbehandler",
    "action": "Foresporsel",
    "from_role": "Saksbehandler",
    "to_role": "Sykmelder",
}


def test_an_agreement_that_nobody_knows_is_refused_at_once(samhub_hub, samhub_samples, nav, agreement):
    """Nobody can say where the sender takes receipts, so the open exchange is the only way back."""
    hub = samhub_hub([nav], agreements=[agreement("nav_qass_30823_modified")])
    enquiry = samhub_samples("dialog-foresporsel", sender=nav, receiver=DOCTOR)

    answer = nav.send(enquiry, **{**FROM_NAV, "cpa_id": "nav:qass:99999"})

    assert [e.code for e in answer.answer.envelope.errors] == ["ValueNotRecognized"]
    assert hub.count("arrival:refused") == 1


@pytest.mark.parametrize("otherwise", [{"service": "Ukjent"}, {"action": "Henvendelse"}, {"from_role": "Behandler"}])
def test_what_is_not_agreed_is_refused_on_the_channel_of_signals(otherwise, samhub_hub, samhub_samples, nav, agreement):
    """Another service, action or role than the agreement has: its CPAId says where the sender listens, which is not here."""
    hub = samhub_hub([nav], agreements=[agreement("nav_qass_30823_modified")])

    answer = nav.send(samhub_samples("dialog-foresporsel", sender=nav, receiver=DOCTOR), **{**FROM_NAV, **otherwise})

    assert (answer.status, answer.body) == (202, b"")
    [signal] = eventually(lambda: nav.signals)
    assert [e.code for e in signal.envelope.errors] == ["Inconsistent"]
    assert signal.envelope.ref_to_message_id == answer.message_id
    assert hub.count("arrival:refused") == 1


def test_an_agreement_that_has_ended_is_refused_and_not_used(samhub_hub, samhub_samples, nav, agreement):
    """Inwards Inconsistent, told where its copy has it listen; outwards the party file, whose CPAId says that nothing is agreed."""
    file = agreement(
        "nav_qass_30823_modified", ("BehandlerKrav", "S-HENVISNING"), ("OppgjorsMelding", "HENVISNING"), end=0
    )
    hub = samhub_hub([nav], agreements=[file])
    hub.clock.forward(minutes=1)

    answer = nav.send(samhub_samples("dialog-foresporsel", sender=nav, receiver=DOCTOR), **FROM_NAV)
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples("henvisning", receiver=nav))

    assert (answer.status, answer.body) == (202, b"")
    [signal] = eventually(lambda: nav.signals)
    assert [e.code for e in signal.envelope.errors] == ["Inconsistent"]
    hub.until(message_id, "done")
    assert nav.received[-1].envelope.cpa_id == f"{NAV}_{DOCTOR.her_id}"


def test_where_no_receipt_is_agreed_the_hand_over_is_all(samhub_hub, samhub_samples, nav, agreement):
    """ackRequested never: no AckRequested in the envelope, and HTTP 200 without a receipt is not tried again."""
    file = agreement(
        "nav_qass_30823_modified",
        ("HarBorgerFrikort", "S-DIALOG_FORESPORSEL"),
        ("EgenandelForesporsel", "DIALOG_FORESPORSEL"),
    )
    nav.behave("no-acknowledgment")
    hub = samhub_hub([nav], agreements=[file])

    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples("dialog-foresporsel", receiver=nav))

    assert hub.until(message_id, "acknowledged").because == "HTTP 200; no transport receipt is agreed"
    [received] = nav.received
    assert not received.envelope.ack_requested


def test_without_an_agreement_the_cpaid_is_the_two_her_ids(samhub_hub, samhub_partner, samhub_samples):
    """HIS 1037 6.2.1: lowest_highest, as numbers."""
    partner = samhub_partner("999")
    hub = samhub_hub([partner])

    hub.until(hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner)), "done")

    assert partner.received[0].envelope.cpa_id == f"999_{DOCTOR.her_id}"


def test_what_the_party_file_says_about_the_payload_holds(samhub_hub, samhub_partner, samhub_samples, samhub_pki):
    """Gzip, and a MIME entity inside the encryption, for a partner that wants it so."""
    zipped, wrapped = samhub_partner(), samhub_partner()
    manners = {zipped.her_id: {"compressed": True}, wrapped.her_id: {"payload_form": "mime"}}
    hub = samhub_hub([zipped, wrapped], manners=manners)
    epj = hub.epj(DOCTOR.her_id)

    for partner in (zipped, wrapped):
        hub.until(epj.send(samhub_samples(receiver=partner)), "done")

    assert content_inside(zipped.received[0], samhub_pki.partner_keys)[:2] == b"\x1f\x8b"
    assert content_inside(wrapped.received[0], samhub_pki.partner_keys).lower().startswith(b"content-type: ")
