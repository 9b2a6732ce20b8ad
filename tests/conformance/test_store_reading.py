"""What was kept is found again: by each field of a filter, in its order, and as far as the limit."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.store import proving
from hub.events import Event
from hub.message import Channel
from hub.ports import Applied, ArrivalFilter, Change, DeliveryFilter, MessageFilter, Store
from hub.states import State
from tests.conformance import values as v
from tests.conformance.stores import Place

MESSAGE_FIELDS: dict[str, Any] = {
    "msg_id": "another MsgId",
    "eb_message_id": "another MessageId",
    "from_her": "8000999",
    "to_her": "8000998",
    "type_code": "EPIKRISE",
    "kind": "signal",
    "direction": "local",
    "system": "sykehus",
}


@pytest.mark.parametrize(("field", "value"), MESSAGE_FIELDS.items())
async def test_messages_are_found_by_each_field(store: Store, field: str, value: str) -> None:
    """Only those that have it; and nothing where nobody has."""
    other, wanted = v.message(), v.message(**{field: value})
    for record in (other, wanted):
        await store.apply(v.accepted(record=record))
    narrowed: dict[str, Any] = {field: value}
    assert await store.messages(MessageFilter(**narrowed)) == [wanted]
    assert await store.messages(MessageFilter(**(narrowed | {field: value + "?"}))) == []


async def test_messages_are_found_by_all_fields_together(store: Store) -> None:
    """Each field narrows."""
    wanted = v.message(**MESSAGE_FIELDS)
    almost = [v.message(**{**MESSAGE_FIELDS, field: "else"}) for field in ("msg_id", "from_her", "type_code")]
    for record in (*almost, wanted):
        await store.apply(v.accepted(record=record))
    assert await store.messages(MessageFilter(**MESSAGE_FIELDS)) == [wanted]


async def test_messages_come_newest_first(store: Store) -> None:
    """By the time they came; those of one time in the order they were kept, the last first."""
    records = [v.message(received_at=v.later(s)) for s in (2, 3, 1, 3)]
    for record in records:
        await store.apply(v.accepted(record=record))
    assert await store.messages(MessageFilter()) == [records[3], records[1], records[0], records[2]]
    assert await store.messages(MessageFilter(limit=2)) == [records[3], records[1]]
    assert await store.messages(MessageFilter(since=v.later(2))) == [records[3], records[1], records[0]]
    ids = (records[0].id, records[2].id, "unknown")
    assert await store.messages(MessageFilter(ids=ids)) == [records[0], records[2]]


async def test_what_nobody_kept_is_none(store: Store) -> None:
    """No error: asking is free."""
    assert await store.message("unknown") is None
    assert await store.document("unknown") is None
    assert await store.receipts("unknown") == []


DELIVERY_FIELDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "eb_message_id": ({"eb_message_id": "other"}, {"eb_message_id": "other"}),
    "state": ({"state": State.DEAD}, {"states": ("dead", "expired")}),
    "receiver": ({"receiver": "8000999"}, {"receivers": ("8000999", "8000998")}),
    "channel": ({"channel": Channel.FOLDER}, {"channel": "folder"}),
}


@pytest.mark.parametrize("field", DELIVERY_FIELDS)
async def test_deliveries_are_found_by_each_field(store: Store, field: str) -> None:
    """Only those that have it."""
    given, wanted = DELIVERY_FIELDS[field]
    await v.promised(store)
    other = await v.promised(store, **given)
    assert await store.deliveries(DeliveryFilter(**wanted)) == [other]


async def test_deliveries_are_found_by_what_is_known_about_their_message(store: Store) -> None:
    """Our id; and MsgId or document id alike, since AppRec 1.0 refers to the document (ebxml.md §7.4)."""
    wanted = v.message(msg_id="A", document_id="B")
    other = v.message(msg_id="C", document_id="A")
    for record in (wanted, other, v.message(msg_id="", document_id="")):
        await store.apply(v.accepted(record=record))
    (own,) = await store.deliveries(DeliveryFilter(message_id=wanted.id))
    (alike,) = await store.deliveries(DeliveryFilter(message_id=other.id))
    assert await store.deliveries(DeliveryFilter(msg_id="A")) == [own, alike]
    assert await store.deliveries(DeliveryFilter(msg_id="B")) == [own]
    assert await store.deliveries(DeliveryFilter(msg_id="B", receivers=("8000999",))) == []
    assert await store.deliveries(DeliveryFilter(msg_id="unknown")) == []


async def test_one_message_has_a_delivery_for_each_receiver(store: Store) -> None:
    """Oldest first, those of one time in the order they were promised."""
    record = v.message()
    several = tuple(
        v.delivery(record.id, receiver=r, created_at=v.later(s)) for r, s in zip("abc", (1, 0, 1), strict=True)
    )
    await store.apply(v.accepted(record=record, deliveries=several))
    assert [d.receiver for d in await store.deliveries(DeliveryFilter(message_id=record.id))] == ["b", "a", "c"]
    assert [d.receiver for d in await store.deliveries(DeliveryFilter(limit=2))] == ["b", "a"]
    both = DeliveryFilter(ids=(several[0].id, several[2].id))
    assert [d.receiver for d in await store.deliveries(both)] == ["a", "c"]


async def test_arrivals_are_found_by_state_and_id_newest_first(store: Store) -> None:
    """With their bytes and what was answered."""
    kept = [
        v.arrival_record(state, arrival=v.arrival(received_at=v.later(n)))
        for n, state in enumerate(("accepted", "refused", "quarantined", "refused"))
    ]
    for record in kept:
        await store.apply(Change(arrival=record))
    assert await store.arrivals(ArrivalFilter()) == kept[::-1]
    assert await store.arrivals(ArrivalFilter(limit=1)) == [kept[3]]
    assert await store.arrivals(ArrivalFilter(states=("refused",))) == [kept[3], kept[1]]
    assert await store.arrivals(ArrivalFilter(states=("refused", "quarantined"))) == [kept[3], kept[2], kept[1]]
    assert await store.arrivals(ArrivalFilter(ids=(kept[0].arrival.id,))) == [kept[0]]


async def test_an_arrival_of_a_partner_has_no_record_system(store: Store) -> None:
    """None stays None, and no receivers stay none."""
    record = v.arrival_record(arrival=v.arrival(system=None, receivers=(), headers={}))
    await store.apply(Change(arrival=record))
    assert await store.arrivals(ArrivalFilter()) == [record]


async def test_receipts_are_the_evidence_of_a_message_in_order(store: Store) -> None:
    """Each with its bytes, proven or not, in either direction."""
    change = v.accepted()
    message, delivery = change.messages[0].record.id, change.deliveries[0].id
    await store.apply(change)
    evidence = [
        v.receipt(message, delivery, kind="message_error", proven=False, code="message-error"),
        v.receipt(message, "", kind="apprec", direction="out", body=bytes(range(256))),
        v.receipt(message, delivery, at=v.later(-9)),
    ]
    for one in evidence:
        assert await store.apply(Change(receipts=(one,))) == Applied()
    assert await store.receipts(message) == evidence


async def test_the_journal_tells_in_the_order_in_which_it_was_said(store: Store) -> None:
    """Of a message, of an arrival, or the newest of all; whatever the times of the entries say."""
    kept = await v.promised(store)
    said = [
        v.entry(kept.message_id, Event.ROUTED, at=v.later(9), delivery_id=kept.id, actor="a person"),
        v.entry(kept.message_id, Event.ATTEMPTED, at=v.later(3), because="med æøå"),
        v.entry("", Event.QUARANTINED, arrival_id="arrival"),
        v.entry("", Event.DUPLICATE, arrival_id="arrival"),
    ]
    await store.apply(Change(journal=tuple(said[:2])))
    await store.apply(Change(journal=tuple(said[2:])))
    first = v.entry(kept.message_id)
    assert await store.journal(kept.message_id) == [first, *said[:2]]
    assert await store.journal(arrival_id="arrival") == said[2:]
    assert await store.journal() == [first, *said]
    assert await store.journal(limit=2) == said[2:]
    assert await store.journal(kept.message_id, limit=2) == [first, said[0]]
    assert await store.journal("unknown") == []


@pytest.mark.parametrize("event", Event)
async def test_the_journal_knows_every_event(store: Store, event: Event) -> None:
    """As it was said, so it is read."""
    kept = await v.promised(store)
    await store.apply(Change(journal=(v.entry(kept.message_id, event),)))
    assert (await store.journal(kept.message_id))[-1].event is event


async def test_counts_tell_how_many_stand_where(store: Store) -> None:
    """Every state of a delivery, also those where nothing stands, and arrivals by theirs; as moves go on."""
    assert await store.counts() == {str(state): 0 for state in State}
    first = await v.promised(store)
    await v.promised(store, state=State.DEAD)
    await store.apply(Change(arrival=v.arrival_record("refused")))
    undecided = v.arrival_record("undecided", next_at=v.NOW)
    await store.apply(Change(arrival=undecided))
    expected = {str(state): 0 for state in State} | {
        "waiting": 1,
        "dead": 1,
        "arrival:refused": 1,
        "arrival:undecided": 1,
    }
    assert await store.counts() == expected
    await store.apply(Change(arrival=v.arrival_record(arrival=undecided.arrival), moves=(v.move(first.id, "finish"),)))
    moved = expected | {"waiting": 0, "done": 1, "arrival:accepted": 1}
    del moved["arrival:undecided"]
    assert await store.counts() == moved


async def test_a_store_is_proven_by_a_write_that_ended_lately(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none did one is made; one that does not end is not waited for, and proves nothing until it does."""
    async with place.open() as store:
        assert await store.proven(60)
        with place.held():
            assert await store.proven(60)  # there was one lately
            monkeypatch.setattr(proving, "PATIENCE", 0.05)
            assert not await store.proven(0)
        monkeypatch.undo()
        await v.promised(store)
        assert await store.proven(60)
