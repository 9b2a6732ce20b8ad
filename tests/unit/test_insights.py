"""What people are told about a message: every state has a meaning, and where a person must act there is a command to type."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hub import insights
from hub.codes import REASONS
from hub.insights import Story
from hub.message import Channel, DeliveryRecord, MessageRecord
from hub.states import NEEDS_A_PERSON, State

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def _story(*deliveries: DeliveryRecord, code: str = "accepted") -> Story:
    message = MessageRecord("m", "a", "out", "business", "rest", AT, "8000202", "8000402", code=code, because="why")
    return Story(message, list(deliveries), [], [], [])


def _delivery(state: State, code: str = "accepted") -> DeliveryRecord:
    return DeliveryRecord(
        id="d",
        message_id="m",
        sender="8000202",
        receiver="8000402",
        channel=Channel.EBXML_HTTP,
        address="http://127.0.0.1/",
        state=state,
        created_at=AT,
        next_at=AT + timedelta(hours=1) if state is State.WAITING else None,
        give_up_at=None,
        apprec_due_at=AT + timedelta(hours=96),
        code=code,
        because="HTTP 403",
    )


@pytest.mark.parametrize("state", list(State))
def test_every_state_is_explained(state: State) -> None:
    (said,) = insights.explained(_story(_delivery(state)))
    assert said.meaning and said.state == state
    if state in NEEDS_A_PERSON:
        assert said.what_to_do


@pytest.mark.parametrize("code", sorted(REASONS))
def test_every_code_can_be_explained(code: str) -> None:
    (said,) = insights.explained(_story(_delivery(State.DEAD, code)))
    assert code in said.because and "HTTP 403" in said.because


def test_a_waiting_delivery_tells_when_it_is_tried_next() -> None:
    assert insights.explained(_story(_delivery(State.WAITING)))[0].next == "next try 2026-03-02T13:00:00+00:00"


def test_an_acknowledged_delivery_tells_when_its_apprec_is_due() -> None:
    assert "2026-03-06" in insights.explained(_story(_delivery(State.ACKNOWLEDGED)))[0].next


def test_a_message_that_was_not_taken_is_explained_without_a_delivery() -> None:
    (said,) = insights.explained(_story(code="document-schema"))
    assert said.state == "refused" and "document-schema" in said.because


def test_the_outcome_of_a_message_is_the_gravest_of_its_deliveries() -> None:
    assert _story(_delivery(State.DONE), _delivery(State.OVERDUE)).outcome == "overdue"
    assert _story(_delivery(State.DONE), _delivery(State.DEAD)).outcome == "dead"
    assert _story(_delivery(State.DONE), _delivery(State.ACKNOWLEDGED)).outcome == "under way"
    assert _story(_delivery(State.DONE)).outcome == "delivered"
