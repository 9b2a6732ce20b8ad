"""Who calls by a token: what each wrong thing is answered with, at the prover and at the door, with a real store and issuer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from adapters.tokens.prove import TokenProver
from adapters.tokens.settings import TokenSettings
from hub.message import Configuration
from hub.record_systems.proving import Shown, Unproven, by_key_or_certificate
from hub.record_systems.values import Caller
from ops.partner.aside import Aside, eventually
from tests.support import asgi
from tests.support.fixtures import aside, keys
from tests.support.world import DOCTOR, NURSING, Keys, World
from tests.tokens.stand import ABSENT, Client, Issuer

__all__ = ["aside", "keys"]
BASE = "https://hub.example"
PATH = "/api/v3/notifications"


class Here:
    """A hub that takes the tokens of an issuer, and one client of it."""

    def __init__(self, world: World, issuer: Issuer) -> None:
        self.world, self.issuer = world, issuer
        self.client = Client(issuer, lambda: world.clock.now().timestamp())
        self.prover = self.made()

    def made(self, *, keys_too: bool = False, **settings: Any) -> TokenProver:
        """A prover as another process has one."""
        given = TokenSettings(**{"issuer": self.issuer.url, "answer_seconds": 0.3, **settings})
        facade, store, clock = self.world.hub.systems, self.world.hub.store, self.world.clock
        return TokenProver(given, BASE, facade, store, clock, by_key_or_certificate(facade) if keys_too else None)

    def shown(self, token: str | None = None, proof: str | None = None, method: str = "GET", path: str = PATH) -> Shown:
        """A call with a good token and a good proof, unless others are given."""
        token = self.client.token() if token is None else token
        proof = self.client.proof(token, method, f"{BASE}{path}") if proof is None else proof
        return Shown(method, path, (), (f"DPoP {token}",), (proof,))

    def caller(self, shown: Shown, prover: TokenProver | None = None) -> Caller:
        return self.world.run((prover or self.prover)(shown))

    def status(self, shown: Shown) -> int:
        """Of the refusal; 0 where there is none."""
        try:
            self.caller(shown)
        except Unproven as error:
            return error.status
        return 0

    def refusal(self, shown: Shown, prover: TokenProver | None = None) -> Unproven:
        with pytest.raises(Unproven) as caught:
            self.caller(shown, prover)
        return caught.value


@pytest.fixture(scope="module")
def _stand(tmp_path_factory: pytest.TempPathFactory, keys: Keys, aside: Aside) -> Iterator[tuple[World, Issuer]]:
    issuer, leave = aside.enter(Issuer().served())
    folder = tmp_path_factory.mktemp("tokens")
    told = {"issuer": issuer.url, "answer_seconds": 0.3}
    made = World(folder, keys, aside, tokens=told, http={"url": BASE}, rest={"manner": "national"})
    parties = made.site.folder / "parties.toml"
    text = parties.read_text("utf-8").replace('id = "legesenter"\n', 'id = "legesenter"\nclients = ["clinic", "app"]\n')
    parties.write_text(text, "utf-8")
    made.run(made.hub.reloading.reload())
    yield made, issuer
    made.close()
    leave()


@pytest.fixture(name="here")
def _here(_stand: tuple[World, Issuer]) -> Iterator[Here]:
    world, issuer = _stand
    yield Here(world, issuer)
    issuer.manner = "well"


HER = DOCTOR.her_id


def test_who_shows_a_good_token_is_its_record_system(here: Here) -> None:
    """With its client, until it expires, for the HER-ids that it names."""
    found = here.caller(here.shown())
    assert (found.id, found.client, HER in found.her_ids) == ("legesenter", "clinic", True)
    assert found.until is not None
    assert timedelta(seconds=590) < found.until - here.world.clock.now() <= timedelta(seconds=600)
    assert here.caller(here.shown(here.client.token(herid=f"{HER}-{NURSING.her_id}"))).her_ids == {HER}
    assert here.caller(here.shown(here.client.token(herid="0"))).her_ids == found.her_ids
    assert here.caller(here.shown(here.client.token(herid="1"))).her_ids == frozenset()


ORGANISATION = "helseid://claims/client/claims/orgnr_{}"


@pytest.mark.parametrize("kind", ["parent", "child", "supplier"])
def test_a_token_of_an_organisation_speaks_for_its_parties_alone(here: Here, kind: str) -> None:
    """A3.4: by the number of the party's organisation; its level 1 too."""
    own = here.client.token(**{ORGANISATION.format(kind): DOCTOR.organisation_number})
    other = here.client.token(**{ORGANISATION.format(kind): NURSING.organisation_number})
    found = here.caller(here.shown(own)).her_ids
    assert {HER, DOCTOR.organisation_her_id} <= found == here.caller(here.shown()).her_ids
    assert here.caller(here.shown(other)).her_ids == frozenset()


def _proof(here: Here, method: str = "GET", path: str = PATH, base: str = BASE, **changes: Any) -> Shown:
    token = here.client.token()
    return here.shown(token, here.client.proof(token, method, f"{base}{path}", **changes))


def _stolen(here: Here) -> Shown:
    token, thief = here.client.token(), ec.generate_private_key(ec.SECP256R1())
    return here.shown(token, here.client.proof(token, "GET", f"{BASE}{PATH}", thief))


def _changed(here: Here, **changes: Any) -> Shown:
    return here.shown(here.client.token(**changes))


def _with(shown: Shown, **changes: Any) -> Shown:
    given = {
        name: getattr(shown, name) for name in ("method", "path", "keys", "authorization", "proofs", "certificate")
    }
    return Shown(**(given | changes))


Wrong = Callable[[Here], Shown]
#: What is wrong, and what it is called.
TOKENS: dict[str, Wrong] = {
    "a stranger's": lambda h: h.shown(h.client.token(kid="1", iss="https://other.example")),
    "of a key that its issuer has not": lambda h: h.shown(h.client.token(kid="unknown")),
    "for another audience": lambda h: _changed(h, aud="other"),
    "for nobody": lambda h: _changed(h, aud=ABSENT),
    "expired": lambda h: _changed(h, exp=h.client.now() - 6),
    "without an end": lambda h: _changed(h, exp=ABSENT),
    "of tomorrow": lambda h: _changed(h, nbf=h.client.now() + 60),
    "bound to nothing": lambda h: _changed(h, cnf=ABSENT),
    "with an odd herid": lambda h: _changed(h, herid=["1"]),
    "carried by anybody": lambda h: _with(h.shown(), authorization=(f"Bearer {h.client.token()}",)),
    "Basic": lambda h: _with(h.shown(), authorization=("Basic YTpi",)),
    "twice": lambda h: _with(h.shown(), authorization=h.shown().authorization * 2),
    "nothing": lambda h: _with(h.shown(), authorization=("DPoP",)),
    "giant": lambda h: _with(h.shown(), authorization=("DPoP " + "a" * 100_000,)),
}
PROOFS: dict[str, Wrong] = {
    "none": lambda h: _with(h.shown(), proofs=()),
    "two": lambda h: _with(h.shown(), proofs=h.shown().proofs * 2),
    "for another method": lambda h: _proof(h, "POST"),
    "for another path": lambda h: _proof(h, path="/api/v3/messages"),
    "for another host": lambda h: _proof(h, base="https://evil.example"),
    "for plain http": lambda h: _proof(h, base="http://hub.example"),
    "for another mount": lambda h: _proof(h, path="/notifications"),
    "old": lambda h: _proof(h, iat=h.client.now() - 7),
    "of the future": lambda h: _proof(h, iat=h.client.now() + 6),
    "without its token": lambda h: _proof(h, ath=ABSENT),
    "for another token": lambda h: _with(h.shown(), proofs=h.shown().proofs),
    "of a thief": _stolen,
    "without an id": lambda h: _proof(h, jti=ABSENT),
    "a token": lambda h: _with(h.shown(), proofs=(h.client.token(),)),
}


@pytest.mark.parametrize("wrong", TOKENS)
def test_a_wrong_token_is_401_and_says_invalid_token(here: Here, wrong: str) -> None:
    """RFC 9449 7.1; the words hold nothing of what was shown."""
    error = here.refusal(TOKENS[wrong](here))
    challenge = error.headers["WWW-Authenticate"]
    assert (error.status, error.said.code) == (401, "token")
    assert challenge.startswith('DPoP error="invalid_token", ') and 'algs="ES256 ' in challenge
    assert "clinic" not in challenge and "evil" not in challenge


@pytest.mark.parametrize("wrong", PROOFS)
def test_a_wrong_proof_is_401_and_says_invalid_dpop_proof(here: Here, wrong: str) -> None:
    error = here.refusal(PROOFS[wrong](here))
    assert (error.status, error.said.code) == (401, "proof")
    assert error.headers["WWW-Authenticate"].startswith('DPoP error="invalid_dpop_proof", ')


def test_who_shows_nothing_is_told_no_error(here: Here) -> None:
    """RFC 6750 3.1; an API key is nothing, unless the settings say so."""
    shown = Shown("GET", PATH, (here.world.site.keys["legesenter"],), (), ())
    error = here.refusal(shown)
    assert error.status == 401 and error.headers["WWW-Authenticate"].startswith("DPoP algs=")
    assert here.caller(shown, here.made(keys_too=True)).id == "legesenter"
    assert here.refusal(Shown("GET", PATH), here.made(keys_too=True)).status == 401


def test_a_good_token_for_something_else_is_403(here: Here) -> None:
    scope = here.refusal(_changed(here, scope="nhn:msh/other"))
    assert (scope.status, scope.said.code) == (403, "scope")
    assert 'error="insufficient_scope"' in scope.headers["WWW-Authenticate"]
    unknown = here.refusal(_changed(here, client_id="nobody"))
    assert (unknown.status, unknown.said.code) == (403, "client-unknown")


def test_a_proof_is_taken_once_by_whoever_shares_the_store(here: Here) -> None:
    """Also by another process that has never seen it, and of many at once."""
    shown, other = here.shown(), here.made()
    here.caller(shown)
    assert here.refusal(shown).said.because == here.refusal(shown, other).said.because == "was used before"

    async def race() -> int:
        again = here.shown()
        said = await asyncio.gather(*(p(again) for p in [here.prover, other] * 10), return_exceptions=True)
        return sum(isinstance(one, Caller) for one in said)

    assert here.world.run(race()) == 1


def test_a_wrong_call_uses_no_proof_up(here: Here) -> None:
    """Else whoever overhears a proof could take it away by showing it wrongly."""
    shown = here.shown()
    here.refusal(_with(shown, method="POST"))
    assert here.caller(shown).id == "legesenter"


def test_the_host_that_a_request_names_is_never_looked_at(here: Here) -> None:
    token = here.client.token()
    for base, status in ((BASE, 200), ("https://evil.example", 401)):
        headers = {
            "api-version": "3",
            "nhn-source-system": "Test, 1",
            "Authorization": f"DPoP {token}",
            "DPoP": here.client.proof(token, "PUT", f"{base}/api/v3/mshconfigurations"),
            "Content-Type": "application/json",
            "Host": "evil.example",
        }
        body = b'{"configurations":[{"herId":%d}]}' % int(HER)
        reply = here.world.run(asgi.call(here.world.hub.app, "PUT", "/api/v3/mshconfigurations", headers, body))
        assert reply.status == (204 if status == 200 else 401), reply.body
    assert reply.headers["www-authenticate"].startswith("DPoP error=") and reply.json()["errorCode"] == 0


def _call(here: Here, client: Client, path: str, token: str, query: str = "") -> asgi.Reply:
    headers = {
        "api-version": "3",
        "nhn-source-system": "Test, 1",
        "Authorization": f"DPoP {token}",
        "DPoP": client.proof(token, "GET", f"{BASE}{path}"),
    }
    return here.world.run(asgi.call(here.world.hub.app, "GET", path, headers, b"", query))


def test_at_the_door_another_her_id_is_1202_and_one_that_another_client_has_locked_1210(here: Here) -> None:
    """A3.11, A11.4: two clients of one record system."""
    app = Client(here.issuer, here.client.now, "app")
    facade = here.world.hub.systems
    clinic = here.caller(here.shown())
    here.world.run(facade.configure(clinic, (Configuration(HER, locked=True),)))
    query = f"HerIds={HER}&Offset=0"
    assert _call(here, here.client, PATH, here.client.token(), query).status == 200
    locked = _call(here, app, PATH, app.token(), query)
    assert (locked.status, locked.json()["errorCode"]) == (423, 1210)
    other = _call(here, here.client, PATH, here.client.token(), f"HerIds={NURSING.her_id}&Offset=0")
    assert (other.status, other.json()["errorCode"]) == (403, 1202)
    narrow = _call(here, here.client, PATH, here.client.token(herid="1"), query)
    assert (narrow.status, narrow.json()["errorCode"]) == (403, 1202)
    here.world.run(facade.unconfigure(clinic, [HER]))


# --- the issuer on odd days


@pytest.mark.parametrize("manner", ["slow", "down", "empty", "other", "huge", "moved", "no json", "far"])
def test_what_is_known_holds_while_the_issuer_is_odd_and_what_is_not_is_503(here: Here, manner: str) -> None:
    """Never 401: nothing is wrong with who calls."""
    here.caller(here.shown())
    here.issuer.manner = manner
    assert here.caller(here.shown()).id == "legesenter"
    error = here.refusal(here.shown(), here.made())
    if manner == "empty":  # it has answered: it has no such key
        assert error.status == 401
        return
    assert (error.status, error.said.code, error.headers["Retry-After"]) == (503, "issuer-unreachable", "10")
    assert "WWW-Authenticate" not in error.headers


def test_turned_keys_are_followed_and_nobody_makes_us_trouble_the_issuer(here: Here) -> None:
    """An unknown key is asked for once a minute, whoever sends it; one that was withdrawn ends when its keys are fresh."""
    here.caller(here.shown())
    asked = here.issuer.asked
    here.issuer.keys["2"] = rsa.generate_private_key(65537, 2048)
    try:
        for _ in range(5):
            assert here.refusal(here.shown(here.client.token("2"))).status == 401
        assert here.issuer.asked == asked, "within a minute of the last time"
        here.world.clock.forward(seconds=61)
        assert here.caller(here.shown(here.client.token("2"))).id == "legesenter"
        assert here.caller(here.shown(here.client.token("1"))).id == "legesenter"
        assert here.issuer.asked == asked + 1
        withdrawn = here.client.token("1")
        del here.issuer.keys["1"]
        here.world.clock.forward(seconds=3601)
        here.caller(here.shown(here.client.token("2")))
        eventually(lambda: here.issuer.asked == asked + 2)
        eventually(lambda: here.status(here.shown(withdrawn)) == 401)
    finally:
        here.issuer.keys.setdefault("1", rsa.generate_private_key(65537, 2048))
        del here.issuer.keys["2"]


def test_whose_key_is_known_waits_for_no_issuer(here: Here) -> None:
    """Its keys are due to be asked for anew, and it takes the connection and says nothing."""
    prover = here.made(answer_seconds=60)
    here.caller(here.shown(), prover)
    here.issuer.manner, asked = "waits", here.issuer.asked
    here.world.clock.forward(seconds=3601)
    for _ in range(3):
        assert here.world.run(prover(here.shown()), 20).id == "legesenter"
    eventually(lambda: here.issuer.asked == asked + 1)

    async def opened() -> None:
        here.issuer.gate.set()

    here.world.run(opened())


def test_keys_that_are_too_old_to_be_believed_let_nobody_in(here: Here) -> None:
    here.caller(here.shown())
    here.issuer.manner = "down"
    here.world.clock.forward(hours=23)
    assert here.caller(here.shown()).id == "legesenter"
    here.world.clock.forward(hours=2)
    assert here.refusal(here.shown()).status == 503
    here.issuer.manner = "well"
    here.world.clock.forward(seconds=61)
    assert here.caller(here.shown()).id == "legesenter", "who is known no more is asked for"


def test_of_many_who_come_first_one_asks_the_issuer(here: Here) -> None:
    prover, asked = here.made(), here.issuer.asked

    async def many() -> None:
        await asyncio.gather(*(prover(here.shown()) for _ in range(20)))

    here.world.run(many())
    assert here.issuer.asked == asked + 1


def test_rights_that_end_while_a_call_is_held_open_are_seen(here: Here) -> None:
    """A stream ends with its token, or when its client is taken out of the register."""
    facade, caller = here.world.hub.systems, here.caller(here.shown())
    assert facade.still(caller)
    here.world.clock.forward(seconds=601)
    assert not facade.still(caller)
