"""A change is applied whole or not at all, and a claim is taken once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from hub.events import Event
from hub.message import NewMessage, Transport
from hub.ports import (
    Applied,
    ArrivalFilter,
    Change,
    Claim,
    Conflict,
    DeliveryFilter,
    MessageFilter,
    Store,
    Taken,
)
from hub.states import Move, State
from tests.conformance import values as v
from tests.conformance.stores import Place


async def everything(store: Store) -> tuple[object, ...]:
    """All that a store knows, to be compared."""
    return (
        await store.arrivals(ArrivalFilter()),
        await store.messages(MessageFilter()),
        await store.deliveries(DeliveryFilter()),
        await store.journal(),
        await store.notifications(("8000102", "8000202"), 0, 100),
        await store.counts(),
    )


def full_change(*claims: Claim) -> Change:
    """A change with one of everything."""
    record = v.arrival_record()
    message = v.message(arrival_id=record.arrival.id)
    delivery = v.delivery(message.id)
    return Change(
        arrival=record,
        claims=claims,
        messages=(NewMessage(message, b"<document/>"),),
        deliveries=(delivery,),
        moves=(v.move(delivery.id, Move.HAND_OVER),),
        receipts=(v.receipt(message.id, delivery.id),),
        notifications=(v.notification("8000102", message.id),),
        journal=(v.entry(message.id, Event.RECEIVED, arrival_id=record.arrival.id),),
    )


async def test_what_was_applied_is_there_also_after_closing(place: Place) -> None:
    """Every part of a change comes back, equal to what was given."""
    change = full_change(Claim("key", "digest"))
    message, delivery, order = change.messages[0].record, change.deliveries[0], change.moves[0]
    moved = replace(
        delivery, state=State.SENT, next_at=order.next_at, code=order.code, because=order.because, changed_at=order.at
    )
    async with place.open() as store:
        assert await store.apply(change) == Applied()
    async with place.open() as store:
        assert await store.message(message.id) == message
        assert await store.document(message.id) == b"<document/>"
        assert await store.deliveries(DeliveryFilter()) == [moved]
        assert await store.arrivals(ArrivalFilter()) == [change.arrival]
        assert await store.receipts(message.id) == list(change.receipts)
        assert await store.journal() == list(change.journal)
        assert [replace(n, offset=0) for n in await store.notifications(("8000102",), 0, 9)] == list(
            change.notifications
        )
        taken = Taken("key", "digest", change.arrival.arrival.id if change.arrival else "", message.id)
        assert await store.earlier("key") == (taken, change.arrival)


async def test_a_taken_claim_tells_who_took_it_and_nothing_else_is_kept(store: Store) -> None:
    """Also what came with the second change leaves no trace: no message, no arrival, no other claim."""
    first = full_change(Claim("key", "the digest"))
    assert await store.apply(first) == Applied()
    before = await everything(store)
    second = full_change(Claim("unused", "x"), Claim("key", "another digest"))
    assert first.arrival is not None
    expected = Taken("key", "the digest", first.arrival.arrival.id, first.messages[0].record.id)
    assert await store.apply(second) == expected
    assert await everything(store) == before
    assert await store.earlier("unused") is None


async def test_a_move_that_is_not_allowed_keeps_nothing(store: Store) -> None:
    """The claims of a change that met a conflict are free again."""
    held = await v.promised(store, state=State.HELD)
    before = await everything(store)
    change = replace(full_change(Claim("key", "x")), moves=(v.move(held.id, Move.HAND_OVER),))
    assert await store.apply(change) == Conflict(held.id, "held")
    assert await everything(store) == before
    assert await store.earlier("key") is None
    assert await store.apply(v.accepted(claims=(Claim("key", "x"),))) == Applied()


async def test_claims_are_looked_at_before_moves(store: Store) -> None:
    """Who comes twice is told so, whatever else would have been in the way."""
    held = await v.promised(store, state=State.HELD)
    await store.apply(v.accepted(claims=(Claim("key", "x"),)))
    done = await store.apply(Change(claims=(Claim("key", "y"),), moves=(v.move(held.id, Move.HAND_OVER),)))
    assert isinstance(done, Taken)


async def test_one_conflict_among_many_moves_keeps_none_of_them(store: Store) -> None:
    """Three moves, the last not allowed: the first two are not made."""
    one, two, done = [await v.promised(store) for _ in range(3)]
    await store.apply(Change(moves=(v.move(done.id, Move.FINISH),)))
    orders = (v.move(one.id, Move.HAND_OVER), v.move(two.id, Move.GIVE_UP), v.move(done.id, Move.GIVE_UP))
    assert await store.apply(Change(moves=orders)) == Conflict(done.id, "done")
    assert (await v.standing(store, one.id)).state == "waiting"
    assert (await v.standing(store, two.id)).state == "waiting"


async def test_a_move_of_an_unknown_delivery_is_our_own_fault_and_keeps_nothing(store: Store) -> None:
    """Nobody is told Applied about a delivery that is not there."""
    before = await everything(store)
    with pytest.raises(LookupError):
        await store.apply(replace(full_change(), moves=(v.move("no such delivery", Move.HAND_OVER),)))
    assert await everything(store) == before


async def test_a_message_kept_twice_is_our_own_fault_and_keeps_nothing(store: Store) -> None:
    """An id that is used already stops the whole change, and those that wait beside it are unharmed."""
    change = full_change()
    await store.apply(change)
    before = await everything(store)
    beside = [v.accepted() for _ in range(5)]
    again = replace(full_change(), messages=change.messages)
    done = await asyncio.gather(*map(store.apply, [*beside, again]), return_exceptions=True)
    assert done[:5] == [Applied()] * 5
    assert isinstance(done[5], Exception)
    after = await everything(store)
    assert again.arrival is not None
    assert await store.arrivals(ArrivalFilter(ids=(again.arrival.arrival.id,))) == []
    assert len(after[1]) == len(before[1]) + 5  # type: ignore[arg-type]


async def test_of_many_who_want_one_claim_exactly_one_gets_it(store: Store) -> None:
    """Forty at once, each with its own message: one is kept, all others are told of that one."""
    changes = [v.accepted(claims=(Claim("same", f"digest {n}"),)) for n in range(40)]
    done = await asyncio.gather(*map(store.apply, changes))
    (winner,) = [n for n, one in enumerate(done) if one == Applied()]
    told = {one for n, one in enumerate(done) if n != winner}
    assert told == {Taken("same", f"digest {winner}", "", changes[winner].messages[0].record.id)}
    assert [m.id for m in await store.messages(MessageFilter())] == [changes[winner].messages[0].record.id]


async def test_of_many_who_make_one_move_exactly_one_makes_it(store: Store) -> None:
    """A receipt that comes in twenty copies at once acknowledges once."""
    promised = await v.promised(store)
    changes = [
        Change(moves=(v.move(promised.id, Move.ACKNOWLEDGE),), journal=(v.entry(promised.message_id),))
        for _ in range(20)
    ]
    done = await asyncio.gather(*map(store.apply, changes))
    assert done.count(Applied()) == 1
    assert done.count(Conflict(promised.id, "acknowledged")) == 19
    assert len(await store.journal(promised.message_id)) == 2


async def test_each_of_two_claims_in_one_change_is_taken(store: Store) -> None:
    """Either of them refuses who comes later."""
    first = v.accepted(claims=(Claim("a", "1"), Claim("b", "2")))
    await store.apply(first)
    for key, digest in (("a", "1"), ("b", "2")):
        done = await store.apply(v.accepted(claims=(Claim(key, "other"),)))
        assert done == Taken(key, digest, "", first.messages[0].record.id)


async def test_a_claim_without_message_names_its_arrival(store: Store) -> None:
    """A refused arrival claims its id too; the same refusal is found again."""
    record = v.arrival_record("refused", code="signature", because="does not fit", answer_status=500)
    await store.apply(Change(arrival=record, claims=(Claim("eb:1:2", "d"),)))
    assert await store.earlier("eb:1:2") == (Taken("eb:1:2", "d", record.arrival.id, ""), record)


async def test_nobody_took_a_claim_that_was_never_made(store: Store) -> None:
    """None, not an error."""
    assert await store.earlier("eb:1:2") is None


async def test_an_arrival_judged_again_keeps_its_bytes_and_gets_its_new_answer(store: Store) -> None:
    """A change with the same arrival id replaces state and answer."""
    first = v.arrival_record("undecided", next_at=v.later(5), answer_status=202, answer_headers=(), answer=b"")
    await store.apply(Change(arrival=first))
    second = replace(first, state="accepted", next_at=None, answer_status=200, answer=b"ack", because="now proven")
    await store.apply(Change(arrival=second))
    assert await store.arrivals(ArrivalFilter()) == [second]


async def test_what_a_sender_wishes_is_kept_to_the_letter(store: Store) -> None:
    """With the message; yes, no and nothing said are three things."""
    for compress in (True, False, None):
        wished = Transport("cpa", "c-1", "S", "string", "A", "s", "r", "EPJ", "1", "Bro", "2", compress, True, "1", "2")
        record = v.message(transport=wished)
        await store.apply(v.accepted(f"{compress}".encode(), record=record))
        assert (await store.message(record.id)) == record
    plain = v.message()
    await store.apply(v.accepted(b"plain", record=plain))
    assert (await store.message(plain.id)) == plain
