"""Only `samhub serve` and `samhub db migrate` change a store's schema: every other command refuses an older one, or reads it."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import typer
from psycopg.conninfo import conninfo_to_dict
from typer.testing import CliRunner

from adapters.store.migrate import migrate
from adapters.store.postgres.connect import Address
from adapters.store.postgres.migrate import migrate as migrate_shared
from adapters.store.statements import migrations
from ops.cli.app import app
from ops.init import example_site
from ops.serve import logs, process
from ops.servers import databases

MIGRATING = {"serve", "db migrate"}
#: Those that need no configuration, and so find no store.
WITHOUT = {"demo", "bench", "init", "certs make-example", "config docs", "issuer"}
#: Those that must work, since one is taken before the schema is changed.
READING = {"db backup"}
#: What a command that cannot use the store says, in one sentence.
SENTENCE = "samhub db migrate"


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, list[str]]]:
    """Every command there is, with the names of what it must be given."""
    for name, one in group.commands.items():
        if hasattr(one, "commands"):
            yield from commands(one, (*path, name))
        else:
            yield " ".join((*path, name)), [p.name for p in one.params if p.required]


EVERY = dict(commands(typer.main.get_command(app)))


@dataclass
class Old:
    """A site whose store an older hub has left."""

    folder: Path
    url: str
    schema: Callable[[], object]  #: as it is now

    @property
    def words(self) -> dict[str, list[str]]:
        """What commands are given, by the name of what they must be given."""
        document = self.folder / "document.xml"
        document.write_text("<a/>")
        copy = self.folder / "copy"
        copy.mkdir(exist_ok=True)
        return {
            "files": [str(document)],
            "file": [str(document)],
            "wanted": ["nothing"],
            "her_id": ["8000202"],
            "cpa_id": ["nothing"],
            "out": [str(self.folder / "written")],
            "folder": [str(copy)],
            "why": ["--why", "a test"],
            "source": [str(document)],
        }

    def run(self, command: str) -> Any:
        """The command as a person types it, at a port that is taken; where it works on a store, on this one."""
        given = [word for name in EVERY[command] for word in self.words.get(name, [])]
        if command == "db move":
            given = ["--from", self.url or str(self.folder / "data/samhub.db"), "--to", str(self.folder / "moved.db")]
        more = {"simulate": ["--port", str(self.taken)], "purge": ["--really"], "db backup": [str(self.folder / "b")]}
        config = ["--config", str(self.folder / "samhub.toml")]
        if command == "db move":
            config = ["--password-file", str(self.folder / "password")] if self.url else []
        deadletters = ["nothing"] if command in ("deadletter resend", "deadletter discard") else []
        words = [*command.split(), *given, *deadletters, *more.get(command, []), *config]
        return CliRunner().invoke(app, words)

    taken: int = 0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site as `samhub init` makes it."""
    folder = tmp_path_factory.mktemp("site")
    example_site(folder)
    return folder


@pytest.fixture(params=["sqlite", "postgres"])
def old(request: pytest.FixtureRequest, site: Path) -> Iterator[Old]:
    """Its store, one migration behind."""
    (site / "data").mkdir(exist_ok=True)
    path = site / "data" / "samhub.db"
    for one in path.parent.glob("samhub.db*"):
        one.unlink()
    settings = (site / "samhub.toml").read_text()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        own = settings.replace("[http]", f"[http]\nport = {port}", 1)
        if request.param == "sqlite":
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                migrate(connection, migrations()[:-1])
            (site / "samhub.toml").write_text(own)
            made = Old(site, "", lambda: _schema(path), port)
            yield made
        else:
            with databases.database(empty=True) as url:
                with closing(Address(url).connect(writes=True)) as shared:
                    migrate_shared(shared, migrations("postgres")[:-1])
                given = conninfo_to_dict(url)
                (site / "password").write_text(str(given["password"]))
                plain = f"postgresql://{given['user']}@{given['host']}:{given['port']}/{given['dbname']}"
                named = f'[store]\nurl = "{plain}"\npassword_file = "password"'
                (site / "samhub.toml").write_text(own.replace("[store]", named, 1))
                yield Old(site, plain, lambda: _shared_schema(url), port)
    (site / "samhub.toml").write_text(settings)


def _schema(path: Path) -> object:
    with closing(sqlite3.connect(path)) as connection:
        version = connection.execute("PRAGMA user_version").fetchone()
        return version, connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2").fetchall()


def _shared_schema(url: str) -> object:
    with psycopg.connect(url) as connection:
        version = connection.execute("SELECT number FROM schema_version").fetchone()
        columns = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
        return version, connection.execute(f"{columns} ORDER BY 1, 2".encode()).fetchall()


def test_no_command_but_two_changes_a_schema(old: Old) -> None:
    """Each is tried in turn; none ends in a trace, and who cannot use the store says what to do."""
    before, refused = old.schema(), set()
    for command in sorted(EVERY.keys() - MIGRATING - WITHOUT):
        done = old.run(command)
        assert done.exception is None or isinstance(done.exception, SystemExit), (command, done.exception)
        assert "no such option" not in done.output.lower(), (command, done.output)
        assert old.schema() == before, command
        if SENTENCE in done.output:
            refused.add(command)
            assert (done.exit_code, len(done.output.strip().splitlines())) == (1, 1), (command, done.output)
        elif command in READING:
            assert done.exit_code == 0, (command, done.output)
    assert {
        "message list",
        "message resend",
        "arrival judge",
        "deadletter list",
        "purge",
        "db check",
        "db move",
    } <= refused
    assert {"config check", "party check", "certs check", "message hold", "receipts overdue", "reload"} <= refused


@pytest.mark.parametrize("command", sorted(MIGRATING))
def test_these_two_do(old: Old, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub before it serves (here its port is taken), and the command that is made for it."""
    monkeypatch.setattr(process, "tell_last_words", lambda: None)  # this process is no hub
    monkeypatch.setattr(logs, "configure", lambda _: None)
    before = old.schema()
    done = old.run(command)
    assert old.schema() != before, done.output
    assert str(migrations()[-1][0]) in str(old.schema())
    assert SENTENCE not in old.run("message list").output
