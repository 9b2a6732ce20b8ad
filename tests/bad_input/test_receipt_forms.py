"""Receipts in the form that the partner reads: by setting, by agreement, or learnt from its own; and chains in theirs."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest

from adapters.register.file import der
from hub.formats import envelope_write
from hub.learnt import ACKNOWLEDGMENT_REFERS, Memory
from hub.ports import Change, Learnt
from tests.bad_input.answers import acknowledged, refused
from tests.bad_input.test_receipts import Sent, acknowledgment, message_error, sent, submitted
from tests.support.agreements import Side, agreement
from tests.support.letters import Edit, Hand, business, inserted, signal
from tests.support.world import DOCTOR, PARTNER, Keys, World

__all__ = ["sent", "submitted"]  # fixtures

CPA = "form:prove:1"
Made = Callable[..., World]


@pytest.fixture
def sides(keys: Keys) -> tuple[Side, Side]:
    """The partner and the doctor."""
    partner = Side(PARTNER.her_id, keys.good.certificate_der, keys.certificate("partner"))
    return partner, Side(DOCTOR.her_id, keys.certificate("legesenter", "sign"), keys.certificate("legesenter"))


def told(world: World, cpa_id: str = CPA, **header: str) -> tuple[str, str]:
    """RefToMessageId in MessageData of our Acknowledgment, wherever it goes, and the MessageId that it is about."""
    letter = business(world.post_to, world.sample().document, cpa_id=cpa_id, **header)
    said = world.post(letter)
    if said.reply.status == 202:  # by itself
        [record] = [message for message in said.messages if message.kind == "signal"]
        body = world.run(world.hub.store.document(record.id))
        assert body is not None
        return _ref(body), letter.message_id
    acknowledged(said, letter, world)
    return _ref(said.reply.body), letter.message_id


def _ref(body: bytes) -> str:
    data = body.split(b"<eb:MessageData>")[1].split(b"</eb:MessageData>")[0]
    return data.split(b"<eb:RefToMessageId>")[1].split(b"<")[0].decode() if b"RefToMessageId" in data else ""


SETTINGS = (None, "auto", "always", "never")


@pytest.mark.parametrize("reply", ["mshSignalsOnly", "none"])
@pytest.mark.parametrize("kind", ["HER", "urn:osb:oin", ""])
def test_an_acknowledgment_refers_as_it_is_set_and_else_as_the_partner_needs(
    new_world: Made, sides: tuple[Side, Side], kind: str, reply: str
) -> None:
    """Party × agreement × what was learnt × PartyIds, in the exchange and by itself.

    HITS 1172 109 forbids it between HER-ids; ebMS 2.0 3.1.6.3 allows it, and handlers elsewhere look for nothing else.
    """
    typed = f' tp:type="{kind}"' if kind else ""
    world = new_world(agreements=[agreement(CPA, *sides, reply=reply).replace(' tp:type="HER"', typed)])
    for learnt, party, agreed in product(("", "no", "yes"), SETTINGS, SETTINGS):
        if learnt:
            world.run(world.hub.store.apply(Change(learnt=(fact(world, learnt),))))
        world.clock.forward(seconds=31)
        set_to(world, party, agreed)
        meant = agreed or party or "auto"
        wanted = meant == "always" or (meant == "auto" and (kind != "HER" or learnt == "yes"))
        found, message_id = told(world, from_type=kind, to_type=kind)
        assert found == (message_id if wanted else ""), (learnt, party, agreed)


def fact(world: World, value: str) -> Learnt:
    return Learnt(PARTNER.her_id, ACKNOWLEDGMENT_REFERS, value, world.clock.now())


PLAIN: dict[int, str] = {}


def set_to(world: World, party: str | None, agreed: str | None) -> None:
    """In the party file: for the partner, and for the agreement."""
    file = world.site.folder / "parties.toml"
    before = PLAIN.setdefault(id(world), file.read_text("utf-8"))
    own = f'her_id = "{PARTNER.her_id}"'
    row = f'{own}\nacknowledgment_refers = "{party}"' if party else own
    table = f'\n[[agreement]]\ncpa_id = "{CPA}"\nacknowledgment_refers = "{agreed}"\n' if agreed else ""
    file.write_text(before.replace(own, row) + table, "utf-8")
    world.hub.directory.reload()


REFERS = inserted("</eb:MessageData>", "<eb:RefToMessageId>urn:det-samme</eb:RefToMessageId>")
HERS = "8000202_8009102"


def known(world: World) -> dict[str, str]:
    found = world.run(world.hub.store.learnt())
    return {one.her_id: one.value for one in found if one.fact == ACKNOWLEDGMENT_REFERS}


@pytest.mark.parametrize("edit", [None, REFERS], ids=["without", "with"])
def test_what_the_partners_own_acknowledgments_have_is_learnt_and_outlives_a_restart(
    new_world: Made, submitted: Callable[[World], Sent], edit: Edit | None
) -> None:
    """From a proven one that counts; the next receipt to it has the same form, from whichever process."""
    world = new_world()
    assert told(world, HERS)[0] == "" and known(world) == {}
    about = submitted(world)
    world.post(acknowledgment(world, about, edit=edit))
    assert known(world) == {PARTNER.her_id: "yes" if edit else "no"}
    found, message_id = told(world, HERS)
    assert found == (message_id if edit else "")
    another = Memory.empty()
    world.run(another.refresh(world.hub.store.learnt, world.clock.now()))
    assert another.value(PARTNER.her_id, ACKNOWLEDGMENT_REFERS) == ("yes" if edit else "no")


UNPROVEN: dict[str, dict[str, object]] = {
    "unsigned": {"signer": None},
    "changed after signing": {"after": REFERS},
    "by another's key": {"signer": Hand(value=b"x" * 256)},
}


@pytest.mark.parametrize("how", UNPROVEN.values(), ids=UNPROVEN.keys())
def test_nothing_is_learnt_from_what_is_not_proven(
    new_world: Made, submitted: Callable[[World], Sent], how: dict[str, object]
) -> None:
    world = new_world()
    about = submitted(world)
    edit = None if "after" in how else REFERS
    said = world.post(acknowledgment(world, about, edit=edit, **how))
    assert "receipt-unproven" in said.codes and known(world) == {}


def test_nothing_is_learnt_from_an_error_or_of_another_message(
    new_world: Made, submitted: Callable[[World], Sent]
) -> None:
    """A MessageError always refers (HITS 1172 122)."""
    world = new_world()
    about = submitted(world)
    world.post(
        acknowledgment(
            world,
            about,
            references=[b'<ds:Reference xmlns:ds="http://www.w3.org/2000/09/xmldsig#" URI="cid:x"/>'],
            edit=REFERS,
        )
    )
    world.post(message_error(world, about, "Warning"))
    assert known(world) == {}


def test_what_is_known_is_not_written_again_and_a_change_is(
    new_world: Made, submitted: Callable[[World], Sent]
) -> None:
    """The good path writes nothing: the time stays that of the first; who changes is believed at once."""
    world = new_world()
    for edit, value in ((REFERS, "yes"), (REFERS, "yes"), (None, "no"), (REFERS, "yes")):
        world.post(acknowledgment(world, submitted(world), edit=edit))
        [one] = world.run(world.hub.store.learnt())
        assert one.value == value
    first = one.at
    world.clock.forward(seconds=100)
    world.post(acknowledgment(world, submitted(world), edit=REFERS))
    assert [one.at for one in world.run(world.hub.store.learnt())] == [first]


# --- chains


def chained(world: World, *, apart: bool, first: bool = True) -> Hand:
    """A signer that puts its authorities' certificates beside its own."""
    folder = world.keys.folder / "ca"
    authorities = [der(p.read_bytes()) for p in sorted(folder.rglob("*.cert.pem"))][:2]
    assert len(authorities) == 2
    own = "{certificate}"
    texts = [own, *(base64.b64encode(a).decode() for a in authorities)]
    each = [f"<ds:X509Certificate>{t}</ds:X509Certificate>" for t in (texts if first else reversed(texts))]
    glue = "</ds:X509Data><ds:X509Data>" if apart else ""
    return Hand(key_info=f"<ds:X509Data>{glue.join(each)}</ds:X509Data>")


@pytest.mark.parametrize("apart", [False, True], ids=["in one X509Data", "each in its own"])
@pytest.mark.parametrize("kind", ["Acknowledgment", "MessageError"])
def test_a_receipt_with_its_chain_is_taken_and_the_rule_noted(world: World, sent: Sent, kind: str, apart: bool) -> None:
    """XMLDSig 4.4.4 allows it, HITS 1172 65 and 103 do not: what was delivered must not die of that."""
    signer = chained(world, apart=apart)
    letter = (
        acknowledgment(world, sent, signer=signer)
        if kind == "Acknowledgment"
        else message_error(world, sent, signer=signer)
    )
    said = world.post(letter)
    assert sent.record.state == ("acknowledged" if kind == "Acknowledgment" else "rejected")
    [noted] = [e for e in said.journal if e.code == "envelope-warning"]
    assert "HITS 1172 65, 103" in noted.because and "3 certificates" in noted.because


@pytest.mark.parametrize("apart", [False, True])
def test_a_chain_whose_first_is_not_the_signers_proves_nothing(world: World, sent: Sent, apart: bool) -> None:
    said = world.post(acknowledgment(world, sent, signer=chained(world, apart=apart, first=False)))
    assert sent.record.state == "sent" and "receipt-unproven" in said.codes


def test_a_chain_whose_first_is_another_partners_proves_nothing(world: World, sent: Sent) -> None:
    ref, post = sent.record.eb_message_id, replace(world.post_to, key=world.keys.stranger())
    write = lambda h: envelope_write.acknowledgment(h, ref, sent.references)  # noqa: E731
    said = world.post(signal(post, write, "Acknowledgment", signer=chained(world, apart=False)))
    assert sent.record.state == "sent" and "receipt-unproven" in said.codes


@pytest.mark.parametrize("apart", [False, True])
def test_in_a_message_a_chain_stays_refused_with_what_to_do(world: World, apart: bool) -> None:
    """HITS 1172 65: the sender reads where the certificates of its authorities come from."""
    letter = business(world.post_to, world.sample().document, signer=chained(world, apart=apart))
    text = refused(world.post(letter), letter, "signature-structure", "SecurityFailure", "//ds:Signature")
    assert "put only the signing certificate into the key store" in text
