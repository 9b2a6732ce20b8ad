"""Three nodes over one PostgreSQL and one RabbitMQ are one hub: they share the work, and any of them may come and go."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from ops.partner.behaviours import Receiving
from ops.partner.handles import Pki
from ops.servers.rabbitmq import VirtualHost
from tests.crash.test_steps import acknowledged
from tests.crash.village import DOCTOR, GOOD, NURSING, PHYSIO, Village
from tests.nodes.conftest import Told
from tests.nodes.fleet import Fleet, busy, town

#: How many times a node is killed.
DEATHS = 8
#: Attempts that a node has under way at most, where all three shall be busy; one partner takes as many as all have.
ROOM = 4
FULL_SOON = {"at_once": ROOM, "per_partner": 3 * ROOM}
#: What a node has taken in, among its metrics.
RECEIVED = 'samhub_events_total{.*event="received"'


def actors(here: Village) -> list[Callable[[], Awaitable[object]]]:
    """Messages both ways, by REST, by folder and by partners, some of them large."""
    return [
        lambda: here.hand_over(DOCTOR, GOOD, "henvisning"),
        lambda: here.hand_over(NURSING, GOOD, padding=120_000),
        lambda: here.partner_sends(DOCTOR),
        lambda: here.partner_sends(NURSING, "dialog-svar", padding=120_000),
        lambda: here.partner_sends(PHYSIO),
    ]


async def some(here: Village, each: int = 3) -> None:
    """So many messages of each kind, beside one another."""
    await asyncio.gather(*(act() for act in actors(here) for _ in range(each)))


async def each_takes(here: Village, fleet: Fleet) -> None:
    """Each of the nodes is the only one that is reached, until it has taken a message."""
    for node in list(fleet.nodes):
        fleet.front = [node]
        await here.hand_over(DOCTOR, GOOD)
    fleet.front = []


async def again(here: Village, fleet: Fleet) -> None:
    """One message each way, all the way, as proof that all is well."""
    await asyncio.gather(here.hand_over(DOCTOR, GOOD), here.partner_sends(NURSING))
    await here.rest()


async def shared(here: Village, fleet: Fleet) -> None:
    """What waits while a node is idle is taken by it, though all of it comes in at one node, and whichever that is.

    A partner that answers nobody keeps what each node has under way: when it holds so many at once, all are at work.
    Who brings out what need not wait is nobody's promise: a node that has room may do all of it.
    """
    for node in fleet.nodes:
        fleet.front, here.good.takes_when, here.good.most_at_once = [node], lambda: False, 0
        await asyncio.gather(*(here.hand_over(DOCTOR, GOOD) for _ in range(3 * ROOM + 1)))
        await here.until(lambda: here.good.most_at_once == 3 * ROOM, "every node to have its hands full")
        here.good.takes_when = lambda: True
        await here.rest()


async def test_three_nodes_share_the_work(tmp_path: Path, pki: Pki, store_url: str, vhost: VirtualHost) -> None:
    """What any of them takes in is brought out once; and none is idle while there is work that it could do."""
    async with town(tmp_path, pki, store_url, vhost.url, hub=FULL_SOON) as (here, fleet):
        await some(here, 12)
        await here.rest()
        assert min(await fleet.counted(RECEIVED)) > 0
        await shared(here, fleet)
    await here.count()


async def test_they_share_it_without_a_broker_too(tmp_path: Path, pki: Pki, store_url: str) -> None:
    """Each looks into the store for itself, woken by the database."""
    async with town(tmp_path, pki, store_url, "", hub=FULL_SOON) as (here, fleet):
        await some(here, 6)
        await here.rest()
        assert min(await fleet.counted(RECEIVED)) > 0
        await shared(here, fleet)
    await here.count()


async def test_a_fourth_joins_and_a_first_leaves_in_order(
    tmp_path: Path, pki: Pki, store_url: str, vhost: VirtualHost
) -> None:
    """Under load; who leaves finishes what it has under way."""
    async with town(tmp_path, pki, store_url, vhost.url) as (here, fleet):
        async with busy(here, actors(here)):
            await each_takes(here, fleet)
            fourth = await fleet.join()
            await each_takes(here, fleet)
            leaving = fleet.nodes.pop(0)
            await leaving.end(signal.SIGTERM)
            await each_takes(here, fleet)
        await here.rest()
        assert fourth.serves
        assert min(await fleet.counted(RECEIVED)) > 0
    await here.count()


async def test_nodes_that_are_killed_at_random_lose_nothing_and_double_nothing(
    tmp_path: Path, pki: Pki, store_url: str, vhost: VirtualHost, recovery: Told
) -> None:
    """Kill -9 to any of three, again and again under load, each begun again; then all that was promised is counted."""
    dice = random.Random("samhub")
    async with town(tmp_path, pki, store_url, vhost.url) as (here, fleet):
        async with busy(here, actors(here) * 2):
            for _ in range(DEATHS):
                await asyncio.sleep(dice.uniform(0.1, 0.6))
                await fleet.all_ready()
                dice.choice(fleet.nodes).kill()
            died = time.monotonic()
            await here.until(lambda: fleet.deaths == DEATHS, "the last of the deaths")
            await here.until(lambda: min(len(here.sent), len(here.got)) > DEATHS, "messages both ways")
        await here.rest()
        recovery("a node of three killed under load, until all it had was delivered", died)
    await here.count()


async def test_what_a_dead_node_had_under_way_another_takes_over(
    tmp_path: Path, pki: Pki, store_url: str, vhost: VirtualHost, recovery: Told
) -> None:
    """Killed while it waits for a partner's answer, for good: its lease runs out, and the other does the rest.

    The partner answers the business once it is acknowledged, and nobody but the other can bring that about.
    """
    async with town(tmp_path, pki, store_url, vhost.url, nodes=2) as (here, fleet):
        victim = fleet.nodes[0]
        fleet.front, here.good.takes_when = [victim], lambda: False
        here.good.answers_when = lambda message_id: acknowledged(here, message_id)
        await asyncio.gather(*(here.hand_over(DOCTOR, GOOD) for _ in range(4)))
        await here.until(
            lambda: here.good.most_at_once > 0, "an attempt"
        )  # one, since the partner has not answered yet
        fleet.nodes.remove(victim)
        fleet.front, died = [], time.monotonic()
        await victim.end()
        here.good.takes_when = lambda: True
        await here.rest()
        recovery("a node killed for good, until another had done what it had under way", died)
    await here.count()


async def test_one_at_a_time_is_one_at_a_time_over_all_of_them_and_in_order(
    tmp_path: Path, pki: Pki, store_url: str, vhost: VirtualHost
) -> None:
    """A partner that takes one message at once gets them in the order in which they were handed over, whoever took them."""
    async with town(tmp_path, pki, store_url, vhost.url, hub={"per_partner": 1}) as (here, _):
        for _ in range(20):
            await here.hand_over(DOCTOR, GOOD)
        await here.rest()
        assert here.good.most_at_once == 1
        got = [r.document.msg_id for r in here.good.received if r.document is not None and r.document.kind != "apprec"]
        assert got == list(here.sent)
    await here.count()


async def test_a_limit_for_each_partner_holds_over_all_of_them(
    tmp_path: Path, pki: Pki, store_url: str, vhost: VirtualHost
) -> None:
    """Three nodes with thirty messages for a slow partner: never more than two of them under way."""
    async with town(tmp_path, pki, store_url, vhost.url, hub={"per_partner": 2}) as (here, _):
        await here.good.behave(Receiving.SLOW)
        here.good.slow_seconds = 0.2
        await asyncio.gather(*(here.hand_over(DOCTOR, GOOD) for _ in range(30)))
        await here.rest()
        assert here.good.most_at_once == 2
    await here.count()
