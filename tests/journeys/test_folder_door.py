"""The folder door: a file in outbox/ is a hand-over, a file in inbox/ a document, a file in receipts/ what became of it."""

from __future__ import annotations

import os
import time

import pytest

from ops.partner.aside import eventually
from ops.sector import SECTOR

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR


@pytest.fixture
def office(samhub_hub, samhub_partner):
    """A hub with a physiotherapist who works by folder, and a partner; the folder is made as an office would."""
    partner = samhub_partner()
    hub = samhub_hub([partner], local=[PHYSIO, DOCTOR], folder_systems=[PHYSIO.system])
    folder = hub.folder(PHYSIO.her_id)
    (folder / "outbox").mkdir(parents=True, exist_ok=True)
    return hub, folder, partner


def put(hub, folder, name, document):
    """Lays a file into outbox/, and lets it become old enough to be whole."""
    (folder / "outbox" / name).write_bytes(document)
    hub.clock.forward(seconds=2)


def receipt(folder, name):
    """The words about a file that was handed over."""
    path = folder / "receipts" / f"{name}.txt"
    return eventually(lambda: path.read_text("utf-8") if path.exists() else "", wanted=f"receipts/{path.name}")


def inbox(folder, count):
    """The documents in inbox/, once there are so many."""
    place = folder / "inbox"
    return eventually(
        lambda: found if len(found := sorted(place.glob("*.xml"))) >= count else [], wanted=f"{count} in inbox"
    )


def test_a_file_in_the_outbox_goes_out_and_moves_to_taken(office, samhub_samples):
    """Sent to the partner; the receipt names the message, by which it can be traced."""
    hub, folder, partner = office
    referral = samhub_samples(sender=PHYSIO, receiver=partner)

    put(hub, folder, "henvisning.xml", referral.document)

    words = receipt(folder, "henvisning")
    message_id = words.splitlines()[0].removeprefix("message ")
    hub.until(message_id, "done")
    assert partner.received[0].raw == referral.document
    assert (folder / "outbox" / "taken" / "henvisning.xml").read_bytes() == referral.document
    assert not (folder / "outbox" / "henvisning.xml").exists()


def test_its_apprec_comes_into_the_inbox(office, samhub_samples):
    """The answer lies beside the other incoming documents, named after the file that it answers."""
    hub, folder, partner = office
    referral = samhub_samples(sender=PHYSIO, receiver=partner)

    put(hub, folder, "henvisning.xml", referral.document)

    [apprec] = inbox(folder, 1)
    assert apprec.name == "henvisning.apprec.xml"
    assert referral.msg_id.encode() in apprec.read_bytes()


def test_an_incoming_document_lies_in_the_inbox_and_is_answered(office, samhub_samples):
    """Whole, under a name of its own; the partner gets its AppRec."""
    hub, folder, partner = office
    letter = samhub_samples("epikrise", sender=partner, receiver=PHYSIO)

    answer = partner.send(letter)

    [file] = inbox(folder, 1)
    assert file.read_bytes() == letter.document
    assert file.name.startswith("EPIKRISE-")
    hub.until(answer.message_id, "done")
    assert letter.msg_id.encode() in partner.await_received(1)[0].raw
    assert list((folder / "inbox").glob("*.part")) == []


def test_a_file_that_is_refused_moves_aside_with_the_reason(office, samhub_samples, samhub_eventually):
    """Not well-formed: outbox/refused/, and a receipt with code and place."""
    hub, folder, _ = office

    put(hub, folder, "halv.xml", samhub_samples(sender=PHYSIO, receiver=SURGERY).document[:500])

    assert receipt(folder, "halv").startswith("refused\ndocument-malformed: ")
    samhub_eventually((folder / "outbox" / "refused" / "halv.xml").exists)  # its receipt is written first


def test_a_file_of_somebody_else_is_refused(office, samhub_samples):
    """The doctor's referral in the physiotherapist's folder."""
    hub, folder, partner = office

    put(hub, folder, "fremmed.xml", samhub_samples(sender=DOCTOR, receiver=partner).document)

    assert "not-your-party" in receipt(folder, "fremmed")
    assert partner.received == []


def test_a_file_that_is_still_being_written_is_left_alone(office, samhub_samples):
    """Younger than a second it may not be whole yet; an older one beside it is taken."""
    hub, folder, partner = office
    young, old = folder / "outbox" / "ung.xml", folder / "outbox" / "gammel.xml"
    for file in (young, old):
        file.write_bytes(samhub_samples(sender=PHYSIO, receiver=partner).document)
    os.utime(young, (time.time() + 3600,) * 2)
    os.utime(old, (time.time() - 3600,) * 2)

    receipt(folder, "gammel")
    assert young.exists()

    hub.clock.forward(hours=2)
    receipt(folder, "ung")


def test_the_same_file_again_goes_out_once(office, samhub_samples):
    """As after a crash between taking and moving: the same message, not another one."""
    hub, folder, partner = office
    referral = samhub_samples(sender=PHYSIO, receiver=partner)
    put(hub, folder, "en.xml", referral.document)
    first = receipt(folder, "en").splitlines()[0]

    put(hub, folder, "to.xml", referral.document)

    assert receipt(folder, "to").splitlines()[0] == first
    hub.until(first.removeprefix("message "), "done")
    assert len(partner.received) == 1


def test_two_parties_of_the_house_by_folder_and_by_rest(office, samhub_samples):
    """From the folder to the doctor's mailbox: local, and the AppRec comes back into the folder."""
    hub, folder, _ = office
    referral = samhub_samples(sender=PHYSIO, receiver=DOCTOR)

    put(hub, folder, "lokal.xml", referral.document)

    assert hub.epj(DOCTOR.her_id).take_one().document == referral.document
    [apprec] = inbox(folder, 1)
    assert referral.msg_id.encode() in apprec.read_bytes()


def test_a_folder_that_cannot_be_written_is_tried_again(office, samhub_samples):
    """A file stands where inbox/ should be: not lost, and delivered when the way is free."""
    hub, folder, partner = office
    if (folder / "inbox").is_dir():
        (folder / "inbox").rmdir()
    (folder / "inbox").write_text("in the way")
    answer = partner.send(samhub_samples("epikrise", sender=partner, receiver=PHYSIO))
    hub.until_tried(answer.message_id)
    assert hub.delivery(answer.message_id).code == "folder-unwritable"

    (folder / "inbox").unlink()

    hub.until(answer.message_id, "done")
    inbox(folder, 1)


def test_a_folder_that_is_not_there_is_not_made(office, samhub_samples):
    """A share that is not mounted: what would be written beneath it nobody would read. Delivered when it is back."""
    hub, folder, partner = office
    away = folder.with_name("away")
    folder.rename(away)
    answer = partner.send(samhub_samples("epikrise", sender=partner, receiver=PHYSIO))
    hub.until_tried(answer.message_id)
    assert hub.delivery(answer.message_id).code == "folder-unwritable"
    assert not folder.exists()

    away.rename(folder)

    hub.until(answer.message_id, "done")
    inbox(folder, 1)


def test_what_the_office_answered_over_rest_is_not_laid_there_again(office, samhub_samples):
    """While its folder could not be written it took the document another way, and answered: settled, and answered once."""
    hub, folder, partner = office
    if (folder / "inbox").is_dir():
        (folder / "inbox").rmdir()
    (folder / "inbox").write_text("in the way")
    answer = partner.send(samhub_samples("epikrise", sender=partner, receiver=PHYSIO))
    hub.until_tried(answer.message_id)
    ours = hub.delivery(answer.message_id).message_id

    assert hub.epj(PHYSIO.her_id).answer(ours, PHYSIO.her_id) == 202
    hub.until(answer.message_id, "done")
    (folder / "inbox").unlink()
    eventually(lambda: not hub.deliveries(states=("waiting", "sent")), wanted="its AppRec at the partner")
    hub.clock.forward(hours=1)

    assert len({received.envelope.message_id for received in partner.await_received(1)}) == 1
    assert not (folder / "inbox").exists()
