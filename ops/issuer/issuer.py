"""The issuer: discovery, its keys, and tokens for clients that show who they are and which key they hold (RFC 6749, 9449)."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final

import jwt
from aiohttp import web

from adapters.tokens import wire
from adapters.tokens.proof import AFTER, BEFORE
from hub.errors import ConfigurationError
from ops.issuer import keys

ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
AUDIENCE: Final = "nhn:msh"
SCOPE: Final = "nhn:msh/api"
#: Seconds: of a token (A3.8), of a client's assertion (A3.6), of a nonce, and by which a clock may differ.
LIFETIME, LONGEST_ASSERTION, NONCE_LIFETIME, SKEW = 600, 60, 60, 5
#: Where what is served lies, below the address: as HelseID has it.
DISCOVERY, JWKS, TOKEN = "/.well-known/openid-configuration", "/.well-known/openid-configuration/jwks", "/connect/token"
#: Bytes of a request for a token.
LARGEST = 32_768


@dataclass(frozen=True, slots=True)
class Registered:
    """A client as its issuer knows it."""

    client_id: str
    key: Mapping[str, str]  #: its public JWK
    her_ids: str | None = "0"  #: claim herid (A3.3): 0 is every one, 123-456 those two; None: the claim is left out
    organisations: Mapping[str, str] = field(default_factory=dict)  #: numbers by `parent`, `child`, `supplier`
    scopes: tuple[str, ...] = (SCOPE,)


class Refused(Exception):
    """A request for a token that is refused (RFC 6749 5.2)."""

    def __init__(self, error: str, because: str, status: int = 400) -> None:
        self.error, self.because, self.status = error, because, status
        super().__init__(because)


class Issuer:
    """Issues tokens while it is served; its RSA keys are made here, but for a first that is given, and never written."""

    def __init__(
        self,
        *clients: Registered,
        algorithm: str = "RS256",
        now: Callable[[], float] = time.time,
        address: str = "",
        key: keys.Key | None = None,
    ) -> None:
        self.address = address  #: which its tokens name as iss; told when it is served, where it is not given
        self.slow = 0.0  #: seconds that every answer takes longer
        self.down = False  #: connections are cut without an answer
        self.empty = False  #: it tells no keys
        self.asked: list[str] = []  #: paths, in order
        self._clients = {client.client_id: client for client in clients}
        self._algorithm, self._now = algorithm, now
        self._keys = [key or keys.made()]
        self._seen: dict[str, float] = {}
        self._nonces: dict[str, float] = {}

    def register(self, client: Registered) -> None:
        """Knows this client from now on."""
        self._clients[client.client_id] = client

    def turn(self, *, keep: bool = True) -> None:
        """Signs with a new key from now on; the one before is still told, unless it is not to be kept."""
        self._keys = [keys.made(), *self._keys[:keep]]

    def jwks(self) -> dict[str, Any]:
        """The public keys, as they are told (RFC 7517 5)."""
        named = {"use": "sig", "alg": self._algorithm}
        told = map(keys.public, () if self.empty else self._keys)
        return {"keys": [{**one, **named, "kid": wire.thumbprint(one)} for one in told]}

    def token(self, client_id: str, thumbprint: str, **changes: Any) -> str:
        """A token of that client, bound to the key of that thumbprint; `changes` are claims, None for one left out."""
        client, now = self._clients[client_id], int(self._now())
        claims = {"iss": self.address, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + LIFETIME}
        claims |= {"client_id": client_id, "scope": " ".join(client.scopes), "cnf": {"jkt": thumbprint}}
        claims |= {"jti": secrets.token_hex(16), "herid": client.her_ids}
        claims |= {f"helseid://claims/client/claims/orgnr_{kind}": one for kind, one in client.organisations.items()}
        left = {name: value for name, value in (claims | changes).items() if value is not None}
        head = {"typ": "at+jwt", "kid": wire.thumbprint(keys.public(self._keys[0]))}
        return jwt.encode(left, self._keys[0], self._algorithm, headers=head)

    @asynccontextmanager
    async def served(self, port: int = 0, host: str = "127.0.0.1") -> AsyncIterator[str]:
        """Its address, while it is served; on this machine alone. Raises ConfigurationError."""
        try:
            near = ip_address(host).is_loopback
        except ValueError:
            near = False
        if not near:
            raise ConfigurationError([f"{host}: is no loopback address; this issuer is for demo and tests alone"])
        app = web.Application(middlewares=[self._behaving], client_max_size=LARGEST)
        app.add_routes([web.get(DISCOVERY, self._discovery), web.get(JWKS, self._told), web.post(TOKEN, self._asked)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            bound = runner.addresses[0][1]
            base = f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"
            self.address = self.address or base
            yield base
        finally:
            await runner.cleanup()

    @web.middleware
    async def _behaving(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self.asked.append(request.path)
        if self.slow:
            await asyncio.sleep(self.slow)
        if self.down and request.transport is not None:
            request.transport.abort()
        return await handler(request)

    async def _discovery(self, _request: web.Request) -> web.Response:
        """OpenID Connect Discovery 1.0 3, RFC 8414 2, RFC 9449 5.1."""
        algorithms = sorted(wire.ALGORITHMS)
        return web.json_response(
            {
                "issuer": self.address,
                "jwks_uri": self.address + JWKS,
                "token_endpoint": self.address + TOKEN,
                "grant_types_supported": ["client_credentials"],
                "response_types_supported": [],
                "scopes_supported": sorted({scope for one in self._clients.values() for scope in one.scopes}),
                "token_endpoint_auth_methods_supported": ["private_key_jwt"],
                "token_endpoint_auth_signing_alg_values_supported": algorithms,
                "dpop_signing_alg_values_supported": algorithms,
            }
        )

    async def _told(self, _request: web.Request) -> web.Response:
        return web.json_response(self.jwks())

    async def _asked(self, request: web.Request) -> web.Response:
        headers = {"Cache-Control": "no-store"}
        try:
            answer, status = await self._answered(request), 200
        except Refused as refused:
            answer, status = {"error": refused.error, "error_description": refused.because}, refused.status
            if refused.error == "use_dpop_nonce":
                headers["DPoP-Nonce"] = self._nonce()
        return web.json_response(answer, status=status, headers=headers)

    async def _answered(self, request: web.Request) -> dict[str, Any]:
        """RFC 6749 4.4. Raises Refused."""
        if request.content_type != "application/x-www-form-urlencoded":
            raise Refused("invalid_request", "the body is no form")
        form = await request.post()
        if len(form) != len(set(form)):
            raise Refused("invalid_request", "a parameter stands there twice")  # RFC 6749 3.2
        given = {name: value for name, value in form.items() if isinstance(value, str)}
        if not given.get("grant_type"):
            raise Refused("invalid_request", "grant_type is missing")
        client = self._client(given)
        if given["grant_type"] != "client_credentials":
            raise Refused("unsupported_grant_type", "only client_credentials")
        bound = self._bound(request.headers.getall("DPoP", []))
        wanted = given.get("scope", "").split() or client.scopes
        if not set(wanted) <= set(client.scopes):
            raise Refused("invalid_scope", "the client has no such scope")
        token = self.token(client.client_id, bound, scope=" ".join(wanted))
        return {"access_token": token, "expires_in": LIFETIME, "token_type": "DPoP", "scope": " ".join(wanted)}

    def _client(self, given: Mapping[str, str]) -> Registered:
        """Who asks, by private_key_jwt (RFC 7523 3, A3.6). Raises Refused."""
        assertion, now = given.get("client_assertion", ""), self._now()
        if given.get("client_assertion_type") != ASSERTION:
            raise Refused("invalid_client", "client_assertion_type is not jwt-bearer", 401)
        try:
            client = self._clients.get(_claimed(assertion))
            if client is None or given.get("client_id", client.client_id) != client.client_id:
                raise Refused("invalid_client", "no such client", 401)
            head = wire.header(assertion, "token")
            read = wire.claims(assertion, client.key, head["alg"], "token")
            until = wire.moment(read, "exp", "token")
        except wire.Wrong as wrong:
            raise Refused("invalid_client", wrong.because, 401) from None
        if str(head.get("typ")).lower() not in ("client-authentication+jwt", "jwt"):
            raise Refused("invalid_client", "typ is neither client-authentication+jwt nor JWT", 401)
        if read.get("sub") != client.client_id or read.get("aud") != self.address:
            raise Refused("invalid_client", "sub is not iss, or aud is not this issuer", 401)
        if not now - SKEW < until <= now + LONGEST_ASSERTION + SKEW:
            raise Refused("invalid_client", f"has expired, or exp is more than {LONGEST_ASSERTION} s ahead", 401)
        if not self._first(f"assertion {client.client_id}", read.get("jti"), until + SKEW):
            raise Refused("invalid_client", "jti is missing, or was used", 401)
        return client

    def _bound(self, proofs: list[str]) -> str:
        """The thumbprint of the key that a proof with our nonce shows (RFC 9449 5, 8). Raises Refused."""
        if len(proofs) != 1:
            raise Refused("invalid_dpop_proof", "exactly one header DPoP is wanted")
        now = self._now()
        try:
            head = wire.header(proofs[0], "proof")
            key = wire.public(head["jwk"] if isinstance(head.get("jwk"), dict) else {}, head["alg"])
            read = wire.claims(proofs[0], key, head["alg"], "proof")
            made = wire.moment(read, "iat", "proof")
        except (ValueError, wire.Wrong) as wrong:
            raise Refused("invalid_dpop_proof", str(wrong)) from None
        if head.get("typ") != "dpop+jwt" or (read.get("htm"), read.get("htu")) != ("POST", self.address + TOKEN):
            raise Refused("invalid_dpop_proof", "typ is not dpop+jwt, or it is for another call")
        nonce = read.get("nonce")
        if not isinstance(nonce, str) or self._nonces.get(nonce, 0) <= now:
            raise Refused("use_dpop_nonce", "a proof with our nonce is wanted")
        if not now - BEFORE <= made <= now + AFTER:
            raise Refused("invalid_dpop_proof", "is too old, or of the future")
        if not self._first("proof", read.get("jti"), made + BEFORE):
            raise Refused("invalid_dpop_proof", "jti is missing, or was used")
        return wire.thumbprint(key)

    def _first(self, of: str, name: object, until: float) -> bool:
        """Whether that jti was not used before."""
        now, known = self._now(), f"{of} {name}"
        self._seen = {one: end for one, end in self._seen.items() if end > now}
        if not isinstance(name, str) or not name or known in self._seen:
            return False
        self._seen[known] = until
        return True

    def _nonce(self) -> str:
        now, nonce = self._now(), secrets.token_urlsafe(24)
        self._nonces = {one: end for one, end in self._nonces.items() if end > now} | {nonce: now + NONCE_LIFETIME}
        return nonce


def _claimed(assertion: str) -> str:
    """Who says to have signed it. Raises Wrong."""
    wire.header(assertion, "token")  # bounds it
    try:
        body = wire.decoded(assertion.split(".")[1])
    except ValueError:
        raise wire.Wrong("token", "is no base64url") from None
    return str(wire.members(body, "token").get("iss"))
