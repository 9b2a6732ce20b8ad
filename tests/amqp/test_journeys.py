"""Whole ways over a real broker between a hub and a record system of the other kind, which does not know the difference."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from lxml import etree

from hub.formats import apprec_write
from hub.formats import document as documents
from hub.formats.amqp_report import Condition
from ops.partner.aside import eventually
from ops.samples.make import Sample
from ops.servers.rabbitmq import VirtualHost
from tests.amqp.conftest import DOCTOR, PARTNER, MakeHub, queues
from tests.amqp.dotnet import SEALED, DotNet
from tests.amqp.stage import quiet
from tests.amqp.test_questions import referring

MakeParty = Callable[..., DotNet]
MakeSample = Callable[..., Sample]


@pytest.fixture
def sample(samhub_samples: MakeSample) -> MakeSample:
    """A document from the partner to the doctor: `sample()`; or back: `sample(back=True)`."""

    def make_one(kind: str = "dialog-helsefaglig", *, back: bool = False, **more: Any) -> Sample:
        ends = {"sender": DOCTOR, "receiver": PARTNER} if back else {"sender": PARTNER, "receiver": DOCTOR}
        return samhub_samples(kind, **{**ends, **more})

    return make_one


def posted(party: DotNet, hub: Any, document: bytes, queue: str = "8000201_async", **more: Any) -> str:
    """A message from the party to the doctor."""
    certificate = hub.pki.folder / "legesenter" / "encrypt.cert.pem"
    body = more.pop("body", None) or party.sealed(document, certificate, **more.pop("how", {}))
    return party.send(queue, body, DOCTOR.her_id, more.pop("function", "DIALOG_HELSEFAGLIG"), **more)


def test_a_message_comes_in_and_its_apprec_goes_back(on_bus: MakeHub, dotnet: MakeParty, sample: MakeSample, broker):
    """§4.1, §4.3, from their application to our record system and back."""
    hub, party, one = on_bus(), dotnet(), sample()
    posted(party, hub, one.document)

    assert hub.epj(DOCTOR.her_id).take_one().document == one.document

    apprec = party.must()
    assert (apprec.subject, apprec.address, apprec.reply_to) == ("APPREC", "8009001_async", "8000201_async")
    assert apprec.content_type == "application/pkcs7-mime; smime-type=signed-and-enveloped-data"
    assert apprec.correlation_id == apprec.id and apprec.ttl == 0
    assert (apprec.properties["fromHerId"], apprec.properties["toHerId"]) == (DOCTOR.her_id, PARTNER.her_id)
    root = etree.fromstring(party.open(apprec, hub.pki.folder / "legesenter" / "sign.cert.pem"))
    assert root.findtext("{*}OriginalMsgId/{*}Id") == one.msg_id
    assert root.find("{*}Status").get("V") == "1"
    (own,) = hub.deliveries(receivers=(PARTNER.her_id,))
    hub.until(own.message_id, "done")
    quiet(broker)


def test_a_message_goes_out_and_its_apprec_comes_home(on_bus: MakeHub, dotnet: MakeParty, sample: MakeSample, broker):
    """Nothing is green before the AppRec, also where the broker's word is all the transport receipt there is."""
    hub, party = on_bus(), dotnet()
    one = sample(back=True)
    message_id = hub.epj(DOCTOR.her_id).send(one)

    got = party.must()
    assert party.open(got, hub.pki.folder / "legesenter" / "sign.cert.pem") == one.document
    assert got.subject == "DIALOG_HELSEFAGLIG"
    assert got.properties["X-MessageInfo-MsgId"] == one.msg_id
    assert got.properties["enqueuedTimeUtc"]
    assert hub.until(message_id, "acknowledged").code == "bus-taken"

    posted(party, hub, apprec_for(one), function="APPREC")
    assert hub.until(message_id, "done").code == "apprec-ok"
    assert hub.epj(DOCTOR.her_id).told(message_id)[-1] == "MessageApprecInfoUpdated"
    quiet(broker)


# --- error reports, both ways


#: What is done to a message → errorCondition that its sender is told (§4.4).
WRONGS: dict[str, tuple[str, dict[str, Any]]] = {
    "without-function": ("transport:invalid-field-value", {"fields": {"subject": None}}),
    "without-time": ("transport:invalid-field-value", {"properties": {"applicationTimeStamp": None}}),
    "time-unreadable": ("transport:invalid-field-value", {"properties": {"applicationTimeStamp": "i går"}}),
    "not-ours": ("transport:invalid-field-value", {"properties": {"toHerId": "8777777"}}),
    "not-cms": ("transport:not-well-formed-xml", {"body": b"<MsgHead/>"}),
    "empty": ("transport:unsupported-message", {"body": b""}),
    "unsigned": ("transport:unsupported-message", {"fields": {"content_type": "text/plain"}}),
    "sha1": ("transport:unsupported-message", {"how": {"digest": "sha1"}}),
    "revoked": ("transport:revoked-certificate", {"keys": "partner-revoked"}),
    "expired": ("transport:expired-certificate", {"keys": "partner-expired"}),
    "wrong-purpose": ("transport:invalid-certificate", {"keys": "partner-wrong-purpose"}),
    "another-signer": ("transport:invalid-certificate", {"keys": "sykehus"}),
    "for-another": ("transport:invalid-certificate", {"encrypt_for": "sykehus"}),
    "no-xml": ("transport:not-well-formed-xml", {"content": b"dette er ikke XML"}),
    "spoofed": ("abuse:spoofing-attack", {"spoofed": True}),
}


def test_what_is_wrong_is_told_on_the_error_queue_of_who_sent_it(
    on_bus: MakeHub, dotnet: MakeParty, sample: MakeSample, broker: VirtualHost
):
    """§4.4, as the other library reads it: it would answer a report that lacks a field by another one."""
    hub, party = on_bus(), dotnet()
    told = {}
    for what, (_, how) in WRONGS.items():
        own = wrong(hub, party, sample, dict(how))
        report = party.must("error")
        told[what] = report.properties["errorCondition"]
        assert report.properties["originalMessageId"] == own, what
        assert report.properties["errorDescription"] and report.properties["receiverTimeStamp"], what
        assert (report.body, report.content_type) == (b"", SEALED), what
        assert report.properties["toHerId"] == PARTNER.her_id, what

    assert told == {what: condition for what, (condition, _) in WRONGS.items()}
    assert hub.epj(DOCTOR.her_id).take() == []
    quiet(broker)


def wrong(hub: Any, party: DotNet, sample: MakeSample, how: dict[str, Any]) -> str:
    """Sends it; its message-id."""
    document = how.pop("content", None) or sample(back=how.pop("spoofed", False)).document
    keys = hub.pki.folder / how.pop("keys", "partner")
    encrypt_for = hub.pki.folder / how.pop("encrypt_for", "legesenter") / "encrypt.cert.pem"
    sealed = party.sealed(document, encrypt_for, keys, **how.pop("how", {}))
    return party.send("8000201_async", how.pop("body", sealed), DOCTOR.her_id, "DIALOG_HELSEFAGLIG", **how)


def test_an_older_cipher_is_opened_where_the_settings_let_it(on_bus: MakeHub, dotnet: MakeParty, sample: MakeSample):
    """§3.2: peers before 5.0.2 on .NET Framework."""
    hub, party, one = on_bus(), dotnet(), sample()
    posted(party, hub, one.document, how={"cipher": "-des3"})
    assert hub.epj(DOCTOR.her_id).take_one().document == one.document


def test_what_they_report_refuses_what_we_sent_and_is_never_answered(
    on_bus: MakeHub, dotnet: MakeParty, sample: MakeSample, broker: VirtualHost
):
    """§4.4: copies with properties added, or fresh ones without a content type, which other readers answer by an error."""
    hub, party = on_bus(), dotnet()
    for condition in Condition:
        for fresh in (False, True):
            message_id = hub.epj(DOCTOR.her_id).send(sample(back=True))
            party.report("8000201_error", party.must(), condition, "noe er galt", ["a", "b"], fresh=fresh)

            assert hub.until(message_id, "rejected").because == f"{condition} noe er galt a;b"
            assert hub.epj(DOCTOR.her_id).told(message_id)[-1] == "MessageDeliveryStateUpdated"
    quiet(broker)
    assert {d.kind for d in hub.deliveries()} == {"business"}


# --- synchronous questions


def test_we_are_asked_and_answer_within_the_time(
    on_bus: MakeHub, dotnet: MakeParty, sample: MakeSample, broker: VirtualHost
):
    """§4.2: to the queue that was named, under its correlation, with ttl and without reply-to."""
    hub, party, one = on_bus(hub={"sync_seconds": 15}), dotnet(), sample()
    fields = {"reply_to": "8009001_syncreply"}
    asked = posted(party, hub, one.document, "8000201_sync", fields=fields, ttl=15_000)
    hub.epj(DOCTOR.her_id).take_one()
    answer = referring(sample(back=True).document, one.msg_id)
    hub.epj(DOCTOR.her_id).send(answer, DOCTOR.her_id)

    got = party.must("syncreply")
    assert (got.correlation_id, got.reply_to, got.subject, got.ttl) == (asked, None, "DIALOG_HELSEFAGLIG", 15_000)
    assert party.open(got, hub.pki.folder / "legesenter" / "sign.cert.pem") == answer
    assert (got.properties["fromHerId"], got.properties["toHerId"]) == (DOCTOR.her_id, PARTNER.her_id)
    quiet(broker)


def asking(on_bus: MakeHub, **more: Any) -> Any:
    """A hub whose partner is asked synchronously."""
    return on_bus({PARTNER.her_id: {"endpoint": f"amqp+sync:{queues('8009001')['amqp_sync']}"}}, **more)


def test_we_ask_and_are_answered(on_bus: MakeHub, dotnet: MakeParty, sample: MakeSample, broker: VirtualHost):
    """§4.2: the answer settles the question, and is handed to who asked."""
    hub, party = asking(on_bus, hub={"sync_seconds": 15}), dotnet()
    message_id = hub.epj(DOCTOR.her_id).send(sample(back=True))
    question = party.must("sync")
    assert (question.reply_to, question.ttl) == ("8000201_syncreply", 15_000)
    assert question.correlation_id == question.id

    answer = sample().document
    fields = {"correlation_id": question.correlation_id, "reply_to": None}
    posted(party, hub, answer, question.reply_to, fields=fields, ttl=15_000)

    assert hub.until(message_id, "done").because == "answered"
    assert hub.epj(DOCTOR.her_id).take_one().document == answer
    quiet(broker)


def test_a_question_without_an_answer_is_over_after_its_time_and_a_late_one_is_noted(
    on_bus: MakeHub, dotnet: MakeParty, sample: MakeSample, broker: VirtualHost
):
    """§4.2: who asked is told at once; what comes afterwards is kept for people, and settles nothing."""
    hub, party = asking(on_bus, hub={"sync_seconds": 2}), dotnet()
    message_id = hub.epj(DOCTOR.her_id).send(sample(back=True))
    question = party.must("sync")
    found = hub.until(message_id, "dead")
    assert (found.code, found.handed_over) == ("sync-timed-out", 1)
    assert hub.epj(DOCTOR.her_id).told(message_id)[-1] == "MessageDeliveryStateUpdated"

    posted(party, hub, sample().document, question.reply_to, fields={"correlation_id": question.correlation_id})
    eventually(lambda: "sync-late" in [e.code for e in hub.story(message_id).journal])
    assert hub.delivery(message_id).state == "dead"
    assert hub.epj(DOCTOR.her_id).take() == []
    quiet(broker)


# --- agreements and keys that change


def test_what_waited_from_before_the_new_certificates_is_opened_all_the_same(
    on_bus: MakeHub, dotnet: MakeParty, sample: MakeSample, samhub_pki: Any, tmp_path: Path
):
    """§3.6: encrypted for our old certificate, or signed with their old or new one."""
    keys = tmp_path / "keys"
    shutil.copytree(samhub_pki.folder / "legesenter", keys)
    old, new = samhub_pki.folder / "legesenter", samhub_pki.folder / "fysioterapi"
    for use in ("key", "cert"):
        shutil.copy(old / f"encrypt.{use}.pem", keys / f"encrypt.2020.{use}.pem")
        shutil.copy(new / f"encrypt.{use}.pem", keys / f"encrypt.{use}.pem")
    signers = [str(samhub_pki.folder / name / "sign.cert.pem") for name in ("partner", "sykehus")]
    hub = on_bus({DOCTOR.her_id: {"keys": str(keys)}, PARTNER.her_id: {"signing_certificates": signers}})
    party, doctor = dotnet(), hub.epj(DOCTOR.her_id)
    for encrypted_for in (old, new):
        for signs in ("partner", "sykehus"):
            one = sample()
            body = party.sealed(one.document, encrypted_for / "encrypt.cert.pem", samhub_pki.folder / signs)
            party.send("8000201_async", body, DOCTOR.her_id, "DIALOG_HELSEFAGLIG")
            assert doctor.take_one().document == one.document


def apprec_for(one: Sample, status: str = "1") -> bytes:
    """The partner's AppRec about a document of ours."""
    read = documents.read(etree.fromstring(one.document))
    return apprec_write.write(
        read,
        version="1.0",
        apprec_id=str(uuid4()),
        now=datetime.now(UTC),
        receiver=read.receiver,
        role="PRIM",
        status=status,
        errors=(),
        software=("Annet system", "1"),
    )
