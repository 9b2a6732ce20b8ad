"""An issuer that others have written, npm's `oidc-provider`: our client dances with it, and a hub takes what it issues."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from adapters.tokens import proof, token
from ops.issuer import keys
from ops.issuer.client import Client, NotIssued

HERE = Path(__file__).parent / "npm"
#: Where `make test` installs what the lock beside the script names.
MODULES = Path(sys.prefix) / "npm" / "tokens" / "node_modules"
NODE = Path(sys.prefix) / "bin" / "node"
URL = "https://hub.example/api/v3/Messages"


@contextmanager
def _issuer(folder: Path, client: Client) -> Iterator[str]:
    """Its address, while it runs and knows the client."""
    assert MODULES.is_dir(), f"{MODULES} is missing: make test installs it"
    script = folder / "issuer.mjs"
    script.write_text((HERE / script.name).read_text())
    (folder / "node_modules").symlink_to(MODULES)
    known = json.dumps(client.jwk | {"alg": keys.algorithm(client.key), "use": "sig"})
    command = [str(NODE), str(script), client.client_id, known]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    with (folder / "log").open("w") as log:
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder, env=environment)
        try:
            assert running.stdout is not None
            address = running.stdout.readline().strip()
            assert address, (folder / "log").read_text()[-2000:]
            yield address
        finally:
            running.terminate()
            running.wait(10)


async def _told(issuer: str) -> dict[str, Any]:
    """Its keys, from where its discovery says that they are."""
    async with aiohttp.ClientSession() as session:
        found = await (await session.get(issuer + "/.well-known/openid-configuration")).json()
        return dict(await (await session.get(found["jwks_uri"])).json())


@pytest.mark.parametrize("kind", ["PS512", "ES256"])
async def test_our_client_dances_with_it_and_its_token_is_taken(tmp_path: Path, kind: str) -> None:
    """The proof that our client makes shows the key to which the issuer has bound the token."""
    client = Client(
        "epj-1", rsa.generate_private_key(65537, 2048) if kind == "PS512" else ec.generate_private_key(ec.SECP256R1())
    )
    assert keys.algorithm(client.key) == kind
    with _issuer(tmp_path, client) as issuer:
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
