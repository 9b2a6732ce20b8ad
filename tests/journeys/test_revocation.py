"""Revocation that cannot be asked is not a refusal: the message is kept, judged again, and its receipt travels by itself."""

from __future__ import annotations

import shutil

import pytest

from hub.ports import ArrivalFilter
from ops.partner.aside import eventually
from ops.sector import SECTOR

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR


@pytest.fixture
def lists(tmp_path):
    """A folder of revocation lists that is still empty."""
    folder = tmp_path / "crl"
    folder.mkdir()
    return folder


@pytest.fixture
def without_lists(samhub_hub, lists):
    """Makes a hub that cannot ask about revocation."""

    def make(partner, **more):
        settings = {"revocation": {"folder": lists, "look_seconds": 0}, "hub": {"retry_undecided_seconds": 0.1}}
        return samhub_hub([partner], settings=settings, **more)

    return make


def undecided(hub):
    """Arrivals that still have to be judged."""
    return hub.run(hub.built.store.arrivals(ArrivalFilter(states=("undecided",))))


def lists_arrive(samhub_pki, lists):
    """The authorities' lists can be had again."""
    shutil.copytree(samhub_pki.folder / "crl", lists, dirs_exist_ok=True)


def test_it_is_neither_acknowledged_nor_refused(without_lists, samhub_partner, samhub_samples):
    """HTTP 202 and an empty body; kept as undecided, with the reason; nothing for the doctor yet."""
    partner = samhub_partner()
    hub = without_lists(partner)

    answer = partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR))

    assert (answer.status, answer.body) == (202, b"")
    [arrival] = undecided(hub)
    assert arrival.code == "revocation-unknown"
    assert hub.epj(DOCTOR.her_id).take() == []


def test_when_the_lists_are_back_it_is_accepted_and_its_receipt_travels_by_itself(
    without_lists, lists, samhub_pki, samhub_partner, samhub_samples
):
    """Judged again without anybody doing anything; the partner gets its Acknowledgment though the exchange is long over."""
    partner = samhub_partner()
    hub = without_lists(partner)
    letter = samhub_samples("epikrise", sender=partner, receiver=DOCTOR)
    answer = partner.send(letter)

    lists_arrive(samhub_pki, lists)

    assert hub.epj(DOCTOR.her_id).take_one().document == letter.document
    [signal] = eventually(lambda: partner.signals)
    assert signal.envelope.acknowledgment.ref_to_message_id == answer.message_id
    assert undecided(hub) == []


def test_when_the_lists_say_revoked_it_is_refused(without_lists, lists, samhub_pki, samhub_partner, samhub_samples):
    """Unknown first, revoked then: a MessageError by itself, and nothing for the doctor."""
    partner = samhub_partner()
    hub = without_lists(partner)
    partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR), how="revoked-certificate")
    assert len(undecided(hub)) == 1

    lists_arrive(samhub_pki, lists)

    [signal] = eventually(lambda: partner.signals)
    assert [e.code for e in signal.envelope.errors] == ["SecurityFailure"]
    assert hub.epj(DOCTOR.her_id).take() == []


def test_a_resend_in_the_meantime_is_delivered_once_and_answered_each_time(
    without_lists, lists, samhub_pki, samhub_partner, samhub_samples
):
    """The partner has sent it twice before anybody could judge it: one import, and then it is over for good."""
    partner = samhub_partner()
    hub = without_lists(partner)
    partner.send(samhub_samples("epikrise", sender=partner, receiver=DOCTOR), how="duplicate")
    assert len(undecided(hub)) == 2

    lists_arrive(samhub_pki, lists)

    hub.epj(DOCTOR.her_id).take_one()
    eventually(lambda: len(partner.signals) == 2)
    assert undecided(hub) == []
    hub.clock.forward(hours=1)
    hub.watched()
    assert len(partner.signals) == 2


def test_a_resend_after_it_was_decided_gets_the_answer_in_its_own_exchange(
    without_lists, lists, samhub_pki, samhub_partner, samhub_samples
):
    """The late Acknowledgment and the one that a resend gets are the same bytes."""
    partner = samhub_partner()
    hub = without_lists(partner)
    letter = samhub_samples("epikrise", sender=partner, receiver=DOCTOR)
    message_id, written = partner.sealed(letter)
    partner.post(written)
    lists_arrive(samhub_pki, lists)
    [signal] = eventually(lambda: partner.signals)

    answer = partner.post(written)

    assert answer.kind == "acknowledgment"
    assert answer.body == signal.body
    assert len(hub.epj(DOCTOR.her_id).take()) == 1
    assert hub.events(message_id).count("duplicate") == 1


def test_a_receipt_that_cannot_be_proven_now_is_judged_again(
    without_lists, lists, samhub_pki, samhub_partner, samhub_samples
):
    """An asynchronous Acknowledgment is not lost because a revocation list was late."""
    partner = samhub_partner(behaviour="no-acknowledgment")
    hub = without_lists(partner, times="sector")
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    hub.until(message_id, "sent")
    partner.acknowledge(partner.received[0])
    assert hub.delivery(message_id).state == "sent"
    assert len(undecided(hub)) == 1

    lists_arrive(samhub_pki, lists)

    hub.until(message_id, "acknowledged")
    assert undecided(hub) == []
