"""Behaviours that a naive implementation misses, where no other suite shows them (hub/EDGE-CASES.md)."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from lxml import etree

from hub.formats import apprec_write
from hub.formats import document as documents
from hub.formats.document import Address, Ident, Named
from hub.ports import DeliveryFilter, MessageFilter
from ops.samples.make import broken
from tests.bad_input.answers import acknowledged
from tests.support.letters import business, inserted
from tests.support.world import DOCTOR, PARTNER, World

DS = "http://www.w3.org/2000/09/xmldsig#"


def test_only_the_references_of_the_signature_are_echoed(world: World) -> None:
    """Item 12: a ds:Reference that stands somewhere else in the message is no evidence of anything."""
    stray = (
        f'<x:Spor xmlns:x="urn:x"><ds:Reference xmlns:ds="{DS}" URI="cid:annen@test">'
        '<ds:DigestMethod Algorithm="urn:x"></ds:DigestMethod><ds:DigestValue>AAAA</ds:DigestValue></ds:Reference></x:Spor>'
    )
    letter = business(world.post_to, world.sample().document, edit=inserted("</SOAP:Header>", stray))
    said = world.post(letter)
    acknowledged(said, letter, world)
    assert said.envelope is not None and said.envelope.acknowledgment is not None
    assert [uri for uri, _, _ in said.envelope.acknowledgment.references] == ["", "cid:payload@test"]


@pytest.mark.parametrize("written", ["Base64", "BASE64", " base64 "])
def test_the_name_of_a_transfer_encoding_comes_in_any_case(world: World, written: str) -> None:
    """Item 2."""
    letter = business(world.post_to, world.sample().document)
    changed = letter.changed("Content-Transfer-Encoding: base64", f"Content-Transfer-Encoding: {written}")
    acknowledged(world.post(changed), changed, world)


def test_an_apprec_travels_in_the_conversation_of_what_it_answers(world: World) -> None:
    """Item 48: the record system need not know of conversations; what it leaves out is known from the original."""
    said = world.post(business(world.post_to, broken(world.sample(), "schema"), conversation_id="samtale-1"))
    assert [m.conversation_id for m in said.messages] == ["samtale-1", "samtale-1"]
    assert {m.kind for m in said.messages} == {"business", "apprec"}


def test_members_that_nobody_knows_are_passed_over(world: World) -> None:
    """Item 49; EDI 2.0 A15.8."""
    document = world.sample(sender=DOCTOR, receiver=PARTNER).document
    order = {
        "senderHerId": int(DOCTOR.her_id),
        "businessDocument": base64.b64encode(document).decode(),
        "ebXmlOverrides": None,
        "noeNytt": {"a": [1]},
    }
    assert world.rest("POST", "/messages", order).status == 202


def _handed_over(world: World) -> tuple[str, bytes]:
    document = world.sample(sender=DOCTOR, receiver=PARTNER).document
    order = {"senderHerId": int(DOCTOR.her_id), "businessDocument": base64.b64encode(document).decode()}
    return world.rest("POST", "/messages", order).json()["id"], document


def _apprec(document: bytes, sender: Address) -> bytes:
    original = documents.read(etree.fromstring(document))
    return apprec_write.write(
        original,
        version="1.0",
        apprec_id=str(uuid4()),
        now=datetime.now(UTC),
        receiver=sender,
        role="PRIM",
        status="1",
        errors=(),
        software=("Test", "1"),
    )


def test_an_apprec_whose_sender_names_itself_otherwise_is_matched_by_what_it_answers(world: World) -> None:
    """Items 51, 52: an organisation number where a HER-id was addressed, a Dept with nothing but a name, or none."""
    nav = Named("Mottaker", (Ident("889640782", "ENH"),))
    for sender in (Address(nav, Named("Elektronisk mottak", ())), Address(nav)):
        message, document = _handed_over(world)
        said = world.post(business(world.post_to, _apprec(document, sender), action="Svarmelding"))
        assert said.kind == "acknowledgment", said.codes
        settled = world.run(world.hub.store.deliveries(DeliveryFilter(message_id=message)))
        assert [d.state for d in settled] == ["done"], said.codes


def test_an_apprec_that_breaks_its_schema_is_acknowledged_kept_and_told_and_never_loops(world: World) -> None:
    """Item 56."""
    message, document = _handed_over(world)
    whole = _apprec(document, Address(Named("Mottaker", (Ident("889640782", "ENH"),))))
    wrong = whole.replace(b"<GenDate>", b"<GenDato>").replace(b"</GenDate>", b"</GenDato>")
    said = world.post(business(world.post_to, wrong, action="APPREC"))
    assert said.kind == "acknowledgment"
    assert "document-schema" in said.codes
    kept = world.run(world.hub.store.messages(MessageFilter(ids=(said.messages[0].id,))))[0]
    assert (kept.kind, kept.code) == ("apprec", "document-schema")
    assert [m.kind for m in said.messages] == ["apprec"], "an AppRec is never answered by an AppRec"
    [about] = world.run(world.hub.store.deliveries(DeliveryFilter(message_id=message)))
    assert (about.state, about.code) == ("overdue", "apprec-unclear"), "a yes that breaks its schema is for a person"
    assert "GenDato" in about.because
