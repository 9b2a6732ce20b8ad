"""Seals of the bus before a witness: `openssl cms` opens and verifies ours, and we open and verify what it makes."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hub.trust import signed_data
from hub.trust.signed_data import SealFault, SealPolicy, Unsealed
from tests.unit.keys import certificate, decryption_key, private_key, signing_key

DOCUMENT = '<?xml version="1.0"?><a>æøå</a>\r\n'.encode() * 300
SIGNER, RECEIVER, OTHER = 0, 1, 2


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


def openssl(*words: str, given: bytes, fails: bool = False) -> bytes:
    done = subprocess.run(["openssl", "cms", *words], input=given, capture_output=True, timeout=60)
    assert (done.returncode != 0) == fails, done.stderr.decode()
    return done.stdout


def signed(
    pem: Path, *options: str, signer: int = SIGNER, content: bytes = DOCUMENT, embed: int | None = None
) -> bytes:
    """`openssl cms -sign`, attached; without signed attributes unless `-attrs` is among the options."""
    words = ["-sign", "-binary", "-nodetach", "-outform", "DER", "-md", "sha256"]
    words += ["-signer", str(pem / f"{signer}.pem"), "-inkey", str(pem / f"{signer}.key")]
    words += ["-certfile", str(pem / f"{embed}.pem")] if embed is not None else []
    words += ["-noattr"] if "-attrs" not in options else []
    return openssl(*words, *(o for o in options if o != "-attrs"), given=content)


def encrypted(pem: Path, content: bytes, *options: str, receiver: int = RECEIVER) -> bytes:
    words = ["-encrypt", "-binary", "-outform", "DER", *(options or ("-aes256",)), str(pem / f"{receiver}.pem")]
    return openssl(*words, given=content)


def unsealed(raw: bytes, *, expected: int = SIGNER, policy: SealPolicy | None = None) -> Unsealed | SealFault:
    keys = [decryption_key(OTHER), decryption_key(RECEIVER)]
    return signed_data.unseal(raw, keys, [certificate(expected)], policy or SealPolicy())


def reason(found: Unsealed | SealFault) -> str:
    assert isinstance(found, SealFault), found
    return found.reason


def decrypted(pem: Path, raw: bytes) -> bytes:
    own = ["-inkey", str(pem / f"{RECEIVER}.key"), "-recip", str(pem / f"{RECEIVER}.pem")]
    return openssl("-decrypt", "-binary", "-inform", "DER", *own, given=raw)


VERIFY = ("-verify", "-binary", "-inform", "DER", "-purpose", "any")


def test_openssl_opens_and_verifies_ours(pem: Path) -> None:
    """The certificates are trusted by being given: the path is another question (nhn-amqp.md §3.3 item 6)."""
    raw = signed_data.seal(DOCUMENT, signing_key(SIGNER), certificate(RECEIVER))
    inside = decrypted(pem, raw)
    assert openssl(*VERIFY, "-CAfile", str(pem / f"{SIGNER}.pem"), given=inside) == DOCUMENT
    openssl(*VERIFY, "-CAfile", str(pem / f"{OTHER}.pem"), given=inside, fails=True)
    assert openssl(*VERIFY, "-noverify", given=inside) == DOCUMENT
    spoilt = inside.replace(b"<a>", b"<b>", 1)
    openssl(*VERIFY, "-noverify", given=spoilt, fails=True)


def test_openssl_sees_the_structure_of_the_profile(pem: Path) -> None:
    """nhn-amqp.md §3.2."""
    raw = signed_data.seal(DOCUMENT, signing_key(SIGNER), certificate(RECEIVER))
    show = ("-cmsout", "-print", "-noout", "-inform", "DER")
    outside = openssl(*show, given=raw).decode()
    assert "aes-256-cbc" in outside and outside.count("d.ktri") == 1 and "d.issuerAndSerialNumber" in outside
    assert "contentType: pkcs7-data" in outside
    inside = openssl(*show, given=decrypted(pem, raw)).decode()
    assert re.search(r"\bsignedAttrs:\s+<ABSENT>", inside) and "sha256" in inside and "rsaEncryption" in inside
    assert "eContentType: pkcs7-data" in inside and inside.count("d.certificate") == 1


def test_what_openssl_makes_without_attributes_is_ours_but_for_two_nulls(pem: Path) -> None:
    """Parameters of SHA-256, absent there and NULL here, which .NET accepts (nhn-amqp.md §3.2); the signature is the same."""
    ours, theirs = signed_data.sign(DOCUMENT, signing_key(SIGNER)), signed(pem)
    assert len(ours) == len(theirs) + 4 and ours[-256:] == theirs[-256:]


@pytest.mark.parametrize("form", [(), ("-stream",)])
@pytest.mark.parametrize("who", [(), ("-keyid",)])
@pytest.mark.parametrize("attributes", [(), ("-attrs",), ("-attrs", "-nosmimecap"), ("-attrs", "-cades")])
def test_we_open_and_verify_openssls(
    pem: Path, form: tuple[str, ...], who: tuple[str, ...], attributes: tuple[str, ...]
) -> None:
    """DER and BER with indefinite lengths, signer by issuer and serial or by key identifier, with attributes or without."""
    inside = signed(pem, *form, *who, *attributes)
    assert ("-stream" in form) == (inside[1] == 0x80)
    for outside in (("-aes256",), ("-aes256", "-stream"), ("-aes256", "-keyid")):
        found = unsealed(encrypted(pem, inside, *outside))
        assert found == Unsealed(DOCUMENT, certificate(SIGNER), "sha256", "AES-256-CBC")


@pytest.mark.parametrize("size", [1, 1023, 1024, 1025, 300_000])
def test_every_size_in_chunks(pem: Path, size: int) -> None:
    content = b"x" * size
    found = unsealed(encrypted(pem, signed(pem, "-stream", content=content), "-aes256", "-stream"))
    assert isinstance(found, Unsealed) and found.content == content


@pytest.mark.parametrize("digest", ["sha384", "sha512"])
@pytest.mark.parametrize("padding", [(), ("-keyopt", "rsa_padding_mode:pss")])
def test_other_digests_and_pss(pem: Path, digest: str, padding: tuple[str, ...]) -> None:
    found = unsealed(encrypted(pem, signed(pem, "-md", digest, *padding)))
    assert isinstance(found, Unsealed) and found.digest == digest


def test_sha1_by_policy_alone(pem: Path) -> None:
    raw = encrypted(pem, signed(pem, "-md", "sha1"))
    assert reason(unsealed(raw)) == "algorithm"
    assert isinstance(unsealed(raw, policy=SealPolicy(allow_sha1=True)), Unsealed)


@pytest.mark.parametrize(("cipher", "name"), [("-aes128", "AES-128-CBC"), ("-des3", "3DES-CBC")])
def test_other_ciphers_of_the_policy(pem: Path, cipher: str, name: str) -> None:
    """Old .NET Framework peers encrypt with 3DES (nhn-amqp.md §3.2); refused where the setting says so."""
    raw = encrypted(pem, signed(pem), cipher)
    found = unsealed(raw)
    assert isinstance(found, Unsealed) and found.cipher == name
    strict = unsealed(raw, policy=SealPolicy(allow_3des=False))
    assert isinstance(strict, Unsealed) if name != "3DES-CBC" else reason(strict) == "cipher"


@pytest.mark.parametrize("cipher", ["-des", "-camellia256", "-aes-256-gcm"])
def test_ciphers_outside_of_it(pem: Path, cipher: str) -> None:
    legacy = ("-provider", "legacy", "-provider", "default") if cipher == "-des" else ()
    assert reason(unsealed(encrypted(pem, signed(pem), cipher, *legacy))) in ("cipher", "not-cms")


def test_changed_content_is_not_believed(pem: Path) -> None:
    for attributes in ((), ("-attrs",)):
        inside = signed(pem, *attributes).replace(b"<a>", b"<b>", 1)
        assert reason(unsealed(encrypted(pem, inside))) == "signature"


def test_another_signer_with_the_expected_certificate_embedded_is_not_believed(pem: Path) -> None:
    """The weakness of the library (nhn-amqp.md §3.3): OpenSSL, too, verifies with the signer's own certificate."""
    inside = signed(pem, signer=OTHER, embed=SIGNER)
    assert openssl(*VERIFY, "-noverify", given=inside) == DOCUMENT
    assert reason(unsealed(encrypted(pem, inside))) == "signer"
    assert reason(unsealed(encrypted(pem, signed(pem, signer=OTHER)))) == "not-embedded"
    assert reason(unsealed(encrypted(pem, signed(pem, "-nocerts")))) == "not-embedded"


def test_the_expected_signer_beside_another_is_found(pem: Path) -> None:
    inside = signed(pem, "-signer", str(pem / f"{OTHER}.pem"), "-inkey", str(pem / f"{OTHER}.key"))
    found = unsealed(encrypted(pem, inside))
    assert isinstance(found, Unsealed) and found.certificate_der == certificate(SIGNER)


def test_what_is_for_somebody_else_is_told(pem: Path) -> None:
    assert reason(unsealed(encrypted(pem, signed(pem), receiver=SIGNER))) == "no-recipient"
