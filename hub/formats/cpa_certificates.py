"""Which certificate a KeyInfo of a CPA means: of a chain the end entity's, whichever stands first; what is none says so."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

DS = "http://www.w3.org/2000/09/xmldsig#"
Use = Literal["signing", "encryption"]
_ARMOUR = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]+-----")
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension)


@dataclass(frozen=True, slots=True)
class Found:
    """One certificate, as far as choosing among several asks."""

    der: bytes = field(repr=False)
    authority: bool  #: by basicConstraints (RFC 5280 4.2.1.9)
    uses: frozenset[Use]  #: by keyUsage; both where it has none (ebxml.md §4.5)
    rsa: bool


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """The certificates of one Certificate element, and what in it is none."""

    certificates: tuple[Found, ...] = ()
    faults: tuple[str, ...] = ()

    def meant(self, use: Use) -> bytes:
        """The end entity's, for this use if one of them is; empty where there is none. An authority never signs mail."""
        own = [c for c in self.certificates if not c.authority]
        return next((c.der for c in own if use in c.uses), own[0].der if own else b"")

    @property
    def own(self) -> tuple[bytes, ...]:
        """Those of end entities."""
        return tuple(c.der for c in self.certificates if not c.authority)


def read(certificate: etree._Element) -> KeyInfo:
    """Every X509Certificate in it; PEM is taken as what it is, all else that is no certificate is told."""
    written = [c.text or "" for c in certificate.iter(f"{{{DS}}}X509Certificate")]
    if not written:
        return KeyInfo(faults=("it holds no X509Certificate",))
    found, faults = list[Found](), list[str]()
    for place, text in enumerate(written, 1):
        one = _found(text)
        if one is None:
            faults.append(
                f"{_place(place, written)} is no certificate: {len(text.strip())} letters that are not base64 of DER"
            )
            continue
        found.append(one)
        if _ARMOUR.search(text):
            faults.append(
                f"{_place(place, written)} is written as PEM; taken all the same (XMLDSig 4.4.4 has base64 of DER)"
            )
    if found and all(c.authority for c in found):
        faults.append("it holds an authority's certificate only")
    return KeyInfo(tuple(found), tuple(faults))


def _place(place: int, written: Iterable[str]) -> str:
    return "its X509Certificate" if len(list(written)) == 1 else f"its X509Certificate number {place}"


def of_chain(content: bytes, use: Use) -> bytes:
    """The DER of the certificate that a file in PEM or DER means: of a chain the end entity's. Raises ValueError."""
    chain = every(content)
    if len(chain) == 1:
        return chain[0]
    meant = KeyInfo(tuple(_known(_der(one), one) for one in chain)).meant(use)
    if not meant:
        raise ValueError("authorities only")
    return meant


def every(content: bytes) -> tuple[bytes, ...]:
    """The DER of each certificate in a file, in PEM or DER. Raises ValueError."""
    chain = x509.load_pem_x509_certificates(content) if b"-----BEGIN" in content else [_der(content)]
    return tuple(one.public_bytes(Encoding.DER) for one in chain)


def _der(content: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(content)


def _found(text: str) -> Found | None:
    try:
        der = base64.b64decode("".join(_ARMOUR.sub("", text).split()), validate=True)
        return _known(_der(der), der)
    except (binascii.Error, *_UNREADABLE):
        return None


def _known(loaded: x509.Certificate, der: bytes) -> Found:
    return Found(der, _authority(loaded), _uses(loaded), isinstance(loaded.public_key(), RSAPublicKey))


def _authority(loaded: x509.Certificate) -> bool:
    try:
        return loaded.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _uses(loaded: x509.Certificate) -> frozenset[Use]:
    try:
        usage = loaded.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return frozenset({"signing", "encryption"})
    found = set[Use]()
    if usage.content_commitment or (usage.digital_signature and not usage.key_encipherment):
        found.add("signing")
    if usage.key_encipherment or usage.data_encipherment:
        found.add("encryption")
    return frozenset(found)
