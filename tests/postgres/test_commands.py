"""`samhub db` with a shared store, as a person types it; and the settings that name it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from typer.testing import CliRunner

from adapters.store.postgres import PostgresStore
from adapters.store.sqlite import SqliteStore
from hub.errors import ConfigurationError
from hub.ports import Applied, MessageFilter
from ops import config
from ops.cli.app import app
from ops.servers import postgres
from tests.conformance import values as v

PASSWORD = postgres.PASSWORD


@pytest.fixture
def site(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A configuration that names a shared store, its password in a file."""
    given = conninfo_to_dict(url)
    (tmp_path / "password").write_text(f"{given.pop('password', '')}\n")
    plain = url.replace(f":{PASSWORD}@", "@")
    (tmp_path / "samhub.toml").write_text(f'[store]\nurl = "{plain}"\npassword_file = "password"\nmin_free_bytes = 0\n')
    monkeypatch.delenv("PGPASSWORD", raising=False)
    yield tmp_path


def samhub(site: Path, *words: str, code: int = 0) -> str:
    """What the command says; it must end with `code`, and never tell the password."""
    done = CliRunner().invoke(app, [*words, "--config", str(site / "samhub.toml")])
    assert done.exit_code == code, done.output
    assert PASSWORD not in done.output
    return done.output


def one_message(url: str) -> None:
    """Something to look at."""

    async def fill() -> None:
        async with await PostgresStore.open(url, min_free_bytes=0) as store:
            assert await store.apply(v.accepted(b"a document")) == Applied()

    asyncio.run(fill())


def test_migrate_makes_the_store_and_says_what_it_did(site: Path, url: str) -> None:
    """Nothing, the second time."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    assert "applied 1, 2, 3" in samhub(site, "db", "migrate")
    assert "up to date" in samhub(site, "db", "migrate")


def test_check_and_purge_ask_the_shared_store(site: Path, url: str) -> None:
    """In the same words as for the embedded one."""
    one_message(url)
    assert "every promise is kept" in samhub(site, "db", "check")
    assert json.loads(samhub(site, "purge", "--days", "1", "--json"))["bodies"] == 0


def test_the_configuration_shows_no_password(site: Path) -> None:
    """It stands in a file of its own."""
    assert json.loads(samhub(site, "config", "show"))["store"]["password_file"].endswith("password")


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (f"postgresql://samhub:{PASSWORD}@db/samhub", "put it into store.password_file"),
        (f"postgresql://db/samhub?password={PASSWORD}", "put it into store.password_file"),
        ("mysql://db/samhub", "begins with postgresql://"),
    ],
)
def test_a_password_in_the_configuration_is_refused(tmp_path: Path, written: str, told: str) -> None:
    """With where to put it, and without repeating it."""
    (tmp_path / "samhub.toml").write_text(f'[store]\nurl = "{written}"\n')
    with pytest.raises(ConfigurationError, match=told) as error:
        config.load(tmp_path / "samhub.toml")
    assert PASSWORD not in str(error.value)


def test_a_backup_is_a_dump_that_can_be_restored(site: Path, url: str) -> None:
    """Taken while nodes run; restored by PostgreSQL's own means into an empty place, where every promise is kept."""
    one_message(url)
    said = samhub(site, "db", "backup", str(site / "copy"))
    assert said.strip() == str(site / "copy" / "samhub.dump")
    assert "is there already" in samhub(site, "db", "backup", str(site / "copy"), code=1)
    assert "pg_restore" in samhub(site, "db", "restore", str(site / "copy"), code=1)
    asyncio.run(_restored(url, site / "copy" / "samhub.dump"))


async def _restored(url: str, dump: Path) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
    subprocess.run(["pg_restore", "--no-owner", f"--dbname={url}", str(dump)], check=True)
    async with await PostgresStore.open(url, min_free_bytes=0) as store:
        (message,) = await store.messages(MessageFilter())
        assert await store.document(message.id) == b"a document"
        assert await store.check() == []


def test_where_pg_dump_is_not_installed_it_is_said_what_to_do(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence."""
    samhub(site, "db", "migrate")
    monkeypatch.setattr("shutil.which", lambda program: None)
    assert "pg_dump is not installed here" in samhub(site, "db", "backup", str(site / "copy"), code=1)


def test_a_store_is_moved_by_one_command(site: Path, url: str) -> None:
    """And back; what is in the way is said."""

    async def fill() -> None:
        async with await SqliteStore.open(site / "old.db", min_free_bytes=0) as store:
            assert await store.apply(v.accepted(b"a document")) == Applied()

    asyncio.run(fill())
    plain = url.replace(f":{PASSWORD}@", "@")

    def moved(source: str, target: str, code: int = 0) -> str:
        words = ["db", "move", "--from", source, "--to", target, "--password-file", str(site / "password")]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == code, done.output
        assert PASSWORD not in done.output
        return done.output

    assert "1 messages with all that belongs to them" in moved(str(site / "old.db"), plain)
    assert "is not empty" in moved(str(site / "old.db"), plain, code=1)
    assert "1 messages" in moved(plain, str(site / "new.db"))
    assert "no store there" in moved(str(site / "nothing.db"), str(site / "other.db"), code=1)
    assert "every promise is kept" in samhub(site, "db", "check")
