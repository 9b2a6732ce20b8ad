"""What every command shares: how it finds its configuration, how it prints, and how it ends."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import getpass
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import structlog
import typer
from rich.console import Console
from rich.table import Table
from typer.core import TyperGroup

from adapters.register.file import read as read_parties
from adapters.store.opening import KeptStore, opened
from adapters.store.settings import StoreSettings
from hub.errors import ConfigurationError, HubError
from hub.formats.document import NORWAY
from ops import config
from ops.assemble import Hub
from ops.assemble import hub as assembled
from ops.config import Configuration
from ops.look.asking import Ways

Result = TypeVar("Result")

ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="The configuration file; else $SAMHUB_CONFIG, else samhub.toml here."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of words for people.")]

DONE, NOT_AS_IT_SHOULD_BE, USED_WRONGLY = 0, 1, 2


def fail(*lines: str, code: int = NOT_AS_IT_SHOULD_BE) -> NoReturn:
    """Says what is wrong on standard error and ends."""
    for line in lines:
        print(line, file=sys.stderr)
    raise typer.Exit(code)


def run(
    work: Coroutine[Any, Any, Result], loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
) -> Result:
    """Runs a command's work."""
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(work)


class Told(TyperGroup):
    """Commands of which none ends in a trace: what is foreseen to go wrong is told in words."""

    def invoke(self, ctx: Any) -> Any:
        """See Typer."""
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            fail(*error.mistakes, code=USED_WRONGLY)
        except HubError as error:
            fail(str(error))
        except BrokenPipeError:  # whoever read has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(NOT_AS_IT_SHOULD_BE) from None
        except OSError as error:  # a port that is taken, a file that cannot be read or written
            fail(_said(error), code=USED_WRONGLY)


def _said(error: OSError) -> str:
    """One sentence; asyncio has put the address into its own."""
    if error.errno == errno.EADDRINUSE:
        return f"the port is taken: {error.strerror or error}; another program, or another hub, listens there"
    return f"{error.filename}: {error.strerror}" if error.filename else str(error)


def stopped() -> asyncio.Event:
    """Is set by Ctrl-C and SIGTERM; for commands that run until then."""
    event = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, event.set)
    return event


def asked_again() -> Callable[[Callable[[], None]], None]:
    """From now on SIGHUP, which else would end the process, calls what is given to the result; once that was too early."""
    wanted: list[Callable[[], None]] = []
    early: list[int] = []

    def heard() -> None:
        if not wanted:
            early.append(signal.SIGHUP)
        for call in wanted:
            call()

    def then(call: Callable[[], None]) -> None:
        wanted.append(call)
        if early:
            call()

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, heard)
    return then


def configuration(path: Path | None) -> Configuration:
    """The configuration, or the end with every mistake told."""
    try:
        return config.load(config.find(path))
    except ConfigurationError as error:
        fail(*error.mistakes, code=USED_WRONGLY)


def quiet() -> None:
    """A command that looks and leaves does not log."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("error"))


def there(path: Path | None) -> StoreSettings:
    """Where the store is; ends with a sentence where there is none yet."""
    found = configuration(path).store
    if not found.url and not found.path.exists():
        fail(f"{found.path}: no store yet; it is made when the hub is started with: samhub serve")
    return found


@asynccontextmanager
async def store(path: Path | None, *, apart: bool = False) -> AsyncIterator[KeptStore]:
    """The store alone, beside a hub that may be running; never brought to another schema. `apart`: see opened."""
    found = there(path)
    async with await opened(found, may_migrate=False, apart=apart) as made:
        yield made


@asynccontextmanager
async def hub(path: Path | None) -> AsyncIterator[Hub]:
    """A whole hub, put together but not running."""
    quiet()
    async with assembled(configuration(path), may_migrate=False) as built:
        yield built


def ways(found: Configuration, seconds: float = 10) -> Ways:
    """How a partner is asked: the hub that may be running here hears what comes by itself."""
    host = found.http.host if found.http.host not in ("", "0.0.0.0", "::") else "127.0.0.1"  # noqa: S104
    out = found.ebxml_http
    client = out.client_certificate, out.client_key
    return Ways(seconds, f"http://{host}:{found.http.port}", out.ca_file, client)


def print_json(value: object) -> None:
    """One JSON value, as it stands."""
    print(json.dumps(plain(value), ensure_ascii=False, indent=None))


def plain(value: object) -> Any:
    """Dataclasses, times and sets as JSON knows them."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    match value:
        case datetime():
            return value.isoformat(timespec="milliseconds")
        case bytes():
            return f"{len(value)} bytes"
        case Mapping():
            return {str(k): plain(v) for k, v in value.items()}
        case str() | int() | float() | bool() | None:
            return value
        case Iterable():
            return [plain(v) for v in value]
        case _:
            return str(value)


def names(found: Configuration) -> Callable[[str], str]:
    """HER-id → name, by the party file as it is now; nobody has one where that cannot be read."""
    try:
        parties = read_parties(found.registry.parties).parties
    except HubError:
        return lambda _: ""
    return lambda her_id: parties[her_id].name if her_id in parties else ""


def moment(written: str, *, end: bool = False) -> datetime | None:
    """A date or a time as people write it, of Norway where no zone is named; a mere date as `end` means the end of that day."""
    if not written:
        return None
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        fail(f"{written}: neither a date nor a time; such as 2026-11-30, 2026-11-30T08:15 or 2026-11-30T08:15Z", code=2)
    at = at if at.tzinfo else at.replace(tzinfo=NORWAY)
    return at + timedelta(days=1) if end and len(written) == len("2026-11-30") else at


def oslo(at: datetime) -> str:
    """A time for people: with its date and zone."""
    return at.astimezone(NORWAY).strftime("%Y-%m-%d %H:%M:%S %Z")


def one_of(option: str, written: str, known: Iterable[str]) -> str:
    """The known word that was meant, in whatever case; another is a mistake that names them."""
    words = list(known)
    meant = next((word for word in words if word.casefold() == written.casefold()), "")
    if written and not meant:
        fail(f"{option} {written}: there is no such; there are: {', '.join(words)}", code=USED_WRONGLY)
    return meant


def cut(shown: int, total: int, as_json: bool) -> None:
    """Says of how many a list shows only some, beside the list where programs read it."""
    if shown < total:
        text = f"{shown} of {total}, the newest; --limit {total} shows all, --since and --until narrow it"
        print(text, file=sys.stderr if as_json else sys.stdout)


def user() -> str:
    """Who acts."""
    return getpass.getuser()


def listing(
    rows: Sequence[object],
    as_json: bool,
    columns: Mapping[str, Callable[[Any], object]],
    empty: str,
    flat: Callable[[Any], object] = lambda row: row,
) -> None:
    """Rows as a table for people, or one JSON object a line, as `flat` makes it. In a pipe a row is a line, never folded."""
    if as_json:
        for row in rows:
            print_json(flat(row))
        return
    if not rows:
        print(empty)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(read(row)) for read in columns.values()))
    Console(soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else 100_000).print(table)


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return oslo(value)
    return "" if value is None else str(value)
