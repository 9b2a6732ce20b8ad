"""Ping and StatusRequest are questions, not documents: answered, signed, whether they were signed or not, and not without end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from hub.formats import envelope_write
from hub.formats.envelope_write import HeaderFields
from hub.ports import ArrivalFilter, MessageFilter
from ops.partner.aside import Aside
from tests.support.letters import Edit, Post, Signer, business, inserted, sign, signal, swap, without
from tests.support.world import DOCTOR, Keys, Said, World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, keys: Keys, aside: Aside) -> Iterator[World]:
    """A hub that may be asked all that is asked here."""
    made = World(tmp_path_factory.mktemp("questions"), keys, aside, hub={"questions_per_minute": 10_000})
    yield made
    made.close()


Asking = tuple[str, Callable[[HeaderFields], bytes], str]
PING: Asking = ("Ping", envelope_write.ping, "pong")
STATUS: Asking = ("StatusRequest", lambda h: envelope_write.status_request(h, "ukjent"), "status_response")
BOTH = pytest.mark.parametrize("asking", [PING, STATUS], ids=["Ping", "StatusRequest"])


def asks(world: World, asking: Asking, *, post: Post | None = None, **more: object) -> Said:
    """Posts the question."""
    action, write, _ = asking
    return world.post(signal(post or world.post_to, write, action, **more))  # type: ignore[arg-type]


@BOTH
@pytest.mark.parametrize("signer", [sign, None], ids=["signed", "unsigned"])
def test_a_question_of_a_known_party_is_answered_signed(world: World, asking: Asking, signer: Signer | None) -> None:
    """Signature is optional in both (ebMS 2.0 7.1, 8.1); World verifies the answer's."""
    letter = signal(world.post_to, asking[1], asking[0], signer=signer)
    said = world.post(letter)
    assert (said.reply.status, said.kind) == (200, asking[2])
    assert said.verified is not None and said.envelope is not None
    assert said.arrival is None, "a question leaves nothing but a line in the journal"


ODD: dict[str, Edit] = {
    "it asks for an Acknowledgment": inserted(
        "</SOAP:Header>",
        '<eb:AckRequested SOAP:mustUnderstand="1" eb:signed="true" eb:version="2.0"></eb:AckRequested>',
    ),
    "a Role": swap("</eb:PartyId></eb:From>", "</eb:PartyId><eb:Role>X</eb:Role></eb:From>"),
    "a type of the Service": swap("<eb:Service>", '<eb:Service eb:type="string">'),
    "no Description": without("eb:Description"),
}


@BOTH
@pytest.mark.parametrize("edit", ODD.values(), ids=ODD.keys())
def test_a_question_in_an_odd_form_is_answered(world: World, asking: Asking, edit: Edit) -> None:
    """One signal, which is the answer: a question is never acknowledged."""
    assert asks(world, asking, edit=edit, signer=None).kind == asking[2]


SPOILT: dict[str, tuple[Edit, str]] = {
    "a broken signature": (swap("<ds:SignatureValue>", "<ds:SignatureValue>AAAA"), "signature-invalid"),
    "changed afterwards": (swap("<eb:ConversationId>", "<eb:ConversationId>x"), "signature-invalid"),
    "no certificate": (without("ds:KeyInfo"), "signature-structure"),
    "two signatures": (
        lambda e: e.replace(
            b"</ds:Signature>", b"</ds:Signature>" + e[e.index(b"<ds:Signature ") : e.index(b"</ds:Signature>") + 15], 1
        ),
        "signature-structure",
    ),
}


@BOTH
@pytest.mark.parametrize(("after", "code"), SPOILT.values(), ids=SPOILT.keys())
def test_a_signature_that_is_there_must_be_good(world: World, asking: Asking, after: Edit, code: str) -> None:
    """A broken one is no unsigned one: somebody has had his hands on it, or its sender must know (SecurityFailure)."""
    said = asks(world, asking, after=after)
    assert said.kind == "error" and said.error.code == "SecurityFailure"
    assert said.arrival is not None and said.arrival.code == code


@BOTH
@pytest.mark.parametrize("kind", ["expired", "revoked"])
def test_a_certificate_that_is_no_good_is_refused(world: World, asking: Asking, kind: str) -> None:
    said = asks(world, asking, post=replace(world.post_to, key=world.keys.wrong[kind]))
    assert said.kind == "error" and said.error.code == "SecurityFailure"


@BOTH
def test_a_certificate_of_somebody_else_is_refused(world: World, asking: Asking) -> None:
    said = asks(world, asking, post=replace(world.post_to, key=world.keys.stranger()))
    assert said.kind == "error" and said.arrival is not None and said.arrival.code == "certificate-unregistered"


@BOTH
@pytest.mark.parametrize(
    "header", [{"cpa_id": "ukjent:1"}, {"from_her": "8009999"}], ids=["an unknown agreement", "an unknown party"]
)
def test_only_known_parties_under_known_agreements_are_answered(
    world: World, asking: Asking, header: dict[str, str]
) -> None:
    """Whether we are here is told to those who have to do with us (ebMS 2.0 8.3)."""
    for signer in (sign, None):
        assert asks(world, asking, signer=signer, **header).kind == "error"


def test_a_ping_whose_revocation_cannot_be_asked_is_asked_to_come_again(world: World) -> None:
    """There is nothing to keep and judge later: the asker asks again."""
    said = asks(world, PING, post=replace(world.post_to, key=world.keys.wrong["silent"]))
    assert said.kind == "fault" and said.reply.status == 503


# --- what a StatusResponse tells, and to whom


def status(world: World, about: str, signer: Signer | None = sign, **header: str) -> Said:
    """Asks about a message."""
    return asks(
        world, ("StatusRequest", lambda h: envelope_write.status_request(h, about), ""), signer=signer, **header
    )


def test_who_proves_himself_learns_more_than_who_does_not(new_world: Callable[..., World]) -> None:
    """Received, and not when nor whether it was fetched, for the unsigned asker: it could be anybody."""
    world = new_world()
    letter = business(world.post_to, world.sample().document)
    [message] = world.post(letter).messages
    signed, unsigned = status(world, letter.message_id).envelope, status(world, letter.message_id, None).envelope
    assert signed is not None and unsigned is not None
    assert signed.status == "Received" and signed.status_at is not None
    assert abs(signed.status_at - message.received_at) < timedelta(seconds=1)
    assert (unsigned.status, unsigned.status_at) == ("Received", None)
    world.rest("PUT", f"/messages/{message.id}/downloaded", {"receiverHerId": int(DOCTOR.her_id)})
    signed, unsigned = status(world, letter.message_id).envelope, status(world, letter.message_id, None).envelope
    assert signed is not None and signed.status == "Processed"
    assert unsigned is not None and unsigned.status == "Received"


@pytest.mark.parametrize("signer", [sign, None], ids=["signed", "unsigned"])
@pytest.mark.parametrize("about", ["ukjent", "", "%", "*"])
def test_what_the_asker_has_not_sent_is_not_recognised(world: World, about: str, signer: Signer | None) -> None:
    """Not even a question about nothing, and without a Timestamp (ebMS 2.0 7.3.2)."""
    world.post(business(world.post_to, world.sample().document))
    told = status(world, about, signer).envelope
    assert told is not None and (told.status, told.status_at) == ("NotRecognized", None)


def test_a_message_of_another_is_not_recognised(world: World) -> None:
    """From must be the one that sent it, signed or not."""
    letter = business(world.post_to, world.sample().document)
    world.post(letter)
    low_high = "_".join(sorted(("8009202", DOCTOR.her_id), key=int))
    told = status(world, letter.message_id, None, from_her="8009202", cpa_id=low_high).envelope
    assert told is not None and told.status == "NotRecognized"


# --- bounded


@BOTH
def test_what_is_above_the_bound_gets_503_until_the_minute_is_over(
    new_world: Callable[..., World], asking: Asking
) -> None:
    """Unsigned, and written down once: asking neither makes us sign nor fills the disk without end."""
    world = new_world(hub={"questions_per_minute": 3})
    said = [asks(world, asking, signer=None) for _ in range(8)]
    assert [s.kind for s in said] == [asking[2]] * 3 + ["fault"] * 5
    assert {(s.reply.status, s.reply.headers["retry-after"]) for s in said[3:]} == {(503, "60")}
    assert b"<faultcode>SOAP:Server<" in said[-1].reply.body
    journal = world.run(world.hub.store.journal())
    assert [e.code for e in journal].count("asked-too-often") == 1
    assert world.run(world.hub.store.arrivals(ArrivalFilter())) == []
    world.clock.forward(seconds=61)
    assert asks(world, asking, signer=None).kind == asking[2]


def test_others_in_its_name_do_not_hold_back_who_proves_himself(new_world: Callable[..., World]) -> None:
    """Signed and unsigned questions are counted apart; what is unproven is counted for its address, in whatever names it asks."""
    world = new_world(hub={"questions_per_minute": 2})
    broken = swap("<ds:SignatureValue>", "<ds:SignatureValue>AAAA")
    spoilt = [asks(world, PING, after=broken).kind for _ in range(3)]
    strangers = [asks(world, PING, signer=None, from_her=f"800999{n}").kind for n in range(3)]
    low_high = "_".join(sorted(("8009202", DOCTOR.her_id), key=int))
    assert spoilt == ["error", "error", "fault"] and strangers == ["fault"] * 3
    assert asks(world, PING, signer=None).kind == "fault"
    assert asks(world, PING, signer=None, from_her="8009202", cpa_id=low_high).kind == "fault"
    assert [asks(world, PING).kind for _ in range(3)] == ["pong", "pong", "fault"]


def test_documents_are_not_counted(new_world: Callable[..., World]) -> None:
    world = new_world(hub={"questions_per_minute": 1})
    assert [asks(world, PING, signer=None).kind for _ in range(2)] == ["pong", "fault"]
    assert world.post(business(world.post_to, world.sample().document)).kind == "acknowledgment"


def test_while_an_answer_waits_no_other_is_made(new_world: Callable[..., World]) -> None:
    """An asker that is down heaps nothing up: its questions are answered by themselves one at a time."""
    world = new_world(manners={"reply": "async"})
    first, second = (asks(world, PING, signer=None) for _ in range(2))
    assert (first.reply.status, first.reply.body) == (202, b"")
    assert (second.reply.status, second.kind) == (503, "fault")
    world.clock.forward(seconds=121)
    assert len(world.run(world.hub.store.messages(MessageFilter(kind="signal")))) == 1


# --- what answers a question of ours


@pytest.mark.parametrize("signer", [sign, None], ids=["signed", "unsigned"])
def test_an_answer_that_comes_by_itself_is_written_down(world: World, signer: Signer | None) -> None:
    """Proof of a line, not of content: it may be unsigned, is not answered, and moves nothing."""
    words = "signed" if signer else "unsigned"
    pong = signal(world.post_to, envelope_write.pong, "Pong", signer=signer, ref_to_message_id="vårt-spørsmål")
    write = lambda h: envelope_write.status_response(h, "vår-melding", "Received", world.clock.now())  # noqa: E731
    told = signal(world.post_to, write, "StatusResponse", signer=signer)
    for letter, code, text in ((pong, "pong", "Pong from HER-id"), (told, "status-told", "StatusResponse Received")):
        said = world.post(letter)
        assert (said.reply.status, said.reply.body) == (200, b"")
        [entry] = said.journal
        assert (entry.event, entry.code) == ("told", code)
        assert text in entry.because and entry.because.endswith(f", {words}")


def test_an_answer_whose_signature_is_broken_is_not_taken(world: World) -> None:
    broken = swap("<ds:SignatureValue>", "<ds:SignatureValue>AAAA")
    said = world.post(signal(world.post_to, envelope_write.pong, "Pong", after=broken, ref_to_message_id="x"))
    assert (said.reply.status, said.reply.body, said.codes) == (200, b"", ["receipt-unproven"])
