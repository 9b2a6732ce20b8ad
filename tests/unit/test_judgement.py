"""The one table of judgements: every combination has one row, its moves are allowed, and whatever is met for ever ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import judgement
from hub.codes import REASONS
from hub.judgement import ROADS, ROWS, Judgement, Met, Receipt, Road, Terms, Turn, What, When, combinations, row_of
from hub.message import Channel, DeliveryRecord, Outcome, Reached
from hub.retry import Backoff
from hub.states import NEEDS_A_PERSON, SETTLED, TRYING, Move, State, after, allowed

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
PERSIST = timedelta(hours=96)
TERMS = Terms(Backoff())
CHANNELS = {road: channel for channel, road in ROADS.items() if channel is not Channel.MAILBOX}
#: Where something else watches over it: a receipt, an AppRec or its deadline.
WATCHED = {State.ACKNOWLEDGED}


def delivery(road: Road, what: What, **given: object) -> DeliveryRecord:
    plain = DeliveryRecord(
        "d", "m", "1", "2", CHANNELS[road], "x", State.WAITING, NOW, NOW, NOW + PERSIST, NOW + PERSIST,
        kind="signal" if what is What.SIGNAL else "business",
        expires_at=NOW + TERMS.sync if road is Road.QUESTION else None,
    )  # fmt: skip
    return replace(plain, **given)


def outcome(met: Met) -> Outcome:
    """What a sender would say of it; it has spoken where that holds it to the agreed times."""
    answered = met.reached is Reached.YES or met.as_agreed
    return Outcome(met.reached, "timed-out", "as it was", met.permanent, answered=answered, counted=met.as_agreed)


def judged(d: DeliveryRecord, met: Met, now: datetime, terms: Terms = TERMS, failures: int = 1) -> Judgement:
    return judgement.judge(d, outcome(met), met, now, line_failures=failures, dice=0.5, terms=terms)


def moved(d: DeliveryRecord, found: Judgement) -> DeliveryRecord:
    """As the store keeps it."""
    kept = {n: getattr(found, n) for n in ("handed_over", "failures", "interval_from", "lost")}
    given = {name: value for name, value in kept.items() if value is not None}
    return replace(d, state=after(found.move), next_at=found.at, code=found.code, because=found.because, **given)


def life(d: DeliveryRecord, met: Met, terms: Terms = TERMS) -> list[tuple[datetime, DeliveryRecord]]:
    """The same, met for ever: when, and where the delivery stood after each attempt."""
    told, now = [], NOW
    while d.state in TRYING:
        assert d.next_at is not None and d.next_at >= now, "it is tried in the past, or never"
        now, d = d.next_at, replace(d, attempts=len(told) + 1)
        over = judgement.before(d, met.what, now)
        if over is None and met.receipt is Receipt.HERE:
            over = Judgement(Move.FINISH, "acknowledged", "as it says", Turn.NOBODY)
        d = moved(d, over or judged(d, met, now, terms, len(told) + 1))
        told.append((now, d))
        assert len(told) < 10_000, "it goes on for ever"
    return told


def test_every_combination_has_exactly_one_row() -> None:
    counts = [(sum(row.fits(met) for row in ROWS), met) for met in combinations()]
    assert [met for count, met in counts if count != 1] == []
    assert len(counts) == len(Road) * len(What) * len(Reached) * len(Receipt) * 4
    assert {row_of(met) for _, met in counts} == set(ROWS), "a row that judges nothing"


def test_its_move_is_allowed_from_where_a_delivery_under_way_can_stand() -> None:
    for met in combinations():
        row = row_of(met)
        for state in sorted(_standing(met.what)):
            assert any(allowed(state, move) for move in row.moves), met
            if met.receipt is not Receipt.HERE:
                found = judged(delivery(met.road, met.what, state=state), met, NOW)
                assert allowed(state, found.move), met
                assert (found.at is None) == (row.when is When.NEVER) or found.move is Move.GIVE_UP, met
                assert found.code in REASONS and found.because, met


def _standing(what: What) -> set[State]:
    """Where the table itself can leave one that is still tried; a question of one moment is tried once."""
    moves = {move for met in combinations() if met.what is what for move in row_of(met).moves}
    return {State.WAITING} | {after(move) for move in moves if after(move) in TRYING}


def test_what_is_tried_again_is_the_turn_of_the_hub_or_the_partner_and_what_ends_of_a_person() -> None:
    for met in combinations():
        row = row_of(met)
        assert (row.turn is Turn.PERSON) == (row.moves == (Move.GIVE_UP,)), met
        assert row.when is When.NEVER or row.turn in (Turn.HUB, Turn.PARTNER), met


def test_whatever_is_met_for_ever_ends_in_the_agreed_time_and_where_somebody_sees_it() -> None:
    for met in combinations():
        at, last = life(delivery(met.road, met.what), met)[-1]
        assert at <= NOW + PERSIST, met
        assert last.state in SETTLED | NEEDS_A_PERSON | WATCHED, met
        assert last.state != State.DISCARDED or met.what is What.ONCE, met


SPANS = st.timedeltas(timedelta(seconds=1), timedelta(days=400))


@settings(max_examples=60, deadline=None)
@given(
    met=st.sampled_from(sorted(combinations(), key=repr)),
    persist=SPANS,
    interval=SPANS | st.just(timedelta.max),
    retries=st.integers(0, 5),
    first=st.timedeltas(timedelta(minutes=1), timedelta(hours=3)),
)
def test_it_ends_whatever_is_agreed(
    met: Met, persist: timedelta, interval: timedelta, retries: int, first: timedelta
) -> None:
    """Also times that go beyond the calendar."""
    begun = delivery(met.road, met.what, give_up_at=NOW + persist, retry_interval=interval, retries=retries)
    at, last = life(begun, met, Terms(Backoff(first, longest=max(first, persist / 50))))[-1]
    assert at <= NOW + persist
    assert last.state in SETTLED | NEEDS_A_PERSON | WATCHED


# --- an answer that was lost


LOST = Met(Road.SEALED, What.DOCUMENT, Reached.MAYBE, Receipt.MISSING, False, False)


def test_a_lost_answer_costs_minutes_and_all_of_one_interval_counts_as_one_retry() -> None:
    told = life(delivery(Road.SEALED, What.DOCUMENT, retries=2), LOST, Terms(Backoff(jitter=0)))
    minutes = [round((at - NOW).total_seconds() / 60) for at, _ in told]
    once = [0, 1, 3, 7, 15, 31, 61]
    assert minutes == [m + 720 * n for n in range(3) for m in once] + [720 * 3]
    assert [d.handed_over for _, d in told] == [1] * 7 + [2] * 7 + [3] * 8
    assert (told[-1][1].state, told[-1][1].code) == (State.DEAD, "retries-exhausted")


def test_the_waits_are_jittered_and_never_reach_beyond_the_interval() -> None:
    d = delivery(Road.SEALED, What.DOCUMENT, retry_interval=timedelta(minutes=5))
    first = judged(d, LOST, NOW)
    assert first.at == NOW + timedelta(minutes=1.1)
    third = moved(moved(d, first), replace(first, lost=3))
    later = NOW + timedelta(minutes=4)
    assert judged(third, LOST, later).at == NOW + timedelta(minutes=5.5)


def test_what_is_taken_at_last_begins_the_agreed_interval() -> None:
    """Its receipt may take its time, counted from when it was handed over whole; still one of the Retries."""
    d = moved(delivery(Road.SEALED, What.DOCUMENT), judged(delivery(Road.SEALED, What.DOCUMENT), LOST, NOW))
    later = NOW + timedelta(minutes=1)
    found = judged(d, replace(LOST, reached=Reached.YES), later, Terms(Backoff(jitter=0)))
    assert (found.handed_over, found.lost, found.at) == (1, 0, later + d.retry_interval)


def test_a_resend_by_a_person_begins_anew() -> None:
    d = delivery(Road.SEALED, What.DOCUMENT, handed_over=0, interval_from=NOW, lost=9)
    found = judged(d, LOST, NOW + timedelta(hours=1))
    assert (found.handed_over, found.lost) == (1, 1)


# --- what lies on our side


@pytest.mark.parametrize(("reached", "state"), [(Reached.NO, State.WAITING), (Reached.MAYBE, State.SENT)])
def test_what_is_ours_is_tried_slower_and_slower_and_stays_ours_to_the_end(reached: Reached, state: State) -> None:
    """And is sent no more often than agreed, where something had gone out."""
    d, now, gaps = delivery(Road.SEALED, What.DOCUMENT), NOW, []
    ours = Outcome(reached, "unforeseen", "ValueError at hub.somewhere:1", ours=True)
    while d.state in TRYING:
        d = replace(d, attempts=len(gaps) + 1)
        found = judgement.before(d, What.DOCUMENT, now)
        if found is None:
            met = judgement.met_by(d, ours, What.DOCUMENT, Receipt.MISSING)
            found = judgement.judge(d, ours, met, now, line_failures=0, dice=0, terms=TERMS)
        d = moved(d, found)
        if d.next_at is not None:
            gaps.append((d.next_at - now).total_seconds())
            assert d.state == state
            now = d.next_at
    assert (d.state, d.code) == (State.DEAD, "unforeseen") and "hub.somewhere" in d.because
    assert gaps[:3] == ([20, 40, 80] if reached is Reached.NO else [43_200] * 3)
    assert len(gaps) < 120


def test_who_asks_to_be_left_alone_is_left_alone_for_an_hour_though_we_would_come_sooner() -> None:
    """RFC 9110 10.2.3, also where hub.backoff_longest_seconds is less."""
    met = replace(LOST, reached=Reached.NO)
    asked = Outcome(Reached.NO, "http-temporary", "HTTP 503", answered=True, after=timedelta(hours=2))
    terms = Terms(Backoff(longest=timedelta(minutes=5)))
    found = judgement.judge(delivery(Road.SEALED, What.DOCUMENT), asked, met, NOW, line_failures=1, dice=0, terms=terms)
    assert found.at == NOW + timedelta(hours=1)
