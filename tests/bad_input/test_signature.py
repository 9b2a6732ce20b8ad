"""A signature that proves something else than what is used is no proof: SecurityFailure, with a reason that says which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from hub.trust.signature import C14N, DS, ENVELOPED, EXCLUSIVE
from hub.trust.signing import sign
from tests.bad_input.answers import acknowledged, delivered, faulted, refused, remarked
from tests.support.letters import (
    ROOT_TRANSFORMS,
    Edit,
    Hand,
    Reference,
    business,
    inserted,
    swap,
    without,
)
from tests.support.world import SECOND_DOCTOR, UNSHELTERED, World

NEXT = "http://schemas.xmlsoap.org/soap/actor/next"
NEXT_MSH = "urn:oasis:names:tc:ebxml-msg:actor:nextMSH"


def other_root(**changed: str) -> Callable[[list[Reference]], list[Reference]]:
    """The usual references with another one for the envelope."""
    return lambda usual: [replace(usual[0], **changed), *usual[1:]]  # type: ignore[arg-type]


def also(reference: Reference) -> Callable[[list[Reference]], list[Reference]]:
    """The usual references and one more."""
    return lambda usual: [*usual, reference]


SHAPES: dict[str, tuple[Hand, str, str]] = {
    "no Reference at all (39)": (Hand(references=lambda _: []), "signature-structure", "39"),
    "no Reference to the envelope (40)": (Hand(references=lambda usual: usual[1:]), "signature-structure", "40"),
    "two References to the envelope (40)": (
        Hand(references=lambda usual: [usual[0], *usual]),
        "signature-structure",
        "40",
    ),
    "a Reference by #id (34)": (Hand(references=also(Reference("#a", digest=b"x"))), "signature-coverage", "34"),
    "a Reference by #id alone (40)": (Hand(references=lambda _: [Reference("#a")]), "signature-structure", "40"),
    "a Reference to a file (34)": (
        Hand(references=also(Reference("file:///etc/passwd", digest=b"x"))),
        "signature-coverage",
        "34",
    ),
    "a Reference to an address (34)": (
        Hand(references=also(Reference("http://127.0.0.1:9/x", digest=b"x"))),
        "signature-coverage",
        "34",
    ),
    "a Reference without URI (85)": (Hand(references=also(Reference(None))), "signature-coverage", "85"),
    "an uncovered payload (39)": (Hand(references=lambda usual: usual[:1]), "signature-coverage", "39"),
    "a Reference to a part that is not there (27)": (
        Hand(references=also(Reference("cid:borte@test"))),
        "mime-problem",
        "27",
    ),
    "a digest of something else (50)": (Hand(references=other_root(digest=b"x" * 32)), "signature-invalid", "50"),
    "transforms that leave everything out (35)": (
        Hand(references=other_root(transforms=ROOT_TRANSFORMS.replace("not(", "false() and not("))),
        "signature-structure",
        "37",
    ),
    "an XSLT transform (35)": (
        Hand(
            references=other_root(
                transforms=ROOT_TRANSFORMS.replace(C14N, "http://www.w3.org/TR/1999/REC-xslt-19991116")
            )
        ),
        "signature-structure",
        "35",
    ),
    "base64 as a transform (35)": (
        Hand(references=other_root(transforms=ROOT_TRANSFORMS.replace(C14N, f"{DS}base64"))),
        "signature-structure",
        "35",
    ),
    "no enveloped-signature (36)": (
        Hand(references=other_root(transforms=f'<ds:Transforms><ds:Transform Algorithm="{C14N}"/></ds:Transforms>')),
        "signature-structure",
        "36",
    ),
    "transforms of a part (34)": (
        Hand(
            references=lambda u: [
                u[0],
                replace(u[1], transforms=f'<ds:Transforms><ds:Transform Algorithm="{C14N}"/></ds:Transforms>'),
            ]
        ),
        "signature-structure",
        "34",
    ),
    "SHA-1 without a word about it (84)": (
        Hand(method="http://www.w3.org/2000/09/xmldsig#rsa-sha1", hashed="sha1"),
        "signature-algorithm",
        "84",
    ),
    "a SHA-1 digest (33)": (
        Hand(digest_method="http://www.w3.org/2000/09/xmldsig#sha1", digest_hashed="sha1"),
        "signature-algorithm",
        "33",
    ),
    "HMAC (84)": (
        Hand(method="http://www.w3.org/2000/09/xmldsig#hmac-sha1", value=b"x" * 20),
        "signature-algorithm",
        "84",
    ),
    "MD5 (84)": (
        Hand(method="http://www.w3.org/2001/04/xmldsig-more#rsa-md5", hashed="md5"),
        "signature-algorithm",
        "84",
    ),
    "DSA (84)": (
        Hand(method="http://www.w3.org/2000/09/xmldsig#dsa-sha1", value=b"x" * 40),
        "signature-algorithm",
        "84",
    ),
    "an MD5 digest (33)": (
        Hand(digest_method="http://www.w3.org/2001/04/xmldsig-more#md5", digest_hashed="md5"),
        "signature-algorithm",
        "33",
    ),
    "a method that nobody knows (84)": (Hand(method="urn:ukjent"), "signature-algorithm", "84"),
    "canonical with comments (38)": (Hand(canonical=f"{C14N}#WithComments"), "signature-algorithm", "38"),
    "an empty value (50)": (Hand(value=b""), "signature-invalid", "50"),
    "a value of zeros (50)": (Hand(value=bytes(256)), "signature-invalid", "50"),
    "KeyValue instead of a certificate (41)": (
        Hand(
            key_info="<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{modulus}</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>"
        ),
        "signature-structure",
        "41",
    ),
    "only a name of the key (41)": (Hand(key_info="<ds:KeyName>partner</ds:KeyName>"), "signature-structure", "41"),
    "the certificate elsewhere (41)": (
        Hand(key_info='<ds:RetrievalMethod URI="http://127.0.0.1:9/cert"/>'),
        "signature-structure",
        "41",
    ),
    "two certificates (65)": (
        Hand(
            key_info="<ds:X509Data>" + "<ds:X509Certificate>{certificate}</ds:X509Certificate>" * 2 + "</ds:X509Data>"
        ),
        "signature-structure",
        "65",
    ),
    "something that is no certificate (46)": (
        Hand(key_info="<ds:X509Data><ds:X509Certificate>aGVp</ds:X509Certificate></ds:X509Data>"),
        "certificate-malformed",
        "46",
    ),
    "a certificate that is not even base64 (46)": (
        Hand(key_info="<ds:X509Data><ds:X509Certificate>%%%</ds:X509Certificate></ds:X509Data>"),
        "certificate-malformed",
        "46",
    ),
    "a ds:Object inside (52)": (Hand(in_signature="<ds:Object>x</ds:Object>"), "signature-structure", "52"),
    "two signatures (52)": (Hand(times=2), "signature-structure", "52"),
    "a stranger in SignedInfo": (Hand(in_signed_info="<x/>"), "signature-structure", "39"),
    "a stranger in a Reference": (
        Hand(references=other_root(more="<SOAP:Header></SOAP:Header>")),
        "signature-structure",
        "39",
    ),
    "a hundred References (39)": (
        Hand(references=lambda usual: usual + [Reference("cid:payload@test")] * 100),
        "signature-structure",
        "39",
    ),
}


@pytest.mark.parametrize(("hand", "code", "rule"), SHAPES.values(), ids=SHAPES.keys())
def test_every_other_shape_is_refused_by_name(world: World, hand: Hand, code: str, rule: str) -> None:
    letter = business(world.post_to, world.sample().document, signer=hand)
    error_code = "MimeProblem" if code == "mime-problem" else "SecurityFailure"
    told = refused(world.post(letter), letter, code, error_code, "//ds:Signature")
    assert rule in told


def test_unsigned_is_refused(world: World) -> None:
    """HITS 1172 45."""
    letter = business(world.post_to, world.sample().document, signer=None)
    assert "45" in refused(world.post(letter), letter, "signature-missing", "SecurityFailure", "//ds:Signature")


GONE = {"SignedInfo": "363", "SignatureValue": "42", "KeyInfo": "32", "DigestValue": "64", "DigestMethod": "33"}


@pytest.mark.parametrize(("element", "rule"), GONE.items())
def test_a_signature_that_lacks_a_piece_names_the_piece(world: World, element: str, rule: str) -> None:
    letter = business(world.post_to, world.sample().document, after=without(f"ds:{element}"))
    said = world.post(letter)
    assert said.kind == "error" and said.error.code == "SecurityFailure"
    assert not said.deliveries and said.arrival is not None
    assert said.arrival.code in ("signature-structure", "signature-invalid")


CHANGED: dict[str, Edit] = {
    "another conversation": swap("<eb:ConversationId>", "<eb:ConversationId>x"),
    "another agreement": swap("</eb:CPAId>", "_2</eb:CPAId>"),
    "another id": swap("<eb:MessageId>", "<eb:MessageId>x"),
    "a block more": inserted("<eb:MessageHeader", "<eb:SyncReply></eb:SyncReply>"),
    "a blank more": swap("<SOAP:Body>", "<SOAP:Body> "),
    "another time": swap("<eb:Timestamp>20", "<eb:Timestamp>19"),
    "a digest that fits something else": swap("<ds:DigestValue>", "<ds:DigestValue>AAAA"),
}


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED.keys())
def test_what_was_changed_after_signing_is_refused(world: World, change: Edit) -> None:
    letter = business(world.post_to, world.sample().document, after=change)
    said = world.post(letter)
    assert (said.kind, said.error.code) == ("error", "SecurityFailure")
    assert not said.deliveries and said.arrival is not None and said.arrival.code == "signature-invalid"


def test_a_payload_changed_after_signing_is_refused(world: World) -> None:
    letter = business(world.post_to, world.sample().document)
    start = letter.body.index(b"base64\r\n\r\nMII") + 400
    other = b"B" if letter.body[start : start + 1] == b"A" else b"A"
    spoilt = replace(letter, body=letter.body[:start] + other + letter.body[start + 1 :])
    assert "50" in refused(world.post(spoilt), spoilt, "signature-invalid", "SecurityFailure")


# --- wrapping: the signed thing stays whole, and another one is put where it is read

FORGED = (
    '<eb:MessageHeader SOAP:actor="{actor}" SOAP:mustUnderstand="1" eb:version="2.0"><eb:From><eb:PartyId eb:type="HER">'
    '8009102</eb:PartyId><eb:Role>x</eb:Role></eb:From><eb:To><eb:PartyId eb:type="HER">8000203</eb:PartyId></eb:To>'
    "<eb:CPAId>8000203_8009102</eb:CPAId><eb:ConversationId>forged</eb:ConversationId><eb:Service>S-FORGED</eb:Service>"
    "<eb:Action>FORGED</eb:Action><eb:MessageData><eb:MessageId>forged</eb:MessageId>"
    f"<eb:Timestamp>{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}</eb:Timestamp></eb:MessageData></eb:MessageHeader>"
)
WRAPPED: dict[str, Edit] = {
    "a header for the next node, before the signed one": inserted("<eb:MessageHeader", FORGED.format(actor=NEXT)),
    "a header for the next handler, before the signed one": inserted(
        "<eb:MessageHeader", FORGED.format(actor=NEXT_MSH)
    ),
    "a header for the next node, behind the signed one": inserted("<eb:AckRequested", FORGED.format(actor=NEXT)),
    "a receiver for the next node": inserted(
        '<eb:PartyId eb:type="HER">8000202', f'<eb:PartyId SOAP:actor="{NEXT}" eb:type="HER">8000203</eb:PartyId>'
    ),
    "a MessageId for the next node": inserted(
        "<eb:MessageId>", f'<eb:MessageId SOAP:actor="{NEXT}">forged</eb:MessageId>'
    ),
    "a TimeToLive for the next node": inserted(
        "</eb:MessageData>", f'<eb:TimeToLive SOAP:actor="{NEXT}">2099-01-01T00:00:00Z</eb:TimeToLive>'
    ),
    "a Manifest for the next node": inserted(
        "<eb:Manifest",
        f'<eb:Manifest SOAP:actor="{NEXT}" eb:version="2.0"><eb:Reference xlink:href="cid:x"/></eb:Manifest>',
    ),
    "a Reference of the Manifest for the next node": inserted(
        "<eb:Reference", f'<eb:Reference SOAP:actor="{NEXT}" xlink:href="cid:payload@test"/>'
    ),
    "an Acknowledgment for the next node": inserted(
        "<eb:AckRequested",
        f'<eb:Acknowledgment SOAP:actor="{NEXT}"><eb:RefToMessageId>x</eb:RefToMessageId></eb:Acknowledgment>',
    ),
    "the whole signed envelope in a block of the Header": lambda e: e.replace(
        b"<SOAP:Header>", b"<SOAP:Header><x:Old xmlns:x='urn:x'>" + e.partition(b"?>")[2] + b"</x:Old>", 1
    ),
    "the signed Header beside a forged one": lambda e: e.replace(
        b"<SOAP:Header>", b"<SOAP:Header>" + FORGED.format(actor="urn:x").encode() + b"</SOAP:Header><SOAP:Header>", 1
    ),
    "the Body for the next node": swap("<SOAP:Body>", f'<SOAP:Body SOAP:actor="{NEXT}">'),
    "the signature in the Body": lambda e: (
        (s := e.index(b"<ds:Signature "), t := e.index(b"</ds:Signature>") + 15)
        and (e[:s] + e[t:]).replace(b"</SOAP:Body>", e[s:t] + b"</SOAP:Body>")
    ),
    "the signature inside a wrapper": lambda e: e.replace(
        b"<ds:Signature ", b"<x:W xmlns:x='urn:x'><ds:Signature ", 1
    ).replace(b"</ds:Signature>", b"</ds:Signature></x:W>", 1),
}


@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=WRAPPED.keys())
def test_wrapping_does_not_get_a_forged_word_past_the_signature(world: World, wrap: Edit) -> None:
    """Whatever is read was signed: a message with anything else in it is refused, and nothing is delivered."""
    letter = business(world.post_to, world.sample(copies=[SECOND_DOCTOR]).document, after=wrap)
    said = world.post(letter)
    assert said.kind in ("error", "fault"), said.kind
    assert said.arrival is not None and said.arrival.state in ("refused", "quarantined")
    assert said.arrival.code not in ("unforeseen", "accepted")
    assert not said.deliveries and not said.messages


def test_a_comment_in_a_signed_value_changes_nothing_that_is_read(world: World) -> None:
    """C14N leaves comments out, so the signature holds; what is read is the whole value, not what stands before it."""
    letter = business(
        world.post_to, world.sample().document, after=swap('"HER">8000202<', '"HER">8000202<!-- -->3<', count=1)
    )
    said = world.post(letter)
    assert not said.deliveries
    split = business(world.post_to, world.sample().document, after=swap('"HER">8000202<', '"HER">8000<!-- -->202<'))
    acknowledged(world.post(split), split, world)


def test_sync_reply_for_the_next_node_is_not_signed_and_does_no_harm(world: World) -> None:
    """The one block that may be left out of the digest (HIS 1037 5.5)."""
    block = f'<eb:SyncReply SOAP:actor="{NEXT}" SOAP:mustUnderstand="1" eb:version="2.0"></eb:SyncReply>'
    letter = business(world.post_to, world.sample().document, edit=inserted("</SOAP:Header>", block))
    acknowledged(world.post(letter), letter, world)


def test_ack_requested_for_the_next_handler_is_heard(world: World) -> None:
    """HIS 1037 6.2.2: receivers take actor nextMSH."""
    actor = swap("urn:oasis:names:tc:ebxml-msg:actor:toPartyMSH", NEXT_MSH)
    letter = business(world.post_to, world.sample().document, edit=actor, signer=Hand())
    acknowledged(world.post(letter), letter, world)


# --- what is tolerated, because real senders do it


TOLERATED: dict[str, Hand] = {
    "two transforms, as an old table has it": Hand(
        references=other_root(
            transforms=f'<ds:Transforms><ds:Transform Algorithm="{ENVELOPED}"/><ds:Transform Algorithm="{C14N}"/></ds:Transforms>'
        )
    ),
    "KeyValue beside the certificate": Hand(
        key_info="<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>{modulus}</ds:Modulus><ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue>"
        "</ds:KeyValue><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data>"
    ),
    "exclusive C14N of SignedInfo": Hand(canonical=EXCLUSIVE),
    "blanks in the XPath": Hand(references=other_root(transforms=ROOT_TRANSFORMS.replace(" | ", "|"))),
    "SHA-512 for the digests": Hand(digest_method="http://www.w3.org/2001/04/xmlenc#sha512", digest_hashed="sha512"),
}


@pytest.mark.parametrize("hand", TOLERATED.values(), ids=TOLERATED.keys())
def test_what_big_senders_write_is_taken(world: World, hand: Hand) -> None:
    letter = business(world.post_to, world.sample().document, signer=hand)
    acknowledged(world.post(letter), letter, world)


def test_line_ends_in_the_values_are_passed_over(world: World) -> None:
    """ebxml.md §10 item 16."""

    def broken_up(envelope: bytes) -> bytes:
        head, mark, rest = envelope.partition(b"<ds:SignatureValue>")
        value, end, tail = rest.partition(b"</ds:SignatureValue>")
        lines = b"&#13;\n ".join(value[i : i + 60] for i in range(0, len(value), 60))
        return head + mark + lines + end + tail

    letter = business(world.post_to, world.sample().document, after=broken_up)
    acknowledged(world.post(letter), letter, world)


def test_sha_1_of_a_partner_that_may_is_acknowledged_and_noted(world: World) -> None:
    """Per partner, and not in silence (ebxml.md §3.1): what we allowed on purpose is noted here, not told there."""
    post = replace(world.post_to, from_her=UNSHELTERED.her_id)
    document = world.sample(sender=UNSHELTERED).document
    hand = Hand(method="http://www.w3.org/2000/09/xmldsig#rsa-sha1", hashed="sha1")
    letter = business(post, document, signer=hand, payload=document, kind="application/xml")
    remarked(world.post(letter), letter, world, "signed with SHA-1")


def test_the_same_signature_under_another_sender_is_not_his(world: World) -> None:
    """From is signed: taking another party's message over breaks it."""
    letter = business(
        world.post_to, world.sample().document, after=swap("8009102</eb:PartyId>", "8009202</eb:PartyId>")
    )
    said = world.post(letter)
    assert said.kind == "error" and said.error.code in ("SecurityFailure", "Inconsistent")
    assert not said.deliveries


def test_a_refused_message_does_not_take_the_id_of_the_good_one(world: World) -> None:
    """Who cannot prove himself claims nothing: the real message with that id is taken afterwards."""
    good = business(world.post_to, world.sample().document)
    forged = replace(good, body=swap("<ds:SignatureValue>", "<ds:SignatureValue>AAAA")(good.body))
    assert world.post(forged).kind == "error"
    acknowledged(world.post(good), good, world)


def test_signing_as_the_hub_signs_is_the_yardstick(world: World) -> None:
    for signer in (sign, Hand()):
        said = world.post(business(world.post_to, world.sample().document, signer=signer))
        delivered(said)


def test_an_unreadable_address_gets_a_fault_even_when_signed(world: World) -> None:
    """HITS 1172 60: nobody to answer as ebXML."""
    letter = business(
        world.post_to, world.sample().document, edit=swap('eb:type="HER">8009102', 'eb:type="ENH">999000053')
    )
    faulted(world.post(letter), letter, "envelope-value")
