"""Whatever a partner's server does on the line, the attempt ends with an outcome: what is not reached is not reached."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from adapters.ebxml_http.send import EbxmlHttpSender
from adapters.ebxml_http.settings import EbxmlHttpSettings
from hub.message import Channel, Claimed, Outcome, Reached
from tests.conformance.letters import enveloped

MOST = 2_000
Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def sent_to(address: str, **settings: object) -> Outcome:
    """One attempt with short times."""
    given = {"answer_seconds": 3.0, "connect_seconds": 1.0, "blip_seconds": 0.01, "max_answer_bytes": MOST} | settings
    letter = enveloped(Channel.EBXML_HTTP, address, b"x" * 20_000)
    async with EbxmlHttpSender(EbxmlHttpSettings(**given)) as sender:  # type: ignore[arg-type]
        return await sender.send(letter.claimed, letter.parcel)


# --- addresses that are none


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ftp://bruker:hemmelig@127.0.0.1/",
        "msh.example.no/ebxml",
        "http://",
        "http:///ebxml",
        "http://127.0.0.1:99999/ebxml",
        "http://127.0.0.1:0/ebxml",
        "http://127.0.0.1:port/ebxml",
        "http://[::1/ebxml",
        "http://a..b/ebxml",
        f"http://{'a' * 64}.example/ebxml",
        "http://\ud800/ebxml",
        "http://exa mple/ebxml",
    ],
)
async def test_an_address_without_sense_is_told_before_anything_is_sent(address: str) -> None:
    found = await sent_to(address)
    assert (found.reached, found.permanent) == (Reached.NO, True), found
    assert found.code == "no-endpoint" and "hemmelig" not in found.because


# --- TLS


def made(
    folder: Path, name: str, issuer: tuple[x509.Certificate, rsa.RSAPrivateKey] | None = None
) -> tuple[x509.Certificate, rsa.RSAPrivateKey, Path]:
    """A certificate with its key in one file, for 127.0.0.1; without an issuer an authority."""
    key, now = rsa.generate_private_key(public_exponent=65537, key_size=2048), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
    certificate = builder.sign(issuer[1] if issuer else key, hashes.SHA256())
    file = folder / f"{name}.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return certificate, key, file


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The file of an authority, and that of a server's certificate and key."""
    folder = tmp_path_factory.mktemp("tls")
    issuer = made(folder, "authority")
    return issuer[2], made(folder, "server", issuer[:2])[2]


@asynccontextmanager
async def served(handle: Handle, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a server that treats each connection so."""
    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


def saying(*pieces: bytes, cut: bool = False) -> Handle:
    """A server that reads a request and says this, then closes or cuts the connection."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0]))
            writer.write(b"".join(pieces))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.transport.abort() if cut else writer.close()

    return handle


TAKEN = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


def demanding(authority: tuple[Path, Path], version: ssl.TLSVersion) -> ssl.SSLContext:
    """A server's side that wants a certificate of ours."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority[1])
    context.load_verify_locations(authority[0])
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = context.maximum_version = version
    return context


@contextmanager
def telling(context: ssl.SSLContext) -> Iterator[int]:
    """The port of a server that sends OpenSSL's alert when a handshake fails; asyncio's keeps it to itself."""

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection, suppress(OSError):
                    context.wrap_socket(connection, server_side=True).close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
async def test_who_wants_our_certificate_has_got_nothing(version: ssl.TLSVersion, authority: tuple[Path, Path]) -> None:
    """With TLS 1.3 we hear of it when the handshake is over for us and bytes are on their way; OpenSSL's words say why."""
    with telling(demanding(authority, version)) as port:
        found = await sent_to(f"https://127.0.0.1:{port}/ebxml", ca_file=str(authority[0]))
    assert (found.reached, found.code, found.permanent) == (Reached.NO, "connect-failed", False), found
    if version is ssl.TLSVersion.TLSv1_3:
        assert "certificate required" in found.because


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
async def test_so_it_is_where_the_server_does_not_say_why(
    version: ssl.TLSVersion, authority: tuple[Path, Path]
) -> None:
    async with served(saying(TAKEN), demanding(authority, version)) as port:
        found = await sent_to(f"https://127.0.0.1:{port}/ebxml", ca_file=str(authority[0]))
    assert (found.reached, found.code, found.permanent) == (Reached.NO, "connect-failed", False), found
    if version is ssl.TLSVersion.TLSv1_3:
        assert "client certificate" in found.because


async def test_who_has_read_the_request_and_then_goes_may_have_it(authority: tuple[Path, Path]) -> None:
    """It waits for a request on each connection, so it has had ours."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority[1])
    async with served(saying(cut=True), context) as port:
        found = await sent_to(f"https://127.0.0.1:{port}/ebxml", ca_file=str(authority[0]))
    assert (found.reached, found.code) == (Reached.MAYBE, "connection-lost"), found


async def test_a_server_that_we_do_not_trust_is_named_in_openssls_words(authority: tuple[Path, Path]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority[1])
    async with served(saying(TAKEN), context) as port:
        found = await sent_to(f"https://127.0.0.1:{port}/ebxml")
        good = await sent_to(f"HTTPS://127.0.0.1:{port}/ebxml", ca_file=str(authority[0]))
        plain = await sent_to(f"http://127.0.0.1:{port}/ebxml")
    assert found.reached is Reached.NO and "certificate verify failed" in found.because
    assert (good.reached, good.code) == (Reached.YES, "handed-over")
    assert plain.reached is not Reached.YES


async def test_plain_http_behind_https_is_not_reached() -> None:
    async def at_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(TAKEN)
        writer.close()

    async with served(at_once) as port, served(saying(TAKEN)) as waiting:
        found = await sent_to(f"https://127.0.0.1:{port}/ebxml")
        late = await sent_to(f"https://127.0.0.1:{waiting}/ebxml")  # it waits for the end of a request, and we for it
    assert (found.reached, found.code) == (late.reached, late.code) == (Reached.NO, "connect-failed")
    assert "SSL" in found.because


# --- answers that are none, or half of one


def answer(status: str, body: bytes, *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: text/xml", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


BOMB = gzip.compress(bytes(5_000_000))
#: What comes → how far it came, code, whether the address answered.
RAW: dict[str, tuple[Handle, tuple[str, str, bool]]] = {
    "nothing at all": (saying(), ("maybe", "connection-lost", False)),
    "cut": (saying(cut=True), ("maybe", "connection-lost", False)),
    "no HTTP": (saying(b"220 smtp.example.no ESMTP\r\n"), ("maybe", "connection-lost", False)),
    "half a head": (saying(b"HTTP/1.1 200 OK\r\nContent-"), ("maybe", "connection-lost", False)),
    "half a body": (saying(answer("200 OK", b"x" * 100)[:-50]), ("maybe", "connection-lost", True)),
    "half a body, 503": (saying(answer("503 No", b"x" * 100)[:-50]), ("no", "http-temporary", True)),
    "half a body, 403": (saying(answer("403 No", b"x" * 100)[:-50]), ("yes", "http-permanent", True)),
    "a bomb": (saying(answer("200 OK", BOMB, "Content-Encoding: gzip")), ("yes", "unreadable-answer", True)),
    "no gzip": (saying(answer("200 OK", b"plain", "Content-Encoding: gzip")), ("yes", "unreadable-answer", True)),
    "brotli": (saying(answer("200 OK", b"x", "Content-Encoding: br")), ("yes", "unreadable-answer", True)),
    "two lines of coding": (
        saying(answer("200 OK", BOMB, "Content-Encoding: gzip", "Content-Encoding: br")),
        ("yes", "unreadable-answer", True),
    ),
    "without end": (
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"3e8\r\n" + b"x" * 1000 + b"\r\n") * 50),
        ("yes", "unreadable-answer", True),
    ),
    "too much": (saying(answer("500 No", b"x" * 100_000)), ("no", "http-temporary", True)),
    "a wrong chunk": (
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
        ("maybe", "connection-lost", False),
    ),
    "a status of its own": (saying(answer("799 What", b"")), ("no", "http-temporary", True)),
    "another protocol": (
        saying(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"),
        ("no", "http-redirect", True),
    ),
    "nothing in a coding": (
        saying(answer("204 No Content", b"", "Content-Encoding: gzip")),
        ("yes", "handed-over", True),
    ),
}


@pytest.mark.parametrize("how", RAW)
async def test_whatever_comes_is_an_outcome(how: str) -> None:
    """Never an exception, never more memory than the setting says, never taken for more than it is."""
    handle, expected = RAW[how]
    async with served(handle) as port:
        found = await sent_to(f"http://127.0.0.1:{port}/ebxml")
    assert (found.reached, found.code, found.answered) == expected, found
    assert len(found.answer) <= MOST


# --- half a request


async def test_who_goes_before_all_of_the_request_was_written_has_not_got_it() -> None:
    """Half a request is read by nobody (RFC 9112 8): tried again soon, and nobody is told that it was sent."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.transport.abort()

    letter = enveloped(Channel.EBXML_HTTP, "", b"x" * 30_000_000)
    async with served(handle) as port, EbxmlHttpSender(EbxmlHttpSettings(blip_seconds=0.01)) as sender:
        found = await sender.send(_to(letter.claimed, f"http://127.0.0.1:{port}/"), letter.parcel)
    assert (found.reached, found.code) == (Reached.NO, "connection-lost"), found


async def test_what_broke_when_all_was_written_may_have_come_though_the_next_try_reaches_nobody() -> None:
    """The second try within the attempt must not make it unsaid."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.close()
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0]))
        writer.close()

    letter = enveloped(Channel.EBXML_HTTP, "", b"x" * 20_000)
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    where = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with EbxmlHttpSender(EbxmlHttpSettings(blip_seconds=0.01)) as sender:
        found = await sender.send(_to(letter.claimed, where), letter.parcel)
    assert (found.reached, found.code) == (Reached.MAYBE, "connection-lost"), found


async def test_a_librarys_surprise_is_ours_and_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything was written nothing has gone out; its words, which may hold anything, are not told."""

    def surprised(*_: object, **__: object) -> None:
        raise ZeroDivisionError("hemmelig")

    monkeypatch.setattr("aiohttp.ClientSession.post", surprised)
    found = await sent_to("http://127.0.0.1:9/")
    assert (found.reached, found.code, found.ours) == (Reached.NO, "unforeseen", True)
    assert "ZeroDivisionError" in found.because and "hemmelig" not in found.because


def _to(claimed: Claimed, address: str) -> Claimed:
    return replace(claimed, delivery=replace(claimed.delivery, address=address))
