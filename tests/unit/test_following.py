"""Where a delivery goes, by what was promised and what is decided now: the whole product."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest

from hub.again import FATES, fate
from hub.following import Gone, Kept, Moved, Same, way
from hub.message import Channel, Decision, DeliveryRecord
from hub.states import State

NOW = datetime(2026, 3, 2, tzinfo=UTC)
OLD, NEW = "http://old.invalid/ebxml", "http://new.invalid/ebxml"
KEPT = DeliveryRecord(
    "d", "m", "8000202", "8009102", Channel.EBXML_HTTP, OLD, "waiting", NOW, NOW, NOW, None, rule="built-in: remote"
)
SYNC = Channel.AMQP_SYNC


def wanted(delivery, decision, known):
    """Said once more, from the point of view of a person who reads the page."""
    handed, here, there = delivery.handed_over > 0, delivery.channel, decision.channel
    if decision.action == "refuse":
        by_rule = known and not decision.rule.startswith("built-in")
        return Same if by_rule and handed else Gone
    if decision.action == "hold" and not handed and decision.rule != delivery.rule:
        return Kept
    if (there, decision.address) == (here, delivery.address):
        return Same
    other_road = there is not here
    return Same if other_road and (handed or SYNC in (here, there)) else Moved


@pytest.mark.parametrize("channel", list(Channel), ids=str)
def test_every_decision_on_every_delivery_has_one_answer(channel):
    """Handed over or not × kind of road then and now × address × what is decided × by whom × still registered."""
    seen = set()
    for handed, there, address, action, rule, known in product(
        (0, 1), Channel, (OLD, NEW), ("deliver", "hold", "refuse"), ("built-in: remote", "night"), (True, False)
    ):
        delivery = replace(KEPT, channel=channel, handed_over=handed)
        decision = Decision("8009102", action, there, address, "because", rule)
        found = way(delivery, decision, known=known)
        assert type(found) is wanted(delivery, decision, known), (handed, there, address, action, rule, known)
        seen.add(type(found))
        if isinstance(found, Moved):
            assert (found.channel, found.address, found.rule) == (there, address, rule)
        if isinstance(found, Gone):
            assert found.code == ("refused-by-rule" if known and rule == "night" else "partner-gone")
    assert seen == {Same, Moved, Kept, Gone}


def test_who_was_let_go_by_a_person_is_not_held_again_by_the_same_rule():
    held = Decision("8009102", "hold", Channel.EBXML_HTTP, OLD, "because", "night")
    assert isinstance(way(KEPT, held, known=True), Kept)
    assert isinstance(way(replace(KEPT, rule="night"), held, known=True), Same)


@pytest.mark.parametrize("state", list(State), ids=str)
def test_a_document_that_comes_again_is_kept_promised_anew_or_over(state):
    """No state is left out, and no promise that nobody keeps is repeated."""
    assert set(FATES) == set(State)
    found = fate(replace(KEPT, state=state))
    given_up = state in (State.DEAD, State.EXPIRED)
    assert found == ("again" if given_up else "over" if state in (State.REJECTED, State.DISCARDED) else "kept")
    if given_up:
        assert fate(replace(KEPT, state=state, channel=SYNC)) == "over"


def test_what_nobody_has_confirmed_is_promised_anew():
    assert fate(replace(KEPT, state="overdue", code="receipts-missing")) == "again"
    assert fate(replace(KEPT, state="overdue", code="apprec-missing")) == "kept"
