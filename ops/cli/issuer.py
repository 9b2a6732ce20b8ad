"""`samhub issuer`: an issuer of access tokens on this machine, in the place of HelseID."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from ops.cli.common import USED_WRONGLY, fail, run, stopped

_CLIENT = re.compile(r"(?P<own>[A-Za-z0-9][A-Za-z0-9_.-]{0,99})=(?P<her_ids>\d+(-\d+)*)(:(?P<number>\d{9}))?", re.ASCII)


def issuer(
    port: Annotated[int, typer.Option(help="Port of the issuer.", min=0, max=65535)] = 8087,
    client: Annotated[
        list[str] | None,
        typer.Option(
            help="ID=HERIDS or ID=HERIDS:ORGNR: a client, its HER-ids with dashes between (0: all), its organisation number."
        ),
    ] = None,
    keys: Annotated[Path | None, typer.Option(help="Folder of the clients' private keys; else a new one.")] = None,
    host: Annotated[str, typer.Option(help="Address of this machine, loopback alone.")] = "127.0.0.1",
) -> None:
    """An issuer of access tokens for trials, as HelseID is one, until it is stopped; its own keys are new with each start.

    Tells its address, and for each client the file with its private key (JWK), which is made where there is none.
    """
    wanted = list(_wanted(client or ()))

    async def work() -> None:
        from ops.issuer import keys as key_files
        from ops.issuer.client import Client
        from ops.issuer.issuer import Issuer, Registered

        made = Issuer()
        async with made.served(port, host) as address:
            folder = keys or Path(tempfile.mkdtemp(prefix="samhub-issuer-"))
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for own, her_ids, number in wanted:
                file = folder / f"{own}.jwk"
                held = Client(own, key_files.kept(file))
                made.register(Registered(own, held.jwk, her_ids, {"parent": number} if number else {}))
                print(f"client {own}: HER-ids {her_ids}, private key {file.resolve()}")
            print(f"issuer: {address}", flush=True)
            await stopped().wait()

    run(work())


def _wanted(clients: list[str] | tuple[()]) -> Iterator[tuple[str, str, str]]:
    for told in clients:
        found = _CLIENT.fullmatch(told)
        if found is None:
            fail(f"--client {told}: is not ID=HERIDS, such as clinic=8000202 or clinic=0:999000029", code=USED_WRONGLY)
        yield found["own"], found["her_ids"], found["number"] or ""
