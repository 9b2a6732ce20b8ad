"""The one signature profile of ebMS 2.0 in this sector (ebxml.md §3): strict in what it reads, canonical in what it writes.

Small on purpose: no transform engine, no key lookup, no network. Every other shape is refused by name, and there is no
second road for it: every real signed message that is at hand lies within this profile (tests/witness/test_real_messages.py),
and what a refusal of other shapes costs is an ErrorList to a sender who breaks HITS 1172 35–38. python-xmlsec, xmlsec1 and
signxml stand beside it in the tests.
"""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from lxml import etree

from hub.formats.mime import bare_id
from hub.trust.canonical import Canonical, in_one_pass

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
DS = "http://www.w3.org/2000/09/xmldsig#"
EB = "http://www.oasis-open.org/committees/ebxml-msg/schema/msg-header-2_0.xsd"
_DS = f"{{{DS}}}"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"

#: SignatureMethod → (hash, weak); HITS 1172 84, with SHA-256 as traffic has it today (ebxml.md §3.1).
SIGNATURE_METHODS: Mapping[str, tuple[hashes.HashAlgorithm, bool]] = {
    RSA_SHA256: (hashes.SHA256(), False),
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384": (hashes.SHA384(), False),
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512": (hashes.SHA512(), False),
    "http://www.w3.org/2000/09/xmldsig#rsa-sha1": (hashes.SHA1(), True),  # noqa: S303  only by policy
}
#: DigestMethod → (hash, weak); HITS 1172 33.
DIGEST_METHODS: Mapping[str, tuple[Callable[[bytes], Any], bool]] = {
    SHA256: (hashlib.sha256, False),
    "http://www.w3.org/2001/04/xmldsig-more#sha384": (hashlib.sha384, False),
    "http://www.w3.org/2001/04/xmlenc#sha512": (hashlib.sha512, False),
    "http://www.w3.org/2000/09/xmldsig#sha1": (hashlib.sha1, True),
}
#: Subtrees addressed to these are not signed: they are for the next node on the way (H1037 5.5).
_NEXT_MSH, _NEXT = "urn:oasis:names:tc:ebxml-msg:actor:nextMSH", "http://schemas.xmlsoap.org/soap/actor/next"
NEXT_ACTORS = frozenset({_NEXT_MSH, _NEXT})
FILTER = (
    f'not(ancestor-or-self::node()[@SOAP-ENV:actor="{_NEXT_MSH}"]'
    f' | ancestor-or-self::node()[@SOAP-ENV:actor="{_NEXT}"])'
)
#: The same with any prefix, either quotes, and blanks between its words but not in them (ebxml.md §3.1).
_FILTER_AS_READ = re.compile(
    r"\s*not\s*\(\s*ancestor-or-self\s*::\s*node\s*\(\s*\)\s*\[\s*@\s*(?P<p>[A-Za-z_][\w.-]*):actor\s*=\s*"
    rf"""(?P<q>["']){re.escape(_NEXT_MSH)}(?P=q)\s*\]\s*\|\s*"""
    r"ancestor-or-self\s*::\s*node\s*\(\s*\)\s*\[\s*@\s*(?P=p):actor\s*=\s*"
    rf"""(?P<r>["']){re.escape(_NEXT)}(?P=r)\s*\]\s*\)\s*"""
)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with its certificate; load it once."""

    private_key: RSAPrivateKey
    certificate_der: bytes


@dataclass(frozen=True, slots=True)
class SignaturePolicy:
    """What is accepted."""

    allow_sha1: bool = False
    max_references: int = 64
    max_signed_info: int = 65_536
    chain: bool = False  #: several certificates in KeyInfo: the first must prove it, the others are not looked at


@dataclass(frozen=True, slots=True)
class SignedReference:
    """One ds:Reference of SignedInfo, to be echoed in an Acknowledgment (HITS 1172 116, 117)."""

    uri: str
    digest_method: str
    digest_value: str
    source: etree._Element | bytes = field(repr=False, compare=False)

    @property
    def xml(self) -> bytes:
        """As XML that stands alone; written only when an Acknowledgment is."""
        return self.source if isinstance(self.source, bytes) else etree.tostring(self.source, with_tail=False)


@dataclass(frozen=True, slots=True)
class Verified:
    """The signature holds; by whom is for the certificate's judge to say. `weak`: SHA-1 was used, and allowed."""

    certificate_der: bytes
    references: tuple[SignedReference, ...]
    weak: bool
    certificates: int = 1  #: how many KeyInfo has; only the first was used


@dataclass(frozen=True, slots=True)
class Claim:
    """What a signature of the agreed shape says, before any of it is proven."""

    certificate_der: bytes
    method: str
    value: bytes
    signed_info: bytes  #: in canonical form
    references: Sequence[_Reference]
    plain: Canonical | None  #: where it came out of one pass
    certificates: int = 1

    def echoed(self) -> tuple[SignedReference, ...]:
        """Its references, as an Acknowledgment says them again."""
        return tuple(map(_echo, self.references))


@dataclass(frozen=True, slots=True)
class SignatureFault:
    """Why it is not proven: the rule of HITS 1172, a word for machines, a sentence for people."""

    rule: str
    reason: str
    text: str


class _Refused(Exception):
    """Carries a fault up to `verify`; it does not leave this module."""

    def __init__(self, rule: str, reason: str, text: str) -> None:
        self.fault = SignatureFault(rule, reason, text)
        super().__init__(text)


def verify(
    raw: bytes, root: etree._Element, parts: Mapping[str, bytes], policy: SignaturePolicy
) -> Verified | SignatureFault:
    """Whether the envelope's signature covers the envelope and every part, and holds.

    `raw` and `root` are the same envelope; `parts` maps Content-IDs to decoded bytes. The RSA signature is checked
    before the envelope is canonicalised, so that a forged message stays cheap (performance.md §10).
    """
    try:
        claim = _claimed(raw, root, policy)
        if not holds(claim.certificate_der, claim.method, claim.signed_info, claim.value):
            text = "the signature value does not fit SignedInfo and certificate"
            raise _Refused("50", "signature-mismatch", text)
        weak = _check_digests(raw, claim, parts, policy)
    except _Refused as refused:
        return refused.fault
    weak = SIGNATURE_METHODS[claim.method][1] or weak
    return Verified(claim.certificate_der, claim.echoed(), weak, claim.certificates)


def claimed(raw: bytes, root: etree._Element, policy: SignaturePolicy) -> tuple[Claim, bytes] | None:
    """What an envelope's signature claims, and what its digest is of; None where the shape is not the agreed one.

    Nothing is verified: it shows where everything comes from (hub.trust.pattern).
    """
    try:
        claim = _claimed(raw, root, policy)
        own = next(r for r in claim.references if not r.uri)
        return claim, _signed_envelope(raw, own, claim.plain)
    except _Refused:
        return None


def _claimed(raw: bytes, root: etree._Element, policy: SignaturePolicy) -> Claim:
    signature = _the_signature(root)
    members = _members(signature)
    signed_info = _only(members, _SIGNED_INFO, "363", "no-signed-info")
    certificate, certificates = _certificate(members, policy)
    inside = _members(signed_info)
    references = _references(inside, policy)
    plain = in_one_pass(raw, root, signature, signed_info)
    method = _check_method(inside, policy)
    canonical = _canonical_signed_info(signed_info, inside, plain)
    if len(canonical) > policy.max_signed_info:
        raise _Refused("363", "structure", "SignedInfo is larger than any honest one")
    value = _base64(_only(members, _SIGNATURE_VALUE, "42", "no-signature-value"), "42", "signature-mismatch")
    usable = None if plain and _any_for_the_next(plain) else plain
    return Claim(certificate, method, value, canonical, references, usable, certificates)


def holds(certificate_der: bytes, method: str, signed_info: bytes, value: bytes) -> bool:
    """Whether this is the RSA signature, by the key of this certificate, over a canonical SignedInfo."""
    try:
        _rsa_key(certificate_der).verify(value, signed_info, _PADDING, SIGNATURE_METHODS[method][0])
    except InvalidSignature:
        return False
    return True


def references_of(root: etree._Element) -> tuple[SignedReference, ...]:
    """The references of the header's signature; none where it has none. Nothing is verified."""
    found = root.findall(f"{{{SOAP}}}Header/{{{DS}}}Signature/{{{DS}}}SignedInfo/{{{DS}}}Reference")
    return tuple(_echo(_Reference(r, r.get("URI") or "", _members(r))) for r in found)


# --- the gate: one signature, at its place, of the agreed shape


_SIGNATURE, _SIGNED_INFO, _SIGNATURE_VALUE = _DS + "Signature", _DS + "SignedInfo", _DS + "SignatureValue"
_KEY_INFO, _X509_DATA, _X509_CERTIFICATE = _DS + "KeyInfo", _DS + "X509Data", _DS + "X509Certificate"
_METHOD, _CANONICALISATION = _DS + "SignatureMethod", _DS + "CanonicalizationMethod"
_REFERENCE, _TRANSFORMS, _TRANSFORM = _DS + "Reference", _DS + "Transforms", _DS + "Transform"
_DIGEST_METHOD, _DIGEST_VALUE = _DS + "DigestMethod", _DS + "DigestValue"
_OBJECT, _XPATH, _HEADER = _DS + "Object", _DS + "XPath", f"{{{SOAP}}}Header"

#: The children of an element by their tags: looked at once, asked for several times.
_Members = Mapping[object, list[etree._Element]]


def _members(parent: etree._Element) -> _Members:
    found: dict[object, list[etree._Element]] = {}
    for child in parent:
        tag = child.tag
        if tag in found:
            found[tag].append(child)
        else:
            found[tag] = [child]
    return found


def _the_signature(root: etree._Element) -> etree._Element:
    anywhere = list(root.iter(_SIGNATURE))
    if not anywhere:
        raise _Refused("45", "missing", "there is no signature")
    if len(anywhere) > 1:
        raise _Refused("52", "several", "there is more than one signature")
    signature = anywhere[0]
    header = next(root.iterchildren(_HEADER), None)
    if header is None or signature.getparent() is not header:
        raise _Refused("45", "misplaced", "the signature is not a child of the SOAP Header")
    if next(signature.iterchildren(_OBJECT), None) is not None:
        raise _Refused("52", "structure", "ds:Object is not part of the profile")
    above = root.keys() + header.keys() + signature.keys()
    if any(str(a).startswith("{http://www.w3.org/XML/1998") for a in above):
        raise _Refused("38", "structure", "xml: attributes above SignedInfo are not part of the profile")
    return signature


def _only(members: _Members, tag: str, rule: str, reason: str) -> etree._Element:
    found = members.get(tag, ())
    if len(found) != 1:
        name = tag.removeprefix(_DS)
        raise _Refused(rule, reason, f"{name} occurs {len(found)} times, once is asked for")
    return found[0]


def _certificate(signature: _Members, policy: SignaturePolicy) -> tuple[bytes, int]:
    """X509Data with exactly one certificate; a KeyValue beside it is tolerated and not used (HITS 1172 41, 46, 65, 103).

    Where a chain is allowed (XMLDSig 4.4.4): the first of however many, in one X509Data or several, and their number.
    """
    info = _only(signature, _KEY_INFO, "32", "no-key-info")
    found = [c for x509_data in info.iterchildren(_X509_DATA) for c in x509_data.iterchildren(_X509_CERTIFICATE)]
    if not found:
        raise _Refused("41, 103", "no-certificate", "KeyInfo has no X509Certificate")
    if len(found) > 1 and not policy.chain:
        text = f"KeyInfo has {len(found)} certificates; put only the signing certificate into the key store that signs"
        raise _Refused("65", "several-certificates", text)
    text = found[0].text or ""
    if len(text) > _USUAL_CERTIFICATE or len(found[0]):
        return _base64(found[0], "46", "bad-certificate"), len(found)
    return _known_certificate(text), len(found)


#: Letters; longer ones are read as well, and not remembered.
_USUAL_CERTIFICATE = 8_192


@lru_cache(maxsize=1024)
def _known_certificate(text: str) -> bytes:
    """The bytes of a certificate, the same object each time: partners sign with the same one for years."""
    return _decoded(text, "X509Certificate", "46", "bad-certificate")


_IN_SIGNED_INFO = frozenset({_CANONICALISATION, _METHOD, _REFERENCE})
#: References are echoed in the Acknowledgment as they came (HITS 1172 116): nothing may travel in them.
_IN_REFERENCE = frozenset({_TRANSFORMS, _DIGEST_METHOD, _DIGEST_VALUE})


@dataclass(slots=True)
class _Reference:
    element: etree._Element
    uri: str
    members: _Members


def _references(signed_info: _Members, policy: SignaturePolicy) -> list[_Reference]:
    found = signed_info.get(_REFERENCE, ())
    if not found:
        raise _Refused("39", "no-reference", "SignedInfo has no Reference")
    if len(found) > policy.max_references:
        raise _Refused("39", "structure", f"more than {policy.max_references} References")
    inside = [_members(r) for r in found]
    if not signed_info.keys() <= _IN_SIGNED_INFO or not all(m.keys() <= _IN_REFERENCE for m in inside):
        raise _Refused("39", "structure", "SignedInfo holds something that is not part of the profile")
    uris = [r.get("URI") for r in found]
    if uris.count("") != 1:
        raise _Refused("40", "no-root-reference", 'exactly one Reference with URI="" is asked for')
    if foreign := [u for u in uris if u is None or (u and u[:4].lower() != "cid:")]:
        raise _Refused(
            "34, 85",
            "foreign-reference",
            f"{len(foreign)} Reference(s) to something that is neither the envelope nor a part",
        )
    return [_Reference(*each) for each in zip(found, map(str, uris), inside, strict=True)]


# --- the value: RSA over the canonical SignedInfo


def _check_method(signed_info: _Members, policy: SignaturePolicy) -> str:
    method = _algorithm(signed_info, _METHOD, "84")
    known = SIGNATURE_METHODS.get(method)
    if known is None or (known[1] and not policy.allow_sha1):
        raise _Refused("84", "algorithm", f"signature method {method[-60:]} is outside the policy")
    return method


def _canonical_signed_info(element: etree._Element, members: _Members, plain: Canonical | None) -> bytes:
    how = _canonicalisation(_only(members, _CANONICALISATION, "363", "structure"))
    return plain.signed_info if plain and how == C14N else _canonical_part(element, how)


_PADDING = PKCS1v15()


@lru_cache(maxsize=4096)
def _rsa_key(certificate: bytes) -> RSAPublicKey:
    """The key of a certificate; partners sign with the same one for years."""
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion):
        raise _Refused("46", "bad-certificate", "the certificate cannot be read") from None
    if not isinstance(key, RSAPublicKey):
        raise _Refused("84", "algorithm", "the certificate's key is not RSA")
    return key


def _canonicalisation(method: etree._Element) -> str:
    algorithm = method.get("Algorithm") or ""
    if algorithm not in (C14N, EXCLUSIVE):
        raise _Refused("38", "algorithm", f"canonicalisation {algorithm[-60:]} is not part of the profile")
    if len(method) and next(method.iterchildren(etree.Element), None) is not None:
        raise _Refused("38", "algorithm", "canonicalisation with parameters is not part of the profile")
    return algorithm


def _canonical_part(element: etree._Element, algorithm: str) -> bytes:
    """A part of a document in its context: written out with what is in scope and parsed again (performance.md §11.1)."""
    alone = etree.fromstring(etree.tostring(element, with_tail=False), _parser())
    return _c14n(alone, algorithm == EXCLUSIVE)


# --- the digests: the envelope without its signature, and each part as received


def _check_digests(raw: bytes, claim: Claim, parts: Mapping[str, bytes], policy: SignaturePolicy) -> bool:
    uncovered = set(parts)
    weak = False
    for reference in claim.references:
        if reference.uri:
            content_id = _content_id(reference.uri, parts)
            uncovered.discard(content_id)
            if _TRANSFORMS in reference.members:
                raise _Refused("34", "transforms", "a Reference to a part has Transforms")
            content = parts[content_id]
        else:
            content = _signed_envelope(raw, reference, claim.plain)
        weak |= _check_digest(reference, content, policy)
    if uncovered:
        raise _Refused(
            "39", "uncovered-part", f"{len(uncovered)} part(s) of the package are not covered by the signature"
        )
    return weak


def _signed_envelope(raw: bytes, reference: _Reference, plain: Canonical | None) -> bytes:
    transforms = _root_transforms(reference.members)
    return plain.envelope if plain and not transforms.exclusive else _canonical_envelope(raw, transforms)


def _content_id(uri: str, parts: Mapping[str, bytes]) -> str:
    written = uri[4:]
    if written in parts:
        return written
    if (content_id := bare_id(uri)) in parts:
        return content_id
    raise _Refused("27", "missing-part", "a Reference names a part that is not in the package")


def _check_digest(reference: _Reference, content: bytes, policy: SignaturePolicy) -> bool:
    method = _algorithm(reference.members, _DIGEST_METHOD, "33")
    known = DIGEST_METHODS.get(method)
    if known is None or (known[1] and not policy.allow_sha1):
        raise _Refused("33", "algorithm", f"digest method {method[-60:]} is outside the policy")
    value = _base64(_only(reference.members, _DIGEST_VALUE, "64", "no-digest-value"), "64", "digest-mismatch")
    if known[0](content).digest() != value:
        what = "a part" if reference.uri else "the envelope"
        raise _Refused("50", "digest-mismatch", f"{what} is not what was signed")
    return known[1]


@dataclass(frozen=True, slots=True)
class _Transforms:
    exclusive: bool
    filtered: bool


#: Every order of algorithms that is accepted. A C14N before the others would make bytes of the document, which no longer
#: know their signature.
_ORDERS: Mapping[tuple[str, ...], _Transforms] = {
    (*chosen, *last): _Transforms(last == (EXCLUSIVE,), XPATH in chosen)
    for chosen in ((ENVELOPED,), (ENVELOPED, XPATH), (XPATH, ENVELOPED))
    for last in ((), (C14N,), (EXCLUSIVE,))
}


def _root_transforms(reference: _Members) -> _Transforms:
    """Enveloped-signature and the one XPath filter in any order, then a C14N without comments; filter or C14N may be missing.

    (HITS 1172 35–38; what one big receiver tolerates: ebxml.md §10 item 15.)
    """
    listed = [t for transforms in reference.get(_TRANSFORMS, ()) for t in transforms.iterchildren(_TRANSFORM)]
    names = tuple([t.get("Algorithm") or "" for t in listed])
    found = _ORDERS.get(names)
    if found is None:
        if len(set(names)) != len(names) or ENVELOPED not in names:
            raise _Refused("36, 37", "transforms", "the transforms of the envelope are not those of the profile")
        raise _Refused("35, 38", "transforms", "the envelope's canonicalisation is not part of the profile")
    for name, transform in zip(names, listed, strict=True):
        if name == XPATH:
            _check_filter(transform)
        elif len(transform):
            raise _Refused("35", "transforms", "a transform has parameters that are not part of the profile")
    return found


def _check_filter(transform: etree._Element) -> None:
    """The standard's expression, whatever its blanks and prefix; another one could leave out what is used."""
    children = list(transform)
    alone = len(children) == 1 and children[0].tag == _XPATH and len(children[0]) == 0
    prefix = _prefix_of_filter(children[0].text or "") if alone else ""
    if not prefix or children[0].nsmap.get(prefix) != SOAP:
        raise _Refused("37", "transforms", "the XPath filter is not the one of the profile")


def _prefix_of_filter(written: str) -> str:
    """The prefix for SOAP in the filter; empty where it is another filter."""
    if written == FILTER:  # to the letter, as most write it
        return "SOAP-ENV"
    found = _FILTER_AS_READ.fullmatch(written)
    return found["p"] if found else ""


def _canonical_envelope(raw: bytes, transforms: _Transforms) -> bytes:
    root = etree.fromstring(raw, _parser())
    for header in root.iterchildren(_HEADER):
        for signature in list(header.iterchildren(_SIGNATURE)):
            _cut(signature)
    if transforms.filtered:
        for block in _for_the_next(root):
            _check_left_out(block)
            _cut(block)
    return _c14n(root.getroottree(), transforms.exclusive)


def _c14n(what: etree._Element | etree._ElementTree, exclusive: bool) -> bytes:
    try:
        return etree.tostring(what, method="c14n", exclusive=exclusive, with_comments=False)
    except etree.C14NError:  # namespace names that are relative (C14N 1.0, 1.3)
        raise _Refused("38", "structure", "the envelope has no canonical form") from None


def _any_for_the_next(plain: Canonical) -> bool:
    """Whether something may be addressed to the next node: in canonical form its name is written in one way only."""
    return _NEXT.encode() in plain.envelope or _NEXT_MSH.encode() in plain.envelope


_ACTORS = etree.XPath("//@s:actor", namespaces={"s": SOAP})


def _for_the_next(root: etree._Element) -> list[etree._Element]:
    """Every element that is addressed to the next node, in document order."""
    found = _ACTORS(root)
    assert isinstance(found, list)
    addressed = ((actor, actor.getparent()) for actor in found if isinstance(actor, etree._ElementUnicodeResult))
    return [element for actor, element in addressed if actor in NEXT_ACTORS and element is not None]


#: Of the blocks that are read here, those that are for the next node on the way and may go unsigned.
_FOR_THE_NEXT = frozenset({f"{{{EB}}}SyncReply", f"{{{EB}}}AckRequested"})


def _check_left_out(block: etree._Element) -> None:
    """What the filter leaves out anybody may have put in: a whole header block, and none of those that are used."""
    parent = block.getparent()
    namespace = etree.QName(block).namespace
    used = namespace in (SOAP, DS) or (namespace == EB and block.tag not in _FOR_THE_NEXT)
    if parent is None or parent.tag != f"{{{SOAP}}}Header" or used:
        raise _Refused("37", "uncovered-block", "what is addressed to the next node, and so not signed, is used here")


def _cut(element: etree._Element) -> None:
    """Removes an element and keeps the text behind it."""
    parent, before = element.getparent(), element.getprevious()
    if parent is None:
        return
    if element.tail:
        if before is not None:
            before.tail = (before.tail or "") + element.tail
        else:
            parent.text = (parent.text or "") + element.tail
    parent.remove(element)


def _echo(reference: _Reference) -> SignedReference:
    methods, values = (reference.members.get(tag) for tag in (_DIGEST_METHOD, _DIGEST_VALUE))
    algorithm = (methods[0].get("Algorithm") or "") if methods else ""
    digest = "".join((values[0].text or "").split()) if values else ""
    return SignedReference(reference.uri, algorithm, digest, reference.element)


def _algorithm(members: _Members, tag: str, rule: str) -> str:
    return _only(members, tag, rule, "structure").get("Algorithm") or ""


def _base64(element: etree._Element, rule: str, reason: str) -> bytes:
    name = str(element.tag).removeprefix(_DS)
    if len(element):
        raise _Refused("363", "structure", f"{name} has more in it than text")
    return _decoded(element.text or "", name, rule, reason)


def _decoded(text: str, name: str, rule: str, reason: str) -> bytes:
    """Base64 with the blanks and carriage returns that senders write (ebxml.md §10 item 16)."""
    try:
        return binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except (binascii.Error, ValueError):
        raise _Refused(rule, reason, f"{name} is not base64") from None


def _parser() -> etree.XMLParser:
    return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
