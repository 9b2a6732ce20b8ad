"""Each kind has its own time: what went over the wire, documents by their types, what was not taken, and whole rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.store import bookmarks
from adapters.store.forget import Ages, Forgotten
from adapters.store.purge import Rule
from hub.digest import sha256
from hub.ports import Applied, ArrivalFilter, Change
from tests.conformance import values as v
from tests.conformance.stores import Place

LATER = v.later(10_000)


async def settled(store: Any, name: str, type_code: str = "HENVISNING", state: str = "done") -> str:
    """A message that came sealed, went out sealed, and is settled; its id."""
    record = v.arrival_record(arrival=v.arrival(body=f"arrival {name}".encode()))
    message = v.message(arrival_id=record.arrival.id, type_code=type_code)
    delivery = v.delivery(message.id, state=state, changed_at=v.NOW)
    change = v.accepted(f"document {name}".encode(), record=message, deliveries=(delivery,))
    receipt = v.receipt(message.id, delivery.id)
    told = (v.notification("8000102", message.id),)
    kept = Change(record, (), change.messages, change.deliveries, (), (receipt,), told, change.journal)
    assert await store.apply(kept) == Applied()
    await store.keep_parcel(delivery.id, v.parcel(f"parcel {name}".encode()), "x")
    return message.id


async def content(store: Any, name: str, message: str) -> str:
    """What is left of it: a letter each for arrival, document and parcel."""
    bodies = {one.arrival.body for one in await store.arrivals(ArrivalFilter())}
    (delivery,) = [d.id for d in await store.deliveries(v.DeliveryFilter(message_id=message))]
    left = {
        "a": f"arrival {name}".encode() in bodies,
        "d": await store.document(message) == f"document {name}".encode(),
        "p": await store.parcel(delivery) is not None,
    }
    return "".join(letter for letter, there in left.items() if there)


async def test_what_went_over_the_wire_goes_first(place: Place) -> None:
    """A document stays, also where it is what came: a record system hands it over as it is."""
    async with place.open() as store:
        kept: Any = store
        one, waiting = await settled(kept, "one"), await settled(kept, "waiting", state="held")
        same = v.accepted(b"as it is", deliveries=())
        record = v.arrival_record(arrival=v.arrival(body=b"as it is"))
        await kept.apply(Change(record, (), same.messages, (), journal=same.journal, moves=()))
        assert (await kept.purge(LATER, really=True, rule=Rule(sealed=True))).bodies == 2
        assert [await content(kept, n, m) for n, m in (("one", one), ("waiting", waiting))] == ["d", "adp"]
        assert await kept.document(same.messages[0].record.id) == b"as it is"
        await kept.apply(Change(journal=(v.entry(same.messages[0].record.id, v.Event.REFUSED),)))


async def test_types_have_times_of_their_own(place: Place) -> None:
    """Those with one are left by the rule of all others, and go by their own."""
    async with place.open() as store:
        kept: Any = store
        one, other = await settled(kept, "one", "SVAR_LAB"), await settled(kept, "other")
        await kept.purge(LATER, really=True, rule=Rule(others=("svar_lab", "epikrise")))
        assert [await content(kept, "one", one), await content(kept, "other", other)] == ["adp", ""]
        third = await settled(kept, "third")
        await kept.purge(LATER, really=True, rule=Rule(only="svar_lab"))
        assert [await content(kept, "one", one), await content(kept, "third", third)] == ["", "adp"]


async def test_what_was_not_taken_goes_by_its_own_time(place: Place) -> None:
    async with place.open() as store:
        kept: Any = store
        for state in ("refused", "quarantined"):
            await kept.apply(Change(arrival=v.arrival_record(state, arrival=v.arrival(body=state.encode()))))
        await kept.purge(LATER, really=True, rule=Rule(quarantine=v.later(-1)))
        assert {one.arrival.body for one in await kept.arrivals(ArrivalFilter())} == {b"refused", b"quarantined"}
        await kept.purge(v.later(-1), really=True, rule=Rule(quarantine=LATER))
        assert {one.arrival.body for one in await kept.arrivals(ArrivalFilter())} == {b""}


async def test_rows_go_whole_but_for_what_is_not_settled(place: Place) -> None:
    """In steps, in their order; offsets go on above any that was given."""
    async with place.open() as store:
        kept: Any = store
        done = [await settled(kept, str(number)) for number in range(3)]
        held = await settled(kept, "held", state="held")
        assert await kept.forget(Ages()) == await kept.forget(Ages(v.NOW, v.NOW, v.NOW)) == Forgotten()
        offset = (await kept.notifications(("8000102",), 0, 10))[-1].offset
        assert await kept.forget(Ages(LATER, LATER, LATER)) == Forgotten(4, 3, 3)
        assert [len(await kept.journal(one)) for one in (*done, held)] == [0, 0, 0, 1]
        assert [len(await kept.receipts(one)) for one in (*done, held)] == [0, 0, 0, 1]
        await settled(kept, "new")
        assert [n.offset > offset for n in await kept.notifications(("8000102",), 0, 10)] == [True]
        await kept.apply(Change(journal=(v.entry(),)))


#: Of which nobody would miss what it says → whether it stays.
BOOKMARKS = {
    "status-events:told all": (9_000, True),
    "status-events:told before the oldest": (1, False),
    "another duty:system": (1, True),
    "purged": (1, True),
    "folder:done:20261021T120000.0:abc": (1, False),
    "folder:held:20261021T120000.0:abc": (1, True),
    "folder:nobody::abc": (1, False),
    f"queue-again:system:{sha256(b'document of done')}": (3, False),
    f"queue-again:system:{sha256(b'never taken')}": (3, True),
}


async def test_bookmarks_go_of_which_nobody_would_miss_what_they_say(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the run that removes rows; in steps, and those behind are seen as well."""
    monkeypatch.setattr(bookmarks, "BATCH", 2)
    async with place.open() as store:
        kept: Any = store
        await settled(kept, "before")
        await kept.notifications(("8000102",), 0, 10)
        await kept.forget(Ages(LATER))
        for one, state in (("done", "done"), ("held", "held")):
            record = v.message(id=f"message {one}")
            delivery = v.delivery(record.id, id=one, state=state, next_at=None)
            change = v.accepted(f"document of {one}".encode(), record=record, deliveries=(delivery,))
            await kept.apply(replace(change, notifications=(v.notification("8000102", record.id),)))
        await kept.notifications(("8000102",), 0, 10)
        for name, (value, _) in BOOKMARKS.items():
            await kept.keep_bookmark(name, value)
        assert await kept.forget(Ages(telling=("status-events",))) == Forgotten(bookmarks=4)
        assert {name: bool(await kept.bookmark(name)) for name in BOOKMARKS} == {
            n: s for n, (_, s) in BOOKMARKS.items()
        }
