"""Whether a request's proof shows the key that its token is bound to (RFC 9449 4.3); that it is new is for the caller."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from adapters.tokens import wire
from adapters.tokens.wire import Wrong

#: Seconds around now in which a proof may have been made: HelseID's one second of life and five of skew.
BEFORE, AFTER = 6, 5


@dataclass(frozen=True, slots=True)
class Call:
    """The call that a proof must be for, and when it came."""

    method: str
    url: str  #: the public base as configured and the path as asked for, never by Host
    now: float  #: seconds since 1970


@dataclass(frozen=True, slots=True)
class Once:
    """By which a proof is known again, and until when it could be used."""

    name: str
    until: float


def shown(proof: str, token: str, bound: str, call: Call) -> Once:
    """The proof of this call with this token, bound to the key of that thumbprint. Raises Wrong."""
    header = wire.header(proof, "proof")
    key, algorithm = header.get("jwk"), header["alg"]
    if header.get("typ") != "dpop+jwt" or not isinstance(key, dict):
        raise Wrong("proof", "its typ is not dpop+jwt, or jwk is missing")
    try:
        own = wire.thumbprint(wire.public(key, algorithm))
    except ValueError as error:
        raise Wrong("proof", f"jwk: {error}") from None
    if not hmac.compare_digest(own.encode(), bound.encode()):
        raise Wrong("proof", "the token is bound to another key")
    read = wire.claims(proof, key, algorithm, "proof")
    if read.get("htm") != call.method or _address(read.get("htu")) != _address(call.url):
        raise Wrong("proof", "is for another call")
    if read.get("ath") != wire.encoded(hashlib.sha256(token.encode()).digest()):
        raise Wrong("proof", "is for another token")
    made = wire.moment(read, "iat", "proof")
    if not call.now - BEFORE <= made <= call.now + AFTER:
        raise Wrong("proof", "is too old, or of the future")
    name = read.get("jti")
    if not isinstance(name, str) or not 0 < len(name) <= 500:
        raise Wrong("proof", "jti is missing or too long")
    return Once(hashlib.sha256(f"{own} {name}".encode("utf-8", "surrogatepass")).hexdigest(), made + BEFORE)


def _address(url: object) -> tuple[str, str, int | None, str]:
    """An address as it is compared: scheme and host in small letters, the port that is meant, no query (RFC 3986 6.2)."""
    try:
        parts = urlsplit(url if isinstance(url, str) and url.isascii() else "")
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        raise Wrong("proof", "htu is no address") from None
    if not parts.hostname or parts.username is not None:
        raise Wrong("proof", "htu is no address")
    return parts.scheme, parts.hostname, port, parts.path or "/"
