"""Our issuer over real sockets: the dance of HelseID's clients, every way in which it gives no token, and what it gives."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from typer.testing import CliRunner

from adapters.tokens import proof, token
from hub.errors import ConfigurationError
from ops.cli.app import app
from ops.issuer import keys
from ops.issuer.client import Client, NotIssued
from ops.issuer.issuer import ASSERTION, DISCOVERY, JWKS, LIFETIME, NONCE_LIFETIME, SCOPE, TOKEN, Issuer, Registered

URL = "https://hub.example/api/v3/Messages"
RSA, CURVE = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
Changes = dict[str, Any]


class Clock:
    """A time that stands still until it is set."""

    def __init__(self) -> None:
        self.at = 1_800_000_000.0

    def __call__(self) -> float:
        return self.at


class Stand:
    """An issuer that is served, and a client that it knows."""

    def __init__(self, key: keys.Key = CURVE) -> None:
        self.clock = Clock()
        self.client = Client("clinic", key, now=self.clock)
        known = Registered("clinic", self.client.jwk, "123-456", {"parent": "999000029"})
        self.issuer = Issuer(known, now=self.clock, key=RSA)

    def demands(self) -> token.Demands:
        """What a hub demands of the issuer's tokens."""
        return token.Demands(self.issuer.address, "nhn:msh", SCOPE)

    def judged(self, signed: str, told: Changes | None = None) -> token.Rights:
        """As a hub looks at a token, with the keys that the issuer tells."""
        name = token.key_id(signed, self.demands())
        [key] = [one for one in (told or self.issuer.jwks())["keys"] if one["kid"] == name]
        return token.judged(signed, key, self.demands(), self.clock.at)

    async def ask(
        self,
        form: Changes | None = None,
        assertion: Changes | None = None,
        proofs: list[str] | None = None,
        **spoilt: Any,
    ) -> tuple[int, Changes, Any]:
        """One request for a token, in its right form but for what is told: status, answer, headers."""
        where = self.issuer.address + TOKEN
        whole = {
            "grant_type": "client_credentials",
            "client_id": "clinic",
            "client_assertion_type": ASSERTION,
            "client_assertion": self.client.assertion(self.issuer.address, **(assertion or {})),
            **(form or {}),
        }
        told = [self.client.proof("POST", where, **spoilt)] if proofs is None else proofs
        body = {name: value for name, value in whole.items() if value is not None}
        async with aiohttp.ClientSession() as session:
            answer = await session.post(where, data=body, headers=[("DPoP", one) for one in told])
            return answer.status, await answer.json(), answer.headers

    async def nonce(self) -> str:
        """One that the issuer wants in the next proof."""
        return str((await self.ask())[2]["DPoP-Nonce"])


@pytest_asyncio.fixture(name="stand")
async def _stand() -> AsyncIterator[Stand]:
    made = Stand()
    async with made.issuer.served():
        yield made


@pytest.mark.parametrize("kind", ["rsa", "curve"])
async def test_what_it_issues_is_taken(kind: str) -> None:
    """The dance by our client: the token gives what is registered, its proof shows the key."""
    stand = Stand(RSA if kind == "rsa" else CURVE)
    async with stand.issuer.served() as address:
        signed = await stand.client.token(address)
        assert stand.issuer.asked == [DISCOVERY, TOKEN, TOKEN]
        async with aiohttp.ClientSession() as session:
            told = await (await session.get(address + JWKS)).json()
    rights = stand.judged(signed, told)
    assert (rights.client, rights.scoped, rights.until) == ("clinic", True, stand.clock.at + LIFETIME)
    assert rights.her_ids == {"123", "456"} and rights.organisations == {"999000029"}
    assert rights.thumbprint == stand.client.thumbprint
    carried = stand.client.headers("POST", URL + "?x=1#y")
    assert carried["Authorization"] == f"DPoP {signed}"
    assert jwt.decode(carried["DPoP"], options={"verify_signature": False})["htu"] == URL  # RFC 9449 4.2: no query
    call = proof.Call("POST", URL, stand.clock.at)
    first = proof.shown(carried["DPoP"], signed, rights.thumbprint, call)
    assert first != proof.shown(stand.client.proof("POST", URL, signed), signed, rights.thumbprint, call)


async def test_the_nonce_is_demanded_first(stand: Stand) -> None:
    """RFC 9449 8, A3.8; the answer is what clients read of it, and nobody keeps it."""
    status, told, headers = await stand.ask()
    assert (status, told["error"]) == (400, "use_dpop_nonce")
    status, told, headers = await stand.ask(nonce=headers["DPoP-Nonce"])
    assert status == 200 and headers["Cache-Control"] == "no-store" and "DPoP-Nonce" not in headers
    assert (told["token_type"], told["expires_in"], told["scope"]) == ("DPoP", 600, SCOPE)
    head = jwt.get_unverified_header(told["access_token"])
    assert (head["typ"], head["alg"]) == ("at+jwt", "RS256")
    worn = await stand.nonce()
    stand.clock.at += NONCE_LIFETIME
    for wrong in ("invented", "", worn):
        assert (await stand.ask(nonce=wrong))[1]["error"] == "use_dpop_nonce"


OTHER = Client("clinic", ec.generate_private_key(ec.SECP256R1()), now=Clock())
HERE = "http://127.0.0.1/"
#: error, and what is asked otherwise than is right.
REFUSED: dict[str, tuple[str, Callable[[Stand], Changes]]] = {
    "grant": ("unsupported_grant_type", lambda _: {"form": {"grant_type": "password"}}),
    "no-grant": ("invalid_request", lambda _: {"form": {"grant_type": None}}),
    "scope": ("invalid_scope", lambda _: {"form": {"scope": f"{SCOPE} more"}}),
    "kind": ("invalid_client", lambda _: {"form": {"client_assertion_type": "secret"}}),
    "no-assertion": ("invalid_client", lambda _: {"form": {"client_assertion": None}}),
    "nonsense": ("invalid_client", lambda _: {"form": {"client_assertion": "a.b.c"}}),
    "other-client": ("invalid_client", lambda _: {"form": {"client_id": "other"}}),
    "stranger": ("invalid_client", lambda s: {"form": {"client_assertion": OTHER.assertion(s.issuer.address)}}),
    "unknown": ("invalid_client", lambda _: {"assertion": {"iss": "other", "sub": "other"}}),
    "sub": ("invalid_client", lambda _: {"assertion": {"sub": "other"}}),
    "aud": ("invalid_client", lambda s: {"assertion": {"aud": s.issuer.address + TOKEN}}),
    "typ": ("invalid_client", lambda _: {"assertion": {"typ": "at+jwt"}}),
    "long": ("invalid_client", lambda s: {"assertion": {"exp": s.clock.at + 66}}),
    "over": ("invalid_client", lambda s: {"assertion": {"exp": s.clock.at - 5}}),
    "endless": ("invalid_client", lambda _: {"assertion": {"exp": None}}),
    "no-jti": ("invalid_client", lambda _: {"assertion": {"jti": None}}),
    "no-proof": ("invalid_dpop_proof", lambda _: {"proofs": []}),
    "method": ("invalid_dpop_proof", lambda _: {"htm": "GET"}),
    "address": ("invalid_dpop_proof", lambda _: {"htu": HERE}),
    "proof-typ": ("invalid_dpop_proof", lambda _: {"typ": "JWT"}),
    "no-jwk": ("invalid_dpop_proof", lambda _: {"jwk": None}),
    "other-jwk": ("invalid_dpop_proof", lambda _: {"jwk": OTHER.jwk}),
    "private-jwk": ("invalid_dpop_proof", lambda s: {"jwk": s.client.jwk | {"d": "AAAA"}}),
    "old": ("invalid_dpop_proof", lambda s: {"now": s.clock.at - 7}),
    "future": ("invalid_dpop_proof", lambda s: {"now": s.clock.at + 6}),
    "no-iat": ("invalid_dpop_proof", lambda _: {"iat": None}),
    "proof-jti": ("invalid_dpop_proof", lambda _: {"jti": 7}),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_is_wrong_gets_no_token(stand: Stand, name: str) -> None:
    """RFC 6749 5.2: 401 for who is not known, else 400; with the nonce, so that it is what is told alone."""
    error, spoil = REFUSED[name]
    nonce = await stand.nonce()
    status, told, _ = await stand.ask(**({"nonce": nonce} | spoil(stand)))
    assert (status, told["error"]) == (401 if error == "invalid_client" else 400, error)
    assert "access_token" not in told
    assert (await stand.ask(nonce=nonce))[0] == 200


async def test_nothing_is_taken_twice(stand: Stand) -> None:
    """RFC 7523 3, RFC 9449 11.1: an assertion and a proof each give one token."""
    nonce = await stand.nonce()
    assert (await stand.ask(assertion={"jti": "1"}, nonce=nonce, jti="1"))[0] == 200
    assert (await stand.ask(assertion={"jti": "1"}, nonce=nonce))[1]["error"] == "invalid_client"
    assert (await stand.ask(nonce=nonce, jti="1"))[1]["error"] == "invalid_dpop_proof"
    assert (await stand.ask(assertion={"jti": "2"}, nonce=nonce, jti="2"))[0] == 200
    two = [stand.client.proof("POST", stand.issuer.address + TOKEN, nonce=nonce) for _ in range(2)]
    assert (await stand.ask(proofs=two))[1]["error"] == "invalid_dpop_proof"
    assert (await stand.ask(proofs=two[:1]))[0] == 200


async def test_only_a_form_is_read(stand: Stand) -> None:
    """RFC 6749 3.2, 4.4.2: no other body, no parameter twice, nothing large."""
    async with aiohttp.ClientSession() as session:
        for body, kind in (
            ("{}", "application/json"),
            ("grant_type=a&grant_type=b", "application/x-www-form-urlencoded"),
        ):
            answer = await session.post(stand.issuer.address + TOKEN, data=body, headers={"Content-Type": kind})
            assert (answer.status, (await answer.json())["error"]) == (400, "invalid_request")
        large = await session.post(stand.issuer.address + TOKEN, data={"scope": "x" * 40_000})
        assert large.status == 413


async def test_its_key_is_turned(stand: Stand) -> None:
    """What the old key signed holds as long as that is told; the new one signs from then on."""
    before = await stand.client.token(stand.issuer.address)
    stand.issuer.turn()
    after = await stand.client.token(stand.issuer.address)
    told = stand.issuer.jwks()
    assert len(told["keys"]) == 2 and stand.judged(before).client == stand.judged(after).client == "clinic"
    assert token.key_id(before, stand.demands()) != token.key_id(after, stand.demands())
    stand.issuer.turn(keep=False)
    [left] = stand.issuer.jwks()["keys"]
    assert left["kid"] not in {token.key_id(one, stand.demands()) for one in (before, after)}
    stand.issuer.empty = True
    assert stand.issuer.jwks() == {"keys": []}


async def test_it_is_slow_and_down_when_told(stand: Stand) -> None:
    """A client hears no answer; afterwards all is as before."""
    async with aiohttp.ClientSession() as session:
        stand.issuer.slow = 60
        with pytest.raises(TimeoutError):
            await session.get(stand.issuer.address + JWKS, timeout=aiohttp.ClientTimeout(total=0.05))
        stand.issuer.slow, stand.issuer.down = 0, True
        with pytest.raises(aiohttp.ClientError):
            await session.get(stand.issuer.address + JWKS)
        stand.issuer.down = False
        assert (await session.get(stand.issuer.address + JWKS)).status == 200


async def test_a_client_hears_why_it_gets_no_token(stand: Stand) -> None:
    """What the issuer said; an issuer that calls itself otherwise is not asked (RFC 8414 3.3)."""
    with pytest.raises(NotIssued, match="401 invalid_client"):
        await Client("nobody", CURVE, now=stand.clock).token(stand.issuer.address)
    port = stand.issuer.address.rpartition(":")[2]
    with pytest.raises(NotIssued, match="discovery"):
        await stand.client.token(f"http://localhost:{port}")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "hub.example", "::"])
async def test_it_is_served_to_this_machine_alone(host: str) -> None:
    with pytest.raises(ConfigurationError, match="loopback"):
        async with Issuer(key=RSA).served(host=host):
            raise AssertionError("is served")


async def test_it_signs_by_ps256_too() -> None:
    issuer = Issuer(Registered("clinic", {}, None), key=RSA, algorithm="PS256", address="https://issuer.example")
    [key] = issuer.jwks()["keys"]
    signed = issuer.token("clinic", "x", scope=None, exp=4_000_000_000)
    demands = token.Demands(issuer.address, "nhn:msh", SCOPE)
    rights = token.judged(signed, key, demands, jwt.decode(signed, options={"verify_signature": False})["iat"])
    assert (key["alg"], rights.scoped, rights.her_ids, rights.until) == ("PS256", False, None, 4_000_000_000)


async def test_the_command_serves_it(tmp_path: Path) -> None:
    """It tells where it is and where the clients' keys lie, which it makes once and nobody else can read."""
    folder = tmp_path / "keys"
    command = [str(Path(sys.executable).with_name("samhub")), "issuer", "--port", "0", "--keys", str(folder)]
    running = subprocess.Popen([*command, "--client", "clinic=123:999000029"], stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        first, second = running.stdout.readline(), running.stdout.readline()
        file = folder / "clinic.jwk"
        assert str(file) in first and file.stat().st_mode & 0o777 == 0o600 and json.loads(file.read_text())["d"]
        read = await Client("clinic", keys.kept(file)).token(second.removeprefix("issuer: ").strip())
        claims = jwt.decode(read, options={"verify_signature": False})
        assert claims["herid"] == "123" and claims[token.ORGANISATIONS[0]] == "999000029"
    finally:
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == 0


@pytest.mark.parametrize("wrong", ["clinic", "=0", "../x=0", "clinic=", "clinic=1,2", "clinic=0:12"])
def test_the_command_tells_how_a_client_is_named(wrong: str) -> None:
    done = CliRunner().invoke(app, ["issuer", "--client", wrong])
    assert done.exit_code == 2 and "ID=HERIDS" in done.stderr


def test_a_key_that_is_none_is_told(tmp_path: Path) -> None:
    """A public key, or no key at all; what is there is never written over."""
    for text in ("{}", "x", json.dumps(keys.public(CURVE))):
        (tmp_path / "a.jwk").write_text(text)
        with pytest.raises(ConfigurationError, match=r"a\.jwk"):
            keys.kept(tmp_path / "a.jwk")
        assert (tmp_path / "a.jwk").read_text() == text
