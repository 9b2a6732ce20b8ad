"""A store's schema is what its migrations make of it, step by step or at once, and no step loses what was kept."""

from __future__ import annotations

import re
import sqlite3
import threading
from contextlib import closing
from importlib.resources import files
from pathlib import Path

import pytest

from adapters.store import changes
from adapters.store.bodies import Bodies
from adapters.store.file import schema
from adapters.store.migrate import migrate
from adapters.store.sqlite import SqliteStore
from adapters.store.statements import migrations
from adapters.store.writer import SqliteSession
from hub.errors import StoreUnavailable
from hub.ports import Applied, Change, Claim, DeliveryFilter
from hub.states import State
from tests.conformance import values as v

NUMBERS = [number for number, _ in migrations()]


def opened(path: Path) -> sqlite3.Connection:
    """A plain connection, as a migration gets it."""
    return sqlite3.connect(path, isolation_level=None)


def test_every_migration_is_numbered_named_and_described() -> None:
    """One after another without a gap; its first line says what it is for."""
    found = sorted(f.name for f in (files("adapters.store.migrations") / "sqlite").iterdir() if f.name.endswith(".sql"))
    assert [re.match(r"(\d{4})_[a-z_]+\.sql$", name) is not None for name in found] == [True] * len(found)
    assert list(range(1, len(found) + 1)) == NUMBERS
    assert [sql for _, sql in migrations() if not re.match(r"-- \S.*[.:;]", sql)] == []


def test_step_by_step_the_schema_is_the_same_as_at_once(tmp_path: Path) -> None:
    """Table for table and index for index; and each step says which it was."""
    with closing(opened(tmp_path / "steps.db")) as steps, closing(opened(tmp_path / "once.db")) as once:
        assert [migrate(steps, migrations()[:count]) for count in NUMBERS] == [[number] for number in NUMBERS]
        assert migrate(once) == NUMBERS
        assert migrate(once) == []
    assert list(schema(tmp_path / "steps.db")) == list(schema(tmp_path / "once.db"))
    assert any("CREATE TABLE deliveries" in one for one in schema(tmp_path / "once.db"))


@pytest.mark.parametrize("version", NUMBERS)
async def test_a_store_of_an_older_hub_is_brought_up_and_keeps_what_it_has(tmp_path: Path, version: int) -> None:
    """Opening is enough: messages, claims, arrivals and counts are there, and new ones are taken."""
    path = tmp_path / "samhub.db"
    record = v.arrival_record("refused")
    kept = v.accepted(b"kept by an older hub", claims=(Claim("key", "digest"),))
    everything = Change(arrival=record, claims=kept.claims, messages=kept.messages, deliveries=kept.deliveries)
    with closing(opened(path)) as older:
        migrate(older, migrations()[:version])
        bodies = Bodies(tmp_path / "samhub-bodies")
        older.execute("BEGIN")
        changes.apply(
            SqliteSession(older),
            everything,
            {c: bodies.prepared(c) for c in (b"kept by an older hub", record.arrival.body)},
        )
        older.execute("COMMIT")
    async with await SqliteStore.open(path, min_free_bytes=0) as store:
        assert await store.document(kept.messages[0].record.id) == b"kept by an older hub"
        assert await store.deliveries(DeliveryFilter()) == list(kept.deliveries)
        assert await store.earlier("key") is not None
        assert await store.counts() == {str(s): 0 for s in State} | {"waiting": 1, "arrival:refused": 1}
        assert await store.apply(v.accepted()) == Applied()
        await store.apply(Change(journal=(v.entry(kept.messages[0].record.id),)))
        assert await store.check() == []


async def test_a_store_of_a_newer_hub_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """Nothing of it is touched."""
    path = tmp_path / "samhub.db"
    newer = NUMBERS[-1] + 1
    with closing(opened(path)) as connection:
        migrate(connection)
        connection.execute(f"PRAGMA user_version = {newer}")
    with pytest.raises(
        StoreUnavailable, match=f"has schema {newer}, this hub knows up to {newer - 1}: run a newer hub"
    ):
        await SqliteStore.open(path, min_free_bytes=0)


async def test_what_is_no_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A text file by that name, or a folder."""
    (tmp_path / "text.db").write_text("something else entirely, long enough to be looked at " * 20)
    (tmp_path / "folder.db").mkdir()
    for name in ("text.db", "folder.db"):
        with pytest.raises(StoreUnavailable, match="the store cannot be opened"):
            await SqliteStore.open(tmp_path / name, min_free_bytes=0)
    assert (tmp_path / "text.db").read_text().startswith("something else entirely")


def test_a_migration_that_fails_leaves_the_schema_before_it(tmp_path: Path) -> None:
    """Whole or not at all; the ones before it stay."""
    last = NUMBERS[-1]
    broken = (last + 1, "-- Breaks.\nCREATE TABLE half (made INTEGER);\nINSERT INTO nowhere VALUES (1);\n")
    with closing(opened(tmp_path / "samhub.db")) as connection:
        with pytest.raises(sqlite3.OperationalError, match="nowhere"):
            migrate(connection, [*migrations(), broken])
        assert connection.execute("PRAGMA user_version").fetchone() == (last,)
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'half'").fetchall() == []
        assert not connection.in_transaction


def test_a_migration_cut_short_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    """A file that ends within a statement."""
    with closing(opened(tmp_path / "samhub.db")) as connection:
        with pytest.raises(sqlite3.ProgrammingError, match="ends within a statement"):
            migrate(connection, [(1, "CREATE TABLE a (b INTEGER);\nCREATE TABLE c (")])
        assert connection.execute("PRAGMA user_version").fetchone() == (0,)


def test_many_who_migrate_at_once_do_it_once(tmp_path: Path) -> None:
    """A hub that starts while somebody types `samhub db migrate`: each step is applied by one of them."""
    applied: list[int] = []

    def one() -> None:
        with closing(sqlite3.connect(tmp_path / "samhub.db", isolation_level=None, timeout=30)) as connection:
            applied.extend(migrate(connection))

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(applied) == NUMBERS
