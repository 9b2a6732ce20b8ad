"""Under a CPA with a channel for each action, and others for signals: receipts are proven, and answers find their way."""

from __future__ import annotations

import pytest

from ops.partner.aside import eventually
from ops.sector import SECTOR
from tests.support.agreements import Side
from tests.support.channels import Carrier, Channels, cpa

DOCTOR = SECTOR[1]
CPA = "kanaler:1"


@pytest.fixture
def meeting(samhub_hub, samhub_partner, samhub_pki, tmp_path):
    """Makes a hub with such a CPA: (hub, partner, where the partner takes signals)."""

    def met(mode="none", behaviour="good", signals="partner"):
        partner, elsewhere = samhub_partner(behaviour=behaviour), samhub_partner()
        for one in (partner, elsewhere):
            one.partner._asking = under(one.partner._asking)
        theirs = Side(partner.her_id, samhub_pki.certificate("partner", "sign"), samhub_pki.certificate("partner"))
        ours = Side(DOCTOR.her_id, samhub_pki.certificate("legesenter", "sign"), samhub_pki.certificate("legesenter"))
        other = samhub_pki.certificate("kommune", "sign")  # nobody's here
        channels = Channels(
            Carrier(mode, other if signals == "partner" else theirs.signing, address=partner.url),
            Carrier(mode, theirs.signing, address=elsewhere.url),
        )
        own = Channels(Carrier(mode), Carrier(mode))
        (tmp_path / "cpa.xml").write_text(cpa(CPA, theirs, ours, channels, own), "utf-8")
        return samhub_hub([partner], agreements=[tmp_path / "cpa.xml"], times="sector"), partner, elsewhere

    return met


def under(asking):
    """The header of a question, under the CPA."""
    from dataclasses import replace

    return lambda to, action: replace(asking(to, action), cpa_id=CPA)


@pytest.mark.parametrize(("mode", "behaviour"), [("mshSignalsOnly", "good"), ("none", "late-acknowledgment")])
def test_a_receipt_is_proven_by_the_channel_of_signals(mode, behaviour, meeting, samhub_samples):
    """The action's channel has another certificate: in the same exchange or by itself, the receipt counts."""
    hub, partner, _ = meeting(mode, behaviour)
    letter = samhub_samples("dialog-helsefaglig", sender=DOCTOR, receiver=partner)

    message_id = hub.epj(DOCTOR.her_id).send(letter)

    eventually(lambda: "acknowledged" in hub.events(message_id))
    assert len(partner.received) == 1
    assert "receipt-unproven" not in {e.code for e in hub.story(message_id).journal}


@pytest.mark.parametrize("question", ["ping", "ask"])
def test_an_answer_travels_by_itself_to_the_channel_of_signals(question, meeting):
    """syncReplyMode none, no SyncReply: HTTP 202, and the Pong or StatusResponse comes where signals are taken."""
    hub, partner, elsewhere = meeting(signals="elsewhere")

    answer = partner.ping(DOCTOR.her_id) if question == "ping" else partner.ask("ukjent", DOCTOR.her_id)

    assert (answer.status, answer.body) == (202, b"")
    [signal] = eventually(lambda: elsewhere.signals)
    assert signal.envelope.kind == ("pong" if question == "ping" else "status_response")
    assert len(signal.references) == 1 and partner.signals == []
    [delivery] = eventually(lambda: [d for d in hub.deliveries(states=("done",)) if d.kind == "signal"])
    assert delivery.rule == "built-in: questions"


def test_an_answer_that_nobody_takes_is_no_dead_letter(meeting):
    """Who asked and hears nothing asks again: it is tried once, and waits for no person."""
    hub, partner, elsewhere = meeting(signals="elsewhere")
    elsewhere.behave("down")

    partner.ping(DOCTOR.her_id)

    [delivery] = eventually(lambda: hub.deliveries(states=("discarded",)))
    assert (delivery.kind, delivery.code, delivery.attempts) == ("signal", "connect-failed", 1)
    assert hub.count("dead") == 0


@pytest.mark.parametrize("by", ["http", "mail"])
def test_a_type_of_any_letters_goes_out_and_is_answered(samhub_hub, samhub_partner, samhub_samples, by):
    """MsgInfo/Type is the sender's to choose: it becomes eb:Action, and in a mail the Subject, on one line."""
    partner = samhub_partner(by=by)
    hub = samhub_hub([partner])
    for written in ("Legeerklæring ved arbeidsuførhet", "EPIKRISE&#13;&#10;X-Injected: ja", "E" * 1_200):
        sample = samhub_samples("dialog-helsefaglig", receiver=partner)
        document = sample.document.decode().replace('V="DIALOG_HELSEFAGLIG"', f'V="{written}"', 1)
        message_id = hub.epj(DOCTOR.her_id).send(document.encode(), DOCTOR.her_id)
        hub.until(message_id, "done")
