"""`samhub message`, `delivery`, `deadletter`, `receipts`: look at what happened, and act on it."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from hub import commands, insights, lists
from hub.insights import Explanation, Story
from hub.lists import ListedDelivery, ListedMessage, Page
from hub.message import DeliveryRecord, Kind
from hub.ports import DeliveryFilter, MessageFilter
from hub.states import Move, State
from ops.cli import rows
from ops.cli.common import (
    AsJson,
    ConfigFile,
    configuration,
    cut,
    fail,
    hub,
    listing,
    moment,
    names,
    one_of,
    oslo,
    plain,
    print_json,
    run,
    store,
    user,
    ways,
)
from ops.cli.deadletters import Chosen, act
from ops.cli.rows import types

message = typer.Typer(
    no_args_is_help=True, help="Messages: list, show, trace, explain, ask, resend, hold, release, export."
)
delivery = typer.Typer(
    no_args_is_help=True, help="Deliveries, our promises to bring a message to one receiver: list, show."
)
deadletter = typer.Typer(no_args_is_help=True, help="Deliveries that were given up and wait for a person.")
receipts = typer.Typer(no_args_is_help=True, help="AppRecs that are missing.")

MessageId = Annotated[
    str,
    typer.Argument(
        help="Our id, the MsgId, an ebXML MessageId, a conversation, a delivery or an arrival; or its first 8 letters."
    ),
]
DeliveryId = Annotated[str, typer.Argument(help="A delivery, or any id of its message; or its first 8 letters.")]
Since = Annotated[str, typer.Option(help="Only what came at this time or later: 2026-11-30, 2026-11-30T08:15.")]
Until = Annotated[str, typer.Option(help="Only what came before this time, or on this day.")]
Limit = Annotated[int, typer.Option(help="At most so many, the newest first.", min=1)]
TypeCode = Annotated[str, typer.Option("--type", help="Only of messages of this type, e.g. HENVISNING.")]
KINDS = get_args(Kind)
Why = Annotated[str, typer.Option("--why", help="A word for the journal.")]


@message.command("list")
def list_messages(
    config: ConfigFile = None,
    as_json: AsJson = False,
    sender: Annotated[str, typer.Option("--from", help="HER-id of the sender.")] = "",
    receiver: Annotated[str, typer.Option("--to", help="HER-id of the first receiver.")] = "",
    type_code: Annotated[str, typer.Option("--type", help="Type code, e.g. HENVISNING.")] = "",
    kind: Annotated[str, typer.Option(help=f"One of {', '.join(KINDS)}.")] = "",
    since: Since = "",
    until: Until = "",
    limit: Annotated[int, typer.Option(help="At most so many, newest first.", min=1)] = 50,
) -> None:
    """Messages, newest first, with what became of them."""
    wanted = MessageFilter(
        from_her=sender,
        to_her=receiver,
        type_code=type_code,
        kind=one_of("--kind", kind, KINDS),
        since=moment(since),
        until=moment(until, end=True),
        limit=limit,
    )

    async def work() -> Page[ListedMessage]:
        async with store(config) as opened:
            return await lists.messages(opened, wanted, names(configuration(config)))

    page = run(work())
    if type_code and not page.rows:
        one_of("--type", type_code, types())
    listing(page.rows, as_json, rows.MESSAGES, "no messages", rows.flat_message)
    cut(len(page.rows), page.total, as_json)


@message.command("show")
def show_message(wanted: MessageId, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """One message: what it is, where it stands, and because of what."""
    found = run(_story(wanted, config))
    if as_json:
        print_json(_flat(found))
        return
    m, named = found.message, names(configuration(config))
    print(f"message    {m.id}\nMsgId      {m.msg_id}\ntype       {m.type_code} {m.standard} {m.version}".rstrip())
    print(f"from       {rows.party(m.from_her, named(m.from_her))}\nto         {rows.party(m.to_her, named(m.to_her))}")
    print(f"received   {oslo(m.received_at)} by {m.door}")
    print(f"size       {m.size} bytes\nverdict    {m.code}: {m.because}\noutcome    {found.outcome}")
    for d in found.deliveries:
        why = insights.cause(d)
        print(f"delivery   {d.id} to {d.receiver} by {d.channel}: {d.state}, {d.code}: {d.because}")
        if why != d.code:
            print(f"           cause: {why}")
        if d.said:
            print(f"           the partner said: {d.said}")
        if hint := insights.advice(why):
            print(f"           {hint}")


@message.command("trace")
def trace(wanted: MessageId, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """The whole way of a message: every entry of the journal, attempt and receipt, in order."""
    found = run(_story(wanted, config))
    if as_json:
        print_json(_flat(found))
        return
    for line in way(found):
        print(line)
    print(f"outcome: {found.outcome}")


@message.command("explain")
def explain(wanted: MessageId, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Why a message stands where it does: what that means, whose it is, what comes next and what to do."""
    found = run(_story(wanted, config))
    _print_explained(insights.explained(found, datetime.now(UTC), insights.iso if as_json else oslo), as_json)


def _print_explained(explanations: list[Explanation], as_json: bool) -> None:
    for e in explanations:
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


def _flat(found: Story) -> dict[str, Any]:
    """A story as JSON; nothing of it is tried in the past."""
    now = datetime.now(UTC)
    deliveries = [replace(d, next_at=insights.upcoming(d, now), cause=insights.cause(d)) for d in found.deliveries]
    return {**plain(replace(found, deliveries=deliveries)), "outcome": found.outcome}


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
            return await asked(wanted, user(), built.kit, ways(built.configuration, seconds))

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
    """The journal of a message with its attempts, a line each: when, what, because of what, and who did it."""
    lines = [(e.at, f"{e.event}  {e.because}  [{e.code}]{_by(e.actor)}") for e in found.journal]
    lines += [(a.started_at, f"attempt {a.number} begun") for a in found.attempts]
    return [f"{_precisely(at)}  {text}" for at, text in sorted(lines, key=lambda x: x[0])]


def _by(actor: str) -> str:
    return "" if actor == "hub" else f"  by {actor}"


def _precisely(at: datetime) -> str:
    """With thousandths of a second: what happens at once has an order all the same."""
    date, time, zone = oslo(at).split()
    return f"{date} {time}.{at.microsecond // 1000:03} {zone}"


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
        try:
            out.write_bytes(content)
        except OSError as error:
            fail(f"{out}: {error.strerror}; nothing was written", code=2)


async def _story(wanted: str, config: Path | None) -> Story:
    async with store(config) as opened:
        named = await insights.search(opened, wanted)
        found = await insights.story(opened, named.message.id) if named.message else None
    if found is None and named.arrival:
        fail(f"{wanted} is an arrival that was not taken; see: samhub arrival show {named.arrival}")
    if found is None:
        fail(f"message {wanted} is not known here; see: samhub message list, samhub arrival list")
    if named.others:
        print(f"{wanted} belongs to more messages than this: {', '.join(named.others)}", file=sys.stderr)
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
            actor = user()
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


def _deliveries(config: Path | None, wanted: DeliveryFilter, columns: rows.Columns, as_json: bool, empty: str) -> int:
    async def work() -> Page[ListedDelivery]:
        async with store(config) as opened:
            named = names(configuration(config))
            return await lists.deliveries(opened, replace(wanted, newest=True), named, datetime.now(UTC))

    page = run(work())
    if wanted.type_code and not page.rows:
        one_of("--type", wanted.type_code, types())
    listing(page.rows, as_json, columns, empty, rows.flat_delivery)
    cut(len(page.rows), page.total, as_json)
    return page.total


def _narrowed(states: tuple[str, ...], sender: str, to: str, type_code: str, since: str, until: str) -> DeliveryFilter:
    """What a list of deliveries is narrowed to."""
    return DeliveryFilter(
        states=states,
        senders=(sender,) if sender else (),
        receivers=(to,) if to else (),
        type_code=type_code,
        since=moment(since),
        until=moment(until, end=True),
    )


Sender = Annotated[str, typer.Option("--from", help="Only those of this HER-id.")]
Receiver = Annotated[str, typer.Option("--to", help="Only those to this HER-id.")]


@delivery.command("list")
def list_deliveries(
    config: ConfigFile = None,
    as_json: AsJson = False,
    state: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(State)}; may be repeated.")] = None,
    sender: Sender = "",
    to: Receiver = "",
    type_code: TypeCode = "",
    since: Since = "",
    until: Until = "",
    limit: Limit = 100,
) -> None:
    """Deliveries, newest first."""
    states = tuple(one_of("--state", one, State) for one in state or ())
    wanted = replace(_narrowed(states, sender, to, type_code, since, until), limit=limit)
    _deliveries(config, wanted, rows.DELIVERIES, as_json, "no deliveries")


@delivery.command("show")
def show_delivery(wanted: DeliveryId, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """One delivery: its message, why it stands where it does, and every attempt."""

    async def work() -> tuple[Page[ListedDelivery], Story]:
        async with store(config) as opened:
            chosen = await insights.delivery_ids(opened, wanted)
            if not chosen:
                fail(f"delivery {wanted} is not known here; see: samhub delivery list")
            page = await lists.deliveries(
                opened, DeliveryFilter(ids=tuple(chosen)), names(configuration(config)), datetime.now(UTC)
            )
            story = await insights.story(opened, page.rows[0].delivery.message_id)
            assert story is not None
            return page, story

    page, story = run(work())
    explained = insights.explained(story, datetime.now(UTC), insights.iso if as_json else oslo)
    for row in page.rows:
        attempts = [a for a in story.attempts if a.delivery_id == row.delivery.id]
        [why] = [e for e in explained if e.delivery_id == row.delivery.id]
        if as_json:
            print_json({**rows.flat_delivery(row), "explained": plain(why), "attempts": plain(attempts)})
            continue
        for name in DETAILS:
            if value := rows.DELIVERIES[name](row):
                print(f"{name:<11} {oslo(value) if isinstance(value, datetime) else value}")
        print(f"by          {row.delivery.channel} {row.delivery.address}\nMessageId   {row.delivery.eb_message_id}")
        _print_explained([why], as_json)
        for a in attempts:
            print(f"{oslo(a.started_at)}  attempt {a.number}: {a.code or 'under way'} {a.because}".rstrip())


DETAILS = ("delivery", "message", "MsgId", "type", "from", "to", "state", "cause", "since", "next", "AppRec due")


@deadletter.command("list")
def list_dead(
    config: ConfigFile = None,
    as_json: AsJson = False,
    sender: Sender = "",
    to: Receiver = "",
    type_code: TypeCode = "",
    since: Since = "",
    until: Until = "",
    limit: Limit = 100,
) -> None:
    """Deliveries given up, newest first. Exit 1 when there are any."""
    wanted = replace(_narrowed((State.DEAD, State.EXPIRED), sender, to, type_code, since, until), limit=limit)
    if _deliveries(config, wanted, rows.DELIVERIES, as_json, "no dead letters"):
        raise typer.Exit(1)


@deadletter.command("resend")
def resend_dead(
    ids: Annotated[list[str] | None, typer.Argument(help="Deliveries; none with --all.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    to: Annotated[str, typer.Option(help="Every dead letter to this HER-id.")] = "",
    code: Annotated[str, typer.Option(help="Every dead letter with this code or cause, e.g. partner-gone.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell which they are, and where they would go.")
    ] = False,
    config: ConfigFile = None,
    why: Why = "",
) -> None:
    """Sends dead letters again, now, where the register says that they go now.

    Goes on over those of which it is not possible; exit 1 when there are any.
    """
    act(Chosen(tuple(ids or ()), everything, to, code, dry_run), Move.RESEND, why, config)


@deadletter.command("discard")
def discard_dead(
    ids: Annotated[list[str] | None, typer.Argument(help="Deliveries.")] = None,
    config: ConfigFile = None,
    why: Why = "",
) -> None:
    """Gives up for good; the journal keeps who did it and why."""
    act(Chosen(tuple(ids or ())), Move.DISCARD, why, config)


@receipts.command("overdue")
def overdue(
    config: ConfigFile = None,
    as_json: AsJson = False,
    to: Receiver = "",
    type_code: TypeCode = "",
    since: Since = "",
    until: Until = "",
    limit: Limit = 100,
) -> None:
    """Deliveries whose AppRec should have been home. Exit 1 when there are any."""
    wanted = replace(_narrowed((State.OVERDUE,), "", to, type_code, since, until), limit=limit)
    if _deliveries(config, wanted, rows.overdue(datetime.now(UTC)), as_json, "no AppRec is overdue"):
        raise typer.Exit(1)
