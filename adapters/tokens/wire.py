"""Signed JSON (RFC 7515) and public keys (RFC 7517) as strangers send them: bounded before anything is parsed."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

import jwt
from jwt.api_jws import PyJWS

from hub.errors import HubError

#: Signatures by the issuer's or the client's private key only: never `none`, never a shared secret (RFC 8725 3.1).
ALGORITHMS = frozenset(f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512))
#: Characters of a header of a token or proof, and of the whole.
LARGEST_HEADER, LARGEST = 4_096, 16_384

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)
_CURVES = {"ES256": ("P-256", 32), "ES384": ("P-384", 48), "ES512": ("P-521", 66)}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
#: Bytes of an RSA modulus: 2048 to 8192 bits; and of its exponent.
_MODULUS, _EXPONENT = (256, 1_024), 4

Which = Literal["token", "proof"]


class Wrong(HubError):
    """A token or a proof that is not taken, and because of what; never with its content."""

    def __init__(self, which: Which, because: str) -> None:
        self.which, self.because = which, because
        super().__init__(f"{which}: {because}")


def encoded(data: bytes) -> str:
    """Base64url without padding (RFC 7515 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """The bytes of base64url, written the one way there is. Raises ValueError."""
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encoded(data) != text:
        raise ValueError("not the one way to write it")
    return data


def header(signed: str, which: Which) -> dict[str, Any]:
    """The header of something signed, its algorithm allowed. Raises Wrong."""
    found = _COMPACT.fullmatch(signed) if len(signed) <= LARGEST else None
    if found is None or len(found[1]) > LARGEST_HEADER:
        raise Wrong(which, "is too large, or no compact JWS")
    read = _header(found[1], which)
    _bytes(found[3], which)
    algorithm = read.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise Wrong(which, "its alg is not allowed")
    if "crit" in read or "b64" in read:
        raise Wrong(which, "its header demands what is not understood")
    return read


def claims(signed: str, key: Mapping[str, Any], algorithm: str, which: Which) -> dict[str, Any]:
    """What is claimed, once its signature holds by this public key. Raises Wrong."""
    said, _, signature = signed.rpartition(".")
    try:
        own = _made(algorithm, tuple(sorted(public(key, algorithm).items())))
        holds = _SIGNATURES.get_algorithm_by_name(algorithm).verify(said.encode(), own, decoded(signature))
    except (jwt.PyJWTError, ValueError):
        holds = False
    if not holds:
        raise Wrong(which, "its signature does not hold")
    return members(_bytes(said.partition(".")[2], which), which)


#: A client's header and key are the same with each call: what is made of them is remembered, and no more than so many.
REMEMBERED = 1_000
_SIGNATURES = PyJWS()


@lru_cache(REMEMBERED)
def _header(text: str, which: Which) -> dict[str, Any]:
    """Of the first part of something signed; nobody changes it."""
    return members(_bytes(text, which), which)


@lru_cache(REMEMBERED)
def _made(algorithm: str, members: tuple[tuple[str, str], ...]) -> Any:
    """The key that these members make. Raises jwt.PyJWTError."""
    return jwt.PyJWK(dict(members), algorithm).key


def public(key: Mapping[str, Any], algorithm: str) -> dict[str, str]:
    """The members that make a public key, no larger or odder than it needs (RFC 7638 3.2). Raises ValueError."""
    if _PRIVATE & key.keys():
        raise ValueError("holds a private key")
    names = ("crv", "kty", "x", "y") if algorithm.startswith("ES") else ("e", "kty", "n")
    found = {name: key.get(name) for name in names}
    if any(not isinstance(one, str) or len(one) > 2 * _MODULUS[1] for one in found.values()):
        raise ValueError("a member is missing or too large")
    texts = {name: str(one) for name, one in found.items()}
    (_curve if algorithm.startswith("ES") else _rsa)(texts, algorithm)
    return texts


def thumbprint(key: Mapping[str, str]) -> str:
    """SHA-256 of the members that make a public key (RFC 7638)."""
    return encoded(hashlib.sha256(json.dumps(key, sort_keys=True, separators=(",", ":")).encode()).digest())


def members(data: bytes, which: Which) -> dict[str, Any]:
    """A JSON object, each member once. Raises Wrong."""
    try:
        read = json.loads(data.decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise Wrong(which, "holds no JSON that can be read") from None
    if not isinstance(read, dict):
        raise Wrong(which, "holds no JSON object")
    return read


def moment(read: Mapping[str, Any], name: str, which: Which) -> float:
    """Seconds since 1970 (RFC 7519 2, NumericDate). Raises Wrong."""
    value = read.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise Wrong(which, f"{name} is missing or no time")
    return float(value)


def _bytes(text: str, which: Which) -> bytes:
    try:
        return decoded(text)
    except (ValueError, binascii.Error):
        raise Wrong(which, "is no base64url") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a member stands there twice")
    return read


def _rsa(key: Mapping[str, str], _algorithm: str) -> None:
    modulus, exponent = decoded(key["n"]), decoded(key["e"])
    right = _MODULUS[0] <= len(modulus) <= _MODULUS[1] and len(exponent) <= _EXPONENT
    if key["kty"] != "RSA" or not right or int.from_bytes(exponent, "big") < 3:
        raise ValueError("no RSA key of 2048 to 8192 bits")


def _curve(key: Mapping[str, str], algorithm: str) -> None:
    curve, size = _CURVES[algorithm]
    if (key["kty"], key["crv"]) != ("EC", curve) or {len(decoded(key[own])) for own in "xy"} != {size}:
        raise ValueError("no key of the curve of its algorithm")
