"""Whatever ends or changes a delivery is told to the record system that sent it."""

from __future__ import annotations

import pytest

from ops.partner.aside import eventually
from ops.sector import SECTOR

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR
STATE = "MessageDeliveryStateUpdated"


class Told:
    """What the doctor's record system heard since it was last asked, once there is something."""

    def __init__(self, hub, message_id):
        self.hub, self.message_id, self.offset = hub, message_id, 0

    def __call__(self):
        epj = self.hub.epj(DOCTOR.her_id)

        def new():
            found = [n for n in epj.notifications(self.offset) if n["relatedMessageId"] == self.message_id]
            return [n for n in found if n["notificationReceiverHerId"] == int(DOCTOR.her_id)]

        notes = eventually(new, wanted="a notification")
        self.offset = notes[-1]["offset"]
        return [n["type"] for n in notes]


def held(hub, partner, samples):
    """A referral that waits for a partner that is away."""
    message_id = hub.epj(DOCTOR.her_id).send(samples(sender=DOCTOR, receiver=partner))
    hub.until_tried(message_id)
    return hub.delivery(message_id), Told(hub, message_id)


@pytest.fixture
def away(samhub_partner):
    return samhub_partner(behaviour="unavailable")


def test_what_a_person_does_with_it(samhub_hub, away, samhub_samples):
    """Put aside, let go, put aside again, discarded: each is told."""
    hub = samhub_hub([away])
    delivery, told = held(hub, away, samhub_samples)
    for move in ("hold", "release", "hold", "discard"):
        hub.act(delivery.id, move, "for a reason")
        assert told() == [STATE], move


def test_given_up_and_sent_again(samhub_hub, away, samhub_samples):
    hub = samhub_hub([away], times="sector")
    delivery, told = held(hub, away, samhub_samples)
    hub.clock.forward(seconds=(delivery.give_up_at - hub.clock.now()).total_seconds() + 1)
    hub.until(delivery.message_id, "dead")
    assert told() == [STATE]
    hub.act(delivery.id, "resend")
    assert STATE in told()


def test_fetched_in_the_house(samhub_hub, samhub_partner, samhub_samples):
    """By REST or from a folder: the sender hears that it has come, and then what its AppRec says."""
    hub = samhub_hub([samhub_partner()], local=[PHYSIO, DOCTOR, NURSING], folder_systems=[PHYSIO.system])
    for receiver in (PHYSIO, NURSING):
        message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(sender=DOCTOR, receiver=receiver))
        if receiver is NURSING:
            hub.epj(NURSING.her_id).take_one()
        hub.until(message_id, "done")
        assert Told(hub, message_id)() == [STATE, "MessageApprecInfoUpdated"], receiver
