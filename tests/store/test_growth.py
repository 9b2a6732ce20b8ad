"""A store that has grown is asked with the same work: counted in steps of the database, not in time."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from adapters.store import file, sqlite
from adapters.store.sqlite import SqliteStore
from adapters.store.statements import statements
from hub.ports import Applied, ArrivalFilter, Change, Claim, DeliveryFilter, MessageFilter
from hub.states import State
from tests.conformance import values as v

#: Tables that grow with every message; a walk through one of them is a walk through years.
BIG = (
    "bodies",
    "arrivals",
    "claims",
    "messages",
    "deliveries",
    "attempts",
    "parcels",
    "receipts",
    "notifications",
    "journal",
)
ADDRESSES = 5


class Counted(sqlite3.Connection):
    """A connection that remembers what it was asked and how many steps that took."""

    asked: ClassVar[set[str]] = set()
    steps: ClassVar[int] = 0

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.set_progress_handler(self._step, 1)

    @staticmethod
    def _step() -> None:
        Counted.steps += 1

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        Counted.asked.add(sql)
        return super().execute(sql, *values)

    def executemany(self, sql: str, *values: Any) -> sqlite3.Cursor:
        Counted.asked.add(sql)
        return super().executemany(sql, *values)


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every connection of the store counts."""

    def connect(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10, factory=Counted)
        connection.row_factory = sqlite3.Row
        return connection

    for module in (file, sqlite):
        monkeypatch.setattr(module, "connect", connect)
    Counted.asked, Counted.steps = set(), 0
    yield


def one_of_many(number: int) -> Change:
    """A message that came in, went out, was acknowledged and answered, or waits; with its evidence."""
    record = v.arrival_record(arrival=v.arrival(id=f"arrival {number}", received_at=v.later(number)))
    state = (State.DONE, State.DONE, State.DONE, State.WAITING, State.OVERDUE)[number % 5]
    message = v.message(
        id=f"message {number}",
        arrival_id=record.arrival.id,
        msg_id=f"msgid {number}",
        document_id=f"document {number}",
        eb_message_id=f"eb {number}",
        received_at=v.later(number),
    )
    delivery = v.delivery(
        message.id,
        id=f"delivery {number}",
        state=state,
        address=f"http://{number % ADDRESSES}.invalid",
        eb_message_id=f"out {number}",
        created_at=v.later(number),
    )
    change = v.accepted(str(number).encode(), record=message, deliveries=(delivery,))
    return replace(
        change,
        arrival=record,
        claims=(Claim(f"key {number}"),),
        receipts=(v.receipt(message.id, delivery.id),),
        notifications=(v.notification("8000102", message.id), v.notification(f"other {number}", message.id)),
    )


async def filled(path: Path, count: int) -> SqliteStore:
    """A store with so many messages."""
    store = await SqliteStore.open(path, min_free_bytes=0)
    for start in range(0, count, 200):
        done = await asyncio.gather(*(store.apply(one_of_many(n)) for n in range(start, min(start + 200, count))))
        assert set(done) == {Applied()}
    return store


Verb = Callable[[SqliteStore, int], Awaitable[object]]
#: What the hub asks again and again, and what people ask: of a store with `n` messages.
VERBS: dict[str, Verb] = {
    "claim": lambda s, n: s.claim(v.later(0), 5, v.LEASE, v.NOBODY, 2),
    "claim beside open circuits": lambda s, n: s.claim(
        v.later(0), 5, v.LEASE, frozenset(f"http://{a}.invalid" for a in range(1, ADDRESSES)), 2
    ),
    "claim some": lambda s, n: s.claim(v.later(0), 5, v.LEASE, v.NOBODY, 2, only=frozenset({"http://3.invalid"})),
    "lanes": lambda s, n: s.lanes(v.later(0), 5),
    "extend": lambda s, n: s.extend(["delivery 3", f"delivery {n // 2}"], v.later(1e6)),
    "lead": lambda s, n: s.lead("watch", "one", v.NOW, v.LEASE),
    "bookmark": lambda s, n: s.bookmark("feed"),
    "keep a bookmark": lambda s, n: s.keep_bookmark("feed", n),
    "accept": lambda s, n: s.apply(one_of_many(n)),
    "accept again": lambda s, n: s.apply(one_of_many(n // 2)),
    "keep a parcel": lambda s, n: s.keep_parcel(f"delivery {n // 2}", v.parcel(), "x"),
    "settle": lambda s, n: s.settle(
        "delivery 3", 1, v.outcome(), v.NOW, Change(moves=(v.move("delivery 3", "finish"),))
    ),
    "judge again": lambda s, n: s.undecided(v.NOW, 5, v.LEASE),
    "missing AppRecs": lambda s, n: s.missing_apprecs(v.later(0), 5),
    "earlier": lambda s, n: s.earlier(f"key {n // 2}"),
    "message": lambda s, n: s.message(f"message {n // 2}"),
    "document": lambda s, n: s.document(f"message {n // 2}"),
    "parcel": lambda s, n: s.parcel(f"delivery {n // 2}"),
    "attempts": lambda s, n: s.attempts(f"delivery {n // 2}"),
    "receipts": lambda s, n: s.receipts(f"message {n // 2}"),
    "journal of a message": lambda s, n: s.journal(f"message {n // 2}"),
    "journal of an arrival": lambda s, n: s.journal(arrival_id=f"arrival {n // 2}"),
    "newest of the journal": lambda s, n: s.journal(limit=10),
    "message by MsgId": lambda s, n: s.messages(MessageFilter(msg_id=f"msgid {n // 2}")),
    "message by MessageId": lambda s, n: s.messages(MessageFilter(eb_message_id=f"eb {n // 2}", from_her="8000202")),
    "newest messages": lambda s, n: s.messages(MessageFilter(limit=10)),
    "messages of a time": lambda s, n: s.messages(MessageFilter(since=v.later(10), limit=10)),
    "delivery by id": lambda s, n: s.deliveries(DeliveryFilter(ids=(f"delivery {n // 2}",))),
    "deliveries of a message": lambda s, n: s.deliveries(DeliveryFilter(message_id=f"message {n // 2}")),
    "delivery by MessageId": lambda s, n: s.deliveries(DeliveryFilter(eb_message_id=f"out {n // 2}")),
    "delivery by MsgId": lambda s, n: s.deliveries(DeliveryFilter(msg_id=f"msgid {n // 2}")),
    "deliveries in a state": lambda s, n: s.deliveries(DeliveryFilter(states=("done",), limit=10)),
    "deliveries for a person": lambda s, n: s.deliveries(DeliveryFilter(states=("dead", "overdue", "held"), limit=10)),
    "newest arrivals": lambda s, n: s.arrivals(ArrivalFilter(limit=10)),
    "refused arrivals": lambda s, n: s.arrivals(ArrivalFilter(states=("refused", "quarantined"), limit=10)),
    "arrival by id": lambda s, n: s.arrivals(ArrivalFilter(ids=(f"arrival {n // 2}",))),
    "refusals": lambda s, n: s.refusals(),
    "known by MsgId": lambda s, n: s.known(f"msgid{n // 2}".replace("-", ""), 5),
    "known by an id of ours": lambda s, n: s.known(f"delivery {n // 2}", 5),
    "deliveries of several messages": lambda s, n: s.deliveries(
        DeliveryFilter(message_ids=(f"message {n // 2}", "message 3"))
    ),
    "newest dead letters": lambda s, n: s.deliveries(DeliveryFilter(states=("dead", "overdue"), newest=True, limit=10)),
    "notifications": lambda s, n: s.notifications(("8000102", "8000202"), 0, 10),
    "newest notifications": lambda s, n: s.notifications(("8000102",), 2 * n - 20, 10),
    "notifications of one with few": lambda s, n: s.notifications((f"other {n // 2}",), 0, 10),
    "counts": lambda s, n: s.counts(),
}
FEW, MANY = 400, 4000


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A store with few messages and one with ten times as many."""
    paths = {count: tmp_path_factory.mktemp("grown") / f"{count}.db" for count in (FEW, MANY)}

    async def fill() -> None:
        for count, path in paths.items():
            await (await filled(path, count)).close()

    asyncio.run(fill())
    return paths


async def steps(path: Path, count: int, verb: Verb) -> int:
    """How many steps a verb takes, on a copy of its own."""
    with closing(sqlite3.connect(path)) as original, closing(sqlite3.connect(path.with_suffix(".copy"))) as copy:
        original.backup(copy)
    async with await SqliteStore.open(path.with_suffix(".copy"), min_free_bytes=0) as store:
        await store.message("nobody")  # opens the connection that looks
        Counted.steps = 0
        await verb(store, count)
        return Counted.steps


@pytest.mark.parametrize("name", VERBS)
async def test_a_verb_takes_the_same_work_in_a_store_ten_times_as_large(name: str, grown: dict[int, Path]) -> None:
    """But for a level more of an index here and there."""
    few, many = [await steps(path, count, VERBS[name]) for count, path in grown.items()]
    assert few > 0
    assert many <= few * 1.2 + 50, f"{name}: {few} steps among {FEW} messages, {many} among {MANY}"


async def test_no_statement_walks_a_table_that_grows(grown: dict[int, Path]) -> None:
    """By the database's own plan; those that go back in time until a page is full may, along an index in its order."""
    async with await SqliteStore.open(grown[FEW], min_free_bytes=0) as store:
        Counted.asked = set()
        for verb in VERBS.values():
            await verb(store, FEW)
    asked = Counted.asked | set(statements("read").values()) | set(statements("write").values())
    walks = {}
    with closing(sqlite3.connect(grown[FEW])) as connection:
        for sql in asked:
            if sql.startswith(("SELECT", "UPDATE", "DELETE", "WITH", "INSERT")):
                plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?")).fetchall()
                if bad := [row[3] for row in plan if _walks(row[3], sql)]:
                    walks[sql] = bad
    assert len(asked) > 40
    assert walks == {}


def _walks(line: str, sql: str) -> bool:
    table = next((t for t in BIG if re.match(rf"SCAN {t}\b", line)), "")
    in_order = line.endswith(f"USING INDEX {table}_by_time") or (table == "journal" and "WHERE" not in sql)
    paged = "LIMIT ?" in sql and in_order
    return bool(table) and not paged


async def test_what_a_person_narrows_goes_back_in_time_until_the_page_is_full(grown: dict[int, Path]) -> None:
    """Where many fit it takes the same work in a larger store: nothing is sorted that is not shown."""

    def verb(store: SqliteStore, _: int) -> Awaitable[object]:
        return store.messages(MessageFilter(from_her="8000202", type_code="HENVISNING", limit=10))

    few, many = [await steps(path, count, verb) for count, path in grown.items()]
    assert many <= few * 1.2 + 50
