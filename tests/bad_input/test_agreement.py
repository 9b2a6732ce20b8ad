"""What two have agreed: another CPA, role, service or action than agreed is refused, with the difference named."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from structlog.testing import capture_logs

from adapters.register.file import der
from ops.cli.app import tell_of_agreements
from tests.bad_input.answers import acknowledged, refused, remarked
from tests.support.agreements import Side, agreement
from tests.support.letters import Edit, business, swap, without
from tests.support.world import DOCTOR, PARTNER, Keys, World

CPA = "nav:prove:1"


@pytest.fixture(scope="module")
def sides(keys: Keys) -> tuple[Side, Side]:
    """The partner, who sends, and the doctor, who receives."""
    partner = Side(PARTNER.her_id, keys.good.certificate_der, keys.certificate("partner"))
    return partner, Side(DOCTOR.her_id, keys.certificate("legesenter", "sign"), keys.certificate("legesenter"))


@pytest.fixture
def agreed(new_world: Callable[..., World], sides: tuple[Side, Side]) -> World:
    """A hub that has the CPA, and one that has expired."""
    old = agreement("nav:gammel:1", *sides, end="2021-01-01T00:00:00Z")
    future = agreement("nav:kommende:1", *sides, start="2098-01-01T00:00:00Z")
    return new_world(agreements=[agreement(CPA, *sides, twice=True), old, future])


def test_as_agreed_is_acknowledged(agreed: World) -> None:
    """Two bindings of the same action are one too many, and no reason to refuse (ebxml.md §10 item 29)."""
    letter = business(agreed.post_to, agreed.sample().document, cpa_id=CPA)
    acknowledged(agreed.post(letter), letter, agreed)


OTHERWISE: dict[str, tuple[dict[str, str], str, str, str]] = {
    "a CPAId that nobody knows": ({"cpa_id": "nav:ukjent:1"}, "cpa-unknown", "ValueNotRecognized", "//eb:CPAId"),
    "an expired CPA (114)": ({"cpa_id": "nav:gammel:1"}, "cpa-expired", "Inconsistent", "//eb:CPAId"),
    "a CPA that has not begun (113)": ({"cpa_id": "nav:kommende:1"}, "cpa-not-yet-valid", "Inconsistent", "//eb:CPAId"),
    "another role": ({"from_role": "Fastlege"}, "cpa-service", "Inconsistent", "//eb:Service"),
    "the roles swapped": (
        {"from_role": "DIALOG_HELSEFAGLIGreceiver", "to_role": "DIALOG_HELSEFAGLIGsender"},
        "cpa-service",
        "Inconsistent",
        "//eb:Service",
    ),
    "another service": ({"service": "S-EPIKRISE"}, "cpa-service", "Inconsistent", "//eb:Service"),
    "another action": ({"action": "EPIKRISE"}, "cpa-service", "Inconsistent", "//eb:Service"),
}


@pytest.mark.parametrize(("header", "code", "error_code", "location"), OTHERWISE.values(), ids=OTHERWISE.keys())
def test_otherwise_than_agreed_is_refused(
    agreed: World, header: dict[str, str], code: str, error_code: str, location: str
) -> None:
    letter = business(agreed.post_to, agreed.sample().document, **({"cpa_id": CPA} | header))
    refused(agreed.post(letter), letter, code, error_code, location)


def test_a_receiver_outside_the_cpa_is_refused(agreed: World) -> None:
    """HITS 1172 111, 112."""
    from tests.support.world import SECOND_DOCTOR

    post = replace(agreed.post_to, to_her=SECOND_DOCTOR.her_id)
    letter = business(post, agreed.sample(receiver=SECOND_DOCTOR).document, cpa_id=CPA)
    refused(agreed.post(letter), letter, "cpa-party", "Inconsistent", "//eb:From")


def test_a_cpa_that_expires_while_the_hub_runs_is_expired(
    new_world: Callable[..., World], sides: tuple[Side, Side]
) -> None:
    """The day counts on which the message comes, not the one on which the CPA was read."""
    world = new_world(agreements=[agreement(CPA, *sides)])
    soon = (world.clock.now() + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    world = new_world(agreements=[agreement(CPA, *sides, end=soon)])
    letter = business(world.post_to, world.sample().document, cpa_id=CPA)
    acknowledged(world.post(letter), letter, world)
    world.clock.forward(hours=3)
    letter = business(world.post_to, world.sample().document, cpa_id=CPA, timestamp=world.clock.now())
    refused(world.post(letter), letter, "cpa-expired", "Inconsistent", "//eb:CPAId")


@pytest.mark.parametrize("edit", [without("eb:Role"), swap("<eb:Role>DIALOG_HELSEFAGLIGsender</eb:Role>", "")])
def test_without_a_role_service_and_action_find_the_agreement(agreed: World, edit: Edit) -> None:
    """A missing role is a remark, not a crash (ebxml.md §10 item 5)."""
    letter = business(agreed.post_to, agreed.sample().document, cpa_id=CPA, edit=edit)
    remarked(agreed.post(letter), letter, agreed, "From has no Role")


def test_a_certificate_that_the_cpa_does_not_name_is_not_the_senders(
    new_world: Callable[..., World], sides: tuple[Side, Side], keys: Keys
) -> None:
    """What the CPA says counts, also where the party file knows more (ebxml.md §5.4)."""
    other = replace(sides[0], signing=keys.stranger().certificate_der)
    world = new_world(agreements=[agreement(CPA, other, sides[1])])
    letter = business(world.post_to, world.sample().document, cpa_id=CPA)
    refused(world.post(letter), letter, "certificate-unregistered", "SecurityFailure", "X509Certificate")


BROKEN = {
    "half a CPA": lambda text: text[: len(text) // 2],
    "a DOCTYPE": lambda text: '<!DOCTYPE a [<!ENTITY b "c">]>' + text,
    "another root": lambda text: text.replace("CollaborationProtocolAgreement", "CollaborationProtocolProfile"),
    "one party": lambda text: text[: text.rindex("<tp:PartyInfo ")] + text[text.rindex("</tp:PartyInfo>") + 15 :],
    "no cpaid": lambda text: text.replace("tp:cpaid=", "tp:annet="),
}


@pytest.mark.parametrize("spoil", BROKEN.values(), ids=BROKEN.keys())
def test_a_cpa_file_that_cannot_be_read_stops_nothing_else(
    new_world: Callable[..., World], sides: tuple[Side, Side], spoil: Callable[[str], str]
) -> None:
    """It is named with its reason, and the hub serves all others (ebxml.md §10 items 24, 67)."""
    world = new_world(agreements=[spoil(agreement("nav:odelagt:1", *sides)), agreement(CPA, *sides)])
    assert list(world.hub.directory.broken) == ["0.xml"] and world.hub.directory.broken["0.xml"]
    letter = business(world.post_to, world.sample().document, cpa_id=CPA)
    acknowledged(world.post(letter), letter, world)


def test_what_is_no_certificate_is_told_at_start_and_the_one_of_the_party_file_is_used(
    new_world: Callable[..., World], sides: tuple[Side, Side]
) -> None:
    """A certificate of a CPA that is PEM's armour, words or nothing registered garbage in silence before."""
    text = agreement(CPA, replace(sides[0], signing=b"ingen"), sides[1])
    world = new_world(agreements=[text])
    with capture_logs() as logged:
        tell_of_agreements(world.hub.directory)
    [told] = [
        line for line in logged if line["event"] == "agreement-not-followed" and "is no certificate" in line["because"]
    ]
    assert told["agreement"] == CPA and "SigningCertificateRef" in told["because"]
    letter = business(world.post_to, world.sample().document, cpa_id=CPA)
    acknowledged(world.post(letter), letter, world)


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_a_chain_in_the_cpa_with_its_authority_first_means_the_end_entity(
    new_world: Callable[..., World], sides: tuple[Side, Side], keys: Keys, order: tuple[int, ...]
) -> None:
    """Who signs and for whom is encrypted is the end entity, wherever the authority's certificate stands."""
    authority = base64.b64encode(der(next((keys.folder / "ca" / "intermediates").glob("*.pem")).read_bytes())).decode()
    text = agreement(CPA, *sides)
    for one in {c for side in sides for c in (side.signing, side.encryption)}:
        own = base64.b64encode(one).decode()
        each = [f"<ds:X509Certificate>{t}</ds:X509Certificate>" for t in (authority, own)]
        text = text.replace(f"<ds:X509Certificate>{own}</ds:X509Certificate>", "".join(each[n] for n in order))
    world = new_world(agreements=[text])
    letter = business(world.post_to, world.sample().document, cpa_id=CPA)
    acknowledged(world.post(letter), letter, world)
    back = world.hub.directory.agreement(
        cpa_id=CPA, from_her=PARTNER.her_id, to_her=DOCTOR.her_id, service="S-DIALOG_HELSEFAGLIG",
        action="DIALOG_HELSEFAGLIG", role="", at=world.clock.now(),
    )  # fmt: skip
    assert (back.signing_certificates, back.encryption_certificate) == ((sides[0].signing,), sides[1].encryption)


@pytest.mark.parametrize(
    ("retries", "interval", "said"),
    [
        ("4", "om litt", "RetryInterval is not a duration as PT30M"),
        ("mange", "PT720M", "Retries is not a number"),
    ],
)
def test_figures_of_retries_that_cannot_be_read_are_found_with_the_agreement(
    new_world: Callable[..., World], sides: tuple[Side, Side], retries: str, interval: str, said: str
) -> None:
    """The file is not used and its reason is told; no message finds out when it waits (ebxml.md §10 item 67)."""
    partner, doctor = sides
    world = new_world(agreements=[agreement(CPA, doctor, partner, retries=retries, interval=interval)])
    assert world.hub.directory.broken["0.xml"].endswith(said)
    found = world.hub.directory.agreement(
        cpa_id=CPA, from_her=DOCTOR.her_id, to_her=PARTNER.her_id, service="S-DIALOG_HELSEFAGLIG",
        action="DIALOG_HELSEFAGLIG", role="", at=world.clock.now(),
    )  # fmt: skip
    assert found.fault is not None
