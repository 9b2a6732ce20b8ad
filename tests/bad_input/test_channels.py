"""A signal travels as its own channel says: OverrideMshActionBinding, else defaultMshChannelId (CPPA 2.0; ebMS 2.0 4.2.4.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

import pytest

from hub.formats import envelope_write
from hub.formats.envelope_write import HeaderFields
from hub.message import DeliveryRecord, NewMessage
from hub.ports import DeliveryFilter, MessageFilter
from ops.partner.aside import Aside
from tests.support.agreements import Side
from tests.support.channels import Carrier, Channels, cpa
from tests.support.letters import Edit, Letter, business, inserted, signal, swap, without
from tests.support.world import DOCTOR, PARTNER, Keys, Said, World

SYNC_REPLY = (
    '<eb:SyncReply SOAP:actor="http://schemas.xmlsoap.org/soap/actor/next" SOAP:mustUnderstand="1" eb:version="2.0">'
    "</eb:SyncReply>"
)
Made = Callable[[World, str, bool], Letter]


def document(*edits: Edit, after: Edit | None = None, **header: str) -> Made:
    """A document under a CPA, right in all but the edits."""

    def made(world: World, cpa_id: str, sync_reply: bool) -> Letter:
        every = (*edits, inserted("</SOAP:Header>", SYNC_REPLY)) if sync_reply else edits

        def edit(envelope: bytes) -> bytes:
            for one in every:
                envelope = one(envelope)
            return envelope

        return business(world.post_to, world.sample().document, cpa_id=cpa_id, edit=edit, after=after, **header)

    return made


def question(action: str, after: Edit | None = None) -> Made:
    """A Ping or a StatusRequest."""

    def written(sync_reply: bool) -> Callable[[HeaderFields], bytes]:
        if action == "Ping":
            return lambda h: envelope_write.ping(h, sync_reply=sync_reply)
        return lambda h: envelope_write.status_request(h, "ukjent", sync_reply=sync_reply)

    def made(world: World, cpa_id: str, sync_reply: bool) -> Letter:
        return signal(world.post_to, written(sync_reply), action, cpa_id=cpa_id, after=after)

    return made


BROKEN = swap("<ds:SignatureValue>", "<ds:SignatureValue>AAAA")
#: What comes → the signal that answers it; whose mode holds: that of the document's action, or of a signal with this action.
ABOUT_DOCUMENTS: dict[str, tuple[Made, str, str]] = {
    "a good document": (document(), "Acknowledgment", "action"),
    "a document whose signature is broken": (document(after=BROKEN), "MessageError", "action"),
    "an unsigned document": (document(after=without("ds:Signature")), "MessageError", "action"),
    "another service": (document(service="S-ANNET"), "MessageError", "MessageError"),
    "another action": (document(action="ANNET"), "MessageError", "MessageError"),
    "another role": (document(from_role="Annen"), "MessageError", "MessageError"),
    "no Manifest": (document(without("eb:Manifest")), "MessageError", "MessageError"),
    "a document and an Acknowledgment": (
        document(inserted("</SOAP:Header>", '<eb:Acknowledgment eb:version="2.0"></eb:Acknowledgment>')),
        "MessageError",
        "MessageError",
    ),
    "no ConversationId": (document(without("eb:ConversationId")), "MessageError", "MessageError"),
    "a Ping": (question("Ping"), "Pong", "Ping"),
    "a StatusRequest": (question("StatusRequest"), "StatusResponse", "StatusRequest"),
    "a Ping whose signature is broken": (question("Ping", BROKEN), "MessageError", "Ping"),
}
MODES: dict[str, str | None] = {
    "none": "none",
    "unsaid": None,
    "sync": "mshSignalsOnly",
    "responses": "signalsAndResponse",
}
#: Of the document's action, of the default MSH channel (no: there is none), and of an override for every signal (no: none).
SHAPES = [
    ("none", "none", "no"),
    ("none", "sync", "no"),
    ("none", "no", "no"),
    ("none", "no", "sync"),
    ("none", "sync", "none"),
    ("none", "none", "sync"),
    ("sync", "none", "no"),
    ("sync", "sync", "no"),
    ("sync", "no", "no"),
    ("sync", "none", "none"),
    ("sync", "sync", "none"),
    ("unsaid", "unsaid", "no"),
    ("responses", "none", "no"),
]
SIGNALS = ("Acknowledgment", "MessageError", "Ping", "Pong", "StatusRequest", "StatusResponse")


def named(shape: tuple[str, str, str]) -> str:
    """The CPAId of a shape."""
    return f"kanal:{':'.join(shape)}"


@pytest.fixture(scope="module")
def sides(keys: Keys) -> tuple[Side, Side]:
    partner = Side(PARTNER.her_id, keys.good.certificate_der, keys.certificate("partner"))
    return partner, Side(DOCTOR.her_id, keys.certificate("legesenter", "sign"), keys.certificate("legesenter"))


@pytest.fixture(scope="module")
def hub(
    tmp_path_factory: pytest.TempPathFactory, keys: Keys, aside: Aside, sides: tuple[Side, Side]
) -> Iterator[World]:
    """A hub with a CPA of every shape."""
    made = World(
        tmp_path_factory.mktemp("channels"),
        keys,
        aside,
        [cpa(named(shape), *sides, _channels(*shape)) for shape in SHAPES],
        hub={"questions_per_minute": 10_000},
    )
    yield made
    made.close()


def _channels(action: str, default: str, override: str) -> Channels:
    return Channels(
        Carrier(MODES[action]),
        None if default == "no" else Carrier(MODES[default]),
        {} if override == "no" else {one: Carrier(MODES[override]) for one in SIGNALS},
    )


def travelling(world: World, said: Said, letter: Letter) -> tuple[DeliveryRecord, NewMessage] | None:
    """The signal about this message that waits to be brought by itself."""
    found = world.run(world.hub.store.messages(MessageFilter(kind="signal", direction="out", limit=5)))
    for record in (m for m in found if m.original_msg_id == letter.message_id):
        [delivery] = world.run(world.hub.store.deliveries(DeliveryFilter(message_id=record.id)))
        body = world.run(world.hub.store.document(record.id))
        assert body is not None and said.reply.status == 202 and said.reply.body == b""
        return delivery, NewMessage(record, body)
    return None


@pytest.mark.parametrize(("shape", "sync_reply"), list(product(SHAPES, (False, True))), ids=str)
@pytest.mark.parametrize(("made", "answer", "governed"), ABOUT_DOCUMENTS.values(), ids=ABOUT_DOCUMENTS.keys())
def test_a_signal_goes_as_its_channel_says(
    hub: World, shape: tuple[str, str, str], sync_reply: bool, made: Made, answer: str, governed: str
) -> None:
    """Mode and address, for each kind of signal, under each shape of agreement, with SyncReply in the message and without."""
    action, default, override = shape
    letter = made(hub, named(shape), sync_reply)
    mode = action if governed == "action" else override if override != "no" else default if default != "no" else action
    itself = mode in ("none", "unsaid") and not sync_reply
    before = set(_waiting(hub))

    said = hub.post(letter)

    found = travelling(hub, said, letter)
    if not itself:
        assert found is None and said.reply.status == 200
        assert said.envelope is not None and said.envelope.action == answer
        return
    assert found is not None, f"{said.kind}: {said.reply.status}"
    delivery, kept = found
    where = answer if override != "no" else "default" if default != "no" else ""
    expected = f"http://127.0.0.1:9/{PARTNER.her_id}/{where}" if where else "http://127.0.0.1:9/ebxml"
    assert (kept.record.action, delivery.address) == (answer, expected)
    assert f"<eb:Action>{answer}</eb:Action>".encode() in kept.document
    _taken_away(hub, before)


def _waiting(world: World) -> list[str]:
    found = world.run(world.hub.store.deliveries(DeliveryFilter(states=("waiting",), limit=10_000)))
    return [d.id for d in found]


def _taken_away(world: World, before: set[str]) -> None:
    """So that the next question finds no answer waiting for its asker."""
    from hub import commands
    from hub.states import Move

    for one in set(_waiting(world)) - before:
        world.run(commands.act(one, Move.DISCARD, "test", "", world.hub.kit))


@pytest.mark.parametrize("sync_reply", [False, True])
@pytest.mark.parametrize("kind", ABOUT_DOCUMENTS)
def test_under_an_agreement_that_nobody_knows_the_exchange_is_the_way_back(
    hub: World, kind: str, sync_reply: bool
) -> None:
    """Refused at once, whatever it is: there is no channel to ask."""
    said = hub.post(ABOUT_DOCUMENTS[kind][0](hub, "kanal:ukjent", sync_reply))
    assert (said.reply.status, said.kind) == (200, "error")


@pytest.mark.parametrize(("reply", "status"), [("sync", 200), ("async", 202)])
@pytest.mark.parametrize("kind", [k for k in ABOUT_DOCUMENTS if not k.startswith("another")])
def test_what_the_party_file_says_holds_where_there_is_no_cpa(
    new_world: Callable[..., World], kind: str, reply: str, status: int
) -> None:
    """lowest_highest as CPAId: reply and signal_endpoint of the partner."""
    world = new_world(manners={"reply": reply, "signal_endpoint": "http://127.0.0.1:9/signals"})
    low_high = "_".join(sorted((PARTNER.her_id, DOCTOR.her_id), key=int))
    letter = ABOUT_DOCUMENTS[kind][0](world, low_high, False)
    said = world.post(letter)
    assert said.reply.status == status
    found = travelling(world, said, letter)
    assert (found is not None) == (reply == "async")
    assert found is None or found[0].address == "http://127.0.0.1:9/signals"


@pytest.mark.parametrize(
    "start_end", [("2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"), ("2098-01-01T00:00:00Z", "2099-01-01T00:00:00Z")]
)
def test_an_agreement_out_of_its_time_still_says_where_the_sender_listens(
    new_world: Callable[..., World], sides: tuple[Side, Side], start_end: tuple[str, str]
) -> None:
    start, end = start_end
    text = cpa("kanal:gammel", *sides, Channels(default=Carrier("none")))
    text = text.replace("2020-01-01T00:00:00Z", start).replace("2099-01-01T00:00:00Z", end)
    world = new_world(agreements=[text])
    letter = document()(world, "kanal:gammel", False)
    said = world.post(letter)
    found = travelling(world, said, letter)
    assert found is not None and found[0].address == f"http://127.0.0.1:9/{PARTNER.her_id}/default"
    assert said.arrival is not None and said.arrival.code in ("cpa-expired", "cpa-not-yet-valid")


def test_a_stranger_to_the_agreement_is_refused_at_once(hub: World) -> None:
    """Its CPAId is known, but not with this sender: no channel of somebody else's gets the refusal."""
    post = replace(hub.post_to, from_her="8009202")
    letter = business(post, hub.sample().document, cpa_id=named(SHAPES[0]))
    said = hub.post(letter)
    assert (said.reply.status, said.kind) == (200, "error") and said.error.code == "Inconsistent"


# --- by which certificate a signal is proven

CERTIFICATES: dict[str, tuple[bool, bool, str]] = {
    "an override": (True, True, "override"),
    "an override and no default": (False, True, "override"),
    "the default": (True, False, "default"),
    "neither": (False, False, "any"),
}


@pytest.mark.parametrize(("default", "override", "wanted"), CERTIFICATES.values(), ids=CERTIFICATES.keys())
@pytest.mark.parametrize("action", SIGNALS)
def test_a_signal_is_proven_by_the_certificate_of_its_own_channel(
    new_world: Callable[..., World], keys: Keys, sides: tuple[Side, Side],
    action: str, default: bool, override: bool, wanted: str,
) -> None:  # fmt: skip
    """Not by that of the first action; by any of the party's only where no channel is named for signals."""
    der = {"action": keys.good, "default": keys.stranger(), "override": keys.wrong["expired"]}
    certificates = {name: key.certificate_der for name, key in der.items()}
    channels = Channels(
        Carrier(signing=certificates["action"]),
        Carrier(signing=certificates["default"]) if default else None,
        {action: Carrier(signing=certificates["override"])} if override else {},
    )
    world = new_world(agreements=[cpa("kanal:bevis", *sides, channels)])
    found = world.hub.directory.agreement(
        cpa_id="kanal:bevis", from_her=PARTNER.her_id, to_her=DOCTOR.her_id,
        service=envelope_write.SIGNAL_SERVICE, action=action, role="", at=world.clock.now(),
    )  # fmt: skip
    expected = (certificates[wanted],) if wanted != "any" else (certificates["action"],)
    assert (found.fault, found.signing_certificates) == ("", expected)


# --- what the agreement leaves free is nothing to remark upon

#: What is left out → how, the attribute that speaks of it, and the remark.
LEFT_OUT: dict[str, tuple[Edit, str, str]] = {
    "AckRequested": (without("eb:AckRequested"), "ackRequested", "AckRequested is missing"),
    "its signature": (swap('eb:signed="true"', 'eb:signed="false"'), "ackSignatureRequested", "signed is not true"),
    "DuplicateElimination": (
        without("eb:DuplicateElimination"),
        "duplicateElimination",
        "DuplicateElimination is missing",
    ),
}


@pytest.mark.parametrize("mode", ["always", "perMessage", "never", None])
@pytest.mark.parametrize("left_out", LEFT_OUT)
def test_only_what_is_always_agreed_is_missed(
    new_world: Callable[..., World], sides: tuple[Side, Side], left_out: str, mode: str | None
) -> None:
    """perMessage (the schema's default) and never leave it free: no remark, and no Warning where no receipt was asked for."""
    edit, attribute, remark = LEFT_OUT[left_out]
    modes = {"ackRequested": "always", "ackSignatureRequested": "always", "duplicateElimination": "always"}
    said_of = {**modes, attribute: mode}
    written = " ".join(f'tp:{name}="{value}"' for name, value in said_of.items() if value is not None)
    carrier = Carrier("mshSignalsOnly", characteristics=written)
    world = new_world(agreements=[cpa("kanal:fri", *sides, Channels(carrier, carrier))])

    said = world.post(document(edit)(world, "kanal:fri", False))

    free = mode != "always"
    asked_for = left_out != "AckRequested"
    assert said.kind == ("acknowledgment" if asked_for else "empty" if free else "error")
    assert said.reply.status == (204 if said.kind == "empty" else 200)
    assert [d.state for d in said.deliveries] == ["available"]
    [received] = [e for e in said.journal if e.event == "received"]
    assert (remark in received.because) is not free
    assert received.code == ("accepted" if free else "accepted-with-warning")


def test_an_acknowledgment_that_is_asked_for_is_sent_also_where_none_is_agreed(
    new_world: Callable[..., World], sides: tuple[Side, Side]
) -> None:
    """ebMS 2.0 6.5.3: the message says that it is due."""
    carrier = Carrier("mshSignalsOnly", characteristics='tp:ackRequested="never"')
    world = new_world(agreements=[cpa("kanal:aldri", *sides, Channels(carrier, carrier))])
    assert world.post(document()(world, "kanal:aldri", False)).kind == "acknowledgment"
