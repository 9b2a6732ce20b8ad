"""A proof is taken once while it can be shown, by whichever process it comes to: the same on every store."""

from __future__ import annotations

import asyncio

from adapters.store.proofs import SWEEP
from hub.ports import Store
from tests.conformance import values as v
from tests.conformance.stores import Place


async def test_a_proof_is_taken_once_until_it_can_be_shown_no_more(store: Store) -> None:
    assert await store.claim_proof("a", v.NOW, v.later(11))
    assert not await store.claim_proof("a", v.later(10), v.later(21))
    assert await store.claim_proof("b", v.later(10), v.later(21))
    assert await store.claim_proof("a", v.later(12), v.later(23))


async def test_of_many_who_show_one_at_once_one_is_taken(store: Store) -> None:
    said = await asyncio.gather(*(store.claim_proof(f"p{n % 5}", v.NOW, v.later(11)) for n in range(100)))
    assert sum(said) == 5


async def test_it_is_so_in_each_process_and_after_closing(place: Place) -> None:
    async with place.open() as store:
        assert await store.claim_proof("a", v.NOW, v.later(11))
        async with place.open() as other:
            assert not await other.claim_proof("a", v.NOW, v.later(11))
            assert await other.claim_proof("b", v.NOW, v.later(11))
        assert not await store.claim_proof("b", v.NOW, v.later(11))
    async with place.open() as store:
        assert not await store.claim_proof("a", v.NOW, v.later(11))


async def test_what_nobody_can_show_any_more_is_removed(store: Store) -> None:
    """By itself, after so many: it does not grow."""
    for n in range(SWEEP):
        await store.claim_proof(f"p{n}", v.NOW, v.later(11))
    for n in range(SWEEP):
        assert await store.claim_proof(f"q{n}", v.later(60), v.later(71))
    assert await store.claim_proof("p1", v.later(5), v.later(16)), "it was forgotten"
