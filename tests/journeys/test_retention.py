"""Documents go as EDI 2.0 has it (A13): what is confirmed within the hour, what nobody fetches after 14 days, and it is said so."""

from __future__ import annotations

import pytest

from adapters.store.settings import PurgeSettings
from hub.errors import NotAllowed
from hub.events import Event
from ops.sector import SECTOR
from ops.serve import purging
from ops.serve.keeping import Keeping

DOCTOR, PHYSIO = SECTOR[1], SECTOR[2]
AS_EDI20 = PurgeSettings(as_edi20=True)


def an_hour_later(hub, settings=AS_EDI20):
    """What the hub does by itself once an hour, as a day's purge is not due."""
    hub.clock.forward(hours=1)
    hub.run(purging.due(hub.built.store, settings, hub.clock.now()))
    hub.run(Keeping(hub.built.store, hub.built.kit, settings, "").round())


def came_in(hub, partner, samples):
    """A message that lies ready for the doctor: its letter, its id, and where its document is fetched."""
    letter = partner.sealed(samples(sender=partner, receiver=DOCTOR))[1]
    partner.post(letter)
    notes = hub.epj(DOCTOR.her_id).notifications()
    message_id = next(n for n in reversed(notes) if n["type"] == "NewMessage")["relatedMessageId"]
    return letter, message_id, f"/messages/{message_id}/business-document"


def test_what_was_downloaded_is_gone_within_the_hour_and_says_why(samhub_hub, samhub_partner, samhub_samples):
    """404 with errorCode 1010 and since when; metadata, status and receipts stay; a copy of it is answered as before."""
    partner = samhub_partner()
    hub = samhub_hub([partner])
    epj = hub.epj(DOCTOR.her_id)
    letter, message_id, path = came_in(hub, partner, samhub_samples)
    an_hour_later(hub)
    assert epj.call("GET", path)[0] == 200  # not confirmed yet

    epj.take()
    evidence = hub.run(hub.built.store.receipts(message_id))
    state = hub.delivery(message_id)
    an_hour_later(hub)
    status, said = epj.call("GET", path)
    assert (status, said["errorCode"]) == (404, 1010)
    assert f"since {state.changed_at:%Y-%m-%d %H:%M} UTC" in said["detail"]
    assert "as the settings of the purge say" in said["detail"]
    assert epj.call("GET", f"/messages/{message_id}")[0] == 200
    assert epj.call("GET", f"/messages/{message_id}/status")[0] == 200
    assert hub.run(hub.built.store.receipts(message_id)) == evidence
    assert [e.because for e in hub.run(hub.built.store.journal()) if e.event is Event.PURGED] != []

    partner.post(letter)
    assert hub.delivery(message_id).state == state.state
    assert epj.call("GET", path)[0] == 404


def test_by_default_it_stays(samhub_hub, samhub_partner, samhub_samples):
    partner = samhub_partner()
    hub = samhub_hub([partner])
    epj = hub.epj(DOCTOR.her_id)
    _, _, path = came_in(hub, partner, samhub_samples)
    epj.take()
    an_hour_later(hub, PurgeSettings())
    assert epj.call("GET", path)[0] == 200


def test_what_nobody_fetches_ends_on_a_list_before_it_goes(samhub_hub, samhub_partner, samhub_samples):
    """After 14 days and not before; journaled with its reason; a copy of it brings nothing back."""
    partner = samhub_partner()
    late = {"hub": {"apprec_deadline_hours": 2000}}
    hub = samhub_hub([partner], settings=late)
    epj = hub.epj(DOCTOR.her_id)
    letter, message_id, path = came_in(hub, partner, samhub_samples)
    hub.clock.forward(days=13)
    hub.run(purging.purge(hub.built.store, hub.built.kit, AS_EDI20))
    assert hub.delivery(message_id).state == "available"
    assert epj.call("GET", path)[0] == 200
    hub.clock.forward(days=1.1)
    hub.run(purging.purge(hub.built.store, hub.built.kit, AS_EDI20))
    ended = hub.delivery(message_id)
    assert (ended.state, ended.code) == ("expired", "not-fetched")
    assert "expired" in hub.events(message_id)
    status, said = epj.call("GET", path)
    assert (status, said["errorCode"]) == (404, 1010)
    assert f"HER-id {DOCTOR.her_id} had not fetched it" in said["detail"]
    with pytest.raises(NotAllowed) as refused:
        hub.act(ended.id, "resend", "prøver")
    assert refused.value.code == "content-removed"
    partner.post(letter)
    assert hub.delivery(message_id).state == "expired"


def test_a_sender_in_the_house_is_told(samhub_hub, samhub_samples):
    """By a notification, and by the status: abandoned, though it was ready."""
    hub = samhub_hub(local=[DOCTOR, PHYSIO], settings={"hub": {"apprec_deadline_hours": 2000}})
    epj = hub.epj(DOCTOR.her_id)
    message_id = epj.send(samhub_samples(sender=DOCTOR, receiver=PHYSIO))
    hub.clock.forward(days=15)
    hub.run(purging.purge(hub.built.store, hub.built.kit, AS_EDI20))
    assert epj.told(message_id)[-1] == "MessageDeliveryStateUpdated"
    [told] = epj.status(message_id)
    assert (told["transportDeliveryState"], told["sent"]) == ("Abandoned", True)


def test_what_a_partner_acknowledged_is_gone_and_its_apprec_is_still_taken(samhub_hub, samhub_partner, samhub_samples):
    """The AppRec refers to it by its id; what it says is kept."""
    hospital = samhub_partner(behaviour="never-apprec")
    hub = samhub_hub([hospital])
    epj = hub.epj(DOCTOR.her_id)
    message_id = epj.send(samhub_samples(receiver=hospital))
    hub.until(message_id, "acknowledged")
    an_hour_later(hub)
    assert epj.call("GET", f"/messages/{message_id}/business-document")[0] == 404
    hospital.send(hospital.apprec_about(hospital.received[-1]), DOCTOR.her_id)
    hub.until(message_id, "done")


def test_an_apprec_that_the_receiver_may_still_have_made_keeps_it(samhub_hub, samhub_samples):
    """Fetched in the house and not answered: the hub needs the document to make the AppRec; then it goes."""
    hub = samhub_hub(local=[DOCTOR, PHYSIO], apprec="system")
    sender, receiver = hub.epj(DOCTOR.her_id), hub.epj(PHYSIO.her_id)
    message_id = sender.send(samhub_samples(sender=DOCTOR, receiver=PHYSIO))
    receiver.take()
    an_hour_later(hub)
    assert hub.delivery(message_id).state == "acknowledged"
    assert receiver.answer(message_id, PHYSIO.her_id) == 202
    an_hour_later(hub)
    assert receiver.call("GET", f"/messages/{message_id}/business-document")[0] == 404
    assert sender.status(message_id)[0]["apprecInfo"]["appRecStatus"] == "Ok"


@pytest.mark.parametrize(
    ("behaviour", "settles"), [("down", "waiting"), ("no-acknowledgment", "sent")], ids=["down", "unconfirmed"]
)
def test_what_a_partner_has_not_confirmed_stays_until_it_has(
    samhub_hub, samhub_partner, samhub_samples, behaviour, settles
):
    partner = samhub_partner(behaviour=behaviour)
    hub = samhub_hub([partner], times="sector", settings={"purge": {"as_edi20": True}})
    epj = hub.epj(DOCTOR.her_id)
    message_id = epj.send(samhub_samples(receiver=partner))
    hub.until_tried(message_id)
    assert hub.delivery(message_id).state == settles
    an_hour_later(hub)
    assert epj.call("GET", f"/messages/{message_id}/business-document")[0] == 200
    partner.behave("good")
    hub.clock.forward(hours=15)
    hub.built.worker.wake()
    hub.until(message_id, "done")
    an_hour_later(hub, hub.built.configuration.purge)
    assert epj.call("GET", f"/messages/{message_id}/business-document")[0] == 404


def test_a_refused_document_cannot_be_sent_again_once_it_is_gone(samhub_hub, samhub_partner, samhub_samples):
    """A MessageError confirms too: what a person is told is that it was removed, never that it was lost."""
    partner = samhub_partner(behaviour="message-error")
    hub = samhub_hub([partner])
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    refused = hub.until(message_id, "rejected")
    an_hour_later(hub)
    with pytest.raises(NotAllowed, match="was removed, as the settings of the purge say") as told:
        hub.act(refused.id, "resend", "prøver")
    assert told.value.code == "content-removed"
    assert hub.delivery(message_id).state == "rejected"
