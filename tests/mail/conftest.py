"""Two hubs that reach each other by mail only: each one's relay is the other's listener, unless a test says else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from hub import insights
from hub.insights import Story
from hub.ports import Clock
from ops import config
from ops.assemble import Hub
from ops.assemble import hub as assembled
from ops.demo.stage import SHORT, WORK, free_ports
from ops.epj import RecordSystemClient
from ops.sector import HOSPITAL, SECTOR, Member, write_site
from ops.serve.run import running
from tests.support.hearing import Told, told  # noqa: F401  (a fixture)

TOWN, DOCTOR, PHYSIO, SURGERY, LAB = SECTOR


@dataclass
class MailHub:
    """A running hub that is reached by mail."""

    hub: Hub
    url: str
    keys: dict[str, str]
    smtp_port: int

    async def send(self, document: bytes, sender: Member) -> str:
        """A record system hands a document over; the hub's id for it."""
        async with RecordSystemClient(self.url, self.keys[sender.system]) as client:
            status, answer = await client.send(document, sender.her_id)
        assert status == 202, answer
        return str(answer["id"])

    async def take(self, receiver: Member) -> list[bytes]:
        """A record system fetches everything that lies ready, and says so."""
        async with RecordSystemClient(self.url, self.keys[receiver.system]) as client:
            notes = await client.notifications([receiver.her_id], 0)
            found = []
            for note in notes:
                if note["type"] == "NewMessage":
                    about = await client.message(note["relatedMessageId"])
                    if not about["isAppRec"]:
                        found.append(await client.fetch(note["relatedMessageId"]))
                        await client.fetched(note["relatedMessageId"], receiver.her_id)
            return found

    async def story(self, message_id: str) -> Story:
        """All that is known of a message."""
        found = await insights.story(self.hub.store, message_id)
        assert found is not None
        return found

    async def until(self, message_id: str, state: str, seconds: float = 15) -> Story:
        """The story once its one delivery stands at `state`."""
        end = asyncio.get_running_loop().time() + seconds
        while True:
            found = await self.story(message_id)
            if found.deliveries[0].state == state:
                return found
            assert asyncio.get_running_loop().time() < end, [(e.event, e.code, e.because) for e in found.journal]
            await asyncio.sleep(0.05)


def mail_of(member: Member) -> str:
    """The mail address of a member of the sector: one for each record system."""
    return f"{member.system}@edi.example"


Opened = Callable[..., Any]


@pytest_asyncio.fixture
async def mail_hub(samhub_pki: Any, tmp_path: Path) -> AsyncIterator[Opened]:
    """Opens a hub: which members it serves, its listener's port, its relay's port, and more settings.

    `also` are members that are reached in another way than by mail.
    """
    async with AsyncExitStack() as stack:

        async def opened(
            name: str,
            local: list[Member],
            remote: list[Member],
            port: int,
            relay: int,
            /,
            *,
            also: Sequence[tuple[Member, str]] = (),
            clock: Clock | None = None,
            on_step: Callable[[str], None] | None = None,
            **more: dict[str, Any],
        ) -> MailHub:
            settings: dict[str, dict[str, Any]] = {
                "http": {"port": 0},
                "hub": {**SHORT, "apprec_deadline_hours": 1, **more.pop("hub", {})},
                "work": WORK,
                "store": {"min_free_bytes": 1},
                "relay": {"host": "127.0.0.1", "port": relay, "tls": "off", "domain": f"{name}.example"}
                | more.pop("relay", {}),
                "listener": {"host": "127.0.0.1", "port": port} | more.pop("listener", {}),
                **more,
            }
            manners = {m.her_id: {"mail": mail_of(m)} for m in local}
            there = [*((m, f"mailto:{mail_of(m)}") for m in remote), *also]
            site = write_site(
                tmp_path / name, samhub_pki.folder, local, there, manners=manners, settings=settings, apprec="hub"
            )
            made = assembled(config.load(site.configuration), clock=clock, on_step=on_step)
            hub = await stack.enter_async_context(made)
            url = await stack.enter_async_context(running(hub))
            return MailHub(hub, url, site.keys, hub.mail.listener.port)

        yield opened


@pytest_asyncio.fixture
async def town_and_hospital(mail_hub: Opened) -> tuple[MailHub, MailHub]:
    """The municipality's side and the hospital, each the other's relay."""
    here = [m for m in SECTOR if m.system not in HOSPITAL]
    there = [m for m in SECTOR if m.system in HOSPITAL]
    first, second = free_ports(2)
    return (
        await mail_hub("kommune", here, there, first, second),
        await mail_hub("sykehus", there, here, second, first),
    )


@pytest.fixture
def referral(samhub_samples: Any) -> Callable[..., bytes]:
    """A referral from the GP to the surgery."""

    def make(kind: str = "henvisning", **more: Any) -> bytes:
        return samhub_samples(kind, sender=DOCTOR, receiver=SURGERY, **more).document  # type: ignore[no-any-return]

    return make
