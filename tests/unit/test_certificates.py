"""Judging certificates: purpose, time, path and revocation, in that order, each refusal with its word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from hub import codes
from hub.trust import certificates
from hub.trust.certificates import CertificateFacts, CertificateFault, Purpose, Status, TrustAnchors, judge
from tests.unit.keys import certificate, elliptic_certificate, private_key

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
YEAR = timedelta(days=365)
Names = dict[x509.ObjectIdentifier, str]


@dataclass
class Known:
    """Says of every link what it is told to."""

    answer: Status = "good"
    of: bytes = b""  #: only of this certificate
    asked: int = 0

    def status(self, certificate_der: bytes, issuer_der: bytes) -> Status:
        self.asked += 1
        return self.answer if not self.of or certificate_der == self.of else "good"


def usage(*names: str) -> x509.KeyUsage:
    every = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign"
    )
    words = [*every.split(), "encipher_only", "decipher_only"]
    return x509.KeyUsage(**{name: name in names for name in words})


def issue(
    names: Names,
    key: RSAPrivateKey,
    issuer: tuple[Names, RSAPrivateKey],
    *,
    usages: tuple[str, ...] | None = ("content_commitment",),
    authority: bool | None = False,
    start: datetime = NOW - YEAR,
    end: datetime = NOW + YEAR,
    strange: bool = False,
) -> bytes:
    def named(all_names: Names) -> x509.Name:
        return x509.Name([x509.NameAttribute(oid, value) for oid, value in all_names.items()])

    builder = x509.CertificateBuilder().subject_name(named(names)).issuer_name(named(issuer[0]))
    builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(start).not_valid_after(end)
    if authority is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    if usages is not None:
        builder = builder.add_extension(usage(*usages), critical=True)
    if strange:
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
        builder = builder.add_extension(unknown, critical=True)
    return builder.sign(issuer[1], hashes.SHA256()).public_bytes(Encoding.DER)


ROOT_NAMES, CA_NAMES = {NameOID.COMMON_NAME: "Rot"}, {NameOID.COMMON_NAME: "Utsteder"}
CA_USE = ("key_cert_sign", "crl_sign")
ROOT = issue(
    ROOT_NAMES, private_key(0), (ROOT_NAMES, private_key(0)), usages=CA_USE, authority=True, end=NOW + 9 * YEAR
)
CA = issue(CA_NAMES, private_key(1), (ROOT_NAMES, private_key(0)), usages=CA_USE, authority=True, end=NOW + 5 * YEAR)
ISSUER = (CA_NAMES, private_key(1))
OWN: Names = {NameOID.ORGANIZATION_NAME: "Solvik kommune", NameOID.ORGANIZATION_IDENTIFIER: "NTRNO-999000010"}
ANCHORS = TrustAnchors((ROOT,), (CA,))
SIGNING = issue(OWN, private_key(2), ISSUER)
ENCRYPTION = issue(OWN, private_key(2), ISSUER, usages=("digital_signature", "key_encipherment"))


def said(
    der: bytes,
    purpose: Purpose = Purpose.SIGNING,
    at: datetime = NOW,
    anchors: TrustAnchors = ANCHORS,
    revocation: Known | None = None,
) -> str:
    found = judge(der, purpose, at, anchors, revocation or Known())
    if isinstance(found, CertificateFault):
        assert found.reason in codes.CERTIFICATE and found.text
        return found.reason
    assert isinstance(found, CertificateFacts)
    return ""


def test_a_certificate_of_a_trusted_issuer_is_good_for_its_purpose() -> None:
    assert said(SIGNING) == "" and said(ENCRYPTION, Purpose.ENCRYPTION) == ""


def test_every_link_of_the_path_is_asked_for_revocation() -> None:
    known = Known()
    said(SIGNING, revocation=known)
    assert known.asked == 2  # by its issuer, and the issuer by the root


@pytest.mark.parametrize(
    ("usages", "signing", "encryption"),
    [
        (("content_commitment",), True, False),
        (("digital_signature",), True, False),
        (("digital_signature", "content_commitment"), True, False),
        (("digital_signature", "key_encipherment"), False, True),
        (("key_encipherment",), False, True),
        (("data_encipherment",), False, True),
        (("content_commitment", "key_encipherment"), True, True),
        (("key_agreement",), False, False),
        (("key_cert_sign",), False, False),
        (None, True, True),
    ],
)
def test_key_usage_decides_what_it_is_for(usages: tuple[str, ...] | None, signing: bool, encryption: bool) -> None:
    """Never sign with the authentication certificate (ebxml.md §4.5)."""
    der = issue(OWN, private_key(2), ISSUER, usages=usages)
    assert said(der) == ("" if signing else "wrong-purpose")
    assert said(der, Purpose.ENCRYPTION) == ("" if encryption else "wrong-purpose")


@pytest.mark.parametrize(
    ("at", "wanted"),
    [
        (NOW - YEAR, ""),
        (NOW + YEAR, ""),
        (NOW - YEAR - timedelta(seconds=1), "not-yet-valid"),
        (NOW + YEAR + timedelta(seconds=1), "expired"),
    ],
)
def test_time_is_looked_at_to_the_second(at: datetime, wanted: str) -> None:
    assert said(SIGNING, at=at) == wanted


def test_an_issuer_that_has_expired_cannot_hold_a_path() -> None:
    old = issue(
        CA_NAMES, private_key(1), (ROOT_NAMES, private_key(0)), usages=CA_USE, authority=True, end=NOW - YEAR / 2
    )
    assert said(SIGNING, anchors=TrustAnchors((ROOT,), (old,))) == "expired"


def test_of_two_certificates_of_one_issuer_the_one_that_holds_is_enough() -> None:
    """An authority that was renewed with the same key has both lying in the folder."""
    old = issue(
        CA_NAMES, private_key(1), (ROOT_NAMES, private_key(0)), usages=CA_USE, authority=True, end=NOW - YEAR / 2
    )
    assert said(SIGNING, anchors=TrustAnchors((ROOT,), (old, CA))) == ""
    assert said(SIGNING, anchors=TrustAnchors((ROOT,), (CA, old))) == ""


@pytest.mark.parametrize(
    ("der", "wanted"),
    [
        (b"", "not-a-certificate"),
        (b"0\x82", "not-a-certificate"),
        (
            certificate().replace(bytes.fromhex("06092a864886f70d010101"), bytes.fromhex("06092a864886f70d010100"), 1),
            "not-a-certificate",
        ),
        (certificate(), "self-signed"),
        (elliptic_certificate(), "self-signed"),
        (ROOT, "self-signed"),
        (issue(OWN, private_key(2), ({NameOID.COMMON_NAME: "Fremmed"}, private_key(3))), "unknown-issuer"),
        (issue(OWN, private_key(2), (CA_NAMES, private_key(3))), "unknown-issuer"),
        (issue(OWN, private_key(2), ISSUER, strange=True), "wrong-purpose"),
    ],
)
def test_what_cannot_be_trusted_is_told_by_name(der: bytes, wanted: str) -> None:
    assert said(der) == wanted


def test_no_leaf_may_issue() -> None:
    for usages, authority in ((("content_commitment",), False), (("content_commitment",), True), (CA_USE, None)):
        leaf = issue({NameOID.COMMON_NAME: "Blad"}, private_key(3), ISSUER, usages=usages, authority=authority)
        forged = issue(OWN, private_key(2), ({NameOID.COMMON_NAME: "Blad"}, private_key(3)))
        assert said(forged, anchors=TrustAnchors((ROOT,), (CA, leaf))) == "unknown-issuer"


def test_without_the_intermediate_there_is_no_path() -> None:
    assert said(SIGNING, anchors=TrustAnchors((ROOT,))) == "unknown-issuer"
    assert said(SIGNING, anchors=TrustAnchors((), (CA,))) == "unknown-issuer"


def test_authorities_that_issue_one_another_do_not_go_round_for_ever() -> None:
    a, b = {NameOID.COMMON_NAME: "A"}, {NameOID.COMMON_NAME: "B"}
    first = issue(a, private_key(0), (b, private_key(1)), usages=CA_USE, authority=True)
    second = issue(b, private_key(1), (a, private_key(0)), usages=CA_USE, authority=True)
    der = issue(OWN, private_key(2), (a, private_key(0)))
    assert said(der, anchors=TrustAnchors((ROOT,), (first, second))) == "unknown-issuer"


@pytest.mark.parametrize("link", [SIGNING, CA])
def test_revoked_is_refused_and_unknown_is_never_the_same_word(link: bytes) -> None:
    assert said(SIGNING, revocation=Known("revoked", link)) == "revoked"
    assert said(SIGNING, revocation=Known("unknown", link)) == "revocation-unknown"


def test_revoked_weighs_more_than_unknown() -> None:
    class Both:
        def status(self, certificate_der: bytes, issuer_der: bytes) -> Status:
            return "unknown" if certificate_der == SIGNING else "revoked"

    found = judge(SIGNING, Purpose.SIGNING, NOW, ANCHORS, Both())
    assert isinstance(found, CertificateFault) and found.reason == "revoked"


def test_what_is_refused_anyway_is_not_asked_for_revocation() -> None:
    known = Known()
    assert said(ENCRYPTION, revocation=known) == "wrong-purpose" and known.asked == 0


def test_a_path_is_proven_once_and_time_is_looked_at_each_time() -> None:
    anchors = TrustAnchors((ROOT,), (CA,))
    assert said(SIGNING, anchors=anchors) == "" and said(SIGNING, at=NOW + 3 * YEAR, anchors=anchors) == "expired"
    assert said(SIGNING, anchors=anchors, revocation=Known("revoked")) == "revoked"


@pytest.mark.parametrize(
    ("names", "number"),
    [
        (OWN, "999000010"),
        ({NameOID.SERIAL_NUMBER: "999000029"}, "999000029"),
        ({NameOID.ORGANIZATIONAL_UNIT_NAME: "Legesenter-999000037"}, "999000037"),
        ({NameOID.ORGANIZATION_NAME: "Solvik AS - 999000045", NameOID.COMMON_NAME: "x"}, ""),
        ({NameOID.ORGANIZATION_NAME: "Solvik AS-999000045", NameOID.COMMON_NAME: "x"}, "999000045"),
        (
            {
                NameOID.ORGANIZATIONAL_UNIT_NAME: "ER:NO-999000010-AVD",
                NameOID.ORGANIZATION_IDENTIFIER: "NTRNO-999000045",
            },
            "999000045",
        ),
        ({NameOID.SERIAL_NUMBER: "9578-4050-100732353"}, ""),
        ({NameOID.SERIAL_NUMBER: "12345678"}, ""),
    ],
)
def test_the_organisation_number_is_where_each_generation_puts_it(names: Names, number: str) -> None:
    assert certificates.facts(issue(names, private_key(2), ISSUER)).organisation_number == number


def test_real_certificates_of_the_sector_are_read(standards: Path) -> None:
    folder = standards / "samples/pki/nav-ebxml-processor"
    found = {path.name: certificates.facts(der) for path, der in _real(folder)}
    assert len(found) == 5
    assert {name: f.organisation_number for name, f in found.items()} == {
        "2023_08_29T12_56_58_328.cer": "993954896",
        "cert.personal.commfides.cer": "",
        "expired.qcevident.ca23.ssl.buypass.no.cer": "983163327",
        "revoked.qcevident.ca23.ssl.buypass.no.cer": "983163327",
        "valid.qcevident.ca23.ssl.buypass.no.cer": "983163327",
    }
    assert found["2023_08_29T12_56_58_328.cer"].usages == {"content_commitment"}
    assert all(said(der) == "unknown-issuer" for _, der in _real(folder))


def _real(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted(folder.glob("*.cer")):
        raw = path.read_bytes()
        load = x509.load_pem_x509_certificate if b"-----BEGIN" in raw else x509.load_der_x509_certificate
        yield path, load(raw).public_bytes(Encoding.DER)


@given(st.integers(0, len(SIGNING) - 1), st.integers(0, 255))
def test_no_changed_byte_makes_it_raise_or_pass(place: int, value: int) -> None:
    changed = SIGNING[:place] + bytes([value]) + SIGNING[place + 1 :]
    assert (said(changed) == "") == (changed == SIGNING)
