"""Agreements as the national register gives them decide on the bus: what may be sent, over which queue, by whose keys (§3.4, §4.1).

The CPA is a real one, of 2016: its certificates have expired and nobody has their keys, so those of the example PKI stand in
their place, and it ends later. Everything else is as it was written.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from ops.samples.make import Sample
from tests.amqp.conftest import OURS, THEIRS, MakeHub
from tests.amqp.dotnet import DotNet
from tests.amqp.stage import quiet
from tests.amqp.test_questions import referring

ID = "9333f3de-e85c-4c26-9066-6800055b1b8e"
EKONTAKT, QUESTION, OTHER = "DIALOG_INNBYGGER_EKONTAKT", "DIALOG_INNBYGGER_TEST", "DIALOG_HELSEFAGLIG"


def renewed(written: str, pki: Any) -> str:
    """The CPA with keys that somebody has, and a later end."""
    before, *parties = re.split(r"(?=<(?:\w+:)?PartyInfo)", written)
    owners = {OURS.her_id: "legesenter", THEIRS.her_id: "partner"}
    changed = [_with_keys(party, pki, next(o for her, o in owners.items() if f">{her}<" in party)) for party in parties]
    return re.sub(r"(<(?:\w+:)?End>)[^<]*", r"\g<1>2099-01-01T00:00:00Z", before) + "".join(changed)


def _with_keys(party: str, pki: Any, owner: str) -> str:
    """The certificate of the same use in place of each."""

    def replaced(found: re.Match[str]) -> str:
        old = x509.load_der_x509_certificate(base64.b64decode("".join(found.group(2).split())))
        usage = old.extensions.get_extension_for_class(x509.KeyUsage).value
        der = pki.certificate(owner, "sign" if usage.content_commitment else "encrypt")
        return found.group(1) + base64.b64encode(der).decode()

    return re.sub(r"(<(?:\w+:)?X509Certificate[^>]*>)([^<]+)", replaced, party)


@pytest.fixture
def agreed(on_bus: MakeHub, dotnet: Callable[..., DotNet], standards: Path, samhub_pki: Any) -> tuple[Any, DotNet]:
    """A hub and a party that have this CPA; the party file knows queues and nothing else of the other."""
    text = (standards / "cpa/helsenorge/CPA_93253.xml").read_text("utf-8-sig")
    hub = on_bus(us=OURS, them=THEIRS, agreements=[renewed(text, samhub_pki)])
    return hub, dotnet(THEIRS)


@pytest.fixture
def sample(samhub_samples: Callable[..., Sample]) -> Callable[..., bytes]:
    """A document of a function, to us or from us; its MsgId is what it is asked to be."""

    def make(function: str, *, back: bool = False, **more: Any) -> bytes:
        ends = {"sender": OURS, "receiver": THEIRS} if back else {"sender": THEIRS, "receiver": OURS}
        return samhub_samples("dialog-helsefaglig", **ends, **more).document.replace(OTHER.encode(), function.encode())

    return make


def sent(hub: Any, party: DotNet, document: bytes, function: str, queue: str = "93238_async", **more: Any) -> str:
    """By the party, under the CPA."""
    body = party.sealed(document, hub.pki.folder / "legesenter" / "encrypt.cert.pem")
    return party.send(queue, body, OURS.her_id, function, properties={"cpaId": ID}, **more)


def test_what_is_agreed_comes_in_and_is_answered_under_the_same_agreement(agreed, sample, broker):
    """§2.2: cpaId on what we send, since an agreement was used."""
    hub, party = agreed
    sent(hub, party, sample(EKONTAKT), EKONTAKT)

    assert hub.epj(OURS.her_id).take_one().document
    apprec = party.must()
    assert (apprec.subject, apprec.properties["cpaId"]) == ("APPREC", ID)
    assert party.open(apprec, hub.pki.folder / "legesenter" / "sign.cert.pem")
    quiet(broker)


def test_what_is_not_agreed_is_refused_in_both_directions(agreed, sample):
    """§4.1: no send; and left to the application by the library, what comes."""
    hub, party = agreed
    sent(hub, party, sample(OTHER), OTHER)
    assert party.must("error").properties["errorCondition"] == "transport:unsupported-message"

    message_id = hub.epj(OURS.her_id).send(sample(OTHER, back=True), OURS.her_id)
    assert hub.until(message_id, "dead").code == "bus-function"
    assert hub.epj(OURS.her_id).take() == []


def test_an_agreement_that_is_not_known_does_not_stand_in_the_way(agreed, sample):
    """§3.4 step 1, §8 of 2023."""
    hub, party = agreed
    body = party.sealed(sample(EKONTAKT), hub.pki.folder / "legesenter" / "encrypt.cert.pem")
    unknown = {"cpaId": "11111111-2222-3333-4444-555555555555"}
    party.send("93238_async", body, OURS.her_id, EKONTAKT, properties=unknown)

    assert hub.epj(OURS.her_id).take_one().document


def test_whether_it_is_a_question_stands_in_the_agreement(agreed, sample, broker):
    """§4.2, §5.2: the channel of the function says so; the queue is the registered one, not that of the CPA (§0.14)."""
    hub, party = agreed
    message_id = hub.epj(OURS.her_id).send(sample(EKONTAKT, back=True), OURS.her_id)
    assert party.must("async").subject == EKONTAKT
    assert hub.until(message_id, "acknowledged").apprec_due_at is not None

    asked = hub.epj(OURS.her_id).send(sample(QUESTION, back=True), OURS.her_id)
    question = party.must("sync")
    assert (question.subject, question.reply_to, question.properties["cpaId"]) == (QUESTION, "93238_syncreply", ID)
    fields = {"correlation_id": question.correlation_id, "reply_to": None}
    sent(hub, party, sample(QUESTION), QUESTION, question.reply_to, fields=fields)
    assert hub.until(asked, "done").because == "answered"
    quiet(broker)


def test_we_are_asked_under_the_agreement_and_answer_under_it(agreed, sample, broker):
    """§2.5: the answer keeps the function of the question."""
    hub, party = agreed
    msg_id = "0a1b2c3d-0000-4000-8000-00000000abcd"
    question = sample(QUESTION, msg_id=msg_id)
    sent(hub, party, question, QUESTION, "93238_sync", fields={"reply_to": "93253_syncreply"}, ttl=15_000)
    assert hub.epj(OURS.her_id).take_one().document == question
    hub.epj(OURS.her_id).send(referring(sample(QUESTION, back=True), msg_id), OURS.her_id)

    answer = party.must("syncreply")
    assert (answer.subject, answer.properties["cpaId"]) == (QUESTION, ID)
    quiet(broker)
