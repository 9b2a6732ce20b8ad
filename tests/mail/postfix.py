"""A real mail server between the hubs: postfix with a configuration, a queue and a port of its own, on loopback only."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ops.demo.stage import free_ports

MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/log/mail.log
maillog_file_prefixes = {folder}
myhostname = relay.example
myorigin = relay.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtp_dns_support_level = disabled
disable_dns_lookups = yes
smtp_host_lookup = native
transport_maps = inline:{{{routes}}}
default_transport = error:5.1.2 nobody knows this domain
alias_maps =
alias_database =
local_recipient_maps =
notify_classes =
message_size_limit = 60000000
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
smtp_connect_timeout = 2s
{more}
"""
#: Name, kind, private, unprivileged, chroot, wakeup, most processes, command.
MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass
class Postfix:
    """One instance. `routes` say where mail for an address goes: address → port on this machine."""

    routes: Mapping[str, int]
    more: str = ""
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="samhub-postfix-")))
    port: int = field(default_factory=lambda: free_ports(1)[0])

    def __post_init__(self) -> None:
        self._program = shutil.which("postfix") or "/usr/sbin/postfix"
        assert Path(self._program).exists(), "postfix is missing: apt-get install postfix"
        assert os.geteuid() == 0, "a private postfix has to be started by root"
        self.folder.chmod(0o755)
        for name in ("conf", "spool", "data", "log"):
            (self.folder / name).mkdir()
        user = pwd.getpwnam("postfix")
        os.chown(self.folder / "data", user.pw_uid, user.pw_gid)
        self.configure(self.routes, self.more)
        (self.folder / "conf" / "master.cf").write_text(MASTER.format(port=self.port))

    def configure(self, routes: Mapping[str, int], more: str = "") -> None:
        """Writes main.cf; in force from the next start."""
        ways = ", ".join(f"{{{address} = smtp:[127.0.0.1]:{port}}}" for address, port in routes.items())
        text = MAIN.format(folder=self.folder, routes=ways, more=more)
        (self.folder / "conf" / "main.cf").write_text(text)

    def start(self) -> Postfix:
        """Ready when this returns."""
        self._postfix("start")
        end = time.monotonic() + 10
        while not self._listens():
            assert time.monotonic() < end, self.log()
            time.sleep(0.02)
        return self

    def close(self) -> None:
        """Ends this instance only, and away with its folder."""
        pid = self.folder / "spool" / "pid" / "master.pid"
        if pid.exists():
            os.kill(int(pid.read_text().split()[0]), signal.SIGTERM)
            end = time.monotonic() + 10
            while self._listens() and time.monotonic() < end:
                time.sleep(0.02)
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """What it has told."""
        file = self.folder / "log" / "mail.log"
        return file.read_text() if file.exists() else ""

    def _postfix(self, verb: str) -> None:
        command = [self._program, "-c", str(self.folder / "conf"), verb]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stdout + done.stderr + self.log()

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
