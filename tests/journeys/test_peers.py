"""Handlers that nobody here wrote, as the simulator plays them: documents, receipts and questions both ways, and refusals."""

from __future__ import annotations

import asyncio
import base64
import re
from dataclasses import dataclass, replace

import pytest
from lxml import etree

from hub.errors import ConfigurationError
from hub.ports import ArrivalFilter
from ops import config
from ops.demo.stage import free_ports
from ops.look import party
from ops.partner.aside import eventually
from ops.partner.handles import HubHandle, PartnerHandle, partner_member
from ops.partner.peers import MANNERS, PEERS, Manner, manners
from ops.partner.serve import _played
from ops.partner.terms import Side, Terms, cpa
from ops.sector import SECTOR, write_site

DOCTOR = SECTOR[1]
ALL = sorted(set(PEERS) - {"hermes-chain"})  # whose documents are refused for their chain: a test of its own
BOTH = pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
EACH = pytest.mark.parametrize("peer", ALL)
#: What the party file says of a handler that looks for RefToMessageId in MessageData.
REFERS = {"acknowledgment_refers": "always"}


@dataclass
class Between:
    """A hub and one peer that have agreed."""

    hub: HubHandle
    partner: PartnerHandle
    samples: object

    def out(self, kind: str = "dialog-helsefaglig") -> str:
        """Our record system sends the peer a document; the hub's id for it."""
        return self.hub.epj(DOCTOR.her_id).send(self.samples(kind, receiver=self.partner))

    def comes(self, kind: str = "dialog-helsefaglig", how: str = "good", **said):
        """The peer sends our doctor a document; what it knows of the answer."""
        return self.partner.send(self.samples(kind, sender=self.partner, receiver=DOCTOR), how=how, **said)

    def stands(self, message_id: str, standing: str) -> None:
        """Waits until a message of the peer's own stands so in its eyes."""
        wanted = f"{message_id} at {standing}"
        eventually(lambda: self.partner.standing(message_id) == standing, 5, wanted)

    def trace(self, message_id: str) -> str:
        """All that the hub's journal says of a message."""
        return "\n".join(f"{e.event} {e.code} {e.because}" for e in self.hub.story(message_id).journal)


@pytest.fixture
def between(samhub_hub, samhub_partner, samhub_agreement, samhub_samples):
    """`between("hermes", sync=False)`: the peer and the hub hold the same CPA with these terms."""

    def make(peer, *, manner=REFERS, settings=None, **terms):
        partner = samhub_partner(peer=peer)
        file = samhub_agreement(partner, DOCTOR, **terms)
        hub = samhub_hub([partner], agreements=[file], manners={partner.her_id: manner}, settings=settings)
        return Between(hub, partner, samhub_samples)

    return make


# --- documents and their AppRecs


@BOTH
@EACH
def test_a_document_goes_out_and_its_apprec_comes_home(peer, sync, between):
    """Acknowledged and answered; the peer's AppRec is acknowledged in a form that it takes."""
    both = between(peer, sync=sync)

    message_id = both.out()

    assert both.hub.until(message_id, "done").apprec_status == "1"
    [received] = both.partner.received
    assert received.envelope.sync_reply == sync
    [apprec] = both.partner.partner.standing
    both.stands(apprec, "delivered")


@BOTH
@EACH
def test_a_document_comes_in_and_its_apprec_goes_out(peer, sync, between):
    """The peer takes our receipt for one, hands on nothing twice, and acknowledges our AppRec."""
    both = between(peer, sync=sync)

    sent = both.comes()

    both.stands(sent.message_id, "delivered")
    assert (sent.kind, sent.status) == (("acknowledgment", 200) if sync else ("empty", 202))
    epj = both.hub.epj(DOCTOR.her_id)
    epj.take_one()
    [apprec] = both.partner.await_received(1)
    assert apprec.document.kind == "apprec"
    eventually(lambda: all(d.state == "done" for d in both.hub.deliveries() if d.kind == "apprec"))


@BOTH
@EACH
def test_the_same_bytes_again_get_the_same_receipt(peer, sync, between):
    """ebMS 2.0 6.5.6: kept once, and the peer is content twice."""
    both = between(peer, sync=sync)

    sent = both.comes(how="duplicate")

    both.stands(sent.message_id, "delivered")
    assert len(both.hub.epj(DOCTOR.her_id).take()) == 1


@pytest.mark.parametrize("peer", ["ebms-core", "hermes"])
def test_the_form_of_the_receipt_is_learnt_from_the_partners_own(peer, between):
    """auto: once its Acknowledgment has named us in MessageData, ours name it there too."""
    both = between(peer, manner={}, sync=False)
    message_id = both.out()
    eventually(lambda: "Acknowledgment, signature proven" in both.trace(message_id), 10, "its receipt")

    sent = both.comes()

    both.stands(sent.message_id, "delivered")


# --- what is agreed of the header

TERMS = {
    "besteffort": {"sync": False, "ack": "never", "duplicates": "never"},
    "permessage": {"sync": False, "ack": "perMessage", "ack_signed": "perMessage", "duplicates": "perMessage"},
    "unsigned receipts": {"sync": False, "ack_signed": "never"},
    "another type": {"sync": False, "service_type": "kithService"},
    "no type": {"sync": False, "service_type": ""},
    "signals apart, in the exchange": {"sync": False, "signals_sync": True},
    "signals apart, by themselves": {"sync": True, "signals_sync": False},
    "not encrypted": {"sync": True, "encrypted": False},
}


@pytest.mark.parametrize("peer", ["ebms-core", "hermes"])
@pytest.mark.parametrize("terms", TERMS)
def test_the_header_is_written_as_agreed(peer, terms, between):
    """Both compare it with the agreement: whatever else is there is refused, and nothing of ours is."""
    both = between(peer, **TERMS[terms])

    message_id = both.out()

    both.hub.until(message_id, "done")
    assert "Inconsistent" not in both.trace(message_id) and "ValueNotRecognized" not in both.trace(message_id)


@pytest.mark.parametrize("peer", ["ebms-core", "hermes"])
@pytest.mark.parametrize("terms", TERMS)
def test_no_errorlist_goes_out_about_what_is_agreed(peer, terms, between):
    """Both take each ErrorList for a failure: a remark about what the agreement leaves free, or about form, is none of theirs."""
    both = between(peer, **TERMS[terms])
    agreed = TERMS[terms]

    sent = both.comes()

    both.hub.epj(DOCTOR.her_id).take_one()
    if agreed.get("ack", "always") == "never":
        assert sent.answer is None and not any(s.envelope.kind == "error" for s in both.partner.signals)
    else:
        both.stands(sent.message_id, "delivered")


# --- questions


@BOTH
@EACH
def test_the_peer_pings_the_hub(peer, sync, between):
    """Unsigned, of a known party under a known agreement: a Pong, in the exchange or by itself as signals are agreed."""
    both = between(peer, sync=sync)

    sent = both.partner.ping(DOCTOR.her_id)

    both.stands(sent.message_id, "delivered")
    assert sent.kind == ("pong" if sync else "empty")


@BOTH
@EACH
def test_the_peer_asks_what_became_of_its_message(peer, sync, between):
    """A StatusRequest, unsigned: Received or Processed; never about what others sent."""
    both = between(peer, sync=sync)
    sent = both.comes()

    asked = both.partner.ask(sent.message_id, DOCTOR.her_id)
    both.stands(asked.message_id, "delivered")
    unknown = both.partner.ask("nobody@nowhere", DOCTOR.her_id)
    both.stands(unknown.message_id, "delivered")

    assert both.partner.told(asked.message_id) in ("Received", "Processed")
    assert both.partner.told(unknown.message_id) == "NotRecognized"


@BOTH
@EACH
def test_the_hub_pings_the_peer(peer, sync, between):
    """`party check`: as the party that has the agreement, by its CPAId; a Pong may be unsigned, and may come by itself."""
    from ops.look.asking import Ways

    both = between(peer, sync=sync)

    found = both.hub.run(party.checked(both.partner.her_id, both.hub.built.kit, Ways(5, both.hub.url)))

    [ping] = [row for row in found if row[0] == "ping"]
    assert ping[1], ping


@BOTH
@EACH
def test_the_hub_asks_the_peer_what_became_of_a_message(peer, sync, between):
    """`message ask`: a StatusResponse, unsigned, in the exchange or by itself; it stands with the message and moves nothing."""
    from ops.look import status
    from ops.look.asking import Ways

    both = between(peer, sync=sync)
    message_id = both.out()
    both.hub.until(message_id, "done")

    [told] = both.hub.run(status.asked(message_id, "kari", both.hub.built.kit, Ways(5, both.hub.url)))

    assert (told.message_status, told.signed, told.by_itself) == ("Received", False, not sync)
    assert "Received" in both.trace(message_id)


# --- refusals


@BOTH
@pytest.mark.parametrize("peer", ["ebms-core", "hermes"])
def test_an_unsigned_refusal_moves_nothing_and_its_words_stand_with_the_message(peer, sync, between):
    """The peer's copy of the agreement is another: its code and words are shown, and nothing is called delivered."""
    both = between(peer, sync=sync)
    theirs = both.partner.partner
    [terms] = theirs.terms.values()
    theirs.become(theirs.manners, [replace(terms, duplicates="never")])

    message_id = both.out()

    words = "Agreement violation" if peer == "hermes" else "//Header/MessageHeader/DuplicateElimination"
    eventually(lambda: "Inconsistent" in both.trace(message_id), 5, "the partner's code")
    assert words in both.trace(message_id)
    assert both.hub.delivery(message_id).state == "sent"


def test_a_refusal_for_an_agreement_that_nobody_there_knows_ends_it(between):
    """ebms-core: a SOAP Fault of the client, so no resend helps; its words are shown."""
    both = between("ebms-core", sync=False)
    theirs = both.partner.partner
    theirs.become(theirs.manners, [replace(next(iter(theirs.terms.values())), cpa_id="another")])

    message_id = both.out()

    assert both.hub.until(message_id, "dead").code == "soap-fault"
    assert "not found" in both.trace(message_id)


@BOTH
def test_hermes_refuses_an_unknown_partnership_in_the_open_exchange(sync, between):
    """HTTP 200 and an unsigned SecurityFailure, also where receipts go by themselves: sent, not delivered, and its words stand there."""
    both = between("hermes", sync=sync)
    theirs = both.partner.partner
    theirs.become(theirs.manners, [replace(next(iter(theirs.terms.values())), cpa_id="another")])

    message_id = both.out()

    eventually(lambda: "Unauthorized Msg" in both.trace(message_id), 5, "the partner's words")
    assert both.hub.delivery(message_id).state == "sent"


@pytest.mark.parametrize("peer", ["ebms-core", "hermes"])
def test_a_receipt_that_the_peer_does_not_take_is_never_called_delivered(peer, between):
    """never: without RefToMessageId in MessageData ebms-core says 500 and nothing, hermes 200 and an unsigned MessageError."""
    both = between(peer, manner={"acknowledgment_refers": "never"}, sync=False)

    sent = both.comes()

    eventually(lambda: both.partner.signals, 5, "our receipt")
    [signal] = [d for d in eventually(both.hub.deliveries) if d.kind == "signal"]
    handed = both.hub.epj(DOCTOR.her_id).take_one()
    assert both.partner.standing(sent.message_id) == "waiting"
    eventually(lambda: both.hub.run(both.hub.built.store.attempts(signal.id))[0].ended_at, 5, "the first try")
    [signal] = [d for d in both.hub.deliveries() if d.id == signal.id]
    assert signal.state != "done"
    if peer == "hermes":
        eventually(lambda: "Unauthorized Msg" in both.trace(handed.message_id), 5, "the partner's words at the message")


def test_receipts_that_are_answered_by_500_hold_up_no_document(between):
    """ebms-core says 500 to two receipts, again and again: documents and AppRecs to it go out all the same."""
    both = between("ebms-core", manner={"acknowledgment_refers": "never"}, sync=False)
    for _ in range(2):
        both.comes()
    eventually(lambda: len(both.partner.signals) >= 6, 10, "receipts, tried again and again")

    sent = [both.out() for _ in range(4)]

    for message_id in sent:
        both.hub.until(message_id, "done")


@pytest.mark.parametrize("peer", ["ebms-core", "hermes"])
def test_what_is_agreed_to_be_confidential_never_goes_out_in_the_clear(
    peer, samhub_partner, samhub_agreement, samhub_hub, samhub_samples
):
    """isConfidential without an encapsulation that is done here (CPPA 2.0): nothing leaves that anybody can read."""
    partner = samhub_partner(peer=peer)
    file = samhub_agreement(partner, DOCTOR, sync=False, encrypted=False)
    asked = '<tp:BusinessTransactionCharacteristics tp:isConfidential="transient-and-persistent"/><tp:ChannelId>'
    file.write_text(file.read_text("utf-8").replace("<tp:ChannelId>", asked), "utf-8")
    hub = samhub_hub([partner], agreements=[file])
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples("dialog-helsefaglig", receiver=partner))

    hub.until_tried(message_id)

    assert hub.delivery(message_id).state != "done"
    assert not any(b"<MsgHead" in base64.b64decode(part) for r in partner.received for part in parts_of(r.body))


def parts_of(body):
    """The base64 of each part that came so."""
    return re.findall(rb"base64\r\n\r\n(.*?)\r\n--", body, re.S)


@BOTH
@pytest.mark.parametrize("peer", ["ebms-core", "hermes"])
@pytest.mark.parametrize(
    ("how", "said", "code"),
    [
        ("unsigned", {}, "SecurityFailure"),
        ("wrong-signature", {}, "SecurityFailure"),
        ("good", {"action": "NOBODY"}, "Inconsistent"),
        ("good", {"from_role": "Nobody"}, "Inconsistent"),
    ],
    ids=["unsigned", "wrong signature", "unknown action", "unknown role"],
)
def test_what_the_hub_refuses_the_peer_hears(peer, sync, how, said, code, between):
    """In the exchange or by itself as signals are agreed, also before the action's own agreement is found."""
    both = between(peer, sync=sync)

    sent = both.comes(how=how, **said)

    both.stands(sent.message_id, "failed")
    assert both.partner.told(sent.message_id).startswith(code)
    assert (sent.answer is not None) == sync
    assert both.hub.epj(DOCTOR.her_id).take() == []


def test_a_chain_in_a_receipt_is_taken_and_in_a_document_refused_with_a_hint(between):
    """KeyInfo has three certificates; the first is the registered one, by which the receipt is proven (HITS 1172 65, 103)."""
    both = between("hermes-chain", sync=False)

    message_id = both.out()
    both.hub.until(message_id, "acknowledged")
    sent = both.comes()

    both.stands(sent.message_id, "failed")
    arrivals = both.hub.run(both.hub.built.store.arrivals(ArrivalFilter(states=("refused",))))
    assert "KeyInfo" in arrivals[0].because
    assert "key store" in both.partner.told(sent.message_id)


@BOTH
def test_a_fault_with_http_200_is_a_fault(sync, between):
    """SOAP 1.1 6.2 asks for 500; what it says is the same."""
    both = between("hermes", sync=sync)
    both.partner.behave("soap-fault")

    assert both.hub.until(both.out(), "dead").code == "soap-fault"


def test_manners_can_be_put_together_by_name():
    """A peer's, single ones, and a peer's without one."""
    assert manners(["hermes", "-gzip"]) == PEERS["hermes"].manners - manners(["gzip"])
    with pytest.raises(ValueError, match="no peer and no manner is called corvus"):
        manners(["corvus"])


# --- where they are played


def test_the_simulator_plays_a_peer_by_name(samhub_pki, samhub_samples, tmp_path):
    """`samhub simulate --peer HER=NAME`: with the agreements of the site; the control interface can change it."""
    from ops.partner.serve import simulating

    async def steered(peers):
        async with simulating(found) as partners:
            for her_id, words in peers.items():
                _played(partners, her_id, words)
            return {her_id: (partner.manners, set(partner.terms)) for her_id, partner in partners.items()}

    found = site_with_an_agreement(samhub_pki, tmp_path)

    assert asyncio.run(steered({})) == {HER: (frozenset(), set())}
    assert asyncio.run(steered({HER: "hermes -gzip"})) == {HER: (manners(["hermes", "-gzip"]), {"agreed"})}
    with pytest.raises(ConfigurationError, match="no peer and no manner is called corvus"):
        asyncio.run(steered({HER: "corvus"}))
    with pytest.raises(ConfigurationError, match="no partner that is reached by HTTP"):
        asyncio.run(steered({"8009999": "hermes"}))


HER = "8009000"


def site_with_an_agreement(pki, folder):
    """A site with one partner on this machine, and a CPA with it."""
    [port] = free_ports(1)
    url = f"http://127.0.0.1:{port}/ebxml"
    site = write_site(folder / "site", pki.folder, [DOCTOR], [(partner_member(HER), url)])
    sides = (Side(DOCTOR.her_id, "http://hub.example/ebxml", b"", b""), Side(HER, url, b"", b""))
    (site.folder / "agreements" / "cpa.xml").write_text(cpa(Terms("agreed", DOCTOR.her_id), *sides), "utf-8")
    (site.folder / "agreements" / "none.xml").write_text("<nothing/>", "utf-8")
    return config.load(site.configuration)


def test_what_is_written_as_terms_is_read_as_terms():
    """The peer reads the CPA that the hub reads; nothing gets lost between."""
    for said in (*TERMS.values(), {"sync": True}, {"sync": False}):
        terms = Terms("agreed", DOCTOR.her_id, **said)
        sides = (
            Side(DOCTOR.her_id, "http://hub.example/ebxml", b"a", b"b"),
            Side(HER, "http://peer.example", b"c", b"d"),
        )

        read = Terms.read(etree.fromstring(cpa(terms, *sides)), HER)

        assert replace(read, certificates=frozenset(), encrypted=terms.encrypted) == terms
        assert read.certificates == {b"a", b"b"}


def test_every_manner_is_told_and_used():
    """A sentence for each; each peer is more than nothing; a manner that no peer has is one too many."""
    assert set(MANNERS) == set(Manner)
    assert set().union(*(kind.manners for kind in PEERS.values())) == set(Manner)
