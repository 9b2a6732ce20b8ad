"""What lies inside: not CMS, for somebody else, with a cipher outside the policy, cut, or made to burst."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import replace

import pytest

from hub.trust import cms
from tests.bad_input.answers import acknowledged, delivered, refused
from tests.support.enveloped import enveloped
from tests.support.letters import KIND, business, inserted, swap
from tests.support.world import UNSHELTERED, World

FOR_DOCTOR = "legesenter"


def opened(world: World, payload: bytes, code: str, error_code: str = "SecurityFailure") -> str:
    """Posts a payload and expects it refused under `code`; returns the words."""
    letter = business(world.post_to, world.sample().document, payload=payload)
    return refused(world.post(letter), letter, code, error_code, "//eb:Manifest")


def test_bytes_that_are_no_cms(world: World) -> None:
    """HITS 1172 263."""
    assert "263" in opened(world, b"hei" * 100, "payload-shape")


def test_cms_of_another_kind(world: World) -> None:
    """SignedData is no encryption."""
    data = cms.encrypt(b"<x/>", world.post_to.certificate).replace(
        b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03", b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", 1
    )
    opened(world, data, "payload-shape")


def test_encrypted_for_somebody_else(world: World) -> None:
    payload = cms.encrypt(world.sample().document, world.keys.certificate("sykehus"))
    opened(world, payload, "decryption")


def test_plain_where_encryption_is_agreed(world: World) -> None:
    """Nobody may send in clear what was agreed to be hidden."""
    opened(world, world.sample().document, "payload-shape")


@pytest.mark.parametrize("cipher", ["des", "aes-256-gcm"])
def test_a_cipher_that_is_never_opened(world: World, cipher: str) -> None:
    opened(world, enveloped(world.sample().document, world.post_to.certificate, cipher), "cipher")


@pytest.mark.parametrize("cipher", ["3des", "aes-128", "aes-256"])
def test_a_cipher_that_others_still_use_is_opened(world: World, cipher: str) -> None:
    """One big sender still encrypts with 3DES (ebxml.md §10 item 20)."""
    document = world.sample().document
    letter = business(world.post_to, document, payload=enveloped(document, world.post_to.certificate, cipher))
    acknowledged(world.post(letter), letter, world)


def test_3des_may_be_forbidden(new_world: Callable[..., World]) -> None:
    world = new_world(hub={"allow_3des": False})
    opened(world, enveloped(world.sample().document, world.post_to.certificate, "3des"), "cipher")


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.999])
def test_a_cms_cut_short(world: World, share: float) -> None:
    whole = cms.encrypt(world.sample().document, world.post_to.certificate)
    letter = business(world.post_to, world.sample().document, payload=whole[: int(len(whole) * share)])
    said = world.post(letter)
    assert said.kind == "error" and said.error.code == "SecurityFailure" and not said.deliveries


def test_every_failure_behind_the_key_is_told_in_the_same_words(world: World) -> None:
    """A wrong key, a wrong length and a wrong padding look alike, so that nobody learns which step failed (§4.3)."""
    document, certificate = world.sample().document, world.post_to.certificate
    wrong_key = enveloped(document, certificate, "aes-256", secret=bytes(32))
    wrong_length = enveloped(document, certificate, "aes-256", secret=bytes(16))
    whole = enveloped(document, certificate, "aes-256")
    wrong_padding = whole[:-1] + bytes([whole[-1] ^ 0x55])
    told = {opened(world, payload, "decryption") for payload in (wrong_key, wrong_length, wrong_padding)}
    assert len(told) == 1


def test_a_gzip_bomb_is_cut_off(world: World) -> None:
    """Ten thousand times its size: unpacked no further than the limit."""
    bomb = gzip.compress(bytes(80_000_000))
    assert "36000000" in opened(world, cms.encrypt(bomb, world.post_to.certificate), "payload-shape")


def test_gzip_that_is_damaged_or_cut(world: World) -> None:
    packed = gzip.compress(world.sample().document, mtime=0)
    for spoilt in (packed[:-10], packed[:20] + b"xxxx" + packed[24:], b"\x1f\x8b"):
        opened(world, cms.encrypt(spoilt, world.post_to.certificate), "payload-shape")


@pytest.mark.parametrize(
    "inside", [b"", b"hei", b"Content-Type: application/xml\r\n\r\nhei", b"X: y\r\n\r\n<a/>", b"%PDF-1.4"]
)
def test_something_else_inside_the_encryption(world: World, inside: bytes) -> None:
    """HITS 1172 264."""
    opened(world, cms.encrypt(inside, world.post_to.certificate), "payload-shape")


@pytest.mark.parametrize("encoding", ["8bit", "binary", "base64", "quoted-printable"])
def test_a_mime_entity_inside_the_encryption_is_taken(world: World, encoding: str) -> None:
    """The S/MIME reading of HITS 1172 5.15, beside the bare one."""
    import base64
    import quopri

    document = world.sample().document
    coded = {"base64": base64.encodebytes(document), "quoted-printable": quopri.encodestring(document)}.get(
        encoding, document
    )
    inside = f"Content-Type: application/xml\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode() + coded
    letter = business(world.post_to, document, payload=cms.encrypt(inside, world.post_to.certificate))
    said = world.post(letter)
    delivered(said)
    kept = world.run(world.hub.store.document(said.messages[0].id)) or b""
    assert kept.rstrip() == document.rstrip()


def test_an_empty_payload(world: World) -> None:
    opened(world, b"", "no-payload", "MimeProblem")


def test_a_manifest_that_names_no_part(world: World) -> None:
    """HITS 1172 23, 27."""
    letter = business(world.post_to, world.sample().document, edit=swap("cid:payload@test", "cid:annen@test"))
    assert "23" in refused(world.post(letter), letter, "mime-problem", "MimeProblem", "//eb:Manifest")


@pytest.mark.parametrize("href", ["http://127.0.0.1:9/x", "file:///etc/passwd", "#payload", ""])
def test_a_manifest_that_points_elsewhere_is_never_followed(world: World, href: str) -> None:
    letter = business(world.post_to, world.sample().document, edit=swap("cid:payload@test", href))
    refused(world.post(letter), letter, "mime-problem", "MimeProblem", "//eb:Manifest")


def test_a_manifest_without_reference(world: World) -> None:
    """HITS 1172 6."""

    def emptied(envelope: bytes) -> bytes:
        head, _, rest = envelope.partition(b"<eb:Reference ")
        return head + rest.partition(b"</eb:Reference>")[2]

    letter = business(world.post_to, world.sample().document, edit=emptied)
    refused(world.post(letter), letter, "envelope-missing", "OtherXml", "//eb:Manifest")


def test_several_documents_in_one_envelope_are_declined(world: World) -> None:
    """HIS 1037 3.1 lets a sender do it; nobody who receives here reads more than one (ebxml.md §1.10)."""
    second = inserted(
        "</eb:Manifest>", '<eb:Reference xlink:href="cid:second@test" xlink:type="simple"></eb:Reference>'
    )
    content = cms.encrypt(world.sample().document, world.post_to.certificate)
    letter = business(world.post_to, world.sample().document, edit=second, parts=[("second@test", KIND, content)])
    refused(world.post(letter), letter, "envelope-not-supported", "NotSupported", "//eb:Manifest")


def test_plain_is_taken_where_it_is_agreed_whatever_its_label(world: World) -> None:
    """Packaging decides, not the label; what is hidden all the same is opened (ebxml.md §10 item 4)."""
    post = replace(world.post_to, from_her=UNSHELTERED.her_id)
    ways: list[Callable[[bytes], bytes]] = [bytes, gzip.compress, lambda d: cms.encrypt(d, post.certificate)]
    for way in ways:
        document = world.sample(sender=UNSHELTERED).document
        letter = business(post, document, payload=way(document))
        acknowledged(world.post(letter), letter, world)


def test_a_payload_without_content_id_cannot_be_named(world: World) -> None:
    letter = business(world.post_to, world.sample().document).changed("Content-ID: <payload@test>\r\n", "")
    said = world.post(letter)
    assert said.kind in ("error", "fault") and not said.deliveries
