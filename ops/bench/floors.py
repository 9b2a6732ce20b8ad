"""What the libraries alone cost: the same parse, C14N, SHA-256, RSA and AES that a message needs, and nothing around them."""

from __future__ import annotations

import base64
import hashlib
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from asn1crypto import cms as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from lxml import etree

from hub.checks.inspection import Inspection
from hub.trust import cms
from hub.trust.cms import DecryptionKey
from hub.trust.signature import DS, SOAP, SigningKey
from xsd.catalogue import Catalogue

Case = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Floors:
    """The floors of one message that has been accepted, as cases to be timed."""

    parse_envelope: Case
    c14n_envelope: Case
    sha_envelope: Case
    c14n_signed_info: Case
    rsa_verify: Case
    sha_attachment: Case
    rsa_unwrap: Case
    aes_decrypt: Case
    parse_document: Case
    validate_document: Case

    def cases(self) -> dict[str, Case]:
        """Each floor by its name."""
        return {name: getattr(self, name) for name in FLOORS}


FLOORS = tuple(Floors.__dataclass_fields__)
#: Those that begin with what a parser made.
OF_TREES = frozenset({"c14n_envelope", "c14n_signed_info", "validate_document"})


def of_message(accepted: Inspection, key: DecryptionKey, schemas: Catalogue) -> Floors:
    """What accepting this message would cost if nothing but the libraries ran."""
    assert accepted.package is not None and accepted.verified is not None and accepted.document_root is not None
    envelope = accepted.package.root.content
    content = accepted.package.attachments[0].content
    unsigned, signed_info, value = _taken_apart(envelope)
    canonical, info = c14n(unsigned), c14n(signed_info)
    public = x509.load_der_x509_certificate(accepted.verified.certificate_der).public_key()
    assert isinstance(public, RSAPublicKey)
    hidden = _hidden(content)
    secret = key.private_key.decrypt(hidden.wrapped, PKCS1v15())
    schema = driver(schemas, accepted.document_root)
    return Floors(
        parse_envelope=partial(parsed, envelope),
        c14n_envelope=partial(c14n, unsigned),
        sha_envelope=partial(sha256, canonical),
        c14n_signed_info=partial(c14n, signed_info),
        rsa_verify=partial(public.verify, value, info, PKCS1v15(), hashes.SHA256()),
        sha_attachment=partial(sha256, content),
        rsa_unwrap=partial(key.private_key.decrypt, hidden.wrapped, PKCS1v15()),
        aes_decrypt=partial(_aes, secret, hidden.start, hidden.content),
        parse_document=partial(parsed, accepted.raw),
        validate_document=partial(schema.validate, accepted.document_root),
    )


@dataclass(frozen=True, slots=True)
class WholeWay:
    """The floors of a message and of its AppRec: accept, acknowledge; encrypt, sign, prove the receipt."""

    accepting: tuple[Case, ...]
    acknowledging: Case
    apprec: tuple[Case, ...]

    def once(self) -> float:
        """Seconds of one message, one call after another."""
        return _seconds((*self.accepting, self.acknowledging, *self.apprec))

    def answered(self) -> float:
        """Seconds until the Acknowledgment could be written."""
        return _seconds((*self.accepting, self.acknowledging))


def _seconds(cases: tuple[Case, ...], turns: int = 20) -> float:
    """The middle of some turns."""
    found = []
    for _ in range(turns):
        begun = time.thread_time()
        for case in cases:
            case()
        found.append(time.thread_time() - begun)
    return statistics.median(found)


def whole_way(accepted: Inspection, key: DecryptionKey, signing: SigningKey, schemas: Catalogue) -> WholeWay:
    """Three private-key operations, and what goes with them; an AppRec is some 2 kB, a receipt as large as an envelope."""
    own = of_message(accepted, key, schemas)
    sign = partial(signing.private_key.sign, b"x" * 1_500, PKCS1v15(), hashes.SHA256())
    apprec = (
        partial(cms.encrypt, b"<a/>" * 500, key.certificate_der),
        sign,
        own.parse_envelope,
        own.c14n_envelope,
        own.c14n_signed_info,
        own.rsa_verify,
    )
    return WholeWay(tuple(own.cases().values()), sign, apprec)


def parsed(raw: bytes) -> etree._Element:
    """lxml with settings that are safe for bytes from outside."""
    return etree.fromstring(raw, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))


def c14n(element: etree._Element) -> bytes:
    """Canonical XML 1.0 of a document."""
    return etree.tostring(element.getroottree(), method="c14n", with_comments=False)


def sha256(content: bytes) -> bytes:
    """The digest alone."""
    return hashlib.sha256(content).digest()


def driver(schemas: Catalogue, root: etree._Element) -> etree.XMLSchema:
    """The compiled schema that the catalogue itself uses for a document: lxml's bare validation is asked of the same one."""
    schemas.validate(root)
    found = list(schemas._drivers.values())
    return found[-1].schema


def _taken_apart(envelope: bytes) -> tuple[etree._Element, etree._Element, bytes]:
    """The envelope without its signature, SignedInfo as a document of its own, and the signature's value."""
    root = parsed(envelope)
    header = root.find(f"{{{SOAP}}}Header")
    assert header is not None
    signature = header.find(f"{{{DS}}}Signature")
    assert signature is not None
    found = signature.find(f"{{{DS}}}SignedInfo")
    assert found is not None
    alone = parsed(etree.tostring(found, with_tail=False))
    value = base64.b64decode(signature.findtext(f"{{{DS}}}SignatureValue") or "")
    header.remove(signature)
    return root, alone, value


@dataclass(frozen=True, slots=True)
class _Hidden:
    wrapped: bytes
    start: bytes
    content: bytes


def _hidden(content: bytes) -> _Hidden:
    """The three byte strings inside EnvelopedData that RSA and AES work on."""
    info: Any = asn1.ContentInfo.load(content)
    enveloped = info["content"]
    inside = enveloped["encrypted_content_info"]
    return _Hidden(
        enveloped["recipient_infos"][0].chosen["encrypted_key"].native,
        inside["content_encryption_algorithm"]["parameters"].native,
        inside["encrypted_content"].native,
    )


def _aes(secret: bytes, start: bytes, hidden: bytes) -> bytes:
    decryptor = Cipher(AES(secret), CBC(start)).decryptor()
    return decryptor.update(hidden) + decryptor.finalize()
