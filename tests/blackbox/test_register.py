"""Real hubs read their register anew: by a signal and by a command, and what waits follows."""

from __future__ import annotations

import json
import os
import signal

from tests.blackbox.conftest import NewSite


async def test_a_partner_moves_while_its_letters_wait(new_site: NewSite) -> None:
    """SIGHUP ends nothing; the letters come at the new port, each once; the metric tells the revision."""
    async with new_site(partners=["down"]) as here:
        hub = await here.hub()
        await here.doctor.hand_over(here.partner)
        _, before = await hub.get("/health/ready")
        await here.moves(here.partner)
        await here.partner.behaves("good")
        os.kill(hub.pid, signal.SIGHUP)
        await here.until(lambda: len(here.partner.received) == 1, "the letter at its new address")
        _, after = await hub.get("/health/ready")
        old, new = (json.loads(text)["register"] for text in (before, after))
        assert old["revision"] != new["revision"] and new["state"] == "good"
        assert await hub.metric("samhub_register_read_timestamp_seconds", revision=new["revision"]) > 0
        await here.rest()
        await here.assert_all_accounted()


async def test_a_register_with_mistakes_is_not_taken_and_the_command_says_why(new_site: NewSite) -> None:
    """It goes on with what it had, and is red until a good one is read."""
    async with new_site() as here:
        hub = await here.hub()
        file = here.written.folder / "parties.toml"
        good = file.read_text("utf-8")
        file.write_text(good.replace("her_id =", "her_ids =", 1), "utf-8")
        said = await here.samhub("reload")
        assert said.code == 1 and "NOT TAKEN" in said.out and "her_id" in said.out
        assert await hub.metric("samhub_register_red") == 1
        shown = await here.samhub("config", "show", "--running")
        assert shown.code == 1 and shown.rows[0]["red"]
        await here.doctor.hand_over(here.partner)
        await here.rest()
        file.write_text(good, "utf-8")
        assert (await here.samhub("reload")).code == 0
        assert await hub.metric("samhub_register_red") == 0
        await here.assert_all_accounted()
