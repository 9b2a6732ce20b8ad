"""What comes when its time is over: a repetition gets the first answer, a proven receipt is taken all the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.bad_input.answers import acknowledged
from tests.bad_input.test_receipts import _handed_over, acknowledgment, unanswered
from tests.support.agreements import Side, agreement
from tests.support.letters import business, inserted
from tests.support.world import DOCTOR, PARTNER, Keys, World

CPA = "nav:prove:1"
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def sides(keys: Keys) -> tuple[Side, Side]:
    """The partner and the doctor."""
    partner = Side(PARTNER.her_id, keys.good.certificate_der, keys.certificate("partner"))
    return partner, Side(DOCTOR.her_id, keys.certificate("legesenter", "sign"), keys.certificate("legesenter"))


def until(world: World, away: timedelta) -> str:
    return (world.clock.now() + away).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_the_same_bytes_after_their_time_to_live_get_the_first_answer(new_world: Callable[..., World]) -> None:
    """HIS 1037 6.2.1, HITS 1171 5.2.1.11; one that is new then is refused as ever."""
    world = new_world()
    mortal = inserted("</eb:MessageData>", f"<eb:TimeToLive>{until(world, DAY)}</eb:TimeToLive>")
    letter = business(world.post_to, world.sample().document, edit=mortal)
    other = business(world.post_to, world.sample().document, edit=mortal)
    first = world.post(letter)
    acknowledged(first, letter, world)
    world.clock.forward(days=2)
    again = world.post(letter)
    assert again.reply.body == first.reply.body and again.codes == ["duplicate"]
    assert world.post(other).codes == ["time-to-live-expired"]


def test_the_same_bytes_after_the_end_of_their_agreement_get_the_first_answer(
    new_world: Callable[..., World], sides: tuple[Side, Side]
) -> None:
    world = new_world()
    world = new_world(agreements=[agreement(CPA, *sides, end=until(world, DAY))])
    letter = business(world.post_to, world.sample().document, cpa_id=CPA)
    first = world.post(letter)
    acknowledged(first, letter, world)
    world.clock.forward(days=2)
    assert world.post(letter).reply.body == first.reply.body


def test_other_bytes_under_a_known_id_are_no_repetition(new_world: Callable[..., World]) -> None:
    world = new_world()
    mortal = inserted("</eb:MessageData>", f"<eb:TimeToLive>{until(world, DAY)}</eb:TimeToLive>")
    letter = business(world.post_to, world.sample().document, edit=mortal)
    acknowledged(world.post(letter), letter, world)
    world.clock.forward(days=2)
    forged = letter.changed("<eb:ConversationId>", "<eb:ConversationId>x")
    assert world.post(forged).codes == ["time-to-live-expired"]


@pytest.mark.parametrize("named", ["its own, which has ended", "one that is gone"])
def test_a_proven_receipt_is_taken_after_the_end_of_the_agreement(
    named: str, new_world: Callable[..., World], sides: tuple[Side, Side]
) -> None:
    """It belongs to the agreement that its message went out under."""
    start = new_world()
    partner, doctor = sides
    world = new_world(agreements=[agreement(CPA, doctor, partner, end=until(start, DAY))])
    sent = _handed_over(world)
    letter = acknowledgment(world, sent, cpa_id=CPA if "own" in named else "nav:borte:1")
    world.clock.forward(days=2)
    unanswered(world.post(letter))
    assert sent.record.state == "acknowledged"
