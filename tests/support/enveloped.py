"""CMS EnvelopedData with ciphers that the hub never writes, and some that it must never open."""

from __future__ import annotations

from typing import Any

from asn1crypto import cms as asn1
from asn1crypto import core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

#: Name → (OID, bytes of the key, bytes of the initial vector).
CIPHERS = {
    "des": ("1.3.14.3.2.7", 8, 8),
    "3des": ("1.2.840.113549.3.7", 24, 8),
    "aes-128": ("2.16.840.1.101.3.4.1.2", 16, 16),
    "aes-256": ("2.16.840.1.101.3.4.1.42", 32, 16),
    "aes-256-gcm": ("2.16.840.1.101.3.4.1.46", 32, 12),
}


def enveloped(content: bytes, certificate: bytes, cipher: str, *, secret: bytes | None = None) -> bytes:
    """DER; ciphers that cannot be computed here hold bytes that mean nothing. `secret` is the key that is transported."""
    oid, size, vector = CIPHERS[cipher]
    own, start = bytes(range(1, size + 1)), bytes(vector)
    hidden = _hidden(content, own, start, cipher)
    info = asn1.ContentInfo(
        {
            "content_type": "enveloped_data",
            "content": asn1.EnvelopedData(_fields(certificate, oid, start, hidden, secret or own)),
        }
    )
    return bytes(info.dump())


def _fields(certificate: bytes, oid: str, start: bytes, hidden: bytes, secret: bytes) -> dict[str, Any]:
    named: Any = asn1_x509.Certificate.load(certificate)
    public: Any = x509.load_der_x509_certificate(certificate).public_key()
    recipient = asn1.KeyTransRecipientInfo(
        {
            "version": "v0",
            "rid": asn1.RecipientIdentifier(
                "issuer_and_serial_number",
                asn1.IssuerAndSerialNumber({"issuer": named.issuer, "serial_number": named.serial_number}),
            ),
            "key_encryption_algorithm": {"algorithm": "rsaes_pkcs1v15"},
            "encrypted_key": public.encrypt(secret, PKCS1v15()),
        }
    )
    return {
        "version": "v0",
        "recipient_infos": [asn1.RecipientInfo("ktri", recipient)],
        "encrypted_content_info": {
            "content_type": "data",
            "content_encryption_algorithm": {"algorithm": oid, "parameters": core.OctetString(start)},
            "encrypted_content": hidden,
        },
    }


def _hidden(content: bytes, secret: bytes, start: bytes, cipher: str) -> bytes:
    if cipher not in ("3des", "aes-128", "aes-256"):
        return content[::-1] + bytes(-len(content) % 16)
    algorithm = TripleDES(secret) if cipher == "3des" else AES(secret)
    padder = PKCS7(algorithm.block_size).padder()
    encryptor = Cipher(algorithm, CBC(start)).encryptor()
    return encryptor.update(padder.update(content) + padder.finalize()) + encryptor.finalize()
