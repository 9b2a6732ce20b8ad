"""Keys and certificates for tests, made once in a run; none of them is trusted by anybody."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hub.trust.cms import DecryptionKey
from hub.trust.signature import SigningKey

START, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=16)
def private_key(number: int) -> rsa.RSAPrivateKey:
    """One RSA key for each number."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(number: int = 0, *, key_id: bool = True) -> bytes:
    """A self-signed certificate of that key, in DER."""
    return _certificate(number, key_id)


@lru_cache(maxsize=16)
def _certificate(number: int, key_id: bool) -> bytes:
    key = private_key(number)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Prøve {number}")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1000 + number).not_valid_before(START).not_valid_after(END)
    if key_id:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def signing_key(number: int = 0) -> SigningKey:
    """For envelopes."""
    return SigningKey(private_key(number), certificate(number))


def decryption_key(number: int = 0, *, key_id: bool = True) -> DecryptionKey:
    """For payloads."""
    return DecryptionKey(private_key(number), certificate(number, key_id=key_id))


@lru_cache(maxsize=1)
def elliptic_certificate() -> bytes:
    """A certificate whose key is not RSA."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "EC")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(START).not_valid_after(END)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
