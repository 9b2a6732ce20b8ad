"""`samhub demo`, `simulate`, `submit`, `validate`, `verify`, `bench`: the commands that show what the hub can do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from hub.errors import ConfigurationError
from ops.cli.common import AsJson, ConfigFile, configuration, fail, hub, plain, print_json, quiet, run, stopped
from ops.config import FILE_NAME

Files = Annotated[list[Path], typer.Argument(help="Files to read.", exists=True, dir_okay=False)]


def demo(
    messages: Annotated[
        Path | None, typer.Option(help="A folder of MsgHead files to run instead of our own samples.", exists=True)
    ] = None,
    faults: Annotated[str, typer.Option(help="Comma-separated names of faults to show; 'none' for none.")] = "",
    as_json: AsJson = False,
    keep: Annotated[Path | None, typer.Option(help="Keep everything in this folder, to look at afterwards.")] = None,
    level: Annotated[str, typer.Option(help="Also log at this level: debug, info, warning, error.")] = "",
    strict: Annotated[
        bool, typer.Option("--strict", help="With --messages: refuse also what breaks only a content rule.")
    ] = False,
) -> None:
    """Two hubs and a small sector on this machine exchange messages; exit 0 only when every outcome is the expected one.

    Of messages of your own (`--messages`) nobody knows what they deserve: exit 0 when none is lost, overdue or dead.
    """
    from ops.demo.run import demonstrate

    chosen = tuple(name.strip() for name in faults.split(",") if name.strip())
    good = run(demonstrate(messages=messages, faults=chosen, as_json=as_json, keep=keep, level=level, strict=strict))
    raise typer.Exit(0 if good else 1)


def simulate(
    config: ConfigFile = None,
    port: Annotated[int, typer.Option(help="Port of the control interface.", min=0, max=65535)] = 8086,
    peer: Annotated[
        list[str] | None,
        typer.Option(
            help="HER=NAME: this partner is a handler that was met, ebms-core or hermes; again for another one."
        ),
    ] = None,
    system: Annotated[
        list[str] | None,
        typer.Option(help="ID=soap or ID=rest: plays this record system of the site too; again for another one."),
    ] = None,
) -> None:
    """The simulator alone: the remote example parties, each behaving as told over HTTP, until it is stopped."""
    from ops.partner.serve import simulate as simulated

    found = configuration(config)
    peers = {her_id: words for her_id, _, words in (one.partition("=") for one in peer or ())}
    systems = {own: by for own, _, by in (one.partition("=") for one in system or ())}

    async def work() -> None:
        await simulated(found, port, stopped(), peers, systems)

    run(work())


def submit(
    files: Files,
    config: ConfigFile = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Until each AppRec is home, or its deadline has passed.")
    ] = False,
    url: Annotated[str, typer.Option(help="The hub's URL; else from the configuration.")] = "",
    key: Annotated[
        str, typer.Option(help="API key of the record system; else $SAMHUB_API_KEY, else from the keys folder.")
    ] = "",
    timeout: Annotated[float, typer.Option(help="Wait at most so many seconds.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Hands documents to a running hub as a record system would."""
    from ops.epj import submit_files

    found = configuration(config)
    http = found.http
    where = url or http.url or f"http://{http.host}:{http.port}"
    given = key or os.environ.get("SAMHUB_API_KEY", "")
    results = run(submit_files(files, where, given, found.registry.parties.parent / "keys", wait, timeout))
    for result in results:
        if as_json:
            print_json(result)
        else:
            print(f"{result.file}: {result.outcome}  {result.because}  {result.message_id}".rstrip())
    if any(result.outcome not in ("delivered", "accepted") for result in results):
        raise typer.Exit(1)


def validate(
    files: Files,
    as_json: AsJson = False,
    schema_only: Annotated[bool, typer.Option("--schema-only", help="Leave the content rules out.")] = False,
    language: Annotated[str, typer.Option("--lang", help="en, or nb for Norwegian.")] = "en",
    config: ConfigFile = None,
) -> None:
    """What files are, and whether they are right: line, column, which rule, and what to do. Exit 1 if any is invalid."""
    from ops.look.validate import Validator
    from ops.schemas import at_hand

    if language not in ("en", "nb"):
        fail(f"--lang {language}: there are en and nb", code=2)
    try:
        schemas = at_hand(config)
    except ConfigurationError as error:
        fail(*error.mistakes, code=2)
    validator = Validator(schemas, "nb" if language == "nb" else "en", schema_only)
    invalid = 0
    for file in files:
        report = validator.file(file)
        invalid += not report.valid
        if as_json:
            print_json(report.as_json())
        else:
            print("\n".join(report.lines()))
    if len(files) > 1 and not as_json:
        print(f"{len(files)} files, {invalid} invalid")
    if invalid:
        raise typer.Exit(1)


def verify(files: Files, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """The signature of ebXML messages and signed documents: what was signed, by whom, and what is wrong."""
    from ops.look.verify import Verification, all_of

    async def work() -> list[Verification]:
        if config is None and not Path(os.environ.get("SAMHUB_CONFIG", FILE_NAME)).is_file():
            return all_of(files, None)
        async with hub(config) as built:
            return all_of(files, built.kit)

    results = run(work())
    for result in results:
        if as_json:
            print_json({**plain(result), "good": result.good})
        else:
            print("\n".join(result.lines()))
    if not all(result.good for result in results):
        raise typer.Exit(1)


def bench(
    lines: Annotated[
        list[str] | None, typer.Argument(help="Lines to measure, e.g. P5 P6; all of them without.")
    ] = None,
    as_json: AsJson = False,
    parts: Annotated[
        bool, typer.Option("--parts", help="Also what each figure is made of, beside its floors.")
    ] = False,
) -> None:
    """The figures of this hub on this machine, each with its floor or peer taken in the same run."""
    from ops.bench.run import measure, names

    unknown = [line for line in lines or () if line not in names()]
    if unknown:
        fail(f"no such line: {', '.join(unknown)}; there are: {', '.join(names())}", code=2)
    quiet()
    if not run(measure(tuple(lines or ()), as_json, parts=parts)):
        raise typer.Exit(1)
