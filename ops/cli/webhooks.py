"""`samhub webhook`: record systems that are told over a webhook, what they could not be told, and one told again."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from hub.errors import NotFound
from hub.kit import Kit
from hub.ports import HookLane
from hub.record_systems import webhooks
from ops.cli.common import AsJson, ConfigFile, fail, hub, listing, run, store, user

webhook = typer.Typer(no_args_is_help=True, help="Record systems that are told over a webhook: list, retry, discard.")
System = Annotated[str, typer.Argument(help="The record system, as the list shows it.")]
Message = Annotated[str, typer.Option("--message", help="Only this message of it, or behind, as the list shows it.")]
Why = Annotated[str, typer.Option(help="Goes into the journal.")]


def state(lane: HookLane) -> str:
    """In a word or two."""
    if lane.given_up_at is not None:
        return "stopped" if lane.lane == webhooks.NEW else "given up"
    return "tried again" if lane.tries else "told"


COLUMNS: dict[str, Callable[[Any], object]] = {
    "system": lambda lane: lane.system,
    "of": lambda lane: lane.lane or "all that is new",
    "state": state,
    "from offset": lambda lane: lane.told + 1,
    "to": lambda lane: lane.ends,
    "tries": lambda lane: lane.tries,
    "since": lambda lane: lane.since,
    "last cause": lambda lane: f"{lane.code}: {lane.because}" if lane.code else "",
    "next try": lambda lane: lane.next_at if lane.given_up_at is None else None,
}


@webhook.command("list")
def list_webhooks(
    all_of_them: Annotated[bool, typer.Option("--all", help="Also those that are well.")] = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """What record systems are not told just now: given up, or tried again; since when, and why."""

    async def work() -> list[HookLane]:
        async with store(config) as opened:
            return [lane for lane in await opened.hooks() if all_of_them or state(lane) != "told"]

    listing(run(work()), as_json, COLUMNS, "nothing waits to be told")


class _Act(Protocol):
    def __call__(
        self, system: str, message: str, actor: str, why: str, kit: Kit, /
    ) -> Coroutine[Any, Any, list[HookLane]]: ...


def _acted(act: _Act, system: str, message: str, why: str, config: Path | None, done: str) -> None:
    async def work() -> list[HookLane]:
        async with hub(config) as built:
            return await act(system, message, user(), why, built.kit)

    try:
        for lane in run(work()):
            print(f"{lane.system}: {webhooks.what(lane)}: {done}")
    except NotFound as error:
        fail(str(error))


@webhook.command("retry")
def retry(system: System, message: Message = "", why: Why = "", config: ConfigFile = None) -> None:
    """Has told at once, by the hub that runs, what a record system was not told; it drops by id what it knows already."""
    _acted(webhooks.retry, system, message, why, config, "told at once")


@webhook.command("discard")
def discard(system: System, message: Message = "", why: Why = "", config: ConfigFile = None) -> None:
    """Takes what was given up off the list: the record system has polled it, or does without."""
    _acted(webhooks.discard, system, message, why, config, "discarded")
