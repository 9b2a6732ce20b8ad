"""Envelope signatures before witnesses: what we sign they verify, what they sign we verify, what is changed all refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hub.trust import signing
from hub.trust.signature import C14N, SignatureFault, SignaturePolicy, Verified, verify
from hub.trust.signing import sign
from tests.unit.envelopes import WRITTEN, root_of
from tests.unit.keys import certificate, signing_key
from tests.witness.oracles import python_xmlsec, sign_by_python_xmlsec, sign_by_xmlsec1, signxml, xmlsec1
from tests.witness.templates import OUTSIDE, PROFILE, TOLERATED, template, transform

PARTS = {"part@example.no": bytes(range(256)) * 40, "9b1c2c1e-0001-4d2a-8a0e-000000000001": b"<a>\r\n</a>"}
BUSINESS = WRITTEN["business"]
Signer = Callable[[Path, bytes], bytes]


def ours(raw: bytes, parts: dict[str, bytes], policy: SignaturePolicy | None = None) -> str:
    found = verify(raw, root_of(raw), parts, policy or SignaturePolicy())
    return found.reason if isinstance(found, SignatureFault) else ""


def _by_python(_: Path, written: bytes) -> bytes:
    return sign_by_python_xmlsec(written, PARTS, signing_key())


def _by_program(folder: Path, written: bytes) -> bytes:
    return sign_by_xmlsec1(folder, written, PARTS, signing_key())


@pytest.mark.parametrize("name", WRITTEN)
def test_all_three_witnesses_verify_what_we_sign(tmp_path: Path, name: str) -> None:
    parts = PARTS if name == "business" else {}
    raw = sign(WRITTEN[name], list(parts.items()), signing_key())
    assert python_xmlsec(raw, parts) == ""
    assert xmlsec1(tmp_path, raw, parts) == ""
    if "SyncReply" not in name:  # signxml passes over the filter, and takes the block for the next node as signed
        assert signxml(raw, parts) == ""


def test_every_witness_and_we_refuse_a_changed_part_and_a_changed_envelope(tmp_path: Path) -> None:
    raw = sign(BUSINESS, list(PARTS.items()), signing_key())
    changed = raw.replace(b">HENVISNINGsender<", b">HENVISNINGsendes<")
    for name in PARTS:
        parts = {**PARTS, name: PARTS[name] + b" "}
        assert all([ours(raw, parts), python_xmlsec(raw, parts), signxml(raw, parts), xmlsec1(tmp_path, raw, parts)])
    assert all([ours(changed, PARTS), python_xmlsec(changed, PARTS), signxml(changed, PARTS)])
    assert xmlsec1(tmp_path, changed, PARTS)


@pytest.mark.parametrize("signer", [_by_python, _by_program])
@pytest.mark.parametrize("shape", TOLERATED)
def test_we_verify_what_others_sign_in_every_shape_of_the_profile(tmp_path: Path, signer: Signer, shape: str) -> None:
    transforms, method = TOLERATED[shape]
    raw = signer(tmp_path, template(BUSINESS, PARTS, transforms, method))
    found = verify(raw, root_of(raw), PARTS, SignaturePolicy())
    assert isinstance(found, Verified), found
    assert found.certificate_der == certificate() and not found.weak
    assert [r.uri for r in found.references] == ["", *(f"cid:{name}" for name in PARTS)]
    assert python_xmlsec(raw, PARTS) == ""


@pytest.mark.parametrize("prefix", ["", "dsig", "Ds-1"])
def test_the_prefix_of_a_signature_does_not_matter(tmp_path: Path, prefix: str) -> None:
    raw = _by_program(tmp_path, template(BUSINESS, PARTS, prefix=prefix))
    assert ours(raw, PARTS) == "" and python_xmlsec(raw, PARTS) == ""


def test_a_key_value_beside_the_certificate_is_tolerated(tmp_path: Path) -> None:
    raw = _by_program(tmp_path, template(BUSINESS, PARTS, key_value=True))
    assert b"<ds:Modulus>" in raw and ours(raw, PARTS) == ""


def test_a_signal_of_others_is_verified(tmp_path: Path) -> None:
    for name in ("acknowledgment", "error"):
        raw = sign_by_xmlsec1(tmp_path, template(WRITTEN[name], []), {}, signing_key())
        assert ours(raw, {}) == ""


def test_namespaces_that_others_declare_are_in_scope_of_their_signature(tmp_path: Path) -> None:
    """Inclusive C14N takes every declaration that is in scope into SignedInfo, whether it is used or not."""
    wide = BUSINESS.replace(
        b"<SOAP:Envelope ",
        b'<SOAP:Envelope xmlns="urn:d" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:a="urn:1" ',
    ).replace(b"<SOAP:Header>", b'<SOAP:Header xmlns:a="urn:2" xmlns="">')
    for signer in (_by_python, _by_program):
        raw = signer(tmp_path, template(wide, PARTS))
        assert ours(raw, PARTS) == "" and python_xmlsec(raw, PARTS) == ""


@pytest.mark.parametrize("shape", OUTSIDE)
def test_shapes_outside_the_profile_are_refused_by_name_although_they_verify(tmp_path: Path, shape: str) -> None:
    transforms, method, reason = OUTSIDE[shape]
    raw = _by_program(tmp_path, template(BUSINESS, PARTS, transforms, method))
    assert xmlsec1(tmp_path, raw, PARTS) == ""
    assert ours(raw, PARTS) == reason


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        ("http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2000/09/xmldsig#sha1"),
        ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", "http://www.w3.org/2000/09/xmldsig#sha1"),
        ("http://www.w3.org/2000/09/xmldsig#rsa-sha1", "http://www.w3.org/2001/04/xmlenc#sha256"),
    ],
)
def test_sha1_is_refused_unless_the_policy_allows_it_and_then_it_is_said(
    tmp_path: Path, algorithm: str, digest: str
) -> None:
    raw = _by_python(tmp_path, template(BUSINESS, PARTS, algorithm=algorithm, digest=digest))
    assert ours(raw, PARTS) == "algorithm"
    found = verify(raw, root_of(raw), PARTS, SignaturePolicy(allow_sha1=True))
    assert isinstance(found, Verified) and found.weak


@pytest.mark.parametrize("bits", ["384", "512"])
def test_longer_hashes_are_taken(tmp_path: Path, bits: str) -> None:
    digest = (
        "http://www.w3.org/2001/04/xmlenc#sha512" if bits == "512" else "http://www.w3.org/2001/04/xmldsig-more#sha384"
    )
    algorithm = f"http://www.w3.org/2001/04/xmldsig-more#rsa-sha{bits}"
    assert ours(_by_python(tmp_path, template(BUSINESS, PARTS, algorithm=algorithm, digest=digest)), PARTS) == ""


EARLY = transform(C14N) + PROFILE.replace(transform(C14N), "")
JOINED = PROFILE.replace("actor:nextMSH", "actor:next MSH")
COMMENTED = PROFILE.replace(")</ds:XPath>", ")<!-- --> or true()</ds:XPath>")
LONGER = PROFILE.replace(")</ds:XPath>", ") and true()</ds:XPath>")


@pytest.mark.parametrize("transforms", [EARLY, JOINED, COMMENTED, LONGER])
def test_a_signer_who_means_something_else_than_the_profile_is_refused(
    monkeypatch: pytest.MonkeyPatch, transforms: str
) -> None:
    """The value holds and the digest is the profile's own; only what the transforms say is another thing."""
    monkeypatch.setattr(signing, "_ROOT_TRANSFORMS", f"<ds:Transforms>{transforms}</ds:Transforms>")
    raw = sign(BUSINESS, list(PARTS.items()), signing_key())
    assert ours(raw, PARTS) in ("transforms", "signature-mismatch")
    assert python_xmlsec(raw, PARTS)
