"""`samhub message`, `delivery`, `deadletter`, `receipts`: look at what happened, and act on it."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from hub import commands, insights
from hub.errors import NotAllowed, NotFound
from hub.insights import Story
from hub.kit import Kit
from hub.message import DeliveryRecord
from hub.ports import DeliveryFilter, MessageFilter
from hub.states import Move, State
from ops.cli.common import AsJson, ConfigFile, fail, hub, listing, plain, print_json, run, store, ways

message = typer.Typer(
    no_args_is_help=True, help="Messages: list, show, trace, explain, ask, resend, hold, release, export."
)
delivery = typer.Typer(no_args_is_help=True, help="Deliveries: our promises to bring a message to one receiver.")
deadletter = typer.Typer(no_args_is_help=True, help="Deliveries that were given up and wait for a person.")
receipts = typer.Typer(no_args_is_help=True, help="AppRecs that are missing.")

MessageId = Annotated[str, typer.Argument(help="Our id, the MsgId, or the ebXML MessageId.")]
Why = Annotated[str, typer.Option("--why", help="A word for the journal.")]

DELIVERY_COLUMNS: dict[str, Callable[[Any], object]] = {
    "delivery": lambda d: d.id,
    "state": lambda d: d.state,
    "code": lambda d: d.code,
    "from": lambda d: d.sender,
    "to": lambda d: d.receiver,
    "attempts": lambda d: d.attempts,
    "since": lambda d: d.created_at,
    "next": lambda d: d.next_at,
    "because": lambda d: d.because,
    "partner said": lambda d: d.said,
    "what to do": lambda d: insights.advice(d.code),
}


@message.command("list")
def list_messages(
    config: ConfigFile = None,
    as_json: AsJson = False,
    sender: Annotated[str, typer.Option("--from", help="HER-id of the sender.")] = "",
    receiver: Annotated[str, typer.Option("--to", help="HER-id of the first receiver.")] = "",
    type_code: Annotated[str, typer.Option("--type", help="Type code, e.g. HENVIS.")] = "",
    kind: Annotated[str, typer.Option(help="business, apprec or signal.")] = "",
    limit: Annotated[int, typer.Option(help="At most so many, newest first.")] = 50,
) -> None:
    """Messages, newest first."""

    async def work() -> None:
        wanted = MessageFilter(from_her=sender, to_her=receiver, type_code=type_code, kind=kind, limit=limit)
        async with store(config) as opened:
            rows = await opened.messages(wanted)
        columns: dict[str, Callable[[Any], object]] = {
            "message": lambda m: m.id,
            "received": lambda m: m.received_at,
            "type": lambda m: f"{m.type_code} {m.version}".strip(),
            "from": lambda m: m.from_her,
            "to": lambda m: m.to_her,
            "direction": lambda m: m.direction,
            "code": lambda m: m.code,
            "MsgId": lambda m: m.msg_id,
        }
        listing(rows, as_json, columns, "no messages")

    run(work())


@message.command("show")
def show_message(wanted: MessageId, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """One message: what it is, where it stands, and because of what."""
    found = run(_story(wanted, config))
    if as_json:
        print_json({**plain(found), "outcome": found.outcome})
        return
    m = found.message
    print(f"message    {m.id}\nMsgId      {m.msg_id}\ntype       {m.type_code} {m.standard} {m.version}".rstrip())
    print(f"from       {m.from_her}\nto         {m.to_her}\nreceived   {m.received_at.isoformat()} at {m.door}")
    print(f"size       {m.size} bytes\nverdict    {m.code}: {m.because}\noutcome    {found.outcome}")
    for d in found.deliveries:
        print(f"delivery   {d.id} to {d.receiver} by {d.channel}: {d.state}, {d.code}: {d.because}")
        if d.said:
            print(f"           the partner said: {d.said}")
        if hint := insights.advice(d.code):
            print(f"           {hint}")


@message.command("trace")
def trace(wanted: MessageId, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """The whole way of a message: every entry of the journal, attempt and receipt, in order."""
    found = run(_story(wanted, config))
    if as_json:
        print_json({**plain(found), "outcome": found.outcome})
        return
    for line in way(found):
        print(line)
    print(f"outcome: {found.outcome}")


@message.command("explain")
def explain(wanted: MessageId, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Why a message stands where it does: what that means, whose it is, what comes next and what to do."""
    found = run(_story(wanted, config))
    for e in insights.explained(found):
        if as_json:
            print_json(e)
            continue
        print(f"to HER-id {e.receiver}: {e.state}: {e.meaning}\n  because     {e.because}")
        for name, words in (
            ("they said", e.said),
            ("whose it is", e.whose),
            ("next", e.next),
            ("what to do", e.what_to_do),
        ):
            if words:
                print(f"  {name:<11} {words}")


@message.command("ask")
def ask(
    wanted: MessageId,
    config: ConfigFile = None,
    as_json: AsJson = False,
    seconds: Annotated[float, typer.Option(help="How long an answer is waited for.", min=0.1, max=600)] = 10,
) -> None:
    """Asks each partner what became of a message that we sent (StatusRequest). Exit 1 unless all say that they have it."""
    from ops.look.status import Answered, asked

    async def work() -> list[Answered]:
        async with hub(config) as built:
            return await asked(wanted, getpass.getuser(), built.kit, ways(built.configuration, seconds))

    found = run(work())
    for one in found:
        if as_json:
            print_json({**plain(one), "good": one.good})
            continue
        at = one.timestamp.isoformat(timespec="seconds") if one.timestamp else ""
        said = f"{one.message_status}{f' {at}' if at else ''}, {'signed' if one.signed else 'unsigned'}; "
        print(f"HER-id {one.receiver}: {said if one.message_status else ''}{one.because}")
    if not found:
        fail(f"message {wanted} has no delivery; nobody can be asked about it")
    if not all(one.good for one in found):
        raise typer.Exit(1)


def way(found: Story) -> list[str]:
    """The journal of a message with its attempts, a line each."""
    lines = [(e.at, f"{e.event}  {e.because}  [{e.code}]") for e in found.journal]
    lines += [(a.started_at, f"attempt {a.number} begun") for a in found.attempts]
    return [f"{at.astimezone().strftime('%H:%M:%S.%f')[:-3]}  {text}" for at, text in sorted(lines, key=lambda x: x[0])]


@message.command("export")
def export(
    wanted: MessageId,
    config: ConfigFile = None,
    out: Annotated[Path | None, typer.Option(help="File to write.")] = None,
) -> None:
    """The document of a message, byte for byte."""

    async def work() -> bytes:
        async with store(config) as opened:
            found = await insights.find(opened, wanted)
            return (await opened.document(found.id) if found else None) or b""

    content = run(work())
    if not content:
        fail(f"message {wanted} is not known here; see: samhub message list")
    if out is None:
        typer.echo(content, nl=False)
    else:
        out.write_bytes(content)


async def _story(wanted: str, config: Path | None) -> Story:
    async with store(config) as opened:
        found = await insights.story(opened, wanted)
    if found is None:
        fail(f"message {wanted} is not known here; see: samhub message list")
    return found


def _act_on_message(wanted: str, move: Move, why: str, config: Path | None) -> None:
    """The move for every delivery of a message from which it is possible."""

    async def work() -> list[DeliveryRecord]:
        async with hub(config) as built:
            found = await insights.story(built.store, wanted)
            if found is None:
                fail(f"message {wanted} is not known here; see: samhub message list")
            possible = [d for d in found.deliveries if commands.possible(d, move)]
            if not possible:
                stands = ", ".join(f"{d.receiver}: {d.state}" for d in found.deliveries) or "it has no delivery"
                fail(f"{move} is not possible for any delivery of message {wanted} ({stands})")
            actor = getpass.getuser()
            return [await commands.act(d.id, move, actor, why, built.kit) for d in possible]

    for d in run(work()):
        print(f"{d.id}  to {d.receiver}: {d.state}")


@message.command("resend")
def resend(wanted: MessageId, config: ConfigFile = None, why: Why = "") -> None:
    """Sends every delivery of a message again, now."""
    _act_on_message(wanted, Move.RESEND, why, config)


@message.command("hold")
def hold(wanted: MessageId, config: ConfigFile = None, why: Why = "") -> None:
    """Puts a message aside until it is released."""
    _act_on_message(wanted, Move.HOLD, why, config)


@message.command("release")
def release(wanted: MessageId, config: ConfigFile = None, why: Why = "") -> None:
    """Lets a held message go."""
    _act_on_message(wanted, Move.RELEASE, why, config)


def _deliveries(config: Path | None, states: tuple[str, ...], as_json: bool, limit: int, empty: str) -> int:
    async def work() -> list[DeliveryRecord]:
        async with store(config) as opened:
            return await opened.deliveries(DeliveryFilter(states=states, limit=limit))

    rows = run(work())
    listing(rows, as_json, DELIVERY_COLUMNS, empty)
    return len(rows)


@delivery.command("list")
def list_deliveries(
    config: ConfigFile = None,
    as_json: AsJson = False,
    state: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(State)}; may be repeated.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many, oldest first.")] = 100,
) -> None:
    """Deliveries, oldest first."""
    unknown = [s for s in state or () if s not in list(State)]
    if unknown:
        fail(f"no such state: {', '.join(unknown)}; there are: {', '.join(State)}", code=2)
    _deliveries(config, tuple(state or ()), as_json, limit, "no deliveries")


@deadletter.command("list")
def list_dead(config: ConfigFile = None, as_json: AsJson = False, limit: int = 100) -> None:
    """Deliveries given up. Exit 1 when there are any."""
    if _deliveries(config, (State.DEAD, State.EXPIRED), as_json, limit, "no dead letters"):
        raise typer.Exit(1)


@deadletter.command("resend")
def resend_dead(
    ids: Annotated[list[str] | None, typer.Argument(help="Deliveries; none with --all.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    to: Annotated[str, typer.Option(help="Every dead letter to this HER-id.")] = "",
    code: Annotated[str, typer.Option(help="Every dead letter with this code, e.g. partner-gone.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell which they are, and where they would go.")
    ] = False,
    config: ConfigFile = None,
    why: Why = "",
) -> None:
    """Sends dead letters again, now, where the register says that they go now.

    Goes on over those of which it is not possible; exit 1 when there are any.
    """
    _act(Chosen(tuple(ids or ()), everything, to, code, dry_run), Move.RESEND, why, config)


@deadletter.command("discard")
def discard_dead(
    ids: Annotated[list[str] | None, typer.Argument(help="Deliveries.")] = None,
    config: ConfigFile = None,
    why: Why = "",
) -> None:
    """Gives up for good; the journal keeps who did it and why."""
    _act(Chosen(tuple(ids or ())), Move.DISCARD, why, config)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which dead letters; by their ids, or by what they have alike."""

    ids: tuple[str, ...]
    everything: bool = False
    to: str = ""
    code: str = ""
    dry_run: bool = False

    @property
    def by_kind(self) -> bool:
        return self.everything or bool(self.to or self.code)


def _act(chosen: Chosen, move: Move, why: str, config: Path | None) -> None:
    if not chosen.ids and not chosen.by_kind:
        fail("name deliveries, or say --to, --code or --all; see: samhub deadletter list", code=2)

    async def work() -> tuple[int, int]:
        async with hub(config) as built:
            ids = list(chosen.ids)
            if chosen.by_kind:
                receivers = (chosen.to,) if chosen.to else ()
                wanted = DeliveryFilter(states=(State.DEAD, State.EXPIRED), receivers=receivers, limit=100_000)
                ids += [d.id for d in await built.store.deliveries(wanted) if chosen.code in ("", d.code)]
            done = [await _tried(one, move, why, chosen.dry_run, built.kit) for one in dict.fromkeys(ids)]
            return sum(done), len(done)

    good, asked = run(work())
    words = "sent again" if move is Move.RESEND else "discarded"
    words = f"would be {words} (nothing was; leave --dry-run out)" if chosen.dry_run else words
    print(f"{good} {words}" + (f", {asked - good} not" if good < asked else ""))
    if good < asked:
        raise typer.Exit(1)


async def _tried(delivery_id: str, move: Move, why: str, dry_run: bool, kit: Kit) -> bool:
    """One of them, told as soon as it is done; what is not possible is told and stops nothing."""
    try:
        if dry_run:
            delivery, where = await commands.foreseen(delivery_id, move, kit)
            print(f"{delivery.id}  to {delivery.receiver}: {delivery.state} {delivery.code}; goes to {where}")
        else:
            delivery = await commands.act(delivery_id, move, getpass.getuser(), why, kit)
            print(f"{delivery.id}  to {delivery.receiver}: {delivery.state}", flush=True)
    except (NotFound, NotAllowed) as error:
        print(str(error), file=sys.stderr)
        return False
    return True


@receipts.command("overdue")
def overdue(
    config: ConfigFile = None,
    as_json: AsJson = False,
    limit: Annotated[int, typer.Option(help="At most so many, oldest first.")] = 100,
) -> None:
    """Deliveries whose AppRec should have been home, or will be missed soon. Exit 1 when any is overdue."""

    async def work() -> list[DeliveryRecord]:
        async with store(config) as opened:
            return await opened.deliveries(DeliveryFilter(states=(State.OVERDUE,), limit=limit))

    rows = run(work())
    now = datetime.now(UTC)
    columns = {
        **{name: DELIVERY_COLUMNS[name] for name in ("delivery", "from", "to", "code")},
        "due": lambda d: d.apprec_due_at,
        "hours late": lambda d: f"{(now - d.apprec_due_at).total_seconds() / 3600:.1f}" if d.apprec_due_at else "",
        "what to do": lambda d: insights.advice(d.code),
    }
    listing(rows, as_json, columns, "no AppRec is overdue")
    if rows:
        raise typer.Exit(1)
