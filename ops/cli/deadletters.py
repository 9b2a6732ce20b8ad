"""Dead letters sent again or given up for good, by their ids or by what they have alike."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import typer

from hub import commands, insights
from hub.errors import NotAllowed, NotFound
from hub.kit import Kit
from hub.ports import DeliveryFilter, Store
from hub.states import Move, State
from ops.cli.common import fail, hub, run, user

DEAD = (State.DEAD, State.EXPIRED)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which dead letters; by their ids, or by what they have alike."""

    ids: tuple[str, ...]
    everything: bool = False
    to: str = ""
    code: str = ""  #: how it ended, or why
    dry_run: bool = False

    @property
    def by_kind(self) -> bool:
        return self.everything or bool(self.to or self.code)


def act(chosen: Chosen, move: Move, why: str, config: Path | None) -> None:
    """Makes the move for each, and tells it; exit 1 when it was not possible for some."""
    if not chosen.ids and not chosen.by_kind:
        fail("name deliveries, or say --to, --code or --all; see: samhub deadletter list", code=2)

    async def work() -> list[bool]:
        async with hub(config) as built:
            ids = await _meant(built.store, chosen)
            return [await _tried(one, move, why, chosen.dry_run, built.kit) for one in ids]

    done = run(work())
    good, bad = done.count(True), done.count(False)
    words = "sent again" if move is Move.RESEND else "discarded"
    words = f"would be {words} (nothing was; leave --dry-run out)" if chosen.dry_run else words
    print(f"{good} {words}" + (f", {bad} not" if bad else ""))
    if bad:
        raise typer.Exit(1)


async def _tried(delivery_id: str, move: Move, why: str, dry_run: bool, kit: Kit) -> bool:
    """One of them, told as soon as it is done; what is not possible is told and stops nothing."""
    try:
        if dry_run:
            delivery, where = await commands.foreseen(delivery_id, move, kit)
            print(f"{delivery.id}  to {delivery.receiver}: {delivery.state} {delivery.code}; goes to {where}")
        else:
            delivery = await commands.act(delivery_id, move, user(), why, kit)
            print(f"{delivery.id}  to {delivery.receiver}: {delivery.state}", flush=True)
    except (NotFound, NotAllowed) as error:
        print(str(error), file=sys.stderr)
        return False
    return True


async def _meant(opened: Store, chosen: Chosen) -> Iterable[str]:
    """The deliveries that are chosen, each once."""
    ids = [own for one in chosen.ids for own in await _named(opened, one)]
    if chosen.by_kind:
        receivers = (chosen.to,) if chosen.to else ()
        found = await opened.deliveries(DeliveryFilter(states=DEAD, receivers=receivers, limit=100_000))
        ids += [d.id for d in found if chosen.code in ("", d.code, insights.cause(d))]
    return dict.fromkeys(ids)


async def _named(opened: Store, wanted: str) -> list[str]:
    """The deliveries that an id means: of a message with several, those that were given up."""
    chosen = await insights.delivery_ids(opened, wanted)
    if len(chosen) <= 1:
        return chosen or [wanted]
    found = await opened.deliveries(DeliveryFilter(ids=tuple(chosen)))
    return [d.id for d in found if d.state in DEAD] or chosen[:1]
