"""A hub that is killed between its store and its broker, either way about, loses nothing and doubles nothing."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest

from ops.partner.handles import Pki
from tests.crash.child import deaths
from tests.crash.queues import SteadyQueueSystem, queue_village
from tests.crash.village import DOCTOR, GOOD, Nursery, Village

#: Out: stored but not acknowledged to the broker; told, but not noted how far. In: published but not settled.
COMMITS = {
    "out": (
        "apply:received+routed",
        "claim",
        "keep_parcel",
        "settle:acknowledged",
        "apply:apprec_ok+received+routed",
        "settle:fetched",
        "lead",
        "keep_bookmark",
    ),
    "in": (
        "apply:received+routed",
        "claim",
        "keep_parcel",
        "settle:apprec_ok+apprec_sent+fetched+routed",
        "settle:acknowledged",
    ),
}
KILLS = 8


@pytest.mark.parametrize("way", COMMITS)
async def test_killed_at_each_durable_step_nothing_is_lost_and_nothing_doubled(
    way: str, tmp_path: Path, pki: Pki, nursery: Nursery, amqp_url: str
) -> None:
    """Before and after each commit once, of a document that is published or of one that comes into the queue."""
    dead = tmp_path / "dead.txt"
    async with queue_village(tmp_path, pki, nursery, amqp_url, {"once": str(dead)}) as (here, doctor):
        here.good.answers_when = lambda message_id: acknowledged(here, message_id)
        story = here.hand_over(DOCTOR, GOOD, "henvisning") if way == "out" else here.partner_sends(DOCTOR)
        await here.life.through(story)
        await here.rest()
        expected = {f"{commit} {side}" for commit in COMMITS[way] for side in ("before-commit", "after-commit")}

        def died() -> bool:  # what it dies of last is durable already
            so_far = deaths(dead)
            return expected <= {step for death in so_far for step in death} and here.life.deaths == len(so_far)

        await here.until(died, "the last of its deaths")
        await all_came(here, doctor)
    await here.count()


async def test_killed_at_random_under_load_nothing_is_lost_and_nothing_doubled(
    tmp_path: Path, pki: Pki, nursery: Nursery, amqp_url: str
) -> None:
    """Some kill -9 while documents go both ways through the queues; then all that was promised is counted."""
    dice, going = random.Random("samhub"), True

    async def busy(outwards: bool) -> None:
        while going:
            await (here.hand_over(DOCTOR, GOOD, "henvisning") if outwards else here.partner_sends(DOCTOR))

    async with queue_village(tmp_path, pki, nursery, amqp_url, prefetch=4) as (here, doctor):
        actors = [asyncio.create_task(busy(outwards)) for outwards in (True, True, False, False)]
        for _ in range(KILLS):
            await here.life.ready()
            await asyncio.sleep(dice.uniform(0.1, 0.8))
            here.life.check()
            here.life.kill()
        await here.until(lambda: here.life.deaths == KILLS, "the last of its deaths")
        await here.until(lambda: min(len(here.sent), len(here.got)) > KILLS, "messages both ways")
        going = False
        await here.life.through(asyncio.wait_for(asyncio.gather(*actors), 60))  # type: ignore[arg-type]
        await here.rest()
        await all_came(here, doctor)
        print(f"{len(here.sent)} out, {len(here.got)} in, {len(doctor.at.came) - len(doctor.at.seen)} came twice")
    await here.count()


async def all_came(here: Village, doctor: SteadyQueueSystem) -> None:
    """Every document lies there once by its id; every AppRec that came home was told once by its offset."""
    letters = [s.document for s in here.got.values()]
    await here.until(lambda: sum(b in letters for b in doctor.kept.values()) == len(letters), "all documents")
    said = "MessageApprecInfoUpdated"
    await here.until(lambda: sum(c[said] for c in doctor.told().values()) >= len(here.sent), "all events")
    told = doctor.told()
    assert {msg_id: told[msg_id][said] for msg_id in here.sent} == dict.fromkeys(here.sent, 1)
    apprecs = Counter(d.headers["original-msg-id"] for d in doctor.at.documents if d.headers["kind"] == "apprec")
    assert apprecs == Counter(list(here.sent))


def acknowledged(here: Village, message_id: str) -> bool:
    """Whether the hub knows it: an AppRec that overtook the Acknowledgment would spare a step."""
    sql = "SELECT 1 FROM deliveries WHERE eb_message_id = ? AND state NOT IN ('waiting', 'sent')"
    return bool(here.ask(sql, message_id))
