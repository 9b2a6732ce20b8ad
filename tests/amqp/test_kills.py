"""A hub that is killed at each durable step of a message on the bus loses nothing and doubles nothing (nhn-amqp.md §4.5)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ops.partner.handles import Pki
from ops.sector import write_site
from ops.servers.rabbitmq import VirtualHost
from tests.amqp.conftest import DOCTOR, PARTNER, queues
from tests.amqp.dotnet import DotNet
from tests.amqp.stage import EXCHANGE, PASSWORD, USER, quiet
from tests.crash.child import deaths
from tests.crash.village import SETTINGS, Life, Nursery, SqliteLook, sampled
from tests.support.steady import SteadyRecordSystem

#: What a message on the bus cannot do without.
COMMITS = {
    "in": (
        "apply:received+routed",
        "apply:apprec_ok+apprec_sent+fetched+routed",
        "claim",
        "keep_parcel",
        "settle:done",
    ),
    "out": ("apply:received+routed", "claim", "keep_parcel", "settle:handed_over", "apply:apprec_ok+received+routed"),
}


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    """Where hubs are born."""
    made = Nursery(tmp_path / "errors.txt")
    yield made
    made.close()


def order(folder: Path, pki: Pki, broker: VirtualHost, way: str) -> tuple[dict[str, str], str, Path]:
    """A site on the bus: what its hub is told, the API key of its record system, and where its store is."""
    folder.mkdir()
    (folder / "password").write_text(PASSWORD)
    amqp = {
        "url": f"amqp://127.0.0.1:{broker.port}/{EXCHANGE}",
        "way": way,
        "username": USER,
        "password_file": str(folder / "password"),
        "wait_seconds": 0.1,
        "longest_wait_seconds": 0.5,
    }
    manners = {
        DOCTOR.her_id: queues(DOCTOR.organisation_her_id),
        PARTNER.her_id: queues(PARTNER.organisation_her_id),
    }
    settings: dict[str, dict[str, Any]] = {**SETTINGS, "amqp": amqp}
    remote = [(PARTNER, "")]
    site = write_site(folder / "site", pki.folder, [DOCTOR], remote, manners=manners, settings=settings, apprec="hub")
    dead = folder / "dead.txt"
    told = {"configuration": str(site.configuration), "once": str(dead)}
    return told, site.keys[DOCTOR.system], folder / "site" / "data" / "samhub.db"


@pytest.mark.parametrize("direction", ["in", "out"])
async def test_killed_at_each_durable_step(
    direction: str, way: str, broker: VirtualHost, dotnet: Any, samhub_pki: Pki, nursery: Nursery, tmp_path: Path
) -> None:
    """Before and after each commit once: the broker brings again what was not settled, and it counts once."""
    told, key, store = order(tmp_path / "hub", samhub_pki, broker, way)
    party: DotNet = dotnet()
    life = Life(nursery, told)
    system = SteadyRecordSystem(lambda: life.url, key, (DOCTOR.her_id,))
    reading = asyncio.create_task(system.read())
    sample = sampled("dialog-helsefaglig", *((PARTNER, DOCTOR) if direction == "in" else (DOCTOR, PARTNER)))
    try:
        await life.through(life.ready())
        if direction == "in":
            certificate = samhub_pki.folder / DOCTOR.organisation / "encrypt.cert.pem"
            body = await asyncio.to_thread(party.sealed, sample.document, certificate)
            await asyncio.to_thread(party.send, "8000201_async", body, DOCTOR.her_id, "DIALOG_HELSEFAGLIG")
        else:
            await life.through(system.hand_over(sample))
        got = await arrived(party, life, direction, sample, samhub_pki)
        await until_dead_of_all(direction, Path(told["once"]), life)
        got |= await rest(party)
        await asyncio.to_thread(quiet, broker, 20)
    finally:
        await life.end()
        reading.cancel()
    await counted(direction, SqliteLook(store), system, sample.document, got)


async def arrived(party: DotNet, life: Life, direction: str, sample: Any, pki: Pki) -> dict[str, str]:
    """What the partner got, by message-id: the AppRec, or the document, which it answers by its own."""
    got: dict[str, str] = {}
    while not got:
        got |= await rest(party)
        life.check()
    if direction == "out":
        from tests.amqp.test_journeys import apprec_for

        certificate = pki.folder / DOCTOR.organisation / "encrypt.cert.pem"
        body = await asyncio.to_thread(party.sealed, apprec_for(sample), certificate)
        await asyncio.to_thread(party.send, "8000201_async", body, DOCTOR.her_id, "APPREC")
    return got


async def rest(party: DotNet) -> dict[str, str]:
    """All that lies there for the partner; what came twice came under one id."""
    got: dict[str, str] = {}
    while (message := await asyncio.to_thread(party.receive, "async", 1)) is not None:
        got[str(message.id)] = message.subject
    return got


async def until_dead_of_all(direction: str, dead: Path, life: Life) -> None:
    """It has died before and after each commit that the message needs."""
    expected = {f"{commit} {side}" for commit in COMMITS[direction] for side in ("before-commit", "after-commit")}
    for _ in range(600):
        so_far = deaths(dead)
        if expected <= {step for death in so_far for step in death} and life.deaths == len(so_far):
            return
        life.check()
        await asyncio.sleep(0.05)
    seen = {step for death in deaths(dead) for step in death}
    raise AssertionError(f"it never died of {sorted(expected - seen)}; it did of {sorted(seen)}")


async def counted(
    direction: str, look: SqliteLook, system: SteadyRecordSystem, document: bytes, got: dict[str, str]
) -> None:
    """One document, one AppRec, one id on the bus, and everything done."""
    assert len(got) == 1, got
    assert await look.check() == []
    assert {state for (state,) in look.ask("SELECT state FROM deliveries")} == {"done"}
    came = Counter(kind for (kind,) in look.ask("SELECT kind FROM messages WHERE direction = 'in'"))
    assert came == ({"business": 1} if direction == "in" else {"apprec": 1})
    if direction == "in":
        assert list(system.kept.values()) == [document]
    assert {i for i, times in system.new.items() if times != 1} == set()
