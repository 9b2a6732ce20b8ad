"""Encrypts and opens payloads: CMS EnvelopedData, and what lies inside it (ebxml.md §4.1–4.3)."""

from __future__ import annotations

import base64
import binascii
import gzip as gzips
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from itertools import islice
from typing import Any, Literal

from asn1crypto import cms as asn1
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES, AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization.pkcs7 import pkcs7_decrypt_der

from hub.formats import coding, mime

#: contentEncryptionAlgorithm → (name, key bytes); DES is never opened (ebxml.md §4.3).
CIPHERS = {
    "2.16.840.1.101.3.4.1.2": ("AES-128-CBC", 16),
    "2.16.840.1.101.3.4.1.22": ("AES-192-CBC", 24),
    "2.16.840.1.101.3.4.1.42": ("AES-256-CBC", 32),
    "1.2.840.113549.3.7": ("3DES-CBC", 24),
}
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
#: One text for every failure behind the key, so that nobody learns which step failed (ebxml.md §4.3).
FAILED = "could not be decrypted with any key of the receiver"


@dataclass(frozen=True, slots=True)
class DecryptionKey:
    """A private key with the certificate that others encrypt for; load it once."""

    private_key: RSAPrivateKey = field(repr=False)
    certificate_der: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CmsPolicy:
    """What is opened."""

    allow_3des: bool = True


@dataclass(frozen=True, slots=True)
class Opened:
    """What came out, and by which cipher it was hidden."""

    content: bytes = field(repr=False)
    cipher: str


@dataclass(frozen=True, slots=True)
class CmsFault:
    """Why it was not opened."""

    reason: Literal["not-cms", "no-recipient", "cipher", "decryption"]
    text: str


def encrypt(content: bytes, certificate_der: bytes) -> bytes:
    """EnvelopedData in DER: AES-256-CBC, RSA PKCS#1 v1.5, recipient by issuer and serial (HIS 1037; ebxml.md §4.3).

    Written as it is encrypted, so that a large content is there twice and no more: as it was, and hidden.
    """
    secret, start = AESGCM.generate_key(256), AESGCM.generate_key(128)  # the library's dice: 32 and 16 bytes
    encryptor = Cipher(AES256(secret), CBC(start)).encryptor()
    padding = 16 - len(content) % 16
    size = len(content) + padding
    found = BytesIO()
    found.write(_before(size, start, _recipient_info(secret, certificate_der)))
    with memoryview(content) as view:
        for at in range(0, len(view), _STEP):
            found.write(encryptor.update(view[at : at + _STEP]))
    found.write(encryptor.update(bytes([padding]) * padding))
    return found.getvalue()


#: Bytes that are encrypted in one go.
_STEP = 256 * 1024
_VERSION = b"\x02\x01\x00"
_ENVELOPED, _DATA = (asn1.ContentType(name).dump() for name in ("enveloped_data", "data"))
_RSA = asn1.KeyEncryptionAlgorithm({"algorithm": "rsaes_pkcs1v15"}).dump()
_AES256 = asn1.EncryptionAlgorithmId("aes256_cbc").dump()


def _before(size: int, start: bytes, recipient: bytes) -> bytes:
    """All of a ContentInfo that stands before the `size` bytes that are hidden, which are its end (RFC 5652 3, 6.1)."""
    hidden = _DATA + _der(0x30, _AES256 + _der(0x04, start)) + _opened(0x80, b"", size)
    enveloped = _VERSION + _der(0x31, recipient) + _opened(0x30, hidden, size)
    return _opened(0x30, _ENVELOPED + _opened(0xA0, _opened(0x30, enveloped, size), size), size)


def _recipient_info(secret: bytes, certificate_der: bytes) -> bytes:
    """KeyTransRecipientInfo (RFC 5652 6.2.1). Raises ValueError where the certificate's key is not RSA: see `unfit`."""
    key = _certificate(certificate_der).public_key()
    if not isinstance(key, RSAPublicKey):
        raise ValueError("the key of the certificate is not RSA")
    sealed = _der(0x04, key.encrypt(secret, PKCS1v15()))
    return _der(0x30, _VERSION + _issuer_and_serial(certificate_der) + _RSA + sealed)


@lru_cache(maxsize=4096)
def _issuer_and_serial(der: bytes) -> bytes:
    certificate: Any = asn1_x509.Certificate.load(der)
    named = {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
    written: bytes = asn1.IssuerAndSerialNumber(named).dump()
    return written


def _der(tag: int, content: bytes) -> bytes:
    return _opened(tag, content, 0)


def _opened(tag: int, beginning: bytes, size: int) -> bytes:
    """The beginning of an element of DER of whose content `size` bytes still follow (X.690 8.1.3)."""
    length = len(beginning) + size
    if length < 128:
        return bytes([tag, length]) + beginning
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 128 + len(octets)]) + octets + beginning


@lru_cache(maxsize=4096)
def unfit(certificate_der: bytes) -> str:
    """Why nothing can be encrypted for a certificate; empty where it can. What its keyUsage says is asked elsewhere."""
    try:
        key = _certificate(certificate_der).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "it cannot be read"
    return "" if isinstance(key, RSAPublicKey) else "its key is not RSA"


@lru_cache(maxsize=4096)
def _certificate(der: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(der)


def decrypt(content: bytes, keys: Sequence[DecryptionKey], policy: CmsPolicy) -> Opened | CmsFault:
    """Opens what was encrypted for any of `keys`; DER or BER, indefinite lengths and chunks included. Never raises."""
    if usual := _usual(content, keys):
        return usual
    try:
        return _decrypted(_binary(content), keys, policy)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, binascii.Error, RecursionError):
        return CmsFault("not-cms", "is not CMS EnvelopedData")


#: contentEncryptionAlgorithm as DER, of the two ciphers that the library opens.
_USUAL = {
    b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2a": "AES-256-CBC",
    b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x02": "AES-128-CBC",
}


def _usual(content: bytes, keys: Sequence[DecryptionKey]) -> Opened | None:
    """What nearly everybody sends: DER, AES-CBC, PKCS#1 v1.5, by the library's reader at the cost of the RSA alone.

    None for all else, and for what fails: the long way then says why.
    """
    name = next((name for oid, name in _USUAL.items() if oid in content[:4096]), "")
    if not name or content[:1] != b"0":
        return None
    for key in keys:
        try:
            return Opened(pkcs7_decrypt_der(content, _certificate(key.certificate_der), key.private_key, []), name)
        except (ValueError, UnsupportedAlgorithm):
            continue
    return None


def _decrypted(content: bytes, keys: Sequence[DecryptionKey], policy: CmsPolicy) -> Opened | CmsFault:
    info: Any = asn1.ContentInfo.load(content)
    if info["content_type"].native != "enveloped_data":
        return CmsFault("not-cms", "is CMS, but not EnvelopedData")
    enveloped = info["content"]
    hidden = enveloped["encrypted_content_info"]
    algorithm = hidden["content_encryption_algorithm"]
    name, size = CIPHERS.get(algorithm["algorithm"].dotted, ("", 0))
    if not name or (name == "3DES-CBC" and not policy.allow_3des):
        return CmsFault("cipher", f"content cipher {name or algorithm['algorithm'].dotted} is outside the policy")
    found = _recipient(enveloped["recipient_infos"], keys)
    if found is None:
        whom = "; ".join(islice(_named(enveloped["recipient_infos"]), 3))
        return CmsFault("no-recipient", f"was encrypted for somebody else: {whom or 'nobody who is named'}")
    secret = _unwrapped(found[0], found[1], size)
    plain = _plain(hidden["encrypted_content"].native, secret, algorithm["parameters"].native, name) if secret else None
    return CmsFault("decryption", FAILED) if plain is None else Opened(plain, name)


def _binary(content: bytes) -> bytes:
    """Text that still is base64 or PEM is made binary; senders label and encode twice (ebxml.md §10 item 4)."""
    if content[:1] == b"0":
        return content
    text = re.sub(rb"-----[A-Z0-9 ]+-----", b"", content)
    return base64.b64decode(b"".join(text.split()), validate=True)


def _recipient(recipients: Any, keys: Sequence[DecryptionKey]) -> tuple[Any, DecryptionKey] | None:
    """The KeyTransRecipientInfo that is for one of our certificates, among any number of recipients."""
    ours = [(key, *_names(key.certificate_der)) for key in keys]
    for recipient in recipients:
        if recipient.name != "ktri":
            continue
        transported = recipient.chosen
        rid = transported["rid"]
        for key, issuer_and_serial, key_id in ours:
            if rid.name == "issuer_and_serial_number":
                written = rid.chosen
                issuer, serial = issuer_and_serial
                if written["serial_number"].native == serial and written["issuer"].hashable == issuer:
                    return transported, key
            elif key_id is not None and rid.chosen.native == key_id:
                return transported, key
    return None


def _named(recipients: Any) -> Iterator[str]:
    """For whom it was encrypted, in words that a sender can look up: serial and issuer, or key identifier."""
    for recipient in recipients:
        if recipient.name == "ktri":
            rid = recipient.chosen["rid"]
            if rid.name == "issuer_and_serial_number":
                yield f"serial {rid.chosen['serial_number'].native:x} of {rid.chosen['issuer'].human_friendly[:200]}"
            else:
                yield f"key identifier {rid.chosen.native.hex()[:80]}"


@lru_cache(maxsize=1024)
def _names(der: bytes) -> tuple[tuple[str, int], bytes | None]:
    certificate: Any = asn1_x509.Certificate.load(der)
    extension = certificate.key_identifier_value
    return (certificate.issuer.hashable, certificate.serial_number), extension.native if extension is not None else None


def _unwrapped(transported: Any, key: DecryptionKey, size: int) -> bytes | None:
    """The content key. A failing PKCS#1 v1.5 gives a random one (implicit rejection), which then fails as late as any."""
    algorithm = transported["key_encryption_algorithm"]
    padding: AsymmetricPadding = PKCS1v15()
    if algorithm["algorithm"].native == "rsaes_oaep":
        padding = _oaep(algorithm["parameters"].native or {})
    elif algorithm["algorithm"].native not in ("rsaes_pkcs1v15", "rsa"):
        return None
    try:
        secret = key.private_key.decrypt(transported["encrypted_key"].native, padding)
    except ValueError:
        return None
    return secret if len(secret) == size else None


def _oaep(parameters: Any) -> OAEP:
    digest = _HASHES[(parameters.get("hash_algorithm") or {}).get("algorithm", "sha1")]()
    mask = parameters.get("mask_gen_algorithm") or {}
    inner = _HASHES[(mask.get("parameters") or {}).get("algorithm", "sha1")]()
    return OAEP(MGF1(inner), digest, None)


def _plain(hidden: bytes, secret: bytes, start: bytes, name: str) -> bytes | None:
    cipher = TripleDES(secret) if name == "3DES-CBC" else AES(secret)
    try:
        decryptor = Cipher(cipher, CBC(start)).decryptor()
        padded = decryptor.update(hidden) + decryptor.finalize()
        unpadder = PKCS7(cipher.block_size).unpadder()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        return None


def unwrap(content: bytes, max_size: int) -> bytes | CmsFault:
    """The document: out of gzip, out of a MIME entity, or as it is (HITS 1172 263, 264; ebxml.md §4.2).

    `max_size` bounds what unpacking may make, in bytes.
    """
    inside: bytes | CmsFault = content
    if not _is_xml(content) and content[:2] != b"\x1f\x8b":
        part = mime.entity(content)
        if isinstance(part, mime.MimeFault):
            return CmsFault("not-cms", "inside the encryption is neither XML, gzip nor a MIME part")
        inside = part.content
    if isinstance(inside, bytes) and inside[:2] == b"\x1f\x8b":
        inside = _gunzipped(inside, max_size)
    if isinstance(inside, bytes) and not _is_xml(inside):
        return CmsFault("not-cms", "the innermost content is not XML")
    return inside


def _is_xml(content: bytes) -> bool:
    return content[:200].removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"<"


def _gunzipped(content: bytes, max_size: int) -> bytes | CmsFault:
    found = coding.gunzipped(content, max_size)
    if isinstance(found, str):
        return CmsFault("not-cms", f"gzip inside the encryption: {found}")
    return found if len(found) <= max_size else CmsFault("not-cms", f"unpacks to more than {max_size} bytes")


def wrap(content: bytes, *, as_mime: bool, gzip: bool) -> bytes:
    """The document as the partner wants it inside the encryption; byte for byte the same for the same document."""
    if gzip:
        content = gzips.compress(content, mtime=0)
    if not as_mime:
        return content
    kind = b"application/gzip" if gzip else b"application/xml"
    return b"Content-Type: " + kind + b"\r\nContent-Transfer-Encoding: binary\r\n\r\n" + content
