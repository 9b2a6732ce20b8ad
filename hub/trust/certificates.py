"""Judges a certificate: purpose, time, path to a trusted root, and revocation (ebxml.md §4.5, §4.6)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import islice, pairwise
from typing import Literal, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID

MINIMUM_BITS = 2048
LONGEST_PATH = 6
MOST_PATHS = 16
Status = Literal["good", "revoked", "unknown"]
Reason = Literal[
    "not-a-certificate",
    "expired",
    "not-yet-valid",
    "unknown-issuer",
    "self-signed",
    "wrong-purpose",
    "weak-key",
    "revoked",
    "revocation-unknown",
]


class Purpose(StrEnum):
    """What a certificate is used for."""

    SIGNING = "signing"
    ENCRYPTION = "encryption"


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What a certificate says; times in UTC, serial in hex."""

    subject: str
    organisation_number: str
    serial: str
    issuer: str
    not_before: datetime
    not_after: datetime
    usages: frozenset[str]  #: names of the keyUsage bits that are set; empty where it has no keyUsage


@dataclass(frozen=True, slots=True)
class CertificateFault:
    """Why it may not be used."""

    reason: Reason
    text: str


class RevocationSource(Protocol):
    """Knows what has been revoked: a CRL store, an OCSP client, or both."""

    def status(self, certificate_der: bytes, issuer_der: bytes) -> Status:
        """`unknown` when it cannot be asked: that is tried again, never refused."""
        ...


@dataclass(frozen=True, slots=True)
class _Parsed:
    der: bytes
    certificate: x509.Certificate
    facts: CertificateFacts
    rsa_bits: int  #: 0 where the key is of another kind
    strange: bool  #: has a critical extension that nobody here understands


_Path = tuple[_Parsed, ...]


@dataclass(frozen=True, slots=True)
class TrustAnchors:
    """Trusted roots and the authorities below them, in DER; remembers the paths it has proven."""

    roots: tuple[bytes, ...]
    intermediates: tuple[bytes, ...] = ()
    _paths: dict[bytes, tuple[_Path, ...] | CertificateFault] = field(default_factory=dict, compare=False, repr=False)

    def paths(self, der: bytes) -> tuple[_Path, ...] | CertificateFault:
        """From the certificate to a root, every signature checked, at least one; asked once for each certificate."""
        found = self._paths.get(der)
        if found is None:
            if len(self._paths) > 10_000:
                self._paths.clear()
            found = self._paths[der] = _paths(der, self)
        return found


def facts(der: bytes) -> CertificateFacts:
    """What a certificate says. Raises ValueError when it is none."""
    return _parsed(der).facts


def judge(
    der: bytes, purpose: Purpose, at: datetime, anchors: TrustAnchors, revocation: RevocationSource
) -> CertificateFacts | CertificateFault:
    """Whether it may be used for `purpose` at `at`: time, purpose and path first, then revocation of every link.

    `revocation-unknown` is the only fault that may pass by itself.
    """
    paths = anchors.paths(der)
    if isinstance(paths, CertificateFault):
        return paths
    path = _in_time(paths, at)
    if isinstance(path, CertificateFault):
        return path
    own = path[0]
    if fault := _fit(own, purpose):
        return fault
    unknown = None
    for link, issuer in pairwise(path):
        status = revocation.status(link.der, issuer.der)
        if status == "revoked":
            return CertificateFault("revoked", f"certificate {link.facts.serial} is revoked by {link.facts.issuer}")
        if status == "unknown":
            text = f"whether {link.facts.serial} is revoked could not be asked of {link.facts.issuer}"
            unknown = CertificateFault("revocation-unknown", text)
    return unknown or own.facts


def _paths(der: bytes, anchors: TrustAnchors) -> tuple[_Path, ...] | CertificateFault:
    try:
        own = _parsed(der)
    except ValueError:
        return CertificateFault("not-a-certificate", "the certificate cannot be read")
    if der in anchors.roots or _issued(own, own):
        return CertificateFault("self-signed", "the certificate is self-signed")
    authorities = [a for a in map(_parsed, (*anchors.intermediates, *anchors.roots)) if _may_issue(a)]
    found = tuple(islice(_longer((own,), authorities, anchors.roots), MOST_PATHS))
    text = f"no trusted authority has issued certificate {own.facts.serial} ({own.facts.issuer})"
    return found or CertificateFault("unknown-issuer", text)


def _longer(path: _Path, authorities: Sequence[_Parsed], roots: Sequence[bytes]) -> Iterator[_Path]:
    """Every way on to a root: an authority that was renewed has two certificates, and one of them may hold."""
    if path[-1].der in roots:
        yield path
    elif len(path) < LONGEST_PATH:
        for issuer in authorities:
            if issuer not in path and _issued(path[-1], issuer):
                yield from _longer((*path, issuer), authorities, roots)


def _issued(certificate: _Parsed, issuer: _Parsed) -> bool:
    if certificate.certificate.issuer != issuer.certificate.subject:
        return False
    try:
        certificate.certificate.verify_directly_issued_by(issuer.certificate)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _may_issue(authority: _Parsed) -> bool:
    """An authority by basicConstraints, with keyCertSign where it has a keyUsage (RFC 5280 6.1.4)."""
    try:
        constraints = authority.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        return False
    return constraints.ca and (not authority.facts.usages or "key_cert_sign" in authority.facts.usages)


def _in_time(paths: Sequence[_Path], at: datetime) -> _Path | CertificateFault:
    """The first path whose every link is valid at `at`, else what is wrong with the first of all."""
    fault = None
    for path in paths:
        late = next((link for link in path if not link.facts.not_before <= at <= link.facts.not_after), None)
        if late is None:
            return path
        fault = fault or _out_of_time(late.facts, at)
    assert fault is not None  # there is at least one path
    return fault


def _out_of_time(found: CertificateFacts, at: datetime) -> CertificateFault:
    if at > found.not_after:
        return CertificateFault("expired", f"certificate {found.serial} expired {found.not_after.isoformat()}")
    return CertificateFault("not-yet-valid", f"certificate {found.serial} is valid from {found.not_before.isoformat()}")


def unfit(der: bytes, purpose: Purpose) -> str:
    """Why a certificate can never be used for this, whoever issued it; empty where it can."""
    try:
        fault = _fit(_parsed(der), purpose)
    except ValueError:
        return "it cannot be read"
    return fault.text if fault else ""


def _fit(own: _Parsed, purpose: Purpose) -> CertificateFault | None:
    """Signing asks for nonRepudiation, or digitalSignature alone; never the encryption certificate (ebxml.md §4.5)."""
    usages = own.facts.usages
    fits = _signs if purpose is Purpose.SIGNING else _encrypts
    if usages and not fits(usages):
        return CertificateFault("wrong-purpose", f"certificate {own.facts.serial} is not for {purpose}")
    if purpose is Purpose.ENCRYPTION and not own.rsa_bits:  # HIS 1037 encrypts by RSA
        return CertificateFault(
            "wrong-purpose", f"certificate {own.facts.serial} is not for {purpose}: its key is not RSA"
        )
    if own.strange:  # RFC 5280 4.2
        text = f"certificate {own.facts.serial} has a critical extension that is not understood"
        return CertificateFault("wrong-purpose", text)
    if 0 < own.rsa_bits < MINIMUM_BITS:
        return CertificateFault("weak-key", f"certificate {own.facts.serial} has a key of {own.rsa_bits} bits")
    return None


def _signs(usages: frozenset[str]) -> bool:
    return "content_commitment" in usages or ("digital_signature" in usages and "key_encipherment" not in usages)


def _encrypts(usages: frozenset[str]) -> bool:
    return "key_encipherment" in usages or "data_encipherment" in usages


#: What the library raises for certificates that break X.509; a broken extension is never read as an absent one.
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


def _parsed(der: bytes) -> _Parsed:
    try:
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key()
        strange = any(e.critical and isinstance(e.value, x509.UnrecognizedExtension) for e in certificate.extensions)
        bits = key.key_size if isinstance(key, RSAPublicKey) else 0
        return _Parsed(der, certificate, _facts(certificate), bits, strange)
    except _UNREADABLE:
        raise ValueError("the certificate cannot be read") from None


def _facts(certificate: x509.Certificate) -> CertificateFacts:
    return CertificateFacts(
        subject=certificate.subject.rfc4514_string(),
        organisation_number=_organisation_number(certificate.subject),
        serial=f"{certificate.serial_number:x}",
        issuer=certificate.issuer.rfc4514_string(),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        usages=frozenset(_usages(certificate)),
    )


def _usages(certificate: x509.Certificate) -> Iterator[str]:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    for name in (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
    ):
        if getattr(usage, name):
            yield name


_NINE_DIGITS = re.compile(r"(?:^|-)([0-9]{9})$")
_ALONE = re.compile(r"^([0-9]{9})$")  # a person's serialNumber is longer, and ends in nine digits as well


def _organisation_number(subject: x509.Name) -> str:
    """SEID 2.0: organizationIdentifier NTRNO-nnnnnnnnn; SEID 1.0: serialNumber; else OU or O (ebxml.md §4.5)."""
    attributes: Sequence[x509.ObjectIdentifier] = (
        NameOID.ORGANIZATION_IDENTIFIER,
        NameOID.SERIAL_NUMBER,
        NameOID.ORGANIZATIONAL_UNIT_NAME,
        NameOID.ORGANIZATION_NAME,
    )
    for attribute in attributes:
        for found in subject.get_attributes_for_oid(attribute):
            shape = _ALONE if attribute == NameOID.SERIAL_NUMBER else _NINE_DIGITS
            if digits := shape.search(str(found.value)):
                return digits.group(1)
    return ""
