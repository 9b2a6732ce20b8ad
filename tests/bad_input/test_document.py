"""A document that is wrong: what cannot be carried gets a MessageError, what can be answered a negative AppRec after the Acknowledgment."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from lxml import etree

from hub.formats import apprec
from hub.formats.apprec import AppRec
from ops.samples.make import broken
from tests.bad_input.answers import acknowledged, delivered, refused
from tests.support.letters import business
from tests.support.world import DOCTOR, NURSING, PARTNER, SECOND_DOCTOR, STRANGER, Said, World

DIALOGUE = "http://www.kith.no/xmlstds/dialog/2013-01-23"


def uncarried(world: World, document: bytes, code: str, error_code: str) -> str:
    """Decrypted, but not a document: refused under `code`, with the words returned."""
    letter = business(world.post_to, document)
    return refused(world.post(letter), letter, code, error_code)


NO_XML = {
    "half a document": lambda d: d[: len(d) // 2],
    "an element that does not end": lambda d: d.replace(b"</MsgInfo>", b"", 1),
    "two roots": lambda d: d + b"<a/>",
    "letters of another alphabet": lambda d: d.replace("ø".encode(), b"\xf8"),
    "a control character": lambda d: d.replace(b"<MIGversion>", b"<MIGversion>\x01", 1),
    "an unknown entity": lambda d: d.replace(b"<MIGversion>", b"<MIGversion>&nbsp;", 1),
}


@pytest.mark.parametrize("spoil", NO_XML.values(), ids=NO_XML.keys())
def test_a_document_that_is_no_xml(world: World, spoil: Callable[[bytes], bytes]) -> None:
    """Its sender cannot be read, so no AppRec can go to him: a MessageError tells (HITS 1168 5.3)."""
    told = uncarried(world, spoil(world.sample().document), "document-malformed", "OtherXml")
    assert "line" in told


HOSTILE = {
    "a DOCTYPE": (lambda d: d.replace(b"?>", b'?><!DOCTYPE a [<!ENTITY b "c">]>', 1), "xml-doctype"),
    "absurd depth": (lambda d: d.replace(b"<MsgInfo>", b"<a>" * 300 + b"</a>" * 300 + b"<MsgInfo>", 1), "xml-hostile"),
    "an encoding that is none": (lambda d: d.replace(b"UTF-8", b"UTF-7", 1), "xml-encoding"),
}


@pytest.mark.parametrize(("spoil", "code"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_document_in_a_proven_envelope_is_answered_as_ebxml(
    world: World, spoil: Callable[[bytes], bytes], code: str
) -> None:
    """The envelope is sound, so its sender gets a signed MessageError, not a Fault."""
    uncarried(world, spoil(world.sample().document), code, "OtherXml")


def test_utf_16_is_no_encoding_here(world: World) -> None:
    text = world.sample().document.decode().replace("UTF-8", "UTF-16")
    letter = business(world.post_to, text.encode("utf-16"))
    said = world.post(letter)
    assert said.kind == "error" and not said.deliveries


@pytest.mark.parametrize("root", ["<Annet xmlns='urn:annet'/>", "<html/>", "<Message xmlns='urn:annet'/>"])
def test_a_root_that_nobody_carries(world: World, root: str) -> None:
    uncarried(world, root.encode(), "document-not-a-message", "NotSupported")


# --- acknowledged, and answered by a negative AppRec


def answered_no(world: World, said: Said, code: str, apprec_code: str) -> AppRec:
    """Acknowledged; refused under `code`; a negative AppRec waits to go out, and nothing else does."""
    assert said.kind == "acknowledgment", f"{said.kind}: {said.reply.body!r}"
    assert code in said.codes, said.codes
    assert [(d.kind, d.receiver) for d in said.deliveries] == [("apprec", PARTNER.her_id)]
    refused_one = next(m for m in said.messages if m.kind == "business")
    assert refused_one.code == code
    answer = next(m for m in said.messages if m.kind == "apprec")
    body = world.run(world.hub.store.document(answer.id))
    found = apprec.read(etree.fromstring(body or b""))
    assert found is not None and found.status == "2"
    assert [e.code for e in found.errors] == [apprec_code], found.errors
    assert found.errors[0].other_text, "an AppRec says what is wrong"
    return found


def test_a_document_that_breaks_its_schema(world: World) -> None:
    """HIS 80415 3.3.4: T02, with line and element, and no value of the document."""
    sample = world.sample()
    said = world.post(business(world.post_to, broken(sample, "schema")))
    found = answered_no(world, said, "document-schema", "T02")
    assert found.original_id == sample.msg_id
    assert "MIGversjon" in found.errors[0].other_text


def test_a_value_that_breaks_the_schema_is_not_repeated(world: World) -> None:
    """A schema fault may sit in a name or a number: the answer and the journal name the element, not what stands in it."""
    secret = "hemmelig-verdi-4711"
    document = world.sample().document.replace(b"<GenDate>", f"<GenDate>{secret}".encode(), 1)
    said = world.post(business(world.post_to, document))
    found = answered_no(world, said, "document-schema", "T02")
    assert secret not in found.errors[0].other_text
    assert not any(secret in e.because for e in said.journal)
    assert secret.encode() not in said.reply.body


def test_a_msgid_that_is_no_uuid(world: World) -> None:
    """HIS 80415 3.3.4: E10, a shall."""
    said = world.post(business(world.post_to, broken(world.sample(), "no-msgid")))
    answered_no(world, said, "document-msgid", "E10")


def test_two_senders_with_the_same_wrong_msgid_are_both_told(world: World) -> None:
    """An id that is none tells nobody apart: the second is not swallowed as a repetition of the first."""
    for _ in range(2):
        said = world.post(business(world.post_to, broken(world.sample(), "no-msgid")))
        assert said.arrival is not None and said.arrival.code != "business-duplicate"
        answered_no(world, said, "document-msgid", "E10")


@pytest.mark.parametrize("kind", ["dialog-helsefaglig", "henvisning", "plo-medisinske"])
def test_another_sender_than_the_envelope_says(world: World, kind: str) -> None:
    """HIS 1153 AD2.2."""
    said = world.post(business(world.post_to, world.sample(kind, sender=STRANGER).document))
    answered_no(world, said, "document-addressing", "E21")


def test_another_receiver_than_the_envelope_says(world: World) -> None:
    said = world.post(business(world.post_to, world.sample(receiver=NURSING).document))
    answered_no(world, said, "document-addressing", "E21")


def test_a_copy_goes_to_whom_the_envelope_says(world: World) -> None:
    """The envelope's To may be a copy receiver of the document."""
    document = world.sample(receiver=NURSING, copies=[DOCTOR]).document
    letter = business(world.post_to, document)
    acknowledged(world.post(letter), letter, world)


def test_a_standard_that_is_not_known_here_passes_and_says_so(world: World) -> None:
    document = world.sample().document.replace(DIALOGUE.encode(), b"urn:fremtidig/2099")
    said = world.post(business(world.post_to, document))
    delivered(said)
    assert "urn:fremtidig/2099" in said.messages[0].because


def test_a_standard_that_is_not_known_here_may_be_held_by_setting(new_world: Callable[..., World]) -> None:
    world = new_world(hub={"unknown_standard": "hold"})
    document = world.sample().document.replace(DIALOGUE.encode(), b"urn:fremtidig/2099")
    said = world.post(business(world.post_to, document))
    assert said.kind == "acknowledgment"
    assert [d.state for d in said.deliveries] == ["held"]


# --- ids used again


def test_a_message_id_used_for_other_content_is_an_alarm(world: World) -> None:
    """HITS 1172 5.8.2: the same MessageId with other digests is no repetition."""
    first = business(world.post_to, world.sample().document)
    acknowledged(world.post(first), first, world)
    second = business(world.post_to, world.sample().document, message_id=first.message_id)
    refused(world.post(second), second, "id-reused", "Inconsistent", "//eb:MessageId")


def test_the_same_bytes_again_get_the_same_answer_and_are_delivered_once(world: World) -> None:
    letter = business(world.post_to, world.sample().document)
    first = world.post(letter)
    again = world.post(letter)
    assert again.reply.body == first.reply.body
    assert not again.deliveries and not again.messages


def test_a_refused_message_that_comes_again_is_refused_again(world: World) -> None:
    letter = business(world.post_to, b"<html/>")
    first, again = world.post(letter), world.post(letter)
    assert first.kind == again.kind == "error"
    assert again.reply.body == first.reply.body


def test_the_same_document_in_another_envelope_is_acknowledged_and_not_imported_twice(world: World) -> None:
    """HITS 1168 5.4."""
    document = world.sample().document
    delivered(world.post(business(world.post_to, document)))
    said = world.post(business(world.post_to, document))
    assert said.kind == "acknowledgment" and not said.deliveries
    assert said.arrival is not None and said.arrival.code == "business-duplicate"


def test_another_document_under_a_known_msgid_is_refused_aloud(world: World) -> None:
    """It is not a repetition, and must not be swallowed as one: its sender is told (HIS 80601: MsgId is unique)."""
    msg_id = str(uuid4())
    delivered(world.post(business(world.post_to, world.sample(msg_id=msg_id, number=1).document)))
    letter = business(world.post_to, world.sample(msg_id=msg_id, number=2).document)
    said = world.post(letter)
    refused(said, letter, "id-reused", "Inconsistent", "//MsgId")


def test_a_second_receiver_of_one_system_gets_its_copy_once(world: World) -> None:
    """Two envelopes with the same document for two parties behind one record system (HITS 1168 5.4)."""
    document = world.sample(copies=[SECOND_DOCTOR]).document
    delivered(world.post(business(world.post_to, document)))
    from dataclasses import replace

    said = world.post(business(replace(world.post_to, to_her=SECOND_DOCTOR.her_id), document))
    assert said.kind == "acknowledgment" and not said.deliveries


def test_two_partners_may_use_the_same_msgid(world: World) -> None:
    """By mistake or malice: one sender's document does not take another's answer away (one AppRec per sender and receiver)."""
    from dataclasses import replace

    from tests.support.world import UNSHELTERED

    msg_id = str(uuid4())
    first = world.sample(msg_id=msg_id)
    answered_no(world, world.post(business(world.post_to, broken(first, "schema"))), "document-schema", "T02")
    post = replace(world.post_to, from_her=UNSHELTERED.her_id)
    other = world.sample(msg_id=msg_id, sender=UNSHELTERED)
    said = world.post(business(post, other.document, payload=other.document))
    delivered(said)
    made = world.rest(
        "POST", f"/messages/{said.messages[0].id}/apprec", {"appRecSenderHerId": 8000202, "appRecStatus": "Ok"}
    )
    assert made.status == 202, made.body
