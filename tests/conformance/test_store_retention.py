"""What EDI 2.0 keeps no longer (A13): state × rule × age, on every store; nothing of an open delivery goes, nor evidence."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from adapters.store.purge import Rule
from hub.events import Event
from hub.message import Channel
from hub.ports import Applied, ArrivalFilter, Change
from hub.states import TRYING, State
from tests.conformance import values as v
from tests.conformance.stores import Place

BEFORE = v.later(1000)
OLD, YOUNG = v.later(0), v.later(2000)
HOUSE = (Channel.MAILBOX, Channel.FOLDER, Channel.QUEUE)
RULES = {
    "confirmed": Rule(confirmed=True, quarantine=OLD),
    "unfetched": Rule(unfetched=True, quarantine=OLD),
    "settled": Rule(quarantine=OLD),
}
CODES = {State.OVERDUE: ("apprec-missing", "receipts-missing", "content-lost"), State.EXPIRED: ("not-fetched", "other")}
#: Every way in which a delivery can stand, as far as a rule asks.
WAYS = [
    (state, code, channel, at)
    for state in State
    for code in CODES.get(state, ("",))
    for channel in (Channel.EBXML_HTTP, *HOUSE)
    for at in (OLD, YOUNG)
]


def goes(rule: str, state: State, code: str, channel: Channel, at: datetime) -> bool:
    """The rules, in words of their own."""
    if state is State.EXPIRED:
        return code == "not-fetched" and rule != "settled"
    if at is YOUNG:
        return False
    if state in (State.DONE, State.REJECTED, State.DISCARDED):
        return True
    if state is State.ACKNOWLEDGED:
        return rule == "confirmed" and channel not in HOUSE  # in the house it may still be answered by an AppRec
    return (rule, state, code) == ("unfetched", State.OVERDUE, "apprec-missing") and channel in HOUSE


async def keep(store: Any, name: str, *ways: tuple[State, str, Channel, datetime]) -> tuple[str, str]:
    """A message that came sealed and goes to one receiver for each way; its id and that of the first delivery."""
    arrival = v.arrival_record(arrival=v.arrival(body=f"arrival {name}".encode(), received_at=OLD))
    message = v.message(arrival_id=arrival.arrival.id, received_at=OLD)
    deliveries = tuple(
        v.delivery(
            message.id,
            receiver=f"80{number:05}",
            state=state,
            code=code,
            channel=channel,
            changed_at=at,
            next_at=OLD if state in TRYING else None,
        )
        for number, (state, code, channel, at) in enumerate(ways)
    )
    change = v.accepted(f"document {name}".encode(), record=message, deliveries=deliveries)
    receipts = (v.receipt(message.id, deliveries[0].id),)
    kept = Change(arrival, (), change.messages, change.deliveries, (), receipts, (), change.journal)
    assert await store.apply(kept) == Applied()
    await store.keep_parcel(deliveries[0].id, v.parcel(f"parcel {name}".encode()), "x")
    return message.id, deliveries[0].id


async def left(store: Any, kept: Mapping[str, tuple[str, str]]) -> dict[str, str]:
    """By name, a letter each for the arrival's bytes, the document and the parcel, where it is whole."""
    bodies = {one.arrival.body for one in await store.arrivals(ArrivalFilter(limit=1000))}
    found = {}
    for name, (message, delivery) in kept.items():
        document, parcel = await store.document(message), await store.parcel(delivery)
        letters = ("a" if f"arrival {name}".encode() in bodies else "", "d" if document else "", "p" if parcel else "")
        assert document in (None, f"document {name}".encode())
        found[name] = "".join(letters)
    return found


@pytest.mark.parametrize("rule", RULES)
async def test_each_rule_takes_what_its_states_and_age_say(place: Place, rule: str) -> None:
    """All of it or nothing of it; a dry run counts the same and takes nothing."""
    async with place.open() as opened:
        store: Any = opened
        kept = {"-".join(map(str, way)): await keep(store, "-".join(map(str, way)), way) for way in WAYS}
        expected = {"-".join(map(str, way)): "" if goes(rule, *way) else "adp" for way in WAYS}
        dry = await store.purge(BEFORE, really=False, rule=RULES[rule])
        assert set((await left(store, kept)).values()) == {"adp"}
        assert await store.purge(BEFORE, really=True, rule=RULES[rule]) == dry
        assert await left(store, kept) == expected
        assert dry.bodies == 3 * list(expected.values()).count("") > 0


@pytest.mark.parametrize("seed", range(2))
async def test_nothing_goes_while_one_receiver_has_not_ended_and_evidence_stays(place: Place, seed: int) -> None:
    """Whatever the others are: all the rules one after the other, and receipts and journal byte for byte as they were."""
    chosen = random.Random(seed)
    sets = [tuple(chosen.choice(WAYS) for _ in range(chosen.randint(1, 4))) for _ in range(25)]
    async with place.open() as opened:
        store: Any = opened
        kept = {str(number): await keep(store, str(number), *ways) for number, ways in enumerate(sets)}
        ids = [message for message, _ in kept.values()]
        evidence = [(await store.receipts(m), await store.journal(m), await store.message(m)) for m in ids]
        for rule in RULES.values():
            await store.purge(BEFORE, really=True, rule=rule)
        ended = [any(all(goes(rule, *way) for way in ways) for rule in RULES) for ways in sets]
        assert await left(store, kept) == {str(n): "" if gone else "adp" for n, gone in enumerate(ended)}
        assert [(await store.receipts(m), await store.journal(m), await store.message(m)) for m in ids] == evidence
        assert any(ended)


async def test_one_document_of_two_messages_stays_for_the_open_one(place: Place) -> None:
    done, waiting = (
        (State.DONE, "", Channel.MAILBOX, OLD),
        (State.WAITING, "", Channel.EBXML_HTTP, OLD),
    )
    async with place.open() as opened:
        store: Any = opened
        await keep(store, "same", done)
        open_one = await keep(store, "same", waiting)
        await store.purge(BEFORE, really=True, rule=RULES["confirmed"])
        assert await left(store, {"same": open_one}) == {"same": "adp"}


async def test_an_apprec_of_ours_that_waits_needs_nothing_of_what_came(place: Place) -> None:
    """It is made of it once; its own document stays until it is there."""
    async with place.open() as opened:
        store: Any = opened
        kept = await keep(store, "one", (State.DONE, "", Channel.MAILBOX, OLD))
        came = await store.message(kept[0])
        assert came is not None
        ours = v.message(arrival_id=came.arrival_id, received_at=OLD, kind="apprec", door="hub")
        waiting = v.delivery(ours.id, state=State.AVAILABLE, changed_at=OLD, channel=Channel.MAILBOX, next_at=None)
        assert await store.apply(v.accepted(b"AppRec", record=ours, deliveries=(waiting,))) == Applied()
        await store.purge(BEFORE, really=True, rule=RULES["confirmed"])
        assert await left(store, {"one": kept}) == {"one": ""}
        assert await store.document(ours.id) == b"AppRec"


async def test_what_came_without_a_delivery_is_confirmed_by_nobody(place: Place) -> None:
    """Receipts as they came, what was refused, and signals of our own: their own rules take them."""
    async with place.open() as opened:
        store: Any = opened
        bodies = {state: f"came {state}".encode() for state in ("accepted", "refused", "quarantined")}
        for state, body in bodies.items():
            record = v.arrival_record(state, arrival=v.arrival(body=body, received_at=OLD))  # type: ignore[arg-type]
            await store.apply(Change(arrival=record))
        bare = v.accepted(b"no receiver", record=v.message(received_at=OLD), deliveries=())
        signal = v.message(received_at=OLD, kind="signal")
        sent = v.delivery(signal.id, state=State.DONE, changed_at=OLD, kind="signal")
        ours = v.accepted(b"a receipt of ours", record=signal, deliveries=(sent,))
        for change in (bare, ours):
            assert await store.apply(change) == Applied()
        assert (await store.purge(BEFORE, really=True, rule=RULES["confirmed"])).bodies == 0
        assert {one.arrival.body for one in await store.arrivals(ArrivalFilter())} >= set(bodies.values())
        await store.apply(Change(journal=(v.entry(bare.messages[0].record.id, Event.REFUSED),)))
        names = {bare.messages[0].record.id: b"no receiver", signal.id: b"a receipt of ours"}
        assert {name: await store.document(name) for name in names} == names


def test_the_table_has_every_state() -> None:
    """A new state is weighed here first."""
    assert {way[0] for way in WAYS} == set(State)
    assert any(goes(rule, *way) for rule, way in itertools.product(RULES, WAYS))
