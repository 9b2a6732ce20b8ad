"""The table of moves: every one, from every state, and the picture that is drawn from it."""

from __future__ import annotations

import re

import pytest

from hub.states import MOVES, NEEDS_A_PERSON, SETTLED, TRYING, Move, State, after, allowed, diagram

#: What ends a delivery well, said here by hand (ebxml.md §6.2).
GREEN = {State.DONE}
STARTS = {State.WAITING, State.AVAILABLE, State.HELD}


def reachable(start: State) -> set[State]:
    found, fresh = {start}, {start}
    while fresh:
        fresh = {after(m) for m in Move for s in fresh if allowed(s, m)} - found
        found |= fresh
    return found


@pytest.mark.parametrize("move", Move)
def test_every_move_is_in_the_table_and_goes_only_from_its_states(move: Move) -> None:
    starts, end = MOVES[move]
    assert starts and after(move) is end
    for state in State:
        assert allowed(state, move) == allowed(state.value, move) == (state in starts)


def test_every_state_can_be_reached() -> None:
    assert set().union(*(reachable(start) for start in STARTS)) == set(State)


def test_nothing_is_green_without_a_receipt() -> None:
    """Only an Acknowledgment where no AppRec is due, or a positive AppRec, ends in done."""
    assert {move for move in Move if after(move) in GREEN} == {Move.FINISH, Move.APPREC_OK}


@pytest.mark.parametrize("state", sorted(set(State) - {State.DONE, State.DISCARDED}))
def test_no_delivery_is_stuck(state: State) -> None:
    """From everywhere it can still come to a good end, or be discarded by a person."""
    assert reachable(state) & {State.DONE, State.DISCARDED}


@pytest.mark.parametrize(("state", "moves"), [(State.DONE, [Move.TAKE_BACK]), (State.DISCARDED, [])])
def test_an_end_is_an_end(state: State, moves: list[Move]) -> None:
    """But for what nobody answers by AppRec: on the bus its receiver may complain long after the broker took it."""
    assert [move for move in Move if allowed(state, move)] == moves


@pytest.mark.parametrize("state", [State.OVERDUE, State.DEAD, State.EXPIRED])
def test_a_late_apprec_is_still_taken(state: State) -> None:
    """HIS 80415 3.3.4, HITS 1168 9.1."""
    assert allowed(state, Move.APPREC_OK) and allowed(state, Move.APPREC_NEGATIVE)


def test_an_apprec_that_is_not_clear_asks_for_a_person_wherever_one_is_taken_and_ends_nothing() -> None:
    """From every state that takes an AppRec; and a clear one after it is still taken."""
    assert MOVES[Move.APPREC_UNCLEAR][0] == MOVES[Move.APPREC_OK][0] == MOVES[Move.APPREC_NEGATIVE][0]
    end = after(Move.APPREC_UNCLEAR)
    assert end in NEEDS_A_PERSON and allowed(end, Move.APPREC_OK) and allowed(end, Move.APPREC_NEGATIVE)


@pytest.mark.parametrize("state", [State.DEAD, State.EXPIRED])
def test_a_late_acknowledgment_is_still_taken(state: State) -> None:
    assert allowed(state, Move.ACKNOWLEDGE)


def test_an_apprec_may_come_before_the_acknowledgment() -> None:
    assert allowed(State.SENT, Move.APPREC_OK) and allowed(State.WAITING, Move.APPREC_NEGATIVE)


@pytest.mark.parametrize("state", sorted(NEEDS_A_PERSON))
def test_what_asks_for_a_person_gives_them_something_to_do(state: State) -> None:
    assert any(allowed(state, move) for move in (Move.RESEND, Move.RELEASE, Move.DISCARD))


def test_the_hub_tries_only_what_can_be_handed_over() -> None:
    assert {state for state in State if allowed(state, Move.HAND_OVER)} == TRYING
    assert not TRYING & SETTLED


def test_the_picture_names_every_state_and_every_move() -> None:
    drawn = diagram()
    assert set(State) <= set(re.findall(r"\w+", drawn))
    assert {line.rpartition(": ")[2] for line in drawn.splitlines() if ": " in line} == set(Move)
    assert sum(": " in line for line in drawn.splitlines()) == sum(len(starts) for starts, _ in MOVES.values())
