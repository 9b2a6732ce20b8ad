"""A real PostgreSQL: a private one on a free port, from the installed programs, unless SAMHUB_TEST_POSTGRES_URL names one."""

from __future__ import annotations

import atexit
import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import psycopg

from hub.errors import HubError
from ops.demo.stage import free_ports
from ops.servers import keeper

USER, PASSWORD = "samhub", "hemmelig"
NAMED = "SAMHUB_TEST_POSTGRES_URL"
#: For a server whose data nobody needs after a loss of power, and in which many small databases are made and dropped.
QUICK = {"synchronous_commit": "off", "full_page_writes": "off", "max_wal_size": "4GB", "checkpoint_timeout": "1h"}


def programs() -> Path:
    """The folder of the newest installed server."""
    found = [Path(p).parent for p in [shutil.which("initdb")] if p]
    found += [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if not found:
        raise HubError(f"PostgreSQL is missing: install it (Debian: postgresql), or name a server with {NAMED}")
    return max(found, key=lambda path: [int(n) for n in re.findall(r"\d+", str(path))])


def _as_somebody() -> list[str]:
    """The server refuses to be run by root: then it is run by postgres, or by nobody. It ends when the tests do."""
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    ids = (f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--pdeathsig=INT")
    return ["setpriv", *ids]


@dataclass
class PostgresServer:
    """One server with a folder and a port of its own. `durable` ones sync to disk as in production."""

    durable: bool = False
    settings: dict[str, str] = field(default_factory=dict)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="samhub-postgres-")))
    port: int = field(default_factory=lambda: free_ports(1)[0])
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        password = self.folder / "password"
        password.write_text(f"{PASSWORD}\n")
        for path in (self.folder, password):
            if command := _as_somebody():
                os.chown(path, int(command[1].split("=")[1]), int(command[2].split("=")[1]))
        made = ("--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", f"--pwfile={password}")
        subprocess.run(
            [*_as_somebody(), programs() / "initdb", *made, "-U", USER, "-D", self.folder / "data"],
            check=True,
            stdout=subprocess.DEVNULL,
        )

    @property
    def url(self) -> str:
        """The whole address, with the password."""
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int:
        """Of the server's first process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> PostgresServer:
        """Answers when this returns."""
        given = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "300",
            "fsync": "on" if self.durable else "off",
            "logging_collector": "off",
            **self.settings,
        }
        options = [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_as_somebody(), programs() / "postgres", "-D", self.folder / "data", *options],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.wait()
        return self

    def wait(self) -> None:
        """Until it answers."""
        end = time.monotonic() + 20
        while True:
            try:
                return psycopg.connect(self.url, connect_timeout=5).close()
            except psycopg.OperationalError:
                assert self._process is not None and self._process.poll() is None, self.log()
                assert time.monotonic() < end, self.log()
                time.sleep(0.02)

    def log(self) -> str:
        """What it has said."""
        return (self.folder / "log").read_text()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Ends this server only: SIGINT breaks off what is under way, SIGQUIT is as good as a crash."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(how)
            self._process.wait(20)
            self._process = None

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stops and starts, on the same port with the same data."""
        self.stop(how)
        self.start()

    def close(self) -> None:
        """Stops it and removes all that it had."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)


@lru_cache
def shared_url() -> str:
    """The server that a run shares: the named one, the one that is lent to the run, or a private one that is started now."""
    if named := os.environ.get(NAMED):
        return named
    if keeper.in_a_run():
        return str(keeper.lent("postgres")["url"])
    server = PostgresServer().start()
    atexit.register(server.close)
    return server.url


def listens(port: int) -> bool:
    """Whether anybody takes connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
