"""Builds messages to a hub, right in everything but what a test asks to be wrong."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import new as new_hash
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from lxml import etree

from hub.formats import envelope_write, mime
from hub.formats.envelope_write import SIGNAL_SERVICE, HeaderFields
from hub.trust import cms
from hub.trust.signature import C14N, DS, ENVELOPED, RSA_SHA256, SHA256, XPATH, SigningKey
from hub.trust.signing import sign

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
KIND = "application/pkcs7-mime; smime-type=enveloped-data"
Edit = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as bytes, with what a test wants to know of it."""

    headers: Mapping[str, str]
    body: bytes
    message_id: str = ""
    document: bytes = b""
    header: HeaderFields | None = None

    def changed(self, old: bytes | str, new: bytes | str, *, count: int = 1) -> Letter:
        """The same with other bytes; AssertionError when `old` does not occur, so that no test changes nothing."""
        return replace(self, body=swap(old, new, count=count)(self.body))

    def under(self, **headers: str | None) -> Letter:
        """The same with other HTTP headers: names with _ for -, None takes one away."""
        found = {name.lower(): value for name, value in self.headers.items()}
        for name, value in headers.items():
            found.pop(name.replace("_", "-"), None)
            if value is not None:
                found[name.replace("_", "-")] = value
        return replace(self, headers=found)


def swap(old: bytes | str, new: bytes | str, *, count: int = 1) -> Edit:
    """An edit that replaces text, and complains where there is none."""
    before, after = (v.encode() if isinstance(v, str) else v for v in (old, new))

    def edit(content: bytes) -> bytes:
        assert before in content, f"{before!r} is not there to be changed"
        return content.replace(before, after, count)

    return edit


def without(element: str) -> Edit:
    """An edit that takes the first element of this name away, with all that is in it."""

    def edit(content: bytes) -> bytes:
        found = re.sub(rf"<{element}[ >].*?</{element}>".encode(), b"", content, count=1, flags=re.DOTALL)
        assert found != content, f"there is no {element}"
        return found

    return edit


def inserted(before: str, text: str) -> Edit:
    """An edit that puts text in front of the first `before`."""
    return swap(before, text + before)


@dataclass(frozen=True, slots=True)
class Post:
    """Between whom: HER-ids, the sender's key and the certificate of the receiver."""

    from_her: str
    to_her: str
    key: SigningKey
    certificate: bytes

    def header(self, code: str, **other: Any) -> HeaderFields:
        """A header of a business message of type `code`."""
        low, high = sorted((int(self.from_her), int(self.to_her)))
        fields: dict[str, Any] = {
            "from_her": self.from_her,
            "to_her": self.to_her,
            "cpa_id": f"{low}_{high}",
            "conversation_id": str(uuid4()),
            "service": f"S-{code}",
            "action": code,
            "message_id": str(uuid4()),
            "timestamp": datetime.now(UTC),
            "from_role": f"{code}sender",
            "to_role": f"{code}receiver",
            "software": ("Testpartner", "1"),
        }
        return HeaderFields(**(fields | other))


Signer = Callable[[bytes, Sequence[tuple[str, bytes]], SigningKey], bytes]


def business(
    post: Post,
    document: bytes,
    *,
    code: str = "DIALOG_HELSEFAGLIG",
    edit: Edit | None = None,
    signer: Signer | None = sign,
    after: Edit | None = None,
    payload: bytes | None = None,
    parts: Sequence[tuple[str, str, bytes]] = (),
    unsigned_parts: Sequence[tuple[str, str, bytes]] = (),
    kind: str = KIND,
    **header: Any,
) -> Letter:
    """A business message. `edit` changes the envelope before it is signed, `after` when it is; `payload` replaces the CMS.

    `parts` are signed as well, `unsigned_parts` only enclosed; each is (Content-ID, Content-Type, bytes).
    """
    fields = post.header(code, **header)
    content = cms.encrypt(document, post.certificate) if payload is None else payload
    own = [("payload@test", kind, content), *parts]
    envelope = envelope_write.business(fields, "payload@test", ("http://www.kith.no/xmlstds/dialog/2013-01-23", "1.1"))
    letter = _sent(post, envelope, own, unsigned_parts, edit, signer, after)
    return replace(letter, message_id=fields.message_id, document=document, header=fields)


def signal(
    post: Post,
    write: Callable[[HeaderFields], bytes],
    named: str,
    *,
    edit: Edit | None = None,
    signer: Signer | None = sign,
    after: Edit | None = None,
    **header: Any,
) -> Letter:
    """An Acknowledgment, MessageError, Ping, …: `write` writes its envelope from the header."""
    given = {"service": SIGNAL_SERVICE, "action": named, "from_role": "", "to_role": ""} | header
    fields = post.header("SIGNAL", **given)
    canonical = etree.tostring(etree.fromstring(write(fields)), method="c14n")
    letter = _sent(post, canonical, [], [], edit, signer, after)
    return replace(letter, message_id=fields.message_id)


def _sent(
    post: Post,
    envelope: bytes,
    own: Sequence[tuple[str, str, bytes]],
    unsigned: Sequence[tuple[str, str, bytes]],
    edit: Edit | None,
    signer: Signer | None,
    after: Edit | None,
) -> Letter:
    envelope = edit(envelope) if edit else envelope
    if signer is not None:
        envelope = signer(envelope, [(cid, content) for cid, _, content in own], post.key)
    envelope = after(envelope) if after else envelope
    headers, body = mime.write(envelope, [*own, *unsigned], root_id="root@test", boundary=f"grense-{uuid4()}")
    return Letter(headers, body)


# --- signatures that hub.trust.signature does not write

_NEXT = ("urn:oasis:names:tc:ebxml-msg:actor:nextMSH", "http://schemas.xmlsoap.org/soap/actor/next")
_FILTER = f'not(ancestor-or-self::node()[@SOAP-ENV:actor="{_NEXT[0]}"] | ancestor-or-self::node()[@SOAP-ENV:actor="{_NEXT[1]}"])'
ROOT_TRANSFORMS = (
    f'<ds:Transforms><ds:Transform Algorithm="{ENVELOPED}"/><ds:Transform Algorithm="{XPATH}">'
    f'<ds:XPath xmlns:SOAP-ENV="{SOAP}">{_FILTER}</ds:XPath></ds:Transform><ds:Transform Algorithm="{C14N}"/></ds:Transforms>'
)
_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),
    "sha256": hashes.SHA256(),
    "md5": hashes.MD5(),
}


@dataclass(frozen=True, slots=True)
class Reference:
    """A ds:Reference to be written; without `digest` it is that of the envelope or the part it names."""

    uri: str | None = ""
    transforms: str = ""
    digest: bytes | None = None
    more: str = ""


@dataclass(frozen=True, slots=True)
class Hand:
    """A signer with every choice open; called, it signs like hub.trust.signing.sign."""

    references: Callable[[list[Reference]], list[Reference]] = lambda usual: usual
    method: str = RSA_SHA256
    hashed: str = "sha256"
    digest_method: str = SHA256
    digest_hashed: str = "sha256"
    canonical: str = C14N
    key_info: str = ""  #: instead of the certificate; {certificate} and {modulus} are filled in
    value: bytes | None = None
    in_signed_info: str = ""
    in_signature: str = ""
    times: int = 1
    where: bytes = b"</SOAP:Header>"

    def __call__(self, envelope: bytes, parts: Sequence[tuple[str, bytes]], key: SigningKey) -> bytes:
        contents = {f"cid:{cid}": content for cid, content in parts} | {"": _signed_part(envelope)}
        usual = [Reference("", ROOT_TRANSFORMS), *(Reference(f"cid:{cid}") for cid, _ in parts)]
        written = "".join(self._reference(r, contents) for r in self.references(usual))
        signed_info = (
            f'<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{self.canonical}"/>'
            f'<ds:SignatureMethod Algorithm="{self.method}"/>{written}{self.in_signed_info}</ds:SignedInfo>'
        )
        draft = self._placed(envelope, signed_info, "", key)
        value = self.value if self.value is not None else self._value(draft, key)
        return self._placed(envelope, signed_info, base64.b64encode(value).decode(), key)

    def _reference(self, r: Reference, contents: Mapping[str, bytes]) -> str:
        digest = r.digest
        if digest is None:
            digest = new_hash(self.digest_hashed, contents.get(r.uri or "", b"")).digest()
        uri = "" if r.uri is None else f' URI="{r.uri}"'
        return (
            f'<ds:Reference{uri}>{r.transforms}<ds:DigestMethod Algorithm="{self.digest_method}"/>'
            f"<ds:DigestValue>{base64.b64encode(digest).decode()}</ds:DigestValue>{r.more}</ds:Reference>"
        )

    def _placed(self, envelope: bytes, signed_info: str, value: str, key: SigningKey) -> bytes:
        certificate = base64.b64encode(key.certificate_der).decode()
        number = key.private_key.public_key().public_numbers().n
        modulus = base64.b64encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).decode()
        usual = "<ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data>"
        info = (self.key_info or usual).format(certificate=certificate, modulus=modulus)
        one = (
            f'<ds:Signature xmlns:ds="{DS}">{signed_info}<ds:SignatureValue>{value}</ds:SignatureValue>'
            f"<ds:KeyInfo>{info}</ds:KeyInfo>{self.in_signature}</ds:Signature>"
        )
        return swap(self.where, one.encode() * self.times + self.where)(envelope)

    def _value(self, draft: bytes, key: SigningKey) -> bytes:
        signed_info = next(etree.fromstring(draft).iter(f"{{{DS}}}SignedInfo"))
        alone = etree.fromstring(etree.tostring(signed_info, with_tail=False))
        canonical = etree.tostring(alone, method="c14n", exclusive="exc-c14n" in self.canonical)
        return key.private_key.sign(canonical, PKCS1v15(), _HASHES[self.hashed])


def _signed_part(envelope: bytes) -> bytes:
    """The envelope as its own Reference covers it: canonical, without what is addressed to the next node."""
    root = etree.fromstring(envelope)
    for element in [e for e in root.iter(etree.Element) if e.get(f"{{{SOAP}}}actor") in _NEXT]:
        parent = element.getparent()
        if parent is not None:
            parent.remove(element)
    return etree.tostring(root, method="c14n")
