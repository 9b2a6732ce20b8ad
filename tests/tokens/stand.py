"""An issuer on a socket that answers as a test wants, and a client that makes its tokens and proofs, right or spoilt."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from adapters.tokens import wire

ABSENT = object()


def jwk(key: Any) -> dict[str, Any]:
    """The public half of a key, its required members only."""
    algorithm = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    read: dict[str, Any] = json.loads(algorithm.to_jwk(key.public_key()))
    return {name: one for name, one in read.items() if name in ("crv", "kty", "x", "y", "n", "e")}


def present(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """With changes; what is ABSENT is left out."""
    return {name: one for name, one in (base | changes).items() if one is not ABSENT}


class Issuer:
    """Its keys by their ids; `asked` counts, `manner` is how it answers: well, slow, down, empty, other, huge, moved."""

    def __init__(self) -> None:
        self.keys = {"1": rsa.generate_private_key(65537, 2048)}
        self.asked, self.manner, self.url = 0, "well", ""
        self.gate = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Discovery and keys."""
        self.asked += request.path.endswith("configuration")
        match self.manner:
            case "waits":
                await self.gate.wait()
            case "slow":
                await asyncio.sleep(5)
            case "down":
                return web.Response(status=503)
            case "huge":
                return web.Response(body=b'{"issuer": "' + b"x" * 600_000 + b'"}', content_type="application/json")
            case "moved":
                raise web.HTTPFound("/elsewhere")
            case "no json":
                return web.Response(text="<html/>")
        if request.path.endswith("configuration"):
            issuer = "https://other.example" if self.manner == "other" else self.url
            far = "http://issuer.example/jwks" if self.manner == "far" else f"{self.url}/jwks"
            return web.json_response({"issuer": issuer, "jwks_uri": far})
        keys = [] if self.manner == "empty" else [jwk(key) | {"kid": name} for name, key in self.keys.items()]
        return web.json_response({"keys": keys})

    @asynccontextmanager
    async def served(self) -> AsyncIterator[Issuer]:
        """While inside it listens on loopback."""
        application = web.Application()
        application.router.add_get("/{path:.*}", self.answer)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
        try:
            yield self
        finally:
            await runner.cleanup()


class Client:
    """Holds a key, and makes what it shows."""

    def __init__(self, issuer: Issuer, now: Any, client_id: str = "clinic") -> None:
        """`now` gives seconds since 1970."""
        self.issuer, self.now, self.id, self.key = issuer, now, client_id, ec.generate_private_key(ec.SECP256R1())

    def token(self, kid: str = "1", **changes: Any) -> str:
        """As its issuer makes it."""
        base = {
            "iss": self.issuer.url,
            "aud": "nhn:msh",
            "exp": self.now() + 600,
            "nbf": self.now(),
            "iat": self.now(),
            "scope": "nhn:msh/api",
            "client_id": self.id,
            "cnf": {"jkt": wire.thumbprint(jwk(self.key))},
            "jti": str(uuid4()),
        }
        key = self.issuer.keys.get(kid) or rsa.generate_private_key(65537, 2048)
        return jwt.encode(present(base, changes), key, "RS256", headers={"typ": "at+jwt", "kid": kid})

    def proof(self, token: str, method: str, url: str, key: Any = None, **changes: Any) -> str:
        """A new one for each call."""
        key = key or self.key
        ath = wire.encoded(hashlib.sha256(token.encode()).digest())
        base = {"htm": method, "htu": url, "iat": self.now(), "jti": str(uuid4()), "ath": ath}
        return jwt.encode(present(base, changes), key, "ES256", headers={"typ": "dpop+jwt", "jwk": jwk(key)})
