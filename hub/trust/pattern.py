"""Knows an envelope again that differs from a proven one in nothing but ids, times and digests.

Partners' systems write the same envelope for years. What the long way (hub.formats.xml, hub.formats.envelope,
hub.trust.signature) finds in one of them it finds in every other with the same bytes around its holes, so long as the holes
are filled with letters that XML, C14N and the rules take for letters and nothing else. Where each of them ends up is not
told here but tried: a proven envelope goes the long way once more with marks in its holes, and the marks are looked for in
what comes out.

Nothing is believed for its likeness: the digests and the RSA signature of every message are checked, and whatever does not
fit goes the long way, which says why. tests/support/both_ways.py goes both ways wherever a hub is tested.
"""

from __future__ import annotations

import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any

from hub.formats import envelope as envelopes
from hub.formats import xml
from hub.formats.envelope import Envelope, ManifestItem
from hub.formats.times import parse_instant
from hub.trust import signature
from hub.trust.holes import Cut, Text, cut, hole_of, hole_of_instant
from hub.trust.signature import DIGEST_METHODS, SIGNATURE_METHODS, Claim, SignaturePolicy, SignedReference, Verified

#: Bytes of an envelope that is worth remembering; those of ten attachments are shorter.
LONGEST = 16_384
MOST_PATTERNS, MOST_HEADS = 1_000, 4_096
#: When all places are taken, so many unknown ones come by before the memory begins anew: to learn one costs as much as to
#: know five, and more senders than there are places may not make every message dearer.
PATIENCE = 20 * MOST_PATTERNS
#: So often a head is looked at without being known: types of message between two parties, or a sender who writes each anew.
MOST_OF_A_HEAD = 9


@dataclass(frozen=True, slots=True)
class _Reference:
    """A ds:Reference: to the part whose id stands in hole `part`, to the envelope without one."""

    part: int | None
    digest: int
    method: str
    xml: Text


@dataclass(frozen=True, slots=True)
class _Fields:
    """In which hole each field of the envelope stands; None: it is empty."""

    message_id: int
    conversation_id: int
    timestamp: int
    ref_to_message_id: int | None
    time_to_live: int | None
    items: tuple[tuple[int, tuple[str, str]], ...]  #: of the manifest: its href, and what it says of a schema


@dataclass(frozen=True, slots=True)
class Pattern:
    """A proven envelope, cut at its holes, and what was made of it."""

    cut: Cut
    said: Mapping[str, Any]  #: the envelope's fields, of which those in holes are filled anew
    fields: _Fields
    policy: SignaturePolicy  #: under which its shape was accepted
    certificate_der: bytes
    method: str
    weak: bool
    value: int
    signed_info: Text
    canonical: Text  #: the envelope without its signature
    references: tuple[_Reference, ...]


@dataclass(frozen=True, slots=True)
class Recognised:
    """An envelope that was known again: what it says, and how to prove it."""

    envelope: Envelope
    pattern: Pattern
    holes: Sequence[bytes]

    def proven(self, parts: Mapping[str, bytes], policy: SignaturePolicy) -> Verified | None:
        """As hub.trust.signature.verify, where all is well; None: that one must be asked."""
        pattern = self.pattern
        signed_info = pattern.signed_info.filled(self.holes)
        if policy != pattern.policy or len(signed_info) > policy.max_signed_info:
            return None
        try:
            value = _decoded(self.holes[pattern.value])
            if not signature.holds(pattern.certificate_der, pattern.method, signed_info, value):
                return None
            references = self._covering(parts)
        except binascii.Error:
            return None
        return Verified(pattern.certificate_der, references, pattern.weak) if references else None

    def _covering(self, parts: Mapping[str, bytes]) -> tuple[SignedReference, ...] | None:
        """The references, if they cover the envelope and every part, and each digest is right."""
        uncovered, found = set(parts), []
        for reference in self.pattern.references:
            if reference.part is None:
                uri, content = "", self.pattern.canonical.filled(self.holes)
            else:
                name = self.holes[reference.part].decode()
                if name not in parts:
                    return None
                uncovered.discard(name)
                uri, content = f"cid:{name}", parts[name]
            digest = self.holes[reference.digest]
            if DIGEST_METHODS[reference.method][0](content).digest() != _decoded(digest):
                return None
            written = "".join(digest.decode().split())
            found.append(SignedReference(uri, reference.method, written, reference.xml.filled(self.holes)))
        return None if uncovered else tuple(found)


def _decoded(written: bytes) -> bytes:
    return binascii.a2b_base64(written.replace(b"\n", b""), strict_mode=True)


class Patterns:
    """The memory of proven envelopes, by their first bytes; bounded, and forgotten with the process."""

    def __init__(self) -> None:
        self._known: dict[bytes, list[Pattern]] = {}
        self._count, self._unknown = 0, 0  # patterns; envelopes that were proven and not known
        self._met: dict[int, int] = {}  # by the hash of a head: how often such a one was met

    def recognise(self, raw: bytes) -> Recognised | None:
        """What the envelope says, if it is like one that was proven."""
        for pattern in self._known.get(_head(raw), ()):
            if (holes := pattern.cut.holes(raw)) is not None:
                envelope = _filled(pattern, holes)
                return Recognised(envelope, pattern, holes) if envelope is not None else None
        return None

    def learn(self, raw: bytes, envelope: Envelope, policy: SignaturePolicy) -> None:
        """Remembers an envelope that was accepted under `policy`, from the second one on that begins alike."""
        head = _head(raw)
        if not head or len(raw) > LONGEST:
            return
        self._unknown += 1
        met = self._meet(head)
        if self._count >= MOST_PATTERNS and self._unknown > PATIENCE:
            self._known, self._count, self._unknown = {}, 0, 0
        if self._count >= MOST_PATTERNS or not 1 < met <= 1 + MOST_OF_A_HEAD:
            return
        if (pattern := of(raw, envelope, policy)) is not None and pattern.cut.chunks[0].startswith(head):
            self._known.setdefault(head, []).append(pattern)
            self._count += 1

    def _meet(self, head: bytes) -> int:
        """How often one that begins so was met, this time included."""
        if len(self._met) >= MOST_HEADS:
            self._met = {}
        met = self._met[hash(head)] = self._met.get(hash(head), 0) + 1
        return met


def _head(raw: bytes) -> bytes:
    """What stands before the first hole: From, To and CPAId come before ConversationId (ebMS 2.0, its schema)."""
    at = raw.find(b"ConversationId>", 0, LONGEST)
    signed = raw.find(b"SignedInfo", 0, at) if at >= 0 else -1
    return raw[: max(0, at if signed < 0 else signed)]


def _filled(pattern: Pattern, holes: Sequence[bytes]) -> Envelope | None:
    """The envelope with these fillings; None where a time is none."""
    fields, written = pattern.fields, [hole.decode() for hole in holes]
    stamp, end = parse_instant(written[fields.timestamp], UTC), None
    if fields.time_to_live is not None:
        end = parse_instant(written[fields.time_to_live], UTC)
    if stamp is None or (end is None and fields.time_to_live is not None):
        return None
    return Envelope(
        **pattern.said,
        message_id=written[fields.message_id],
        conversation_id=written[fields.conversation_id],
        timestamp=stamp,
        ref_to_message_id="" if fields.ref_to_message_id is None else written[fields.ref_to_message_id],
        time_to_live=end,
        manifest=tuple([ManifestItem(written[hole], *schema) for hole, schema in fields.items]),
    )


# --- how a pattern is made


def of(raw: bytes, envelope: Envelope, policy: SignaturePolicy) -> Pattern | None:
    """A proven business message without findings, made a pattern; None where anything in it is unusual."""
    found = cut(raw) if envelope.kind == "business" and not envelope.findings else None
    if found is None:
        return None
    marked = found.marked()
    root = xml.parse(marked, xml.Bounds(2 * LONGEST))
    if isinstance(root, xml.XmlFault):
        return None
    said, shown = envelopes.read(root), signature.claimed(marked, root, policy)
    if not isinstance(said, Envelope) or shown is None or not _alike(said, envelope):
        return None
    try:
        return _put_together(found, said, policy, *shown)
    except LookupError:
        return None


def _put_together(found: Cut, said: Envelope, policy: SignaturePolicy, claim: Claim, canonical: bytes) -> Pattern:
    echoed = claim.echoed()
    return Pattern(
        cut=found,
        said={name: getattr(said, name) for name in Envelope.__dataclass_fields__ if name not in _IN_HOLES},
        fields=_fields(said),
        policy=policy,
        certificate_der=claim.certificate_der,
        method=claim.method,
        weak=SIGNATURE_METHODS[claim.method][1] or any(DIGEST_METHODS[r.digest_method][1] for r in echoed),
        value=hole_of(binascii.b2a_base64(claim.value, newline=False).decode()),
        signed_info=Text.of(claim.signed_info),
        canonical=Text.of(canonical),
        references=tuple(_reference(r) for r in echoed),
    )


#: The fields of an envelope that are told by _Fields.
_IN_HOLES = {"message_id", "conversation_id", "timestamp", "ref_to_message_id", "time_to_live", "manifest"}


def _alike(said: Envelope, original: Envelope) -> bool:
    """Whether the marks changed nothing but what stands in holes."""
    if len(said.manifest) != len(original.manifest):
        return False
    return original == replace(
        said,
        message_id=original.message_id,
        conversation_id=original.conversation_id,
        timestamp=original.timestamp,
        ref_to_message_id=original.ref_to_message_id,
        time_to_live=original.time_to_live,
        manifest=tuple(replace(s, href=o.href) for s, o in zip(said.manifest, original.manifest, strict=True)),
    )


def _fields(said: Envelope) -> _Fields:
    return _Fields(
        hole_of(said.message_id),
        hole_of(said.conversation_id),
        hole_of_instant(said.timestamp),
        hole_of(said.ref_to_message_id) if said.ref_to_message_id else None,
        hole_of_instant(said.time_to_live) if said.time_to_live else None,
        tuple((hole_of(item.href), (item.schema_location, item.schema_version)) for item in said.manifest),
    )


def _reference(echoed: SignedReference) -> _Reference:
    part = hole_of(echoed.uri.removeprefix("cid:")) if echoed.uri else None
    return _Reference(part, hole_of(echoed.digest_value), echoed.digest_method, Text.of(echoed.xml))
