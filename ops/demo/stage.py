"""Where the demo plays: two hubs on free ports with their record systems, in one process, on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops import config
from ops.assemble import Hub
from ops.assemble import hub as assembled
from ops.partner.record_system import RecordSystem, client
from ops.sector import Member, Site, write_site
from ops.serve.run import running

#: Times of the sector, shortened so that a person can watch: hours become seconds.
SHORT = {
    "retry_interval_seconds": 1.0,
    "retries": 20,
    "persist_duration_seconds": 60,
    "backoff_first_seconds": 0.4,
    "backoff_longest_seconds": 1.0,
    "lease_seconds": 30,
}
WORK = {"poll_seconds": 0.1, "watch_seconds": 0.3, "sweep_seconds": 0.3}


@dataclass(frozen=True, slots=True)
class House:
    """One running hub with its record systems by name."""

    hub: Hub
    site: Site
    url: str
    systems: dict[str, RecordSystem]

    def serving(self, her_id: str) -> RecordSystem | None:
        """The record system of a HER-id."""
        party = self.hub.directory.party(her_id)
        if party is not None and party.system:
            return self.systems.get(party.system)
        return next((s for i, s in self.systems.items() if her_id in self.hub.directory.system(i).her_ids), None)  # type: ignore[union-attr]


@asynccontextmanager
async def house(
    folder: Path,
    certs: Path,
    port: int,
    local: Sequence[Member],
    remote: Sequence[tuple[Member, str]],
    *,
    apprec: str,
    deadline_seconds: float,
    manners: dict[str, dict[str, Any]] | None = None,
    mail: tuple[int, int] | None = None,
    agreements: Sequence[str] = (),
    by_soap: Sequence[str] = (),
    **more: Any,
) -> AsyncIterator[House]:
    """Writes a site and runs it. `apprec` says who answers: the hub, or the record systems themselves.

    `by_soap` are record systems that come by SOAP, the others by REST.

    `mail` are the ports of its own mail listener and of its relay; `agreements` are texts of CPAs; `more` are further
    settings of the kernel.
    """
    settings: dict[str, dict[str, Any]] = {
        "http": {"port": port, "at_once": 1000},
        "hub": {**SHORT, "apprec_deadline_hours": deadline_seconds / 3600, **more},
        "work": WORK,
        "ebxml_http": {"answer_seconds": 10.0},
        "store": {"min_free_bytes": 50_000_000},
    }
    if mail is not None:
        listens, relay = mail
        settings["listener"] = {"host": "127.0.0.1", "port": listens}
        settings["relay"] = {"host": "127.0.0.1", "port": relay, "tls": "off", "domain": f"{folder.name}.example"}
    site = write_site(folder, certs, local, remote, apprec=apprec, manners=manners, settings=settings)
    for number, text in enumerate(agreements):
        (folder / "agreements" / f"{number}.xml").write_text(text, "utf-8")
    async with AsyncExitStack() as stack:
        hub = await stack.enter_async_context(assembled(config.load(site.configuration)))
        url = await stack.enter_async_context(running(hub))
        systems = {}
        for system in hub.directory.systems():
            door = client("soap" if system.id in by_soap else "rest", url, system.id, site.keys[system.id])
            own = RecordSystem(door, sorted(system.her_ids), answers=apprec == "system")
            systems[system.id] = await stack.enter_async_context(own)
        yield House(hub, site, url, systems)


def free_ports(count: int) -> list[int]:
    """Ports that are free just now, of those that no system gives away by itself.

    One that it does may be taken by any connection that goes out, before it is listened on.
    """
    found: list[int] = []
    for port in secrets.SystemRandom().sample(range(20_000, 32_000), 1_000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            break
    return found


async def settled(houses: Sequence[House], seconds: float) -> None:
    """Waits until no delivery is under way, or nothing has moved for so many seconds: a busy machine gets its time."""
    clock = asyncio.get_running_loop().time
    last, moved = list[dict[str, int]](), clock()
    while clock() - moved <= seconds:
        counts = [dict(await h.hub.store.counts()) for h in houses]
        if not any(c[state] for c in counts for state in ("waiting", "sent", "available", "acknowledged")):
            return
        if counts != last:
            last, moved = counts, clock()
        await asyncio.sleep(0.1)
