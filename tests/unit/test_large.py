"""What is large is looked at, sealed and sent without anybody else having to wait, and is there no more often than it must be."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from asn1crypto import cms as asn1

from adapters.ebxml_http.send import PIECE, _Body, _Went
from hub import delivery, intake, submission
from hub.checks import chain
from hub.checks import document as checks
from hub.checks.inspection import LARGE, Inspection, run
from hub.circuit import Circuits
from hub.formats import lifted, mime
from hub.kit import Kit
from hub.message import Arrival, Channel, Claimed, Outcome, Parcel, Reached
from hub.ports import DeliveryFilter
from hub.trust import cms
from hub.verdict import Verdict
from ops.bench import material
from ops.bench.material import LOCAL
from ops.system import SystemDice
from tests.unit.keys import certificate, decryption_key

SIZE = LARGE + 100_000


class Held:
    """hub.kit.Work that waits until it is let go, and counts."""

    def __init__(self, *, free: bool = False) -> None:
        self.asked = 0
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        if free:
            self.go.set()

    async def __call__(self, task: Callable[[], Any], /) -> Any:
        self.asked += 1
        self.begun.set()
        await self.go.wait()
        return task()


@pytest.fixture(scope="module")
def bed() -> Any:
    with material.bed() as found:
        yield found


@pytest.fixture
async def kit(bed: material.Bed) -> AsyncIterator[Kit]:
    async with material.idle_hub(bed) as hub:
        yield hub.kit


def arrival(document: bytes, kit: Kit) -> Arrival:
    return Arrival(SystemDice().uuid(), "rest", kit.clock.now(), {}, document, LOCAL.system)


async def test_a_small_submission_is_answered_while_a_large_one_is_looked_at(kit: Kit) -> None:
    held = Held()
    kit = replace(kit, work=held)
    large = asyncio.create_task(submission.submit(arrival(material.document(SIZE, out=True), kit), kit))
    await held.begun.wait()
    small = [await submission.submit(arrival(material.document(5_000, out=True), kit), kit) for _ in range(3)]
    assert [answer.status for answer in small] == [202] * 3
    assert (held.asked, large.done()) == (1, False)
    held.go.set()
    assert (await large).status == 202


async def test_a_partners_small_message_is_answered_while_a_large_one_is_looked_at(bed: material.Bed, kit: Kit) -> None:
    held = Held()
    kit = replace(kit, work=held)

    def received(size: int) -> Any:
        wire = bed.message(material.document(size))
        return intake.receive(Arrival(SystemDice().uuid(), "ebxml_http", kit.clock.now(), wire.headers, wire.body), kit)

    large = asyncio.create_task(received(SIZE))
    await held.begun.wait()
    assert b"<eb:Acknowledgment " in (await received(5_000)).body
    assert not large.done()
    held.go.set()
    assert b"<eb:Acknowledgment " in (await large).body
    assert held.asked == 3  # read, proven and opened, checked


class Taken:
    """A sender that keeps what it is given."""

    def __init__(self) -> None:
        self.parcels: list[Parcel] = []

    async def send(self, _: Claimed, parcel: Parcel) -> Outcome:
        self.parcels.append(parcel)
        return Outcome(Reached.YES, "handed-over", "taken")


@pytest.mark.parametrize(("size", "beside"), [(5_000, 0), (SIZE, 1)])
async def test_only_a_large_document_is_sealed_beside_the_loop(
    bed: material.Bed, kit: Kit, size: int, beside: int
) -> None:
    document = material.document(size, out=True)
    answer = await submission.submit(arrival(document, kit), kit)
    [found] = await kit.store.deliveries(DeliveryFilter(message_id=answer.message_id))
    claimed = await kit.store.claim(kit.clock.now(), 100, timedelta(seconds=30), frozenset(), 100)
    [ours] = [one for one in claimed if one.delivery.id == found.id]
    held, sender = Held(free=True), Taken()
    circuits = Circuits(3, delivery.backoff(kit))
    await delivery.attempt(ours, replace(kit, work=held), {Channel.EBXML_HTTP: sender}, circuits)
    assert held.asked == beside
    [parcel] = sender.parcels
    package = mime.read(parcel.headers, parcel.body)
    assert isinstance(package, mime.Package)
    key = decryption_key_of_the_remote(bed)
    assert cms.decrypt(package.attachments[0].content, [key], cms.CmsPolicy()) == cms.Opened(document, "AES-256-CBC")


def decryption_key_of_the_remote(bed: material.Bed) -> cms.DecryptionKey:
    from adapters.register.file import der
    from adapters.register.keys import private_key

    theirs = bed.certs / material.REMOTE.organisation
    return cms.DecryptionKey(private_key(theirs / "encrypt.key.pem"), der((theirs / "encrypt.cert.pem").read_bytes()))


# --- a document is read thinner than it is, and judged the same


def spoilt(name: str) -> bytes:
    good = material.document(SIZE)
    opening = b'<b:Base64Container xmlns:b="http://www.kith.no/xmlstds/base64container">'
    before, _, behind = good.partition(opening)
    return {
        "as it is": good,
        "in lines": before
        + opening
        + b"\r\n".join(behind[at : at + 76] for at in range(0, 70_000, 76))
        + behind[70_000:],
        "a letter too many": good.replace(b"</b:Base64Container>", b"Q</b:Base64Container>"),
        "a strange letter": before + opening + behind[:90_000] + b"-" + behind[90_000:],
        "another namespace": good.replace(b"xmlstds/base64container", b"xmlstds/base64-container"),
        "an element too many": good.replace(b"</b:Base64Container>", b"</b:Base64Container><x/>"),
        "an attribute too many": before + opening[:-1] + b" x='1'>" + behind,
        "something wrong behind it": good.replace(b"</MsgHead>", b"<Feil/></MsgHead>"),
        "cut short": good[:-20],
        "a comment": good.replace(b"<MsgInfo>", b"<!-- x --><MsgInfo>"),
        "a declaration": good.replace(b"<MsgHead", b"<!DOCTYPE a [<!ENTITY e 'x'>]><MsgHead", 1),
        "in Latin letters": good.decode().replace("UTF-8", "iso-8859-1").encode("iso-8859-1"),
    }[name]


NAMES = (
    "as it is", "in lines", "a letter too many", "a strange letter", "another namespace", "an element too many",
    "an attribute too many", "something wrong behind it", "cut short", "a comment", "a declaration", "in Latin letters",
)  # fmt: skip
THIN = {"as it is", "in lines", "an element too many", "an attribute too many", "in Latin letters"}


@pytest.mark.parametrize("name", NAMES)
async def test_a_document_without_its_attachments_is_judged_as_with_them(
    kit: Kit, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[bytes | None] = []
    thinned = lifted.thinned

    def noted(*given: Any) -> bytes | None:
        made.append(thinned(*given))
        return made[-1]

    def whole(*_: Any) -> None:
        return None

    def said() -> tuple[Verdict, Any, Any]:
        inspection = Inspection(arrival(raw, kit), kit.clock.now(), raw=raw)
        verdict = run((checks.parsed, *chain.DOCUMENT), inspection, kit)
        return verdict, inspection.document, inspection.remarks

    raw = spoilt(name)
    monkeypatch.setattr(lifted, "thinned", noted)
    thin = said()
    monkeypatch.setattr(lifted, "thinned", whole)
    assert thin == said()
    if name in THIN:
        assert made[0] is not None
        assert len(made[0]) < 10_000


# --- written as it is encrypted


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 100, 127, 128, 255, 256, 65_500, 300_000])
def test_an_envelope_is_what_the_library_would_write(size: int) -> None:
    from cryptography.hazmat.primitives.ciphers.algorithms import AES256
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7EnvelopeBuilder, PKCS7Options

    content = bytes(size)
    builder = PKCS7EnvelopeBuilder().set_data(content).set_content_encryption_algorithm(AES256)
    theirs = builder.add_recipient(cms._certificate(certificate())).encrypt(Encoding.DER, [PKCS7Options.Binary])
    ours = cms.encrypt(content, certificate())
    assert len(ours) == len(theirs)
    assert _without_chance(ours) == _without_chance(theirs)
    assert cms.decrypt(ours, [decryption_key()], cms.CmsPolicy()) == cms.Opened(content, "AES-256-CBC")
    assert cms._decrypted(ours, [decryption_key()], cms.CmsPolicy()) == cms.Opened(content, "AES-256-CBC")


def _without_chance(written: bytes) -> Any:
    info = asn1.ContentInfo.load(written, strict=True)
    enveloped = info["content"]
    enveloped["recipient_infos"][0].chosen["encrypted_key"] = b""
    hidden = enveloped["encrypted_content_info"]
    hidden["encrypted_content"] = b""
    hidden["content_encryption_algorithm"]["parameters"] = bytes(16)
    return info.native


@pytest.mark.parametrize("size", [0, 1, 56, 57, 58, 114, 57 * 1024 - 1, 57 * 1024, 57 * 1024 + 1, 200_000])
def test_base64_is_in_lines_with_none_behind_the_last(size: int) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    _, body = mime.write(b"<a/>", [("p", "application/xml", content)], root_id="r", boundary="x")
    written = body.partition(b"base64\r\n\r\n")[2].removesuffix(b"\r\n--x--\r\n")
    assert written == base64.encodebytes(content).replace(b"\n", b"\r\n").rstrip(b"\r\n")


async def test_a_large_body_goes_to_the_wire_piece_by_piece() -> None:
    pieces: list[bytes] = []

    class Writer:
        async def write(self, piece: memoryview) -> None:
            pieces.append(bytes(piece))

    content, went = bytes(range(256)) * 2_000, _Went()
    await _Body(content, went).write_with_length(Writer(), len(content))  # type: ignore[arg-type]
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= PIECE
    assert went.whole
