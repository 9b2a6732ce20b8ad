"""Mail servers for tests: a relay that answers as it is told to, and certificates of a private authority for TLS."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

#: What a relay says to each step unless told otherwise.
USUAL = {
    "connect": "220 relay.example ready",
    "helo": "250 relay.example",
    "auth": "235 2.7.0 welcome",
    "mail": "250 2.1.0 ok",
    "rcpt": "250 2.1.5 ok",
    "data": "354 go on",
    "nobody": "554 5.5.1 no valid recipients",  # to DATA, where sender or receiver was refused
    "dot": "250 2.0.0 taken",
    "rset": "250 2.0.0 ok",
    "starttls": "220 2.0.0 go ahead",
}
DROP = "drop"  #: instead of an answer: the connection is closed
HANG = "hang"  #: instead of an answer: nothing, for ever
Manner = Literal[
    "each", "together", "bytes"
]  #: how answers are written: each in turn, one packet a batch, byte by byte


@dataclass(frozen=True)
class Taken:
    """A mail as the relay got it."""

    sender: str  #: the MAIL command
    receiver: str  #: the RCPT command
    content: bytes
    tls: bool

    @property
    def head(self) -> dict[str, str]:
        """Header fields by lower-case name."""
        lines = self.content.partition(b"\r\n\r\n")[0].decode("ascii").split("\r\n")
        return {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}

    @property
    def body(self) -> bytes:
        """What the header is about."""
        return self.content.partition(b"\r\n\r\n")[2]


@dataclass
class Relay:
    """Listens while open (`async with`). `say` holds, for a step, the answers to be given in turn before the usual one."""

    offers: list[str] = field(default_factory=lambda: ["8BITMIME", "SIZE 50000000"])
    tls: ssl.SSLContext | None = None
    say: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    usual: dict[str, str] = field(default_factory=lambda: dict(USUAL))
    manner: Manner = "each"
    most: int = 0  #: mails in a session, after which 421 is said to whatever comes next; 0: as many as you like
    taken: list[Taken] = field(default_factory=list)
    empty: int = 0  #: mails of which only the dot came
    commands: list[str] = field(default_factory=list)
    sessions: int = 0
    port: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Relay:
        self._server = await asyncio.start_server(self._client, "127.0.0.1", self.port, limit=64_000_000)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self.hang_up()

    async def hang_up(self) -> None:
        """Closes every connection, as relays do with idle ones."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.sessions += 1
        try:
            await _Session(self, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
            return
        finally:
            self._tasks.discard(task)
            with contextlib.suppress(Exception):
                writer.close()


class _Session:
    def __init__(self, relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.relay, self.reader, self.writer = relay, reader, writer
        self.sender = self.receiver = ""
        self.secure = False
        self.mails = 0
        self.held: list[str] = []  # answers that go with the next one

    async def run(self) -> None:
        await self.answer("connect")
        while line := (await self.reader.readline()).decode("ascii").strip():
            self.relay.commands.append(line)
            if self.relay.most and self.mails >= self.relay.most:
                await self.put("421 4.7.0 too many mails in this session")
                return
            verb = line.split(" ")[0].upper()
            if verb == "QUIT":
                await self.put("221 2.0.0 bye")
                return
            await getattr(self, f"on_{verb.lower()}")(line)

    async def put(self, *lines: str) -> None:
        said = "".join(f"{line}\r\n" for line in (*self.held, *lines)).encode("ascii")
        self.held.clear()
        for piece in [said] if self.relay.manner != "bytes" else [said[i : i + 1] for i in range(len(said))]:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def answer(self, step: str) -> bool:
        """Says what is due; whether it was a yes. Together: what is said to MAIL and RCPT waits until DATA has come."""
        due = self.relay.say[step].pop(0) if self.relay.say[step] else self.relay.usual[step]
        if due == HANG:
            await asyncio.sleep(3600)
        if due == DROP:
            raise ConnectionResetError
        if self.relay.manner == "together" and step in ("mail", "rcpt") and not due.startswith("421"):
            self.held.append(due)
        else:
            await self.put(due)
        if due.startswith("421"):
            raise ConnectionResetError
        return due[0] in "23"

    async def on_ehlo(self, _line: str) -> None:
        offers = [*self.relay.offers]
        if self.relay.tls is not None and not self.secure:
            offers.append("STARTTLS")
        if self.relay.say["ehlo"]:
            await self.answer("ehlo")
            return
        await self.put(*(f"250-{one}" for one in ["relay.example", *offers]), "250 HELP")

    async def on_helo(self, _line: str) -> None:
        await self.answer("helo")

    async def on_starttls(self, _line: str) -> None:
        if await self.answer("starttls"):
            assert self.relay.tls is not None
            await self.writer.start_tls(self.relay.tls)
            self.secure = True

    async def on_auth(self, _line: str) -> None:
        await self.answer("auth")

    async def on_rset(self, _line: str) -> None:
        self.sender = self.receiver = ""
        await self.answer("rset")

    async def on_mail(self, line: str) -> None:
        self.sender = line if await self.answer("mail") else ""

    async def on_rcpt(self, line: str) -> None:
        self.receiver = line if await self.answer("rcpt") else ""

    async def on_data(self, _line: str) -> None:
        if not await self.answer("data" if self.sender and self.receiver else "nobody"):
            return
        if self.relay.say["content"]:
            self.relay.say["content"].pop(0)
            await self.reader.read(100)
            raise ConnectionResetError
        content = await self.reader.readuntil(b".\r\n")
        if content == b".\r\n":
            self.relay.empty += 1
            await self.answer("dot")
            return
        while not content.endswith(b"\r\n.\r\n"):
            content += await self.reader.readuntil(b".\r\n")
        content = content.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")
        taken = Taken(self.sender, self.receiver, content, self.secure)
        refused = bool(self.relay.say["dot"]) and self.relay.say["dot"][0][0] in "45"
        if not refused:
            self.relay.taken.append(taken)
        self.mails += 1
        await self.answer("dot")


@dataclass(frozen=True)
class Authority:
    """A private authority that issues certificates for servers."""

    folder: Path
    name: str
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def made(cls, folder: Path, name: str) -> Authority:
        """Its own certificate stands in `<name>.pem`."""
        folder.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(name, name, key, key, [])
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        return cls(folder, name, key, certificate)

    @property
    def file(self) -> Path:
        """For who trusts it."""
        return self.folder / f"{self.name}.pem"

    def issue(self, *names: str) -> tuple[Path, Path]:
        """Files of a certificate and its key, for a server of these names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(self.name, names[0], key, self.key, names)
        own = self.folder / f"{self.name}-{names[0]}.cert.pem", self.folder / f"{self.name}-{names[0]}.key.pem"
        own[0].write_bytes(certificate.public_bytes(Encoding.PEM))
        own[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return own

    def context(self, *names: str) -> ssl.SSLContext:
        """For a server of these names."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self.issue(*names))
        return context


def _certificate(
    issuer: str, subject: str, key: ec.EllipticCurvePrivateKey, by: ec.EllipticCurvePrivateKey, names: Iterable[str]
) -> x509.Certificate:
    now = datetime.now(UTC)
    named = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (issuer, subject)]
    builder = x509.CertificateBuilder().issuer_name(named[0]).subject_name(named[1]).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=1))
    also = [_named(one) for one in names]
    builder = builder.add_extension(x509.BasicConstraints(ca=not also, path_length=None), critical=True)
    if also:
        builder = builder.add_extension(x509.SubjectAlternativeName(also), critical=False)
    return builder.sign(by, hashes.SHA256())


def _named(name: str) -> x509.GeneralName:
    if name.replace(".", "").isdigit():
        return x509.IPAddress(ip_address(name))
    return x509.DNSName(name)
