"""What is posted, and what each answer of a real server means; no server can make more of it than one bounded try."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from adapters.webhook import wire
from adapters.webhook.send import WebhookSender
from adapters.webhook.settings import WebhookSettings
from hub.events import NotificationType
from hub.message import Outcome, Reached, RecordSystem, Webhook
from hub.record_systems.values import Happened, Standing, TransportState
from tests.conformance import values as v
from tests.webhook.receivers import EPJ, HER
from tests.webhook.servers import Behaviour, endless, garbage, gzipped, half, hangs, redirects, resets, says, serving

SECRETS = (b"first" * 8, b"second" * 8)
#: A document's words, which nobody may be told.
CONTENT = "Hemmelig Hansen"


def happened(kind: NotificationType = NotificationType.NEW_MESSAGE, *, known: bool = True) -> Happened:
    """An event about a message with words of its own in every field that may hold some."""
    note = v.notification(HER, "2f6f1c1e-0000-4000-8000-000000000001", type=kind, description=CONTENT, offset=2**40)
    if not known:
        return Happened(note, None, None, None)
    record = v.message(id=note.message_id, because=CONTENT, action=CONTENT, type_code=CONTENT, original_type=CONTENT)
    delivery = v.delivery(record.id, because=CONTENT)
    standing = Standing(
        "8000402", TransportState.ACKNOWLEDGED, True, None, "acknowledged", "acknowledged", CONTENT, v.NOW
    )
    return Happened(note, record, delivery, standing, {"file": CONTENT})


# --- what is told

#: Every member that there may be, with what it may be.
ALLOWED: dict[str, str] = {
    "id": r"[0-9a-f-]{36}",
    "type": r"NewMessage|Message\w+Updated|RefusedMessage",
    "offset": r"\d+",
    "messageId": r"[0-9a-f-]{36}",
    "businessDocumentId": r"msgid-\d+|None",
    "senderHerId": r"8000\d{3}",
    "receiverHerId": r"8000\d{3}",
    "state": r"acknowledged|None",
    "code": r"acknowledged|None",
    "at": r"2026-03-02T08:30:15\.123456Z",
}


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a JSON document, with where it stands."""
    match value:
        case dict():
            for name, inner in value.items():
                yield from leaves(inner, f"{path}.{name}".strip("."))
        case list():
            for inner in value:
                yield from leaves(inner, f"{path}[]")
        case _:
            yield path, value


@pytest.mark.parametrize("kind", list(NotificationType))
@pytest.mark.parametrize("known", [True, False], ids=["kept", "purged"])
def test_it_is_ids_and_states_and_nothing_else(kind: NotificationType, known: bool) -> None:
    """Whatever words the document, its sender or a partner have written."""
    body = wire.event(happened(kind, known=known))
    found = dict(leaves(json.loads(body)))
    assert list(found) == list(ALLOWED)
    assert [name for name, value in found.items() if not re.fullmatch(ALLOWED[name], str(value))] == []
    assert CONTENT.split()[1].encode() not in body


def test_the_receiver_is_who_receives_the_message() -> None:
    """Whoever of the two is told."""
    new, state = (json.loads(wire.event(happened(kind))) for kind in list(NotificationType)[:2])
    assert (new["senderHerId"], new["receiverHerId"]) == (8000402, 8000202)
    assert (state["senderHerId"], state["receiverHerId"]) == (8000202, 8000402)


@given(st.integers(1, 2**62), st.integers(1, 2**62))
def test_an_event_has_one_id_whenever_it_is_told(one: int, other: int) -> None:
    """And no other event has it."""
    first, second = (json.loads(wire.event(replace(h, event=replace(h.event, offset=n)))) for h, n in _of(one, other))
    assert (first["id"] == second["id"]) == (one == other)


def _of(one: int, other: int) -> list[tuple[Happened, int]]:
    return [(happened(), one), (happened(known=False), other)]


# --- what an answer means

TABLE: dict[tuple[int, str], tuple[Reached, str, bool, float | None]] = {
    **{(status, ""): (Reached.YES, "handed-over", False, None) for status in (200, 201, 202, 204, 207, 299)},
    **{(status, ""): (Reached.NO, "http-redirect", False, None) for status in (300, 301, 302, 303, 304, 307, 308)},
    **{
        (status, ""): (Reached.NO, "http-permanent", False, None) for status in (400, 401, 403, 404, 409, 413, 422, 499)
    },
    **{(status, ""): (Reached.NO, "http-temporary", False, None) for status in (408, 425, 429, 500, 502, 503, 599)},
    (410, ""): (Reached.NO, "http-permanent", True, None),
    (429, "120"): (Reached.NO, "http-temporary", False, 120),
    (503, "Mon, 02 Mar 2026 08:31:15 GMT"): (Reached.NO, "http-temporary", False, 60),
    (503, "Mon, 02 Mar 2020 08:31:15 GMT"): (Reached.NO, "http-temporary", False, None),
    (503, "soon"): (Reached.NO, "http-temporary", False, None),
    (503, "-5"): (Reached.NO, "http-temporary", False, None),
    (503, "9" * 5000): (Reached.NO, "http-temporary", False, 10**8),
    (302, "60"): (Reached.NO, "http-redirect", False, 60),
    (403, "60"): (Reached.NO, "http-permanent", False, 60),
}


@pytest.mark.parametrize("number", range(len(TABLE)))
def test_what_a_status_says(number: int) -> None:
    (status, retry_after), (reached, code, permanent, after) = list(TABLE.items())[number]
    said = wire.outcome(status, {"Retry-After": retry_after} if retry_after else {}, v.NOW.replace(microsecond=0))
    assert (said.reached, said.code, said.permanent) == (reached, code, permanent)
    assert said.after == (None if after is None else timedelta(seconds=after))


# --- real servers

BEHAVIOURS: dict[str, tuple[Behaviour, tuple[Reached, str]]] = {
    "200": (says(200), (Reached.YES, "handed-over")),
    "204": (says(204), (Reached.YES, "handed-over")),
    "400": (says(400), (Reached.NO, "http-permanent")),
    "410": (says(410), (Reached.NO, "http-permanent")),
    "429": (says(429, Retry_After="7"), (Reached.NO, "http-temporary")),
    "500": (says(500), (Reached.NO, "http-temporary")),
    "redirect": (redirects, (Reached.NO, "http-redirect")),
    "hangs": (hangs, (Reached.NO, "timed-out")),
    "reset": (resets, (Reached.NO, "connection-lost")),
    "garbage": (garbage, (Reached.NO, "connection-lost")),
    "endless 200": (endless(200), (Reached.YES, "handed-over")),
    "endless 500": (endless(500), (Reached.NO, "http-temporary")),
    "half of a 200": (half(200), (Reached.YES, "handed-over")),
    "half of a 500": (half(500), (Reached.NO, "http-temporary")),
    "no gzip": (gzipped, (Reached.YES, "handed-over")),
    "large header": (says(200, X_Large="x" * 100_000), (Reached.NO, "connection-lost")),
    "cookie": (says(200, Set_Cookie="own=1; Path=/"), (Reached.YES, "handed-over")),
}


def at(url: str) -> RecordSystem:
    return replace(EPJ, webhook=Webhook(url, SECRETS))


@asynccontextmanager
async def sender(answer_seconds: float = 0.3, **given: Any) -> AsyncIterator[WebhookSender]:
    settings = WebhookSettings(answer_seconds=answer_seconds, **given)
    async with WebhookSender(settings, lambda: datetime.now(UTC), "Samhandling-Hub/1") as made:
        yield made


@pytest.mark.parametrize("name", BEHAVIOURS)
async def test_what_a_server_does_and_what_follows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One request each time, nothing of where it points, and not more of its body than a buffer or two."""
    behaviour, expected = BEHAVIOURS[name]
    monkeypatch.setattr("adapters.webhook.send.PATIENCE", 0.1)
    async with serving(behaviour) as far, sender() as ours:
        outcome = await ours.send(at(f"{far.url}/hook"), happened())
        assert (outcome.reached, outcome.code) == expected
        again = await ours.send(at(f"{far.url}/hook"), happened())
        assert (again.reached, again.code) == expected
    assert len(far.requests) == 2 and far.elsewhere == 0
    assert far.written < 20_000_000
    assert outcome.permanent == (name == "410") and (outcome.after is not None) == (name == "429")
    assert "Cookie" not in far.requests[-1][0] and far.url not in outcome.because


async def test_what_is_posted_is_signed_at_its_own_moment() -> None:
    """The same body each time; the same words for who it is."""
    event = happened()
    async with serving(says(204)) as far, sender() as ours:
        for _ in range(2):
            await ours.send(at(f"{far.url}/hook"), event)
    (headers, body), (_, again) = far.requests
    assert body == again == wire.event(event)
    assert headers["Content-Type"] == "application/json" and headers["User-Agent"] == "Samhandling-Hub/1"
    signed = headers["Samhub-Signature"]
    moment = int(signed.partition(",")[0].removeprefix("t="))
    assert abs(time.time() - moment) < 60
    assert signed == wire.signature(body, SECRETS, datetime.fromtimestamp(moment, UTC))


async def test_nobody_there_is_no_connection(unused_port: int) -> None:
    async with sender() as ours:
        outcome = await ours.send(at(f"http://127.0.0.1:{unused_port}/hook"), happened())
    assert (outcome.reached, outcome.code) == (Reached.NO, "connect-failed")


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def test_a_name_that_is_not_found_in_time_holds_nobody_elses_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as there are look-ups at once hang: the loop's own threads are free, and who needs none is told."""
    begun, free, look = threading.Event(), threading.Event(), socket.getaddrinfo

    def hanging(host: Any, *args: Any) -> Any:
        if str(host).endswith(".invalid"):
            begun.set()
            free.wait(20)
        return look(host, *args)

    monkeypatch.setattr("adapters.webhook.names.socket.getaddrinfo", hanging)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    try:
        async with serving(says(204)) as far, sender(0.2) as ours:
            waiting = [ours.send(at(f"https://n{n}.invalid/"), happened()) for n in range(8)]
            outcomes = asyncio.gather(*waiting)
            while not begun.is_set():
                await asyncio.sleep(0.001)
            async with asyncio.timeout(3):
                assert await asyncio.to_thread(lambda: "free") == "free"
            assert (await ours.send(at(f"{far.url}/hook"), happened())).reached is Reached.YES
            assert {(one.reached, one.code) for one in await outcomes} == {(Reached.NO, "timed-out")}
    finally:
        free.set()


def server(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS for localhost, and the file of the authority behind it."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    made = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
        key, hashes.SHA256()
    )
    file, authority = folder / "server.pem", folder / "authority.pem"
    authority.write_bytes(made.public_bytes(Encoding.PEM))
    file.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + made.public_bytes(Encoding.PEM)
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context, authority


async def test_a_certificate_that_is_not_trusted_is_no_connection(tmp_path: Path) -> None:
    """Nothing goes out; with its authority as webhook.ca_file it does, where it is of that name."""
    context, authority = server(tmp_path)
    async with serving(says(204), context) as far:
        url = far.url.replace("127.0.0.1", "localhost")
        async with sender(3) as ours:
            refused: Outcome = await ours.send(at(f"{url}/hook"), happened())
        assert (refused.reached, refused.code) == (Reached.NO, "connect-failed") and far.requests == []
        assert "certificate" in refused.because.lower()
        async with sender(3, ca_file=str(authority)) as ours:
            assert (await ours.send(at(f"{url}/hook"), happened())).reached is Reached.YES
            other = await ours.send(at(f"{far.url}/hook"), happened())
            assert other.code == "connect-failed" and len(far.requests) == 1
