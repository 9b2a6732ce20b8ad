"""The disk is full while the hub runs: it refuses clearly, promises nothing, and goes on by itself when there is room."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from ops.epj import RecordSystemClient
from ops.partner.behaviours import Receiving, Sending
from ops.partner.handles import Pki
from tests.crash.village import DOCTOR, GOOD, NURSING, Nursery, Village, sampled, village
from tests.support.steady import PAUSE


def fill(here: Village) -> None:
    """From now on not a byte more can be written to any file."""
    resource.prlimit(here.life.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def make_room(here: Village) -> None:
    """Everything can be written again."""
    resource.prlimit(here.life.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@asynccontextmanager
async def full(tmp_path: Path, pki: Pki, nursery: Nursery) -> AsyncIterator[Village]:
    """A hub that has worked well, and whose disk is now full."""
    async with village(tmp_path, pki, nursery) as here:
        await here.life.through(here.partner_sends(DOCTOR))
        await here.rest()
        fill(here)
        yield here


async def readiness(here: Village) -> int:
    """What machines are told."""
    async with aiohttp.ClientSession() as session, session.get(f"{here.life.url}/health/ready") as answer:
        return answer.status


@pytest.mark.parametrize("padding", [0, 400_000], ids=["small", "large"])
async def test_on_a_full_disk_every_door_says_that_it_is_ours_and_keeps_nothing(
    tmp_path: Path, pki: Pki, nursery: Nursery, padding: int
) -> None:
    """REST 503, ebXML 503 with a Fault of the Server, the file stays; with room again each comes through once."""
    async with full(tmp_path, pki, nursery) as here:
        before = here.ask("SELECT COUNT(*) FROM arrivals")
        here.put_into_outbox(GOOD)
        out = sampled("dialog-helsefaglig", DOCTOR, GOOD, padding=padding)
        async with RecordSystemClient(here.life.url, here.keys[DOCTOR.system]) as client:
            for _ in range(3):
                status, answer = await client.send(out.document, out.from_her)
                assert (status, answer["code"] in ("store-unavailable", "disk-full")) == (503, True)
        letter = sampled("dialog-svar", GOOD, NURSING, padding=padding)
        for _ in range(3):
            said = await here.good.send(letter.document, NURSING.her_id, Sending.GOOD)
            assert (said.status, said.kind) == (503, "fault")
            assert b"Server" in said.body
        assert [list(here.physio.glob(place)) for place in ("outbox/taken/*", "outbox/refused/*")] == [[], []]
        assert here.ask("SELECT COUNT(*) FROM arrivals") == before
        assert await readiness(here) == 503
        make_room(here)
        here.sent[out.msg_id] = out
        await here.life.through(here.systems[DOCTOR.system].hand_over(out))
        await here.life.through(here.good.insist(letter.document, NURSING.her_id))
        here.got[letter.msg_id] = letter
        await here.rest()
        assert here.life.deaths == 0
    await here.count()


async def test_a_hub_finds_out_by_itself_that_there_is_room_again(tmp_path: Path, pki: Pki, nursery: Nursery) -> None:
    """Nobody has to send a message, nor restart it: readiness comes back."""
    async with full(tmp_path, pki, nursery) as here:
        sample = sampled("dialog-helsefaglig", DOCTOR, GOOD)
        async with RecordSystemClient(here.life.url, here.keys[DOCTOR.system]) as client:
            assert (await client.send(sample.document, sample.from_her))[0] == 503
        assert await readiness(here) == 503
        make_room(here)
        await here.life.through(_until_ready_is(200, here))
        assert here.life.deaths == 0


async def test_what_was_on_its_way_when_the_disk_filled_still_comes_out_once(
    tmp_path: Path, pki: Pki, nursery: Nursery
) -> None:
    """Taken, and not yet sent, when nothing can be written any more: sent when it can."""
    async with village(tmp_path, pki, nursery) as here:
        await here.good.behave(Receiving.DOWN)
        for _ in range(3):
            await here.life.through(here.hand_over(DOCTOR, GOOD))
        fill(here)
        await here.good.behave(Receiving.GOOD)
        await here.life.through(_until_ready_is(503, here))
        tried = here.ask("SELECT eb_message_id FROM deliveries WHERE attempts > 0")
        assert {r.envelope.message_id for r in here.good.received} <= {one for (one,) in tried}
        make_room(here)
        await here.rest()
        assert here.life.deaths == 0
    await here.count()


async def _until_ready_is(status: int, here: Village) -> None:
    while await readiness(here) != status:
        await asyncio.sleep(PAUSE)
