"""Tokens and proofs: what is taken, and every way in which one is wrong."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from adapters.tokens import proof, token, wire

NOW = 1_800_000_000.0
URL = "https://hub.example/api/v3/Messages"
DEMANDS = token.Demands("https://issuer.example", "nhn:msh", "nhn:msh/api")
Changes = dict[str, Any]
ABSENT = object()


def _jwk(key: Any) -> dict[str, Any]:
    algorithm = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    read: dict[str, Any] = json.loads(algorithm.to_jwk(key.public_key()))
    return {name: one for name, one in read.items() if name in ("crv", "kty", "x", "y", "n", "e")}


ISSUER = rsa.generate_private_key(65537, 2048)
CLIENT, THIEF = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
BOUND = wire.thumbprint(_jwk(CLIENT))


def _with(base: Changes, changes: Changes) -> Changes:
    return {name: one for name, one in (base | changes).items() if one is not ABSENT}


def _token(head: Changes | None = None, key: Any = ISSUER, algorithm: str = "RS256", **changes: Any) -> str:
    base = {
        "iss": DEMANDS.issuer,
        "aud": "nhn:msh",
        "exp": NOW + 600,
        "nbf": NOW,
        "iat": NOW,
        "scope": "nhn:msh/api",
        "client_id": "clinic",
        "cnf": {"jkt": BOUND},
    }
    return jwt.encode(_with(base, changes), key, algorithm, headers={"typ": "at+jwt", "kid": "1", **(head or {})})


TOKEN = _token()


def _proof(head: Changes | None = None, key: Any = CLIENT, algorithm: str = "ES256", **changes: Any) -> str:
    ath = wire.encoded(hashlib.sha256(TOKEN.encode()).digest())
    base = {"htm": "GET", "htu": URL, "iat": NOW, "jti": "1", "ath": ath}
    heads = {"typ": "dpop+jwt", "jwk": _jwk(key), **(head or {})}
    return jwt.encode(_with(base, changes), key, algorithm, headers=heads)


def _judged(signed: str, now: float = NOW) -> token.Rights:
    return token.judged(signed, _jwk(ISSUER), DEMANDS, now)


def _shown(signed: str, now: float = NOW, method: str = "GET", url: str = URL) -> proof.Once:
    return proof.shown(signed, TOKEN, BOUND, proof.Call(method, url, now))


def test_a_token_and_its_proof_are_taken() -> None:
    """A token gives what it names; its proof is known again by key and jti."""
    named: Changes = {token.ORGANISATIONS[0]: "999999999"}
    rights = _judged(_token({}, herid="123-456", **named))
    assert (rights.client, rights.thumbprint, rights.scoped) == ("clinic", BOUND, True)
    assert (rights.her_ids, rights.organisations) == (frozenset({"123", "456"}), frozenset({"999999999"}))
    assert _judged(_token(herid=0)).her_ids is None is _judged(TOKEN).her_ids
    assert not _judged(_token(scope="nhn:msh/apis")).scoped
    assert _shown(_proof()) == _shown(_proof(htu=URL.replace("hub.example", "HUB.example:443")))
    assert _shown(_proof()).name != _shown(_proof(jti="2")).name


TOKENS: dict[str, Callable[[], str]] = {
    "stranger": lambda: _token(key=rsa.generate_private_key(65537, 2048)),
    "secret": lambda: _token(key="x" * 64, algorithm="HS256"),
    "none": lambda: _token(key=None, algorithm="none"),
    "typ": lambda: _token({"typ": "JWT"}),
    "no-kid": lambda: _token({"kid": ""}),
    "crit": lambda: _token({"crit": ["exp"]}),
    "issuer": lambda: _token(iss="https://other.example"),
    "audience": lambda: _token(aud=["nhn:other"]),
    "no-audience": lambda: _token(aud=ABSENT),
    "expired": lambda: _token(exp=NOW - 5),
    "no-exp": lambda: _token(exp=ABSENT),
    "no-nbf": lambda: _token(nbf=ABSENT),
    "no-iat": lambda: _token(iat=ABSENT),
    "odd-exp": lambda: _token(exp=True),
    "endless": lambda: _token(exp=float("inf")),
    "early": lambda: _token(nbf=NOW + 6),
    "bearer": lambda: _token(cnf=ABSENT),
    "no-jkt": lambda: _token(cnf={"x5t#S256": BOUND}),
    "herid": lambda: _token(herid="123,456"),
    "herid-none": lambda: _token(herid=None),
    "client": lambda: _token(client_id=ABSENT),
    "giant": lambda: _token(x="x" * wire.LARGEST),
    "giant-header": lambda: _token({"x": "x" * wire.LARGEST_HEADER}),
    "nested": lambda: wire.encoded(b"[" * 3_000) + ".e30.AAAA",
    "twice": lambda: wire.encoded(b'{"alg":"RS256","alg":"RS256"}') + ".e30.AAAA",
    "letters": lambda: TOKEN + "\u00e6",
    "feed": lambda: TOKEN + "\n",
}

PROOFS: dict[str, Callable[[], str]] = {
    "stolen": lambda: _proof(key=THIEF),
    "foreign-jwk": lambda: _proof({"jwk": _jwk(CLIENT)}, key=THIEF),
    "private": lambda: _proof({"jwk": _jwk(CLIENT) | {"d": "AAAA"}}),
    "no-jwk": lambda: _proof({"jwk": None}),
    "typ": lambda: _proof({"typ": "JWT"}),
    "curve": lambda: _proof({"jwk": _jwk(CLIENT) | {"crv": "P-384"}}),
    "kind": lambda: _proof({"jwk": _jwk(ISSUER)}),
    "method": lambda: _proof(htm="POST"),
    "path": lambda: _proof(htu=URL + "/1"),
    "host": lambda: _proof(htu=URL.replace("hub.", "other.")),
    "scheme": lambda: _proof(htu=URL.replace("https", "http")),
    "port": lambda: _proof(htu=URL.replace("example/", "example:8443/")),
    "odd-port": lambda: _proof(htu="https://hub.example:x/"),
    "user": lambda: _proof(htu=URL.replace("hub.", "me@hub.")),
    "no-htu": lambda: _proof(htu=ABSENT),
    "ath": lambda: _proof(ath=ABSENT),
    "old": lambda: _proof(iat=NOW - 6.01),
    "future": lambda: _proof(iat=NOW + 5.01),
    "no-iat": lambda: _proof(iat=ABSENT),
    "jti": lambda: _proof(jti=""),
    "no-jti": lambda: _proof(jti=ABSENT),
}


@pytest.mark.parametrize("name", TOKENS)
def test_a_wrong_token_is_not_taken(name: str) -> None:
    with pytest.raises(wire.Wrong) as told:
        _judged(TOKENS[name]())
    assert told.value.which == "token"


@pytest.mark.parametrize("name", PROOFS)
def test_a_wrong_proof_is_not_taken(name: str) -> None:
    with pytest.raises(wire.Wrong) as told:
        _shown(PROOFS[name]())
    assert told.value.which == "proof"


@pytest.mark.parametrize(("exponent", "size"), [("Ag", 256), ("AQAAAAE", 256), ("AQAB", 128), ("AQAB", 1_025)])
def test_an_odd_rsa_key_is_refused_unused(exponent: str, size: int) -> None:
    """Too small, or so large that to look at a signature would cost much."""
    with pytest.raises(ValueError, match="RSA"):
        wire.public({"kty": "RSA", "e": exponent, "n": wire.encoded(b"\xff" * size)}, "PS512")


def test_the_edges_of_the_clock() -> None:
    """Five seconds of skew; a proof holds from six seconds before to five after."""
    assert _judged(TOKEN, NOW - 5) and _judged(TOKEN, NOW + 604.9)
    assert _shown(_proof(), NOW + 6) and _shown(_proof(), NOW - 5)


@pytest.mark.parametrize("which", ["token", "proof"])
def test_no_byte_of_it_may_be_another(which: str) -> None:
    """Not one: not in the header, the claims or the signature, nor the bits that its last letter has to spare."""
    dice, judge = random.Random(15), _judged if which == "token" else _shown
    good = TOKEN if which == "token" else _proof()
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=\n "
    places = [*range(0, len(good), 3), *[len(good) - 1] * 40]
    for place in places:
        other = dice.choice([one for one in letters if one != good[place]])
        with pytest.raises(wire.Wrong):
            judge(good[:place] + other + good[place + 1 :])
