"""A document or a parcel that our store cannot give any more: our fault, told as ours, on a list, and healed by coming again."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from ops.sector import SECTOR

DOCTOR = SECTOR[1]
SEALED = "SELECT body FROM parcels WHERE delivery_id = ?"
GIVEN = "SELECT document FROM messages WHERE id = ?"


def spoil(hub, chosen, name):
    """One bit of what is kept of a body is another."""
    with closing(sqlite3.connect(hub.built.configuration.store.path, timeout=10)) as connection, connection:
        (digest,) = connection.execute(chosen, (name,)).fetchone()
        (kept,) = connection.execute("SELECT content FROM bodies WHERE sha256 = ?", (digest,)).fetchone()
        harmed = kept[:9] + bytes([kept[9] ^ 1]) + kept[10:]
        connection.execute("UPDATE bodies SET content = ? WHERE sha256 = ?", (harmed, digest))


def next_try(hub, message_id, count):
    """Moves the clock to just after the next planned try, and waits until that has ended."""
    at = hub.delivery(message_id).next_at
    hub.clock.forward(seconds=max(0.0, (at - hub.clock.now()).total_seconds()) + 0.1)
    hub.until_tried(message_id, count)


def test_what_was_sealed_and_never_handed_over_is_sealed_anew(samhub_hub, samhub_partner, samhub_samples):
    """Nobody has had it, so it may be other bytes; under its own MessageId."""
    partner = samhub_partner(behaviour="down")
    hub = samhub_hub([partner], times="sector", settings={"hub": {"circuit_failures": 100}})
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    hub.until_tried(message_id)
    before = hub.delivery(message_id)
    spoil(hub, SEALED, before.id)
    partner.behave("good")
    next_try(hub, message_id, 2)
    assert hub.until(message_id, "done").eb_message_id == before.eb_message_id
    assert "followed" in hub.events(message_id)


def test_what_was_handed_over_and_is_lost_is_a_dead_letter_until_it_is_handed_over_again(
    samhub_hub, samhub_partner, samhub_samples
):
    """Parcel and document are lost: our fault, its record system is told; the same document puts it back, and it goes out."""
    partner = samhub_partner(behaviour="no-acknowledgment")
    hub = samhub_hub([partner], times="sector")
    epj, letter = hub.epj(DOCTOR.her_id), samhub_samples(receiver=partner)
    message_id = epj.send(letter)
    hub.until_tried(message_id)
    before = hub.delivery(message_id)
    spoil(hub, SEALED, before.id)
    spoil(hub, GIVEN, message_id)
    next_try(hub, message_id, 2)
    dead = hub.until(message_id, "dead")
    assert (dead.code, dead.cause, dead.next_at) == ("content-lost", "content-lost", None)
    assert epj.told(message_id)[-1] == "MessageDeliveryStateUpdated"
    assert len(partner.received) == 1

    hub.act(dead.id, "resend", "prøver")  # nothing has been mended
    assert hub.until(message_id, "dead").code == "content-lost"

    partner.behave("good")
    assert epj.send(letter) == message_id
    done = hub.until(message_id, "done")
    assert done.eb_message_id != before.eb_message_id  # a new envelope around the same document (HITS 1171 9.7)
    assert partner.received[-1].raw == letter.document


def test_what_lies_ready_and_is_lost_is_on_a_list_until_its_partner_sends_it_again(
    samhub_hub, samhub_partner, samhub_samples
):
    """The record system is told to ask again; the partner's next resend puts the document back, and it lies ready."""
    partner = samhub_partner()
    hub = samhub_hub([partner])
    epj = hub.epj(DOCTOR.her_id)
    letter = partner.sealed(samhub_samples(sender=partner, receiver=DOCTOR))[1]
    partner.post(letter)
    note = next(n for n in epj.notifications() if n["type"] == "NewMessage")
    message_id, path = note["relatedMessageId"], f"/messages/{note['relatedMessageId']}/business-document"
    spoil(hub, GIVEN, message_id)
    status, said = epj.call("GET", path)
    assert (status, said["code"]) == (503, "store-unavailable")
    listed = hub.delivery(message_id)
    assert (listed.state, listed.code) == ("overdue", "content-lost")
    assert epj.call("GET", path)[0] == 503
    assert hub.events(message_id).count("overdue") == 1

    partner.post(letter)
    assert hub.delivery(message_id).state == "available"
    assert epj.call("GET", path)[0] == 200
    assert epj.told(message_id).count("NewMessage") == 2
