"""The real signed messages of the sector get the verdict that is known of them, and the witnesses say the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.formats import mime, xml
from hub.formats.envelope import EnvelopeFault
from hub.formats.envelope import read as read_envelope
from hub.trust.signature import SignatureFault, SignaturePolicy, Verified, verify
from tests.witness.official_messages import Real, real_messages
from tests.witness.oracles import python_xmlsec, signxml, xmlsec1

VERIFIES, DOES_NOT, BROKEN = "XML signature verifies", "XML signature does NOT verify", "XML signature BROKEN"
#: Files that are no ebXML package: two printed mail headers without a boundary, and two envelopes that are no XML.
UNREADABLE = {
    "ebxml-mime/sarepta/MIME-header-X-token.txt": "66",
    "ebxml-mime/sarepta/MIME-header.txt": "66",
    "ebxml-mime/nav-smtp-transport/content_description.eml": "not-well-formed",
    "ebxml-mime/nav-smtp-transport/not_ebxml.eml": "not-well-formed",
}
#: Of signed messages that do not verify: certificates that are placeholders, invented values, ebMS 3.0, changed later.
WHY_NOT = {
    "ebxml-soap/sarepta/Acknowledgment.xml": "bad-certificate",
    "ebxml-soap/sarepta/ebxml-eksempel.xml": "bad-certificate",
    "ebxml-soap/sarepta-history/Acknowledgment.xml": "bad-certificate",
    "ebxml-soap/sarepta-history/ebxml-eksempel.xml": "bad-certificate",
    "ebxml-soap/nav-ebxml-processor/acknowledgment.xml": "bad-certificate",
    "ebxml-soap/sarepta/ebxml-header-Description-manifest2-overvakning-SVAR_CYT.xml": "signature-mismatch",
    "ebxml-soap/sarepta/ebmx-3-0-ebxml-header.Henvisning20.xml": "misplaced",
    "ebxml-soap/sarepta/ebmx-3-0-ebxml-header.d237e310-796f-4e56-a50b-353b0e5d5947.SVAR_CYT.xml": "misplaced",
    "ebxml-mime/nav-ebxml-processor-history/hentpasientliste-full.xml": "digest-mismatch",
}
#: Reasons that are about the shape of a signature, and not about what it proves.
SHAPES = {"structure", "transforms", "algorithm", "several-certificates", "uncovered-block"}


def signed(standards: Path) -> Iterator[tuple[Real, bytes, dict[str, bytes]]]:
    """Those that can be read and have a signature, as (file, envelope, parts)."""
    for real in real_messages(standards):
        package = real.package
        if isinstance(package, mime.Package) and b"SignedInfo" in package.root.content:
            yield real, package.root.content, {p.content_id: p.content for p in package.attachments}


def judged(raw: bytes, parts: dict[str, bytes], *, allow_sha1: bool = True) -> Verified | SignatureFault:
    root = xml.parse(raw, xml.Bounds(1_000_000))
    assert not isinstance(root, xml.XmlFault), root
    return verify(raw, root, parts, SignaturePolicy(allow_sha1=allow_sha1))


def test_the_known_verdict_is_given_on_every_real_signed_message(standards: Path) -> None:
    seen = {VERIFIES: 0, DOES_NOT: 0, BROKEN: 0}
    for real, raw, parts in signed(standards):
        known = next((verdict for verdict in seen if verdict in real.notes), None)
        assert known is not None, f"{real.name} is signed, and the index says nothing of it"
        seen[known] += 1
        found = judged(raw, parts)
        reason = found.reason if isinstance(found, SignatureFault) else ""
        assert reason == ("" if known == VERIFIES else WHY_NOT[real.name]), real.name
    assert seen == {VERIFIES: 7, DOES_NOT: 8, BROKEN: 1}


def test_what_a_real_sender_signed_lies_within_the_profile(standards: Path) -> None:
    """Why there is no second road for other shapes: no real signature is refused for its shape."""
    reasons = [
        found.reason for _, raw, parts in signed(standards) if isinstance(found := judged(raw, parts), SignatureFault)
    ]
    assert len(reasons) == 9 and not SHAPES & set(reasons)


def test_python_xmlsec_and_xmlsec1_say_the_same_of_each(standards: Path, tmp_path: Path) -> None:
    for real, raw, parts in signed(standards):
        good = isinstance(judged(raw, parts), Verified)
        assert (python_xmlsec(raw, parts) == "") == good, real.name
        if good:
            assert xmlsec1(tmp_path, raw, parts) == "", real.name


def test_of_those_that_verify_the_ones_with_sha1_need_the_policy(standards: Path) -> None:
    weak = [real.name for real, raw, parts in signed(standards) if getattr(judged(raw, parts), "weak", False)]
    assert weak == ["ebxml-mime/nav-ebxml-processor/harBorgerEgenandelFritakRequest"]
    for real, raw, parts in signed(standards):
        if real.name in weak:
            found = judged(raw, parts, allow_sha1=False)
            assert isinstance(found, SignatureFault) and found.reason == "algorithm"


def test_signxml_accepts_none_that_we_refuse(standards: Path) -> None:
    """It cannot say more here: the filter, and signatures in a default namespace below other declarations, are beyond it."""
    for real, raw, parts in signed(standards):
        if isinstance(judged(raw, parts), SignatureFault):
            assert signxml(raw, parts), real.name


def test_every_real_file_is_read_or_refused_by_name(standards: Path) -> None:
    for real in real_messages(standards):
        package = real.package
        if isinstance(package, mime.MimeFault):
            assert package.rule == UNREADABLE[real.name]
            continue
        root = xml.parse(package.root.content, xml.Bounds(1_000_000))
        if isinstance(root, xml.XmlFault):
            assert root.reason == UNREADABLE[real.name]
            continue
        assert real.name not in UNREADABLE
        found = read_envelope(root)
        signal = "eb:MessageHeader" in package.root.content.decode("utf-8", "replace")
        assert signal != isinstance(found, EnvelopeFault), real.name


@pytest.mark.parametrize(
    ("name", "kind", "parts"),
    [
        ("ebxml-mime/nav-smtp-transport/EgenAndelForespoersel.eml", "business", 1),
        ("ebxml-mime/nav-smtp-transport/acknowledgment.eml", "acknowledgment", 0),
        ("ebxml-mime/nav-ebxml-processor/harBorgerEgenandelFritakRequest", "business", 1),
        ("ebxml-mime/hermes/test1.msg", "business", 1),
        ("ebxml-mime/nhs-integration-adaptors/ebxml_request_multiple_attachments.xml", "business", 3),
        ("ebxml-soap/nav-ebxml-processor/messageerror.xml", "error", 0),
        ("ebxml-soap/nhs-integration-adaptors/ebxml_ack.xml", "acknowledgment", 0),
        ("ebxml-soap/nhs-integration-adaptors/ebxml_nack.xml", "error", 0),
    ],
)
def test_real_packages_are_taken_apart_and_classified(standards: Path, name: str, kind: str, parts: int) -> None:
    (real,) = [r for r in real_messages(standards) if r.name == name]
    package = real.package
    assert isinstance(package, mime.Package)
    root = xml.parse(package.root.content, xml.Bounds(1_000_000))
    assert not isinstance(root, xml.XmlFault)
    found = read_envelope(root)
    assert not isinstance(found, EnvelopeFault)
    assert (found.kind, len(package.attachments)) == (kind, parts)
    assert {item.href for item in found.manifest} <= {p.content_id for p in package.attachments}
