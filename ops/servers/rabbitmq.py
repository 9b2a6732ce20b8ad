"""A private RabbitMQ on free ports of loopback, that may be killed, choked and cut off."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from hub.errors import HubError
from ops.demo.stage import free_ports
from ops.servers import keeper

NAMED = "SAMHUB_TEST_AMQP_URL"
CONFIGURATION = """\
listeners.tcp.1 = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
vm_memory_high_watermark.relative = {watermark}
disk_free_limit.absolute = 50MB
log.file.level = warning
collect_statistics_interval = 1000
{more}
"""
WATERMARK = 0.4
SECONDS = 60  #: a broker starts within; four are usual on an idle machine


@dataclass(frozen=True)
class Depth:
    """What lies in a queue."""

    ready: int
    unacked: int


class VirtualHost:
    """A virtual host of a RabbitMQ that runs, whoever started it: looked at, and furnished by its management interface."""

    def __init__(self, port: int, management: int, node: str, environment: Mapping[str, str], name: str = "/") -> None:
        """`name` is that of the virtual host; `environment` is what rabbitmqctl needs to find the node."""
        self.port, self.name = port, name
        self._management, self._node, self._environment = management, node, dict(environment)
        self._scripts = scripts()

    @property
    def url(self) -> str:
        """AMQP 0.9.1."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{'' if self.name == '/' else quote(self.name, '')}"

    @property
    def url10(self) -> str:
        """AMQP 1.0, on the same port; it has the virtual host "/" only."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}"

    @property
    def path(self) -> str:
        """The name as the management interface has it in its paths."""
        return quote(self.name, "")

    def facts(self) -> dict[str, Any]:
        """What another process needs to reach it: VirtualHost(**facts)."""
        return {
            "port": self.port,
            "management": self._management,
            "node": self._node,
            "environment": self._environment,
        }

    def room(self, name: str) -> VirtualHost:
        """Another virtual host of the same broker, made now and empty. Drop it with `drop()`."""
        self.add_vhost(name)
        return VirtualHost(**self.facts(), name=name)

    def drop(self) -> None:
        """Away with this virtual host and all that is in it."""
        self.manage("DELETE", f"vhosts/{self.path}")

    def depth(self, queue: str, vhost: str = "") -> Depth:
        """What lies in a queue now, and what has been handed out without an answer yet."""
        columns = ("name", "messages_ready", "messages_unacknowledged")
        told = self.ctl("list_queues", "-p", vhost or self.name, "--formatter", "json", "--silent", *columns)
        for row in json.loads(told):
            if row["name"] == queue:
                return Depth(row["messages_ready"], row["messages_unacknowledged"])
        raise AssertionError(f"there is no queue {queue} in {vhost or self.name}: {told}")

    def add_vhost(self, name: str) -> str:
        """A virtual host where guest may do everything; the AMQP 0.9.1 address of it."""
        self.manage("PUT", f"vhosts/{quote(name, '')}")
        self.permit("guest", name)
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{quote(name, '')}"

    def add_user(self, name: str, password: str, vhost: str = "", **rights: str) -> str:
        """A user with its rights (`configure`, `write`, `read`: everything unless told); its AMQP 0.9.1 address."""
        self.manage("PUT", f"users/{quote(name, '')}", {"password": password, "tags": ""})
        vhost = vhost or self.name
        self.permit(name, vhost, **rights)
        return f"amqp://{quote(name, '')}:{quote(password, '')}@127.0.0.1:{self.port}/{quote(vhost, '')}"

    def permit(self, user: str, vhost: str, configure: str = ".*", write: str = ".*", read: str = ".*") -> None:
        """What a user may do in a virtual host, as patterns of names."""
        rights = {"configure": configure, "write": write, "read": read}
        self.manage("PUT", f"permissions/{quote(vhost, '')}/{quote(user, '')}", rights)

    def manage(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """A call of the management interface; what it answers, None for nothing."""
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        base = f"http://127.0.0.1:{self._management}/api/"
        passwords.add_password(None, base, "guest", "guest")
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPBasicAuthHandler(passwords)
        )
        content = json.dumps(body or {}).encode() if method in ("PUT", "POST") else None
        request = urllib.request.Request(base + path, content, {"Content-Type": "application/json"}, method=method)
        with opener.open(request, timeout=10) as answer:
            found = answer.read()
        return json.loads(found) if found else None

    def ctl(self, *words: str) -> str:
        """rabbitmqctl; its answer. Takes a second or two: it starts an Erlang of its own."""
        command = [str(self._scripts / "rabbitmqctl"), "-n", self._node, *words]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=SECONDS)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


class Broker(VirtualHost):
    """A private RabbitMQ: started, stopped, killed, choked and cut off as a test wants it.

    What it holds outlives stop() and kill(), as on a machine that comes back. The distribution's wrappers change the
    user; the scripts behind them do not, and look nowhere but where the environment says.
    """

    def __init__(self, more: str = "", plugins: str = "rabbitmq_amqp1_0,rabbitmq_management") -> None:
        """`more` are further lines of rabbitmq.conf; {folder} in them is its own folder."""
        self.folder = Path(tempfile.mkdtemp(prefix="samhub-rabbit-"))
        port, management, self._distribution, self._epmd_port = free_ports(4)
        super().__init__(port, management, f"samhub{port}@localhost", {})
        self._beam: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        self._watch: list[subprocess.Popen[bytes]] = []
        self._alarmed = False
        self._configure(more, plugins)

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._beam is not None and self._beam.poll() is None

    def start(self) -> Broker:
        """Ready for connections when this returns."""
        if self._epmd is None:
            self._epmd = self._run("epmd", "-address", "127.0.0.1", "-port", str(self._epmd_port))
        self._beam = self._run(str(self._scripts / "rabbitmq-server"))
        self._alarmed = False
        end = time.monotonic() + SECONDS
        while not self._answers():
            assert self.running and time.monotonic() < end, f"it does not start:\n{self.log()[-3000:]}"
            time.sleep(0.05)
        return self

    def stop(self) -> None:
        """In an orderly way: clients are told, queues are written."""
        if self._beam is not None:
            self._beam.terminate()
            self._beam.wait(SECONDS)
            self._beam = None

    def kill(self) -> None:
        """As by loss of power: SIGKILL."""
        if self._beam is not None:
            self._beam.kill()
            self._beam.wait(SECONDS)
            self._beam = None

    def settle(self) -> None:
        """Writes down which quorum queues there are: by itself it does so every three minutes only.

        One that is killed before comes back with such a queue in name, and it never answers again.
        """
        self.ctl("eval", "[dets:sync(Table) || Table <- dets:all()].")

    def restart(self) -> None:
        """In an orderly way, and there again when this returns."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Ends what it started, and away with its folder."""
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait(SECONDS)
        for watch in self._watch:
            assert watch.stdin is not None
            watch.stdin.close()
            watch.wait(SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)

    def whole(self) -> Broker:
        """Running and without an alarm, whatever an earlier test did to it."""
        if not self.running:
            self.start()
        if self._alarmed:
            self.alarm(False)
        return self

    def alarm(self, on: bool) -> None:
        """The memory alarm: while it stands, whoever publishes is blocked. In force when this returns."""
        self.ctl("set_vm_memory_high_watermark", "0.0001" if on else str(WATERMARK))
        self._alarmed = on
        end = time.monotonic() + SECONDS
        while self._blocks() != on:
            assert time.monotonic() < end, f"the alarm does not go {'on' if on else 'off'}"
            time.sleep(0.05)

    def cut(self) -> None:
        """Closes every connection, as an operator or a firewall may."""
        self.ctl("close_all_connections", "cut by a test")

    def log(self) -> str:
        """What it has told."""
        return "".join(f.read_text(errors="replace") for f in sorted((self.folder / "log").glob("*")) if f.is_file())

    def _configure(self, more: str, plugins: str) -> None:
        for name in ("home", "mnesia", "log"):
            (self.folder / name).mkdir()
        cookie = self.folder / "home" / ".erlang.cookie"
        cookie.write_text(f"COOKIE{self.port}")
        cookie.chmod(0o400)
        text = CONFIGURATION.format(
            amqp=self.port, management=self._management, watermark=WATERMARK, more=more.format(folder=self.folder)
        )
        (self.folder / "rabbitmq.conf").write_text(text)
        (self.folder / "enabled_plugins").write_text(f"[{plugins}].\n")
        # Its schedulers sleep when there is nothing to do: waiting busily they take the processor from whoever is tested.
        loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
        calm = "+sbwt none +sbwtdcpu none +sbwtdio none"
        self._environment = {
            "PATH": f"{os.environ['PATH']}:/usr/sbin:/usr/bin",
            "HOME": str(self.folder / "home"),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP_SECONDS": "0",
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{loopback} {calm}",
            "RABBITMQ_CTL_ERL_ARGS": loopback,
            "RABBITMQ_CTL_DIST_PORT_MIN": "35672",
            "RABBITMQ_CTL_DIST_PORT_MAX": "35772",
            # The script becomes the broker, instead of a shell that waits for it and is all that a signal would reach.
            "RUNNING_UNDER_SYSTEMD": "1",
            **({keeper.RUN: os.environ[keeper.RUN]} if keeper.in_a_run() else {}),
        }

    def _run(self, *command: str) -> subprocess.Popen[bytes]:
        """A process in a session of its own, ended with this one even if this one is killed."""
        with (self.folder / "log" / "out").open("ab") as out:
            made = subprocess.Popen(
                command, env=self._environment, cwd=self.folder, stdout=out, stderr=out, start_new_session=True
            )
        script = f"read _; kill -9 {made.pid} 2>/dev/null"
        self._watch.append(subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, start_new_session=True))
        return made

    def _answers(self) -> bool:
        """The listener for AMQP is opened last of all."""
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                return False
        try:
            self.manage("GET", "overview")
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False
        return True

    def _blocks(self) -> bool:
        try:
            self.manage("GET", "health/checks/local-alarms")
        except urllib.error.HTTPError as error:
            assert error.code == 503, error
            return True
        return False


def scripts() -> Path:
    """Where RabbitMQ's own scripts are, behind the wrappers of the distribution."""
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    installed = shutil.which("rabbitmq-server", path=f"{os.environ['PATH']}:/usr/sbin")
    if found:
        return found[-1].parent
    if not installed:
        raise HubError(f"RabbitMQ is missing: install it (Debian: rabbitmq-server), or name a server with {NAMED}")
    return Path(installed).resolve().parent
