"""Seals of the message bus: exactly the structure that .NET reads, opened with old and new keys, believed for one reason only."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from asn1crypto import cms as asn1
from asn1crypto import core as asn1_core
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, AsymmetricPadding, PKCS1v15
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import codes
from hub.formats.amqp_report import Condition
from hub.trust import cms, signed_data
from hub.trust.signed_data import SealFault, SealPolicy, Unsealed, Verified
from tests.unit.keys import certificate, decryption_key, elliptic_certificate, private_key, signing_key

DOCUMENT = "<a>blåbær</a>".encode()
POLICY = SealPolicy()
SIGNER, RECEIVER = 0, 1


def sealed(content: bytes = DOCUMENT) -> bytes:
    return signed_data.seal(content, signing_key(SIGNER), certificate(RECEIVER))


def unsealed(raw: bytes, *, keys: tuple[int, ...] = (RECEIVER,), expected: tuple[int, ...] = (SIGNER,)) -> object:
    own, theirs = [decryption_key(k) for k in keys], [certificate(e) for e in expected]
    return signed_data.unseal(raw, own, theirs, POLICY)


def verified(raw: bytes, *expected: bytes, policy: SealPolicy = POLICY) -> Verified | SealFault:
    return signed_data.verify(raw, expected or (certificate(SIGNER),), policy)


def reason(found: object) -> str:
    assert isinstance(found, SealFault), found
    assert found.text and found.reason in codes.SEAL
    return found.reason


def test_what_is_sealed_opens_again_and_says_by_whom() -> None:
    for content in (DOCUMENT, b"", b"\r\n", b"\x04\x03abc", bytes(range(256)) * 300):
        assert unsealed(sealed(content)) == Unsealed(content, certificate(SIGNER), "sha256", "AES-256-CBC")


def test_the_structure_is_that_of_the_library() -> None:
    """nhn-amqp.md §3.2, item by item."""
    info = asn1.ContentInfo.load(signed_data.sign(DOCUMENT, signing_key(SIGNER)), strict=True)
    assert info["content_type"].dotted == "1.2.840.113549.1.7.2"
    signed = info["content"]
    assert signed["version"].native == "v1" and signed["crls"].native is None
    assert signed["encap_content_info"]["content_type"].dotted == "1.2.840.113549.1.7.1"
    assert signed["encap_content_info"]["content"].contents == DOCUMENT
    assert [a["algorithm"].dotted for a in signed["digest_algorithms"]] == ["2.16.840.1.101.3.4.2.1"]
    assert [c.chosen.dump() for c in signed["certificates"]] == [certificate(SIGNER)]
    (signer,) = signed["signer_infos"]
    assert signer["version"].native == "v1" and signer["sid"].name == "issuer_and_serial_number"
    assert signer["digest_algorithm"]["algorithm"].dotted == "2.16.840.1.101.3.4.2.1"
    assert signer["signed_attrs"].native is None and signer["unsigned_attrs"].native is None
    assert signer["signature_algorithm"]["algorithm"].dotted == "1.2.840.113549.1.1.1"
    public = private_key(SIGNER).public_key()
    public.verify(signer["signature"].native, DOCUMENT, PKCS1v15(), hashes.SHA256())


def test_the_envelope_has_one_recipient_and_content_of_type_data() -> None:
    enveloped = asn1.ContentInfo.load(sealed(), strict=True)["content"]
    assert enveloped["version"].native == "v0" and enveloped["originator_info"].native is None
    (recipient,) = enveloped["recipient_infos"]
    assert recipient.name == "ktri" and recipient.chosen["version"].native == "v0"
    assert recipient.chosen["rid"].name == "issuer_and_serial_number"
    assert recipient.chosen["key_encryption_algorithm"]["algorithm"].dotted == "1.2.840.113549.1.1.1"
    hidden = enveloped["encrypted_content_info"]
    assert hidden["content_type"].dotted == "1.2.840.113549.1.7.1"
    assert hidden["content_encryption_algorithm"]["algorithm"].dotted == "2.16.840.1.101.3.4.1.42"
    assert len(hidden["content_encryption_algorithm"]["parameters"].native) == 16
    assert enveloped["unprotected_attrs"].native is None


def test_the_chain_travels_along_when_asked() -> None:
    raw = signed_data.sign(DOCUMENT, signing_key(SIGNER), [certificate(2)])
    signed = asn1.ContentInfo.load(raw)["content"]
    assert {c.chosen.dump() for c in signed["certificates"]} == {certificate(SIGNER), certificate(2)}
    assert isinstance(verified(raw), Verified)


def test_old_and_new_keys_open_through_a_roll_over() -> None:
    """nhn-amqp.md §3.6: the recipient is found by issuer and serial, the signer among several expected."""
    raw = sealed()
    assert isinstance(unsealed(raw, keys=(2, RECEIVER)), Unsealed)
    assert isinstance(unsealed(raw, expected=(2, SIGNER)), Unsealed)
    assert reason(unsealed(raw, keys=(2,))) == "no-recipient"
    assert reason(unsealed(raw, keys=())) == "no-recipient"


def test_a_certificate_that_is_not_embedded_is_told_from_another_signer() -> None:
    """nhn-amqp.md §3.3 item 6, and the weakness below it: the expected one embedded, another one signing."""
    assert reason(unsealed(sealed(), expected=(2,))) == "not-embedded"
    foreign = signed_data.sign(DOCUMENT, signing_key(2), [certificate(SIGNER)])
    assert reason(verified(foreign)) == "signer"
    assert isinstance(verified(foreign, certificate(2)), Verified)


def test_a_signer_info_that_only_claims_to_be_the_expected_does_not_verify() -> None:
    """The reference may be forged as well: then the expected certificate's own key says no."""
    info = asn1.ContentInfo.load(signed_data.sign(DOCUMENT, signing_key(2), [certificate(SIGNER)]))
    genuine = asn1.ContentInfo.load(signed_data.sign(DOCUMENT, signing_key(SIGNER)))
    info["content"]["signer_infos"][0]["sid"] = genuine["content"]["signer_infos"][0]["sid"]
    assert reason(verified(info.dump(force=True))) == "signature"


def test_a_certificate_of_the_same_serial_by_somebody_else_is_another_signer() -> None:
    info = asn1.ContentInfo.load(signed_data.sign(DOCUMENT, signing_key(2)))
    sid = info["content"]["signer_infos"][0]["sid"].chosen
    sid["serial_number"] = 1000 + SIGNER
    info["content"]["certificates"] = [asn1.Certificate.load(certificate(SIGNER))]
    assert reason(verified(info.dump(force=True))) == "signer"


def test_changed_content_and_changed_signature_do_not_verify() -> None:
    for change in (_content_changed, _signature_changed):
        info = asn1.ContentInfo.load(signed_data.sign(DOCUMENT, signing_key(SIGNER)))
        change(info["content"])
        assert reason(verified(info.dump(force=True))) == "signature"


def _content_changed(signed: Any) -> None:
    signed["encap_content_info"] = {"content_type": "data", "content": DOCUMENT + b" "}


def _signature_changed(signed: Any) -> None:
    signed["signer_infos"][0]["signature"] = bytes(256)


def test_without_an_expected_certificate_nothing_is_believed() -> None:
    """The library returns such content unverified (§3.3 item 7); we do not."""
    raw = signed_data.sign(DOCUMENT, signing_key(SIGNER))
    assert reason(signed_data.verify(raw, [], POLICY)) == "no-certificate"
    assert reason(verified(raw, elliptic_certificate())) == "bad-certificate"
    assert reason(verified(raw, b"\x30\x00")) == "bad-certificate"
    assert isinstance(verified(raw, b"\x30\x00", certificate(SIGNER)), Verified)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "not-cms"),
        (b"<a/>", "not-cms"),
        (signed_data.sign(DOCUMENT, signing_key(SIGNER)), "not-cms"),
        (cms.encrypt(DOCUMENT, certificate(RECEIVER)), "not-signed"),
        (cms.encrypt(b"", certificate(RECEIVER)), "not-signed"),
        (cms.encrypt(cms.encrypt(DOCUMENT, certificate(RECEIVER)), certificate(RECEIVER)), "not-signed"),
        (cms.encrypt(b"\x04\x7f", certificate(RECEIVER)), "not-signed"),
    ],
)
def test_what_is_not_signed_and_enveloped_says_what_it_is_not(raw: bytes, why: str) -> None:
    assert reason(unsealed(raw)) == why


def test_the_octet_string_of_old_dotnet_is_taken_off() -> None:
    """nhn-amqp.md §3.3 item 4."""
    inside = signed_data.sign(DOCUMENT, signing_key(SIGNER))
    raw = cms.encrypt(asn1_core.OctetString(inside).dump(), certificate(RECEIVER))
    found = unsealed(raw)
    assert isinstance(found, Unsealed) and found.content == DOCUMENT


def made(
    digest: str = "sha256",
    *,
    name: str = "rsassa_pkcs1v15",
    attributes: list[dict[str, object]] | None = None,
    detached: bool = False,
    padding: AsymmetricPadding | None = None,
    algorithm: hashes.HashAlgorithm | None = None,
) -> bytes:
    """SignedData by hand, right in all that is not said to be otherwise."""
    written = asn1.CMSAttributes(attributes) if attributes is not None else None
    over = written.dump() if written is not None else DOCUMENT
    algorithm = algorithm or hashes.SHA256()
    signer = {
        "version": "v1",
        "sid": asn1.SignerIdentifier(
            {
                "issuer_and_serial_number": {
                    "issuer": asn1.Certificate.load(certificate(SIGNER)).issuer,
                    "serial_number": 1000 + SIGNER,
                }
            }
        ),
        "digest_algorithm": {"algorithm": digest},
        "signature_algorithm": {"algorithm": name},
        "signature": private_key(SIGNER).sign(over, padding or PKCS1v15(), algorithm),
    }
    if written is not None:
        signer["signed_attrs"] = written
    inside = {"content_type": "data"} if detached else {"content_type": "data", "content": DOCUMENT}
    signed = {
        "version": "v1",
        "digest_algorithms": [{"algorithm": digest}],
        "encap_content_info": inside,
        "certificates": [asn1.Certificate.load(certificate(SIGNER))],
        "signer_infos": [signer],
    }
    return bytes(asn1.ContentInfo({"content_type": "signed_data", "content": asn1.SignedData(signed)}).dump())


def attribute(kind: str, *values: object) -> dict[str, object]:
    return {"type": kind, "values": list(values)}


def digest_of(content: bytes) -> bytes:
    hasher = hashes.Hash(hashes.SHA256())
    hasher.update(content)
    return hasher.finalize()


TYPE, DIGEST = attribute("content_type", "data"), attribute("message_digest", digest_of(DOCUMENT))


def test_signed_attributes_are_read_as_well() -> None:
    assert isinstance(verified(made(attributes=[TYPE, DIGEST])), Verified)
    assert isinstance(verified(made(attributes=[DIGEST, TYPE])), Verified)


@pytest.mark.parametrize(
    "attributes",
    [
        [],
        [TYPE],
        [DIGEST],
        [TYPE, attribute("message_digest", digest_of(b"other"))],
        [attribute("content_type", "signed_data"), DIGEST],
        [TYPE, DIGEST, DIGEST],
        [TYPE, attribute("message_digest", digest_of(DOCUMENT), digest_of(DOCUMENT))],
    ],
)
def test_signed_attributes_must_be_those_of_the_content(attributes: list[dict[str, object]]) -> None:
    """RFC 5652 11.1, 11.2: once each, with one value."""
    assert reason(verified(made(attributes=attributes))) == "signature"


def test_attributes_cannot_be_made_the_content_of_a_document() -> None:
    """What was signed as attributes and is shown as content is believed as content, and is no XML then."""
    written = asn1.CMSAttributes([TYPE, DIGEST]).dump()
    assert not written.lstrip().startswith(b"<")


def test_sha1_is_believed_only_by_policy() -> None:
    old = made("sha1", algorithm=hashes.SHA1())
    assert reason(verified(old)) == "algorithm"
    assert isinstance(verified(old, policy=SealPolicy(allow_sha1=True)), Verified)
    other = made("md5", algorithm=hashes.MD5())
    assert reason(verified(other, policy=SealPolicy(allow_sha1=True))) == "algorithm"


@pytest.mark.parametrize(
    ("digest", "name", "algorithm"),
    [
        ("sha384", "rsassa_pkcs1v15", hashes.SHA384()),
        ("sha512", "sha512_rsa", hashes.SHA512()),
        ("sha256", "sha256_rsa", hashes.SHA256()),
    ],
)
def test_other_names_and_digests_are_read(digest: str, name: str, algorithm: hashes.HashAlgorithm) -> None:
    found = verified(made(digest, name=name, algorithm=algorithm))
    assert isinstance(found, Verified) and found.digest == digest


@pytest.mark.parametrize("name", ["sha512_rsa", "sha1_rsa", "sha256_ecdsa"])
def test_a_signature_algorithm_that_does_not_fit_is_refused(name: str) -> None:
    assert reason(verified(made(name=name))) == "algorithm"


def test_detached_content_and_content_of_another_type_are_not_taken() -> None:
    assert reason(verified(made(detached=True))) == "not-signed"
    data = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
    assert reason(verified(made().replace(data, data[:-1] + b"\x09"))) == "not-signed"


def test_pss_is_read() -> None:
    pss = PSS(MGF1(hashes.SHA256()), PSS.DIGEST_LENGTH)
    info = asn1.ContentInfo.load(made(padding=pss))
    parameters = {
        "hash_algorithm": {"algorithm": "sha256"},
        "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": "sha256"}},
        "salt_length": 32,
    }
    info["content"]["signer_infos"][0]["signature_algorithm"] = {"algorithm": "rsassa_pss", "parameters": parameters}
    assert isinstance(verified(info.dump(force=True)), Verified)


_SEALED, _SIGNED = sealed(), signed_data.sign(DOCUMENT, signing_key(SIGNER))


@settings(max_examples=150)
@given(st.data())
def test_no_spoilt_seal_makes_it_raise_or_is_believed(data: st.DataObject) -> None:
    for raw, ask in ((_SEALED, unsealed), (_SIGNED, verified)):
        spoilt = bytearray(raw)
        for _ in range(data.draw(st.integers(1, 3))):
            spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
        found = ask(bytes(spoilt[: data.draw(st.integers(0, len(spoilt)))]))
        assert isinstance(found, SealFault) or found.content == DOCUMENT  # type: ignore[attr-defined]


@pytest.mark.parametrize("shape", [lambda: os.urandom(64), lambda: b"\x30\x80" * 5_000, lambda: b"\x24\x80" * 5_000])
def test_garbage_never_raises(shape: Callable[[], bytes]) -> None:
    assert reason(verified(shape())) == "not-signed"
    assert reason(unsealed(shape())) == "not-cms"
    assert reason(unsealed(cms.encrypt(shape(), certificate(RECEIVER)))) == "not-signed"


def test_contents_stay_out_of_what_is_printed() -> None:
    assert "bær" not in repr(unsealed(sealed())) and "certificate" not in repr(verified(_SIGNED))


def test_every_reason_is_reported_by_a_condition_that_the_profile_has() -> None:
    """nhn-amqp.md §4.4; what we add to it is said in SealFault."""
    conditions = {reason: codes.condition(code) for reason, code in codes.SEAL.items()}
    assert set(conditions.values()) <= set(Condition)
    assert conditions == {
        "not-cms": Condition.MALFORMED,
        "not-signed": Condition.MALFORMED,
        "no-recipient": Condition.INVALID_CERTIFICATE,
        "decryption": Condition.INVALID_CERTIFICATE,
        "cipher": Condition.UNSUPPORTED,
        "algorithm": Condition.UNSUPPORTED,
        "no-certificate": Condition.MISSING_CERTIFICATE,
        "bad-certificate": Condition.INVALID_CERTIFICATE,
        "not-embedded": Condition.INVALID_CERTIFICATE,
        "signer": Condition.INVALID_CERTIFICATE,
        "signature": Condition.INVALID_CERTIFICATE,
    }
    assert set(codes.BUS.values()) <= set(Condition) and codes.condition("unforeseen") == Condition.INTERNAL
    assert set(codes.BUS) <= set(codes.REASONS)
