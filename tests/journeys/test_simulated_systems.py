"""Record systems that are played: by REST and by SOAP, steered over the control interface as a test harness would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from ops.partner import door, systems_of
from ops.partner.record_system import RecordSystem, client
from ops.partner.serve import control_app
from ops.sector import SECTOR

DOCTOR, PHYSIO = SECTOR[1], SECTOR[2]


@asynccontextmanager
async def control(hub: Any, by: str) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    """The doctor by one door and the physiotherapist by the other, and the interface that steers them."""
    other = {"rest": "soap", "soap": "rest"}[by]
    async with AsyncExitStack() as stack:
        systems = {}
        for member, how in ((DOCTOR, by), (PHYSIO, other)):
            own = client(how, hub.url, member.system, hub.site.keys[member.system])
            hers = [member.organisation_her_id, member.her_id]
            systems[member.system] = await stack.enter_async_context(RecordSystem(own, hers, answers=True, poll=0.05))
        runner = door.runner(control_app({}, systems))
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield session, f"http://127.0.0.1:{port}/systems"


@pytest.mark.parametrize("by", systems_of.DOORS)
async def test_one_that_is_played_sends_fetches_confirms_and_answers(samhub_hub, by):
    """Two of them, one by each door: a document goes from one to the other and its AppRec comes home."""
    hub = samhub_hub(local=[DOCTOR, PHYSIO], apprec="system")
    async with control(hub, by) as (session, url):
        wish = {"to": PHYSIO.her_id, "kind": "dialog-helsefaglig"}
        async with session.post(f"{url}/{DOCTOR.system}/send", json=wish) as reply:
            sent = await reply.json()
        assert sent["status"] == 202

        async def home() -> bool:
            async with session.get(f"{url}/{DOCTOR.system}/status/{sent['id']}") as reply:
                return [one["state"] for one in (await reply.json())["receivers"]] == ["done"]

        async with asyncio.timeout(20):
            while not await home():
                await asyncio.sleep(0.05)
        async with session.get(f"{url}/{PHYSIO.system}") as reply:
            shown = await reply.json()
        assert len(shown["documents"]) == 1 and shown["answers"] is True
        async with session.put(f"{url}/{PHYSIO.system}", json={"answers": False}) as reply:
            assert (await reply.json())["answers"] is False


@pytest.mark.parametrize("by", systems_of.DOORS)
async def test_what_it_is_asked_wrongly_is_said(samhub_hub, by):
    """By the control interface, and by the hub through it: the same words by either door."""
    hub = samhub_hub(local=[DOCTOR, PHYSIO], apprec="system")
    async with control(hub, by) as (session, url):
        async with session.get(f"{url}/ingen") as reply:
            assert reply.status == 404 and DOCTOR.system in (await reply.json())["detail"]
        async with session.post(f"{url}/{DOCTOR.system}/send", json={"to": "1", "kind": "ukjent"}) as reply:
            assert reply.status == 400 and "henvisning" in (await reply.json())["detail"]
        wish = {"to": PHYSIO.her_id, "kind": "dialog-helsefaglig", "from": PHYSIO.her_id}
        async with session.post(f"{url}/{DOCTOR.system}/send", json=wish) as reply:
            assert (await reply.json())["code"] == "not-your-party"
