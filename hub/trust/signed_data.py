"""Seals and opens what travels on the message bus: CMS SignedData inside EnvelopedData (nhn-amqp.md §3.2, §3.3)."""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from asn1crypto import algos
from asn1crypto import cms as asn1
from asn1crypto import core as asn1_core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options, PKCS7SignatureBuilder

from hub.trust import cms
from hub.trust.cms import CmsFault, CmsPolicy, DecryptionKey
from hub.trust.signature import SigningKey

#: Digest algorithms that are taken; SHA-1 only by policy (§3.2: old .NET Framework peers may write it).
_DIGESTS: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
    "sha1": hashes.SHA1(),  # noqa: S303  only by policy
}
Reason = Literal[
    "not-cms",
    "no-recipient",
    "cipher",
    "decryption",
    "not-signed",
    "no-certificate",
    "bad-certificate",
    "not-embedded",
    "signer",
    "algorithm",
    "signature",
]


@dataclass(frozen=True, slots=True)
class SealPolicy:
    """What is opened and believed."""

    allow_3des: bool = True
    allow_sha1: bool = False


@dataclass(frozen=True, slots=True)
class Verified:
    """Content whose signature was made with the key of `certificate_der`."""

    content: bytes = field(repr=False)
    certificate_der: bytes = field(repr=False)
    digest: str


@dataclass(frozen=True, slots=True)
class Unsealed:
    """What came out of encryption and signature, by whom it was signed, and by which algorithms."""

    content: bytes = field(repr=False)
    certificate_der: bytes = field(repr=False)
    digest: str
    cipher: str


@dataclass(frozen=True, slots=True)
class SealFault:
    """Why it was not opened, or not believed; rows of it stand in hub.codes.SEAL.

    Where the .NET library finds an unknown error and lets the bus redeliver until the message is dead (no CMS, not
    enveloped, not signed, a signature that does not verify: §3.3), we tell the sender: it is nobody else's to correct,
    and it stays wrong however often it comes.
    """

    reason: Reason
    text: str


def seal(content: bytes, key: SigningKey, encryption_certificate: bytes, chain: Sequence[bytes] = ()) -> bytes:
    """Signed, then encrypted for one receiver: the bytes of the Data section (§3.2)."""
    return cms.encrypt(sign(content, key, chain), encryption_certificate)


def sign(content: bytes, key: SigningKey, chain: Sequence[bytes] = ()) -> bytes:
    """SignedData in DER: content attached, SHA-256, PKCS#1 v1.5, no signed attributes; our certificate, and the chain if asked."""
    builder = PKCS7SignatureBuilder().set_data(content)
    builder = builder.add_signer(_certificate(key.certificate_der), key.private_key, hashes.SHA256())
    for authority in chain:
        builder = builder.add_certificate(_certificate(authority))
    return builder.sign(Encoding.DER, [PKCS7Options.Binary, PKCS7Options.NoAttributes])


@lru_cache(maxsize=1024)
def _certificate(der: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(der)


def unseal(
    raw: bytes, keys: Sequence[DecryptionKey], expected: Sequence[bytes], policy: SealPolicy
) -> Unsealed | SealFault:
    """Decrypts with any of our keys, old and new (§3.6), and believes only a signature of an expected certificate."""
    opened = cms.decrypt(raw, keys, CmsPolicy(policy.allow_3des))
    if isinstance(opened, CmsFault):
        return SealFault(opened.reason, opened.text)
    verified = verify(_without_octets(opened.content), expected, policy)
    if isinstance(verified, SealFault):
        return verified
    return Unsealed(verified.content, verified.certificate_der, verified.digest, opened.cipher)


def _without_octets(plain: bytes) -> bytes:
    """Old .NET hides SignedData inside one OCTET STRING more; the library unwraps it (§3.3 item 4)."""
    if plain[:1] not in (b"\x04", b"\x24"):
        return plain
    try:
        inside = asn1_core.OctetString.load(plain).native
    except (ValueError, TypeError):
        return plain
    return inside if isinstance(inside, bytes) else plain


_ODD = (ValueError, TypeError, KeyError, AttributeError, IndexError, binascii.Error, RecursionError, OverflowError)


def verify(raw: bytes, expected: Sequence[bytes], policy: SealPolicy) -> Verified | SealFault:
    """The content of SignedData, DER or BER, signed by one of the `expected` certificates. Never raises.

    It is the expected certificate's own key that must have signed; the library takes any embedded one, and only looks
    whether the expected serial number stands somewhere in the message (§3.3).
    """
    try:
        info: Any = asn1.ContentInfo.load(raw)
        if info["content_type"].native != "signed_data":
            return SealFault("not-signed", "what lies inside the encryption is CMS, but not SignedData")
        return _verified(info["content"], expected, policy)
    except _ODD:
        return SealFault("not-signed", "what lies inside the encryption is not CMS SignedData")


def _verified(signed: Any, expected: Sequence[bytes], policy: SealPolicy) -> Verified | SealFault:
    content = _content(signed["encap_content_info"])
    if content is None:
        return SealFault("not-signed", "the SignedData holds no content of type data")
    if not expected:
        return SealFault("no-certificate", "no signing certificate is known for the sender")
    if not (usable := [der for der in expected if _public_key(der)]):
        return SealFault("bad-certificate", "the expected signing certificate cannot be read, or holds no RSA key")
    serials = set(_embedded(signed["certificates"]))
    known = [der for der in usable if _name(der).serial in serials]
    if not known:
        return SealFault("not-embedded", "the expected signing certificate is not embedded in the SignedData")
    found = next(((s, der) for s in signed["signer_infos"] for der in known if _is_by(s["sid"], der)), None)
    if found is None:
        return SealFault("signer", "it is signed by another than the expected certificate, which is only embedded")
    return _proven(content, *found, policy)


def _content(encapsulated: Any) -> bytes | None:
    """Attached content of type id-data, chunks joined; what is detached has none."""
    if encapsulated["content_type"].native != "data":
        return None
    content = encapsulated["content"].native
    return content if isinstance(content, bytes) else None


def _embedded(certificates: Any) -> Iterator[int]:
    """Serial numbers of the certificates in it; other kinds of certificate are passed over."""
    if not isinstance(certificates, asn1_core.Void):
        yield from (c.chosen.serial_number for c in certificates if c.name == "certificate")


@dataclass(frozen=True, slots=True)
class _Name:
    issuer: str
    issuer_der: bytes
    serial: int
    key_id: bytes | None


@lru_cache(maxsize=1024)
def _name(der: bytes) -> _Name:
    certificate: Any = asn1_x509.Certificate.load(der)
    extension = certificate.key_identifier_value
    key_id = extension.native if extension is not None else None
    return _Name(certificate.issuer.hashable, certificate.issuer.dump(), certificate.serial_number, key_id)


def _is_by(sid: Any, der: bytes) -> bool:
    """Whether a SignerInfo points at this certificate, by issuer and serial or by key identifier."""
    name = _name(der)
    if sid.name == "issuer_and_serial_number":
        written = sid.chosen
        if written["serial_number"].native != name.serial:
            return False
        issuer = written["issuer"]  # to the letter, nearly always; else as names are compared (RFC 5280 7.1)
        return bool(issuer.dump() == name.issuer_der or issuer.hashable == name.issuer)
    return name.key_id is not None and sid.chosen.native == name.key_id


def _proven(content: bytes, signer: Any, der: bytes, policy: SealPolicy) -> Verified | SealFault:
    digest = signer["digest_algorithm"]["algorithm"].native
    padding = _padding(signer["signature_algorithm"], digest)
    if digest not in _DIGESTS or padding is None or (digest == "sha1" and not policy.allow_sha1):
        return SealFault("algorithm", f"digest {digest} or its signature algorithm is outside the policy")
    over = _signed_bytes(content, signer["signed_attrs"], digest)
    if over is None:
        return SealFault("signature", "the signed attributes are not those of this content")
    key = _public_key(der)
    assert key is not None  # others were left out before
    try:
        key.verify(signer["signature"].native, over, padding, _DIGESTS[digest])
    except InvalidSignature:
        return SealFault("signature", "the signature does not verify with the expected certificate")
    return Verified(content, der, digest)


@lru_cache(maxsize=1024)
def _public_key(der: bytes) -> RSAPublicKey | None:
    try:
        key = _certificate(der).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) else None


def _padding(algorithm: algos.SignedDigestAlgorithm, digest: str) -> AsymmetricPadding | None:
    """PKCS#1 v1.5, however it is named, or PSS; a hash that the name says must be that of the digest."""
    name = algorithm["algorithm"].native
    if name in ("rsassa_pkcs1v15", f"{digest}_rsa"):
        return PKCS1v15()
    if name == "rsassa_pss" and algorithm.hash_algo == digest and digest in _DIGESTS:
        return PSS(MGF1(_DIGESTS[digest]), PSS.AUTO)
    return None


def _signed_bytes(content: bytes, attributes: Any, digest: str) -> bytes | None:
    """What the signature is over: the content, or the attributes that bind its digest and type (RFC 5652 5.4, 11).

    None where those attributes are not of this content.
    """
    if isinstance(attributes, asn1_core.Void):
        return content
    found = [(a["type"].native, [v.native for v in a["values"]]) for a in attributes]
    bound = hashlib.new(digest, content).digest()
    for wanted in (("content_type", ["data"]), ("message_digest", [bound])):
        if [pair for pair in found if pair[0] == wanted[0]] != [wanted]:
            return None
    return bytes(attributes.untag().dump(force=True))
