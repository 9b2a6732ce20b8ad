"""Nodes of two versions share a store while one after another is replaced: nothing is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
import re
from contextlib import closing
from dataclasses import replace
from importlib.resources import files
from typing import Any

import psycopg
import pytest

from adapters.store import changes
from adapters.store.bodies import Body
from adapters.store.postgres import PostgresStore
from adapters.store.postgres.connect import Address
from adapters.store.postgres.migrate import contracts, migrate, undeclared
from adapters.store.postgres.session import PostgresSession
from adapters.store.statements import Migration, migrations
from hub.digest import sha256
from hub.errors import StoreUnavailable
from hub.ports import Applied, Change, Claim, DeliveryFilter, MessageFilter
from hub.states import Move, State
from ops.servers import databases
from tests.conformance import values as v
from tests.postgres.conftest import Open

KNOWN = migrations("postgres")
LAST = KNOWN[-1][0]
#: What a next version may do: more to know about a delivery, with a value for those who do not know it, and a new table.
NEXT: Migration = (
    LAST + 1,
    "-- A test's.\nALTER TABLE deliveries ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm';\n"
    "CREATE TABLE moods (mood TEXT PRIMARY KEY);\nCREATE INDEX deliveries_by_mood ON deliveries (mood);\n",
)
#: What it must declare.
BREAKING: Migration = (
    LAST + 2,
    "-- A test's.\n-- contracts: nobody reads the rule of a delivery any more\nALTER TABLE deliveries DROP COLUMN rule;\n",
)


def schema(connection: psycopg.Connection[Any]) -> list[Any]:
    """Every table, column, default, index, constraint, trigger and function."""
    return [
        connection.execute(text).fetchall()
        for text in (
            "SELECT table_name, column_name, ordinal_position, data_type, is_nullable, column_default, is_identity"
            " FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1, 2",
            "SELECT replace(indexdef, current_schema(), '') FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1",
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = current_schema()::regnamespace ORDER BY 1",
            "SELECT tgname, replace(pg_get_triggerdef(oid), current_schema(), '') FROM pg_trigger WHERE NOT tgisinternal AND"
            " tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = current_schema()::regnamespace) ORDER BY 1",
            "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = current_schema()::regnamespace ORDER BY 1",
            "SELECT relname, reloptions FROM pg_class WHERE relnamespace = current_schema()::regnamespace ORDER BY 1",
        )
    ]


def test_both_stores_have_the_same_migrations() -> None:
    """Number for number and name for name; each says what it is for."""
    names = [
        sorted(f.name for f in (files("adapters.store.migrations") / dialect).iterdir() if f.name.endswith(".sql"))
        for dialect in ("sqlite", "postgres")
    ]
    assert names[0] == names[1]
    assert [number for number, _ in KNOWN] == list(range(1, LAST + 1))
    assert [sql for _, sql in KNOWN if not re.match(r"-- \S.*[.:;]", sql)] == []


def test_step_by_step_the_schema_is_the_same_as_at_once() -> None:
    """Table for table; and the tables of both stores have the same names."""
    with (
        databases.database(empty=True) as one,
        databases.database(empty=True) as two,
        psycopg.connect(one, autocommit=True) as steps,
        psycopg.connect(two, autocommit=True) as once,
    ):
        assert [migrate(steps, KNOWN[:count]) for count in range(1, LAST + 1)] == [[n] for n, _ in KNOWN]
        assert migrate(once) == [n for n, _ in KNOWN]
        assert migrate(once) == []
        assert schema(steps) == schema(once)
        tables = {row[0] for row in schema(once)[0]}
    sqlite = set(re.findall(r"CREATE TABLE (\w+)", "".join(sql for _, sql in migrations("sqlite"))))
    assert tables == sqlite | {"schema_version", "proofs"}, (
        "proofs lie in a file of their own beside the embedded store"
    )


def test_no_migration_takes_anything_away_without_saying_so() -> None:
    """An older hub that still runs would stumble over it."""
    assert {number: undeclared(sql) for number, sql in KNOWN if undeclared(sql)} == {}


@pytest.mark.parametrize(
    "taken",
    [
        "DROP TABLE journal",
        "ALTER TABLE messages DROP COLUMN code",
        "ALTER TABLE messages RENAME COLUMN code TO reason",
        "ALTER TABLE messages RENAME TO letters",
        "ALTER TABLE messages ALTER COLUMN size TYPE INTEGER",
        "ALTER TABLE messages ALTER size SET DATA TYPE INTEGER",
        "ALTER TABLE deliveries ALTER COLUMN claimed_until SET NOT NULL",
        "ALTER TABLE messages ADD COLUMN mood TEXT NOT NULL",
        "alter table messages add mood text not null",
        "ALTER TABLE messages ADD CONSTRAINT small CHECK (size < 10)",
        "DROP TRIGGER delivery_moved ON deliveries",
        "DELETE FROM journal",
        "TRUNCATE journal",
    ],
)
def test_what_takes_something_away_is_found(taken: str) -> None:
    """Unless it is declared, with a reason."""
    assert undeclared(f"-- A change.\nCREATE TABLE more (name TEXT);\n{taken};\n") != []
    assert undeclared(f"-- A change.\n-- contracts: nobody needs it\n{taken};\n") == []
    assert undeclared(f"-- Once we did: {taken};\nCREATE TABLE more (name TEXT NOT NULL);\n") == []


def test_what_only_adds_needs_no_word() -> None:
    """A new table, a column with a value for everybody, an index."""
    assert undeclared(NEXT[1]) == []
    assert not contracts(NEXT[1])
    assert contracts(BREAKING[1])


async def test_nodes_that_start_at_once_migrate_once(url: str, other: psycopg.Connection[Any]) -> None:
    """Eight of them, on an empty database: each step is applied by one, and all serve."""
    stores = await asyncio.gather(*(PostgresStore.open(url, min_free_bytes=0) for _ in range(8)))
    assert set(await asyncio.gather(*(store.apply(v.accepted()) for store in stores))) == {Applied()}
    least = max((number for number, sql in KNOWN if contracts(sql)), default=1)
    assert other.execute("SELECT number, least FROM schema_version").fetchall() == [(LAST, least)]
    for store in stores:
        await store.close()


@pytest.mark.parametrize("version", range(1, LAST + 1))
async def test_a_store_of_an_older_hub_is_brought_up_and_keeps_what_it_has(version: int) -> None:
    """Opening is enough: messages, claims and counts are there, and new ones are taken."""
    with databases.database(empty=True) as url:
        await _brought_up(url, version)


async def _brought_up(url: str, version: int) -> None:
    content = b"kept by an older hub"
    kept = v.accepted(content, claims=(Claim("key", "digest"),))
    with closing(Address(url).connect(writes=True)) as connection:
        migrate(connection, KNOWN[:version])
        with connection.transaction():
            changes.apply(PostgresSession(connection), kept, {content: Body(sha256(content), len(content), content)})
    async with await PostgresStore.open(url, min_free_bytes=0) as store:
        assert await store.document(kept.messages[0].record.id) == content
        assert await store.deliveries(DeliveryFilter()) == list(kept.deliveries)
        assert await store.earlier("key") is not None
        assert await store.counts() == {str(s): 0 for s in State} | {"waiting": 1}
        assert await store.apply(v.accepted()) == Applied()
        assert await store.check() == []


async def test_an_older_hub_runs_beside_a_newer_one_for_as_long_as_it_can(url: str) -> None:
    """Not when the newer one has taken something away: then it is told which hub can use the store, and touches nothing."""
    async with (
        await PostgresStore.open(url, min_free_bytes=0, migrations=[*KNOWN, NEXT]) as newer,
        await PostgresStore.open(url, min_free_bytes=0) as older,
    ):
        assert await older.apply(v.accepted()) == await newer.apply(v.accepted()) == Applied()
        assert len(await older.messages(MessageFilter())) == 2
    with psycopg.connect(url, autocommit=True) as connection:
        assert migrate(connection, [*KNOWN, NEXT, BREAKING]) == [LAST + 2]
        before = schema(connection)
        text = f"has schema {LAST + 2}, which hubs that know schema {LAST + 2} or later can use; this hub knows up to {LAST}"
        with pytest.raises(StoreUnavailable, match=text):
            await PostgresStore.open(url, min_free_bytes=0)
        assert schema(connection) == before


def test_a_migration_that_fails_leaves_the_schema_before_it(url: str) -> None:
    """Whole or not at all; the ones before it stay."""
    broken = (LAST + 1, "-- Breaks.\nCREATE TABLE half (made INTEGER);\nINSERT INTO nowhere VALUES (1);\n")
    with psycopg.connect(url, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.UndefinedTable):
            migrate(connection, [*KNOWN, broken])
        assert connection.execute("SELECT number FROM schema_version").fetchone() == (LAST,)
        assert "half" not in {row[0] for row in schema(connection)[0]}


async def test_a_rolling_upgrade_under_traffic_loses_and_doubles_nothing(node: Open, url: str) -> None:
    """Old nodes write, claim, settle and read while a new one comes, brings the schema further, and works beside them."""
    old, receivers = [await node(), await node(connections=1)], ("8000202",)  # one knows each statement by heart
    accepted, settled, seen = list[str](), list[str](), list[str]()
    writing = working = True

    async def write(store: PostgresStore, name: str) -> None:
        number = 0
        while writing:
            number += 1
            change = v.accepted(claims=(Claim(f"{name} {number}"),))
            told = v.notification(receivers[0], change.messages[0].record.id)
            change = replace(change, notifications=(told,))
            assert await store.apply(change) == Applied()
            accepted.append(change.deliveries[0].id)

    async def deliver(store: PostgresStore) -> None:
        while working or len(settled) < len(accepted):
            for one in await store.claim(v.NOW, 5, v.LEASE, v.NOBODY, 1000):
                assert one.attempt == 1
                change = Change(moves=(v.move(one.delivery.id, Move.FINISH),))
                assert await store.settle(one.delivery.id, 1, v.outcome(), v.NOW, change) == Applied()
                settled.append(one.delivery.id)

    async def read(store: PostgresStore) -> None:
        offset = 0
        while working or len(seen) < len(accepted):
            for note in await store.notifications(receivers, offset, 50):
                offset = note.offset
                seen.append(note.message_id)

    async def settled_more(count: int) -> None:
        wanted = len(settled) + count
        while len(settled) < wanted:
            await asyncio.sleep(0.02)

    writers = [asyncio.create_task(write(one, f"old {n}")) for n, one in enumerate(old)]
    tasks = [asyncio.create_task(deliver(one)) for one in old]
    tasks.append(asyncio.create_task(read(old[0])))
    await settled_more(100)
    new = await node(migrations=[*KNOWN, NEXT])
    writers.append(asyncio.create_task(write(new, "new")))
    tasks.append(asyncio.create_task(deliver(new)))
    await settled_more(200)
    writing = False
    await asyncio.gather(*writers)
    working = False
    await asyncio.gather(*tasks)
    assert sorted(settled) == sorted(accepted)
    messages = [m.id for m in await new.messages(MessageFilter(limit=100_000))]
    assert sorted(seen) == sorted(messages)
    assert len(messages) == len(accepted)
    assert (await new.counts())["done"] == len(accepted)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM deliveries WHERE mood = 'calm'").fetchone() == (len(accepted),)
