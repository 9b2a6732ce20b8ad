"""The disk is nearly full: nothing new is taken, at no door, and each says so; what is stored still goes out."""

from __future__ import annotations

import json

import pytest

from ops.partner.aside import eventually
from ops.partner.handles import Refused
from ops.sector import SECTOR

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR
FULL = {"store": {"min_free_bytes": 10**18}}
ROOM = {"store": {"min_free_bytes": 0}}


@pytest.fixture
def full(samhub_hub, samhub_partner):
    """A hub whose disk is nearly full, with a partner and an office that works by folder."""
    partner = samhub_partner()
    hub = samhub_hub([partner], local=[DOCTOR, PHYSIO], folder_systems=[PHYSIO.system], settings=FULL)
    return hub, partner


def test_rest_says_503_and_why(full, samhub_samples):
    """Problem details with the code, and nothing is kept."""
    hub, partner = full

    with pytest.raises(Refused) as refusal:
        hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))

    assert (refusal.value.status, refusal.value.code) == (503, "disk-full")
    assert hub.count("arrival:accepted") == 0


def test_the_log_says_so_once_with_figures(log, full, samhub_samples):
    """Whoever comes meanwhile, at whatever door; and once when there is room again."""
    hub, partner = full
    for _ in range(3):
        with pytest.raises(Refused):
            hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    [line] = [one for one in log if one["event"] == "disk-full"]
    assert line["log_level"] == "error" and " free, and " in line["because"]
    hub.built.store._min_free = 0
    hub.built.store._writable = (0.0, False)
    hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    assert [one["log_level"] for one in log if one["event"] == "taking-again"] == ["warning"]


def test_ebxml_gets_a_fault_that_says_it_is_ours(full, samhub_samples):
    """HTTP 503 and a SOAP Fault of the Server: the partner keeps it and tries again."""
    hub, partner = full

    answer = partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR))

    assert (answer.status, answer.kind) == (503, "fault")
    assert b"Server" in answer.body and b"disk" in answer.body
    assert hub.count("arrival:accepted") == 0


def test_a_file_stays_in_the_outbox_until_there_is_room(full, samhub_samples):
    """Neither taken nor refused; the receipt says what it waits for; with room it goes out."""
    hub, partner = full
    outbox = hub.folder(PHYSIO.her_id) / "outbox"
    outbox.mkdir(parents=True, exist_ok=True)
    file = outbox / "henvisning.xml"
    file.write_bytes(samhub_samples(sender=PHYSIO, receiver=partner).document)
    hub.clock.forward(seconds=2)
    receipt = hub.folder(PHYSIO.her_id) / "receipts" / "henvisning.txt"

    words = eventually(lambda: receipt.read_text("utf-8") if receipt.exists() else "")
    assert words.startswith("waits\ndisk-full: ")
    assert file.exists() and hub.count("arrival:accepted") == 0

    hub.restart(**ROOM)
    eventually(lambda: partner.received)
    assert eventually(lambda: receipt.read_text("utf-8").startswith("message "))


def test_readiness_is_false_and_the_hub_is_alive(full):
    """Who balances load sends nobody here; who restarts the dead does nothing."""
    hub, _ = full

    status, words = hub.get("/health/ready")
    said = json.loads(words)
    assert (status, said["status"], said["store"]) == (503, "not ready", "not writable")
    assert " free, and " in said["because"] and "store.min_free_bytes" in said["because"]
    assert hub.get("/health/live")[0] == 200


def test_what_is_stored_still_goes_out_and_is_fetched(samhub_hub, samhub_partner, samhub_samples):
    """Taken while there was room: sent, acknowledged, and the doctor fetches what lies ready."""
    partner = samhub_partner(behaviour="down")
    hub = samhub_hub([partner])
    epj = hub.epj(DOCTOR.her_id)
    waiting = epj.send(samhub_samples(receiver=partner))
    ready = partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR))

    hub.restart(**FULL)
    partner.behave("never-apprec")

    hub.until(waiting, "acknowledged")
    hub.epj(DOCTOR.her_id).take_one()
    hub.until(ready.message_id, "done")
