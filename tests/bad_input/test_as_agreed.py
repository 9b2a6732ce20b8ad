"""What the agreement says of the header is what is written, and of confidentiality what is kept: or nothing leaves."""

from __future__ import annotations

import gzip
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from adapters.register.directory import FileDirectory
from hub import commands, seal
from hub import delivery as deliveries
from hub.circuit import Circuits
from hub.codes import reason
from hub.formats import envelope as envelopes
from hub.formats import envelope_write, mime
from hub.formats.envelope import EB, SOAP, Envelope
from hub.message import UNASKED, Agreement, Arrival, Channel, DeliveryRecord, MessageRecord, Parcel
from hub.ports import DeliveryFilter
from hub.states import Move
from hub.trust import signature
from hub.verdict import Refuse
from tests.bad_input.answers import acknowledged, refused
from tests.support.agreements import Side, agreement
from tests.support.letters import business, swap
from tests.support.world import DOCTOR, PARTNER, Keys, World

CPA = "avtalt:prove:1"
MODES = ("none", "mshSignalsOnly", "signalsOnly", "responseOnly", "signalsAndResponse")
Made = Callable[..., World]


@pytest.fixture
def sides(keys: Keys) -> tuple[Side, Side]:
    """The partner and the doctor."""
    partner = Side(PARTNER.her_id, keys.good.certificate_der, keys.certificate("partner"))
    return partner, Side(DOCTOR.her_id, keys.certificate("legesenter", "sign"), keys.certificate("legesenter"))


@dataclass
class Out:
    """A document of the doctor's for the partner, not sealed yet."""

    world: World
    message: MessageRecord
    delivery: DeliveryRecord
    document: bytes

    def sealed(self, channel: Channel = Channel.EBXML_HTTP) -> Parcel | Refuse:
        # over the bus a function that passes unasked, since no function of the bus is in this agreement
        action = UNASKED if channel is Channel.AMQP else self.message.action
        message, delivery = replace(self.message, action=action), replace(self.delivery, channel=channel)
        found = seal.seal(message, delivery, self.document, self.world.hub.kit)
        assert isinstance(found, Parcel | Refuse)
        return found

    def parcel(self, channel: Channel = Channel.EBXML_HTTP) -> Parcel:
        found = self.sealed(channel)
        assert isinstance(found, Parcel), found
        return found

    def envelope(self, channel: Channel = Channel.EBXML_HTTP) -> tuple[Envelope, etree._Element]:
        """What is written, and the same as XML; its signature holds."""
        parcel = self.parcel(channel)
        root = etree.fromstring(opened(parcel).root.content)
        found = envelopes.read(root)
        assert isinstance(found, Envelope) and proven(parcel)
        return found, root


def opened(parcel: Parcel) -> mime.Package:
    package = mime.read(parcel.headers, parcel.body)
    assert isinstance(package, mime.Package)
    return package


def proven(parcel: Parcel, *, without_it: bool = False) -> bool:
    """Whether its signature holds; also when the next node on the way has taken SyncReply out."""
    package = opened(parcel)
    raw = package.root.content
    raw = re.sub(rb"<eb:SyncReply .*?</eb:SyncReply>", b"", raw) if without_it else raw
    parts = {part.content_id: part.content for part in package.attachments}
    found = signature.verify(raw, etree.fromstring(raw), parts, signature.SignaturePolicy())
    return isinstance(found, signature.Verified)


@pytest.fixture
def out(new_world: Made, sides: tuple[Side, Side]) -> Callable[..., Out]:
    """Submits a document under an agreement whose text `edit` has changed."""

    def under(edit: Callable[[str], str] = lambda text: text, *, reply: str = "none", **settings: Any) -> Out:
        world = new_world(agreements=[edit(agreement(CPA, sides[1], sides[0], reply=reply))], **settings)
        assert world.hub.directory.broken == {}
        return submitted(world)

    return under


def submitted(world: World) -> Out:
    """A document that the doctor's record system has handed over."""
    document = world.sample(sender=DOCTOR, receiver=PARTNER).document
    arrival = Arrival(str(datetime.now(UTC)), "rest", world.clock.now(), {}, document, "legesenter")
    answer = world.run(world.hub.submit(arrival))
    [delivery] = world.run(world.hub.store.deliveries(DeliveryFilter(message_id=answer.message_id)))
    message = world.run(world.hub.store.message(answer.message_id))
    assert message is not None
    return Out(world, message, delivery, document)


def edits(*pairs: tuple[str, str]) -> Callable[[str], str]:
    def edit(text: str) -> str:
        for old, new in pairs:
            assert old in text, old
            text = text.replace(old, new)
        return text

    return edit


# --- the header


@pytest.mark.parametrize("channel", [Channel.EBXML_HTTP, Channel.EBXML_SMTP])
@pytest.mark.parametrize("mode", [*MODES, ""])
def test_sync_reply_is_written_where_the_receipt_is_to_come_in_the_exchange(
    out: Callable[..., Out], mode: str, channel: Channel
) -> None:
    """ebMS 2.0 4.3: for the next handler, must be understood, not signed; a mail has no exchange (ebxml.md §1.2)."""
    made = out(edits((' tp:syncReplyMode=""', "")) if not mode else (lambda text: text), reply=mode)
    found, root = made.envelope(channel)
    wanted = mode not in ("", "none") and channel is Channel.EBXML_HTTP
    assert found.sync_reply is wanted and found.findings == ()
    for block in root.iter(f"{{{EB}}}SyncReply"):
        assert block.get(f"{{{SOAP}}}actor") == "http://schemas.xmlsoap.org/soap/actor/next"
        assert (block.get(f"{{{SOAP}}}mustUnderstand"), block.get(f"{{{EB}}}version")) == ("1", "2.0")
        following = block.getnext()
        assert following is not None and following.tag == f"{{{signature.DS}}}Signature"
    assert proven(made.parcel(channel), without_it=True)


ASKED = ("always", "never", "perMessage", None)


@pytest.mark.parametrize(("ack", "signed", "once"), list(product(ASKED, ASKED, ASKED)))
def test_ack_requested_its_signed_and_duplicate_elimination_are_as_agreed(
    sides: tuple[Side, Side], world: World, ack: str | None, signed: str | None, once: str | None
) -> None:
    """CPPA 2.0 MessagingCharacteristics; perMessage, which is the default, leaves it to us: HIS 1037 5.2 asks for all three."""
    given = {"ackRequested": ack, "ackSignatureRequested": signed, "duplicateElimination": once}
    said = " ".join(f'tp:{name}="{value}"' for name, value in given.items() if value is not None)
    text = agreement(CPA, sides[1], sides[0]).replace('tp:ackRequested="always" tp:duplicateElimination="always"', said)
    found = looked_up(text, world)
    header = world.post_to.header("EPIKRISE")
    written = envelope_write.business(
        header, "c", ("", ""), ack_requested=found.ack_requested, ack_signed=found.ack_signed,
        duplicate_elimination=found.duplicate_elimination,
    )  # fmt: skip
    read = envelopes.read(etree.fromstring(written))
    assert isinstance(read, Envelope)
    assert read.ack_requested is (ack != "never") and read.duplicate_elimination is (once != "never")
    assert read.ack_signed is (ack != "never" and signed != "never")
    assert (b'eb:signed="false"' in written) is (ack != "never" and signed == "never")


def looked_up(text: str, world: World) -> Agreement:
    """The agreement from the doctor to the partner, as the directory reads it."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "a.xml").write_text(text, "utf-8")
        directory = FileDirectory(world.site.folder / "parties.toml", Path(name))
        return directory.agreement(
            cpa_id="", from_her=DOCTOR.her_id, to_her=PARTNER.her_id, service="S-DIALOG_HELSEFAGLIG",
            action="DIALOG_HELSEFAGLIG", role="", at=world.clock.now(),
        )  # fmt: skip


def test_duplicate_elimination_and_signed_go_out_as_agreed(out: Callable[..., Out]) -> None:
    """The whole way, once."""
    never = edits(
        ('tp:duplicateElimination="always"', 'tp:duplicateElimination="never" tp:ackSignatureRequested="never"')
    )
    found, _ = out(never).envelope()
    assert (found.ack_requested, found.ack_signed, found.duplicate_elimination) == (True, False, False)


TYPES = {"string": "string", "kithService": "kithService", "": "", "urn:osb:services": "urn:osb:services"}


@pytest.mark.parametrize("kind", TYPES)
def test_the_type_of_service_is_as_agreed_and_none_where_none_is(out: Callable[..., Out], kind: str) -> None:
    """ebMS 2.0 3.1.4.1."""
    typed = f'<tp:Service tp:type="{kind}">' if kind else "<tp:Service>"
    found, root = out(edits(("<tp:Service>", typed))).envelope()
    [service] = root.iter(f"{{{EB}}}Service")
    assert service.get(f"{{{EB}}}type") == (kind or None) and found.service == "S-DIALOG_HELSEFAGLIG"


IDS = ("HER", "her", "urn:oid:2.16.578.1.12.4.1.2:HER", "urn:osb:oin", "")


@pytest.mark.parametrize("kind", IDS)
def test_the_type_of_party_ids_is_as_agreed_in_what_we_send(out: Callable[..., Out], kind: str) -> None:
    """ebMS 2.0 3.1.1.1; without a HER-id a party is found by its number."""
    found, root = out(edits((' tp:type="HER"', f' tp:type="{kind}"' if kind else ""))).envelope()
    assert found.cpa_id == CPA
    assert [p.get(f"{{{EB}}}type") for p in root.iter(f"{{{EB}}}PartyId")] == [kind or None] * 2
    assert [p.text for p in root.iter(f"{{{EB}}}PartyId")] == [DOCTOR.her_id, PARTNER.her_id]


@pytest.mark.parametrize(("agreed", "written"), list(product(IDS, IDS)))
def test_party_ids_that_come_are_compared_by_value_and_by_type_where_both_have_one(
    new_world: Made, sides: tuple[Side, Side], agreed: str, written: str
) -> None:
    """The receipt names the parties as the message did."""
    text = agreement(CPA, *sides).replace(' tp:type="HER"', f' tp:type="{agreed}"' if agreed else "")
    world = new_world(agreements=[text])
    edit = swap('eb:type="HER"', f'eb:type="{written}"', count=2) if written else swap(' eb:type="HER"', "", count=2)
    letter = business(world.post_to, world.sample().document, cpa_id=CPA, edit=edit)
    said = world.post(letter)
    both_her = agreed.upper().endswith("HER") and written.upper().endswith("HER")
    if both_her or not agreed or not written or agreed == written:
        acknowledged(said, letter, world)
        assert said.envelope is not None
        assert {p.type for p in (*said.envelope.from_parties, *said.envelope.to_parties)} == {written}
    else:
        assert said.arrival is not None and said.arrival.state == "refused"


def test_without_an_agreement_a_party_without_a_her_id_is_nobody(world: World) -> None:
    """HITS 1172 60: whatever its number is."""
    edit = swap('eb:type="HER"', 'eb:type="ENH"')
    said = world.post(business(world.post_to, world.sample().document, edit=edit))
    assert said.kind == "fault" and said.arrival is not None and said.arrival.code == "envelope-value"


# --- TimeToLive


@pytest.mark.parametrize(
    ("hub", "party", "agreed", "wanted"),
    [
        (None, None, None, None),
        (3600, None, None, 3600),
        (3600, 60, None, 60),
        (3600, 0, None, None),
        (None, 60, None, 60),
        (3600, 60, 7200, 7200),
        (None, 60, 0, None),
    ],
)
def test_time_to_live_is_written_where_it_is_set(
    out: Callable[..., Out], hub: int | None, party: int | None, agreed: int | None, wanted: int | None
) -> None:
    """By the hub, the party or the agreement, the nearest first; by default it is not (ebMS 2.0 3.1.6.4)."""
    made = out(hub={"time_to_live_seconds": hub} if hub is not None else {})
    rows = [f"time_to_live_seconds = {party}"] if party is not None else []
    own = f'\n[[agreement]]\ncpa_id = "{CPA}"\ntime_to_live_seconds = {agreed}\n' if agreed is not None else ""
    again(made.world, PARTNER.her_id, rows, own)
    anew = submitted(made.world)
    delivery, (found, _) = anew.delivery, anew.envelope()
    if wanted is None:
        assert found.time_to_live is None and delivery.expires_at is None
    else:
        assert delivery.expires_at is not None and found.time_to_live == delivery.expires_at.replace(microsecond=0)
        assert delivery.expires_at == delivery.created_at + timedelta(seconds=wanted)


def again(world: World, her_id: str, rows: list[str], more: str = "") -> None:
    """Writes settings of a party and of agreements into the party file, and lets the hub read it."""
    file = world.site.folder / "parties.toml"
    lines = file.read_text("utf-8").splitlines()
    at = lines.index(f'her_id = "{her_id}"')
    file.write_text("\n".join([*lines[: at + 1], *rows, *lines[at + 1 :]]) + more, "utf-8")
    world.hub.directory.reload()


def test_who_sends_anew_what_has_expired_gives_it_a_new_lifetime_and_a_new_id(out: Callable[..., Out]) -> None:
    """What was sealed says when it ends: the same bytes again would be refused (HITS 1171 9.7)."""
    made = out(hub={"time_to_live_seconds": 60})
    world, kit = made.world, made.world.hub.kit
    world.clock.forward(seconds=61)
    due = world.run(world.hub.store.claim(world.clock.now(), 9999, timedelta(seconds=60), frozenset(), 9999))
    [own] = [c for c in due if c.delivery.id == made.delivery.id]
    world.run(deliveries.attempt(own, kit, {}, Circuits(3, deliveries.backoff(kit))))
    [expired] = world.run(world.hub.store.deliveries(DeliveryFilter(ids=(made.delivery.id,))))
    assert expired.state == "expired"
    anew = world.run(commands.act(made.delivery.id, Move.RESEND, "kari", "", kit))
    assert anew.expires_at is not None and anew.changed_at is not None
    assert anew.expires_at == anew.changed_at + timedelta(seconds=60)
    assert anew.eb_message_id != made.delivery.eb_message_id


# --- confidentiality


CONFIDENTIAL = ("", "none", "transient", "persistent", "transient-and-persistent", "false", "true", "hemmelig")
ENVELOPES = ("", "S/MIME", "CMS", "PKCS#7", "pkcs7", "XMLENC", "http://www.w3.org/2001/04/xmlenc#", "PGP/MIME")
PACKAGES = ("application/pkcs7-mime", "application/x-gzip", "application/xml", "")
ROADS = (Channel.EBXML_HTTP, Channel.EBXML_SMTP, Channel.AMQP)


def with_confidentiality(confidential: str, envelope: str, package: str, where: str = "both") -> Callable[[str], str]:
    """An agreement that says so in the action, as a digital envelope, and in Packaging."""
    business = f'<tp:BusinessTransactionCharacteristics tp:isConfidential="{confidential}"/>' if confidential else ""
    sender = f"<tp:SenderDigitalEnvelope><tp:DigitalEnvelopeProtocol>{envelope}</tp:DigitalEnvelopeProtocol></tp:SenderDigitalEnvelope>"
    receiver = f"<tp:ebXMLReceiverBinding>{sender.replace('Sender', 'Receiver')}</tp:ebXMLReceiverBinding>"
    closing = "</tp:ebXMLSenderBinding>"
    binding = (sender if envelope and where != "receiver" else "") + closing
    binding += receiver if envelope and where != "sender" else ""
    encapsulated = f'<tp:Encapsulation tp:mimetype="{package}" tp:id="e"/>' if package else ""
    return edits(
        ("<tp:ChannelId>", f"{business}<tp:ChannelId>"),
        (closing, binding),
        ('<tp:Encapsulation tp:mimetype="application/pkcs7-mime" tp:id="e"/>', encapsulated),
    )


def kept(confidential: str, envelope: str, package: str) -> str:
    """The rule, said a second time: `cms`, `clear` or `refused`."""
    if "pkcs7" in package:
        return "cms"
    if envelope:
        return "cms" if envelope in ("S/MIME", "CMS", "PKCS#7", "pkcs7") else "refused"
    return "clear" if confidential in ("", "none", "false", "transient") else "refused"


def test_the_confidentiality_that_is_agreed_is_kept_or_nothing_leaves(
    new_world: Made, sides: tuple[Side, Side], out: Callable[..., Out]
) -> None:
    """Every value of isConfidential × digital envelope × encapsulation × road; on the bus everything is sealed as CMS."""
    made = out()
    folder = made.world.site.folder / "agreements" / "0.xml"
    counted: dict[str, int] = {}
    for case in product(CONFIDENTIAL, ENVELOPES, PACKAGES):
        folder.write_text(with_confidentiality(*case)(agreement(CPA, sides[1], sides[0])), "utf-8")
        made.world.hub.directory.reload()
        for road in ROADS:
            wanted = "cms" if road is Channel.AMQP else kept(*case)
            found = made.sealed(road)
            counted[wanted] = counted.get(wanted, 0) + 1
            if wanted == "refused":
                assert isinstance(found, Refuse) and found.code == "confidentiality-not-kept", (case, road)
                continue
            assert isinstance(found, Parcel), (case, road, found)
            assert readable(found, road) is (wanted == "clear"), (case, road)
    assert set(counted) == {"cms", "clear", "refused"}


def readable(parcel: Parcel, road: Channel) -> bool:
    """Whether anybody on the way can read it: as it lies there, or in the parts of its package."""
    if road is Channel.AMQP:
        return b"MsgHead" in parcel.body
    contents = [part.content for part in opened(parcel).attachments]
    return any(b"MsgHead" in (gzip.decompress(c) if c[:2] == b"\x1f\x8b" else c) for c in contents)


@pytest.mark.parametrize("where", ["sender", "receiver"])
def test_one_side_that_asks_for_another_envelope_is_enough(out: Callable[..., Out], where: str) -> None:
    found = out(with_confidentiality("none", "XMLENC", "", where)).sealed()
    assert isinstance(found, Refuse) and "XMLENC" in found.because


def test_it_ends_as_a_dead_letter_that_says_what_to_do(out: Callable[..., Out]) -> None:
    made = out(with_confidentiality("persistent", "XMLENC", ""))
    world, kit = made.world, made.world.hub.kit
    due = world.run(world.hub.store.claim(world.clock.now(), 9999, timedelta(seconds=60), frozenset(), 9999))
    [own] = [c for c in due if c.delivery.id == made.delivery.id]
    world.run(deliveries.attempt(own, kit, {}, Circuits(3, deliveries.backoff(kit))))
    [dead] = world.run(world.hub.store.deliveries(DeliveryFilter(ids=(made.delivery.id,))))
    assert (dead.state, dead.code) == ("dead", "confidentiality-not-kept")
    assert CPA in dead.because and "XMLENC" in dead.because
    row = reason(dead.code)
    assert row.blame == "us" and "CMS" in row.hint
    assert world.run(world.hub.store.parcel(dead.id)) is None


XMLENC = (
    b'<xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" Type="http://www.w3.org/2001/04/xmlenc#Content">'
    b"<xenc:CipherData><xenc:CipherValue>AAAA</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>"
)
INCOMING: Mapping[str, tuple[str, dict[str, Any]]] = {
    "signed as it lies there, CMS agreed": ("", {"payload": XMLENC}),
    "signed as it lies there, in the clear agreed": ("clear", {"payload": XMLENC}),
    "signed before it was encrypted": ("clear", {"after_payload": True}),
}


@pytest.mark.parametrize(("how", "letter"), INCOMING.values(), ids=INCOMING.keys())
def test_xml_encryption_that_comes_is_refused_in_its_own_words(
    new_world: Made, sides: tuple[Side, Side], how: str, letter: dict[str, Any]
) -> None:
    """Not "not what was signed", nor "could not be decrypted": ebMS 2.0 4.1.4 has two orders, and none is done here."""
    text = agreement(CPA, *sides)
    if how == "clear":
        text = with_confidentiality("none", "", "")(text)
    world = new_world(agreements=[text])
    document = world.sample().document
    if letter.get("after_payload"):
        sent = business(world.post_to, document, cpa_id=CPA, payload=document, kind="application/xml")
        boundary = sent.headers["Content-Type"].split('boundary="')[1].split('"')[0]
        sent = replace(sent, body=_with_payload(sent.body, boundary, XMLENC))
    else:
        sent = business(world.post_to, document, cpa_id=CPA, kind="application/xml", **letter)
    text = refused(world.post(sent), sent, "xml-encryption", "SecurityFailure", "//eb:Manifest/eb:Reference")
    assert "XML Encryption, which is not done here" in text


def _with_payload(body: bytes, boundary: str, content: bytes) -> bytes:
    """The same package with another last part."""
    parts = body.split(b"--" + boundary.encode())
    head = parts[-2].split(b"\r\n\r\n", 1)[0].replace(b"base64", b"binary")
    parts[-2] = head + b"\r\n\r\n" + content + b"\r\n"
    return (b"--" + boundary.encode()).join(parts)
