"""A delivery that a person must look at tells its true cause, whose that is and what to mend, however it came to its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hub import delivery, insights, submission
from hub.circuit import Circuits
from hub.codes import REASONS, RECEIPT
from hub.insights import FAULTS
from hub.message import Arrival, Channel, Outcome, Reached
from hub.states import State
from ops.sector import SECTOR
from tests.support import world as world_of
from tests.support.answers import answering, next_try, nothing, soap, unsigned_error
from tests.support.fixtures import aside, keys, new_world  # noqa: F401
from tests.unit.test_insights import _delivery, _story

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR
#: Codes that an attempt can end with, whatever said it; "nobody's" are no trouble.
TROUBLE = sorted(code for code, row in REASONS.items() if row.blame != "nobody")
ENDINGS = ("retries-exhausted", "persist-duration-over")


class Says:
    """A sender that always says the same of a message."""

    def __init__(self, outcomes):
        self.outcomes = outcomes

    async def send(self, claimed, parcel):
        return self.outcomes[claimed.message.id]


def explained(hub, message_id):
    """What a person is told of the only delivery."""
    [said] = insights.explained(hub.story(message_id), hub.clock.now())
    return said


async def tried(kit, sender, clock, give_up):
    """Claims and tries what is due, and what is due then, until nothing is."""
    circuits = Circuits(10**9, delivery.backoff(kit))
    for _ in range(give_up):
        due = await kit.store.claim(clock.now(), 500, timedelta(minutes=1), frozenset(), 500)
        for claimed in due:
            await delivery.attempt(claimed, kit, dict.fromkeys(Channel, sender), circuits)
        clock.forward(hours=15)


@pytest.mark.parametrize("reached", Reached)
def test_whatever_an_attempt_ends_with_is_the_cause_when_it_is_given_up(reached, new_world):  # noqa: F811
    """Every code of the register, a third of them by each way to the end: all retries used up, or all time over."""
    world = new_world()
    kit = replace(world.hub.kit, settings=world.hub.kit.settings.model_copy(update={"retries": 1}))
    codes = {handed_over(world, kit): code for code in TROUBLE[list(Reached).index(reached) :: 3]}
    outcomes = {message_id: Outcome(reached, code, f"said: {code}") for message_id, code in codes.items()}
    world.run(tried(kit, Says(outcomes), world.clock, 12))
    for message_id, code in codes.items():
        story = world.run(insights.story(kit.store, message_id))
        [found] = story.deliveries
        # What nobody foresaw keeps its own code to the end (hub.judgement).
        assert (found.state, found.code in {*ENDINGS, "unforeseen"}) == ("dead", True), (code, found.code)
        assert (insights.cause(found), found.cause) == (code, code)
        [said] = insights.explained(story, world.clock.now())
        row = REASONS[code]
        assert (said.cause, said.whose) == (code, FAULTS[row.blame])
        assert f"[{code}]" in said.because and (not row.hint or row.hint.rstrip(".") in said.what_to_do), code
        assert len(story.attempts) == found.attempts and {a.code for a in story.attempts} <= {code, found.code}
        assert len(story.attempts) >= found.handed_over


def handed_over(world, kit):
    """A document of the doctor's to the partner; our id for it."""
    document = world.sample(sender=world_of.DOCTOR, receiver=world_of.PARTNER).document
    arrival = Arrival(kit.dice.uuid(), "rest", kit.clock.now(), {}, document, "legesenter")
    return world.run(submission.submit(arrival, kit)).message_id


def test_a_receipt_that_our_register_cannot_prove_is_ours_to_mend(
    samhub_hub, samhub_partner, samhub_samples, samhub_pki
):
    """The partner acknowledged each time; the dead letter says what our register lacks (operators A2)."""
    partner = samhub_partner()
    wrong = str(samhub_pki.folder / "legesenter" / "sign.cert.pem")
    hub = samhub_hub(
        [partner], times="sector", manners={partner.her_id: {"retries": 1, "signing_certificates": [wrong]}}
    )
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    hub.until_tried(message_id)
    assert explained(hub, message_id).whose == "ours"
    next_try(hub, message_id, 2)
    next_try(hub, message_id, 3)

    dead = hub.until(message_id, "dead")
    said = explained(hub, message_id)

    assert (dead.code, dead.cause, dead.attempts) == ("retries-exhausted", "receipt-unregistered", 2)
    assert (said.whose, said.cause) == ("ours", "receipt-unregistered")
    assert "party file or its CPA" in said.what_to_do and "registered" in said.because
    assert [a.number for a in hub.story(message_id).attempts] == [1, 2]


def test_a_receipt_that_the_partner_did_not_sign_is_the_partners(samhub_hub, samhub_partner, samhub_samples, answers):
    partner = samhub_partner()
    hub = samhub_hub([partner], times="sector", manners={partner.her_id: {"retries": 0}})
    answers.document = answering(200, unsigned_error)
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    hub.until_tried(message_id)
    next_try(hub, message_id, 2)
    assert hub.until(message_id, "dead").cause == "receipt-unproven"
    assert explained(hub, message_id).whose == "the receiver's"


def test_a_receipt_that_comes_by_itself_and_is_not_taken_is_a_cause_too(
    samhub_hub, samhub_partner, samhub_samples, answers
):
    """It was handed over, so what went wrong before is overcome; then words came that nothing proves."""
    partner = samhub_partner(behaviour="no-acknowledgment")
    hub = samhub_hub([partner], times="sector", manners={partner.her_id: {"retries": 1}})
    answers.document = answering(404, nothing)
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    hub.until_tried(message_id)
    assert hub.delivery(message_id).cause == "http-not-there"
    answers.document = None
    next_try(hub, message_id, 2)
    assert hub.delivery(message_id).cause == ""
    partner.refuse(partner.received[-1], signed=False)
    assert hub.delivery(message_id).cause == "receipt-unproven"
    next_try(hub, message_id, 3)
    dead = hub.until(message_id, "dead")
    assert (dead.code, insights.cause(dead)) == ("retries-exhausted", "receipt-unproven")


def test_an_acknowledgment_forgets_what_went_wrong_before(samhub_hub, samhub_partner, samhub_samples, answers):
    """What is overdue later is about the AppRec, and not about the line of long ago."""
    partner = samhub_partner(behaviour="never-apprec")
    hub = samhub_hub([partner], times="sector")
    answers.document = answering(503, soap)
    message_id = hub.epj(DOCTOR.her_id).send(samhub_samples(receiver=partner))
    hub.until_tried(message_id)
    assert hub.delivery(message_id).cause
    answers.document = None
    next_try(hub, message_id, 2)
    assert hub.until(message_id, "acknowledged").cause == ""
    hub.clock.forward(hours=97)
    late = hub.until(message_id, "overdue")
    said = explained(hub, message_id)
    assert (late.code, said.cause, late.apprec_due_at is not None) == ("apprec-missing", "apprec-missing", True)
    assert said.next.startswith("AppRec was due ")


@pytest.mark.parametrize("code", sorted(set(RECEIPT.values())))
def test_what_is_ours_to_mend_says_what(code):
    row = REASONS[code]
    assert row.blame == "us" and "resend" in row.hint and len(row.hint) > 40


def test_nothing_is_tried_in_the_past() -> None:
    """What is due is tried now; what goes wrong on the line, as soon as the address answers."""
    now = datetime(2027, 1, 1, tzinfo=UTC)
    waiting = replace(_delivery(State.WAITING), code="http-temporary")
    [said] = insights.explained(_story(waiting), now)
    assert said.next == "next try now" and insights.upcoming(waiting, now) == now
    [down] = insights.explained(_story(replace(waiting, code="connect-failed")), now)
    assert down.next == "next try now, or as soon as its address answers again"
