"""`samhub party check` and `samhub message ask`: a partner is asked as agreed, and whatever form its answer has is heard."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import aiohttp
import pytest
from aiohttp import web

from hub.errors import NotFound
from hub.formats import envelope_write
from ops.look import party, status
from ops.look.asking import Ways
from ops.partner import wire
from ops.partner.aside import eventually
from ops.sector import SECTOR
from tests.support.agreements import Side
from tests.support.channels import Carrier, Channels, cpa

NURSING, DOCTOR, *_ = SECTOR
CPA = "spor:1"
CAME = datetime(2026, 11, 30, 12, tzinfo=UTC)


class Peer:
    """Another message handler, which answers Ping and StatusRequest in every way that was seen."""

    def __init__(self, keys):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/msh"
        self.keys, self.how, self.status, self.hub_url = keys, "signed", "Received", ""
        self.asked, self._later = [], set()

    async def start(self):
        application = web.Application()
        application.router.add_post("/msh", self._post)
        self.runner = web.AppRunner(application)
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", self.port).start()

    async def _post(self, request):
        received = wire.read(dict(request.headers), await request.read(), self.keys.decryption)
        if received.envelope.kind == "business":
            written = wire.acknowledgment(received, self.keys.signing, "kvittering", datetime.now(UTC))
            return web.Response(body=written.body, headers=dict(written.headers))
        self.asked.append(received)
        if self.how == "silent":
            return web.Response(status=204)
        if self.how == "fault":
            fault = (
                '<S:Envelope xmlns:S="http://schemas.xmlsoap.org/soap/envelope/"><S:Body><S:Fault><faultcode>S:Server'
            )
            return web.Response(status=500, text=f"{fault}</faultcode></S:Fault></S:Body></S:Envelope>")
        if self.how == "page":
            return web.Response(text="<html>Tomcat</html>", content_type="text/html")
        written = self._answer(received)
        if self.how.endswith("by itself"):
            task = asyncio.create_task(self._by_itself(written))
            self._later.add(task)
            return web.Response(status=204)
        return web.Response(body=written.body, headers=dict(written.headers))

    def _answer(self, received):
        now, key = datetime.now(UTC), self.keys.signing
        if self.how == "error":
            text = {"severity": "Error", "code": "Inconsistent", "text": "Agreement violation"}
            return wire.without_signature(wire.message_error(received, key, "feil", now, **text))
        if received.envelope.kind == "ping":
            written = wire.pong(received, key, "pong", now)
        else:
            header = wire.reply_header(received, "StatusResponse", "svar", now, refers=True)
            at = CAME if self.status in status.HAS_IT else None
            about = received.envelope.ref_to_message_id
            written = wire.signal(envelope_write.status_response(header, about, self.status, at), key)
        if self.how.startswith("unsigned"):
            return wire.without_signature(written)
        return wire.broken_value(written) if self.how.startswith("broken") else written

    async def _by_itself(self, written):
        await asyncio.sleep(0.3)
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.hub_url, data=written.body, headers=dict(written.headers)) as answer,
        ):
            assert (answer.status, await answer.read()) == (200, b"")


@pytest.fixture
def peer(samhub_pki):
    return Peer(samhub_pki.partner_keys)


@pytest.fixture
def meeting(samhub_hub, samhub_partner, samhub_pki, peer, tmp_path):
    """Makes a hub whose second party has a CPA with a partner at the peer's address: (hub, partner)."""

    def met(mode="none", address=""):
        partner = samhub_partner()
        theirs = Side(partner.her_id, samhub_pki.certificate("partner", "sign"), samhub_pki.certificate("partner"))
        ours = Side(DOCTOR.her_id, samhub_pki.certificate("legesenter", "sign"), samhub_pki.certificate("legesenter"))
        carrier = Carrier(mode, address=address or peer.url)
        own = Channels(Carrier(mode), Carrier(mode))
        (tmp_path / "cpa.xml").write_text(cpa(CPA, theirs, ours, Channels(carrier, carrier), own), "utf-8")
        hub = samhub_hub([partner], agreements=[tmp_path / "cpa.xml"])
        hub.run(peer.start())
        peer.hub_url = f"{hub.url}/ebxml"
        return hub, partner

    return met


def ways(hub, seconds=5):
    return Ways(seconds, hub.url)


#: How the peer answers → whether that is good, and words of it, for a Ping.
PINGED = {
    "signed": (True, "HTTP 200, answered by a proven Pong"),
    "unsigned": (True, "HTTP 200, answers, unsigned: Pong"),
    "broken": (False, "answered by Pong, which is not proven"),
    "signed by itself": (True, "by itself, answered by a proven Pong"),
    "unsigned by itself": (True, "by itself, answers, unsigned: Pong"),
    "silent": (False, "taken (HTTP 204), its answer comes by itself: none has come within 1 s"),
    "broken by itself": (False, "none has come within 1 s"),
    "error": (False, "answers, unsigned: MessageError (Inconsistent Agreement violation)"),
    "fault": (False, "HTTP 500, a SOAP Fault (Server)"),
    "page": (False, "nothing that can be read as ebXML"),
}


@pytest.mark.parametrize("how", PINGED)
def test_a_ping_is_asked_as_agreed_and_its_answer_heard(how, meeting, peer):
    """By the party that has an agreement, under its CPAId, at its address; a Pong is no proof of content (ebMS 2.0 8)."""
    hub, partner = meeting()
    peer.how = how
    good, words = PINGED[how]

    looked = hub.run(party.checked(partner.her_id, hub.built.kit, ways(hub, 5 if good else 1)))

    assert (looked[-1][:2], words in looked[-1][2]) == (("ping", good), True), looked[-1]
    [ping] = peer.asked
    assert (ping.from_her, ping.to_her, ping.envelope.cpa_id) == (DOCTOR.her_id, partner.her_id, CPA)
    assert ping.references and not ping.envelope.sync_reply


@pytest.mark.parametrize(("mode", "written"), [("none", False), ("mshSignalsOnly", True)])
def test_sync_reply_is_asked_for_where_it_is_agreed(mode, written, meeting, peer):
    """ebMS 2.0 4.3: who looks at SyncReply alone answers in the exchange only then; it is outside the signature."""
    hub, partner = meeting(mode)
    assert hub.run(party.checked(partner.her_id, hub.built.kit, ways(hub)))[-1][1]
    assert peer.asked[0].envelope.sync_reply is written


def test_without_a_hub_that_runs_nobody_can_hear_what_comes_by_itself(meeting, peer):
    """Told so, at once; the line works as far as it can be seen."""
    hub, partner = meeting()
    peer.how = "silent"
    looked = hub.run(party.checked(partner.her_id, hub.built.kit, Ways(5, "http://127.0.0.1:9")))
    text = "taken (HTTP 204), its answer comes by itself: no hub runs here that could hear it; see: samhub serve"
    assert looked[-1] == ("ping", True, text)


def test_a_partner_that_is_reached_by_mail_is_not_pinged(samhub_hub, samhub_partner):
    """Said in words: its Pong would come as mail, whenever."""
    partner = samhub_partner(by="mail")
    hub = samhub_hub([partner])
    looked = hub.run(party.checked(partner.her_id, hub.built.kit, ways(hub)))
    assert looked[-1] == ("ping", False, f"{partner.url} cannot be pinged over HTTP")


# --- message ask

#: How the peer answers, and with what → (good, messageStatus, signed, by itself, code at the message).
TOLD = {
    "signed": ("Received", True, True, False, "status-told"),
    "unsigned": ("Processed", True, False, False, "status-told"),
    "signed by itself": ("Forwarded", True, True, True, "status-told"),
    "unsigned by itself": ("Received", True, False, True, "status-told"),
    "signed NotRecognized": ("NotRecognized", False, True, False, "status-told"),
    "unsigned by itself UnAuthorized": ("UnAuthorized", False, False, True, "status-told"),
    "broken": ("", False, False, False, "status-unknown"),
    "silent": ("", False, False, False, "status-unknown"),
    "error": ("", False, False, False, "status-unknown"),
    "fault": ("", False, False, False, "status-unknown"),
}


@pytest.mark.parametrize("how", TOLD)
def test_a_partner_is_asked_what_became_of_a_message(how, meeting, peer, samhub_samples):
    """By the MessageId that it got, signed; what it says stands in the message's journal and moves nothing."""
    hub, partner = meeting("mshSignalsOnly")
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples("dialog-helsefaglig", sender=DOCTOR, receiver=partner))
    hub.until(message_id, "acknowledged")
    word, good, signed, itself, code = TOLD[how]
    peer.how, peer.status = how.removesuffix(f" {word}"), word

    [found] = hub.run(status.asked(message_id, "kari", hub.built.kit, ways(hub, 5 if word else 1)))

    delivery = hub.delivery(message_id)
    assert (found.message_status, found.good, found.signed, found.by_itself) == (word, good, signed, itself), found
    assert found.timestamp == (CAME if good else None)
    [question] = peer.asked
    assert (question.envelope.ref_to_message_id, question.envelope.cpa_id) == (delivery.eb_message_id, CPA)
    assert (question.envelope.kind, bool(question.references)) == ("status_request", True)
    asked, told = [e for e in hub.story(message_id).journal if e.code.startswith("status-")]
    assert (asked.event, asked.actor, told.code) == ("asked", "kari", code)
    assert delivery.state == "acknowledged"


def test_what_cannot_be_asked_about_says_why(samhub_hub, samhub_partner, samhub_samples):
    """A document within the house, one that was never sent, one that nobody knows."""
    partner = samhub_partner()
    hub = samhub_hub([partner], local=[NURSING, DOCTOR])
    inside = hub.epj(DOCTOR.her_id).send(samhub_samples(sender=DOCTOR, receiver=NURSING))
    [found] = hub.run(status.asked(inside, "kari", hub.built.kit, ways(hub)))
    assert not found.good and "it went to no partner's message handler" in found.because
    came = partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR)).message_id
    [found] = hub.run(status.asked(came, "kari", hub.built.kit, ways(hub)))
    assert not found.good and "it went to no partner's message handler" in found.because
    with pytest.raises(NotFound):
        hub.run(status.asked("ukjent", "kari", hub.built.kit, ways(hub)))


def test_a_partner_is_asked_by_mail_and_answers_by_mail(samhub_hub, samhub_partner, samhub_samples):
    """The question waits for the hub that mails; what comes back is heard, and stands with the message."""
    partner = samhub_partner(by="mail")
    hub = samhub_hub([partner])
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    hub.until(message_id, "done")
    with ThreadPoolExecutor() as beside:
        asking = beside.submit(hub.run, status.asked(message_id, "kari", hub.built.kit, ways(hub, 20)))
        [question] = eventually(lambda: [s for s in partner.signals if s.envelope.kind == "status_request"])
        about = question.envelope.ref_to_message_id
        header = wire.reply_header(question, "StatusResponse", "svar-paa-mail", datetime.now(UTC), refers=True)
        written = envelope_write.status_response(header, about, "Processed", CAME)
        partner.post(wire.signal(written, partner.partner.keys.signing))
        [found] = asking.result()
    assert (found.message_status, found.signed, found.by_itself, found.timestamp) == ("Processed", True, True, CAME)
    assert about == hub.delivery(message_id).eb_message_id


def test_a_partner_that_is_not_there_has_told_nothing(meeting, peer, samhub_samples):
    hub, partner = meeting("mshSignalsOnly")
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples("dialog-helsefaglig", sender=DOCTOR, receiver=partner))
    hub.until(message_id, "acknowledged")
    hub.run(peer.runner.cleanup())
    [found] = hub.run(status.asked(message_id, "kari", hub.built.kit, ways(hub)))
    assert not found.good and "no answer" in found.because


# --- being asked by mail


def test_a_question_that_comes_by_mail_is_answered_by_mail(samhub_hub, samhub_partner):
    """The exchange is over when it is read: Pong and StatusResponse come as mail of their own."""
    partner = samhub_partner(by="mail")
    samhub_hub([partner])
    assert partner.ping(DOCTOR.her_id).status == 250
    assert eventually(lambda: [s for s in partner.signals if s.envelope.kind == "pong"])
    assert partner.ask("ukjent", DOCTOR.her_id).status == 250
    [told] = eventually(lambda: [s for s in partner.signals if s.envelope.kind == "status_response"])
    assert (told.envelope.status, len(told.references)) == ("NotRecognized", 1)


def test_above_the_bound_a_mail_gets_nothing(samhub_hub, samhub_partner):
    """Another mail about it would be one more that asking makes us write."""
    partner = samhub_partner(by="mail")
    hub = samhub_hub([partner], settings={"hub": {"questions_per_minute": 1}})
    for _ in range(3):
        partner.ping(DOCTOR.her_id)
    eventually(lambda: [e for e in hub.run(hub.built.store.journal()) if e.code == "asked-too-often"])
    eventually(lambda: not hub.deliveries(states=("waiting", "sent")))
    assert [s.envelope.kind for s in partner.signals] == ["pong"]
