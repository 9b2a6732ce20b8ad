"""Which certificate of a CPA's KeyInfo is meant: the end entity's, in whatever order a chain stands; what is none is told."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import lru_cache
from itertools import permutations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lxml import etree

from hub.formats import cpa_certificates
from hub.formats.cpa_certificates import DS, KeyInfo, Use
from tests.unit.keys import END, START, certificate, elliptic_certificate, private_key


@lru_cache
def issued(number: int, *usages: str, authority: bool = False) -> bytes:
    """A certificate with these keyUsage bits; without any it has no keyUsage."""
    key = private_key(number)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Prøve {number} {usages} {authority}")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(5 + number).not_valid_before(START).not_valid_after(END)
    builder = builder.add_extension(x509.BasicConstraints(authority, None), critical=True)
    if usages:
        names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
                 "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")  # fmt: skip
        builder = builder.add_extension(x509.KeyUsage(**{n: n in usages for n in names}), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


ROOT = issued(1, "key_cert_sign", "crl_sign", authority=True)
BETWEEN = issued(2, "key_cert_sign", authority=True)
SIGNS = issued(3, "content_commitment")
ENCRYPTS = issued(3, "key_encipherment", "data_encipherment")


def text(der: bytes) -> str:
    return base64.b64encode(der).decode()


def pem(der: bytes) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(der).decode()}-----END CERTIFICATE-----\n"


def read(*written: str, apart: bool = False) -> KeyInfo:
    """A Certificate with these texts, in one X509Data or each in its own."""
    each = [f"<X509Certificate>{one}</X509Certificate>" for one in written]
    data = "</X509Data><X509Data>".join(each) if apart else "".join(each)
    raw = f'<c><KeyInfo xmlns="{DS}"><X509Data>{data}</X509Data></KeyInfo></c>'
    return cpa_certificates.read(etree.fromstring(raw))


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("order", list(permutations((ROOT, BETWEEN, SIGNS))))
def test_of_a_chain_the_end_entity_is_meant_wherever_it_stands(order: tuple[bytes, ...], apart: bool) -> None:
    found = read(*map(text, order), apart=apart)
    assert (found.meant("signing"), found.meant("encryption"), found.faults) == (SIGNS, SIGNS, ())
    assert found.own == (SIGNS,)


@pytest.mark.parametrize("order", list(permutations((ROOT, SIGNS, ENCRYPTS))))
@pytest.mark.parametrize(("use", "wanted"), [("signing", SIGNS), ("encryption", ENCRYPTS)])
def test_of_several_end_entities_the_one_for_this_use_is_meant(
    order: tuple[bytes, ...], use: Use, wanted: bytes
) -> None:
    assert read(*map(text, order)).meant(use) == wanted


@pytest.mark.parametrize("der", [certificate(), SIGNS, ENCRYPTS])
def test_the_only_one_is_meant_for_whatever_use(der: bytes) -> None:
    """Whether it fits is for the judge to tell (hub.agreements), not a reason to choose none."""
    assert read(text(der)).meant("signing") == read(text(der)).meant("encryption") == der


def test_authorities_alone_are_nobodys_certificate() -> None:
    found = read(text(ROOT), text(BETWEEN))
    assert (found.meant("signing"), found.faults) == (b"", ("it holds an authority's certificate only",))


NONE: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "blanks": lambda: " \n ",
    "words": lambda: "CERTIFICATE GOES HERE",
    "base64 of something else": lambda: text(b"not a certificate at all"),
    "half a certificate": lambda: text(SIGNS[: len(SIGNS) // 2]),
    "more than a certificate": lambda: text(SIGNS + b"\x00"),
    "signs that base64 has not": lambda: text(SIGNS)[:40] + "*" + text(SIGNS)[40:],
    "PEM of a key": lambda: pem(b"key").replace("CERTIFICATE", "PRIVATE KEY"),
}


@pytest.mark.parametrize("written", NONE.values(), ids=NONE.keys())
def test_what_is_no_certificate_is_left_out_and_told(written: Callable[[], str]) -> None:
    found = read(written())
    assert found.own == () and found.meant("signing") == b""
    assert len(found.faults) == 1 and "no certificate" in found.faults[0]


def test_what_is_no_certificate_hides_none_beside_it() -> None:
    found = read("words", text(SIGNS))
    assert found.meant("signing") == SIGNS
    assert found.faults[0].startswith("its X509Certificate number 1 is no certificate")


def test_pem_is_taken_as_what_it_is_and_told() -> None:
    found = read(pem(SIGNS))
    assert found.meant("signing") == SIGNS and "written as PEM" in found.faults[0]


def test_no_certificate_at_all_is_told() -> None:
    found = cpa_certificates.read(etree.fromstring(f'<c><KeyInfo xmlns="{DS}"/></c>'))
    assert found == KeyInfo(faults=("it holds no X509Certificate",))


def test_a_key_that_is_not_rsa_is_known_as_such() -> None:
    [found] = read(text(elliptic_certificate())).certificates
    assert not found.rsa


@pytest.mark.parametrize("order", list(permutations((ROOT, BETWEEN, SIGNS, ENCRYPTS))))
def test_of_a_chain_in_a_file_the_end_entity_is_meant(order: tuple[bytes, ...]) -> None:
    """A party's certificate file may hold its authorities too, in any order: nothing is encrypted for them."""
    content = "".join(map(pem, order)).encode()
    assert cpa_certificates.of_chain(content, "encryption") == ENCRYPTS
    assert cpa_certificates.of_chain(content, "signing") == SIGNS


@pytest.mark.parametrize("content", [SIGNS, pem(SIGNS).encode(), f"# mine\n{pem(SIGNS)}".encode()])
def test_a_file_with_one_certificate_means_it(content: bytes) -> None:
    assert cpa_certificates.of_chain(content, "encryption") == SIGNS


@pytest.mark.parametrize(
    "content", [b"", b"hei", (pem(ROOT) + pem(BETWEEN)).encode(), b"-----BEGIN CERTIFICATE-----\n%%"]
)
def test_a_file_that_means_none_is_told(content: bytes) -> None:
    with pytest.raises(ValueError):
        cpa_certificates.of_chain(content, "signing")
