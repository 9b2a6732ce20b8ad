"""Each durable step kills the first of three nodes that comes to it; the others and the one that comes back lose nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.partner.handles import Pki
from ops.servers.rabbitmq import VirtualHost
from tests.crash.child import deaths
from tests.crash.test_steps import STORIES, acknowledged
from tests.nodes.fleet import town


@pytest.mark.parametrize("name", ["sent by REST", "received into a mailbox", "received into a folder"])
async def test_a_node_killed_at_each_durable_step_loses_nothing_and_doubles_nothing(
    name: str, tmp_path: Path, pki: Pki, store_url: str, vhost: VirtualHost
) -> None:
    """Before and after each commit once, in one story; who died is begun again, the others go on."""
    story, dead = STORIES[name], tmp_path / "dead.txt"
    async with town(tmp_path, pki, store_url, vhost.url, order={"once": str(dead)}) as (here, fleet):
        here.good.answers_when = lambda message_id: acknowledged(here, message_id)
        await story.tell(here)
        await here.rest(*story.ends)
        expected = {f"{commit} {side}" for commit in story.commits for side in ("before-commit", "after-commit")}

        def died() -> bool:
            so_far = deaths(dead)
            return expected <= {step for death in so_far for step in death} and fleet.deaths == len(so_far)

        await here.until(died, "the last of their deaths")
    await here.count()
