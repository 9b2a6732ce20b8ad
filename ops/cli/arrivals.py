"""`samhub arrival`: what came and was not taken, whose it is, and what can be done about it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from hub import commands, insights, lists
from hub.codes import REASONS
from hub.errors import ContentLost
from hub.events import Entry
from hub.lists import ListedArrival
from hub.ports import ArrivalFilter, ArrivalRecord, Store
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
)
from ops.cli.rows import ARRIVALS, flat_arrival, party, types

arrival = typer.Typer(
    no_args_is_help=True, help="What came and was not taken: list, show, judge (again), export, discard."
)
ArrivalId = Annotated[str, typer.Argument(help="Its id, or the MsgId or MessageId that could be read; its beginning.")]
STATES = ("refused", "quarantined", "undecided", "accepted", "discarded")


@arrival.command("list")
def list_arrivals(
    config: ConfigFile = None,
    as_json: AsJson = False,
    state: Annotated[
        list[str] | None, typer.Option(help=f"One of {', '.join(STATES)}; may be repeated. Else what was not taken.")
    ] = None,
    code: Annotated[str, typer.Option(help="Why it was not taken, e.g. certificate-unregistered.")] = "",
    sender: Annotated[str, typer.Option("--from", help="HER-id of the sender, as far as it could be read.")] = "",
    receiver: Annotated[str, typer.Option("--to", help="HER-id of the receiver.")] = "",
    type_code: Annotated[str, typer.Option("--type", help="Type code, e.g. HENVISNING; or the ebXML action.")] = "",
    since: Annotated[
        str, typer.Option(help="Only what came at this time or later: 2026-11-30, 2026-11-30T08:15.")
    ] = "",
    until: Annotated[str, typer.Option(help="Only what came before this time, or on this day.")] = "",
    limit: Annotated[int, typer.Option(help="At most so many, the newest.", min=1)] = 100,
) -> None:
    """What came and was refused, lies in quarantine, or could not be judged yet; newest first."""
    code = one_of("--code", code, REASONS)
    states = [one_of("--state", one, STATES) for one in state or STATES[:3]]
    wanted = ArrivalFilter(
        states=tuple(s for s in dict.fromkeys(states) if s != "discarded") or STATES[:3],
        code=code,
        from_her=sender,
        to_her=receiver,
        type_code=type_code,
        discarded=None if "discarded" in states and len(states) > 1 else "discarded" in states,
        since=moment(since),
        until=moment(until, end=True),
        limit=limit,
    )

    async def work() -> lists.Page[ListedArrival]:
        async with store(config) as opened:
            return await lists.arrivals(opened, wanted, names(configuration(config)))

    page = run(work())
    if type_code and not page.rows:
        unknown_type(type_code)
    listing(page.rows, as_json, ARRIVALS, "no arrivals", flat_arrival)
    cut(len(page.rows), page.total, as_json)


def unknown_type(written: str) -> None:
    """A type that nothing has may be a slip of the pen; actions and types of foreign standards may have any name."""
    one_of("--type", written, types())


@arrival.command("show")
def show(wanted: ArrivalId, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """One arrival: whose it is, why it was not taken, what was answered, and everything that was said about it."""

    async def work() -> tuple[ListedArrival, list[Entry], int]:
        async with store(config) as opened:
            record = await _found(opened, wanted)
            row = lists.listed(record, names(configuration(config)))
            return row, await opened.journal(arrival_id=record.arrival.id), len(record.arrival.body)

    row, journal, size = run(work())
    again = commands.unjudgeable(row.arrival)
    if as_json:
        print_json({**flat_arrival(row), "size": size, "judge": again or "possible", "journal": plain(journal)})
        return
    for name, value in _told(row, size, again):
        if value:
            print(f"{name:<11} {value}")
    for e in journal:
        by = "" if e.actor == "hub" else f"  by {e.actor}"
        print(f"{oslo(e.at)}  {e.event}  {e.because}  [{e.code}]{by}")


def _told(row: ListedArrival, size: int, again: str) -> list[tuple[str, object]]:
    record, facts = row.arrival, row.arrival.facts
    known = REASONS.get(record.code)
    answered = f"{record.answer_status}, {'a receipt' if record.answer else 'without a body'}"
    return [
        ("arrival", record.arrival.id),
        ("received", f"{oslo(record.arrival.received_at)} by {record.arrival.door}"),
        ("from", party(facts.from_her, row.from_name) or record.arrival.system),
        ("to", party(facts.to_her, row.to_name)),
        ("type", facts.type_code),
        ("MsgId", facts.msg_id),
        ("MessageId", facts.eb_message_id),
        ("peer", facts.peer),
        ("size", f"{size} bytes"),
        ("state", row.state),
        ("because", f"{known.text} [{record.code}]: {record.because}" if known else record.because),
        ("whose it is", row.whose),
        ("answered", answered if record.answer_status else ""),
        ("next", oslo(max(record.next_at, datetime.now(UTC))) if record.next_at else ""),
        ("what to do", row.what_to_do),
        ("judge again", f"not possible: {again}" if again else f"samhub arrival judge {record.arrival.id}"),
    ]


@arrival.command("judge")
def judge(
    wanted: Annotated[list[str], typer.Argument(help="Arrivals, by their ids or what could be read of them.")],
    config: ConfigFile = None,
    why: Annotated[str, typer.Option("--why", help="A word for the journal.")] = "",
) -> None:
    """Has what was not taken judged once more by the running hub: after the register, or this hub, was mended.

    The partner is not answered once more: what it was told stays told, and the AppRec says that it was taken after all.
    """

    async def work() -> list[ArrivalRecord]:
        async with hub(config) as built:
            found = [await _found(built.store, one) for one in wanted]
            return [await commands.judge_again(one.arrival.id, user(), why, built.kit) for one in found]

    for record in run(work()):
        print(f"{record.arrival.id}  is judged again by the running hub; see: samhub arrival show {record.arrival.id}")


@arrival.command("discard")
def discard(
    wanted: Annotated[list[str], typer.Argument(help="Arrivals, by their ids or what could be read of them.")],
    why: Annotated[str, typer.Option("--why", help="Why nobody needs to look at it any more; the journal keeps it.")],
    config: ConfigFile = None,
) -> None:
    """Puts away what was not taken: it is kept, but on no list of what somebody must look at."""

    async def work() -> list[ArrivalRecord]:
        async with hub(config) as built:
            found = [await _found(built.store, one) for one in wanted]
            return [await commands.discard_arrival(one.arrival.id, user(), why, built.kit) for one in found]

    for record in run(work()):
        print(f"{record.arrival.id}  discarded")


@arrival.command("export")
def export(
    wanted: ArrivalId,
    out: Annotated[Path, typer.Argument(help="File to write; it must not be there yet.")],
    config: ConfigFile = None,
) -> None:
    """The bytes of an arrival as they came, into a file that only you can read."""

    async def work() -> bytes:
        async with store(config) as opened:
            found = (await _found(opened, wanted)).arrival
            if found.trouble is not None:
                raise ContentLost(": ".join(found.trouble))
            return found.body

    content = run(work())
    write_new(out, content)
    print(f"{out}: {len(content)} bytes")


def write_new(file: Path, content: bytes) -> None:
    """Writes a file that was not there, for its owner alone; ends with a sentence where that cannot be."""
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
            written.write(content)
    except FileExistsError:
        fail(f"{file}: is there already; nothing was written", code=2)
    except OSError as error:
        fail(f"{file}: {error.strerror}; nothing was written", code=2)


async def _found(opened: Store, wanted: str) -> ArrivalRecord:
    """The arrival with this id, or with what could be read of it."""
    found = await opened.arrivals(ArrivalFilter(ids=(wanted,)))
    if not found:
        named = await insights.search(opened, wanted)
        own = named.arrival or (named.message.arrival_id if named.message else "")
        found = await opened.arrivals(ArrivalFilter(ids=(own,))) if own else []
    if not found:
        fail(f"arrival {wanted} is not known here; see: samhub arrival list")
    return found[0]
