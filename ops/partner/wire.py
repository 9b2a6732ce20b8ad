"""What a partner writes and reads: plain functions over bytes, right by default, wrong on request."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from lxml import etree

from hub.formats import document as documents
from hub.formats import envelope as envelopes
from hub.formats import envelope_write, mime, xml
from hub.formats.document import Document
from hub.formats.envelope import Envelope
from hub.formats.envelope_write import SIGNAL_SERVICE, ErrorLine, HeaderFields
from hub.trust import cms, signature, signing
from hub.trust.cms import DecryptionKey
from hub.trust.signature import SignedReference, SigningKey

LIMIT = 64_000_000


@dataclass(frozen=True, slots=True)
class Received:
    """A message as a partner reads it; `document` is None for a signal and for what it cannot open."""

    envelope: Envelope
    references: tuple[SignedReference, ...]
    raw: bytes
    document: Document | None
    root: etree._Element | None
    body: bytes = field(default=b"", repr=False)  #: everything, as it came over the wire

    @property
    def from_her(self) -> str:
        """The sender's HER-id."""
        return next((p.value for p in self.envelope.from_parties if p.type == "HER"), "")

    @property
    def to_her(self) -> str:
        """The receiver's HER-id."""
        return next((p.value for p in self.envelope.to_parties if p.type == "HER"), "")


def read(headers: Mapping[str, str], body: bytes, keys: Sequence[DecryptionKey]) -> Received | None:
    """The message, or None when it is no ebXML. Nothing is verified: a simulated partner believes everybody."""
    package = mime.read(headers, body)
    if isinstance(package, mime.MimeFault):
        return None
    root = xml.parse(package.root.content, xml.Bounds(LIMIT))
    if isinstance(root, xml.XmlFault):
        return None
    envelope = envelopes.read(root)
    if isinstance(envelope, envelopes.EnvelopeFault):
        return None
    raw = _payload(package, keys) if envelope.kind == "business" else b""
    parsed = xml.parse(raw, xml.Bounds.for_document(LIMIT)) if raw else None
    known = parsed if isinstance(parsed, etree._Element) else None
    document = documents.read(known) if known is not None else None
    return Received(envelope, signature.references_of(root), raw, document, known, body)


def _payload(package: mime.Package, keys: Sequence[DecryptionKey]) -> bytes:
    if not package.attachments:
        return b""
    content = package.attachments[0].content
    opened = cms.decrypt(content, keys, cms.CmsPolicy())
    if not isinstance(opened, cms.CmsFault):
        content = opened.content
    inside = cms.unwrap(content, LIMIT)
    return b"" if isinstance(inside, cms.CmsFault) else inside


@dataclass(frozen=True, slots=True)
class Wire:
    """Bytes and headers for a POST, or for an answer."""

    headers: Mapping[str, str]
    body: bytes


def reply_header(received: Received, action: str, message_id: str, now: datetime, *, refers: bool) -> HeaderFields:
    """The header of a receipt about `received`."""
    return HeaderFields(
        from_her=received.to_her,
        to_her=received.from_her,
        cpa_id=received.envelope.cpa_id,
        conversation_id=received.envelope.conversation_id,
        service=SIGNAL_SERVICE,
        action=action,
        message_id=message_id,
        timestamp=now,
        ref_to_message_id=received.envelope.message_id if refers else "",
    )


def acknowledgment(
    received: Received, key: SigningKey, message_id: str, now: datetime, *, lie: bool = False, refers: bool = False
) -> Wire:
    """A signed Acknowledgment; with `lie` it echoes another digest than it got, with `refers` MessageData names it too."""
    header = reply_header(received, "Acknowledgment", message_id, now, refers=refers)
    echoed = [_lied(r.xml) if lie else r.xml for r in received.references]
    written = envelope_write.acknowledgment(header, received.envelope.message_id, echoed)
    return signal(etree.tostring(etree.fromstring(written), method="c14n"), key)


def _lied(reference: bytes) -> bytes:
    other = base64.b64encode(bytes(32))
    return re.sub(rb"(DigestValue[^>]*>)[^<]*", lambda found: found.group(1) + other, reference)


def pong(received: Received, key: SigningKey, message_id: str, now: datetime) -> Wire:
    """A signed Pong."""
    return signal(envelope_write.pong(reply_header(received, "Pong", message_id, now, refers=True)), key)


def message_error(
    received: Received, key: SigningKey, message_id: str, now: datetime, *, severity: str, code: str, text: str
) -> Wire:
    """A signed MessageError with one Error."""
    header = reply_header(received, "MessageError", message_id, now, refers=True)
    line = ErrorLine(code, severity, "//eb:MessageHeader", text)
    return signal(envelope_write.message_error(header, [line]), key)


def signal(envelope: bytes, key: SigningKey) -> Wire:
    """A signed signal as a single part."""
    headers, body = mime.write(signing.sign(envelope, (), key), [], root_id="", boundary="")
    return Wire(headers, body)


def business(
    header: HeaderFields,
    document: bytes,
    *,
    schema: tuple[str, str],
    key: SigningKey | None,
    encrypt_for: bytes,
    ids: tuple[str, str, str],
    ack_requested: bool = True,
    changed: Callable[[bytes], bytes] = bytes,
) -> Wire:
    """A business message; without a key it goes unsigned. `ids` are for payload, root and boundary.

    `changed` makes another envelope of it before it is signed.
    """
    payload_id, root_id, boundary = ids
    content = cms.encrypt(cms.wrap(document, as_mime=False, gzip=False), encrypt_for)
    envelope = changed(envelope_write.business(header, payload_id, schema, ack_requested=ack_requested))
    if key is not None:
        envelope = signing.sign(envelope, [(payload_id, content)], key)
    kind = "application/pkcs7-mime; smime-type=enveloped-data"
    headers, body = mime.write(envelope, [(payload_id, kind, content)], root_id=root_id, boundary=boundary)
    return Wire(headers, body)


def broken_value(wire: Wire) -> Wire:
    """The same with a signature value that does not fit."""

    def other(found: re.Match[bytes]) -> bytes:
        value = found.group(2)
        return found.group(1) + (b"A" if value[:1] != b"A" else b"B") + value[1:]

    return Wire(wire.headers, re.sub(rb"(SignatureValue>)([^<]+)", other, wire.body, count=1))


def changed_after_signing(wire: Wire) -> Wire:
    """The same with another ConversationId than was signed."""
    changed = re.sub(rb"(ConversationId>)[^<]*", rb"\1not-what-was-signed", wire.body, count=1)
    return Wire(wire.headers, changed)


def with_doctype(wire: Wire) -> Wire:
    """The same with a DOCTYPE and an entity before the envelope."""
    doctype = b'<!DOCTYPE a [<!ENTITY b "c">]>'
    return Wire(wire.headers, wire.body.replace(b"<SOAP:Envelope", doctype + b"<SOAP:Envelope", 1))


def without_signature(wire: Wire) -> Wire:
    """The same, unsigned."""
    return Wire(wire.headers, re.sub(rb"<ds:Signature .*</ds:Signature>", b"", wire.body, flags=re.S))


def with_chain(wire: Wire, authorities: Sequence[bytes]) -> Wire:
    """The same with the certificates of its authorities in KeyInfo, an X509Data each; KeyInfo is not signed (XMLDSig 4.4)."""
    more = b"".join(
        b"<ds:X509Data><ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data>" % base64.b64encode(der)
        for der in authorities
    )
    return Wire(
        wire.headers, wire.body.replace(b"</ds:KeyInfo></ds:Signature>", more + b"</ds:KeyInfo></ds:Signature>")
    )


#: What stands in our own templates, and how others write it.
_DUPLICATES = b"<eb:DuplicateElimination></eb:DuplicateElimination>"
_ACK_REQUESTED = re.compile(rb"<eb:AckRequested [^>]*></eb:AckRequested>")
_SYNC_REPLY = (
    b'<eb:SyncReply SOAP:actor="http://schemas.xmlsoap.org/soap/actor/next" SOAP:mustUnderstand="1" eb:version="2.0">'
    b"</eb:SyncReply>"
)


def as_agreed(envelope: bytes, *, sync: bool, ack: bool, signed: bool, duplicates: bool) -> bytes:
    """An unsigned envelope with these elements of the header there or not (ebMS 2.0 3.1.7, 4.3, 6.3.1)."""
    if not duplicates:
        envelope = envelope.replace(_DUPLICATES, b"", 1)
    elif _DUPLICATES not in envelope:
        envelope = envelope.replace(b"</eb:MessageData>", b"</eb:MessageData>" + _DUPLICATES, 1)
    envelope = _ACK_REQUESTED.sub(b"", envelope)
    blocks = _ack_requested(signed) if ack else b""
    return envelope.replace(b"</eb:MessageHeader>", b"</eb:MessageHeader>" + blocks + (_SYNC_REPLY if sync else b""), 1)


def _ack_requested(signed: bool) -> bytes:
    return (
        b'<eb:AckRequested SOAP:actor="%s" SOAP:mustUnderstand="1" eb:signed="%s" eb:version="2.0"></eb:AckRequested>'
        % (envelope_write.TO_PARTY.encode(), b"true" if signed else b"false")
    )


def proven_by(headers: Mapping[str, str], body: bytes) -> bytes | None:
    """The certificate (DER) that an ebXML message is proven by; None where it is not, or by SHA-1."""
    package = mime.read(headers, body)
    root = xml.parse(package.root.content, xml.Bounds(LIMIT)) if isinstance(package, mime.Package) else None
    if not isinstance(package, mime.Package) or not isinstance(root, etree._Element):
        return None
    parts = {part.content_id: part.content for part in package.attachments}
    found = signature.verify(package.root.content, root, parts, signature.SignaturePolicy())
    return found.certificate_der if isinstance(found, signature.Verified) else None


def error_at(
    received: Received, key: SigningKey, message_id: str, now: datetime, *, code: str, location: str, text: str
) -> Wire:
    """A signed MessageError with one Error, at a place in the header or at none."""
    header = reply_header(received, "MessageError", message_id, now, refers=True)
    return signal(envelope_write.message_error(header, [ErrorLine(code, "Error", location, text)]), key)


def status_of(received: Received, key: SigningKey, message_id: str, now: datetime, status: str) -> Wire:
    """A signed StatusResponse about the message that is asked about."""
    header = reply_header(received, "StatusResponse", message_id, now, refers=True)
    return signal(envelope_write.status_response(header, received.envelope.ref_to_message_id, status), key)
