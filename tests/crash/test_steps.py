"""Killed once before and once after each commit of every kind, a hub comes back and nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ops.partner.handles import Pki
from tests.crash.child import deaths
from tests.crash.village import DOCTOR, GOOD, LATE, NURSING, PHYSIO, SILENT, Nursery, Village, village


@dataclass(frozen=True)
class Story:
    """Something that happens in the village, and the kinds of commits that it must have been killed at."""

    tell: Callable[[Village], Coroutine[Any, Any, None]]
    commits: tuple[str, ...]
    ends: tuple[str, ...] = ("done",)
    settings: tuple[tuple[str, Any], ...] = ()


async def send_by_rest(here: Village) -> None:
    """The doctor's record system hands over a referral and gets its AppRec."""
    await here.hand_over(DOCTOR, GOOD, "henvisning")


async def receive_into_mailbox(here: Village) -> None:
    """A discharge letter for the doctor, one of a megabyte for the nurses."""
    await here.partner_sends(DOCTOR)
    await here.partner_sends(NURSING, "dialog-svar", padding=700_000)


async def receive_into_folder(here: Village) -> None:
    """A letter for the physiotherapist, whose record system reads files."""
    await here.partner_sends(PHYSIO)


async def send_by_folder(here: Village) -> None:
    """The physiotherapist's record system puts a letter into its outbox."""
    here.put_into_outbox(GOOD)


async def wait_in_vain(here: Village) -> None:
    """A partner that never answers by AppRec."""
    await here.hand_over(DOCTOR, SILENT)


async def acknowledged_later(here: Village) -> None:
    """A partner whose Acknowledgment comes by itself, when the hub knows that the message was handed over."""
    handed = "SELECT 1 FROM deliveries WHERE receiver = ? AND handed_over > 0"
    here.partners[LATE.her_id].receipts_when = lambda: here.ask(handed, LATE.her_id)
    await here.hand_over(DOCTOR, LATE)


OUT = ("claim", "keep_parcel", "settle:acknowledged", "apply:apprec_ok+received+routed")
STORIES = {
    "sent by REST": Story(send_by_rest, ("apply:received+routed", *OUT, "apply:fetched")),
    "received into a mailbox": Story(
        receive_into_mailbox,
        (
            "apply:received+routed",
            "apply:apprec_ok+apprec_sent+fetched+routed",
            "claim",
            "keep_parcel",
            "settle:acknowledged",
        ),
    ),
    "received into a folder": Story(
        receive_into_folder,
        (
            "apply:received+routed",
            "claim",
            "keep_parcel",
            "keep_bookmark",
            "settle:apprec_ok+apprec_sent+fetched+routed",
            "settle:acknowledged",
        ),
    ),
    "sent by folder": Story(send_by_folder, ("apply:received+routed", *OUT, "keep_bookmark", "settle:fetched")),
    "overdue": Story(
        wait_in_vain,
        ("apply:received+routed", "claim", "keep_parcel", "settle:acknowledged", "apply:overdue"),
        ("overdue",),
        (("apprec_deadline_hours", 4 / 3600),),
    ),
    "acknowledged later": Story(
        acknowledged_later,
        ("claim", "keep_parcel", "settle:handed_over", "apply:acknowledged", "apply:apprec_ok+received+routed"),
    ),
}


@pytest.mark.parametrize("name", STORIES)
async def test_killed_at_each_durable_step_nothing_is_lost_and_nothing_doubled(
    name: str, tmp_path: Path, pki: Pki, nursery: Nursery
) -> None:
    """Before and after each commit once, in one story; after each death the hub is begun again and all go on."""
    story, dead = STORIES[name], tmp_path / "dead.txt"
    async with village(tmp_path, pki, nursery, {"once": str(dead)}, hub=_hub(story)) as here:
        here.good.answers_when = lambda message_id: acknowledged(here, message_id)
        await here.life.through(story.tell(here))
        await here.rest(*story.ends)
        expected = {f"{commit} {side}" for commit in story.commits for side in ("before-commit", "after-commit")}

        def died() -> bool:  # what it dies of last is durable already
            so_far = deaths(dead)
            return expected <= {step for death in so_far for step in death} and here.life.deaths == len(so_far)

        await here.until(died, "the last of its deaths")
    await here.count()


def acknowledged(here: Village, message_id: str) -> bool:
    """Whether the hub knows it: an AppRec that overtook the Acknowledgment would settle all, and one commit fewer is made."""
    sql = "SELECT 1 FROM deliveries WHERE eb_message_id = ? AND state NOT IN ('waiting', 'sent')"
    return bool(here.ask(sql, message_id))


def _hub(story: Story) -> dict[str, Any]:
    return dict(story.settings)
