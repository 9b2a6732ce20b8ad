"""Agreements as the national register gives them decide on the bus: what may be sent, over which queue, by whose keys (§3.4, §4.1).

The CPA is a real one, of 2016: its certificates have expired and nobody has their keys, so those of the example PKI stand in
their place, and it ends later. Everything else is as it was written.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography import x509

from hub import bus
from hub.formats import apprec_write
from ops.partner.aside import eventually
from ops.samples.make import Sample
from tests.amqp.conftest import OURS, THEIRS, MakeHub
from tests.amqp.dotnet import DotNet
from tests.amqp.letters import Hand
from tests.amqp.stage import quiet
from tests.amqp.test_questions import referring
from tests.unit.documents import read

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


# --- a receipt is agreed with what it is a receipt for (§2.5), whatever the agreement says of APPREC


@pytest.fixture
def without_apprec(
    bus_hub: MakeHub, standards: Path, samhub_pki: Any, samhub_samples: Any
) -> Callable[..., tuple[Any, Hand]]:
    """Makes a hub, without a broker, under the same CPA in which nobody thought of the receipts; and the party's hand."""
    text = (standards / "cpa/helsenorge/CPA_93253.xml").read_text("utf-8-sig")
    silent = re.sub(r'(?i)"apprec"', '"NOREC"', renewed(text, samhub_pki))

    def make(*unagreed: str) -> tuple[Any, Hand]:
        registry = {"unagreed_functions": list(unagreed)}
        hub = bus_hub(us=OURS, them=THEIRS, agreements=[silent], registry=registry)
        return hub, Hand.of(THEIRS.her_id, samhub_pki.folder / "partner")

    return make


def answered(document: bytes) -> bytes:
    """A positive AppRec about it, by its receiver."""
    about = read(document)
    how = {"version": "1.1", "role": "PRIM", "status": "1", "errors": (), "software": ("x", "1")}
    return apprec_write.write(about, apprec_id=str(uuid4()), now=datetime.now(UTC), receiver=about.receiver, **how)


@pytest.mark.parametrize(("unagreed", "function"), [((OTHER,), OTHER), ((), EKONTAKT)], ids=["without CPA", "by CPA"])
def test_what_answers_an_allowed_function_is_allowed(
    without_apprec, sample, samhub_pki, unagreed: tuple[str, ...], function: str
) -> None:
    """Out and home: the AppRec of what came in is sealed, and the AppRec of what was sent settles it."""
    hub, hand = without_apprec(*unagreed)
    certificate = samhub_pki.certificate("legesenter")
    letter = hand.write(sample(function), OURS.her_id, certificate, function)
    assert hub.run(bus.receive(letter.arrival("amqp_async"), hub.built.kit)).code == "accepted"
    hub.epj(OURS.her_id).take_one()
    [apprec] = [d for d in hub.deliveries() if d.kind == "apprec"]
    parcel = eventually(lambda: hub.run(hub.built.store.parcel(apprec.id)))
    assert parcel.headers["subject"] == "APPREC"

    own = sample(function, back=True)
    message_id = hub.epj(OURS.her_id).send(own, OURS.her_id)
    answer = answered(own)
    letter = hand.write(answer, OURS.her_id, certificate, "APPREC")
    assert hub.run(bus.receive(letter.arrival("amqp_async"), hub.built.kit)).code == "accepted"
    assert hub.delivery(message_id).state == "done"


def test_what_answers_a_function_that_is_not_allowed_is_refused(without_apprec, sample, samhub_pki) -> None:
    hub, hand = without_apprec()
    answer = answered(sample(OTHER, back=True))
    letter = hand.write(answer, OURS.her_id, samhub_pki.certificate("legesenter"), "APPREC")
    assert hub.run(bus.receive(letter.arrival("amqp_async"), hub.built.kit)).code == "bus-function"
