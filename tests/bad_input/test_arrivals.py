"""What is not taken at the door is seen: whose it is, as far as it could be read; and a person can do something about it."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from hub import commands, follow_up, intake, lists, sight, submission
from hub.errors import NotAllowed
from hub.insights import FAULTS
from hub.message import Arrival
from hub.ports import ArrivalFacts, ArrivalFilter, ArrivalRecord, Change, DeliveryFilter, MessageFilter
from ops.cli.arrivals import write_new
from tests.bad_input.answers import refused
from tests.support.letters import Letter, business
from tests.support.world import DOCTOR, PARTNER, World


class _Mended:
    """The register, after the certificate that a partner signs with was put into it."""

    def __init__(self, directory: Any, certificate: bytes) -> None:
        self._directory, self._certificate = directory, certificate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._directory, name)

    def agreement(self, **asked: Any) -> Any:
        found = self._directory.agreement(**asked)
        return replace(found, signing_certificates=(*found.signing_certificates, self._certificate))


def unregistered(world: World) -> tuple[Letter, ArrivalRecord]:
    """A good message, refused because the register does not know its certificate."""
    letter = business(replace(world.post_to, key=world.keys.stranger()), world.sample().document)
    said = world.post(letter)
    refused(said, letter, "certificate-unregistered", "SecurityFailure", "X509Certificate")
    assert said.arrival is not None
    return letter, said.arrival


def judged(world: World, arrival_id: str, *, mended: bool = True) -> ArrivalRecord:
    """A person has it judged again, and the hub does so."""
    kit = world.hub.kit
    world.run(commands.judge_again(arrival_id, "kari", "registeret er rettet", kit))
    if mended:
        own = _Mended(kit.directory, world.keys.stranger().certificate_der)
        kit = replace(kit, directory=own)  # type: ignore[arg-type]
    assert world.run(follow_up.judge_again(kit)) == 1
    return at_rest(world, arrival_id)


def receipts_to_come(world: World) -> int:
    """How many receipts of ours go out by themselves."""
    found = world.run(world.hub.store.deliveries(DeliveryFilter(limit=10_000)))
    return sum(d.kind == "signal" for d in found)


def at_rest(world: World, arrival_id: str) -> ArrivalRecord:
    [found] = world.run(world.hub.store.arrivals(ArrivalFilter(ids=(arrival_id,))))
    return found


def test_a_refused_message_says_whose_it_is(world: World) -> None:
    """Sender, receiver, type and ids, though its certificate is not registered; and who brought it."""
    _, arrival = unregistered(world)
    facts = arrival.facts
    assert (facts.from_her, facts.to_her, facts.type_code) == (PARTNER.her_id, DOCTOR.her_id, "DIALOG_HELSEFAGLIG")
    assert facts.eb_message_id and facts.conversation_id and facts.peer


SPOILT: dict[str, Callable[[bytes], bytes]] = {
    "no boundary": lambda body: body.replace(b"--", b"..", 1),
    "not well-formed": lambda body: body.replace(b"</SOAP:Header>", b"<SOAP:Header>").replace(b"</eb:Service>", b""),
    "cut short": lambda body: body[: body.index(b"</eb:MessageHeader>")],
    "an entity": lambda body: body.replace(b"<?xml", b"<!DOCTYPE a [<!ENTITY b 'c'>]><?xml", 1),
}


@pytest.mark.parametrize("how", SPOILT)
def test_what_cannot_be_read_says_whose_it_is_by_what_the_eye_sees(world: World, how: str) -> None:
    """No package, no XML, not even whole: the numbers stand there all the same."""
    letter = business(world.post_to, world.sample().document)
    said = world.post(replace(letter, body=SPOILT[how](letter.body)))
    assert said.arrival is not None and said.arrival.state in ("quarantined", "refused")
    facts = said.arrival.facts
    assert (facts.from_her, facts.to_her, facts.type_code) == (PARTNER.her_id, DOCTOR.her_id, "DIALOG_HELSEFAGLIG")
    assert facts.eb_message_id and facts.peer


def test_of_what_nothing_can_be_read_the_peer_is_known(world: World) -> None:
    said = world.post(Letter({"Content-Type": "text/plain"}, b"\x00\xff not a message", b""))
    assert said.arrival is not None and said.arrival.state == "quarantined"
    assert said.arrival.facts == ArrivalFacts(peer=said.arrival.facts.peer) and said.arrival.facts.peer


def test_a_spoilt_document_of_a_record_system_says_whose_it_is(world: World) -> None:
    document = world.sample(sender=DOCTOR, receiver=PARTNER).document.replace(b"</MsgHead>", b"")
    arrival = Arrival("spoilt", "rest", world.clock.now(), {}, document, "legesenter")
    world.run(submission.submit(arrival, world.hub.kit))
    facts = at_rest(world, "spoilt").facts
    assert (facts.from_her, facts.to_her, facts.type_code) == (DOCTOR.her_id, PARTNER.her_id, "DIALOG_HELSEFAGLIG")
    assert len(facts.msg_id) == 36


@pytest.mark.parametrize(
    "body", [b"From>" * 13_000, b"<Type " * 11_000, b"<MsgInfo><a:" * 5_000, b"<Id>1</Id>" * 6_500]
)
def test_looking_at_bytes_takes_no_time_whatever_they_are(body: bytes) -> None:
    """Each place is looked at a bounded distance; nothing is found, nothing is raised."""
    assert sight.at_sight(Arrival("a", "ebxml_http", None, {}, body)) == ArrivalFacts()  # type: ignore[arg-type]


# --- judged again


def test_what_was_refused_for_the_register_is_taken_when_that_is_mended(world: World) -> None:
    """Delivered and answered by AppRec; the MessageError stays its one receipt, also when it comes again."""
    letter, first = unregistered(world)
    before = receipts_to_come(world)
    again = judged(world, first.arrival.id)

    assert (again.state, again.code, again.answer) == ("accepted", "accepted", first.answer)
    journal = world.run(world.hub.store.journal(arrival_id=first.arrival.id))
    assert [str(e.event) for e in journal] == ["refused", "judged_again", "received", "routed"]
    assert journal[1].actor == "kari"
    [message] = world.run(world.hub.store.messages(MessageFilter(eb_message_id=first.facts.eb_message_id)))
    promised = world.run(world.hub.store.deliveries(DeliveryFilter(message_id=message.id)))
    assert [(d.kind, d.receiver) for d in promised] == [("business", DOCTOR.her_id)]
    assert receipts_to_come(world) == before

    repeated = world.post(letter)
    assert repeated.reply.body == first.answer and not repeated.messages


def test_what_is_still_wrong_stays_refused_and_nobody_is_told_twice(world: World) -> None:
    _, first = unregistered(world)
    before = receipts_to_come(world)
    again = judged(world, first.arrival.id, mended=False)
    assert (again.state, again.code, again.answer) == ("refused", "certificate-unregistered", first.answer)
    assert again.facts == first.facts and again.discarded_at is None
    assert receipts_to_come(world) == before


def test_a_document_that_came_anew_meanwhile_is_not_given_twice(world: World) -> None:
    """The partner has sent it once more, signed as the register knows it: judging the first again finds it known."""
    sample = world.sample()
    document = sample.document
    letter = business(replace(world.post_to, key=world.keys.stranger()), document)
    first = world.post(letter).arrival
    assert first is not None
    world.post(business(world.post_to, document))
    again = judged(world, first.arrival.id)
    assert (again.state, again.code) == ("accepted", "business-duplicate")
    assert len(world.run(world.hub.store.deliveries(DeliveryFilter(msg_id=sample.msg_id)))) == 1


def test_it_came_in_time_though_a_person_looks_at_it_late(new_world: Callable[..., World]) -> None:
    """TimeToLive is about the way, not about us (ebMS 2.0 3.1.6.4)."""
    world = new_world()
    post = replace(world.post_to, key=world.keys.stranger())
    end = world.clock.now() + timedelta(hours=1)
    first = world.post(business(post, world.sample().document, time_to_live=end)).arrival
    assert first is not None
    world.clock.forward(hours=2)
    assert judged(world, first.arrival.id).state == "accepted"


def test_what_nobody_foresaw_is_judged_once_more_and_answered_then(world: World) -> None:
    """A SOAP Fault is no receipt: the Acknowledgment goes out by itself."""
    letter = business(world.post_to, world.sample().document)
    arrival = Arrival("stumbled", "ebxml_http", world.clock.now(), letter.headers, letter.body)
    record = ArrivalRecord(
        arrival, "quarantined", "unforeseen", "KeyError", 500, (("Content-Type", "text/xml"),), b"<f/>"
    )
    world.run(world.hub.store.apply(Change(arrival=record)))
    before = receipts_to_come(world)
    assert judged(world, "stumbled").state == "accepted"
    assert receipts_to_come(world) == before + 1


def test_one_that_stumbles_again_is_judged_later_and_holds_nobody_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (_, one), (_, other) = unregistered(world), unregistered(world)
    receive, kit = intake.receive, world.hub.kit

    async def stumbling(arrival: Arrival, kit: Any, *, late: bool = False) -> Any:
        if arrival.id == one.arrival.id:
            raise KeyError("nobody foresaw this")
        return await receive(arrival, kit, late=late)

    monkeypatch.setattr(intake, "receive", stumbling)
    for each in (one, other):
        world.run(commands.judge_again(each.arrival.id, "kari", "", kit))
    with pytest.raises(KeyError):  # told when the others have been judged
        world.run(follow_up.judge_again(kit))
    assert (at_rest(world, one.arrival.id).state, at_rest(world, one.arrival.id).code) == ("undecided", "unforeseen")
    assert at_rest(world, other.arrival.id).state == "refused"
    assert world.run(follow_up.judge_again(kit)) == 0


def test_one_whose_bytes_are_lost_ends_in_quarantine_as_our_fault_and_holds_nobody_up(world: World) -> None:
    """Whose it was stays known; sent again it is whole, and can be judged."""
    (letter, one), (_, other) = unregistered(world), unregistered(world)
    for each in (one, other):
        world.run(commands.judge_again(each.arrival.id, "kari", "", world.hub.kit))
    with closing(sqlite3.connect(world.hub.configuration.store.path)) as store, store:
        chosen = "SELECT body FROM arrivals WHERE id = ?"
        store.execute(f"UPDATE bodies SET content = x'78' WHERE sha256 = ({chosen})", (one.arrival.id,))
    assert world.run(follow_up.judge_again(world.hub.kit)) == 2
    lost = at_rest(world, one.arrival.id)
    assert (lost.state, lost.code, lost.facts.from_her) == ("quarantined", "content-lost", PARTNER.her_id)
    assert at_rest(world, other.arrival.id).code == "certificate-unregistered"
    row = lists.listed(lost, lambda _: "")
    assert (row.whose, "sent again" in row.what_to_do) == (FAULTS["us"], True)
    assert "not all of its bytes are kept" in commands.unjudgeable(lost)
    world.post(letter)
    assert at_rest(world, one.arrival.id).arrival.body == letter.body
    assert judged(world, one.arrival.id).state == "accepted"


def test_what_cannot_be_judged_again_says_why(world: World) -> None:
    _, first = unregistered(world)
    own = Arrival("own", "rest", world.clock.now(), {}, b"<a/>", "legesenter")
    world.run(submission.submit(own, world.hub.kit))
    taken = world.post(business(world.post_to, world.sample().document)).arrival
    assert taken is not None
    world.run(commands.discard_arrival(first.arrival.id, "kari", "prøve", world.hub.kit))
    for arrival_id, words in {
        first.arrival.id: "it was put away",
        "own": "legesenter was told so to its face",
        taken.arrival.id: "it was taken",
    }.items():
        with pytest.raises(NotAllowed, match=words):
            world.run(commands.judge_again(arrival_id, "kari", "", world.hub.kit))


# --- put away, listed, exported


def test_putting_away_asks_for_a_reason_and_is_journaled(world: World) -> None:
    _, first = unregistered(world)
    open_ones = sum(world.run(world.hub.store.refusals()).values())
    with pytest.raises(NotAllowed, match="say why"):
        world.run(commands.discard_arrival(first.arrival.id, "kari", "  ", world.hub.kit))
    away = world.run(commands.discard_arrival(first.arrival.id, "kari", "ringte dem", world.hub.kit))
    assert away.discarded_at is not None and away.state == "refused"
    last = world.run(world.hub.store.journal(arrival_id=first.arrival.id))[-1]
    assert (str(last.event), last.because, last.actor) == ("discarded", "ringte dem", "kari")
    assert sum(world.run(world.hub.store.refusals()).values()) == open_ones - 1
    with pytest.raises(NotAllowed, match="put away already"):
        world.run(commands.discard_arrival(first.arrival.id, "kari", "igjen", world.hub.kit))


def test_the_list_names_the_parties_and_says_what_to_do(world: World) -> None:
    unregistered(world)
    _, first = unregistered(world)
    names = {PARTNER.her_id: "Partneren", DOCTOR.her_id: "Legen"}
    page = world.run(
        lists.arrivals(world.hub.store, ArrivalFilter(states=("refused",), limit=1), lambda her: names.get(her, ""))
    )
    [row] = page.rows
    assert row.arrival.arrival.id == first.arrival.id and page.total > 1
    assert (row.from_name, row.to_name, row.state) == ("Partneren", "Legen", "refused")
    assert "certificate" in row.what_to_do and row.arrival.arrival.body == b""
    assert world.run(world.hub.store.refusals())[("refused", "certificate-unregistered")] > 1


def test_of_what_was_taken_its_message_says_whose_it_is(world: World) -> None:
    world.post(business(world.post_to, world.sample().document))
    page = world.run(lists.arrivals(world.hub.store, ArrivalFilter(states=("accepted",), limit=1), lambda _: ""))
    assert [row.arrival.facts.from_her for row in page.rows] == [PARTNER.her_id]


def test_bytes_are_exported_for_one_pair_of_eyes_and_over_nothing(tmp_path: Path) -> None:
    file = tmp_path / "bytes"
    write_new(file, b"\x00as they came")
    assert file.read_bytes() == b"\x00as they came" and stat.S_IMODE(file.stat().st_mode) == 0o600
    for there in (file, tmp_path / "no" / "folder"):
        with pytest.raises(typer.Exit) as end:
            write_new(there, b"other")
        assert end.value.exit_code == 2
    assert file.read_bytes() == b"\x00as they came"
