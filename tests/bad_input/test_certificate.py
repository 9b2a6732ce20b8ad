"""Whose signature is it, and may he still sign? Each way in which a certificate is wrong has its own word."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hub import follow_up
from hub.ports import ArrivalFilter, DeliveryFilter, MessageFilter
from tests.bad_input.answers import acknowledged, delivered, refused
from tests.support.letters import Hand, business
from tests.support.world import Said, World

WRONG = {
    "revoked": "certificate-revoked",
    "expired": "certificate-expired",
    "future": "certificate-not-yet-valid",
    "wrong-purpose": "certificate-purpose",
    "unknown-issuer": "certificate-unknown-issuer",
    "self-signed": "certificate-unknown-issuer",
    "weak": "certificate-weak",
}


@pytest.mark.parametrize(("kind", "code"), WRONG.items())
def test_a_wrong_certificate_is_refused_with_the_reason_that_fits(world: World, kind: str, code: str) -> None:
    """Registered or not: what is wrong with it is said first (ebxml.md §4.5, §4.6)."""
    post = replace(world.post_to, key=world.keys.wrong[kind])
    letter = business(post, world.sample().document)
    refused(world.post(letter), letter, code, "SecurityFailure", "X509Certificate" if kind != "weak" else "")


def test_a_good_certificate_of_somebody_else_is_not_the_senders(world: World) -> None:
    """HITS 1172 44, 79: byte for byte one that is registered."""
    post = replace(world.post_to, key=world.keys.stranger())
    letter = business(post, world.sample().document)
    told = refused(world.post(letter), letter, "certificate-unregistered", "SecurityFailure", "X509Certificate")
    assert "44" in told


def test_a_certificate_that_will_expire_soon_is_good(world: World) -> None:
    letter = business(replace(world.post_to, key=world.keys.wrong["expiring"]), world.sample().document)
    acknowledged(world.post(letter), letter, world)


@pytest.mark.parametrize("days", [-2, 3])
def test_a_timestamp_outside_the_certificates_time_is_refused(world: World, days: int) -> None:
    """HITS 1172 104, 105: signed now, but said to be from another time."""
    post = replace(world.post_to, key=world.keys.wrong["sheltered"])
    letter = business(post, world.sample().document, timestamp=world.clock.now() + timedelta(days=days))
    code = "certificate-not-yet-valid" if days < 0 else "certificate-expired"
    refused(world.post(letter), letter, code, "SecurityFailure", "X509Certificate")


def test_another_certificate_than_the_one_that_signed_proves_nothing(world: World) -> None:
    """The good certificate beside a signature by another key."""
    impostor = replace(world.keys.stranger(), certificate_der=world.keys.good.certificate_der)
    letter = business(replace(world.post_to, key=impostor), world.sample().document)
    assert "50" in refused(world.post(letter), letter, "signature-invalid", "SecurityFailure")


def test_a_key_that_is_not_rsa_is_outside_the_policy(world: World) -> None:
    hand = Hand(key_info=f"<ds:X509Data><ds:X509Certificate>{_elliptic(world)}</ds:X509Certificate></ds:X509Data>")
    letter = business(world.post_to, world.sample().document, signer=hand)
    refused(world.post(letter), letter, "signature-algorithm", "SecurityFailure")


def _elliptic(world: World) -> str:
    import base64

    from tests.support.certificates import elliptic

    return base64.b64encode(elliptic(world.keys.folder)).decode()


# --- revocation that cannot be asked: kept and asked again, never refused


def _undecided(said: Said) -> None:
    assert (said.kind, said.reply.status) == ("empty", 202), said.reply.body
    assert said.arrival is not None and said.arrival.state == "undecided"
    assert said.codes == ["revocation-unknown"]
    assert not said.deliveries


@pytest.fixture
def silent(new_world: Callable[..., World], tmp_path: Path) -> World:
    """A hub with its own folder of CRLs, in which the silent authority has none."""
    keys = new_world().keys
    shutil.copytree(keys.folder / "crl", tmp_path / "crl")
    return new_world(revocation={"folder": tmp_path / "crl"}, hub={"retry_undecided_seconds": 60})


def test_revocation_that_cannot_be_asked_is_neither_refused_nor_acknowledged(silent: World) -> None:
    """HITS 1172 knows no answer to it: nothing is said until it is known."""
    post = replace(silent.post_to, key=silent.keys.wrong["silent"])
    letter = business(post, silent.sample().document)
    said = silent.post(letter)
    _undecided(said)
    assert said.arrival is not None and said.arrival.arrival.body == letter.body
    assert said.arrival.next_at is not None and said.arrival.next_at > silent.clock.now()


def test_when_it_can_be_asked_the_message_is_judged_again_by_itself(silent: World, tmp_path: Path) -> None:
    """The CRL comes, the message goes in, and its Acknowledgment is promised to travel by itself."""
    post = replace(silent.post_to, key=silent.keys.wrong["silent"])
    letter = business(post, silent.sample().document)
    _undecided(silent.post(letter))
    silent.keys.more.speak(tmp_path / "crl")
    silent.clock.forward(minutes=2)
    assert silent.run(follow_up.judge_again(silent.hub.kit)) == 1
    arrival = silent.run(silent.hub.store.arrivals(ArrivalFilter(limit=1)))[0]
    assert (arrival.state, arrival.code) == ("accepted", "accepted")
    kept = silent.run(silent.hub.store.messages(MessageFilter(limit=10)))
    assert sorted(m.kind for m in kept) == ["business", "signal"]
    states = {
        d.kind: d.state for m in kept for d in silent.run(silent.hub.store.deliveries(DeliveryFilter(message_id=m.id)))
    }
    assert states == {"business": "available", "signal": "waiting"}


def test_the_senders_resend_meets_the_same_message(silent: World, tmp_path: Path) -> None:
    """It comes again before it was judged: delivered once, and both get an answer."""
    post = replace(silent.post_to, key=silent.keys.wrong["silent"])
    letter = business(post, silent.sample().document)
    _undecided(silent.post(letter))
    silent.keys.more.speak(tmp_path / "crl")
    silent.clock.forward(minutes=2)
    delivered(silent.post(letter))
    silent.run(follow_up.judge_again(silent.hub.kit))
    business_messages = [m for m in silent.run(silent.hub.store.messages(MessageFilter())) if m.kind == "business"]
    assert len(business_messages) == 1
    assert not silent.run(silent.hub.store.arrivals(ArrivalFilter(states=("undecided",))))


def test_a_list_that_is_too_old_is_no_answer(silent: World) -> None:
    """A CRL long past its nextUpdate says nothing about today."""
    silent.clock.forward(days=40)
    letter = business(silent.post_to, silent.sample().document, timestamp=silent.clock.now())
    _undecided(silent.post(letter))


def test_a_forged_list_is_not_believed(silent: World, tmp_path: Path) -> None:
    """Somebody puts an empty CRL of the right name there, signed by another key: the revoked stay revoked."""
    from hub.trust.signature import SigningKey
    from tests.support.certificates import More

    name = silent.keys.more.silent[1]
    forger: SigningKey = silent.keys.good
    More({}, (forger.private_key, name)).speak(tmp_path / "crl")
    post = replace(silent.post_to, key=silent.keys.wrong["silent"])
    _undecided(silent.post(business(post, silent.sample().document)))
