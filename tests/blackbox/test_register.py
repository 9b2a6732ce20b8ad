"""Real hubs read their register anew: by a signal and by a command, and what waits follows."""

from __future__ import annotations

import json
import os
import re
import signal

from tests.blackbox.conftest import NewSite


async def test_a_partner_moves_while_its_letters_wait_and_mistakes_change_nothing(new_site: NewSite) -> None:
    """SIGHUP ends nothing; the letters come at the new port, each once. With mistakes it goes on, red, and says which."""
    async with new_site(partners=["down"]) as here:
        hub, file = await here.hub(), here.written.folder / "parties.toml"
        await here.doctor.hand_over(here.partner)
        before = await _register(hub)
        await here.moves(here.partner)
        await here.partner.behaves("good")
        os.kill(hub.pid, signal.SIGHUP)
        await here.until(lambda: len(here.partner.received) == 1, "the letter at its new address")
        after = await _register(hub)
        assert before["revision"] != after["revision"] and after["state"] == "good"
        assert await hub.metric("samhub_register_read_timestamp_seconds", revision=after["revision"]) > 0
        good = file.read_text("utf-8")
        file.write_text(good.replace("her_id =", "her_ids =", 1), "utf-8")
        said = await here.samhub("reload")
        assert said.code == 1 and "NOT TAKEN" in said.out and "her_id" in said.out
        assert await hub.metric("samhub_register_red") == 1
        await here.doctor.hand_over(here.partner)
        await here.rest()
        file.write_text(good, "utf-8")
        os.kill(hub.pid, signal.SIGHUP)
        await hub.until(lambda: _good(hub), "the mended one to be read")
        assert (await _register(hub))["revision"] == after["revision"]
        await here.assert_all_accounted()


async def test_every_worker_reads_it_anew(new_site: NewSite, store_url: str) -> None:
    """SIGHUP to the parent is passed on, and an order in the store reaches them all; none of them ends."""
    async with new_site(store=store_url) as here:
        hub = await here.hub(workers=2)
        before = hub.workers
        old = await _revisions(hub)
        (here.written.folder / "routes.toml").write_text('[[rule]]\nname = "one"\n', "utf-8")
        os.kill(hub.pid, signal.SIGHUP)
        await hub.until(lambda: _new(hub, old), "both to have read it")
        (here.written.folder / "routes.toml").unlink()
        said = await here.samhub("reload", "--json")
        assert said.code == 0
        assert [row["changes"] for row in said.rows] == [["routes: 1 removed (one)"]] * 2
        assert len({row["revision"] for row in said.rows}) == 1
        assert hub.workers == before
        await here.doctor.hand_over(here.partner)
        await here.rest()
        await here.assert_all_accounted()


async def _register(hub) -> dict[str, str]:
    _, text = await hub.get("/health/ready")
    return json.loads(text)["register"]


async def _good(hub) -> bool:
    return (await _register(hub))["state"] == "good"


async def _revisions(hub) -> list[str]:
    """That of each node, as any of them tells it."""
    _, text = await hub.get("/metrics")
    return re.findall(r'^samhub_register_read_timestamp_seconds{.*revision="(\w+)"', text, re.MULTILINE)


async def _new(hub, old: list[str]) -> bool:
    found = await _revisions(hub)
    return len(found) == 2 and not set(found) & set(old)
