"""Whole ways over a real broker between a hub and a record system of the other kind, which does not know the difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree

from ops.samples.make import Sample
from tests.amqp.conftest import DOCTOR, PARTNER, MakeHub
from tests.amqp.dotnet import DotNet
from tests.amqp.stage import quiet

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


def apprec_for(one: Sample, status: str = "1") -> bytes:
    """The partner's AppRec, as any template has it."""
    return apprec_bytes(one.document, status)


def apprec_bytes(document: bytes, status: str) -> bytes:
    from datetime import UTC, datetime
    from uuid import uuid4

    from hub.formats import document as documents
    from hub.formats.apprec_write import write

    read = documents.read(etree.fromstring(document))
    return write(
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
