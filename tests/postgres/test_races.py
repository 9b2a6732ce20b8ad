"""Two nodes want the same thing at the same moment: one gets it, the other is told who has it, and nothing is half done."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from adapters.store.postgres import PostgresStore
from hub.ports import Applied, Change, Claim, Conflict, MessageFilter, Taken
from hub.states import Move
from tests.conformance import values as v
from tests.postgres.conftest import Held, Open


async def holding(node: Open, change: Change, store: PostgresStore, held: Held) -> asyncio.Task[Any]:
    """A node that has written the change and not committed it."""
    held.wanted = True
    task = asyncio.create_task(store.apply(change))
    assert await asyncio.to_thread(held.reached.wait, 20)
    return task


def taker(key: str = "key", *moves: Any) -> Change:
    """A message with its arrival, under a claim."""
    record = v.arrival_record()
    message = v.message(arrival_id=record.arrival.id)
    return replace(v.accepted(record=message, claims=(Claim(key, message.id),)), arrival=record, moves=moves)


async def blocked(task: asyncio.Task[Any]) -> bool:
    """Whether it still waits, after time enough to have run into the other's lock."""
    await asyncio.sleep(0.2)
    return not task.done()


async def test_who_comes_second_waits_for_the_first_and_is_told_of_it(node: Open) -> None:
    """The claim is not free and not taken until the first commits; then nothing of the second is kept."""
    held = Held()
    first, second = await node(on_step=held), await node()
    mine, yours = taker(), taker()
    going = await holding(node, mine, first, held)
    waiting = asyncio.create_task(second.apply(yours))
    assert await blocked(waiting)
    held.let_go()
    assert mine.arrival is not None
    ids = (mine.arrival.arrival.id, mine.messages[0].record.id)
    assert (await going, await waiting) == (Applied(), Taken("key", mine.claims[0].digest, *ids))
    assert [m.id for m in await second.messages(MessageFilter())] == [ids[1]]


async def test_when_the_first_fails_the_second_gets_it(node: Open, other: psycopg.Connection[Any]) -> None:
    """A node that dies with everything written has taken nothing."""
    held = Held()
    first, second = await node(on_step=held, connections=1), await node()
    going = await holding(node, taker(), first, held)
    waiting = asyncio.create_task(second.apply(taker()))
    assert await blocked(waiting)
    # the connection is cut under the first one, as when its machine loses power
    other.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()"
    )
    assert await waiting == Applied()
    held.let_go()
    assert not isinstance((await asyncio.gather(going, return_exceptions=True))[0], Applied)
    assert len(await second.messages(MessageFilter())) == 1


async def test_of_many_nodes_that_claim_one_key_one_takes_it(node: Open) -> None:
    """Twelve keys, eight nodes, each node wants each key twice: every key goes once, and all others are told to whom."""
    nodes = [await node() for _ in range(8)]
    wanted = [(one, taker(f"key {key}")) for key in range(12) for one in nodes * 2]
    random.Random(4).shuffle(wanted)
    answers = await asyncio.gather(*(one.apply(change) for one, change in wanted))
    winners = {c.claims[0].key: c for (_, c), a in zip(wanted, answers, strict=True) if a == Applied()}
    assert sum(a == Applied() for a in answers) == len(winners) == 12
    for (_, change), answer in zip(wanted, answers, strict=True):
        if isinstance(answer, Taken):
            won = winners[change.claims[0].key]
            assert answer.message_id == won.messages[0].record.id
            assert answer.digest == won.claims[0].digest


async def test_several_claims_wanted_crosswise_do_not_lock_each_other_for_ever(node: Open) -> None:
    """Each change wants five of six keys in an order of its own; whoever is Applied has all of his."""
    nodes = [await node() for _ in range(4)]
    dice = random.Random(7)
    wanted = []
    for _ in range(40):
        keys = dice.sample("abcdef", 5)
        wanted.append(replace(v.accepted(), claims=tuple(Claim(k, "") for k in keys)))
    answers = await asyncio.gather(*(dice.choice(nodes).apply(c) for c in wanted))
    assert sum(a == Applied() for a in answers) == 1
    assert all(isinstance(a, Applied | Taken) for a in answers)


async def test_a_move_is_judged_from_where_the_other_left_it(node: Open) -> None:
    """A person holds what a receipt has just finished: refused, with the state that stands."""
    held = Held()
    first, second = await node(on_step=held), await node()
    kept = await v.promised(second)
    going = await holding(node, Change(moves=(v.move(kept.id, Move.FINISH),)), first, held)
    waiting = asyncio.create_task(second.apply(Change(moves=(v.move(kept.id, Move.HOLD),))))
    assert await blocked(waiting)
    held.let_go()
    assert (await going, await waiting) == (Applied(), Conflict(kept.id, "done"))


async def test_a_claim_that_is_just_being_taken_is_told_before_a_move_that_is_just_being_made(node: Open) -> None:
    """The first takes the key and makes the move; the second wants both and learns that it comes again, not of a conflict."""
    held = Held()
    first, second = await node(on_step=held), await node()
    kept = await v.promised(second)
    going = await holding(node, taker("key", v.move(kept.id, Move.FINISH)), first, held)
    waiting = asyncio.create_task(second.apply(taker("key", v.move(kept.id, Move.FINISH))))
    held.let_go()
    assert await going == Applied()
    assert isinstance(await waiting, Taken)


async def test_moves_made_crosswise_end(node: Open) -> None:
    """Four nodes move the same six deliveries in orders of their own, a hundred times: none waits for ever, none fails."""
    nodes = [await node() for _ in range(4)]
    ids = [(await v.promised(nodes[0])).id for _ in range(6)]
    dice = random.Random(5)

    def turned() -> Change:
        return Change(moves=tuple(v.move(one, Move.HAND_OVER) for one in dice.sample(ids, 4)))

    answers = await asyncio.gather(*(dice.choice(nodes).apply(turned()) for _ in range(100)))
    assert Counter(map(type, answers)) == {Applied: 100}


async def test_a_work_that_met_a_deadlock_is_done_again(node: Open, other: psycopg.Connection[Any]) -> None:
    """Somebody who minds no order holds what we want next and wants what we hold: the server ends ours, and it is redone."""
    store = await node()
    one, two = sorted([(await v.promised(store)).id for _ in range(2)])
    other.execute("SET deadlock_timeout = '30s'")  # the other side finds it out first
    with other.transaction():
        other.execute("SELECT 1 FROM deliveries WHERE id = %s FOR UPDATE", (two,))
        change = Change(moves=(v.move(one, Move.FINISH), v.move(two, Move.FINISH)))
        waiting = asyncio.create_task(store.apply(change))
        assert await blocked(waiting)
        await asyncio.to_thread(other.execute, "SELECT 1 FROM deliveries WHERE id = %s FOR UPDATE", (one,))
    assert await waiting == Applied()
    assert store._writer.redone > 0
    assert {(await v.standing(store, d)).state for d in (one, two)} == {"done"}


async def test_the_same_new_body_from_many_nodes_is_kept_once(node: Open) -> None:
    """Under many names at once, and as parcels too."""
    nodes = [await node() for _ in range(4)]
    same = [b"one content", b"another content"]
    changes = [v.accepted(same[n % 2]) for n in range(40)]
    assert set(await asyncio.gather(*(nodes[n % 4].apply(c) for n, c in enumerate(changes)))) == {Applied()}
    sealing = [
        nodes[n % 4].keep_parcel(c.deliveries[0].id, v.parcel(same[(n + 1) % 2]), "x") for n, c in enumerate(changes)
    ]
    await asyncio.gather(*sealing)
    for n, change in enumerate(changes):
        assert await nodes[0].document(change.messages[0].record.id) == same[n % 2]
        assert await nodes[0].parcel(change.deliveries[0].id) == v.parcel(same[(n + 1) % 2])


@pytest.mark.parametrize("times", range(3))
async def test_two_nodes_that_seal_send_the_same_bytes(node: Open, times: int) -> None:
    """The first to be kept is what both are told."""
    nodes = [await node() for _ in range(4)]
    kept = await v.promised(nodes[0])
    parcels = [v.parcel(f"sealed by {n}".encode()) for n in range(4)]
    told = await asyncio.gather(*(n.keep_parcel(kept.id, p, "x") for n, p in zip(nodes, parcels, strict=True)))
    assert len(set(map(str, told))) == 1


async def test_of_two_nodes_one_leads(node: Open) -> None:
    """Whoever asks first, at whatever moment the term runs out."""
    nodes = [await node() for _ in range(6)]
    for moment in range(5):
        asked = (n.lead("watch", f"node {i}", v.later(moment * 60), v.LEASE / 2) for i, n in enumerate(nodes))
        assert sum(await asyncio.gather(*asked)) == 1
