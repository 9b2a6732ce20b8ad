"""Several nodes that are one hub: any of them may die, be cut off or join, while partners and record systems live on."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import re
import signal
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psycopg

from adapters.store.postgres import PostgresStore
from ops.partner.handles import Pki, partner_member
from ops.sector import write_site
from ops.servers.rabbitmq import VirtualHost
from tests.crash.village import (
    DOCTOR,
    NURSING,
    PARTNERS,
    PHYSIO,
    SETTINGS,
    Life,
    Nurseries,
    Nursery,
    Village,
    partner_of,
)
from tests.support.logins import login, written_down
from tests.support.steady import PAUSE, SteadyPartner, SteadyRecordSystem

#: How long a dead node keeps what it had under way: long enough to be seen in a test, short enough to wait for.
LEASE = 2.0
#: Between two acts of one actor, in seconds.
BREATH = 0.25
#: Where there is no node.
NOBODY = "http://127.0.0.1:9"


@functools.cache
def nurseries() -> Nurseries:
    """Those of this process; tests/nodes/conftest.py ends them."""
    return Nurseries()


class Fleet:
    """The nodes. To everybody else they are one address, as behind a load balancer."""

    def __init__(self, folder: Path, configuration: Path, queue: str) -> None:
        self._folder, self._configuration, self.queue = folder, configuration, queue
        self._turn = itertools.count()
        self._lent: list[Nursery] = []
        self._own: list[Nursery] = []
        self.nodes: list[Life] = []
        self.front: list[Life] = []  #: the only ones that are reached from outside; all of them where it is empty

    async def join(self, configuration: Path | None = None, *before: str, **order: Any) -> Life:
        """One more node, once it serves. `before` is a program that runs it; `order` is for tests/crash/child.py."""
        if before:
            nursery = Nursery(self._folder / f"node-{len(self.nodes)}.txt", *before)
            self._own.append(nursery)
        else:
            nursery = nurseries().take()
            self._lent.append(nursery)
        node = Life(nursery, {"configuration": str(configuration or self._configuration), **order})
        self.nodes.append(node)
        await node.ready()
        return node

    def variant(self, name: str, changes: Mapping[str, str]) -> Path:
        """The same configuration for one node, with other words in some places."""
        text = self._configuration.read_text("utf-8")
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        file = self._configuration.with_name(f"{name}.toml")
        file.write_text(text, "utf-8")
        return file

    @property
    def ready(self) -> list[Life]:
        """Those that serve."""
        return [node for node in self.nodes if node.serves]

    @property
    def url(self) -> str:
        """The next one's that serves and is reached."""
        ready = [node for node in self.front or self.nodes if node.serves] or self.nodes
        return ready[next(self._turn) % len(ready)].url if ready else NOBODY

    @property
    def deaths(self) -> int:
        """Of all of them."""
        return sum(node.deaths for node in self.nodes)

    def check(self) -> None:
        """Raises what went wrong with any node."""
        for node in self.nodes:
            node.check()

    async def all_ready(self) -> None:
        """Until every node serves."""
        for node in self.nodes:
            await node.ready()

    async def end(self) -> None:
        """All of them, as the power goes."""
        ended = await asyncio.gather(*(node.end() for node in self.nodes), return_exceptions=True)
        well = not any(isinstance(one, BaseException) for one in ended)
        for nursery in self._lent:
            nurseries().give_back(nursery) if well else nursery.close()
        for nursery in self._own:
            nursery.close()

    async def takers(self, broker: VirtualHost) -> int:
        """How many nodes take lanes from the broker, as the broker knows it."""
        return await asyncio.to_thread(_consumers, broker, self.queue)

    async def spread(self, broker: VirtualHost) -> None:
        """Until every node takes lanes from the broker again."""
        end = time.monotonic() + 30
        while await self.takers(broker) < len(self.nodes):
            assert time.monotonic() < end, "not every node came back to the broker"
            await asyncio.sleep(0.1)

    async def counted(self, what: str) -> list[float]:
        """A metric of each node that serves, summed over its labels."""
        found = []
        async with aiohttp.ClientSession() as session:
            for node in self.ready:
                async with session.get(f"{node.url}/metrics") as answer:
                    text = await answer.text()
                found.append(sum(float(v) for v in re.findall(rf"^{what}\S* (\S+)$", text, re.MULTILINE)))
        return found


def _consumers(broker: VirtualHost, queue: str) -> int:
    """How many take from a queue; none while the broker does not answer."""
    with contextlib.suppress(OSError):
        return int(broker.manage("GET", f"queues/{broker.path}/{queue}").get("consumers", 0))
    return 0


@dataclass(frozen=True)
class PostgresLook:
    """A look into PostgreSQL from outside."""

    url: str

    def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """See tests.crash.village.Look; what cannot be asked now is asked again by whoever waits for it."""
        try:
            with psycopg.connect(self.url, connect_timeout=5) as connection:
                return connection.execute(sql.replace("?", "%s"), values).fetchall()  # type: ignore[call-overload, no-any-return]
        except (psycopg.OperationalError, psycopg.errors.UndefinedTable):
            return []

    async def check(self) -> list[str]:
        """See tests.crash.village.Look."""
        async with await PostgresStore.open(self.url) as store:
            return await store.check()


@asynccontextmanager
async def town(
    folder: Path,
    pki: Pki,
    store_url: str,
    amqp_url: str,
    nodes: int = 3,
    order: Mapping[str, Any] | None = None,
    **settings: dict[str, Any],
) -> AsyncIterator[tuple[Village, Fleet]]:
    """A village whose hub is several nodes over one database and one broker (none where `amqp_url` is empty).

    `order` is told to every node (tests/crash/child.py).
    """
    async with AsyncExitStack() as stack:
        partners: dict[str, SteadyPartner] = {her: partner_of(her, how, pki) for her, how in PARTNERS.items()}
        for partner in partners.values():
            await stack.enter_async_context(partner)
        said = {section: {**values, **settings.get(section, {})} for section, values in SETTINGS.items()}
        said["hub"] = {**SETTINGS["hub"], "lease_seconds": LEASE, **settings.get("hub", {})}
        said["store"] = {**said["store"], **written_down(store_url, folder / "password")}
        queue = f"lanes-{uuid.uuid4().hex[:8]}"
        said["dispatch"] = {
            **(login(amqp_url) if amqp_url else {}),
            "queue": queue,
            "heartbeat_seconds": 2,
            "connect_seconds": 3,
            **settings.get("dispatch", {}),
        }
        remote = [(partner_member(her), partner.url) for her, partner in partners.items()]
        local, folders = (NURSING, DOCTOR, PHYSIO), (PHYSIO.system,)
        site = write_site(folder / "site", pki.folder, local, remote, folder_systems=folders, settings=said)
        fleet = Fleet(folder, site.configuration, queue)
        systems = {
            m.system: SteadyRecordSystem(lambda: fleet.url, site.keys[m.system], (m.her_id,)) for m in (NURSING, DOCTOR)
        }
        await asyncio.gather(*(fleet.join(**(order or {})) for _ in range(nodes)))
        around = [asyncio.create_task(system.read()) for system in systems.values()]
        around.append(asyncio.create_task(_point(fleet, partners)))
        found = Village(folder, fleet, PostgresLook(store_url), partners, systems, site.keys)
        around.append(asyncio.create_task(found.takes_away()))
        try:
            yield found, fleet
        finally:
            await fleet.end()
            for task in around:
                task.cancel()
            await asyncio.gather(*around, return_exceptions=True)


async def _point(fleet: Fleet, partners: Mapping[str, SteadyPartner]) -> None:
    """Partners are told another node each time, as a load balancer would."""
    while True:
        for partner in partners.values():
            partner.hub_url = f"{fleet.url}/ebxml"
        await asyncio.sleep(PAUSE)


@asynccontextmanager
async def busy(here: Village, actors: list[Callable[[], Awaitable[object]]]) -> AsyncIterator[None]:
    """Messages go both ways while inside, each actor one after another; on leaving they finish what they began.

    As people work, with a breath between: what a fault costs shows by what is under way, not by how much there is of it.
    """
    going = True

    async def again(act: Callable[[], Awaitable[object]]) -> None:
        while going:
            await act()
            await asyncio.sleep(BREATH)

    tasks = [asyncio.create_task(again(act)) for act in actors]
    try:
        yield
    finally:
        going = False
    here.life.check()
    await asyncio.gather(*tasks)


def recovered(since: float) -> float:
    """Seconds since a fault was over."""
    return time.monotonic() - since


STOP = signal.SIGTERM
