"""Signature wrapping: a sound signature over one thing, and another thing put where it is read. None gets through."""

from __future__ import annotations

import re

import pytest

from hub.formats import envelope, xml
from hub.formats.envelope import Envelope
from hub.trust.signature import SignatureFault, SignaturePolicy, verify
from hub.trust.signing import sign
from tests.unit.envelopes import HEADER, WRITTEN
from tests.unit.keys import signing_key
from tests.witness.mutations import NEXT

PARTS = {"part@example.no": b"payload"}
RAW = sign(WRITTEN["business"], list(PARTS.items()), signing_key())
ACK = sign(WRITTEN["acknowledgment"], [], signing_key())
SIGNATURE = re.search(rb"<ds:Signature .*</ds:Signature>", RAW)[0]  # type: ignore[index]
HEADER_BLOCK = re.search(rb"<eb:MessageHeader .*</eb:MessageHeader>", RAW)[0]  # type: ignore[index]
EVIL_HEADER = HEADER_BLOCK.replace(HEADER.message_id.encode(), b"evil").replace(b"8000402", b"8000403")
BODY = re.search(rb"<SOAP:Body>.*</SOAP:Body>", RAW)[0]  # type: ignore[index]
EVIL_BODY = BODY.replace(b"part@example.no", b"evil")
ENVELOPE = RAW.removeprefix(b'<?xml version="1.0" encoding="UTF-8"?>\n')
EVIL_ACK = b"<eb:Acknowledgment %s><eb:RefToMessageId>evil</eb:RefToMessageId></eb:Acknowledgment>"


def addressed(actor: str) -> bytes:
    return b'SOAP:actor="' + actor.encode() + b'"'


def opened(raw: bytes, parts: dict[str, bytes]) -> tuple[str, Envelope | None]:
    """The reason, or empty and what the hub would read."""
    root = xml.parse(raw, xml.Bounds(1_000_000))
    assert not isinstance(root, xml.XmlFault), root
    found = verify(raw, root, parts, SignaturePolicy())
    if isinstance(found, SignatureFault):
        return found.reason, None
    read = envelope.read(root)
    return ("", read) if isinstance(read, Envelope) else (read.rule, None)


WRAPPED: dict[str, tuple[bytes, str]] = {
    "a second header block before the signed one": (
        RAW.replace(HEADER_BLOCK, EVIL_HEADER + HEADER_BLOCK),
        "digest-mismatch",
    ),
    "a second body before the signed one": (RAW.replace(BODY, EVIL_BODY + BODY), "digest-mismatch"),
    "a second body behind the signed one": (RAW.replace(BODY, BODY + EVIL_BODY), "digest-mismatch"),
    "the signed envelope in the body of another": (
        RAW.replace(SIGNATURE, b"")
        .replace(HEADER_BLOCK, EVIL_HEADER)
        .replace(BODY, b"<SOAP:Body>" + ENVELOPE + b"</SOAP:Body>"),
        "misplaced",
    ),
    "the signed envelope in a header block of another": (
        RAW.replace(SIGNATURE, b'<w:Old xmlns:w="urn:w">' + ENVELOPE + b"</w:Old>").replace(
            HEADER_BLOCK, EVIL_HEADER, 1
        ),
        "misplaced",
    ),
    "the signature kept, the signed envelope in an Object": (
        RAW.replace(HEADER_BLOCK, EVIL_HEADER).replace(
            b"</ds:Signature>", b"<ds:Object>" + ENVELOPE.replace(SIGNATURE, b"") + b"</ds:Object></ds:Signature>"
        ),
        "structure",
    ),
    "two signatures, the sound one first": (
        RAW.replace(HEADER_BLOCK, EVIL_HEADER).replace(
            SIGNATURE, SIGNATURE + SIGNATURE.replace(b"DigestValue>", b"DigestValue>A")
        ),
        "several",
    ),
    "content between the signature's elements": (
        RAW.replace(b"</ds:SignedInfo>", b"</ds:SignedInfo>" + EVIL_HEADER).replace(HEADER_BLOCK, EVIL_HEADER),
        "digest-mismatch",
    ),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_a_wrapped_message_is_refused(name: str) -> None:
    raw, reason = WRAPPED[name]
    assert opened(raw, PARTS)[0] == reason


@pytest.mark.parametrize("actor", NEXT)
@pytest.mark.parametrize("first", [True, False])
def test_a_message_header_for_the_next_node_is_not_read_as_the_message(actor: str, first: bool) -> None:
    """The profile leaves it out of the digest: with it, a message could be sent again under a new MessageId."""
    evil = EVIL_HEADER.replace(b"<eb:MessageHeader ", b"<eb:MessageHeader " + addressed(actor) + b" ")
    raw = RAW.replace(HEADER_BLOCK, evil + HEADER_BLOCK if first else HEADER_BLOCK + evil)
    assert opened(raw, PARTS) == ("uncovered-block", None)


@pytest.mark.parametrize("actor", NEXT)
@pytest.mark.parametrize(
    ("place", "content"),
    [
        (b"<eb:From>", b"<eb:PartyId %s eb:type='HER'>8000999</eb:PartyId>"),
        (b"<eb:MessageData>", b"<eb:MessageId %s>evil</eb:MessageId>"),
        (
            b'<eb:MessageHeader SOAP:mustUnderstand="1" eb:version="2.0">',
            b"<eb:From %s><eb:PartyId>1</eb:PartyId></eb:From>",
        ),
        (b"<SOAP:Body>", b"<eb:Manifest %s/>"),
        (b"<SOAP:Body>", b"<eb:StatusRequest %s/>"),
        (b"<SOAP:Header>", b"<eb:ErrorList %s/>"),
        (b"<SOAP:Header>", EVIL_ACK),
        (b"<SOAP:Header>", b"<SOAP:Header %s/>"),
    ],
)
def test_nothing_that_is_read_may_be_addressed_to_the_next_node(actor: str, place: bytes, content: bytes) -> None:
    raw = RAW.replace(place, place + content % addressed(actor), 1)
    assert raw != RAW and opened(raw, PARTS) == ("uncovered-block", None)


@pytest.mark.parametrize("actor", NEXT)
def test_no_signed_message_can_be_made_an_acknowledgment_of_another(actor: str) -> None:
    """Neither from a business message nor from an Acknowledgment of something else."""
    for raw, parts in ((RAW, PARTS), (ACK, {})):
        forged = raw.replace(b"<SOAP:Header>", b"<SOAP:Header>" + EVIL_ACK % addressed(actor))
        assert opened(forged, parts) == ("uncovered-block", None)


@pytest.mark.parametrize("actor", NEXT)
@pytest.mark.parametrize(
    "element", [b"eb:MessageHeader", b"SOAP:Body", b"SOAP:Header", b"eb:MessageId", b"ds:SignedInfo"]
)
def test_what_was_signed_cannot_be_addressed_away(actor: str, element: bytes) -> None:
    raw = RAW.replace(b"<" + element, b"<" + element + b" " + addressed(actor), 1)
    assert opened(raw, PARTS)[0] in ("uncovered-block", "signature-mismatch")


@pytest.mark.parametrize("actor", NEXT)
def test_what_is_honestly_for_the_next_node_may_be_added_and_taken_away(actor: str) -> None:
    for block in (b"<t:Trace xmlns:t='urn:t' %s>x</t:Trace>", b"<eb:SyncReply %s SOAP:mustUnderstand='1'/>"):
        raw = RAW.replace(b"<SOAP:Header>", b"<SOAP:Header>" + block % addressed(actor))
        reason, read = opened(raw, PARTS)
        assert reason == "" and read is not None and read.message_id == HEADER.message_id


def test_an_ack_requested_for_the_next_node_is_taken_as_a_sender_may_write_it() -> None:
    """HITS 1172 5.1.1: receivers accept toPartyMSH and nextMSH; by the filter the latter is not in the digest."""
    asked = WRITTEN["business"].replace(b"actor:toPartyMSH", b"actor:nextMSH")
    block = re.search(rb"<eb:AckRequested .*?</eb:AckRequested>", asked)
    assert block is not None
    signed = sign(asked.replace(block[0], b""), list(PARTS.items()), signing_key())
    reason, read = opened(signed.replace(b"<ds:Signature ", block[0] + b"<ds:Signature ", 1), PARTS)
    assert reason == "" and read is not None and read.ack_requested


@pytest.mark.parametrize("value", [HEADER.message_id, HEADER.from_her, HEADER.to_her, HEADER.action, HEADER.cpa_id])
def test_a_comment_in_a_signed_value_changes_nothing_that_is_read(value: str) -> None:
    """C14N leaves comments out: the signature holds, so the reading must hold as well."""
    at = RAW.index(f">{value}<".encode()) + 3
    reason, read = opened(RAW[:at] + b"<!---->" + RAW[at:], PARTS)
    assert reason == "" and read == opened(RAW, PARTS)[1]
