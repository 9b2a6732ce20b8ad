"""Thousands of changed packages: we accept none that python-xmlsec refuses, and none that reads otherwise than was signed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from hub.formats import envelope, mime, xml
from hub.formats.envelope import Envelope
from hub.trust.signature import SignatureFault, SignaturePolicy, verify
from hub.trust.signing import sign
from tests.support.sample import Sampling
from tests.unit.envelopes import WRITTEN
from tests.unit.keys import signing_key
from tests.witness.mutations import MUTATIONS, Mutation
from tests.witness.official_messages import real_messages
from tests.witness.oracles import python_xmlsec, sign_by_python_xmlsec, signxml
from tests.witness.templates import TOLERATED, template

SEEDS = 40
SHARE = 0.4  #: of them, where a run takes a sample
PARTS = {"part@example.no": b"0\x82payload" * 9, "two": b"<a/>"}
#: Why we may refuse what a witness accepts: the profile asks for more, or the XML is refused before any key is looked at.
STRICTER = {
    "structure": "ds:Object, xml: attributes above SignedInfo, or elements in values",
    "several-certificates": "HITS 1172 65 asks for exactly one",
    "no-certificate": "HITS 1172 41, 103",
    "transforms": "a shape of transforms outside HITS 1172 35-38",
    "uncovered-block": "an ebXML element for the next node that nobody reads, beside those that must not be there",
    "algorithm": "outside the policy",
    "not-well-formed": "a declaration that is not of XML 1.0",
    "bad-certificate": "the certificate has more than base64 in it, or is not read by both",
}

Base = tuple[str, bytes, Mapping[str, bytes]]


def _own() -> Iterator[Base]:
    yield "business", sign(WRITTEN["business"], list(PARTS.items()), signing_key()), PARTS
    yield "acknowledgment", sign(WRITTEN["acknowledgment"], [], signing_key()), {}
    for shape in ("no filter", "other blanks, prefix and quotes", "exclusive", "no canonicalisation named"):
        transforms, method = TOLERATED[shape]
        written = template(WRITTEN["business"], PARTS, transforms, method, prefix="" if shape == "exclusive" else "ds")
        yield shape, sign_by_python_xmlsec(written, PARTS, signing_key()), PARTS
    with_reply = WRITTEN["business with TimeToLive and SyncReply"]
    yield "with SyncReply", sign(with_reply, [("part", b"1")], signing_key()), {"part": b"1"}


def _ours(raw: bytes, parts: Mapping[str, bytes]) -> tuple[str, Envelope | None]:
    """Empty and what is read when it is accepted, else the reason."""
    root = xml.parse(raw, xml.Bounds(1_000_000))
    if isinstance(root, xml.XmlFault):
        return root.reason, None
    found = verify(raw, root, parts, SignaturePolicy(allow_sha1=True))
    if isinstance(found, SignatureFault):
        return found.reason, None
    read = envelope.read(root)
    return ("", read) if isinstance(read, Envelope) else (f"no envelope: {read.rule}", None)


def _signed_facts(e: Envelope) -> Envelope:
    """What is read, without what the profile leaves to the next node."""
    return replace(e, ack_requested=False, ack_signed=False, sync_reply=False, findings=())


def _tried(base: Base, mutation: Mutation, outcomes: Counter[str], seeds: Sequence[int]) -> None:
    name, raw, parts = base
    reason, original = _ours(raw, parts)
    assert reason == "" and original is not None and python_xmlsec(raw, parts) == ""
    for seed in seeds:
        changed, changed_parts = mutation(raw, parts, Random(f"{name}{mutation.__name__}{seed}"))
        where = f"{name}, {mutation.__name__}, seed {seed}"
        reason, read = _ours(changed, changed_parts)
        theirs = python_xmlsec(changed, changed_parts)
        if read is not None:
            assert theirs == "", f"{where}: accepted, but python-xmlsec says {theirs}"
            assert _signed_facts(read) == _signed_facts(original), f"{where}: accepted, and reads otherwise"
        elif theirs == "" and not reason.startswith("no envelope"):
            assert reason in STRICTER, f"{where}: python-xmlsec accepts; we say {reason}"
        outcomes["accepted" if read is not None else reason] += 1


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.__name__)
def test_we_accept_no_changed_package_that_python_xmlsec_refuses(mutation: Mutation, sampling: Sampling) -> None:
    outcomes: Counter[str] = Counter()
    seeds = sampling.some(range(SEEDS), SHARE, mutation.__name__)
    for base in _own():
        _tried(base, mutation, outcomes, seeds)
    if mutation.__name__ == "harmless":
        assert outcomes["accepted"] > len(seeds)
    else:
        assert outcomes.total() - outcomes["accepted"] > len(seeds)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.__name__)
def test_the_same_holds_for_real_messages(standards: Path, mutation: Mutation, sampling: Sampling) -> None:
    outcomes: Counter[str] = Counter()
    seeds = sampling.some(range(SEEDS // 4), SHARE, mutation.__name__)
    for real in real_messages(standards):
        package = real.package
        if "XML signature verifies" in real.notes and isinstance(package, mime.Package):
            parts = {p.content_id: p.content for p in package.attachments}
            _tried((real.name, package.root.content, parts), mutation, outcomes, seeds)
    assert outcomes.total() == 7 * len(seeds)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.__name__)
def test_signxml_accepts_no_changed_package_that_we_refuse_for_what_it_proves(
    mutation: Mutation, sampling: Sampling
) -> None:
    """It does not look at where a signature stands or what lies beside it, so it is asked only about what is proven."""
    raw = sign(WRITTEN["business"], list(PARTS.items()), signing_key())
    for seed in sampling.some(range(SEEDS), SHARE, mutation.__name__):
        changed, parts = mutation(raw, PARTS, Random(seed))
        reason, _ = _ours(changed, parts)
        if reason in ("digest-mismatch", "signature-mismatch", "missing-part"):
            assert signxml(changed, parts), f"{mutation.__name__}, seed {seed}: {reason}"
        if mutation.__name__ == "harmless":
            assert signxml(changed, parts) == ""
