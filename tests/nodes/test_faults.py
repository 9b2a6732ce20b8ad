"""What the nodes share fails: broker and database are restarted, killed, choked, emptied and cut off; then everything is counted."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path

import aio_pika
import pytest

from ops.partner.behaviours import Receiving
from ops.partner.handles import Pki
from ops.servers.postgres import PostgresServer
from ops.servers.rabbitmq import Broker, Depth, VirtualHost
from tests.crash.village import DOCTOR, GOOD, NURSING, SILENT, Village
from tests.nodes.conftest import Told
from tests.nodes.fleet import busy, town
from tests.nodes.partition import cable
from tests.nodes.test_sharing import actors, again, some


async def nothing_left(broker: VirtualHost, queue: str) -> None:
    """Neither waiting nor handed out and unanswered."""
    for name in (queue, f"{queue}.urgent"):
        end = time.monotonic() + 20
        while (found := await asyncio.to_thread(broker.depth, name)) != Depth(0, 0):
            assert time.monotonic() < end, f"{name}: {found}"


FAULTS: dict[str, Callable[[Broker], None]] = {
    "restarted": Broker.restart,
    "killed": lambda broker: (broker.kill(), broker.start())[0],
    "cut off": Broker.cut,
    "short of memory for a while": lambda broker: (broker.alarm(True), time.sleep(2), broker.alarm(False))[0],
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_broker_in_trouble_costs_nothing_but_time(
    tmp_path: Path, pki: Pki, store_url: str, own_broker: Broker, recovery: Told, fault: str
) -> None:
    """Under load. The work goes on meanwhile; nothing is lost, doubled, or left in a queue."""
    async with town(tmp_path, pki, store_url, own_broker.url) as (here, fleet):
        async with busy(here, actors(here)):
            await asyncio.sleep(0.5)
            before = len(here.sent)
            await asyncio.to_thread(FAULTS[fault], own_broker)
            mended = time.monotonic()
            went_on = len(here.sent) - before
            await fleet.spread(own_broker)
            recovery(f"broker {fault}, until work is shared through it again", mended)
        await here.rest()
        await again(here, fleet)
        await nothing_left(own_broker, fleet.queue)
        assert went_on > 0 or fault == "cut off"
    await here.count()


async def test_an_emptied_broker_loses_nothing(tmp_path: Path, pki: Pki, store_url: str, vhost: VirtualHost) -> None:
    """Every hint is thrown away, again and again: the sweep offers again what is due."""
    async with town(tmp_path, pki, store_url, vhost.url) as (here, fleet):
        connection = await aio_pika.connect(vhost.url)
        async with connection, busy(here, actors(here) * 2):
            channel = await connection.channel()
            for _ in range(40):
                for name in (fleet.queue, f"{fleet.queue}.urgent"):
                    queue = await channel.get_queue(name, ensure=False)
                    await queue.purge()
                await asyncio.sleep(0.05)
        await here.rest()
    await here.count()


async def test_what_is_no_lane_is_thrown_away(tmp_path: Path, pki: Pki, store_url: str, vhost: VirtualHost) -> None:
    """Somebody publishes rubbish to the queue of lanes: no node dies of it, none keeps it."""
    async with town(tmp_path, pki, store_url, vhost.url, nodes=2) as (here, fleet):
        connection = await aio_pika.connect(vhost.url)
        async with connection:
            channel = await connection.channel()
            for body in (b"", b"\xff\xfe\x00", b"x" * 100_000, b"http://nobody.invalid/ebxml"):
                await channel.default_exchange.publish(aio_pika.Message(body), fleet.queue)
        await some(here, 2)
        await here.rest()
        await nothing_left(vhost, fleet.queue)
    await here.count()


#: SIGQUIT ends PostgreSQL as a crash does: it recovers from its log when it starts.
HOW = {"restarted": signal.SIGINT, "crashed": signal.SIGQUIT}


@pytest.mark.parametrize("how", HOW)
async def test_a_database_that_goes_away_is_waited_for(
    tmp_path: Path, pki: Pki, own_postgres: PostgresServer, vhost: VirtualHost, recovery: Told, how: str
) -> None:
    """Under load: doors say later, nothing is promised, and everything goes on when it is back."""
    async with town(tmp_path, pki, own_postgres.url, vhost.url) as (here, fleet):
        async with busy(here, actors(here)):
            await asyncio.sleep(0.5)
            await asyncio.to_thread(own_postgres.restart, HOW[how])
            mended, before = time.monotonic(), len(here.sent) + len(here.got)
            await here.until(lambda: len(here.sent) + len(here.got) > before, "messages to be taken again")
            recovery(f"database {how}, until messages were taken again", mended)
            await asyncio.sleep(0.5)
        await here.rest()
        await again(here, fleet)
    await here.count()


async def test_a_partner_that_is_down_slows_no_other(
    tmp_path: Path, pki: Pki, store_url: str, vhost: VirtualHost
) -> None:
    """Its lane is left alone by every node that has noticed; when it is back, what waited goes out."""
    async with town(tmp_path, pki, store_url, vhost.url, nodes=2) as (here, _):
        silent = here.partners["8009010"]
        await silent.behave(Receiving.DOWN)
        await asyncio.gather(*(here.hand_over(DOCTOR, SILENT) for _ in range(4)))
        await some(here, 2)
        await asyncio.gather(here.hand_over(NURSING, GOOD), here.hand_over(DOCTOR, GOOD))
        await here.until(lambda: not _unfinished(here, but=SILENT.her_id), "the others' messages")
        await silent.behave(Receiving.NEVER_APPREC)
        await here.rest("done", "acknowledged")
    await here.count()


def _unfinished(here: Village, but: str) -> list[tuple[str]]:
    return here.ask("SELECT id FROM deliveries WHERE state <> 'done' AND receiver <> ?", but)


async def test_a_node_cut_off_from_the_broker_works_on_and_comes_back(
    tmp_path: Path, pki: Pki, store_url: str, own_broker: Broker, recovery: Told
) -> None:
    """A cable is pulled: no packet comes, nobody is told. The node notices by itself, does its work, and shares it again."""
    async with cable(own_broker.port) as line, town(tmp_path, pki, store_url, own_broker.url) as (here, fleet):
        await fleet.join(fleet.variant("cut", {f"127.0.0.1:{line.port}/": f"{line.host}:{line.port}/"}))
        async with busy(here, actors(here)):
            await fleet.spread(own_broker)
            line.cut()
            before = len(here.sent)
            async with asyncio.timeout(30):
                while await fleet.takers(own_broker) != 3:
                    await asyncio.sleep(0.2)
            assert len(here.sent) > before
            line.mend()
            mended = time.monotonic()
            await fleet.spread(own_broker)
            recovery("network between a node and the broker cut, until it shared work through it again", mended)
        await here.rest()
        await again(here, fleet)
        await nothing_left(own_broker, fleet.queue)
    await here.count()
