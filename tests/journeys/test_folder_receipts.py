"""A folder office reads in receipts/ what became of its document, to the very end."""

from __future__ import annotations

import itertools

import pytest

from ops.partner.aside import eventually
from ops.sector import SECTOR

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR


class Office:
    """A physiotherapist who works by folder, and the partner it writes to."""

    def __init__(self, hub, partner, samples):
        self.hub, self.partner, self.samples = hub, partner, samples
        self.folder = hub.folder(PHYSIO.her_id)
        self.number = itertools.count(1)

    def lays(self, sample=None):
        """A referral under its usual name; the stem of its receipt, and our id of the message."""
        number, sample = next(self.number), sample or self.samples(sender=PHYSIO, receiver=self.partner)
        (self.folder / "outbox" / "henvisning.xml").write_bytes(sample.document)
        self.hub.clock.forward(seconds=2)
        stem = "henvisning" if number == 1 else f"henvisning-{number}"
        return stem, self.says(stem, "message ").splitlines()[0].removeprefix("message ")

    def says(self, stem, words):
        """Its receipt, once it says so."""
        path = self.folder / "receipts" / f"{stem}.txt"
        return eventually(
            lambda: text if path.is_file() and words in (text := path.read_text("utf-8")) else "",
            wanted=f"{path.name}: {words}",
        )


@pytest.fixture
def office(samhub_hub, samhub_partner, samhub_samples):
    def made(behaviour, **more):
        partner = samhub_partner(behaviour=behaviour)
        hub = samhub_hub([partner], local=[PHYSIO, DOCTOR], folder_systems=[PHYSIO.system], **more)
        return Office(hub, partner, samhub_samples)

    return made


ENDS = {
    "good": ["final: ", "8009", "done", "AppRec: accepted"],
    "message-error": ["final: ", "rejected", "message-error: ", "what to do: "],
    "negative-apprec": ["final: ", "rejected", "apprec-negative: ", "AppRec: rejected", "  - "],
}


@pytest.mark.parametrize("behaviour", ENDS)
def test_the_receipt_tells_how_it_ended(office, behaviour):
    """By whom it was refused, with which code, and that nothing more comes."""
    here = office(behaviour)
    stem, message_id = here.lays()
    text = here.says(stem, "\nfinal: ")
    for words in ENDS[behaviour]:
        assert words in text, text
    assert text.startswith(f"message {message_id}\naccepted: ")


def test_it_follows_what_a_person_does(office):
    """Tried again and again; put aside, let go, discarded."""
    here = office("unavailable")
    stem, message_id = here.lays()
    assert "\nnot final: " in here.says(stem, "queued")
    here.hub.until_tried(message_id)
    delivery = here.hub.delivery(message_id)
    for move, words in (("hold", "on hold"), ("release", "queued"), ("discard", "discarded")):
        here.hub.act(delivery.id, move, "avtalt på telefon")
        text = here.says(stem, words)
        assert "avtalt på telefon" in text or move == "release"  # which is tried again at once
    assert "\nfinal: " in here.says(stem, "discarded")


def test_overdue_and_answered_after_all(office):
    """The AppRec that did not come in time comes later, and settles it."""
    here = office("never-apprec", settings={"hub": {"apprec_deadline_hours": 1}})
    stem, message_id = here.lays()
    here.hub.until(message_id, "acknowledged")
    here.says(stem, "delivered, AppRec awaited")
    here.hub.clock.forward(hours=2)
    here.hub.watched()
    assert "apprec-missing: " in here.says(stem, "AppRec missing")
    here.partner.send(here.partner.apprec_about(here.partner.received[0]), PHYSIO.her_id)
    assert "AppRec: accepted" in here.says(stem, "\nfinal: ")


def test_a_document_that_was_handed_over_before_names_the_receipt_that_follows_it(office):
    here = office("good")
    sample = here.samples(sender=PHYSIO, receiver=here.partner)
    (stem, message_id), (again, same) = here.lays(sample), here.lays(sample)
    assert (again, same) == ("henvisning-2", message_id)
    assert f"follow receipts/{stem}.txt" in here.says(again, "duplicate: ")
    here.says(stem, "\nfinal: ")
    assert len(here.partner.received) == 1


def test_each_answer_is_named_after_its_file(office):
    here = office("good")
    names = [f"{here.lays()[0]}.apprec.xml" for _ in range(2)]
    inbox = here.folder / "inbox"
    eventually(lambda: sorted(p.name for p in inbox.glob("*.xml")) == sorted(names), wanted=f"{names}")


def test_receipts_that_cannot_be_written_are_written_when_they_can(office):
    """Nobody waits for them: the document goes out all the same."""
    here = office("unavailable")
    stem, message_id = here.lays()
    here.hub.until_tried(message_id)
    receipts, away = here.folder / "receipts", here.folder / "bort"
    receipts.rename(away)
    receipts.write_text("in the way")
    here.hub.act(here.hub.delivery(message_id).id, "discard", "for a reason")
    other = here.folder / "outbox" / "epikrise.xml"
    other.write_bytes(here.samples(sender=PHYSIO, receiver=DOCTOR).document)
    here.hub.clock.forward(seconds=2)
    assert here.hub.epj(DOCTOR.her_id).take_one()
    receipts.unlink()
    away.rename(receipts)
    here.says(stem, "discarded")
    here.says("epikrise", "\nfinal: ")


def test_in_the_language_of_its_record_system(office):
    here = office("message-error")
    parties = here.hub.site.folder / "parties.toml"
    row = f'id = "{PHYSIO.system}"'
    parties.write_text(parties.read_text("utf-8").replace(row, f'{row}\nlanguage = "nb"'), "utf-8")
    here.hub.restart()
    here.folder = here.hub.folder(PHYSIO.her_id)
    stem, _ = here.lays()
    text = here.says(stem, "\nendelig: ")
    assert "avvist" in text and "hva du gjør: " in text
