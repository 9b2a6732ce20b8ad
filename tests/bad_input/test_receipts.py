"""Receipts that come by themselves: taken when proven, written down either way, and never answered (HIS 1037 9)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from hub import delivery
from hub.circuit import Circuits
from hub.formats import envelope_write
from hub.formats.envelope_write import ErrorLine
from hub.message import Arrival, Channel, Claimed, DeliveryRecord, Outcome, Parcel, Reached
from hub.ports import DeliveryFilter
from tests.support.letters import Edit, Letter, inserted, signal, swap, without
from tests.support.world import DOCTOR, PARTNER, Said, World


@dataclass
class Sent:
    """A document of the doctor's that was handed to the partner and waits for its receipt."""

    world: World
    id: str

    @property
    def record(self) -> DeliveryRecord:
        return self.world.run(self.world.hub.store.deliveries(DeliveryFilter(ids=(self.id,))))[0]

    @property
    def references(self) -> list[bytes]:
        """The References of our signature, as a receiver echoes them."""
        from lxml import etree

        from hub.formats import mime
        from hub.trust.signature import references_of

        parcel = self.world.run(self.world.hub.store.parcel(self.id))
        assert parcel is not None
        package = mime.read(parcel.headers, parcel.body)
        assert isinstance(package, mime.Package)
        return [
            etree.tostring(etree.fromstring(r.xml), method="c14n")
            for r in references_of(etree.fromstring(package.root.content))
        ]


class _Mute:
    """A sender whose parcels arrive, and bring no answer."""

    async def send(self, claimed: Claimed, parcel: Parcel) -> Outcome:
        return Outcome(Reached.YES, "handed-over", "HTTP 202, no receipt in the answer")


@pytest.fixture
def submitted() -> Callable[[World], Sent]:
    """Hands a document over in a world of one's own."""
    return _handed_over


@pytest.fixture
def sent(world: World) -> Sent:
    """Handed over a moment ago."""
    return _handed_over(world)


def _handed_over(world: World) -> Sent:
    hub = world.hub
    document = world.sample(sender=DOCTOR, receiver=PARTNER).document
    answer = world.run(
        hub.submit(Arrival(str(datetime.now(UTC)), "rest", world.clock.now(), {}, document, "legesenter"))
    )
    wanted = world.run(hub.store.deliveries(DeliveryFilter(message_id=answer.message_id)))[0]
    due = world.run(hub.store.claim(world.clock.now(), 9999, timedelta(seconds=60), frozenset(), 9999))
    own = next(c for c in due if c.delivery.id == wanted.id)
    circuits = Circuits(hub.kit.settings.circuit_failures, delivery.backoff(hub.kit))
    world.run(delivery.attempt(own, hub.kit, {Channel.EBXML_HTTP: _Mute()}, circuits))
    made = Sent(world, wanted.id)
    assert made.record.state == "sent"
    return made


def acknowledgment(world: World, about: Sent, references: list[bytes] | None = None, **more: object) -> Letter:
    """The partner's Acknowledgment of it."""
    echoed = about.references if references is None else references
    ref = about.record.eb_message_id
    return signal(world.post_to, lambda h: envelope_write.acknowledgment(h, ref, echoed), "Acknowledgment", **more)  # type: ignore[arg-type]


def message_error(world: World, about: Sent, severity: str = "Error", **more: object) -> Letter:
    """The partner's MessageError about it."""
    line = ErrorLine("OtherXml", severity, "//eb:MessageHeader", "noe er galt")
    given = {"ref_to_message_id": about.record.eb_message_id} | more
    return signal(world.post_to, lambda h: envelope_write.message_error(h, [line]), "MessageError", **given)  # type: ignore[arg-type]


def unanswered(said: Said) -> None:
    """200 and nothing else: a receipt gets no receipt."""
    assert (said.kind, said.reply.status) == ("empty", 200), said.reply.body
    assert said.arrival is not None
    assert not said.messages


def test_a_proven_acknowledgment_is_taken(world: World, sent: Sent) -> None:
    said = world.post(acknowledgment(world, sent))
    unanswered(said)
    assert sent.record.state == "acknowledged"
    assert said.codes == ["acknowledged"]


SPELT: dict[str, Callable[[str], str]] = {
    "capitals": str.upper,
    "no hyphens": lambda own: own.replace("-", ""),
    "a URN": lambda own: f"urn:uuid:{own}",
    "braces": lambda own: "{" + own.upper() + "}",
}


@pytest.mark.parametrize("how", SPELT)
def test_a_receipt_finds_its_message_however_it_spells_the_id(world: World, sent: Sent, how: str) -> None:
    """UUIDs are compared as UUIDs (RFC 4122 3): else an honest Acknowledgment is for nothing that we sent."""
    ref = SPELT[how](sent.record.eb_message_id)
    letter = signal(world.post_to, lambda h: envelope_write.acknowledgment(h, ref, sent.references), "Acknowledgment")
    unanswered(world.post(letter))
    assert sent.record.state == "acknowledged"


@pytest.mark.parametrize("how", SPELT)
def test_a_refusal_finds_its_message_however_it_spells_the_id(world: World, sent: Sent, how: str) -> None:
    unanswered(world.post(message_error(world, sent, ref_to_message_id=SPELT[how](sent.record.eb_message_id))))
    assert (sent.record.state, sent.record.code) == ("rejected", "message-error")


def test_the_old_spelling_is_understood(world: World, sent: Sent) -> None:
    """Older text says Acknowledgement (ebxml.md §1.11); HITS 1172 107 is noted."""
    said = world.post(acknowledgment(world, sent, action="Acknowledgement"))
    unanswered(said)
    assert sent.record.state == "acknowledged"
    assert any("107" in e.because for e in said.journal)


UNPROVEN: dict[str, dict[str, object]] = {
    "unsigned": {"signer": None},
    "changed after signing": {"after": swap("<eb:ConversationId>", "<eb:ConversationId>x")},
}


@pytest.mark.parametrize("how", UNPROVEN.values(), ids=UNPROVEN.keys())
def test_an_unproven_acknowledgment_moves_nothing_and_is_shown(
    world: World, sent: Sent, how: dict[str, object]
) -> None:
    said = world.post(acknowledgment(world, sent, **how))
    unanswered(said)
    assert sent.record.state == "sent"
    assert said.codes == ["receipt-unproven"]


@pytest.mark.parametrize("kind", ["revoked", "expired", "wrong-purpose", "unknown-issuer", "self-signed"])
def test_a_wrong_certificate_proves_no_receipt(world: World, sent: Sent, kind: str) -> None:
    ref = sent.record.eb_message_id
    post = replace(world.post_to, key=world.keys.wrong[kind])
    said = world.post(signal(post, lambda h: envelope_write.acknowledgment(h, ref, sent.references), "Acknowledgment"))
    unanswered(said)
    assert sent.record.state == "sent"
    assert "receipt-unproven" in said.codes


def test_a_receipt_whose_revocation_cannot_be_asked_is_judged_again(world: World, sent: Sent) -> None:
    ref = sent.record.eb_message_id
    post = replace(world.post_to, key=world.keys.wrong["silent"])
    said = world.post(signal(post, lambda h: envelope_write.acknowledgment(h, ref, sent.references), "Acknowledgment"))
    assert said.arrival is not None and said.arrival.state == "undecided"
    assert said.kind == "empty" and sent.record.state == "sent"


def test_an_unsigned_error_does_not_stop_a_delivery_without_a_person(world: World, sent: Sent) -> None:
    """ebxml.md §10 item 14."""
    said = world.post(message_error(world, sent, signer=None))
    unanswered(said)
    assert sent.record.state == "sent"
    assert said.codes == ["receipt-unproven"]


def test_another_digest_than_ours_is_no_evidence(world: World, sent: Sent) -> None:
    """HITS 1172 116, 117: it acknowledges something else than was sent."""
    wrong = [r.replace(b"DigestValue>", b"DigestValue>AAAA", 1) for r in sent.references]
    said = world.post(acknowledgment(world, sent, references=wrong))
    unanswered(said)
    assert sent.record.state == "sent"
    assert said.codes == ["receipt-digest"]


def test_no_digests_at_all_are_tolerated_and_noted(world: World, sent: Sent) -> None:
    """Some echo nothing, or only the envelope's (ebxml.md §1.11)."""
    said = world.post(acknowledgment(world, sent, references=[]))
    unanswered(said)
    assert sent.record.state == "acknowledged"
    assert any("116" in e.because and "117" in e.because for e in said.journal if e.code == "envelope-warning")


def test_a_receipt_for_something_that_was_never_sent_is_written_down(world: World) -> None:
    said = world.post(signal(world.post_to, lambda h: envelope_write.acknowledgment(h, "ukjent", []), "Acknowledgment"))
    unanswered(said)
    assert "receipt-unknown" in said.codes


def test_a_receipt_about_another_partners_message_is_not_taken(world: World, sent: Sent) -> None:
    from tests.support.world import UNSHELTERED

    ref = sent.record.eb_message_id
    post = replace(world.post_to, from_her=UNSHELTERED.her_id)
    said = world.post(signal(post, lambda h: envelope_write.acknowledgment(h, ref, sent.references), "Acknowledgment"))
    unanswered(said)
    assert sent.record.state == "sent"
    assert "receipt-unknown" in said.codes


NOTED: dict[str, tuple[Edit, str]] = {
    "no reference in the Acknowledgment (108)": (without("eb:RefToMessageId"), "108"),
    "a reference in MessageData (109)": (
        inserted("</eb:MessageData>", "<eb:RefToMessageId>x</eb:RefToMessageId>"),
        "109",
    ),
    "an ErrorList beside (115)": (
        inserted(
            "</SOAP:Header>",
            '<eb:ErrorList eb:version="2.0"><eb:Error eb:errorCode="Unknown" eb:severity="Warning"></eb:Error></eb:ErrorList>',
        ),
        "115",
    ),
    "AckRequested": (
        inserted("</SOAP:Header>", '<eb:AckRequested eb:signed="true" eb:version="2.0"></eb:AckRequested>'),
        "HIS 1037 4.2",
    ),
    "DuplicateElimination": (
        inserted("</eb:MessageHeader>", "<eb:DuplicateElimination></eb:DuplicateElimination>"),
        "HIS 1037 4.2",
    ),
    "TimeToLive": (
        inserted("</eb:MessageData>", "<eb:TimeToLive>2099-01-01T00:00:00Z</eb:TimeToLive>"),
        "HIS 1037 4.2",
    ),
    "a Manifest": (swap("<SOAP:Body>", '<SOAP:Body><eb:Manifest eb:version="2.0"></eb:Manifest>'), "HIS 1037 4.2"),
    "another version (70)": (swap('eb:version="2.0"><eb:From', 'eb:version="1.0"><eb:From'), "70"),
    "no CPAId (11)": (without("eb:CPAId"), "11"),
}


@pytest.mark.parametrize(("edit", "rule"), NOTED.values(), ids=NOTED.keys())
def test_what_the_form_of_a_receipt_breaks_is_noted_and_never_answered(
    world: World, sent: Sent, edit: Edit, rule: str
) -> None:
    """HIS 1037 4.2, column Acknowledgment; HITS 1172 5.12: log only."""
    said = world.post(acknowledgment(world, sent, edit=edit))
    unanswered(said)
    noted = [e for e in said.journal if e.code == "envelope-warning"]
    assert noted and rule in noted[0].because, said.journal
    assert sent.record.state in ("sent", "acknowledged")


ERRORS_NOTED: dict[str, tuple[Edit, str]] = {
    "no reference (122)": (without("eb:RefToMessageId"), "122"),
    "another Action (121)": (swap("<eb:Action>MessageError", "<eb:Action>Feil"), "121"),
    "another Service (120)": (
        swap("urn:oasis:names:tc:ebxml-msg:service</eb:Service>", "urn:annet</eb:Service>"),
        "120",
    ),
    "an Acknowledgment beside (123)": (
        inserted(
            "</SOAP:Header>",
            '<eb:Acknowledgment eb:version="2.0"><eb:RefToMessageId>x</eb:RefToMessageId></eb:Acknowledgment>',
        ),
        "123",
    ),
}


@pytest.mark.parametrize(("edit", "rule"), ERRORS_NOTED.values(), ids=ERRORS_NOTED.keys())
def test_what_the_form_of_an_error_breaks_is_noted(world: World, sent: Sent, edit: Edit, rule: str) -> None:
    """HITS 1172 5.13."""
    said = world.post(message_error(world, sent, edit=edit))
    unanswered(said)
    assert any(rule in e.because for e in said.journal if e.code == "envelope-warning"), said.journal


def test_an_error_ends_it_and_a_warning_means_accepted(world: World, sent: Sent) -> None:
    """HITS 1171 5.2.4; HIS 1037 errata 2."""
    unanswered(world.post(message_error(world, sent, "Warning")))
    assert sent.record.state == "acknowledged"


def test_a_mixed_list_is_an_error_whatever_its_attribute_says(world: World, sent: Sent) -> None:
    """ebxml.md §10 item 13: the attribute is computed wrongly by one big partner."""
    lines = [ErrorLine("OtherXml", severity, "", "x") for severity in ("Warning", "Error", "Warning")]
    lying = swap('eb:highestSeverity="Error"', 'eb:highestSeverity="Warning"')
    said = world.post(
        signal(
            world.post_to,
            lambda h: envelope_write.message_error(h, lines),
            "MessageError",
            edit=lying,
            ref_to_message_id=sent.record.eb_message_id,
        )
    )
    unanswered(said)
    assert sent.record.state == "rejected"


def test_a_late_acknowledgment_after_an_error_changes_nothing(world: World, sent: Sent) -> None:
    references = sent.references
    unanswered(world.post(message_error(world, sent)))
    assert sent.record.state == "rejected"
    said = world.post(acknowledgment(world, sent, references=references))
    unanswered(said)
    assert sent.record.state == "rejected"


# --- in the open exchange


@pytest.fixture
def asked(world: World, sent: Sent) -> Callable[[Letter], str]:
    """What becomes of the delivery when this comes back in its exchange."""
    from hub import signals

    def come_back(letter: Letter) -> str:
        parcel = world.run(world.hub.store.parcel(sent.id))
        assert parcel is not None
        record = sent.record
        from hub.ports import MessageFilter

        message = world.run(world.hub.store.messages(MessageFilter(ids=(record.message_id,))))[0]
        outcome = Outcome(Reached.YES, "unreadable-answer", "", answer=letter.body, answer_headers=dict(letter.headers))
        effect = world.run(signals.answered(Claimed(record, message, 1, parcel), parcel, outcome, world.hub.kit))
        return effect.code if effect is not None else "none"

    return come_back


def test_an_old_error_played_again_in_another_exchange_is_not_taken(
    world: World, sent: Sent, asked: Callable[[Letter], str]
) -> None:
    assert asked(message_error(world, sent)) == "message-error"
    assert asked(message_error(world, sent, "Warning", ref_to_message_id="en-annen")) == "receipt-unknown"


@pytest.mark.parametrize(
    "letter",
    [
        Letter({}, b""),
        Letter({"Content-Type": "text/html"}, b"<html>502</html>"),
        Letter({"Content-Type": 'multipart/related; boundary="\u20ac\udcff"'}, b"--x--"),
        Letter({"Content-Type": "text/xml"}, bytes(range(256))),
        Letter({"Content-Type": "text/xml; charset=\udce6"}, b"<a/>"),
    ],
    ids=["nothing", "a page", "a boundary in no alphabet", "noise", "a charset in no alphabet"],
)
def test_whatever_comes_back_is_no_receipt_and_no_exception(letter: Letter, asked: Callable[[Letter], str]) -> None:
    assert asked(letter) == "none"
