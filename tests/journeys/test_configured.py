"""What a client says of its HER-ids holds at every verb and every door: locked, not wanted there, dealt with (EDI 2.0 A11)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hub.events import NotificationType, offset_of
from hub.message import Configuration
from hub.record_systems.values import AppRecStatus, Order, Refused
from ops.sector import SECTOR

DOCTOR, PHYSIO = SECTOR[1], SECTOR[2]


class Two:
    """One record system's HER-id, and two clients that may both speak for it; a message that it has had, and one it sent."""

    def __init__(self, hub: Any, samples: Any) -> None:
        self.hub, self.facade, self.samples = hub, hub.built.systems, samples
        directory = hub.built.kit.directory
        of = [self.facade.at_its_place(directory.system(directory.party(p.her_id).system)) for p in (DOCTOR, PHYSIO)]
        self.first, self.other = replace(of[0], client="first"), replace(of[0], client="other")
        self.physio = of[1]
        self.sent = self.submit(self.first)
        self.had = self.submit(self.physio, samples(sender=PHYSIO, receiver=DOCTOR).document)

    def submit(self, caller: Any, document: bytes | None = None, sender: str = "") -> Any:
        document = document or self.samples(sender=DOCTOR, receiver=PHYSIO).document
        said = self.hub.run(self.facade.submit(caller, Order(document, "rest", sender)))
        return said.message_id if said.decided == "taken" else said

    def lock(self, caller: Any, *, locked: bool = True, her: str = DOCTOR.her_id) -> None:
        self.hub.run(self.facade.configure(caller, (Configuration(her, locked=locked),)))

    def code(self, work: Any) -> str:
        """Of the refusal; empty where there is none."""
        try:
            said = self.hub.run(work)
        except Refused as error:
            return error.said.code
        return getattr(said, "code", "") if getattr(said, "decided", "taken") != "taken" else ""


@pytest.fixture(name="two")
def _two(samhub_hub, samhub_samples):
    return Two(samhub_hub(local=[DOCTOR, PHYSIO], apprec="system"), samhub_samples)


HER = DOCTOR.her_id
#: Every verb by which somebody speaks for a HER-id (A11.4).
VERBS: dict[str, Callable[[Two, Any], Any]] = {
    "submit": lambda t, c: t.facade.submit(c, Order(t.samples(sender=DOCTOR, receiver=PHYSIO).document, "rest", HER)),
    "status": lambda t, c: t.facade.status(c, t.sent),
    "message": lambda t, c: t.facade.message(c, t.had),
    "document": lambda t, c: t.facade.document(c, t.had),
    "unread": lambda t, c: t.facade.unread(c, [HER], 10),
    "fetched": lambda t, c: t.facade.fetched(c, HER, t.had),
    "confirm": lambda t, c: t.facade.confirm(c, HER, [t.had]),
    "answer": lambda t, c: t.facade.answer(c, HER, t.had, AppRecStatus.OK),
    "events": lambda t, c: t.facade.events(c, [HER], 0, 10),
    "undeleted": lambda t, c: t.facade.undeleted(c, [HER], 10),
    "configure": lambda t, c: t.facade.configure(c, (Configuration(HER),)),
    "unconfigure": lambda t, c: t.facade.unconfigure(c, [HER]),
}


def test_what_one_client_has_locked_no_other_speaks_for(two: Two) -> None:
    """423/1210 at every verb for every other; who locked it goes on, and lets go again."""
    two.lock(two.first)
    assert {verb: two.code(work(two, two.other)) for verb, work in VERBS.items()} == dict.fromkeys(VERBS, "locked")
    assert {verb: two.code(work(two, two.first)) for verb, work in VERBS.items()} == dict.fromkeys(VERBS, "")
    two.lock(two.first, locked=False)
    said = {verb: two.code(work(two, two.other)) for verb, work in VERBS.items()}
    assert said == {**dict.fromkeys(VERBS, ""), "answer": "apprec-twice"}


def test_a_lock_ends_where_it_is_deleted_and_lies_on_one_her_id_alone(two: Two) -> None:
    two.lock(two.first)
    assert two.code(two.facade.events(two.physio, [PHYSIO.her_id], 0, 10)) == ""
    assert two.code(two.facade.unconfigure(two.physio, [HER])) == "not-your-party"
    assert two.code(two.facade.unconfigure(two.first, [HER])) == ""
    assert two.code(two.facade.events(two.other, [HER], 0, 10)) == ""


def test_a_folder_or_queue_sends_for_no_her_id_that_a_client_has_locked(two: Two) -> None:
    """They name no sender: the document does."""
    two.lock(two.first)
    place = two.facade.at_its_place(two.first.system)
    assert two.submit(place).code == "not-your-party"
    assert two.submit(two.first)
    two.lock(two.first, locked=False)
    assert two.submit(place)


def test_a_token_that_names_some_her_ids_sends_for_no_other(two: Two) -> None:
    """Whatever the request says, the document's sender counts."""
    nobody = replace(two.first, limited=frozenset({"1"}))
    assert two.submit(nobody).code == two.submit(nobody, sender=HER).code == "not-your-party"
    assert two.submit(replace(two.first, limited=frozenset({HER, "1"})))


def test_a_caller_that_has_to_say_something_first_is_asked_for_it_everywhere_but_there(two: Two) -> None:
    """A11.1: version 3 in the national manner."""
    strict = replace(two.first, configured=True)
    said = {verb: two.code(work(two, strict)) for verb, work in VERBS.items() if "configure" not in verb}
    assert set(said.values()) == {"not-configured"}, said
    two.hub.run(two.facade.configure(strict, (Configuration(HER),)))
    assert two.code(two.facade.events(strict, [HER], 0, 10)) == ""
    assert two.code(two.facade.unconfigure(strict, [HER])) == ""
    assert two.code(two.facade.events(strict, [HER], 0, 10)) == "not-configured"


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ((), "request"),
        ((Configuration(HER), Configuration(HER)), "request"),
        ((Configuration(HER), Configuration(PHYSIO.her_id)), "not-your-party"),
        ((Configuration(HER, channel="Kafka"),), "request"),
        ((Configuration(HER, rejects=("",)),), "request"),
        ((Configuration(HER, rejects=("A\nB",)),), "request"),
        ((Configuration(HER, rejects=("X" * 101,)),), "request"),
        ((Configuration(HER, rejects=tuple(map(str, range(501)))),), "request"),
    ],
    ids=["none", "twice", "another's", "channel", "empty", "control", "long", "many"],
)
def test_all_of_it_is_kept_or_nothing(two: Two, wanted: tuple[Configuration, ...], code: str) -> None:
    assert two.code(two.facade.configure(two.first, wanted)) == code
    assert two.hub.run(two.facade.configurations(two.first, [HER])) == ()


def test_the_wanted_state_may_be_said_at_each_start(two: Two) -> None:
    """A11.1: declarative; the journal has a line with who said what, each time."""
    said = Configuration(HER, rejects=("EPIKRISE", "EPIKRISE "), refused_notices=True)
    for _ in range(2):
        two.hub.run(two.facade.configure(two.first, (said,)))
    [kept] = two.hub.run(two.facade.configurations(two.first, [HER]))
    assert kept == replace(said, rejects=("EPIKRISE",), client="first")
    lines = [e for e in two.hub.run(two.hub.built.kit.store.journal()) if e.event == "configured"]
    assert [(e.actor, e.code) for e in lines] == [("first", "configured")] * 2
    assert "EPIKRISE" in lines[0].because


# --- what is not wanted


def test_a_partners_message_that_is_not_wanted_is_answered_no_and_told_of(samhub_hub, samhub_partner, samhub_samples):
    """By AppRec, whatever the road; the record system hears of it where it asked to, and has nothing to fetch."""
    hospital = samhub_partner()
    two = Two(samhub_hub([hospital], local=[DOCTOR, PHYSIO], apprec="system"), samhub_samples)
    wanted = Configuration(HER, rejects=("henvisning",), refused_notices=True)
    two.hub.run(two.facade.configure(two.first, (wanted,)))
    document = samhub_samples(sender=hospital, receiver=DOCTOR).document
    hospital.send(document, HER)
    [answer] = hospital.await_received(1)
    assert b"T10" in answer.raw
    [told] = [n for n in two.hub.run(two.facade.events(two.first, [HER], 0, 99)).events if n.type == "RefusedMessage"]
    assert (told.receiver, told.triggered_by) == (HER, hospital.her_id) and "HENVIS" in told.description.upper()
    assert two.code(two.facade.document(two.first, told.message_id)) == "not-found"
    assert told.message_id not in [m.record.id for m in two.hub.run(two.facade.unread(two.first, [HER], 99)).messages]


def test_a_senders_document_that_is_not_wanted_is_refused_to_its_face(two: Two) -> None:
    """In the house; with a word to the receiver only where it asked for it. AppRecs are always wanted."""
    two.hub.run(two.facade.configure(two.physio, (Configuration(PHYSIO.her_id, rejects=("HENVISNING",)),)))
    assert two.submit(two.first).code == "refused-by-filter"
    asked = Configuration(PHYSIO.her_id, rejects=("henvisning", "APPREC"), refused_notices=True)
    two.hub.run(two.facade.configure(two.physio, (asked,)))
    assert two.submit(two.first).code == "refused-by-filter"
    told = two.hub.run(two.facade.events(two.physio, [PHYSIO.her_id], 0, 99)).events
    assert [(n.message_id, n.triggered_by) for n in told if n.type is NotificationType.REFUSED] == [("", HER)]
    assert two.code(two.facade.answer(two.first, HER, two.had, AppRecStatus.OK)) == ""


# --- dealt with, without an offset


def test_notifications_are_deleted_by_their_ids(two: Two) -> None:
    """Of the caller's own HER-ids; unknown ones and those of others are passed over, twice is once."""
    ask = lambda: two.hub.run(two.facade.undeleted(two.first, [HER], 99)).events  # noqa: E731
    first, *rest = ask()
    foreign = two.hub.run(two.facade.undeleted(two.physio, [PHYSIO.her_id], 99)).events
    ids = [first.id.upper(), foreign[0].id, "00000000-0000-4000-8000-000000000000", "nothing"]
    for _ in range(2):
        two.hub.run(two.facade.delete(two.first, ids))
    assert ask() == tuple(rest)
    assert two.hub.run(two.facade.undeleted(two.physio, [PHYSIO.her_id], 99)).events == foreign
    assert two.hub.run(two.facade.events(two.first, [HER], 0, 99)).events == (first, *rest)


def test_an_id_says_its_offset_and_nothing_else_does(two: Two) -> None:
    for note in two.hub.run(two.facade.events(two.first, [HER], 0, 99)).events:
        assert offset_of(note.id) == offset_of(note.id.upper()) == note.offset
        assert offset_of(note.id.replace("5a4d", "5a4e")) is None
    assert offset_of("") is None and offset_of("1") is None
