"""Own messages, spoilt on their way or before they were signed: always an answer, never a surprise, never a lost message."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from hub.formats import envelope_write
from hub.trust import cms
from tests.fuzz import mutations
from tests.fuzz.mutations import Spoil
from tests.fuzz.target import shots, survives
from tests.support.letters import Hand, Letter, business, signal
from tests.support.world import World

KINDS = ("dialog-helsefaglig", "henvisning", "epikrise", "labsvar", "plo-innleggelse")


def good(world: World, kind: str) -> Letter:
    """A sound message that has not been sent before."""
    return business(world.post_to, world.sample(kind).document)


@shots(90)
@given(spoil=mutations.anywhere(), kind=st.sampled_from(KINDS))
def test_bytes_changed_on_the_way(world: World, spoil: Spoil, kind: str) -> None:
    letter = good(world, kind)
    survives(world, replace(letter, body=spoil(letter.body)), letter.document, letter.header)


@shots(90)
@given(spoil=mutations.restructured(), kind=st.sampled_from(KINDS))
def test_an_envelope_changed_after_it_was_signed(world: World, spoil: Spoil, kind: str) -> None:
    letter = business(world.post_to, world.sample(kind).document, after=spoil)
    survives(world, letter, letter.document, letter.header)


@shots(90)
@given(spoils=st.lists(mutations.restructured(), min_size=1, max_size=2))
def test_an_envelope_that_its_sender_wrote_wrongly(world: World, spoils: list[Spoil]) -> None:
    """Signed as it is: what is wrong with it is not the signature."""

    def edit(envelope: bytes) -> bytes:
        for spoil in spoils:
            envelope = spoil(envelope)
        return etree.tostring(etree.fromstring(envelope), method="c14n")

    def signer(envelope: bytes, parts: object, key: object) -> bytes:
        return Hand()(envelope, parts, key) if b"</SOAP:Header>" in envelope else envelope  # type: ignore[arg-type]

    letter = business(world.post_to, world.sample().document, edit=edit, signer=signer)
    survives(world, letter, letter.document)


@shots(80)
@given(spoils=st.lists(mutations.repackaged(), min_size=1, max_size=3))
def test_a_package_put_together_wrongly(world: World, spoils: list[Spoil]) -> None:
    letter = good(world, "dialog-helsefaglig")
    body = letter.body
    for spoil in spoils:
        body = spoil(body)
    survives(world, replace(letter, body=body), letter.document, letter.header)


@shots(60)
@given(
    content_type=st.one_of(
        st.text(st.characters(max_codepoint=255), max_size=80),
        st.from_regex(r'multipart/related(; *[a-z]{1,8}=("[^"]{0,20}"|[a-z<>@]{0,9}))*', fullmatch=True),
    ),
    action=st.sampled_from(('"ebXML"', "ebXML", "", "annet")),
)
def test_a_content_type_of_any_kind(world: World, content_type: str, action: str) -> None:
    letter = good(world, "dialog-helsefaglig")
    printable = "".join(c if c >= " " else " " for c in content_type)
    survives(
        world,
        replace(letter, headers={"Content-Type": printable, "SOAPAction": action}),
        letter.document,
        letter.header,
    )


@shots(80)
@given(
    body=st.binary(max_size=400),
    content_type=st.sampled_from(("text/xml", 'multipart/related; boundary="b"', "", "text/plain")),
)
def test_bytes_that_nobody_meant_as_a_message(world: World, body: bytes, content_type: str) -> None:
    survives(world, Letter({"Content-Type": content_type}, body), None)


@shots(80)
@given(spoil=mutations.anywhere())
def test_an_encryption_spoilt_before_it_was_signed(world: World, spoil: Spoil) -> None:
    """The signature is good, so all of the opening is reached."""
    document = world.sample().document
    letter = business(world.post_to, document, payload=spoil(cms.encrypt(document, world.post_to.certificate)))
    survives(world, letter, document)


@shots(80)
@given(spoil=mutations.anywhere(), form=st.sampled_from(("gzip", "mime", "both")))
def test_a_wrapping_spoilt_before_it_was_encrypted(world: World, spoil: Spoil, form: str) -> None:
    document = world.sample().document
    inside = spoil(cms.wrap(document, as_mime=form != "gzip", gzip=form != "mime"))
    unwrapped = cms.unwrap(inside, 36_000_000)
    letter = business(world.post_to, document, payload=cms.encrypt(inside, world.post_to.certificate))
    survives(world, letter, unwrapped if isinstance(unwrapped, bytes) else None)


@shots(90)
@given(spoil=st.one_of(mutations.anywhere(), mutations.restructured()), kind=st.sampled_from(KINDS))
def test_a_document_spoilt_before_it_was_sealed(world: World, spoil: Spoil, kind: str) -> None:
    """Acknowledged and handed on as it is, or answered by AppRec, or refused; never another than was signed."""
    document = spoil(world.sample(kind).document)
    survives(world, business(world.post_to, document), document)


@shots(80)
@given(
    spoil=st.one_of(mutations.anywhere(), mutations.restructured()),
    kind=st.sampled_from(("ack", "error", "ping", "status")),
    late=st.booleans(),
)
def test_receipts_and_questions_spoilt(world: World, spoil: Spoil, kind: str, late: bool) -> None:
    """Never answered by more than they may be; a question gets its answer or a refusal."""
    writers = {
        "ack": lambda h: envelope_write.acknowledgment(h, "x", []),
        "error": lambda h: envelope_write.message_error(h, [envelope_write.ErrorLine("Unknown", "Error", "", "x")]),
        "ping": envelope_write.ping,
        "status": lambda h: envelope_write.status_request(h, "x"),
    }
    named = {"ack": "Acknowledgment", "error": "MessageError", "ping": "Ping", "status": "StatusRequest"}[kind]
    letter = signal(world.post_to, writers[kind], named, after=spoil if late else None)
    body = letter.body if late else spoil(letter.body)
    survives(world, replace(letter, body=body), None)


def test_the_yardstick(world: World) -> None:
    """What is not spoilt is accepted: otherwise all of the above would prove nothing."""
    for kind in KINDS:
        letter = good(world, kind)
        assert survives(world, letter, letter.document) == "accepted"
