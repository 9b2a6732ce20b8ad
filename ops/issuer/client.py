"""A client of an issuer, as a record system is one: shows who it is, holds a token, and proves its key with each call."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import jwt

from adapters.tokens import wire
from hub.errors import HubError
from ops.issuer import keys
from ops.issuer.issuer import ASSERTION, DISCOVERY, SCOPE

#: Seconds that an assertion lives, and that an issuer may take to answer.
ASSERTED, PATIENCE = 10, 10


class NotIssued(HubError):
    """The issuer gave no token: what it said, and how."""

    def __init__(self, status: int, error: str, because: str = "") -> None:
        self.status, self.error = status, error
        super().__init__(f"the issuer gave no token: {status} {error} {because}".rstrip())


class Client:
    """Speaks with one key: by it its issuer knows it, and to it its token is bound."""

    def __init__(
        self, client_id: str, key: keys.Key | None = None, *, now: Callable[[], float] = time.time, scope: str = SCOPE
    ) -> None:
        self.client_id, self.key, self.scope = client_id, key or keys.made(), scope
        self.held = ""  #: the token it was given last
        self._now = now
        self._public, self._algorithm = keys.public(self.key), keys.algorithm(self.key)

    @property
    def jwk(self) -> dict[str, str]:
        """Its public key, as an issuer is told it."""
        return dict(self._public)

    @property
    def thumbprint(self) -> str:
        """Of its public key (RFC 7638)."""
        return wire.thumbprint(self._public)

    async def token(self, issuer: str) -> str:
        """A new token, held from now on. Asks as HelseID wants it: first without a nonce, then with (A3.8). Raises NotIssued."""
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            async with session.get(issuer.rstrip("/") + DISCOVERY) as answer:
                told = await _read(answer)
            if answer.status != 200 or told.get("issuer") != issuer or not isinstance(told.get("token_endpoint"), str):
                raise NotIssued(
                    answer.status, "discovery", "names another issuer, or no token endpoint"
                )  # RFC 8414 3.3
            status, given, nonce = await self._asked(session, issuer, told["token_endpoint"], None)
            if given.get("error") == "use_dpop_nonce" and nonce:
                status, given, nonce = await self._asked(session, issuer, told["token_endpoint"], nonce)
        if status != 200 or str(given.get("token_type")).lower() != "dpop" or not given.get("access_token"):
            raise NotIssued(status, str(given.get("error")), str(given.get("error_description", "")))
        self.held = str(given["access_token"])
        return self.held

    def assertion(self, issuer: str, **spoilt: Any) -> str:
        """Shows the issuer who asks (RFC 7523 3, A3.6). `spoilt`: see proof."""
        now = int(self._now())
        claims: dict[str, Any] = {"iss": self.client_id, "sub": self.client_id, "aud": issuer, "jti": str(uuid.uuid4())}
        claims |= {"iat": now, "nbf": now, "exp": now + ASSERTED}
        return self._signed({"typ": "client-authentication+jwt"}, claims, spoilt)

    def proof(
        self,
        method: str,
        url: str,
        token: str = "",
        *,
        nonce: str | None = None,
        now: float | None = None,
        jti: str | None = None,
        **spoilt: Any,
    ) -> str:
        """Proves the key for one call (RFC 9449 4.2); with a token, for that one alone.

        `spoilt` are members of the header (typ, jwk, kid) or claims that are to be other ones, None for one left out.
        """
        parts = urlsplit(url)
        claims: dict[str, Any] = {"htm": method, "htu": parts._replace(query="", fragment="").geturl()}
        claims |= {"iat": int(self._now() if now is None else now), "jti": jti or str(uuid.uuid4())}
        if nonce is not None:
            claims["nonce"] = nonce
        if token:
            claims["ath"] = wire.encoded(hashlib.sha256(token.encode()).digest())
        return self._signed({"typ": "dpop+jwt", "jwk": self.jwk}, claims, spoilt)

    def headers(self, method: str, url: str) -> dict[str, str]:
        """What one call carries with the token that is held."""
        return {"Authorization": f"DPoP {self.held}", "DPoP": self.proof(method, url, self.held)}

    async def _asked(
        self, session: aiohttp.ClientSession, issuer: str, endpoint: str, nonce: str | None
    ) -> tuple[int, dict[str, Any], str]:
        """Status, answer, and the nonce that is wanted."""
        form = {"grant_type": "client_credentials", "client_id": self.client_id, "scope": self.scope}
        form |= {"client_assertion_type": ASSERTION, "client_assertion": self.assertion(issuer)}
        proof = {"DPoP": self.proof("POST", endpoint, nonce=nonce)}
        async with session.post(endpoint, data=form, headers=proof, allow_redirects=False) as answer:
            return answer.status, await _read(answer), answer.headers.get("DPoP-Nonce", "")

    def _signed(self, head: dict[str, Any], claims: dict[str, Any], spoilt: dict[str, Any]) -> str:
        heads = head | {name: spoilt.pop(name) for name in ("typ", "jwk", "kid") if name in spoilt}
        return jwt.encode(_left(claims | spoilt), self.key, self._algorithm, headers=_left(heads))


def _left(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


async def _read(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    try:
        return wire.members(await answer.read(), "token")
    except wire.Wrong:
        raise NotIssued(answer.status, "the answer is no JSON object") from None
