"""The command `samhub`: what people type. Every command is a few lines around the kernel, insights and commands."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import structlog
import typer

from adapters.register.directory import FileDirectory
from ops import config as configurations
from ops.assemble import ROLES
from ops.assemble import hub as assembled
from ops.cli import arrivals, circuits, keeping, messages, partners, registers, showing, systems, webhooks
from ops.cli.common import ConfigFile, Told, asked_again, configuration, fail, run, stopped
from ops.cli.issuer import issuer
from ops.cli.schemas import schemas
from ops.config import Configuration
from ops.serve import logs, process, supervisor
from ops.serve import workers as processes
from ops.serve.alone import alone
from ops.serve.run import listener, until
from ops.serve.watchdog import watched

log = structlog.get_logger("start")

app = typer.Typer(
    cls=Told,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Samhandling Hub: validates, signs, routes, retries and follows up health messages.",
)
app.add_typer(messages.message, name="message")
app.add_typer(messages.delivery, name="delivery")
app.add_typer(messages.deadletter, name="deadletter")
app.add_typer(messages.receipts, name="receipts")
app.add_typer(arrivals.arrival, name="arrival")
app.add_typer(partners.party, name="party")
app.add_typer(systems.system, name="system")
app.add_typer(circuits.circuit, name="circuit")
app.add_typer(webhooks.webhook, name="webhook")
app.add_typer(partners.agreement, name="agreement")
app.add_typer(partners.route, name="route")
app.add_typer(schemas, name="schemas")
app.add_typer(keeping.certs, name="certs")
app.add_typer(keeping.db, name="db")
app.add_typer(keeping.config, name="config")
app.command("demo")(showing.demo)
app.command("simulate")(showing.simulate)
app.command("issuer")(issuer)
app.command("submit")(showing.submit)
app.command("validate")(showing.validate)
app.command("verify")(showing.verify)
app.command("bench")(showing.bench)
app.command("purge")(keeping.purge)
app.command("reload")(registers.reload)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where to write; made if absent.")] = Path(),
    force: Annotated[bool, typer.Option(help="Write over what is there.")] = False,
    port: Annotated[
        int, typer.Option(help="Port of the hub; the simulated partners get those behind it.", min=1, max=65000)
    ] = 8085,
) -> None:
    """Writes a configuration with every setting explained, example parties and certificates: ready to serve."""
    from ops.init import example_site

    if folder.exists() and not folder.is_dir():
        fail(f"{folder}: is a file; name a folder, which is made if it is not there", code=2)
    if (folder / configurations.FILE_NAME).exists() and not force:
        fail(f"{folder / configurations.FILE_NAME} is there already; another folder, or --force, is wanted", code=2)
    for line in example_site(folder, port):
        print(line)


@app.command()
def serve(
    config: ConfigFile = None,
    roles: Annotated[str, typer.Option(help="What this node does, of: receive, deliver.")] = "receive,deliver",
    workers: Annotated[
        int, typer.Option(help="Processes behind one port; more than one need a PostgreSQL (store.url).", min=1)
    ] = 1,
) -> None:
    """Runs the hub until it is stopped (Ctrl-C, SIGTERM); what is under way is finished first. SIGHUP: see reload."""
    found = configuration(config)
    logs.configure(found.log)
    process.tell_last_words()
    process.open_many()
    wanted = frozenset(filter(None, (word.strip() for word in roles.split(","))))
    if not wanted or wanted - ROLES:
        fail(f"--roles {roles}: each is one of {', '.join(sorted(ROLES))}", code=2)
    if workers > 1:
        run(_several(found, configurations.find(config), roles, workers), process.loop_factory())
    else:
        run(_one(found, wanted), process.loop_factory())


async def _one(found: Configuration, roles: frozenset[str]) -> None:
    stop, again = stopped(), asked_again()
    processes.end_with_supervisor(stop)
    async with AsyncExitStack() as stack:
        if not found.store.url:
            stack.enter_context(alone(found.store.path))
        built = await stack.enter_async_context(assembled(found, roles=roles))
        tell_of_agreements(built.directory)
        built.reloading.tell(keeping.tell_of_certificates)
        again(built.reloading.ask)
        process.settle_down()
        with watched(found.work.watchdog_seconds):
            await until(stop, built, _ready)


def tell_of_agreements(directory: FileDirectory) -> None:
    """Partners that nothing can be sent to; agreements by which nothing may or can be, and useless certificates in them."""
    for mistake in keeping.unreachable(directory.parties()):
        log.warning("party-not-reachable", because=mistake)
    for name, why in directory.broken.items():
        log.warning("agreement-not-used", file=name, because=why)
    for agreement, remark in keeping.misfits(directory):
        if remark.severity == "refused" or "Certificate" in remark.element:
            log.warning("agreement-not-followed", agreement=agreement, because=str(remark))


async def _several(found: Configuration, file: Path, roles: str, count: int) -> None:
    """Each worker is a `samhub serve` of its own on the same port."""
    if not found.store.url:
        fail("--workers: the embedded store serves one process; give a PostgreSQL as store.url", code=2)
    if not found.http.port:
        fail("--workers: http.port must be a port of its own, not 0", code=2)
    listener(found.http.host, found.http.port).close()  # else each worker would find out, again and again
    command = processes.myself("serve", "--config", str(file), "--roles", roles)
    stop, again = stopped(), asked_again()
    supervisor.tell(supervisor.READY)
    with watched(found.work.watchdog_seconds):
        await processes.run(command, count, stop, again)


def _ready(url: str) -> None:
    supervisor.tell(supervisor.READY)
    print(
        f"ready: ebXML at {url}/ebxml, REST at {url}/api/v3, SOAP at {url}/soap/v1?wsdl, health at {url}/health/ready",
        flush=True,
    )


def main() -> None:
    """Entry point of the distribution."""
    app()
