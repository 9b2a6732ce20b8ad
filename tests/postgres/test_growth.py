"""A store that has grown is asked with the same work: counted in pages that the database looks at, not in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from adapters.store.postgres import PostgresStore
from adapters.store.postgres.session import PostgresSession, named
from adapters.store.statements import spoken
from hub.ports import Applied
from ops.servers import databases
from tests.conformance import values as v
from tests.store.test_growth import BIG, FEW, VERBS, one_of_many

MANY = 10 * FEW
WAITING = 100_000


async def filled(url: str, count: int) -> None:
    """A store with so many messages; nobody has gathered statistics about it."""
    async with await PostgresStore.open(url, min_free_bytes=0) as store:
        for start in range(0, count, 200):
            done = await asyncio.gather(*(store.apply(one_of_many(n)) for n in range(start, min(start + 200, count))))
            assert set(done) == {Applied()}
        for _ in range(3):  # they get their offsets; then whoever looks first clears what that has left in the index
            await store.notifications(("nobody",), 0, 1)


@pytest.fixture(scope="module")
def grown() -> Iterator[dict[int, str]]:
    """A store with few messages and one with ten times as many."""
    with databases.database(fresh=True) as few, databases.database(fresh=True) as many:
        urls = {FEW: few, MANY: many}
        for count, url in urls.items():
            asyncio.run(filled(url, count))
        yield urls


@dataclass
class Asked:
    """A statement, and what the database did for it."""

    text: str
    plan: dict[str, Any]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """Every statement that a store asks: each is done once and undone, to see how, before it is done."""
    found: list[Asked] = []
    run, run_each, ask = PostgresSession.run, PostgresSession.run_each, PostgresSession.ask

    def look(session: PostgresSession, text: str, values: Sequence[Any]) -> None:
        if text.startswith(("SELECT", "UPDATE", "INSERT", "DELETE", "WITH")):
            with session.connection.transaction(force_rollback=True):
                row = session.connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {text}", values).fetchone()
                assert row is not None
                found.append(Asked(text, row[0][0]["Plan"]))

    def run_(self: PostgresSession, name: str, *values: object) -> Any:
        look(self, named(name), values)
        return run(self, name, *values)

    def each_(self: PostgresSession, name: str, rows: Any) -> Any:
        wanted = list(rows)
        for row in wanted:
            look(self, named(name), row)
        return run_each(self, name, wanted)

    def ask_(self: PostgresSession, text: str, values: Any) -> Any:
        look(self, spoken(text, "postgres"), values)
        return ask(self, text, values)

    for name, watched in (("run", run_), ("run_each", each_), ("ask", ask_)):
        monkeypatch.setattr(PostgresSession, name, watched)
    return found


def walked(plan: dict[str, Any]) -> list[str]:
    """Tables that grow and are walked from end to end."""
    here = [plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" and plan.get("Relation Name") in BIG else []
    return here + [one for part in plan.get("Plans", []) for one in walked(part)]


def pages(plan: dict[str, Any]) -> int:
    """How many pages were looked at."""
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


@pytest.mark.parametrize("name", VERBS)
async def test_a_verb_takes_the_same_work_in_a_store_ten_times_as_large(
    name: str, grown: dict[int, str], asked: list[Asked]
) -> None:
    """But for a level more of an index here and there; and no table that grows is walked."""
    work = []
    for count, url in grown.items():
        async with await PostgresStore.open(url, min_free_bytes=0) as store:
            asked.clear()
            await VERBS[name](store, count)  # type: ignore[arg-type]
        assert asked
        assert [(one.text, found) for one in asked if (found := walked(one.plan))] == []
        work.append(sum(pages(one.plan) for one in asked))
    few, many = work
    assert many <= few * 1.4 + 60, f"{name}: {few} pages among {FEW} messages, {many} among {MANY}"


async def test_a_claim_among_a_hundred_thousand_that_wait_looks_at_few_pages(url: str, asked: list[Asked]) -> None:
    """Ten thousand of them for one partner that is down, urgent ones among them; the others' are found all the same."""
    async with await PostgresStore.open(url, min_free_bytes=0) as store:
        await v.promised(store)
        work: Callable[[], Any] = lambda: store.claim(v.later(0), 20, v.LEASE, frozenset({"http://0.invalid"}), 4)  # noqa: E731
        counts = []
        for total in (1_000, WAITING):
            with psycopg.connect(url, autocommit=True) as connection:
                _wait(connection, total)
            asked.clear()
            taken = await work()
            assert len(taken) == 20
            counts.append(sum(pages(one.plan) for one in asked))
        few, many = counts
        assert many <= few * 1.5, f"{few} pages among 1000, {many} among {WAITING}"


def _wait(connection: psycopg.Connection[Any], total: int) -> None:
    """So many deliveries wait, a tenth of them for one partner, of several priorities."""
    columns = [
        row[0]
        for row in connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema()"
            " AND table_name = 'deliveries' AND column_name <> 'rowid'"
        )
    ]
    given = {
        "id": "'waiting ' || n",
        "address": "'http://' || (CASE WHEN n % 10 = 0 THEN 0 ELSE 1 + n % 50 END) || '.invalid'",
        "priority": "CASE WHEN n % 10 = 0 THEN 0 ELSE n % 3 + 4 END",
        "next_at": f"{(v.NOW.timestamp() - 1e6) * 1e6:.0f} + n",
        "attempts": "0",
        "claimed_until": "NULL",
    }
    chosen = ", ".join(given.get(name, f"d.{name}") for name in columns)
    connection.execute(
        f"INSERT INTO deliveries ({', '.join(columns)}) SELECT {chosen} FROM (SELECT * FROM deliveries LIMIT 1) d,"
        f" generate_series(1, {total}) n ON CONFLICT DO NOTHING"
    )
