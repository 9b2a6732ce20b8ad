"""An attempt sends the bytes that were kept, and is completed together with what follows from it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from hub.message import NewMessage, Parcel, Reached
from hub.ports import Applied, AttemptRecord, Change, Claim, Conflict, MessageFilter, Store, Taken
from hub.states import Move
from tests.conformance import values as v
from tests.conformance.stores import Place


async def test_every_attempt_gets_the_same_bytes(place: Place) -> None:
    """Headers, body and digests as they were sealed, whichever attempt and whichever process asks."""
    sealed = v.parcel(bytes(range(256)) * 40, headers={"Content-Type": 'multipart/related; start="<æ>"'})
    async with place.open() as store:
        kept = await v.promised(store)
        (first,) = await store.claim(v.NOW, 1, v.LEASE, v.NOBODY, 1)
        await store.keep_parcel(kept.id, sealed, kept.eb_message_id)
        assert first.parcel is None
    for attempt in (2, 3, 4):
        async with place.open() as store:
            (again,) = await store.claim(v.NOW + attempt * v.LEASE, 1, v.LEASE, v.NOBODY, 1)
            assert (again.attempt, again.parcel) == (attempt, sealed)
            assert await store.parcel(kept.id) == sealed


async def test_the_parcel_that_was_kept_first_is_the_one_that_goes(store: Store) -> None:
    """Two attempts that sealed at once: both are told the same bytes, since under one MessageId only one may go out."""
    kept = await v.promised(store)
    ours = [v.parcel(b"one"), v.parcel(b"two")]
    told = await asyncio.gather(*(store.keep_parcel(kept.id, one, kept.eb_message_id) for one in ours))
    assert told[0] == told[1] == await store.parcel(kept.id)
    assert told[0] in ours


async def test_nothing_is_sealed_before_it_is_sealed(store: Store) -> None:
    """None, also for a delivery that nobody knows."""
    kept = await v.promised(store)
    assert await store.parcel(kept.id) is None
    assert await store.parcel("unknown") is None


async def test_an_empty_parcel_is_a_parcel(store: Store) -> None:
    """No bytes are bytes too."""
    kept = await v.promised(store)
    await store.keep_parcel(kept.id, Parcel({}, b""), kept.eb_message_id)
    assert await store.parcel(kept.id) == Parcel({}, b"", ())


async def test_an_attempt_is_completed_with_what_follows_from_it(store: Store) -> None:
    """Outcome, move, receipt, notification and journal in one transaction."""
    kept = await v.promised(store)
    await v.taken(store)
    change = Change(
        moves=(v.move(kept.id, Move.ACKNOWLEDGE),),
        receipts=(v.receipt(kept.message_id, kept.id),),
        notifications=(v.notification("8000202"),),
        journal=(v.entry(kept.message_id),),
    )
    done = await store.settle(kept.id, 1, v.outcome(), v.later(3), change)
    assert done == Applied()
    expected = AttemptRecord(kept.id, 1, v.NOW, v.later(3), "yes", "acknowledged", "said by the wire")
    assert await store.attempts(kept.id) == [expected]
    assert (await v.standing(store, kept.id)).state == "acknowledged"
    assert await store.receipts(kept.message_id) == list(change.receipts)
    assert len(await store.notifications(("8000202",), 0, 9)) == 1


async def test_a_conflict_changes_nothing_but_may_be_noted(store: Store) -> None:
    """A person held the delivery while it was tried: theirs stands, and the attempt is noted with what it met."""
    kept = await v.promised(store)
    await v.taken(store)
    await store.apply(Change(moves=(v.move(kept.id, Move.HOLD),)))
    change = Change(moves=(v.move(kept.id, Move.HAND_OVER),), notifications=(v.notification("8000202"),))
    assert await store.settle(kept.id, 1, v.outcome(), v.later(3), change) == Conflict(kept.id, "held")
    assert (await store.attempts(kept.id))[0].ended_at is None
    assert await store.notifications(("8000202",), 0, 9) == []
    noted = Change(journal=(v.entry(kept.message_id),))
    assert await store.settle(kept.id, 1, v.outcome(reached=Reached.MAYBE), v.later(3), noted) == Applied()
    assert (await store.attempts(kept.id))[0].reached == "maybe"
    assert (await v.standing(store, kept.id)).state == "held"


async def test_a_claim_that_was_taken_settles_nothing(store: Store) -> None:
    """An AppRec that the receiver has given already is not made twice by a folder that was written twice."""
    kept = await v.promised(store, claims=(Claim("apprec:1:2", ""),))
    await v.taken(store)
    answer = v.message(kind="apprec")
    change = Change(
        claims=(Claim("apprec:1:2", ""),),
        messages=(NewMessage(answer, b"<AppRec/>"),),
        moves=(v.move(kept.id, Move.FINISH),),
    )
    done = await store.settle(kept.id, 1, v.outcome(), v.later(3), change)
    assert done == Taken("apprec:1:2", "", "", kept.message_id)
    assert (await store.attempts(kept.id))[0].ended_at is None
    assert await store.messages(MessageFilter(kind="apprec")) == []
    assert (await v.standing(store, kept.id)).state == "waiting"


async def test_each_attempt_keeps_its_own_outcome(store: Store) -> None:
    """In order, also when the first one ends after the second."""
    kept = await v.promised(store)
    await v.taken(store)
    await v.taken(store, v.NOW + v.LEASE)
    late, early = v.outcome("timed-out", reached=Reached.MAYBE), v.outcome("http-temporary", reached=Reached.NO)
    again = Change(moves=(v.move(kept.id, Move.TRY_AGAIN),))
    await store.settle(kept.id, 2, early, v.later(130), again)
    await store.settle(kept.id, 1, late, v.later(140), replace(again, journal=(v.entry(kept.message_id),)))
    found = [(a.number, a.reached, a.code, a.ended_at) for a in await store.attempts(kept.id)]
    assert found == [(1, "maybe", "timed-out", v.later(140)), (2, "no", "http-temporary", v.later(130))]


async def test_a_delivery_that_was_never_tried_has_no_attempts(store: Store) -> None:
    """An empty list, also for one that nobody knows."""
    kept = await v.promised(store)
    assert await store.attempts(kept.id) == []
    assert await store.attempts("unknown") == []
