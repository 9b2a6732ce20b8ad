"""A claim takes what has a place, however much waits for those that have none; and circuits are kept for all."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from hub.circuit import Circuits, share
from hub.neighbours import MANY, Limits, Neighbours, Place, Room, Standing, Use, host
from hub.ports import Applied, CircuitRecord, Store
from hub.retry import Backoff
from tests.conformance import values as v
from tests.conformance.stores import Place as StorePlace

LIMITS = Limits(at_once=16, per_address=4, per_host=8, hanging=100)
WELL = [f"http://well-{n}.invalid/ebxml" for n in range(3)]
CALM = 1_000_000 * 1_000


async def many(store: Store, addresses: list[str], **given: object) -> None:
    """A delivery to each."""
    some = [v.accepted(address=address, **({"next_at": v.later(-1)} | given)) for address in addresses]
    assert set(await asyncio.gather(*map(store.apply, some))) == {Applied()}


def room(known: Neighbours, use: Use | None = None, *, thorough: bool = True) -> Room:
    """As a node makes it."""
    return Room(use or Use(), LIMITS, known, v.NOW, thorough=thorough)


async def claimed(store: Store, at: Room, limit: int = 16, **given: object) -> list[str]:
    """The addresses of what is taken, in its order."""
    taken = await store.claim(v.NOW, limit, v.LEASE, v.NOBODY, 4, room=at, **given)  # type: ignore[arg-type]
    return [one.delivery.address for one in taken]


def answering(*addresses: str) -> Neighbours:
    """These have answered just now."""
    known = Neighbours()
    for address in addresses:
        known.answered(address, v.NOW)
    return known


async def test_whatever_waits_for_silent_paths_of_one_host_hides_nobody(store: Store) -> None:
    """Three hundred paths, and three hundred deliveries to one of them, all due before those of who answers."""
    paths = [f"http://silent.invalid/{n}" for n in range(300)]
    await many(store, paths + paths[:1] * 300, next_at=v.later(-100), priority=3)
    await many(store, WELL)
    found = await claimed(store, room(answering(*WELL)))
    assert set(WELL) <= set(found)
    assert Counter(map(host, found))["http:silent.invalid"] == 4


async def test_of_new_ones_the_newest_have_their_turn_before_the_search(store: Store) -> None:
    """Of two hundred that have never answered some are tried, the oldest and the newest: nobody waits behind them all."""
    silent = [f"http://{n}.silent.invalid/" for n in range(200)]
    for number, address in enumerate(silent):
        await v.promised(store, address=address, next_at=v.later(number - 1_000))
    found = await claimed(store, room(Neighbours(), thorough=False))
    assert len(found) == LIMITS.new(0)
    assert {*silent[:4], *silent[-4:]} == set(found)


async def test_one_free_place_of_new_ones_goes_to_the_oldest_and_to_the_newest_in_turn(store: Store) -> None:
    silent = [f"http://{n}.silent.invalid/" for n in range(200)]
    for number, address in enumerate(silent):
        await v.promised(store, address=address, next_at=v.later(number - 1_000))
    found = set()
    for moment in range(2):
        use = Use(new=LIMITS.new(0) - 1)
        at = v.NOW + timedelta(microseconds=moment)
        taken = await store.claim(at, 16, v.LEASE, v.NOBODY, 4, room=Room(use, LIMITS, Neighbours(), at))
        found |= {one.delivery.address for one in taken}
    assert found == {silent[0], silent[-1]}


@pytest.mark.parametrize("thorough", [True, False])
async def test_the_search_finds_who_stands_in_the_midst_and_says_when_it_was_in_vain(
    store: Store, thorough: bool
) -> None:
    """Behind the oldest and before the newest, all of whom have no place."""
    silent = [f"http://silent.invalid/{n}" for n in range(400)]
    await many(store, silent[:200], next_at=v.later(-100))
    await many(store, WELL[:1], next_at=v.later(-50))
    await many(store, silent[200:], next_at=v.later(-10))
    known = answering(*WELL)
    for path in silent[:MANY]:
        known.missed(path)
    use = Use()
    for path in silent[:4]:
        use.add(Place(path, host(path), room(known).place(path, 5).kind, Standing.DOUBTFUL))
    at = room(known, use, thorough=thorough)
    assert await claimed(store, at) == (WELL[:1] if thorough else [])
    again = room(known, use)
    assert await claimed(store, again) == ([] if thorough else WELL[:1])
    assert again.in_vain is thorough


async def test_who_is_doubtful_gets_one_probe_and_what_is_urgent_and_local_the_reserves(store: Store) -> None:
    """All other places are taken."""
    doubtful, urgent, local = "http://doubtful.invalid/", WELL[0], "systems/kommune/inbox"
    known = answering(urgent)
    known.missed(doubtful)
    await many(store, [doubtful] * 3)
    full = Use()
    for number in range(12):
        full.add(Place(f"{number}", f"{number}", room(known).place("http:x", 5).kind, Standing.ANSWERING))
    assert await claimed(store, room(known, full)) == []
    await many(store, [urgent] * 3, priority=1)
    await many(store, [local] * 3)
    assert Counter(await claimed(store, room(known, full))) == {urgent: 2, local: 2}


async def test_what_a_claim_has_taken_stands_in_its_room(store: Store) -> None:
    """So that a claim that looks more than once keeps to it."""
    await many(store, WELL * 2)
    at = room(answering(*WELL))
    found = await claimed(store, at)
    assert at.use.to == Counter(found)


# --- circuits


def record(address: str, **given: object) -> CircuitRecord:
    plain: dict[str, object] = {"failures": 3, "since": v.NOW, "until": v.later(20), "cause": "timed-out"}
    return CircuitRecord(address, **(plain | given))  # type: ignore[arg-type]


async def test_a_circuit_is_kept_renewed_and_closed(store: Store) -> None:
    """What it was opened at stands, whatever is known of it later."""
    first, other = record(v.HERE), record(v.THERE, since=v.later(-5))
    await store.keep_circuits([first, other], [], [v.entry()])
    assert await store.circuits() == [other, first]
    again = record(v.HERE, failures=4, until=v.later(60), cause="connect-failed")
    await store.keep_circuits([again], [v.THERE], [])
    assert await store.circuits() == [again]
    assert len(await store.journal()) == 1


async def test_it_is_known_after_a_restart(place: StorePlace) -> None:
    async with place.open() as store:
        await store.keep_circuits([record(v.HERE)], [], [])
    async with place.open() as store:
        later = Circuits(3, Backoff())
        await share(later, store, v.NOW)
        assert later.open_addresses(v.NOW) == {v.HERE} and later.failures(v.HERE) == 3
        assert later.open_addresses(v.later(20)) == v.NOBODY and later.probing() == {v.HERE}
        assert later.neighbours.standing(v.HERE, v.later(20)) is Standing.DOUBTFUL


async def test_two_nodes_share_what_they_find_out(store: Store) -> None:
    """One opens it, the other leaves the address alone; the other's probe is answered, and the first tries again."""
    one, other = Circuits(3, Backoff()), Circuits(3, Backoff())
    for _ in range(3):
        one.failed(v.HERE, v.NOW, 0, "timed-out")
    for node in (one, other):
        assert await share(node, store, v.NOW) is False
    assert other.open_addresses(v.NOW) == {v.HERE}
    other.reached(v.HERE, v.later(25))
    await share(other, store, v.later(25))
    assert await share(one, store, v.later(25)) is True
    assert one.open_addresses(v.later(25)) == one.probing() == v.NOBODY and one.failures(v.HERE) == 0
    assert [(e.code, e.event) for e in await store.journal()] == [
        ("circuit-opened", "circuit"),
        ("circuit-closed", "circuit"),
    ]


async def test_only_what_changes_is_written(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not each failing try, and nothing while nothing happens; one that opened and closed between is nobody's business."""
    written: list[tuple[int, int]] = []
    keep = store.keep_circuits

    async def counted(kept: list[CircuitRecord], closed: list[str], journal: list[object]) -> None:
        written.append((len(kept), len(closed)))
        await keep(kept, closed, journal)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "keep_circuits", counted)
    node = Circuits(3, Backoff())
    for tries in (2, 1, 0, 1):
        for _ in range(tries):
            node.failed(v.HERE, v.NOW, 0, "timed-out")
        await share(node, store, v.NOW)
    assert written == [(1, 0), (1, 0)]
    for _ in range(3):
        node.failed(v.THERE, v.NOW, 0, "timed-out")
    node.reached(v.THERE, v.NOW)
    node.reached(v.HERE, v.NOW)
    await share(node, store, v.NOW)
    await share(node, store, v.NOW)
    assert written == [(1, 0), (1, 0), (0, 1)]
    assert await store.circuits() == []
