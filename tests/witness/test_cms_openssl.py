"""Payloads before a witness: `openssl cms` opens what we encrypt, and we open what it encrypts in any way a partner may."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hub.trust import cms
from hub.trust.cms import CmsFault, CmsPolicy, Opened
from tests.unit.keys import certificate, decryption_key, private_key

DOCUMENT = '<?xml version="1.0" encoding="UTF-8"?><a>æøå</a>\n'.encode() * 200


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys 0, 1 and 2 with their certificates, as files."""
    folder = tmp_path_factory.mktemp("pem")
    for number in range(3):
        key = private_key(number).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{number}.key").write_bytes(key)
        written = x509.load_der_x509_certificate(certificate(number)).public_bytes(Encoding.PEM)
        (folder / f"{number}.pem").write_bytes(written)
    return folder


def openssl(*words: str, given: bytes) -> bytes:
    done = subprocess.run(["openssl", "cms", *words], input=given, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def encrypted(pem: Path, *options: str, recipients: Sequence[str] = ("0",), content: bytes = DOCUMENT) -> bytes:
    """By `openssl cms -encrypt`; recipients are numbers, or options that stand before one."""
    files = [str(pem / f"{r}.pem") if r.isdigit() else r for r in recipients]
    asked = [word for f in files for word in (["-recip", f] if f.endswith(".pem") else f.split())]
    return openssl("-encrypt", "-binary", "-outform", "DER", *options, *asked, given=content)


def opened(content: bytes, *keys: int, allow_3des: bool = True) -> Opened | CmsFault:
    return cms.decrypt(content, [decryption_key(k) for k in keys or (0,)], CmsPolicy(allow_3des))


@pytest.mark.parametrize("as_mime", [True, False])
@pytest.mark.parametrize("zipped", [True, False])
def test_openssl_opens_our_payloads(pem: Path, as_mime: bool, zipped: bool) -> None:
    wrapped = cms.wrap(DOCUMENT, as_mime=as_mime, gzip=zipped)
    sealed = cms.encrypt(wrapped, certificate())
    words = ["-decrypt", "-binary", "-inform", "DER", "-inkey", str(pem / "0.key"), "-recip", str(pem / "0.pem")]
    assert openssl(*words, given=sealed) == wrapped
    told = openssl("-cmsout", "-print", "-inform", "DER", "-noout", given=sealed).decode()
    assert "aes-256-cbc" in told and "rsaEncryption" in told and "issuerAndSerialNumber" in told


@pytest.mark.parametrize(
    ("cipher", "name"),
    [
        ("-aes256", "AES-256-CBC"),
        ("-aes192", "AES-192-CBC"),
        ("-aes128", "AES-128-CBC"),
        ("-des3", "3DES-CBC"),
    ],
)
@pytest.mark.parametrize("form", [(), ("-stream",), ("-keyid",), ("-stream", "-keyid")])
def test_we_open_what_openssl_encrypts(pem: Path, cipher: str, name: str, form: tuple[str, ...]) -> None:
    """DER and BER with indefinite lengths and chunks, recipient by issuer and serial or by key identifier."""
    sealed = encrypted(pem, cipher, *form)
    assert ("-stream" in form) == (sealed[1] == 0x80)
    assert opened(sealed) == Opened(DOCUMENT, name)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 1023, 1024, 1025, 300_000])
def test_we_open_every_size_in_chunks(pem: Path, size: int) -> None:
    content = b"x" * size
    found = opened(encrypted(pem, "-aes256", "-stream", content=content))
    assert isinstance(found, Opened) and found.content == content


@pytest.mark.parametrize("form", [(), ("-stream",)])
def test_we_find_ourselves_among_several_recipients(pem: Path, form: tuple[str, ...]) -> None:
    sealed = encrypted(pem, "-aes256", *form, recipients=("1", "2", "0"))
    for key in (0, 1, 2):
        assert opened(sealed, key) == Opened(DOCUMENT, "AES-256-CBC")
    assert opened(sealed, 2, 0) == Opened(DOCUMENT, "AES-256-CBC")


def test_a_password_recipient_beside_us_is_passed_over(pem: Path) -> None:
    sealed = encrypted(pem, "-aes256", "-pwri_password", "hemmelig")
    assert opened(sealed) == Opened(DOCUMENT, "AES-256-CBC")


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha512"])
def test_we_open_oaep(pem: Path, digest: str) -> None:
    options = f"-keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:{digest}"
    assert opened(encrypted(pem, "-aes256", recipients=("0", options))) == Opened(DOCUMENT, "AES-256-CBC")


def test_3des_is_opened_only_by_policy(pem: Path) -> None:
    found = opened(encrypted(pem, "-des3"), allow_3des=False)
    assert isinstance(found, CmsFault) and found.reason == "cipher"


@pytest.mark.parametrize("cipher", ["-aes-256-gcm", "-camellia256"])
def test_ciphers_outside_the_policy_are_refused_by_name(pem: Path, cipher: str) -> None:
    found = opened(encrypted(pem, cipher))
    assert isinstance(found, CmsFault) and found.reason in ("cipher", "not-cms")


def test_what_is_for_somebody_else_is_told(pem: Path) -> None:
    for form in ((), ("-keyid",), ("-stream",)):
        found = opened(encrypted(pem, "-aes256", *form, recipients=("1", "2")))
        assert isinstance(found, CmsFault) and found.reason == "no-recipient"


def test_signed_data_is_not_taken_for_encrypted(pem: Path) -> None:
    words = [
        "-sign",
        "-binary",
        "-nodetach",
        "-outform",
        "DER",
        "-signer",
        str(pem / "0.pem"),
        "-inkey",
        str(pem / "0.key"),
    ]
    found = opened(openssl(*words, given=DOCUMENT))
    assert isinstance(found, CmsFault) and found.reason == "not-cms"


def test_pem_and_smime_text_is_opened(pem: Path) -> None:
    words = ["-encrypt", "-binary", "-aes256", "-recip", str(pem / "0.pem"), "-outform", "PEM"]
    assert opened(openssl(*words, given=DOCUMENT)) == Opened(DOCUMENT, "AES-256-CBC")


def test_a_real_payload_is_read_up_to_the_key_that_we_do_not_have(standards: Path) -> None:
    """3DES in BER or DER from a real sender: its shape is understood, and it is for somebody else."""
    raw = (standards / "samples/cms/nav-ebxml-processor-history/attachments.p7m").read_bytes()
    found = opened(raw)
    assert isinstance(found, CmsFault) and found.reason == "no-recipient"
    refused = opened(raw, allow_3des=False)
    assert isinstance(refused, CmsFault) and refused.reason == "cipher"
