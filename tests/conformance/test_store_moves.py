"""Moves are guarded by the table of hub.states, for every state and every move."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from hub.ports import Applied, Change, Conflict, Store, Word
from hub.states import TRYING, Move, State, after, allowed
from tests.conformance import values as v


@pytest.mark.parametrize("move", Move)
async def test_a_move_is_made_from_exactly_the_states_that_the_table_allows(store: Store, move: Move) -> None:
    """From every other state it is refused, and the delivery stands as it stood."""
    for state in State:
        given = await v.promised(store, state=state, next_at=v.NOW if state in TRYING else None)
        order = v.move(given.id, move)
        done = await store.apply(Change(moves=(order,)))
        if allowed(state, move):
            moved = replace(
                given,
                state=after(move),
                next_at=order.next_at,
                code=order.code,
                because=order.because,
                changed_at=order.at,
            )
            assert (done, await v.standing(store, given.id)) == (Applied(), moved), state
        else:
            assert (done, await v.standing(store, given.id)) == (Conflict(given.id, state), given), state


@pytest.mark.parametrize("first", Move)
async def test_two_moves_of_one_delivery_go_one_after_the_other(store: Store, first: Move) -> None:
    """The second is judged from where the first ends; not from where the delivery stood before the change."""
    for second in Move:
        given = await v.promised(store)
        done = await store.apply(Change(moves=(v.move(given.id, first), v.move(given.id, second))))
        state = (await v.standing(store, given.id)).state
        if not allowed(State.WAITING, first):
            assert (done, state) == (Conflict(given.id, "waiting"), "waiting")
        elif not allowed(after(first), second):
            assert (done, state) == (Conflict(given.id, after(first)), "waiting")
        else:
            assert (done, state) == (Applied(), after(second))


async def test_a_delivery_that_the_same_change_makes_can_be_moved(store: Store) -> None:
    """The guard sees it as the change made it."""
    change = v.accepted()
    order = v.move(change.deliveries[0].id, Move.FINISH)
    assert await store.apply(replace(change, moves=(order,))) == Applied()
    assert (await v.standing(store, order.delivery_id)).state == "done"


async def test_a_move_writes_what_it_names_and_leaves_the_rest(store: Store) -> None:
    """None keeps the time of giving up, the count of hand-overs, the AppRec and the MessageId."""
    given = await v.promised(store, handed_over=1, apprec_status="1", apprec_code="X99")
    plain = v.move(given.id, Move.HAND_OVER, next_at=v.later(9))
    await store.apply(Change(moves=(plain,)))
    found = await v.standing(store, given.id)
    kept = ("handed_over", "apprec_status", "apprec_code", "eb_message_id", "give_up_at", "expires_at", "apprec_due_at")
    assert [getattr(found, name) for name in kept] == [getattr(given, name) for name in kept]
    named = {
        "handed_over": 0,
        "apprec_status": "2",
        "apprec_code": "E21",
        "eb_message_id": "a new one",
        "give_up_at": v.later(99) + timedelta(microseconds=1),
        "next_at": v.later(10),
    }
    await store.apply(Change(moves=(v.move(given.id, Move.HAND_OVER, **named),)))
    found = await v.standing(store, given.id)
    assert {name: getattr(found, name) for name in named} == named


async def test_a_move_without_a_next_time_clears_it(store: Store) -> None:
    """What is settled is not tried again."""
    given = await v.promised(store)
    await store.apply(Change(moves=(v.move(given.id, Move.FINISH),)))
    assert (await v.standing(store, given.id)).next_at is None
    assert await v.taken(store, v.later(1e6)) == []


async def test_a_new_message_id_makes_the_parcel_anew(store: Store) -> None:
    """A resend under the same MessageId keeps its bytes; under a new one they are sealed again (HITS 1171 9.6, 9.7)."""
    given = await v.promised(store)
    await store.keep_parcel(given.id, v.parcel(), given.eb_message_id)
    await store.apply(Change(moves=(v.move(given.id, Move.GIVE_UP), v.move(given.id, Move.RESEND))))
    assert await store.parcel(given.id) == v.parcel()
    again = (v.move(given.id, Move.REFUSE), v.move(given.id, Move.RESEND, eb_message_id="new"))
    await store.apply(Change(moves=again))
    assert await store.parcel(given.id) is None


async def test_what_the_partner_said_stands_beside_the_delivery_and_moves_nothing(store: Store) -> None:
    """Words alone, or with a move; those that are not named stay, empty ones forget."""
    kept = await v.promised(store)
    assert (kept.said, kept.failures) == ("", 0)
    assert await store.apply(Change(words=(Word(kept.id, "Unauthorized Msg (unsigned)"),))) == Applied()
    assert await v.standing(store, kept.id) == replace(kept, said="Unauthorized Msg (unsigned)")
    order = v.move(kept.id, Move.TRY_AGAIN, failures=3)
    assert await store.apply(Change(moves=(order,))) == Applied()
    found = await v.standing(store, kept.id)
    assert (found.said, found.failures) == ("Unauthorized Msg (unsigned)", 3)
    await store.apply(Change(moves=(v.move(kept.id, Move.HAND_OVER, said="æøå", failures=0),)))
    found = await v.standing(store, kept.id)
    assert (found.state, found.said, found.failures) == ("sent", "æøå", 0)
    await store.apply(Change(moves=(v.move(kept.id, Move.FINISH, said=""),)))
    assert (await v.standing(store, kept.id)).said == ""


async def test_words_of_a_refused_change_are_not_kept(store: Store) -> None:
    """Whole or not at all; words about what is not there are nobody's."""
    kept = await v.promised(store)
    wrong = Change(moves=(v.move(kept.id, Move.RELEASE),), words=(Word(kept.id, "x"),))
    assert isinstance(await store.apply(wrong), Conflict)
    assert (await v.standing(store, kept.id)).said == ""
    assert await store.apply(Change(words=(Word("nobody's", "x"),))) == Applied()
