"""Documents, arrivals and parcels come back byte for byte, small or large; what is the same is kept once."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from hub.ports import Applied, ArrivalFilter, Change, Store
from tests.conformance import values as v
from tests.conformance.stores import Place
from tests.support.packed import all_there, filled

#: Around the bound above which a body is kept beside the database rather than in it, and well beyond it.
SIZES = (0, 1, 4096, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 5_000_000)


def content(size: int, seed: str = "") -> bytes:
    """So many bytes of every value, which do not repeat."""
    return hashlib.shake_256(f"{size}{seed}".encode()).digest(size)


@pytest.mark.parametrize("size", SIZES)
async def test_bytes_come_back_as_they_were_given(place: Place, size: int) -> None:
    """As document, as arrival and as parcel; also to a store that was opened again."""
    document, body, sealed = (content(size, kind) for kind in ("document", "arrival", "parcel"))
    change = v.accepted(document)
    record = v.arrival_record(arrival=v.arrival(body=body))
    async with place.open() as store:
        assert await store.apply(change) == Applied()
        await store.apply(Change(arrival=record))
        await store.keep_parcel(change.deliveries[0].id, v.parcel(sealed), "")
        assert await store.document(change.messages[0].record.id) == document
    async with place.open() as store:
        assert await store.document(change.messages[0].record.id) == document
        assert (await store.arrivals(ArrivalFilter()))[0].arrival.body == body
        assert await store.parcel(change.deliveries[0].id) == v.parcel(sealed)


@pytest.mark.parametrize("size", [1000, 1_000_000])
async def test_the_same_content_under_many_names_stays_the_same(store: Store, size: int) -> None:
    """Twenty messages of one content at once, each with an arrival of that content: all are there."""
    same = content(size)
    changes = [v.accepted(same) for _ in range(20)]
    arrivals = [Change(arrival=v.arrival_record(arrival=v.arrival(body=same))) for _ in range(20)]
    assert set(await asyncio.gather(*map(store.apply, [*changes, *arrivals]))) == {Applied()}
    found = [await store.document(c.messages[0].record.id) for c in changes]
    assert set(found) == {same}


@pytest.mark.parametrize("size", [1000, 1_000_000])
async def test_what_was_refused_does_not_take_the_content_from_others(store: Store, size: int) -> None:
    """A change that met a conflict leaves a later one with the same content whole."""
    same = content(size)
    held = await v.promised(store, state="held")
    refused = v.accepted(same)
    refused = Change(messages=refused.messages, moves=(v.move(held.id, "finish"),))
    assert await store.apply(refused) != Applied()
    kept = v.accepted(same)
    assert await store.apply(kept) == Applied()
    assert await store.document(kept.messages[0].record.id) == same


async def test_a_large_answer_is_kept(store: Store) -> None:
    """The answer to an arrival, and the bytes of a receipt, whatever their size."""
    record = v.arrival_record(answer=content(400_000))
    change = v.accepted()
    receipt = v.receipt(change.messages[0].record.id, "", body=content(400_001))
    await store.apply(change)
    await store.apply(Change(arrival=record, receipts=(receipt,)))
    assert await store.arrivals(ArrivalFilter()) == [record]
    assert await store.receipts(receipt.message_id) == [receipt]


async def test_new_messages_are_taken_while_there_is_room(place: Place) -> None:
    """And when the disk is nearly full they are not; what is kept can still be moved, sent and read."""
    async with place.open() as store:
        assert await store.writable()
        kept = await v.promised(store)
    async with place.open(nearly_full=True) as store:
        assert not await store.writable()
        assert await v.taken(store) == [kept.id]
        done = await store.settle(kept.id, 1, v.outcome(), v.later(1), Change(moves=(v.move(kept.id, "finish"),)))
        assert done == Applied()


async def test_another_node_unpacks_what_one_has_learnt(place: Place) -> None:
    """On each store: whoever was open before."""
    async with place.open() as other, place.open() as store:
        await filled(store)  # type: ignore[arg-type]
        await all_there(other)  # type: ignore[arg-type]
