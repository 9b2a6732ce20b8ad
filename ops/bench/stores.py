"""Lines of the store: what a durable commit costs (P9), and that a long queue costs no more than a short one (P16)."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.store.rows import micros
from adapters.store.sqlite import SqliteStore
from hub.events import Entry, Event
from hub.message import Arrival, Channel, Claimed, DeliveryRecord, MessageRecord, NewMessage, Outcome, Reached
from hub.ports import ArrivalRecord, Change, Claim, MoveOrder
from hub.states import Move
from ops.bench.harness import ROUNDS, Neighbours
from ops.bench.line import Figure, Line, Part
from ops.bench.material import LOCAL, REMOTE, document
from ops.system import SystemDice, ordered_id

LEASE = timedelta(seconds=120)
#: How long the long queue of P16 is; a million takes longer than a line may.
QUEUE = 200_000
PRODUCERS = 16
#: Turns of a round of P16, of which the quickest counts: others use the disk as well.
TURNS = 8
#: Deliveries taken up at once; all turns together leave the short queue half full.
CLAIMED = 10


@contextmanager
def folder() -> Iterator[Path]:
    """A folder on the disk to be measured, removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="samhub-bench-", dir=os.environ.get("SAMHUB_BENCH_DIR")) as name:
        yield Path(name)


@asynccontextmanager
async def _opened(place: Path) -> AsyncIterator[SqliteStore]:
    async with await SqliteStore.open(place / "store.db", min_free_bytes=50_000_000) as store:
        yield store


def accepted_change(size: int, *, due: datetime | None = None) -> Change:
    """What accepting a message of `size` bytes keeps: its bytes, its document, a delivery and the journal."""
    dice, now = SystemDice(), datetime.now(UTC)
    arrival = Arrival(ordered_id(), "ebxml_http", now, {"content-type": "multipart/related"}, os.urandom(size * 5 // 4))
    message = MessageRecord(
        id=dice.uuid(),
        arrival_id=arrival.id,
        direction="in",
        kind="business",
        door="ebxml_http",
        received_at=now,
        from_her=REMOTE.her_id,
        to_her=LOCAL.her_id,
        msg_id=dice.uuid(),
        eb_message_id=dice.uuid(),
        size=size,
    )
    delivery = DeliveryRecord(
        id=dice.uuid(),
        message_id=message.id,
        sender=REMOTE.her_id,
        receiver=LOCAL.her_id,
        channel=Channel.FOLDER,
        address="bench",
        state="waiting",
        created_at=now,
        next_at=due or now,
        give_up_at=now + timedelta(hours=96),
        apprec_due_at=now + timedelta(hours=96),
        changed_at=now,
    )
    return Change(
        arrival=ArrivalRecord(arrival, "accepted", "accepted", "proven and valid", 200, (), b"x" * 4_000),
        claims=(Claim(f"eb:{message.eb_message_id}", "digest"), Claim(f"doc:{message.msg_id}", "digest")),
        messages=(NewMessage(message, document(size)),),
        deliveries=(delivery,),
        journal=(
            Entry(now, Event.RECEIVED, "accepted", "proven and valid", message.id, "", arrival.id),
            Entry(now, Event.ROUTED, "accepted", "served by bench", message.id, delivery.id, arrival.id),
        ),
    )


def _bytes(change: Change) -> bytes:
    assert change.arrival is not None
    return change.arrival.arrival.body + change.arrival.answer + change.messages[0].document


async def durable(*, rounds: int = ROUNDS, count: int = 30) -> Line:
    """P9: a lone commit ÷ appending and syncing the same bytes; sixteen producers ÷ one."""
    lone, bare, many = [], [], []
    with folder() as place, Neighbours() as neighbours:
        async with _opened(place) as store:
            for _ in range(rounds):
                alone = [accepted_change(20_000) for _ in range(count)]
                bare.append(_appended(place / "log", [_bytes(change) for change in alone]))
                lone.append(await _kept(store, alone, 1))
                many.append(await _kept(store, [accepted_change(20_000) for _ in range(4 * count)], PRODUCERS))
    figures = [
        Figure("lone commit ÷ append + fdatasync", _middle(lone, bare), 1.3, 1.0),
        Figure("16 producers ÷ 1, messages a second", _middle(lone, many), 1.8, 2.4, at_most=False),
    ]
    parts = [
        Part("one message kept, alone", 1e6 * statistics.median(lone), 1e6 * statistics.median(bare)),
        Part("one message kept, 16 producers", 1e6 * statistics.median(many), 1e6 * statistics.median(bare)),
    ]
    what = "durable store, 20 kB: arrival, document, claims, delivery and journal in one transaction"
    return Line(what, figures, parts, neighbours.used)


def _middle(above: list[float], below: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def _appended(file: Path, contents: list[bytes]) -> float:
    """Seconds for each append with its sync."""
    handle = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    begun = time.perf_counter()
    try:
        for content in contents:
            os.write(handle, content)
            os.fdatasync(handle)
        return (time.perf_counter() - begun) / len(contents)
    finally:
        os.close(handle)
        file.unlink()


async def _kept(store: SqliteStore, changes: list[Change], producers: int) -> float:
    """Seconds for each change, with so many under way at once."""
    waiting = iter(changes)

    async def produce() -> None:
        for change in waiting:
            await store.apply(change)

    begun = time.perf_counter()
    await asyncio.gather(*(produce() for _ in range(producers)))
    return (time.perf_counter() - begun) / len(changes)


async def queue(*, rounds: int = ROUNDS, long: int = QUEUE) -> Line:
    """P16: claim, keep and settle with a thousand waiting, and with very many; and the first claim after a restart."""
    with folder() as place, Neighbours() as neighbours:
        short_place, long_place = place / "short", place / "long"
        async with _opened(short_place) as short:
            await _fill(short, short_place, 1_000)
            async with _opened(long_place) as full:
                await _fill(full, long_place, long)
                found = [(await _turn(short), await _turn(full)) for _ in range(rounds)]
        restarted = await _first_claim(long_place)
    figures = [
        Figure(name, statistics.median(many[i] / few[i] for few, many in found), 1.5, 1.1)
        for i, name in enumerate(("claim", "keep", "settle"))
    ]
    figures.append(Figure("first delivery after a restart", restarted, 5.0, 1.0, unit="s"))
    parts = [
        Part(
            f"{name}, {long:,} waiting (floor: 1,000)", *(1e6 * statistics.median(t[i] for t in side) for side in sides)
        )
        for sides in [tuple(zip(*found, strict=True))[::-1]]
        for i, name in enumerate((f"claim {CLAIMED}", "keep one", "settle one"))
    ]
    note = f"{long:,} waiting instead of 1,000,000"
    return Line(f"queue of 1,000 → {long:,}", figures, parts, neighbours.used, note)


async def _fill(store: SqliteStore, place: Path, count: int) -> None:
    """So many due deliveries over 50 addresses, copied within the database from one that was kept as usual."""
    await store.apply(accepted_change(1_000))
    connection = sqlite3.connect(place / "store.db", isolation_level=None, timeout=60)
    columns = [row[1] for row in connection.execute("PRAGMA table_info(deliveries)")]
    own = {"id": "'copy-' || n", "address": "'bench-' || (n % 50)", "next_at": "next_at + n"}
    chosen = ", ".join(own.get(name, name) for name in columns)
    past = micros(datetime.now(UTC) - timedelta(hours=1))
    connection.execute("UPDATE deliveries SET next_at = ?", (past,))
    connection.execute(
        f"WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?)"
        f" INSERT INTO deliveries ({', '.join(columns)}) SELECT {chosen} FROM (SELECT * FROM deliveries LIMIT 1), c",
        (count,),
    )
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


async def _turn(store: SqliteStore) -> tuple[float, float, float]:
    """Seconds to claim some, to keep one message and to settle one delivery: the quickest of some."""
    claim, keep, settle = [], [], []
    for _ in range(TURNS):
        begun = time.perf_counter()
        taken = await store.claim(datetime.now(UTC), CLAIMED, LEASE, frozenset(), 4)
        claim.append(time.perf_counter() - begun)
        assert len(taken) == CLAIMED
        change = accepted_change(1_000)
        begun = time.perf_counter()
        await store.apply(change)
        keep.append(time.perf_counter() - begun)
        for one in taken:  # all of them: what is under way takes a place at its address
            settle.append(await _settled(store, one))
    return min(claim), min(keep), min(settle)


async def _settled(store: SqliteStore, one: Claimed) -> float:
    """Seconds to settle one delivery."""
    now, outcome = datetime.now(UTC), Outcome(Reached.YES, "done", "bench")
    order = MoveOrder(one.delivery.id, Move.GIVE_UP, now, "done", "bench")
    begun = time.perf_counter()
    await store.settle(one.delivery.id, one.attempt, outcome, now, Change(moves=(order,)))
    return time.perf_counter() - begun


async def _first_claim(place: Path) -> float:
    begun = time.perf_counter()
    async with _opened(place) as store:
        assert await store.claim(datetime.now(UTC), 1, LEASE, frozenset(), 4)
        return time.perf_counter() - begun
