"""An envelope that is known again says what the long way says of it: every sample, every mutation, every filling of its holes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.formats import envelope, envelope_write, mime, xml
from hub.formats.envelope import Envelope
from hub.trust.holes import MOST_HOLES
from hub.trust.pattern import MOST_HEADS, MOST_OF_A_HEAD, MOST_PATTERNS, PATIENCE, Patterns, Recognised
from hub.trust.signature import SignaturePolicy, Verified
from hub.trust.signing import sign
from tests.support.both_ways import watch
from tests.support.sample import Sampling
from tests.unit.envelopes import HEADER, SCHEMA, WRITTEN
from tests.unit.keys import signing_key
from tests.witness.mutations import MUTATIONS, Mutation
from tests.witness.official_messages import real_messages
from tests.witness.oracles import sign_by_python_xmlsec
from tests.witness.templates import TOLERATED, template

PARTS = {"part@example.no": b"0\x82payload" * 9, "two": b"<a/>"}
POLICY = SignaturePolicy(allow_sha1=True)
Base = tuple[bytes, Mapping[str, bytes]]


def _read(raw: bytes) -> Envelope:
    root = xml.parse(raw, xml.Bounds(1_000_000))
    assert not isinstance(root, xml.XmlFault)
    found = envelope.read(root)
    assert isinstance(found, Envelope)
    return found


def taught(*raws: bytes) -> Patterns:
    """A memory that has met each of these twice, and is asked both ways from now on."""
    made = Patterns()
    for raw in raws:
        made.learn(raw, _read(raw), POLICY)
        made.learn(raw, _read(raw), POLICY)
    return watch(made)


def asked(patterns: Patterns, raw: bytes, parts: Mapping[str, bytes]) -> Recognised | None:
    """Known again or not; both ways are gone on the way."""
    found = patterns.recognise(raw)
    if found is not None:
        found.proven(parts, POLICY)
    return found


def bases() -> Iterator[tuple[str, Base]]:
    """Our own, and every shape of the profile as others sign it."""
    yield "our own", (sign(WRITTEN["business"], list(PARTS.items()), signing_key()), PARTS)
    late = WRITTEN["business with TimeToLive and SyncReply"]
    yield "TimeToLive and SyncReply", (sign(late, [("part", b"1")], signing_key()), {"part": b"1"})
    for shape, (transforms, method) in TOLERATED.items():
        written = template(WRITTEN["business"], PARTS, transforms, method, prefix="" if shape == "exclusive" else "ds")
        yield shape, (sign_by_python_xmlsec(written, PARTS, signing_key()), PARTS)


BASES = dict(bases())
SHARE = 0.4  #: of the changes, where a run takes a sample


@pytest.mark.parametrize("base", BASES.values(), ids=BASES)
def test_every_shape_of_the_profile_is_known_again(base: Base) -> None:
    raw, parts = base
    found = taught(raw).recognise(raw)
    assert found is not None and found.proven(parts, POLICY) is not None


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.__name__)
def test_a_changed_envelope_is_answered_alike(mutation: Mutation, sampling: Sampling) -> None:
    seeds = sampling.some(range(25), SHARE, mutation.__name__)
    for name, (raw, parts) in BASES.items():
        patterns, known = taught(raw), 0
        for seed in seeds:
            known += asked(patterns, *mutation(raw, parts, Random(f"{name}{seed}"))) is not None
        assert (
            known == len(seeds) or mutation.__name__ != "part_bytes"
        )  # nothing of the envelope is changed by that one


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.__name__)
def test_real_messages_are_answered_alike(standards: Path, mutation: Mutation) -> None:
    """Proven or not: whatever can be learnt from them."""
    learnt = 0
    for real in real_messages(standards):
        if isinstance(package := real.package, mime.Package):
            raw, parts = package.root.content, {p.content_id: p.content for p in package.attachments}
            root = xml.parse(raw, xml.Bounds(1_000_000))
            if isinstance(root, xml.XmlFault) or not isinstance(envelope.read(root), Envelope):
                continue
            patterns = taught(raw)
            learnt += asked(patterns, raw, parts) is not None
            if b"SignedInfo" in raw:
                for seed in range(5):
                    asked(patterns, *mutation(raw, parts, Random(seed)))
    assert learnt > 3


#: What the letters of a hole may meet: those that may stand there, and those that mean something somewhere.
LETTERS = st.text("aZ09._@:+-", min_size=1, max_size=40)
AWKWARD = st.text("aZ9 \t\r\n<>&\"'%/=æ\ud7ffxmlns:cid!?]", max_size=20) | st.sampled_from(
    ["xmlns" * 30, "a" * 201, "cid:x", "%41", "HoleNo01", "urn:oasis:names:tc:ebxml-msg:actor:nextMSH"]
)


@settings(max_examples=150, deadline=None)
@given(
    ids=st.tuples(*[LETTERS | AWKWARD] * 4),
    at=st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC)),
    content=st.binary(max_size=60),
)
def test_whatever_is_written_into_the_holes_is_read_alike(ids: tuple[str, ...], at: datetime, content: bytes) -> None:
    message, conversation, reference, part = ids
    fields = replace(HEADER, ref_to_message_id="earlier", time_to_live=HEADER.timestamp)
    patterns = taught(sign(envelope_write.business(fields, "part", SCHEMA), [("part", b"")], signing_key()))
    fields = replace(
        fields,
        message_id=message,
        conversation_id=conversation,
        ref_to_message_id=reference,
        timestamp=at,
        time_to_live=at,
    )
    raw = sign(envelope_write.business(fields, part, SCHEMA), [(part, content)], signing_key())
    found = asked(patterns, raw, {part: content})
    if all(word.replace(".", "a").isascii() and set(word) <= set("aZ09._@:+-") and len(word) <= 200 for word in ids):
        assert found is None if any("xmlns" in word for word in ids) or not all(ids) else found is not None


@settings(max_examples=200, deadline=None)
@given(
    place=st.integers(0, 5), spoil=st.binary(max_size=12) | st.sampled_from([b"</eb:MessageId>", b"&amp;", b"<!-- -->"])
)
def test_bytes_put_where_a_hole_is_are_read_alike(place: int, spoil: bytes) -> None:
    raw, parts = BASES["our own"]
    patterns = taught(raw)
    known = patterns.recognise(raw)
    assert known is not None
    hole = known.holes[place]
    asked(patterns, raw.replace(hole, spoil), parts)
    asked(patterns, raw.replace(hole, hole + spoil, 1), parts)


def test_nothing_is_known_of_another_policy() -> None:
    raw, parts = BASES["our own"]
    found = taught(raw).recognise(raw)
    assert found is not None and found.proven(parts, SignaturePolicy()) is None


UNUSUAL = {
    "a comment": (b"<eb:Action>", b"<!-- <eb:MessageId>x</eb:MessageId> --><eb:Action>"),
    "CDATA": (b"<eb:Action>HENVISNING", b"<eb:Action><![CDATA[HENVISNING]]>"),
    "an instruction": (b"<eb:Action>", b"<?x y?><eb:Action>"),
    "a finding": (b'SOAP:mustUnderstand="1" eb:version="2.0"><eb:From>', b'eb:version="2.0"><eb:From>'),
    "a MessageId that is no word": (b"<eb:MessageId>", b"<eb:MessageId>a/b"),
    "the mark of a hole": (b"<eb:CPAId>", b"<eb:CPAId>HoleNo01"),
    "the name of a namespace that looks like an id": (b"<SOAP:Body", b'<SOAP:Body xmlns:href="cid:a"'),
    "many attributes": (b"<SOAP:Body", b'<SOAP:Body xmlns:q="=====' + b"=" * 1000 + b'"'),
    "longer than any": (b"<eb:Action>", b" " * 17_000 + b"<eb:Action>"),
}


@pytest.mark.parametrize("old, new", UNUSUAL.values(), ids=UNUSUAL)
def test_what_is_unusual_is_not_learnt(old: bytes, new: bytes) -> None:
    written = WRITTEN["business"]
    assert old in written
    raw = sign(written.replace(old, new, 1), list(PARTS.items()), signing_key())
    found = taught(raw).recognise(raw)
    if b"xmlns:href" in new:
        assert found is not None and b"a" not in found.holes  # known, and that name is none of its holes
    else:
        assert found is None


def test_more_parts_than_holes_are_not_learnt() -> None:
    parts = {f"part{n}": b"" for n in range(MOST_HOLES)}
    raw = sign(envelope_write.business(HEADER, "part1", SCHEMA), list(parts.items()), signing_key())
    assert taught(raw).recognise(raw) is None


def test_a_signal_is_not_learnt() -> None:
    raw = sign(WRITTEN["acknowledgment"], [], signing_key())
    assert taught(raw).recognise(raw) is None


def test_a_sender_who_writes_each_envelope_anew_is_given_up() -> None:
    patterns = Patterns()
    raws = [_another(n) for n in range(2 * MOST_OF_A_HEAD)]
    for raw in raws:
        patterns.learn(raw, _read(raw), POLICY)
    known = [n for n, raw in enumerate(raws) if patterns.recognise(raw)]
    assert known == list(range(1, MOST_OF_A_HEAD + 1))


def test_a_full_memory_is_kept_until_many_unknown_ones_have_come() -> None:
    patterns = taught(_another(1))
    patterns._count = MOST_PATTERNS
    for _ in range(3):
        patterns.learn(_another(2), _read(_another(2)), POLICY)
    assert patterns.recognise(_another(1)) is not None and patterns.recognise(_another(2)) is None
    patterns._unknown = PATIENCE
    patterns.learn(_another(2), _read(_another(2)), POLICY)
    assert patterns.recognise(_another(1)) is None and patterns.recognise(_another(2)) is not None


def test_heads_that_never_come_again_are_forgotten() -> None:
    patterns = Patterns()
    for number in range(MOST_HEADS + 10):
        patterns._meet(str(number).encode())
    assert len(patterns._met) == 10


def _another(number: int) -> bytes:
    """One whose Action is its own."""
    header = replace(HEADER, action=f"ACTION{number}")
    return sign(envelope_write.business(header, "part", SCHEMA), [("part", b"")], signing_key())


def test_what_is_known_is_proven_each_time() -> None:
    raw, parts = BASES["our own"]
    found = taught(raw).recognise(raw)
    assert found is not None
    assert found.proven({**parts, "two": b"<b/>"}, POLICY) is None
    assert found.proven({**parts, "three": b""}, POLICY) is None
    assert found.proven({"two": b"<a/>"}, POLICY) is None
    assert isinstance(found.proven(parts, POLICY), Verified)
