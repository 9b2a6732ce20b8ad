"""The command `samhub`: what people type. Every command is a few lines around the kernel, insights and commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import structlog
import typer

from ops import config as configurations
from ops.assemble import hub as assembled
from ops.cli import keeping, messages, partners, showing
from ops.cli.common import ConfigFile, configuration, fail, run, stopped
from ops.cli.schemas import schemas
from ops.serve import logs, process
from ops.serve.run import until

log = structlog.get_logger("start")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Samhandling Hub: validates, signs, routes, retries and follows up health messages.",
)
app.add_typer(messages.message, name="message")
app.add_typer(messages.delivery, name="delivery")
app.add_typer(messages.deadletter, name="deadletter")
app.add_typer(messages.receipts, name="receipts")
app.add_typer(partners.party, name="party")
app.add_typer(partners.agreement, name="agreement")
app.add_typer(partners.route, name="route")
app.add_typer(schemas, name="schemas")
app.add_typer(keeping.certs, name="certs")
app.add_typer(keeping.db, name="db")
app.add_typer(keeping.config, name="config")
app.command("demo")(showing.demo)
app.command("simulate")(showing.simulate)
app.command("submit")(showing.submit)
app.command("validate")(showing.validate)
app.command("verify")(showing.verify)
app.command("bench")(showing.bench)
app.command("purge")(keeping.purge)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Where to write; made if absent.")] = Path(),
    force: Annotated[bool, typer.Option(help="Write over what is there.")] = False,
) -> None:
    """Writes a configuration with every setting explained, example parties and certificates: ready to serve."""
    from ops.init import example_site

    if (folder / configurations.FILE_NAME).exists() and not force:
        fail(f"{folder / configurations.FILE_NAME} is there already; another folder, or --force, is wanted", code=2)
    for line in example_site(folder):
        print(line)


@app.command()
def serve(config: ConfigFile = None) -> None:
    """Runs the hub until it is stopped (Ctrl-C, SIGTERM); what is under way is finished first."""
    found = configuration(config)
    logs.configure(found.log)

    async def work() -> None:
        stop = stopped()
        async with assembled(found) as built:
            for name, why in built.directory.broken.items():
                log.warning("agreement-not-used", file=name, because=why)
            process.settle_down()
            await until(stop, built, _ready)

    run(work(), process.loop_factory())


def _ready(url: str) -> None:
    print(f"ready: ebXML at {url}/ebxml, REST at {url}/api/v3, health at {url}/health/ready", flush=True)


def main() -> None:
    """Entry point of the distribution."""
    app()
