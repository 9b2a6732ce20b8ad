"""Every operation, in both versions and both ways of proving who calls, by zeep; documents come back byte for byte."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx
import pytest
import zeep
from zeep.exceptions import Fault
from zeep.transports import AsyncTransport

from hub.formats import apprec as apprecs
from hub.formats import xml
from tests.soap.stand import ENVELOPES, NURSES, Proof, Stand, Version
from tests.support.world import DOCTOR, NURSING

SENDER, RECEIVER = int(DOCTOR.her_id), int(NURSING.her_id)


@pytest.mark.parametrize("proof", ["basic", "token"])
@pytest.mark.parametrize("version", ENVELOPES)
def test_a_message_from_end_to_end(stand: Stand, version: Version, proof: Proof) -> None:
    """Sent, listed, fetched, confirmed, answered, followed: what each side is told."""
    doctor, nurse = (stand.client(version, proof, system).service for system in ("legesenter", NURSES))
    sample = stand.document()
    before = _events(doctor, SENDER)[-1:]

    who = nurse.Ping()
    assert (who.system, RECEIVER in who.herId) == (NURSES, True)
    sent = doctor.SubmitMessage(senderHerId=SENDER, receiverHerId=[RECEIVER], document=sample.document)
    assert (sent.businessDocumentId, sent.duplicate) == (sample.msg_id, False)
    again = doctor.SubmitMessage(senderHerId=SENDER, document=sample.document)
    assert (again.messageId, again.duplicate) == (sent.messageId, True)
    [ready] = [m for m in nurse.ListMessages(herId=[RECEIVER], max=1000).message if m.messageId == sent.messageId]
    assert (ready.senderHerId, ready.receiverHerId, ready.isAppRec) == (SENDER, [RECEIVER], False)
    fetched = nurse.FetchMessage(messageId=sent.messageId)
    assert fetched.document == sample.document and fetched.message.businessDocumentId == sample.msg_id
    done = nurse.ConfirmMessages(herId=RECEIVER, messageId=[sent.messageId, "0" * 8 + "-0000-0000-0000-" + "0" * 12])
    assert done.confirmed == 1 and [("not-found" in r.what) for r in done.refused] == [True]
    assert sent.messageId not in [m.messageId for m in nurse.ListMessages(herId=[RECEIVER], max=1000).message]
    [standing] = doctor.GetMessageStatus(messageId=sent.messageId).receiver
    assert (standing.transportDeliveryState, standing.sent, standing.appRec) == ("Acknowledged", True, None)
    error = {"code": "E35", "details": "flyttet"}
    made = nurse.SubmitAppRec(messageId=sent.messageId, herId=RECEIVER, status="Rejected", error=[error])
    [standing] = doctor.GetMessageStatus(messageId=sent.messageId).receiver
    assert standing.appRec.status == "Rejected" and standing.appRec.appRecMessageId == made.messageId
    assert [(e.code, e.details) for e in standing.appRec.error] == [("E35", "flyttet")]
    told = doctor.GetEvents(herId=[SENDER], afterOffset=before[0].offset if before else 0)
    assert [e.type for e in told.event if e.messageId == sent.messageId][-1] == "MessageApprecInfoUpdated"
    home = doctor.FetchMessage(messageId=made.messageId)
    found = apprecs.read(xml.parse(home.document, xml.Bounds.for_document(100_000)))
    assert home.message.isAppRec and found is not None and found.original_id == sample.msg_id


def _events(service: Any, her: int) -> list[Any]:
    found: list[Any] = []
    while True:
        page = service.GetEvents(herId=[her], afterOffset=found[-1].offset if found else 0, max=1000)
        found += page.event
        if not page.more:
            return found


@pytest.mark.parametrize("version", ENVELOPES)
def test_a_fault_is_typed(stand: Stand, version: Version) -> None:
    """Code, reason, hint, what to do: as zeep reads the contract's own element."""
    client = stand.client(version)
    with pytest.raises(Fault) as caught:
        client.service.GetMessageStatus(messageId="0" * 8 + "-0000-0000-0000-" + "0" * 12)
    detail = caught.value.detail.find(".//{urn:samhandling-hub:epj:v1}HubFault")
    told = client.get_element("{urn:samhandling-hub:epj:v1}HubFault").parse(detail, client.wsdl.types)
    assert (told.code, told.errorCode, told.tryAgain) == ("not-found", 1010, False)
    assert told.reason and told.requestId


def test_zeep_speaks_it_without_waiting(stand: Stand) -> None:
    """The same by zeep's asynchronous client."""

    async def work() -> tuple[Any, Any]:
        auth = ("legesenter", stand.key())
        transport = AsyncTransport(
            client=httpx.AsyncClient(auth=auth, timeout=20), wsdl_client=httpx.Client(auth=auth, timeout=20)
        )
        async with zeep.AsyncClient(f"{stand.door}?wsdl", transport=transport) as client:
            sent = await client.service.SubmitMessage(senderHerId=SENDER, document=stand.document().document)
            return sent, await client.service.GetMessageStatus(messageId=sent.messageId)

    sent, status = asyncio.run(work())
    assert status.messageId == sent.messageId and len(status.receiver) == 1


def _padded(document: bytes, size: int) -> bytes:
    """The same document with a comment behind its root, which the standards take."""
    return document + b"<!-- " + b"x" * size + b" -->"


ODD = {
    "ends in CRLF": lambda d: d.rstrip() + b"\r\n",
    "byte order mark": lambda d: b"\xef\xbb\xbf" + d,
    "letters beyond ASCII": lambda d: re.sub(rb"<!--.*?-->", b"", d) + "<!-- æøå 𝄞 -->".encode(),
    "five megabytes": lambda d: _padded(d, 5_000_000),
    "CRLF all through": lambda d: d.replace(b"\n", b"\r\n"),
}


@pytest.mark.parametrize("how", ODD)
@pytest.mark.parametrize("version", ENVELOPES)
def test_the_same_bytes_come_back(stand: Stand, version: Version, how: str) -> None:
    """Documents are signed: not one byte may change."""
    document = ODD[how](stand.document().document)
    doctor, nurse = stand.client(version).service, stand.client(version, system=NURSES).service
    sent = doctor.SubmitMessage(senderHerId=SENDER, document=document)
    assert nurse.FetchMessage(messageId=sent.messageId).document == document


def test_two_record_systems_do_not_see_one_anothers_messages(stand: Stand) -> None:
    """Every operation that names a message or a HER-id, for a caller that has no part in it."""
    own = stand.client().service.SubmitMessage(senderHerId=SENDER, document=stand.document(receiver=DOCTOR).document)
    nurse = stand.client(system=NURSES).service
    calls = {
        "GetMessageStatus": lambda: nurse.GetMessageStatus(messageId=own.messageId),
        "FetchMessage": lambda: nurse.FetchMessage(messageId=own.messageId),
        "SubmitAppRec": lambda: nurse.SubmitAppRec(messageId=own.messageId, herId=RECEIVER, status="Ok"),
        "ListMessages": lambda: nurse.ListMessages(herId=[SENDER]),
        "GetEvents": lambda: nurse.GetEvents(herId=[SENDER], afterOffset=0),
        "ConfirmMessages": lambda: nurse.ConfirmMessages(herId=SENDER, messageId=[own.messageId]),
        "SubmitMessage": lambda: nurse.SubmitMessage(senderHerId=SENDER, document=stand.document().document),
    }
    for name, call in calls.items():
        with pytest.raises(Fault, match=r"neither from nor for|does not serve"):
            print(name, call())
    assert own.messageId not in [e.messageId for e in _events(nurse, RECEIVER)]
