"""What an access token gives its holder, once everything about it has been looked at (RFC 9068 4, RFC 9449 7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.tokens import wire
from adapters.tokens.wire import Wrong

#: By which HelseID names the organisations that a client speaks for.
ORGANISATIONS = tuple(f"helseid://claims/client/claims/orgnr_{kind}" for kind in ("parent", "child", "supplier"))
_HER_IDS = re.compile(r"\d{1,12}(-\d{1,12}){0,999}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Demands:
    """What a token must be made by, for and with."""

    issuer: str
    audience: str
    scope: str
    algorithms: frozenset[str] = wire.ALGORITHMS
    skew: float = 5  #: seconds that its issuer's clock may differ from ours


@dataclass(frozen=True, slots=True)
class Rights:
    """What a token gives."""

    client: str  #: client_id of whoever holds it
    thumbprint: str  #: of the key that it is bound to
    until: float  #: exp, in seconds since 1970
    scoped: bool  #: whether it holds the scope
    her_ids: frozenset[str] | None = None  #: those that it names; None: it does not limit them (A3.3)
    organisations: frozenset[str] = field(default=frozenset())  #: organisation numbers that it names


def key_id(token: str, demands: Demands) -> str:
    """By which key of its issuer it says to be signed; addresses and keys in the token are never followed. Raises Wrong."""
    header = wire.header(token, "token")
    if header["alg"] not in demands.algorithms:
        raise Wrong("token", "its alg is not allowed")
    if str(header.get("typ")).lower() not in ("at+jwt", "application/at+jwt"):
        raise Wrong("token", "its typ is not at+jwt")
    name = header.get("kid")
    if not isinstance(name, str) or not name:
        raise Wrong("token", "kid is missing")
    return name


def judged(token: str, key: Mapping[str, Any], demands: Demands, now: float) -> Rights:
    """What it gives at this time (seconds since 1970), signed by that key of its issuer. Raises Wrong."""
    key_id(token, demands)
    algorithm = wire.header(token, "token")["alg"]
    if key.get("alg", algorithm) != algorithm or key.get("use", "sig") != "sig":
        raise Wrong("token", "its alg is not the one of its key")
    read = wire.claims(token, key, algorithm, "token")
    audience = read.get("aud")
    if read.get("iss") != demands.issuer:
        raise Wrong("token", "is of another issuer")
    if demands.audience not in (audience if isinstance(audience, list) else [audience]):
        raise Wrong("token", "is for another audience")
    until, since, made = (wire.moment(read, name, "token") for name in ("exp", "nbf", "iat"))
    if now >= until + demands.skew:
        raise Wrong("token", "has expired")
    if now < max(since, made) - demands.skew:
        raise Wrong("token", "is not valid yet")
    scope = read.get("scope")
    scopes = scope.split() if isinstance(scope, str) else scope if isinstance(scope, list) else []
    client = _text(read, "client_id")
    return Rights(client, _bound(read), until, demands.scope in scopes, _her_ids(read), _organisations(read))


def _bound(read: Mapping[str, Any]) -> str:
    """The key that it is bound to: a token that anybody may carry is never taken."""
    bound = read.get("cnf")
    if not isinstance(bound, dict):
        raise Wrong("token", "is not bound to a key (cnf.jkt)")
    return _text(bound, "jkt")


def _her_ids(read: Mapping[str, Any]) -> frozenset[str] | None:
    """A3.3: 0 is every one, 123-456 those two."""
    if "herid" not in read:
        return None
    value = read["herid"]
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _HER_IDS.fullmatch(text):
        raise Wrong("token", "herid is neither 0 nor HER-ids with dashes between")
    return None if text == "0" else frozenset(text.split("-"))


def _organisations(read: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(_text(read, name) for name in ORGANISATIONS if name in read)


def _text(read: Mapping[str, Any], name: str) -> str:
    value = read.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 500:
        raise Wrong("token", f"{name} is missing or no text")
    return value
