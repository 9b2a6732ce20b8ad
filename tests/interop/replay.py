"""The recorded exchanges with two handlers that nobody here wrote: one value for each, read off the wire byte for byte."""

from __future__ import annotations

import gzip
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from lxml import etree

from hub.formats import envelope as envelopes
from hub.formats import mime, xml
from hub.formats.envelope import Envelope
from hub.trust import signature
from hub.trust.signature import SignatureFault, SignaturePolicy, Verified

#: Folder below `samples`, and how many exchanges its README tells.
FOLDERS = {"ebms-admin": 137, "jentrata": 45}
#: What its own requests say they are.
AGENTS = {"ebms-admin": "Java-http-client", "jentrata": "Java/"}
BY_HAND, HUB, PEER = "by hand", "hub", "peer"
#: The hub's own party in all of them.
OURS = "8000202"
LIMIT = 30_000_000
#: Sent when their TimeToLive was over.
CAME_LATE = frozenset({"i-in-async-1", "i-in-sync-1"})


@dataclass(frozen=True, slots=True)
class Http:
    """One HTTP message: its first line, its headers, and its body with transfer and content codings taken off."""

    first: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    wire: bytes = field(repr=False)  #: the whole, as it lay on the wire

    @property
    def status(self) -> int:
        """Of an answer."""
        return int(self.first.split()[1])


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer, with what the README says of both."""

    peer: str
    name: str
    sender: str  #: hub, peer or by hand
    receiver: str
    said_request: str
    said_answer: str
    request: Http
    answer: Http

    @property
    def id(self) -> str:
        """As tests are called."""
        return f"{self.peer}/{self.name}"

    @property
    def at(self) -> datetime:
        """When it was: the Timestamp of the request's envelope, or the end of the lifetime of what came late."""
        found = envelope(self.request)
        assert found is not None and found.timestamp is not None, self.id
        late = found.time_to_live if self.name in CAME_LATE else None
        return (late or found.timestamp).astimezone(UTC)


def parsed(wire: bytes) -> Http:
    """Takes an HTTP message apart: by hand, since what is on trial is what libraries make of it."""
    head, blank, rest = wire.partition(b"\r\n\r\n")
    assert blank, "no end of headers"
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    named = {name.lower(): value for name, value in headers.items()}
    if named.get("transfer-encoding", "").lower() == "chunked":
        rest = b"".join(_chunks(rest))
    elif "content-length" in named:
        assert len(rest) == int(named["content-length"]), f"{len(rest)} bytes, {named['content-length']} were told"
    body = gzip.decompress(rest) if named.get("content-encoding") == "gzip" else rest
    return Http(first, headers, body, wire)


def _chunks(rest: bytes) -> Iterator[bytes]:
    while True:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        if not length:
            return
        yield rest[:length]
        assert rest[length : length + 2] == b"\r\n", "a chunk does not end where it says"
        rest = rest[length + 2 :]


@lru_cache(maxsize=1)
def exchanges(standards: Path) -> tuple[Exchange, ...]:
    """All of both folders, in the order of their READMEs."""
    return tuple(one for peer in FOLDERS for one in _told(standards / "samples" / peer, peer))


def _told(folder: Path, peer: str) -> Iterator[Exchange]:
    rows = re.findall(r"^\| ([\w-]+) \| (.+?) → (.+?) \| (.*?) \| (.*?) \|", (folder / "README.md").read_text(), re.M)
    for name, sender, receiver, request, answer in rows:
        if name == "file":  # the head of the table
            continue
        read = [parsed((folder / f"{name}.{side}.http").read_bytes()) for side in ("request", "answer")]
        yield Exchange(peer, name, _who(sender), _who(receiver), request, answer, read[0], read[1])


def _who(written: str) -> str:
    return written if written in (HUB, BY_HAND) else PEER


def files(standards: Path) -> set[str]:
    """The files of both folders, without their READMEs."""
    return {f"{peer}/{path.name}" for peer in FOLDERS for path in (standards / "samples" / peer).glob("*.http")}


@lru_cache(maxsize=1024)
def _package(body: bytes, kind: str) -> mime.Package | None:
    package = mime.read({"content-type": kind}, body)
    return package if isinstance(package, mime.Package) else None


def package(message: Http) -> mime.Package | None:
    """Its MIME package; None where it is empty or none. Content-Encoding is HTTP's and has been taken off."""
    return _package(message.body, mime.header(message.headers, "content-type")) if message.body else None


def root(message: Http) -> etree._Element | None:
    """The XML of its SOAP part."""
    return _root(message.body, mime.header(message.headers, "content-type"))


def _root(body: bytes, kind: str) -> etree._Element | None:
    read = _package(body, kind) if body else None
    found = xml.parse(read.root.content, xml.Bounds(LIMIT)) if read is not None else None
    return found if isinstance(found, etree._Element) else None


def envelope(message: Http) -> Envelope | None:
    """Its ebXML envelope, as our kernel reads it; None for what has none."""
    return _envelope(message.body, mime.header(message.headers, "content-type"))


@lru_cache(maxsize=1024)
def _envelope(body: bytes, kind: str) -> Envelope | None:
    found = _root(body, kind)
    read = envelopes.read(found) if found is not None else None
    return read if isinstance(read, Envelope) else None


def proven(message: Http, *, allow_sha1: bool = False) -> Verified | SignatureFault:
    """Its signature, by the certificate that lies in it, over the envelope and every part."""
    read, found = package(message), root(message)
    assert read is not None and found is not None
    parts = {part.content_id: part.content for part in read.attachments}
    return signature.verify(read.root.content, found, parts, SignaturePolicy(allow_sha1=allow_sha1))


def certificates(message: Http) -> Sequence[bytes]:
    """Every certificate in its KeyInfo, DER, in order."""
    found = root(message)
    written = found.iter(f"{{{envelopes.DS}}}X509Certificate") if found is not None else ()
    return [b64decode(one.text or "") for one in written]


def with_one_certificate(message: Http) -> Http:
    """The same with the first certificate of its KeyInfo only; that is no part of what was signed."""
    data = re.findall(rb"<(?:\w+:)?X509Data>.*?</(?:\w+:)?X509Data>", message.body, re.S)
    body = message.body
    for more in data[1:]:
        body = body.replace(more, b"")
    return replace(message, body=body)


def sent_id(one: Exchange) -> str:
    """MessageId of what was asked."""
    found = envelope(one.request)
    assert found is not None, one.id
    return found.message_id


def of_the_peer(one: Exchange) -> Iterator[Http]:
    """What the peer itself wrote of an exchange: its request, or its answer to one of ours."""
    if one.sender == PEER:
        yield one.request
    if one.receiver == PEER:
        yield one.answer
