"""`samhub db` and `samhub purge`, as a person types them."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapters.store.sqlite import SqliteStore
from hub.message import Channel
from hub.ports import Applied, Change
from ops.cli.app import app
from tests.conformance import values as v

EVERYTHING = ("--days", "1")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A configuration that names a store, with one message in it that was settled long ago."""
    (tmp_path / "samhub.toml").write_text('[store]\npath = "data/samhub.db"\nmin_free_bytes = 0\n')

    async def fill() -> None:
        long_ago = v.NOW - timedelta(days=3650)
        record = v.message(id="old", received_at=long_ago)
        delivery = v.delivery("old", state="done", changed_at=long_ago)
        async with await SqliteStore.open(tmp_path / "data" / "samhub.db", min_free_bytes=0) as store:
            assert await store.apply(v.accepted(b"ten bytes!", record=record, deliveries=(delivery,))) == Applied()

    asyncio.run(fill())
    return tmp_path


def samhub(site: Path, *words: str, code: int = 0) -> str:
    """What the command says; it must end with `code`."""
    done = CliRunner().invoke(app, [*words, "--config", str(site / "samhub.toml")])
    assert done.exit_code == code, done.output
    return done.output


def document(site: Path) -> bytes | None:
    """The old message's document."""

    async def look() -> bytes | None:
        async with await SqliteStore.open(site / "data" / "samhub.db", min_free_bytes=0) as store:
            return await store.document("old")

    return asyncio.run(look())


def test_purge_removes_nothing_by_a_clock_that_is_behind_the_journal(site: Path) -> None:
    """It says why; what would go it still tells."""

    async def ahead() -> None:
        async with await SqliteStore.open(site / "data" / "samhub.db", min_free_bytes=0) as store:
            await store.apply(Change(journal=(v.entry(at=v.NOW + timedelta(days=3650)),)))

    asyncio.run(ahead())
    assert "nothing was removed: the clock tells" in samhub(site, "purge", *EVERYTHING, "--really", code=1)
    assert "1 bodies, 10 bytes" in samhub(site, "purge", *EVERYTHING)


def test_purge_tells_first_and_removes_when_told(site: Path) -> None:
    """In words for people, as JSON for programs."""
    assert "1 bodies, 10 bytes, 0 files would be removed (nothing was; say --really)" in samhub(site, "purge")
    assert document(site) == b"ten bytes!"
    told = json.loads(samhub(site, "purge", "--days", "5000", "--json"))
    assert (told["bodies"], told["really"]) == (0, False)
    assert "1 bodies, 10 bytes, 0 files removed" in samhub(site, "purge", *EVERYTHING, "--really")
    assert document(site) is None
    assert "every promise is kept" in samhub(site, "db", "check")


def test_purge_by_rules_tells_what_each_would_take(site: Path) -> None:
    """As [purge] says; what has lain ready for weeks is told as a delivery that would end."""

    async def lay_ready() -> None:
        old = v.NOW - timedelta(days=3650)
        delivery = v.delivery("ready", state="available", channel=Channel.MAILBOX, next_at=None, created_at=old)
        change = v.accepted(b"unfetched", record=v.message(id="ready", received_at=old), deliveries=(delivery,))
        async with await SqliteStore.open(site / "data" / "samhub.db", min_free_bytes=0) as store:
            assert await store.apply(change) == Applied()

    asyncio.run(lay_ready())
    with (site / "samhub.toml").open("a") as configuration:
        configuration.write("[purge]\nas_edi20 = true\n")
    told = samhub(site, "purge", "--by-rules")
    assert "not fetched in time: 1 deliveries that would end, 0 bytes" in told
    assert "confirmed by all receivers: 1 bodies, 10 bytes" in told and "say --really" in told
    assert document(site) == b"ten bytes!"
    rules = json.loads(samhub(site, "purge", "--by-rules", "--json"))["rules"]
    assert [one["count"] for one in rules] == [1, 0, 1, 1, 1]


def test_a_backup_is_restored_by_two_commands(site: Path) -> None:
    """What was purged since is there again, and the store that was there is named."""
    copy = str(site / "copy")
    assert samhub(site, "db", "backup", copy).strip() == str(site / "copy" / "samhub.db")
    samhub(site, "purge", *EVERYTHING, "--really")
    assert "a store is there already; --replace" in samhub(site, "db", "restore", copy, code=1)
    said = samhub(site, "db", "restore", copy, "--replace")
    (aside,) = (site / "data").glob("samhub-replaced-*")
    assert f"the store that was there lies in {aside}" in said
    assert document(site) == b"ten bytes!"


def test_migrate_says_what_it_did(site: Path) -> None:
    """Nothing, the second time."""
    assert "up to date" in samhub(site, "db", "migrate")
    (site / "data" / "samhub.db").unlink()
    assert "applied 1, 2" in samhub(site, "db", "migrate")


def test_a_store_that_is_not_there_is_not_made_by_looking(tmp_path: Path) -> None:
    """The command says how it is made."""
    (tmp_path / "samhub.toml").write_text('[store]\npath = "data/samhub.db"\n')
    for words in (("purge",), ("db", "check"), ("db", "backup", str(tmp_path / "copy"))):
        assert "no store yet" in samhub(tmp_path, *words, code=1)
    assert not (tmp_path / "data").exists()
