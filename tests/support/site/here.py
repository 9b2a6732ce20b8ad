"""A site with everybody around it: written, begun, looked at, counted, and ended."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from ops.demo.stage import free_ports
from ops.partner.handles import Pki
from ops.partner.mail import mail_of
from ops.partner.office import PostOffice
from ops.sector import SECTOR, Member, Site, write_site
from tests.support.logins import login, queue_section, written_down
from tests.support.site import partners as partnership
from tests.support.site import process, tally
from tests.support.site.clock import MovedClock
from tests.support.site.inside import HubInside
from tests.support.site.partners import Remote, SiteMailPartner, SitePartner
from tests.support.site.process import HubProcess, Said, Seen
from tests.support.site.systems import BusSystem, FolderSystem, RestSystem, System
from tests.support.site.tally import Count, Ledger
from tests.support.steady import PAUSE

NURSING, DOCTOR, PHYSIO = SECTOR[:3]
Hub = HubProcess | HubInside
#: Where there is no hub.
NOBODY = "http://127.0.0.1:9"
#: The sector's hours as fractions of a second: what a crash delays is soon tried again.
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "http": {"at_once": 1000},
    "hub": {
        "retry_interval_seconds": 0.3,
        "retries": 1000,
        "persist_duration_seconds": 3600,
        "backoff_first_seconds": 0.05,
        "backoff_longest_seconds": 0.2,
        "lease_seconds": 2.0,
    },
    "work": {"poll_seconds": 0.05, "watch_seconds": 0.1, "sweep_seconds": 0.1},
    "store": {"min_free_bytes": 1_000_000},
    "log": {"form": "json"},
}
#: How long it may be that the outside sees nothing new before it is asked who waits for a person, in seconds.
QUIET = 3.0
#: How long it may be before what is still missing is taken for lost.
PATIENCE = 40.0
#: Lists of what waits for a person: the commands that show them.
LISTS = (("deadletter", "list"), ("receipts", "overdue"), ("delivery", "list", "--state", "rejected"))


class Here:
    """What a test holds in its hands; made by `site`."""

    def __init__(self, folder: Path, written: Site, ports: Ports) -> None:
        self.folder, self.written = folder, written
        self.partners: list[SitePartner | SiteMailPartner] = []
        self.systems: dict[str, System] = {}  #: by name, as in parties.toml
        self.hubs: list[Hub] = []
        self._ports, self._turn = ports, itertools.count()
        self._around: list[asyncio.Task[None]] = []
        self._answers: dict[str, str] = {}  #: our id of an AppRec → MsgId of what it is about

    # --- who is here

    @property
    def partner(self) -> Any:
        """The first partner."""
        return self.partners[0]

    def system(self, member: Member) -> Any:
        """The record system that serves a party."""
        return self.systems[member.system]

    @property
    def doctor(self) -> Any:
        """The record system of Solvik legesenter."""
        return self.system(DOCTOR)

    @property
    def nursing(self) -> Any:
        """The record system of Solvik kommune."""
        return self.system(NURSING)

    @property
    def physio(self) -> Any:
        """The record system of Solvik fysioterapi."""
        return self.system(PHYSIO)

    @property
    def url(self) -> str:
        """Any hub that is alive, another each time: to the outside they are one address, as behind a load balancer."""
        alive = [hub for hub in self.hubs if hub.alive]
        return alive[next(self._turn) % len(alive)].url if alive else NOBODY

    def door(self, partner: SitePartner | SiteMailPartner) -> str:
        """Where a partner sends."""
        mails = isinstance(partner, SiteMailPartner)
        return f"smtp://127.0.0.1:{self._ports.listener}" if mails else f"{self.url}/ebxml"

    # --- hubs

    async def hub(self, *words: str, clock: bool | MovedClock = False, workers: int = 1) -> HubProcess:
        """One more `samhub serve` on this site, once it is ready; `words` are further words of the command.

        `clock=True`: its wall clock can be moved (`hub.clock`); or give it that of another hub, to share it. All hubs but the
        first listen at a port of their own, and have no mail listener.
        """
        name = f"hub{len(self.hubs)}"
        moved = MovedClock(self.folder / f"{name}-clock") if clock is True else clock or None
        port = self._ports.http if not self.hubs else free_ports(1)[0]
        file = self.written.configuration if not self.hubs else self._variant(name, port)
        several = ("--workers", str(workers)) if workers > 1 else ()
        made = HubProcess(name, self.folder, file, port, moved, (*words, *several))
        self.hubs.append(made)
        return await made.begin()

    async def hub_inside(self) -> HubInside:
        """A hub in this process, with a clock that is handed in (`hub.clock`)."""
        made = HubInside(self.written.configuration)
        self.hubs.append(made)
        return await made.begin()

    def _variant(self, name: str, port: int) -> Path:
        """The configuration of one more node."""
        text = self.written.configuration.read_text("utf-8")
        file = self.written.configuration.with_name(f"{name}.toml")
        text = text.replace(f"\nport = {self._ports.http}\n", f"\nport = {port}\n")
        file.write_text(text.replace(f"\nport = {self._ports.listener}\n", "\nport = 0\n"), "utf-8")
        return file

    async def samhub(self, *words: str, seconds: float = 120) -> Said:
        """Runs a command on this site, by the clock of the first hub: `await here.samhub("message", "list", "--json")`."""
        clocks = [h.environment for h in self.hubs if isinstance(h, HubProcess)]
        command = process.samhub(*words, "--config", str(self.written.configuration))
        return await process.said(command, clocks[0] if clocks else {}, seconds)

    async def done(self, *words: str) -> Said:
        """The same for a command that must say that it is done."""
        said = await self.samhub(*words)
        assert said.code == 0, f"samhub {' '.join(words)}: {said.code}\n{said.out}{said.err}"
        return said

    # --- what changes around a hub

    def register(self, old: str, new: str) -> None:
        """Another address in parties.toml, such as that of a partner that has moved; a hub reads it when it is begun."""
        file = self.written.folder / "parties.toml"
        text = file.read_text("utf-8")
        assert old in text, f"{old} is not in {file}"
        file.write_text(text.replace(old, new), "utf-8")

    async def moves(self, partner: SitePartner) -> None:
        """A partner moves to another port, and the register is told; nobody listens at the old one."""
        self.register(await partner.move(), partner.url)

    async def copy(self) -> Path:
        """A copy of the embedded store as it is now, as `samhub db backup` makes it while a hub runs."""
        target = self.folder / f"copy-{uuid4().hex[:8]}"
        await self.done("db", "backup", str(target))
        return target

    async def restore(self, copy: Path) -> None:
        """Puts an older copy in the place of the store, as a person does; every hub must have ended."""
        await self.done("db", "restore", str(copy), "--replace")

    # --- waiting

    def check(self) -> None:
        """AssertionError where a hub has ended by itself, or somebody was told no."""
        for hub in self.hubs:
            hub.check()
        for one in (*self.partners, *self.systems.values()):
            assert not one.refused, f"{one}: {one.refused}"
        for task in self._around:
            if task.done():
                task.result()

    async def until(self, seen: Seen, what: str, seconds: float = PATIENCE) -> None:
        """Waits for something; AssertionError when it does not come within `seconds`."""
        end = time.monotonic() + seconds
        while not await process.true(seen):
            self.check()
            assert time.monotonic() < end, f"waited in vain for {what}:\n{self.count()}"
            await asyncio.sleep(PAUSE)

    async def rest(self, patience: float = PATIENCE) -> Count:
        """Until nothing is missing that was promised: come, or on a person's list. What it then counts.

        Slow is not lost: AssertionError when for `patience` seconds nothing new was seen, with what is missing.
        """
        before, since, asked = -1, time.monotonic(), 0.0
        listed: Ledger = Ledger()
        while (counted := self.count(listed)).lost:
            self.check()
            seen, now = self._seen(), time.monotonic()
            before, since = (seen, now) if seen != before else (before, since)
            assert now - since < patience, f"nothing comes any more:\n{counted}"
            if now - since > QUIET and now - asked > QUIET:
                listed, asked = await self.lists(), time.monotonic()
            await asyncio.sleep(4 * PAUSE)
        return counted

    def _seen(self) -> int:
        """A number that grows with whatever the outside sees."""
        came = sum(len(p.received) + len(p.signals) for p in self.partners)
        ledger = self.ledger()
        return came + len(ledger.promised) + len(ledger.came) + len(ledger.home)

    # --- counting

    def ledger(self) -> Ledger:
        """All that the outside has written down."""
        return tally.joined(one.ledger() for one in (*self.partners, *self.systems.values()))

    async def lists(self) -> Ledger:
        """What stands on a person's lists, as the commands show them, by MsgId and receiver."""
        found = Ledger()
        for said in await asyncio.gather(*(self.samhub(*words, "--limit", "100000", "--json") for words in LISTS)):
            assert said.code in (0, 1), said.err
            for row in said.rows:
                found.listed[await self._about(row)] = f"{row['state']} {row['code']}"
        return found

    async def _about(self, row: dict[str, Any]) -> tuple[str, str]:
        """What a delivery is to the outside: a document to somebody, or somebody's AppRec about one."""
        if row["kind"] != "apprec":
            return str(row["msg_id"]), str(row["receiver"])
        if row["message_id"] not in self._answers:
            said = await self.done("message", "show", row["message_id"], "--json")
            self._answers[row["message_id"]] = str(said.rows[0]["message"]["original_msg_id"])
        return self._answers[row["message_id"]], str(row["sender"])

    def count(self, listed: Ledger | None = None) -> Count:
        """What was promised, came, came twice or is missing by now; `listed` is what `lists` gave."""
        return tally.count(tally.joined([self.ledger(), *([listed] if listed is not None else [])]))

    async def assert_all_accounted(self) -> Count:
        """Nothing is lost, doubled, changed or from nowhere: what was promised came once, or stands on a person's list."""
        counted = self.count()
        if counted.lost:
            counted = self.count(await self.lists())
        assert not counted.wrong, str(counted)
        return counted

    # --- beginning and ending

    def live(self) -> None:
        """Record systems begin to fetch."""
        self._around += [asyncio.create_task(system.live()) for system in self.systems.values()]

    async def end(self) -> None:
        """Hubs first, so that nobody is asked any more; then those around them."""
        for hub in self.hubs:
            if isinstance(hub, HubProcess):
                hub.close()
            else:
                await hub.stop()
        for task in self._around:
            task.cancel()
        await asyncio.gather(*self._around, return_exceptions=True)


class Ports:
    """Where the first hub listens."""

    def __init__(self) -> None:
        self.http, self.listener = free_ports(2)


@asynccontextmanager
async def site(
    folder: Path,
    pki: Pki,
    *,
    local: Sequence[Member] = (NURSING, DOCTOR),
    partners: Sequence[str | Remote] = ("good",),
    folders: Sequence[Member] = (),
    queues: Sequence[Member] = (),
    store: str = "",
    broker: str = "",
    lanes: bool = False,
    apprec: str = "hub",
    manners: Mapping[str, dict[str, Any]] | None = None,
    agreements: Iterable[Path] = (),
    routes: str = "",
    **settings: Mapping[str, Any],
) -> AsyncIterator[Here]:
    """Writes a site and begins everybody around it; no hub yet: `await here.hub()`.

    `local` are the parties served, `folders` and `queues` more of them, whose record systems work by folder or by queues at
    `broker`; the others use REST. `partners` are behaviours or Remote. `store` is the address of a PostgreSQL
    (ops.servers.databases.database), the embedded store unless told. `lanes`: nodes share their work by `broker` too.
    `apprec` says who answers for record systems, `hub` or `system`; `manners` are more fields of parties by HER-id;
    `agreements` are CPA files, `routes` the text of routes.toml, `settings` sections of samhub.toml over SETTINGS.
    """
    folder.mkdir(parents=True, exist_ok=True)
    members = list(dict.fromkeys((*local, *folders, *queues)))
    remotes = [replace(r, her_id=r.her_id or str(8009000 + 10 * n)) for n, r in enumerate(map(_remote, partners))]
    names = {m.system: f"test.{uuid4()}" for m in queues}
    async with AsyncExitStack() as stack:
        mails = any(r.by == "mail" for r in remotes)
        office = await stack.enter_async_context(PostOffice()) if mails else None
        opened = [await partnership.opened(r, r.her_id, pki, office, stack) for r in remotes]
        ports = Ports()
        written = write_site(
            folder / "site",
            pki.folder,
            members,
            [(p.member, p.url) for p in opened],
            folder_systems=[m.system for m in folders],
            queue_systems=names,
            apprec=apprec,
            manners=_manners(pki, members, remotes, mails, manners or {}),
            settings=_settings(folder, ports, office, store, broker, lanes, bool(queues), settings),
        )
        (written.folder / "routes.toml").write_text(routes, "utf-8")
        for file in agreements:
            shutil.copy(file, written.folder / "agreements")
        here = Here(folder, written, ports)
        here.partners = opened
        for partner in opened:
            partner.find(partial(here.door, partner))
        here.systems = _systems(here, members, folders, apprec, broker, names)
        stack.push_async_callback(here.end)  # before the partners: a hub that still lives may ask them
        here.live()
        yield here
        here.check()


def _remote(partner: str | Remote) -> Remote:
    return Remote(partner) if isinstance(partner, str) else partner


def _manners(
    pki: Pki, local: Sequence[Member], remotes: Sequence[Remote], mails: bool, more: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Bad certificates of partners are registered too, so that each is told apart; who is reached by mail has an address."""
    own: dict[str, dict[str, Any]] = {
        r.her_id: {"signing_certificates": pki.registered(), **r.manners} for r in remotes
    }
    own |= {m.her_id: {"mail": mail_of(m.her_id)} for m in local if mails}
    return {her: {**own.get(her, {}), **more.get(her, {})} for her in own.keys() | more.keys()}


def _settings(
    folder: Path,
    ports: Ports,
    office: PostOffice | None,
    store: str,
    broker: str,
    lanes: bool,
    queues: bool,
    more: Mapping[str, Mapping[str, Any]],
) -> dict[str, dict[str, Any]]:
    said: dict[str, dict[str, Any]] = {name: dict(values) for name, values in SETTINGS.items()}
    said["http"]["port"] = ports.http
    if store:
        said["store"] |= written_down(store, folder / "password")
    if office is not None:
        said["relay"] = {"host": office.host, "port": office.port, "tls": "off", "domain": "hub.example"}
        said["listener"] = {"host": "127.0.0.1", "port": ports.listener}
    if queues:
        said["queue"] = queue_section(broker, folder, term_seconds=0.5)
    if lanes:
        quick = {"heartbeat_seconds": 2, "connect_seconds": 3}
        said["dispatch"] = {**login(broker), "queue": f"lanes-{uuid4().hex[:8]}", **quick}
    return {name: {**said.get(name, {}), **more.get(name, {})} for name in said.keys() | more.keys()}


def _systems(
    here: Here,
    members: Sequence[Member],
    folders: Sequence[Member],
    apprec: str,
    broker: str,
    names: Mapping[str, str],
) -> dict[str, System]:
    by_name: dict[str, list[Member]] = {}
    for member in members:
        by_name.setdefault(member.system, []).append(member)
    found: dict[str, System] = {}
    for name, served in by_name.items():
        if served[0] in folders:
            found[name] = FolderSystem(served, apprec, here.written.folder / "systems" / name)
        elif name in names:
            found[name] = BusSystem(served, apprec, broker, names[name])
        else:
            found[name] = RestSystem(served, apprec, lambda: here.url, here.written.keys[name])
    return found
