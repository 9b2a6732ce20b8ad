"""Payloads: what is encrypted opens again, what lies inside is unwrapped, and every failure has its name and no more."""

from __future__ import annotations

import base64
import gzip

import pytest
from asn1crypto import cms as asn1
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import codes
from hub.formats import coding
from hub.trust import cms
from hub.trust.cms import FAILED, CmsFault, CmsPolicy, Opened
from tests.unit.keys import certificate, decryption_key

DOCUMENT = '<?xml version="1.0"?><a>æøå</a>'.encode()
POLICY = CmsPolicy()
LIMIT = 1_000_000


def opened(content: bytes, *keys: int) -> Opened | CmsFault:
    return cms.decrypt(content, [decryption_key(k) for k in keys or (0,)], POLICY)


def reason(found: object) -> str:
    assert isinstance(found, CmsFault), found
    assert found.reason in codes.CMS
    return found.reason


def test_what_is_encrypted_opens_again_and_says_its_cipher() -> None:
    for content in (DOCUMENT, b"", b"\r\n", bytes(range(256)) * 300):
        found = opened(cms.encrypt(content, certificate()))
        assert found == Opened(content, "AES-256-CBC")


def test_the_same_content_never_looks_the_same_twice() -> None:
    assert cms.encrypt(DOCUMENT, certificate()) != cms.encrypt(DOCUMENT, certificate())


def test_any_of_several_keys_opens_it() -> None:
    """Old and new certificate lie side by side while a roll-over lasts (ebxml.md §5.6)."""
    assert isinstance(opened(cms.encrypt(DOCUMENT, certificate(1)), 0, 1), Opened)


def test_for_somebody_else_is_told_from_damaged() -> None:
    sealed = cms.encrypt(DOCUMENT, certificate(1))
    assert reason(opened(sealed)) == "no-recipient"
    assert reason(cms.decrypt(sealed, [], POLICY)) == "no-recipient"


def test_for_whom_it_was_encrypted_is_told() -> None:
    """So that a sender can see which certificate it used (nhn-amqp.md §3.3 item 3)."""
    found = opened(cms.encrypt(DOCUMENT, certificate(1)))
    assert isinstance(found, CmsFault)
    assert found.text == "was encrypted for somebody else: serial 3e9 of Common Name: Prøve 1"


@pytest.mark.parametrize("wrapped", [base64.b64encode, base64.encodebytes, lambda raw: b"\n " + base64.b64encode(raw)])
def test_base64_and_pem_are_made_binary_first(wrapped: object) -> None:
    assert callable(wrapped)
    sealed = cms.encrypt(DOCUMENT, certificate())
    assert isinstance(opened(wrapped(sealed)), Opened)
    pem = b"-----BEGIN PKCS7-----\n" + base64.encodebytes(sealed) + b"-----END PKCS7-----\n"
    assert isinstance(opened(pem), Opened)


@pytest.mark.parametrize(
    "content", [b"", b"0", b"<a/>", b"0\x80", b"0\x03\x02\x01\x05", b"\x1f\x8b", b"AAAA", b"\xff" * 40]
)
def test_what_is_no_cms_is_told(content: bytes) -> None:
    assert reason(opened(content)) == "not-cms"


def test_signed_data_is_cms_but_nothing_to_open() -> None:
    signed = asn1.ContentInfo({"content_type": "data", "content": b"x"}).dump()
    assert reason(opened(signed)) == "not-cms"


def test_every_failure_behind_the_key_reads_alike() -> None:
    """Who learns which step failed can decrypt with our help (ebxml.md §4.3)."""
    sealed = cms.encrypt(DOCUMENT, certificate())
    texts = set()
    for place in (-1, -20, -40):
        spoilt = bytearray(sealed)
        spoilt[place] ^= 0x55
        found = opened(bytes(spoilt))
        if isinstance(found, CmsFault):
            texts.add((found.reason, found.text))
    info = asn1.ContentInfo.load(sealed)
    key = info["content"]["recipient_infos"][0].chosen
    key["encrypted_key"] = bytes(256)
    found = opened(info.dump(force=True))
    assert isinstance(found, CmsFault)
    texts.add((found.reason, found.text))
    assert texts == {("decryption", FAILED)}


@pytest.mark.parametrize("oid", ["1.3.14.3.2.7", "1.2.840.113549.3.2", "2.16.840.1.101.3.4.1.46"])
def test_des_rc2_and_unknown_ciphers_are_refused_before_any_key_is_used(oid: str) -> None:
    info = asn1.ContentInfo.load(cms.encrypt(DOCUMENT, certificate()))
    info["content"]["encrypted_content_info"]["content_encryption_algorithm"] = {"algorithm": oid}
    assert reason(opened(info.dump(force=True))) == "cipher"


@settings(max_examples=150)
@given(st.data())
def test_no_spoilt_envelope_makes_it_raise(data: st.DataObject) -> None:
    sealed = bytearray(_SEALED)
    for _ in range(data.draw(st.integers(1, 3))):
        sealed[data.draw(st.integers(0, len(sealed) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(sealed)))
    opened(bytes(sealed))
    opened(bytes(sealed[:cut]))


_SEALED = cms.encrypt(DOCUMENT, certificate())


@pytest.mark.parametrize("as_mime", [True, False])
@pytest.mark.parametrize("zipped", [True, False])
def test_every_form_of_content_is_wrapped_and_unwrapped(as_mime: bool, zipped: bool) -> None:
    wrapped = cms.wrap(DOCUMENT, as_mime=as_mime, gzip=zipped)
    assert cms.unwrap(wrapped, LIMIT) == DOCUMENT
    assert wrapped == cms.wrap(DOCUMENT, as_mime=as_mime, gzip=zipped)
    assert wrapped.startswith(b"Content-Type: ") == as_mime


@pytest.mark.parametrize(
    "content",
    [
        DOCUMENT,
        b"\xef\xbb\xbf" + DOCUMENT,
        b"\r\n" + DOCUMENT,
        b"Content-Type: application/xml\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(DOCUMENT),
        b"Content-Type: text/xml;\n charset=utf-8\n\n" + DOCUMENT,
        b"Content-ID: <1>\r\nContent-Type: application/xml\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + DOCUMENT,
        gzip.compress(DOCUMENT, mtime=0),
        gzip.compress(DOCUMENT[:9], mtime=0) + gzip.compress(DOCUMENT[9:], mtime=0) + b"\0\0",
        b"Content-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(gzip.compress(DOCUMENT, mtime=0)),
    ],
)
def test_what_others_put_inside_is_sniffed(content: bytes) -> None:
    """Bare, gzip or a MIME entity: HITS 1172 263, 264, and what one big sender does (ebxml.md §4.2)."""
    found = cms.unwrap(content, LIMIT)
    assert isinstance(found, bytes) and found.strip().removeprefix(b"\xef\xbb\xbf") == DOCUMENT


def test_the_last_byte_of_a_binary_entity_is_kept() -> None:
    assert cms.unwrap(b"Content-Type: application/xml\r\n\r\n<a/>\r", LIMIT) == b"<a/>\r"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"MSH|^~\\&|",
        b"X-Header: 1\r\n\r\n<a/>",
        b"Content-Type: application/xml\r\nContent-Transfer-Encoding: x-uu\r\n\r\n<a/>",
        b"Content-Type: application/pdf\r\n\r\n%PDF-1.4",
        gzip.compress(b"%PDF-1.4", mtime=0),
        gzip.compress(DOCUMENT, mtime=0)[:-9],
        b"\x1f\x8b" + b"\0" * 30,
        gzip.compress(b"<" + b"a" * 200, mtime=0) + b"x",
    ],
)
def test_what_is_no_document_inside_is_told(content: bytes) -> None:
    assert reason(cms.unwrap(content, LIMIT)) == "not-cms"


def test_a_bomb_is_not_unpacked_beyond_the_limit() -> None:
    bomb = gzip.compress(b"<" + b" " * 5_000_000)
    assert reason(cms.unwrap(bomb, 1_000)) == "not-cms"
    assert reason(cms.unwrap(gzip.compress(b"<" + b"a" * 600) * 2, 1_000)) == "not-cms"
    assert cms.unwrap(gzip.compress(b"<" + b"a" * 999), 1_000) == b"<" + b"a" * 999


@pytest.mark.parametrize("behind", [b"", b"\0" * 7])
def test_a_stream_of_so_many_members_is_unpacked_and_no_longer_one(behind: bytes) -> None:
    """A megabyte of empty ones held the loop for a quarter of a minute, for each is cut off from all that follows."""
    empty, document = gzip.compress(b""), gzip.compress(DOCUMENT, mtime=0)
    assert cms.unwrap(empty * (coding.MAX_MEMBERS - 1) + document + behind, LIMIT) == DOCUMENT
    assert reason(cms.unwrap(empty * coding.MAX_MEMBERS + document + behind, LIMIT)) == "not-cms"
    assert reason(cms.unwrap(document + empty * 500_000 + behind, LIMIT)) == "not-cms"


def test_keys_and_contents_stay_out_of_what_is_printed() -> None:
    assert "æøå" not in repr(Opened(DOCUMENT, "AES-256-CBC")) and "certificate" not in repr(decryption_key())
