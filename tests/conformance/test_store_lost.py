"""A body that cannot be read as it came harms nothing but its own, and is whole again when it comes again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from hub.digest import sha256
from hub.errors import ContentLost
from hub.ports import Applied, ArrivalFilter, Change, Claim, DeliveryFilter, Store, Taken
from tests.conformance import values as v
from tests.conformance.stores import Place, SqlitePlace
from tests.conformance.test_store_bodies import content

#: In the database, and in a file beside it where the store has such.
SIZES = (1_000, 300_000)
Changed = Callable[[bytes], bytes | None]
#: What can happen to what is kept; None: it is not there.
HARMS: dict[str, Changed] = {
    "gone": lambda kept: None,
    "shorter": lambda kept: kept[: len(kept) // 2],
    "longer": lambda kept: kept + b"!",
    "one bit": lambda kept: kept[:5] + bytes([kept[5] ^ 1]) + kept[6:],
    "others": lambda kept: b"others entirely",
}


def spoil(place: Place, given: bytes, changed: Changed) -> None:
    """Changes what is kept of a body: its file where it has one, else its row, of which a byte is left where it is gone."""
    digest = sha256(given)
    file = place.path.parent / "samhub-bodies" / digest[:2] / digest if isinstance(place, SqlitePlace) else Path()
    if not file.is_file():
        place.write("UPDATE bodies SET content = ? WHERE sha256 = ?", changed(given) or b"\x01", digest)
    elif (left := changed(given)) is None:
        file.unlink()
    else:
        file.write_bytes(left)


async def healed(store: Store, *contents: bytes) -> None:
    """Each comes again, in a message of its own; the place is checked when it is closed."""
    for one in contents:
        assert await store.apply(v.accepted(one)) == Applied()


@pytest.mark.parametrize("size", SIZES)
async def test_a_parcel_that_cannot_be_read_stops_no_other(place: Place, size: int) -> None:
    """All that is due is taken up; it says why, keeps its digests for a receipt, and has no bytes to send."""
    async with place.open() as store:
        sealed = {}
        for name in ("well", *HARMS, "well too"):
            one = await v.promised(store, address=f"http://{len(sealed)}.invalid")
            sealed[one.id] = (name, content(size, name))
            await store.keep_parcel(one.id, v.parcel(content(size, name)), one.eb_message_id)
        for name, changed in HARMS.items():
            spoil(place, content(size, name), changed)
        taken = {one.delivery.id: one.parcel for one in await store.claim(v.NOW, 10, v.LEASE, v.NOBODY, 4)}
        assert taken.keys() == sealed.keys()
        for delivery, (name, given) in sealed.items():
            found = taken[delivery]
            assert found is not None and await store.parcel(delivery) == found
            assert (found.body, found.digests) == (b"" if name in HARMS else given, v.parcel().digests)
            assert (sha256(given) in found.lost) == (name in HARMS), found.lost
        await healed(store, *(given for _, given in sealed.values()))
        assert [await store.parcel(one) for one in sealed] == [v.parcel(given) for _, given in sealed.values()]


@pytest.mark.parametrize("size", SIZES)
async def test_an_arrival_that_cannot_be_read_stops_no_other(place: Place, size: int) -> None:
    """Neither where they are judged again, nor on a list."""
    async with place.open() as store:
        came = {name: v.arrival(body=content(size, name)) for name in ("well", *HARMS, "well too")}
        for one in came.values():
            await store.apply(Change(arrival=v.arrival_record("undecided", arrival=one, next_at=v.later(-1))))
        for name, changed in HARMS.items():
            spoil(place, came[name].body, changed)
        taken = {one.id: one for one in await store.undecided(v.NOW, 10, timedelta(0))}
        listed = {one.arrival.id: one.arrival for one in await store.arrivals(ArrivalFilter())}
        for name, one in came.items():
            for found in (taken[one.id], listed[one.id]):
                assert found.body == (b"" if name in HARMS else one.body)
                assert (found.trouble or ("",))[0] == ("content-lost" if name in HARMS else "")
        await healed(store, *(one.body for one in came.values()))
        again = {one.id: one for one in await store.undecided(v.NOW, 10, timedelta(0))}
        assert again == {one.id: one for one in came.values()}


@pytest.mark.parametrize("size", SIZES)
async def test_a_document_is_whole_or_lost(place: Place, size: int) -> None:
    """Never other bytes than came; handed over again it is whole, though the right to it was taken long since."""
    async with place.open() as store:
        for name, changed in HARMS.items():
            document = content(size, name)
            first, again = (v.accepted(document, claims=(Claim(name, "digest"),)) for _ in range(2))
            await store.apply(first)
            spoil(place, document, changed)
            with pytest.raises(ContentLost, match=sha256(document)):
                await store.document(first.messages[0].record.id)
            assert any(sha256(document) in words for words in await store.check())  # type: ignore[attr-defined]
            assert isinstance(await store.apply(again), Taken)
            assert await store.document(first.messages[0].record.id) == document
            assert await store.message(again.messages[0].record.id) is None


@pytest.mark.parametrize("size", SIZES)
async def test_what_was_purged_does_not_come_back_with_a_repetition(place: Place, size: int) -> None:
    """It is settled: nobody needs it."""
    document = content(size)
    first = v.accepted(document, claims=(Claim("key", "digest"),), state="done", changed_at=v.NOW)
    async with place.open() as store:
        await store.apply(first)
        await store.purge(v.later(10), really=True)  # type: ignore[attr-defined]
        assert isinstance(await store.apply(v.accepted(document, claims=(Claim("key", "digest"),))), Taken)
        assert await store.document(first.messages[0].record.id) is None
        assert len(await store.deliveries(DeliveryFilter())) == 1
