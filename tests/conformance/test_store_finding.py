"""Everything is found by any of its ids, in any spelling; what was not taken is found by what could be read of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hub import ids, insights
from hub.errors import NotFound
from hub.ports import ArrivalFacts, ArrivalFilter, Change, DeliveryFilter, Known, MessageFilter, Store, Word
from hub.states import State
from tests.conformance import values as v

ID = "6f9619ff-8b86-4011-842d-00cf4fc964ff"
SPELT = {
    "as it is": ID,
    "capitals": ID.upper(),
    "braces": "{" + ID + "}",
    "a URN": f"urn:uuid:{ID}",
    "no hyphens": ID.replace("-", ""),
    "brackets": f"<{ID}>",
    "space around": f"  {ID.upper()} ",
}
FACTS = ArrivalFacts("8000402", "8000202", "HENVISNING", "msg", "eb", "conversation", "192.0.2.1")


@pytest.mark.parametrize("kept", SPELT)
@pytest.mark.parametrize("column", ["msg_id", "document_id", "eb_message_id", "conversation_id"])
async def test_a_uuid_is_the_same_however_it_is_spelt(store: Store, kept: str, column: str) -> None:
    """In what was kept, and in what is asked."""
    wanted = v.message(**{column: SPELT[kept].strip()})
    for record in (wanted, v.message(**{column: ID.replace("6", "7", 1)})):
        await store.apply(v.accepted(record=record))
    narrowed: dict[str, Any] = {column: ""}
    for asked in SPELT.values():
        assert await store.messages(MessageFilter(**(narrowed | {column: asked.strip()}))) == [wanted], asked


async def test_a_delivery_is_found_by_its_uuids_however_spelt(store: Store) -> None:
    """The MessageId that it went out under, and MsgId or document id of its message (field: an AppRec in capitals)."""
    record = v.message(msg_id=ID.upper(), document_id="")
    promised = v.delivery(record.id, eb_message_id=ID)
    await store.apply(v.accepted(record=record, deliveries=(promised,)))
    for asked in SPELT.values():
        assert await store.deliveries(DeliveryFilter(eb_message_id=asked.strip())) == [promised]
        assert await store.deliveries(DeliveryFilter(msg_id=asked.strip())) == [promised]


async def test_what_is_no_uuid_is_compared_letter_by_letter(store: Store) -> None:
    """A document id may be any text, and two that differ in their case are two."""
    one, other = v.message(document_id="ABC-1"), v.message(document_id="abc1")
    for record in (one, other):
        await store.apply(v.accepted(record=record))
    assert await store.messages(MessageFilter(document_id="ABC-1")) == [one]
    assert await store.messages(MessageFilter(document_id="abc1")) == [other]
    assert [d.message_id for d in await store.deliveries(DeliveryFilter(msg_id="abc1"))] == [other.id]
    assert await store.messages(MessageFilter(document_id="Abc1")) == []


async def test_the_beginning_of_any_id_finds_what_has_it(store: Store) -> None:
    """Of messages, of deliveries, and of arrivals that were not taken."""
    record = v.message(id=ID, msg_id=ID.replace("6f", "aa").upper(), eb_message_id=f"{ID.replace('6f', 'bb')}@host")
    promised = v.delivery(record.id, id=ID.replace("6f", "cc"), eb_message_id=ID.replace("6f", "dd"))
    await store.apply(v.accepted(record=record, deliveries=(promised,)))
    refused = v.arrival_record("refused", facts=replace(FACTS, eb_message_id=ID.replace("6f", "ee")))
    taken = v.arrival_record("accepted", facts=replace(FACTS, eb_message_id=ID.replace("6f", "ee")))
    for one in (refused, taken):
        await store.apply(Change(arrival=one))
    for begin, what, own, name in (
        ("6f", "message", record.id, "id"),
        ("aa", "message", record.id, "msg_id"),
        ("bb", "message", record.id, "eb_message_id"),
        ("cc", "delivery", promised.id, "id"),
        ("dd", "delivery", promised.id, "eb_message_id"),
        ("ee", "arrival", refused.arrival.id, "eb_message_id"),
    ):
        for letters in (8, 9, 13, 30):
            [found] = await store.known(ids.plain(ID.replace("6f", begin))[:letters], 5)
            assert (found.what, found.id, found.name) == (what, own, name)
    assert await store.known("ffffffff", 5) == []


async def test_no_more_of_a_kind_are_told_than_are_asked_for(store: Store) -> None:
    """In the order of the id: the one that it is comes first."""
    for n in range(5):
        await store.apply(v.accepted(record=v.message(conversation_id=f"talk{n}", msg_id="", eb_message_id="")))
    found = await store.known("talk", 3)
    assert [(one.name, one.value) for one in found] == [("conversation_id", f"talk{n}") for n in range(3)]
    assert all(isinstance(one, Known) for one in found)


# --- what people ask, by insights


async def test_every_id_leads_to_the_message(store: Store) -> None:
    """Ours, MsgId, MessageIds of what came and went, conversation, delivery, arrival; a mail's Message-ID of ours."""
    arrival = v.arrival_record(arrival=v.arrival(id=ID.replace("6f", "01")))
    record = v.message(
        id=ID.replace("6f", "02"),
        arrival_id=arrival.arrival.id,
        msg_id=ID.replace("6f", "03").upper(),
        eb_message_id=ID.replace("6f", "04"),
        document_id=ID.replace("6f", "05"),
        conversation_id=ID.replace("6f", "06"),
    )
    promised = v.delivery(record.id, id=ID.replace("6f", "07"), eb_message_id=ID.replace("6f", "08"))
    await store.apply(replace(v.accepted(record=record, deliveries=(promised,)), arrival=arrival))
    for begin in ("01", "02", "03", "04", "05", "06", "07", "08"):
        own = ID.replace("6f", begin)
        for spelt in (own, own.upper(), own[:8], own[:9].upper(), f"<{own}@partner.example>", own.replace("-", "")):
            found = await insights.find(store, spelt)
            assert found == record, spelt
    assert await insights.delivery_ids(store, ID.replace("6f", "03")) == [promised.id]
    assert (await insights.search(store, f"<{promised.id}.2@hub.example>")).delivery == promised.id
    assert await insights.find(store, "0000000") is None
    assert await insights.find(store, ID.replace("6f", "09")) is None


async def test_letters_that_fit_several_say_which(store: Store) -> None:
    records = [v.message(id=f"abcdef12-0000-4000-8000-00000000000{n}") for n in range(2)]
    for record in records:
        await store.apply(v.accepted(record=record))
    with pytest.raises(NotFound, match=f"(?s){records[0].id}.*{records[1].id}|{records[1].id}.*{records[0].id}"):
        await insights.find(store, "abcdef12")
    assert await insights.find(store, records[1].id[:36].upper()) == records[1]


async def test_an_id_that_several_have_means_the_first_and_names_the_others(store: Store) -> None:
    """A conversation, or a MsgId that came again in another envelope."""
    first, again = (v.message(msg_id=ID, conversation_id="same talk", received_at=v.later(n)) for n in range(2))
    for record in (again, first):
        await store.apply(v.accepted(record=record))
    for asked in (ID.upper(), "same talk"):
        found = await insights.search(store, asked)
        assert (found.message, found.others) == (first, (again.id,))


async def test_an_arrival_that_was_not_taken_is_found_by_what_could_be_read(store: Store) -> None:
    refused = v.arrival_record("refused", facts=replace(FACTS, eb_message_id=ID))
    await store.apply(Change(arrival=refused))
    found = await insights.search(store, ID.upper())
    assert (found.message, found.arrival) == (None, refused.arrival.id)


# --- lists


ARRIVAL_FIELDS: dict[str, dict[str, Any]] = {
    "code": {"code": "decryption"},
    "from_her": {"facts": replace(FACTS, from_her="1")},
    "to_her": {"facts": replace(FACTS, to_her="2")},
    "type_code": {"facts": replace(FACTS, type_code="Epikrise")},
}


@pytest.mark.parametrize("field", ARRIVAL_FIELDS)
async def test_arrivals_are_found_by_each_field(store: Store, field: str) -> None:
    """With all that could be read, as it was kept; a type in any case."""
    given = ARRIVAL_FIELDS[field]
    other, wanted = v.arrival_record("refused", facts=FACTS), v.arrival_record("refused", **({"facts": FACTS} | given))
    for one in (other, wanted):
        await store.apply(Change(arrival=one))
    value = given.get(field) or getattr(given["facts"], field)
    narrowed: dict[str, Any] = {field: value.upper() if field == "type_code" else value}
    assert await store.arrivals(ArrivalFilter(**narrowed)) == [wanted]
    bare = replace(wanted, arrival=replace(wanted.arrival, body=b""))
    assert await store.arrivals(ArrivalFilter(bare=True, **narrowed)) == [bare]


async def test_what_was_put_away_is_on_no_list_of_open_ones(store: Store) -> None:
    """And not counted among them; what was read of it stays when less is read later."""
    open_one, away = (v.arrival_record("refused", code="decryption", facts=FACTS) for _ in range(2))
    for one in (open_one, away, v.arrival_record("accepted")):
        await store.apply(Change(arrival=one))
    put_away = replace(away, facts=ArrivalFacts(), discarded_at=v.later(9))
    await store.apply(Change(arrival=put_away))
    assert await store.arrivals(ArrivalFilter(discarded=True)) == [replace(put_away, facts=FACTS)]
    assert await store.arrivals(ArrivalFilter(states=("refused",), discarded=False)) == [open_one]
    assert await store.refusals() == {("refused", "decryption"): 1}


async def test_a_list_says_of_how_many(store: Store) -> None:
    """Of messages, deliveries and arrivals, narrowed or not, whatever the limit."""
    for n in range(5):
        await v.promised(store, created_at=v.later(n), state=State.DEAD if n % 2 else State.WAITING)
        await store.apply(Change(arrival=v.arrival_record("refused", arrival=v.arrival(received_at=v.later(n)))))
    assert await store.count(MessageFilter(limit=2)) == 5
    assert await store.count(DeliveryFilter(limit=1)) == 5
    assert await store.count(DeliveryFilter(states=("dead", "expired"), limit=1)) == 2
    assert await store.count(ArrivalFilter(limit=1)) == 5
    assert await store.count(ArrivalFilter(since=v.later(2), until=v.later(4))) == 2
    newest = await store.deliveries(DeliveryFilter(newest=True, limit=2))
    assert [d.created_at for d in newest] == [v.later(4), v.later(3)]
    dead = await store.deliveries(DeliveryFilter(states=("dead", "expired"), newest=True, since=v.later(1), limit=9))
    assert [d.created_at for d in dead] == [v.later(3), v.later(1)]


async def test_deliveries_are_narrowed_by_the_type_of_their_message(store: Store) -> None:
    epikrise = v.message(type_code="EPIKRISE")
    for record in (epikrise, v.message()):
        await store.apply(v.accepted(record=record))
    [found] = await store.deliveries(DeliveryFilter(type_code="epikrise"))
    assert found.message_id == epikrise.id
    assert await store.messages(MessageFilter(type_code="Epikrise")) == [epikrise]
    several = (epikrise.id, "unknown")
    assert await store.deliveries(DeliveryFilter(message_ids=several)) == [found]
    assert await store.deliveries(DeliveryFilter(senders=("8000202",), type_code="epikrise")) == [found]


# --- causes and attempts


async def test_a_cause_stays_while_it_is_open_and_is_forgotten_when_it_is_overcome(store: Store) -> None:
    """An ending that says nothing of its own keeps what went wrong last; a receipt or a settlement forgets it."""
    kept = await v.promised(store)
    await store.apply(Change(moves=(v.move(kept.id, "hand_over", cause="connect-failed"),)))
    await store.apply(Change(words=(Word(kept.id, "said", "receipt-unregistered"),)))
    await store.apply(Change(words=(Word(kept.id, "said again"),)))
    await store.apply(Change(moves=(v.move(kept.id, "give_up"),)))
    assert (await v.standing(store, kept.id)).cause == "receipt-unregistered"
    await store.apply(Change(moves=(v.move(kept.id, "acknowledge"),)))
    assert (await v.standing(store, kept.id)).cause == ""


async def test_an_attempt_that_was_never_made_is_none(store: Store) -> None:
    """It was settled before anything was tried: it is not counted, and the next one has its number."""
    kept = await v.promised(store)
    [one] = await store.claim(v.NOW, 1, v.LEASE, v.NOBODY, 1)
    never = v.outcome("retries-exhausted", made=False)
    await store.settle(kept.id, one.attempt, never, v.later(1), Change(moves=(v.move(kept.id, "give_up"),)))
    assert await store.attempts(kept.id) == [] and (await v.standing(store, kept.id)).attempts == 0
    again = v.move(kept.id, "resend", next_at=v.later(2))
    await store.apply(Change(moves=(again,)))
    [second] = await store.claim(v.later(3), 1, v.LEASE, v.NOBODY, 1)
    assert second.attempt == 1


async def test_a_later_attempt_is_not_taken_back_with_an_earlier_one(store: Store) -> None:
    """Another node took it up when the lease was over: only its own attempt is its own."""
    kept = await v.promised(store)
    [one] = await store.claim(v.NOW, 1, v.LEASE, v.NOBODY, 1)
    [two] = await store.claim(v.NOW + 2 * v.LEASE, 1, v.LEASE, v.NOBODY, 1)
    await store.settle(kept.id, one.attempt, v.outcome(made=False), v.later(500), Change())
    assert [a.number for a in await store.attempts(kept.id)] == [one.attempt, two.attempt] == [1, 2]
    assert (await v.standing(store, kept.id)).attempts == 2
