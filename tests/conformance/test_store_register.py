"""What a store keeps of the register: another way for a delivery, what it was sealed by, and what each node runs."""

from __future__ import annotations

from datetime import timedelta

from hub.message import Channel, Parcel, Terms
from hub.ports import Applied, Change, DeliveryFilter, NodeRecord, Store
from hub.states import Move
from tests.conformance import values as v


async def kept(store: Store, delivery_id: str):
    return (await store.deliveries(DeliveryFilter(ids=(delivery_id,))))[0]


async def test_a_delivery_that_is_sent_another_way_waits_in_the_lane_of_its_new_address(store: Store) -> None:
    """The old address has nothing any more."""
    one = await v.promised(store)
    order = v.move(one.id, Move.REROUTE, next_at=v.NOW, channel=Channel.FOLDER, address=v.THERE, rule="moved")
    assert await store.apply(Change(moves=(order,))) == Applied()
    assert await v.taken(store, only=frozenset({v.HERE})) == []
    assert await v.taken(store, only=frozenset({v.THERE})) == [one.id]
    found = await kept(store, one.id)
    assert (found.channel, found.address, found.rule) == (Channel.FOLDER, v.THERE, "moved")


async def test_other_moves_keep_the_way(store: Store) -> None:
    one = await v.promised(store)
    await store.apply(Change(moves=(v.move(one.id, Move.TRY_AGAIN, next_at=v.later(5)),)))
    found = await kept(store, one.id)
    assert (found.channel, found.address, found.rule) == (one.channel, one.address, one.rule)


async def test_nobody_overtakes_an_attempt_under_way(store: Store) -> None:
    """Sent another way while it is tried: it is due when its lease has run out, or as its outcome says."""
    one = await v.promised(store)
    assert await v.taken(store) == [one.id]
    order = v.move(one.id, Move.REROUTE, next_at=v.NOW, address=v.THERE, channel=one.channel)
    assert await store.apply(Change(moves=(order,))) == Applied()
    assert await v.taken(store) == []
    assert await v.taken(store, v.NOW + v.LEASE) == [one.id]


async def test_what_was_agreed_is_kept_with_the_parcel(store: Store) -> None:
    """Those of the parcel that is kept: the first."""
    one = await v.promised(store)
    assert (await kept(store, one.id)).ack_requested is None
    first = Terms(ack_requested=False, retries=2, retry_interval=timedelta(hours=1), sealed_by="a.b")
    await store.keep_parcel(one.id, Parcel({}, b"first", terms=first), "mid-1")
    other = Terms(ack_requested=True, retries=9, retry_interval=timedelta(hours=9), sealed_by="c.d")
    await store.keep_parcel(one.id, Parcel({}, b"second", terms=other), "mid-1")
    found = await kept(store, one.id)
    assert (found.ack_requested, found.retries, found.retry_interval, found.sealed_by) == (
        False,
        2,
        timedelta(hours=1),
        "a.b",
    )


async def test_urgent_is_kept(store: Store) -> None:
    assert (await kept(store, (await v.promised(store, urgent=True)).id)).urgent
    assert not (await kept(store, (await v.promised(store)).id)).urgent


async def test_a_node_says_what_it_runs_until_it_ends_or_is_not_heard_of_for_a_day(store: Store) -> None:
    """The last word counts."""
    one = NodeRecord("a", "0123", v.NOW, v.NOW)
    told = NodeRecord("a", "4567", v.later(5), v.later(6), 3, ("parties: 1 added (8000203)",), ("ø\nå",))
    await store.tell_node(one)
    await store.tell_node(NodeRecord("b", "0123", v.NOW, v.later(5)))
    await store.tell_node(told)
    assert [n.node for n in await store.nodes()] == ["a", "b"]
    assert (await store.nodes())[0] == told
    await store.forget_node("a")
    assert [n.node for n in await store.nodes()] == ["b"]
    late = NodeRecord("c", "0123", v.later(90_000), v.later(90_000))
    await store.tell_node(late)
    assert await store.nodes() == [late]
