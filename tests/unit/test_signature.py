"""The one signature profile: what we sign we verify, what was changed is told apart, and every refusal has its name."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

import pytest
from lxml import etree

from hub import codes
from hub.formats import envelope_write, xml
from hub.formats.envelope import DS
from hub.trust import signature
from hub.trust.signature import SignatureFault, SignaturePolicy, Verified, references_of, verify
from hub.trust.signing import digests, sign
from tests.unit.envelopes import HEADER, SCHEMA, WRITTEN, one, root_of, signal
from tests.unit.keys import certificate, elliptic_certificate, signing_key

PARTS = {"part@example.no": b"\x30\x82 the payload \r\n\x00"}
POLICY = SignaturePolicy()


def signed(name: str = "business", parts: Mapping[str, bytes] | None = None) -> bytes:
    known = PARTS if name == "business" and parts is None else parts or {}
    return sign(WRITTEN[name], list(known.items()), signing_key())


def judged(
    raw: bytes, parts: Mapping[str, bytes] = PARTS, policy: SignaturePolicy = POLICY
) -> Verified | SignatureFault:
    root = xml.parse(raw, xml.Bounds(1_000_000))
    assert not isinstance(root, xml.XmlFault), root
    return verify(raw, root, parts, policy)


def reason(raw: bytes, parts: Mapping[str, bytes] = PARTS, policy: SignaturePolicy = POLICY) -> str:
    found = judged(raw, parts, policy)
    return found.reason if isinstance(found, SignatureFault) else ""


@pytest.mark.parametrize("name", WRITTEN)
def test_what_we_sign_we_verify(name: str) -> None:
    parts = PARTS if name == "business" else {}
    found = judged(signed(name, parts), parts)
    assert isinstance(found, Verified), found
    assert found.certificate_der == certificate() and not found.weak


def test_the_signature_is_the_last_child_of_the_header() -> None:
    header = root_of(signed()).find("{*}Header")
    assert header is not None and header[-1].tag == f"{{{DS}}}Signature"


def test_the_digests_that_an_acknowledgment_must_echo_are_those_that_were_signed() -> None:
    found = judged(signed())
    assert isinstance(found, Verified)
    assert digests(WRITTEN["business"], list(PARTS.items())) == tuple((r.uri, r.digest_value) for r in found.references)


def test_references_can_be_echoed_and_the_acknowledgment_still_verifies() -> None:
    """HITS 1172 116, 117: copied as they are, in XML that stands alone."""
    received = references_of(root_of(signed()))
    written = envelope_write.acknowledgment(signal("Acknowledgment"), HEADER.message_id, [r.xml for r in received])
    canonical = etree.tostring(etree.fromstring(written), method="c14n")
    raw = sign(canonical, [], signing_key())
    assert reason(raw, {}) == ""
    echoed = root_of(raw).findall(f"{{*}}Header/{{*}}Acknowledgment/{{{DS}}}Reference")
    assert [(r.get("URI"), r.findtext(f"{{{DS}}}DigestValue")) for r in echoed] == [
        (r.uri, r.digest_value) for r in received
    ]


def test_an_unsigned_envelope_has_no_references() -> None:
    assert references_of(root_of(WRITTEN["business"])) == ()


@pytest.mark.parametrize(
    "place", [b"8000402", b"HENVISNINGsender", b"2026-03-02", b"part@example.no", b"henvisning/2012", b"toPartyMSH"]
)
def test_a_changed_letter_in_the_envelope_is_found(place: bytes) -> None:
    raw = signed()
    at = raw.index(place)
    changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
    assert reason(changed, PARTS) in ("digest-mismatch", "signature-mismatch")


@pytest.mark.parametrize("content", [b"", b"another", PARTS["part@example.no"] + b"\n", PARTS["part@example.no"][:-1]])
def test_a_changed_part_is_found(content: bytes) -> None:
    assert reason(signed(), {"part@example.no": content}) == "digest-mismatch"


def test_a_part_that_nobody_signed_is_refused() -> None:
    assert reason(signed(), {**PARTS, "stowaway": b"x"}) == "uncovered-part"


def test_a_part_that_was_signed_and_is_not_there_is_refused() -> None:
    assert reason(signed(), {}) == "missing-part"


def test_parts_under_each_others_names_are_refused() -> None:
    raw = sign(WRITTEN["business"], [("a", b"1"), ("b", b"2")], signing_key())
    assert reason(raw, {"a": b"1", "b": b"2"}) == ""
    assert reason(raw, {"a": b"2", "b": b"1"}) == "digest-mismatch"


def test_a_percent_encoded_cid_names_its_part() -> None:
    raw = sign(WRITTEN["business"], [("a%40b", b"1")], signing_key())
    assert reason(raw, {"a@b": b"1"}) == ""


def test_whitespace_and_comments_outside_the_signature_count_as_c14n_says() -> None:
    raw = signed()
    assert reason(raw.replace(b"<eb:CPAId>", b"<!-- a comment --><eb:CPAId>")) == ""
    assert reason(raw.replace(b"<eb:CPAId>", b" <eb:CPAId>")) == "digest-mismatch"
    assert reason(raw.replace(b"<eb:CPAId>", b"<?a pi?><eb:CPAId>")) == "digest-mismatch"
    assert reason(raw.replace(b"></eb:AckRequested>", b"/>")) == ""
    assert reason(raw.replace(b"<SOAP:Header>", b"<SOAP:Header\n\t>")) == ""


def test_line_breaks_in_base64_are_passed_over() -> None:
    """Carriage returns come as character references from some (ebxml.md §10 item 16); in the value they are not signed."""

    def broken(found: re.Match[bytes]) -> bytes:
        value = found[2]
        return found[1] + b"&#13;\n" + value[:20] + b"&#xD;\n  " + value[20:] + b"\r\n" + found[3]

    raw = re.sub(rb"(<ds:SignatureValue>)(.+?)(</ds:SignatureValue>)", broken, signed())
    assert reason(re.sub(rb"(<ds:X509Certificate>)(.+?)(</ds:X509Certificate>)", broken, raw)) == ""


def test_a_block_for_the_next_node_may_come_and_go() -> None:
    """H1037 5.5: SyncReply is for the next node, and outside the digest."""
    with_reply = signed("business with TimeToLive and SyncReply", {})
    sync = re.search(rb"<eb:SyncReply .*?</eb:SyncReply>", with_reply)
    assert sync is not None and reason(with_reply, {}) == ""
    assert reason(with_reply.replace(sync[0], b""), {}) == ""
    moved = with_reply.replace(sync[0], b"").replace(b"<SOAP:Header>", b"<SOAP:Header>" + sync[0])
    assert reason(moved, {}) == ""


def _value(name: bytes, value: bytes, raw: bytes) -> bytes:
    return re.sub(
        rb"<ds:" + name + rb">.*?</ds:" + name + rb">", b"<ds:" + name + b">" + value + b"</ds:" + name + b">", raw
    )


def _der(content: bytes) -> bytes:
    return base64.b64encode(content)


#: 1.2.840.113549.1.1.1, as it stands in the key of a certificate.
RSA_OID = bytes.fromhex("06092a864886f70d010101")
RAW = signed()
SIGNATURE = re.search(rb"<ds:Signature .*</ds:Signature>", RAW)[0]  # type: ignore[index]
FAULTS: dict[str, tuple[bytes, str, str]] = {
    "no signature": (RAW.replace(SIGNATURE, b""), "45", "missing"),
    "two signatures": (RAW.replace(SIGNATURE, SIGNATURE * 2), "52", "several"),
    "in the body": (RAW.replace(SIGNATURE, b"").replace(b"<SOAP:Body>", b"<SOAP:Body>" + SIGNATURE), "45", "misplaced"),
    "inside another block": (
        RAW.replace(SIGNATURE, b"").replace(b"</eb:MessageHeader>", SIGNATURE + b"</eb:MessageHeader>"),
        "45",
        "misplaced",
    ),
    "with an Object": (RAW.replace(b"</ds:Signature>", b"<ds:Object>x</ds:Object></ds:Signature>"), "52", "structure"),
    "xml: attribute": (RAW.replace(b"<SOAP:Header>", b'<SOAP:Header xml:lang="no">'), "38", "structure"),
    "no SignedInfo": (re.sub(rb"<ds:SignedInfo>.*</ds:SignedInfo>", b"", RAW), "363", "no-signed-info"),
    "no SignatureValue": (re.sub(rb"<ds:SignatureValue>.*</ds:SignatureValue>", b"", RAW), "42", "no-signature-value"),
    "value is no base64": (_value(b"SignatureValue", b"!", RAW), "42", "signature-mismatch"),
    "value is another": (_value(b"SignatureValue", b"QUJD", RAW), "50", "signature-mismatch"),
    "value with a comment": (RAW.replace(b"<ds:SignatureValue>", b"<ds:SignatureValue><ds:x/>"), "363", "structure"),
    "no KeyInfo": (re.sub(rb"<ds:KeyInfo>.*</ds:KeyInfo>", b"", RAW), "32", "no-key-info"),
    "no certificate": (re.sub(rb"<ds:X509Certificate>.*</ds:X509Certificate>", b"", RAW), "41, 103", "no-certificate"),
    "two certificates": (
        RAW.replace(b"</ds:X509Data>", b"<ds:X509Certificate>QUJD</ds:X509Certificate></ds:X509Data>"),
        "65",
        "several-certificates",
    ),
    "certificate is no base64": (_value(b"X509Certificate", b"MII*", RAW), "46", "bad-certificate"),
    "certificate is none": (_value(b"X509Certificate", b"QUJD", RAW), "46", "bad-certificate"),
    "somebody else's certificate": (_value(b"X509Certificate", _der(certificate(1)), RAW), "50", "signature-mismatch"),
    "a key that is not RSA": (_value(b"X509Certificate", _der(elliptic_certificate()), RAW), "84", "algorithm"),
    "HMAC with the certificate": (
        RAW.replace(signature.RSA_SHA256.encode(), b"http://www.w3.org/2000/09/xmldsig#hmac-sha1"),
        "84",
        "algorithm",
    ),
    "SHA-1": (
        RAW.replace(signature.RSA_SHA256.encode(), b"http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
        "84",
        "algorithm",
    ),
    "no reference": (re.sub(rb"<ds:Reference .*</ds:Reference>", b"", RAW), "39", "no-reference"),
    "no root reference": (RAW.replace(b'URI=""', b'URI="cid:x"'), "40", "no-root-reference"),
    "two root references": (RAW.replace(b'URI="cid:part@example.no"', b'URI=""'), "40", "no-root-reference"),
    "reference to an id": (RAW.replace(b'URI="cid:part@example.no"', b'URI="#body"'), "34, 85", "foreign-reference"),
    "reference to a file": (
        RAW.replace(b'URI="cid:part@example.no"', b'URI="file:///etc/passwd"'),
        "34, 85",
        "foreign-reference",
    ),
    "reference without URI": (RAW.replace(b' URI="cid:part@example.no"', b""), "34, 85", "foreign-reference"),
    "c14n with comments": (
        RAW.replace(
            b'<ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"',
            b'<ds:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"',
        ),
        "38",
        "algorithm",
    ),
    "c14n with parameters": (
        RAW.replace(b"></ds:CanonicalizationMethod>", b"><x/></ds:CanonicalizationMethod>"),
        "38",
        "algorithm",
    ),
    "a certificate of an unknown kind of key": (
        _value(b"X509Certificate", _der(certificate().replace(RSA_OID, RSA_OID[:-1] + b"\x00", 1)), RAW),
        "46",
        "bad-certificate",
    ),
    "an envelope that has no canonical form": (
        RAW.replace(b"<SOAP:Header>", b'<SOAP:Header xmlns:r="relative">'),
        "38",
        "structure",
    ),
    "changed SignedInfo": (_value(b"DigestValue", b"QUJD", RAW), "50", "signature-mismatch"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_refusal_has_its_rule_and_its_name(name: str) -> None:
    raw, rule, wanted = FAULTS[name]
    found = judged(raw)
    assert isinstance(found, SignatureFault)
    assert (found.rule, found.reason) == (rule, wanted)
    assert codes.reason(codes.SIGNATURE.get(found.reason, "signature-structure")).ebms in (
        "SecurityFailure",
        "MimeProblem",
    )


def test_more_references_than_any_honest_message_has_are_not_worked_through() -> None:
    assert reason(RAW, policy=SignaturePolicy(max_references=1)) == "structure"


def test_a_signed_info_larger_than_any_honest_one_is_refused_before_it_is_verified() -> None:
    assert reason(RAW, policy=SignaturePolicy(max_signed_info=500)) == "structure"


def test_the_signature_is_checked_before_the_envelope_is_canonicalised(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forged message must stay cheap."""
    monkeypatch.setattr(signature, "_canonical_envelope", None)
    assert reason(FAULTS["value is another"][0]) == "signature-mismatch"


@pytest.mark.parametrize("written", ["unsigned", "twice"])
def test_nothing_is_accepted_for_its_looks(written: str) -> None:
    root = root_of(RAW)
    element = one(root, "MessageId")
    element.text = "another"
    assert isinstance(verify(etree.tostring(root), root, PARTS, POLICY), SignatureFault)


def test_a_business_message_without_schema_is_signed_like_any_other() -> None:
    raw = sign(envelope_write.business(HEADER, "p", ("", "")), [("p", b"x")], signing_key())
    assert reason(raw, {"p": b"x"}) == "" and SCHEMA[0].encode() not in raw
