"""A hub that dies and comes back, among partners and record systems that live on; and the counting afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from adapters.store.sqlite import SqliteStore
from hub.formats import apprec as apprecs
from ops.partner.behaviours import Receiving
from ops.partner.handles import Pki, partner_member
from ops.samples.make import Sample
from ops.sector import SECTOR, Member, write_site
from tests.support.documents import sampled
from tests.support.steady import PAUSE, SteadyPartner, SteadyRecordSystem

Result = TypeVar("Result")
NURSING, DOCTOR, PHYSIO = SECTOR[:3]
#: HER-ids of the partners and what each does with what it gets.
PARTNERS = {"8009000": Receiving.GOOD, "8009010": Receiving.NEVER_APPREC, "8009020": Receiving.LATE_ACKNOWLEDGMENT}
GOOD, SILENT, LATE = (partner_member(her) for her in PARTNERS)
#: The sector's hours as fractions of a second: what a crash delays is soon tried again.
SETTINGS: Mapping[str, dict[str, Any]] = {
    "http": {"port": 0, "at_once": 1000},
    "hub": {
        "retry_interval_seconds": 0.3,
        "retries": 1000,
        "persist_duration_seconds": 3600,
        "backoff_first_seconds": 0.05,
        "backoff_longest_seconds": 0.2,
        "lease_seconds": 0.3,
    },
    "work": {"poll_seconds": 0.05, "watch_seconds": 0.1, "sweep_seconds": 0.1},
    "store": {"min_free_bytes": 1_000_000},
    "log": {"level": "error"},
}
#: How long it may be that nothing changes before all is at rest, in seconds; far more than it needs.
PATIENCE = 30.0


class Nursery:
    """Where hubs are born, one at a time (tests/crash/child.py)."""

    def __init__(self, errors: Path, *before: str) -> None:
        """`before` is a program with its arguments that runs it, such as strace."""
        self.errors = errors
        errors.write_text("")
        self._process = subprocess.Popen(
            [*before, sys.executable, "-m", "tests.crash.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors.open("a"),
            text=True,
            bufsize=1,
        )

    def begin(self, order: Mapping[str, Any]) -> None:
        """Orders one hub."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")

    async def word(self) -> dict[str, Any]:
        """What it says next."""
        assert self._process.stdout is not None
        line = await asyncio.to_thread(self._process.stdout.readline)
        assert line, f"the process that makes hubs is gone: {self.errors.read_text()}"
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        """No more orders."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


class Nurseries:
    """Those of a whole process: what one test gives back the next one takes, for it imports once and bears many."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="samhub-nurseries-"))
        self._count = 0
        self._free: list[Nursery] = []

    def take(self) -> Nursery:
        """One that bears nobody just now; what earlier hubs complained of is forgotten."""
        if not self._free:
            self._count += 1
            return Nursery(self._folder / f"{self._count}.txt")
        found = self._free.pop()
        found.errors.write_text("")
        return found

    def give_back(self, nursery: Nursery) -> None:
        """Once the hub that it bore has ended."""
        self._free.append(nursery)

    def close(self) -> None:
        """Ends those that were given back."""
        while self._free:
            self._free.pop().close()
        shutil.rmtree(self._folder, ignore_errors=True)


class Life:
    """One hub that is begun again whenever it has died."""

    def __init__(self, nursery: Nursery, order: Mapping[str, Any]) -> None:
        self._nursery, self.order = nursery, dict(order)
        self.url, self.pid, self.deaths = "http://127.0.0.1:9", 0, 0
        self.held = asyncio.Event()  #: it stands still at the step that its order names
        self._ready, self._over = asyncio.Event(), False
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while not self._over:
            self._nursery.begin(self.order)
            word: dict[str, Any] = {}
            while "ended" not in word:
                word = await self._nursery.word()
                self.pid = word.get("begun", self.pid)
                if "held" in word:
                    self.held.set()
                if "ready" in word:
                    self.url = word["ready"]
                    self._ready.set()
            self._ready.clear()
            self.deaths += 1
            if word["ended"] not in (-signal.SIGKILL, 0):
                raise AssertionError(f"the hub ended by {word['ended']}: {self._nursery.errors.read_text()}")

    async def ready(self) -> str:
        """Its URL, once it serves."""
        await self.through(self._ready.wait())
        return self.url

    @property
    def serves(self) -> bool:
        """Whether it is there now."""
        return self._ready.is_set()

    def kill(self) -> None:
        """As the power goes: at once, whatever it does."""
        self._ready.clear()
        os.kill(self.pid, signal.SIGKILL)

    def release(self) -> None:
        """The step at which it stands still is made."""
        os.kill(self.pid, signal.SIGUSR1)

    async def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Dies for good."""
        if not self._task.done():
            await self.ready()
            self._over = True
            os.kill(self.pid, number)
        await asyncio.wait_for(self._task, PATIENCE)

    def check(self) -> None:
        """Raises what went wrong with it, if anything did."""
        if self._task.done():
            self._task.result()

    async def through(self, work: Coroutine[Any, Any, Result]) -> Result:
        """What comes of `work` in this life; raises what went wrong with the hub when that comes first."""
        task = asyncio.ensure_future(work)
        await asyncio.wait({task, self._task}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            self.check()
            raise AssertionError(f"waited in vain: {self._nursery.errors.read_text()}")
        return task.result()


class Look(Protocol):
    """A look into a store from outside, whoever serves it."""

    def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows; none while there is no schema yet."""
        ...

    async def check(self) -> list[str]:
        """What is broken in it."""
        ...


@dataclass(frozen=True)
class SqliteLook:
    """Into the file of the embedded store."""

    path: Path

    def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """See Look."""
        try:
            with contextlib.closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)) as connection:
                return connection.execute(sql, values).fetchall()
        except sqlite3.OperationalError:  # the very first start died before there was a schema
            return []

    async def check(self) -> list[str]:
        """See Look."""
        store = await SqliteStore.open(self.path)
        try:
            return await store.check()
        finally:
            await store.close()


@dataclass
class Village:
    """Everybody. What was promised is written down as it is promised, and counted at the end."""

    folder: Path
    life: Life
    look: Look
    partners: dict[str, SteadyPartner]
    systems: dict[str, SteadyRecordSystem]
    keys: dict[str, str]  #: API keys of the record systems
    sent: dict[str, Sample] = field(default_factory=dict)  #: MsgId → what a local record system handed over
    office: list[bytes] = field(default_factory=list)  #: what the physiotherapist's record system took out of its inbox
    got: dict[str, Sample] = field(default_factory=dict)  #: MsgId → what a partner sent and was acknowledged

    @property
    def good(self) -> SteadyPartner:
        """The partner that does everything right."""
        return self.partners[GOOD.her_id]

    # --- what people do

    async def hand_over(self, sender: Member, receiver: Member, kind: str = "dialog-helsefaglig", **more: Any) -> str:
        """A record system hands over until it is told 202."""
        sample = sampled(kind, sender, receiver, **more)
        message_id = await self.systems[sender.system].hand_over(sample)
        self.sent[sample.msg_id] = sample
        return message_id

    def put_into_outbox(self, receiver: Member) -> None:
        """The physiotherapist's record system writes a file; the hub may take it at once."""
        sample = sampled("dialog-helsefaglig", PHYSIO, receiver)
        outbox = self.physio / "outbox"
        outbox.mkdir(parents=True, exist_ok=True)
        half = outbox / f"{sample.msg_id}.half"
        half.write_bytes(sample.document)
        os.utime(half, (1e9, 1e9))
        half.rename(outbox / f"{sample.msg_id}.xml")
        self.sent[sample.msg_id] = sample

    async def partner_sends(self, receiver: Member, kind: str = "epikrise", **more: Any) -> None:
        """The partner sends until it is acknowledged."""
        sample = sampled(kind, GOOD, receiver, **more)
        await self.good.insist(sample.document, receiver.her_id)
        self.got[sample.msg_id] = sample

    @property
    def physio(self) -> Path:
        """The folder of the physiotherapist's record system."""
        return self.folder / "site" / "systems" / PHYSIO.system

    async def takes_away(self) -> None:
        """The physiotherapist's record system takes each file out of its inbox as soon as it lies there."""
        while True:
            for file in (self.physio / "inbox").glob("*.xml"):
                self.office.append(file.read_bytes())
                file.unlink()
            await asyncio.sleep(PAUSE)

    # --- coming to rest

    async def rest(self, *ends: str) -> None:
        """Until every delivery stands at one of `ends` (done, unless told), and every AppRec is home."""
        await self.until(lambda: self._at_rest(ends or ("done",)), "everything to come to rest")

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Waits for something; AssertionError with where everything stands when nothing moves and it never comes."""
        clock, before = asyncio.get_running_loop().time, {"": 0}
        end = clock() + PATIENCE
        while not condition():
            self.life.check()
            assert [r for partner in self.partners.values() for r in partner.refused] == []
            assert [r for system in self.systems.values() for r in system.refused] == []
            standing = self._standing()
            if standing != before:  # slow is not lost
                before, end = standing, clock() + PATIENCE
            assert clock() < end, f"waited in vain for {what}: {standing}"
            await asyncio.sleep(PAUSE)

    def _at_rest(self, ends: Sequence[str]) -> bool:
        asked = {r.document.msg_id for r in self._business(self.good)}
        answered = set(self._apprecs())
        expected = {s.msg_id for s in self.sent.values() if s.to_her == GOOD.her_id}
        standing = self._standing()
        return bool(standing) and set(standing) <= set(ends) and asked >= expected and answered >= set(self.got)

    def _standing(self) -> dict[str, int]:
        found = self.ask("SELECT state, COUNT(*) FROM deliveries GROUP BY state")
        return {str(state): int(number) for state, number in found}

    def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """A look into the store from outside."""
        return self.look.ask(sql, *values)

    @staticmethod
    def _business(partner: SteadyPartner) -> list[Any]:
        return [r for r in partner.received if r.document is not None and r.document.kind != "apprec"]

    def _apprecs(self) -> Counter[str]:
        """MsgId → how many different AppRecs about it the partner got."""
        found = {}
        for received in self.good.received:
            if received.document is not None and received.document.kind == "apprec" and received.root is not None:
                about = apprecs.read(received.root)
                assert about is not None
                found[received.document.msg_id] = about.original_id
        return Counter(found.values())

    # --- counting

    async def count(self) -> None:
        """Nothing lost, nothing doubled: by what the partners, the record systems and the store tell."""
        self.count_outgoing()
        self.count_incoming()
        self.count_receipts()
        assert await self.look.check() == []

    def count_outgoing(self) -> None:
        """What a record system handed over came out under one MessageId, with the same bytes each time it was tried."""
        out: dict[str, set[tuple[str, tuple[str, ...]]]] = {}
        for partner in self.partners.values():
            for received in self._business(partner):
                digests = tuple(r.digest_value for r in received.references)
                out.setdefault(received.document.msg_id, set()).add((received.envelope.message_id, digests))
        assert set(out) == set(self.sent)
        assert {msg_id: len(seen) for msg_id, seen in out.items() if len(seen) != 1} == {}

    def count_incoming(self) -> None:
        """What was acknowledged to a partner lies once at its record system, as it was sent, and was answered once."""
        found = self.ask(
            "SELECT m.msg_id, d.id FROM messages m JOIN deliveries d ON d.message_id = m.id"
            " WHERE m.direction = 'in' AND m.kind = 'business'"
        )
        assert Counter(msg_id for msg_id, _ in found) == Counter(list(self.got))
        told = self.ask("SELECT message_id, COUNT(*) FROM notifications WHERE type = 'NewMessage' GROUP BY 1, receiver")
        assert [one for one in told if one[1] != 1] == []
        letters = [content for content in self.office if b"<AppRec" not in content]
        kept = [*letters, *(body for s in self.systems.values() for body in s.kept.values())]
        expected = Counter(s.document for s in self.got.values())
        assert Counter(body for body in kept if body in expected) == expected
        assert {i for s in self.systems.values() for i, times in s.new.items() if times != 1} == set()
        assert self._apprecs() == Counter(list(self.got))

    def count_receipts(self) -> None:
        """Of those who answer, each document's AppRec came home once and was handed on once."""
        answered = [s for s in self.sent.values() if s.to_her != SILENT.her_id]
        found = self.ask(
            "SELECT m.msg_id FROM messages m JOIN deliveries d ON d.message_id = m.id"
            " WHERE m.direction = 'in' AND m.kind = 'apprec'"
        )
        assert len(found) == len(set(found)) == len(answered)
        letters = [content for content in self.office if b"<AppRec" in content]
        assert len(letters) == sum(s.from_her == PHYSIO.her_id for s in answered)


@asynccontextmanager
async def village(
    folder: Path, pki: Pki, nursery: Nursery, order: Mapping[str, Any] | None = None, **settings: dict[str, Any]
) -> AsyncIterator[Village]:
    """A whole village with a hub that lives; `order` is told to the hub, `settings` change its configuration."""
    async with AsyncExitStack() as stack:
        partners = {her: partner_of(her, how, pki) for her, how in PARTNERS.items()}
        for partner in partners.values():
            await stack.enter_async_context(partner)
        said = {section: {**values, **settings.get(section, {})} for section, values in SETTINGS.items()}
        remote = [(partner_member(her), partner.url) for her, partner in partners.items()]
        local, folders = (NURSING, DOCTOR, PHYSIO), (PHYSIO.system,)
        site = write_site(folder / "site", pki.folder, local, remote, folder_systems=folders, settings=said)
        life = Life(nursery, {"configuration": str(site.configuration), **(order or {})})
        systems = {
            m.system: SteadyRecordSystem(lambda: life.url, site.keys[m.system], (m.her_id,)) for m in (NURSING, DOCTOR)
        }
        around = [asyncio.create_task(system.read()) for system in systems.values()]
        around.append(asyncio.create_task(point(life, partners)))
        look = SqliteLook(folder / "site" / "data" / "samhub.db")
        found = Village(folder, life, look, partners, systems, site.keys)
        around.append(asyncio.create_task(found.takes_away()))
        try:
            yield found
        finally:
            await life.end()
            for task in around:
                task.cancel()
            await asyncio.gather(*around, return_exceptions=True)


def partner_of(her_id: str, how: Receiving, pki: Pki) -> SteadyPartner:
    """A partner that does not give up."""
    organisations = {m.her_id: m.organisation for m in SECTOR}
    partner = SteadyPartner(
        her_id, pki.partner_keys, certificate_of=lambda her: pki.certificate(organisations[her], "encrypt")
    )
    partner.receiving, partner.late_seconds = how, 0.05
    return partner


async def point(life: Life, partners: Mapping[str, SteadyPartner]) -> None:
    """The hub comes back on another port each time; partners are told where, as a load balancer would."""
    while True:
        for partner in partners.values():
            partner.hub_url = f"{life.url}/ebxml"
        await asyncio.sleep(PAUSE)
