"""A real IMAP and POP3 server: dovecot with a configuration of its own, on free ports, started and stopped by the tests."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from ops.demo.stage import free_ports
from tests.mail.servers import Authority

PASSWORD = "hemmelig"  # of every mailbox of the tests
USERS = 60
CONFIGURATION = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap pop3
listen = 127.0.0.1
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%u
mail_max_userip_connections = 50
mail_fsync = never
auth_failure_delay = 0
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
{more}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {folder}/users
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={folder}/mail/%u
}}
service imap-login {{
  inet_listener imap {{
    port = {ports[0]}
  }}
  inet_listener imaps {{
    port = {ports[1]}
    ssl = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {ports[2]}
  }}
  inet_listener pop3s {{
    port = {ports[3]}
    ssl = yes
  }}
}}
"""


@dataclass
class Dovecot:
    """One instance; `more` are lines of its configuration."""

    more: str = ""
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="samhub-dovecot-")))
    ports: list[int] = field(default_factory=lambda: list(free_ports(4)))
    _free: Any = field(default_factory=lambda: count())
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        program = shutil.which("dovecot") or "/usr/sbin/dovecot"
        assert Path(program).exists(), "dovecot is missing: apt-get install dovecot-imapd dovecot-pop3d"
        assert os.geteuid() == 0, "a private dovecot has to be started by root"
        self._program = program
        self.folder.chmod(0o755)
        self.authority = Authority.made(self.folder / "ca", "own")
        certificate, key = self.authority.issue("127.0.0.1")
        (self.folder / "users").write_text("".join(f"u{n}:{{PLAIN}}{PASSWORD}\n" for n in range(USERS)))
        (self.folder / "password").write_text(f"{PASSWORD}\n")
        (self.folder / "mail").mkdir()
        self._own(self.folder / "mail")
        (self.folder / "dovecot.conf").write_text(
            CONFIGURATION.format(folder=self.folder, certificate=certificate, key=key, ports=self.ports, more=self.more)
        )

    def start(self) -> Dovecot:
        """Ready when this returns."""
        command = [self._program, "-F", "-c", str(self.folder / "dovecot.conf")]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, start_new_session=True
        )
        end = time.monotonic() + 10
        for port in self.ports:
            while not _listens(port):
                assert time.monotonic() < end and self._process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.02)
        return self

    def stop(self) -> None:
        """Ends this instance only, at once: by itself it takes six seconds for it."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
            self._process = None
            (self.folder / "run" / "master.pid").unlink(missing_ok=True)

    def close(self) -> None:
        """Stops, and away with its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def mailbox(self) -> Mailbox:
        """A mailbox that no other test uses."""
        return Mailbox(self, f"u{next(self._free)}")

    def _own(self, path: Path) -> None:
        user = pwd.getpwnam("mail")
        os.chown(path, user.pw_uid, user.pw_gid)


@dataclass
class Mailbox:
    """One mailbox of an instance."""

    server: Dovecot
    user: str

    def settings(self, protocol: str = "imap", tls: str = "implicit", **more: Any) -> dict[str, Any]:
        """The hub's section about it."""
        secure = tls == "implicit"
        port = self.server.ports[(0 if protocol == "imap" else 2) + secure]
        folder = self.server.folder
        return {
            "protocol": protocol,
            "tls": tls,
            "host": "127.0.0.1",
            "port": port,
            "ca_file": str(self.server.authority.file),
            "username": self.user,
            "password_file": str(folder / "password"),
            "poll_seconds": 0.3,
            "answer_seconds": 10,
            **more,
        }

    def put(self, *mails: bytes, folder: str = "") -> None:
        """Mails arrive, as a mail server would deliver them (maildir)."""
        root = self.server.folder / "mail" / self.user
        place = root / f".{folder}" if folder else root
        for path in (root, place, place / "new", place / "tmp", place / "cur"):
            path.mkdir(exist_ok=True)
            self.server._own(path)
        for mail in mails:
            name = f"{time.time_ns()}.{next(_numbers)}.prove"
            (place / "tmp" / name).write_bytes(mail)
            self.server._own(place / "tmp" / name)
            (place / "tmp" / name).rename(place / "new" / name)

    def left(self, folder: str = "") -> int:
        """How many mails lie there."""
        root = self.server.folder / "mail" / self.user
        place = root / f".{folder}" if folder else root
        return sum(1 for part in ("new", "cur") if (place / part).is_dir() for _ in (place / part).iterdir())


_numbers = count()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
