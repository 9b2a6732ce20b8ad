"""One simulated partner: a message handler with its own address, keys and manners."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import aiohttp
from aiohttp import web

from hub.formats import apprec_write, envelope_write, fault, xml
from hub.formats import document as documents
from hub.formats.apprec import AppRecError
from hub.formats.envelope_write import HeaderFields
from hub.trust.cms import DecryptionKey
from hub.trust.signature import SigningKey
from ops.partner import door, halves, wire
from ops.partner.behaviours import ByMail, Receiving, Sending
from ops.partner.wire import Received, Wire
from ops.system import SystemDice
from xsd.catalogue import Catalogue

Answer = Callable[[web.Request, Received], Awaitable[web.StreamResponse]]
#: Words of a receipt that a partner uses when it refuses.
REFUSAL = AppRecError("E21", apprec_write.APPREC_OID, "Mottaker finnes ikke hos oss", "simulert avvisning")


@dataclass(frozen=True, slots=True)
class PartnerKeys:
    """A partner's keys, and the wrong ones that it may sign with by name (revoked, expired, unknown-issuer, wrong-purpose)."""

    signing: SigningKey
    decryption: Sequence[DecryptionKey]
    wrong: Mapping[str, SigningKey] = field(default_factory=dict)
    chain: Sequence[bytes] = ()  #: certificates of its authorities (DER), the nearest first


@dataclass(frozen=True, slots=True)
class Sent:
    """What the hub answered to one POST; status 0 when there was no answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    message_id: str
    answer: Received | None
    sent: bytes = field(default=b"", repr=False)  #: the body that was sent

    @property
    def kind(self) -> str:
        """`acknowledgment`, `error`, `fault`, `empty` or `none`."""
        if self.answer is not None:
            return self.answer.envelope.kind
        if not self.status:
            return "none"
        return "fault" if fault.read(self.body) is not None else "empty" if not self.body else "other"


class Partner:
    """Listens while open (`async with`), answers as `receiving` says, and sends as it is told."""

    def __init__(
        self,
        her_id: str,
        keys: PartnerKeys,
        *,
        hub_url: str = "",
        certificate_of: Callable[[str], bytes] = lambda _: b"",
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """`certificate_of` gives the encryption certificate (DER) of a HER-id that the hub serves."""
        self.her_id, self.keys, self.hub_url = her_id, keys, hub_url
        self.receiving: Receiving | ByMail = Receiving.GOOD
        self.slow_seconds = 2.0
        self.late_seconds = 2.0
        self.huge_bytes = 40_000_000
        self.received: list[Received] = []  #: business messages and AppRecs, in order
        self.signals: list[Received] = []  #: receipts that came by themselves
        self.more_headers: Mapping[str, str] = {}  #: that it sends with every request
        self.chunks = False  #: whether its documents go in chunks
        self.most_at_once = 0  #: most business messages that it had to answer at the same time
        self._at_once = 0
        self._certificate_of, self._host, self._port = certificate_of, host, port
        self._dice, self._schemas = SystemDice(), _catalogue()
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._stale: set[asyncio.BaseTransport] = set()
        self._answers = _answers(self)

    def meet(self, hub_url: str, certificate_of: Callable[[str], bytes]) -> None:
        """From now on it sends to this hub."""
        self.hub_url, self._certificate_of = hub_url, certificate_of

    # --- being there

    async def __aenter__(self) -> Partner:
        app = door.application()
        app.router.add_post("/ebxml" + door.EITHER_WAY, self._post)
        self._runner = door.runner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
        try:
            await self.behave(self.receiving)
        except OSError:  # its port is taken
            await self._session.close()
            await self._runner.cleanup()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:  # the door first: what comes in begins more work
            await self._runner.cleanup()
        while pending := [
            task for task in self._tasks if not task.done()
        ]:  # a library may take a cancel for a lost line
            for task in pending:
                task.cancel()
            await asyncio.wait(pending, timeout=0.5)
        if self._session is not None:
            await self._session.close()

    @property
    def url(self) -> str:
        """Where the hub finds it; the port stays the same through `down`."""
        return f"http://{self._host}:{self._port}/ebxml"

    @staticmethod
    def named(how: str) -> Receiving | ByMail:
        """The behaviour of a name. Raises ValueError where it has none such."""
        return Receiving(how)

    async def behave(self, how: Receiving | ByMail) -> None:
        """From now on it does this with what it gets."""
        self.receiving = how
        if how is Receiving.DOWN and self._site is not None:
            await self._site.stop()
            self._site = None
            for transport in self._connections():  # kept ones too: who is down answers nobody
                transport.abort()
        if how is not Receiving.DOWN and self._site is None and self._runner is not None:
            self._site = web.TCPSite(self._runner, self._host, self._port, reuse_address=True)
            await self._site.start()
            self._port = self._runner.addresses[-1][1]
        if how is Receiving.DOWN and not self._port and self._runner is not None:
            self._port = _free_port(self._host)

    async def drop_connections(self) -> None:
        """The next request on each connection that is open now finds it closed, without an answer."""
        self._stale = set(self._connections())

    def _connections(self) -> list[asyncio.Transport]:
        server = self._runner.server if self._runner is not None else None
        return [c.transport for c in server.connections if c.transport is not None] if server is not None else []

    # --- receiving

    async def _post(self, request: web.Request) -> web.StreamResponse:
        if request.transport is not None and request.transport in self._stale:
            request.transport.abort()
            return web.Response()
        received = wire.read(dict(request.headers), await door.body(request), self.keys.decryption)
        if received is None:
            return web.Response(status=500, text="not ebXML")
        if received.envelope.kind == "ping" and self.receiving is Receiving.GOOD:
            return response(wire.pong(received, self.keys.signing, self._dice.uuid(), datetime.now(UTC)))
        if received.envelope.kind == "status_request" and self.receiving is Receiving.GOOD:
            return response(self._status(received))
        if received.envelope.kind != "business":
            self.signals.append(received)
            return web.Response(status=202)
        self.received.append(received)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return await self._answers.get(self.receiving, self._good)(request, received)
        finally:
            self._at_once -= 1

    def _status(self, received: Received) -> Wire:
        """What became of a message that it was sent: Received, if it came."""
        had = received.envelope.ref_to_message_id in {r.envelope.message_id for r in self.received}
        status = "Received" if had else "NotRecognized"
        return wire.status_of(received, self.keys.signing, self._dice.uuid(), datetime.now(UTC), status)

    async def _good(self, request: web.Request, received: Received) -> web.StreamResponse:  # noqa: ARG002
        self.apprecs(received, "1")
        return response(self.acknowledged(received))

    def acknowledged(self, received: Received, *, key: SigningKey | None = None, lie: bool = False) -> Wire:
        """A signed Acknowledgment."""
        return wire.acknowledgment(received, key or self.keys.signing, self._dice.uuid(), datetime.now(UTC), lie=lie)

    def error(self, received: Received, severity: str, code: str, text: str) -> Wire:
        """A signed MessageError."""
        key, now = self.keys.signing, datetime.now(UTC)
        return wire.message_error(received, key, self._dice.uuid(), now, severity=severity, code=code, text=text)

    def apprecs(self, received: Received, *statuses: str, after: float = 0) -> None:
        """AppRecs about a business document, one after another, by themselves; none about an AppRec."""
        if received.document is not None and received.document.kind != "apprec":
            self.later(self._send_apprecs(received, statuses, after))

    def later(self, work: Awaitable[None]) -> None:
        """Does something beside what goes on."""

        async def quietly() -> None:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                await work

        task = asyncio.create_task(quietly())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def post_later(self, written: Wire, after: float) -> None:
        """Posts to the hub after some seconds."""
        await asyncio.sleep(after)
        await self.post(written)

    async def _send_apprecs(self, received: Received, statuses: Sequence[str], after: float) -> None:
        await asyncio.sleep(after)
        for status in statuses:
            body = self.apprec_about(received, status)
            if body:
                e = received.envelope
                await self.send(body, received.from_her, conversation_id=e.conversation_id, service=e.service)

    def apprec_about(self, received: Received, status: str) -> bytes:
        """An AppRec of the version that belongs to the document's standard; empty where none is due."""
        document = received.document
        assert document is not None
        standard = self._schemas.find(document.namespace)
        version = standard.apprec if standard is not None else "1.0"
        if version == "none":
            return b""
        own = next((c for c in document.copies if received.to_her in c.her_ids), document.receiver)
        return apprec_write.write(
            document,
            version="1.1" if version == "1.1" else "1.0",
            apprec_id=self._dice.uuid(),
            now=datetime.now(UTC),
            receiver=own,
            role="PRIM" if own is document.receiver else "COP",
            status=status,
            errors=(REFUSAL,) if status != "1" else (),
            software=("Simulated partner", "1"),
        )

    # --- sending

    async def send(self, document: bytes, to_her: str, how: Sending = Sending.GOOD, **said: Any) -> Sent:
        """Sends a document to the hub; returns its last answer. DUPLICATE and SAME_DOCUMENT send twice.

        `said` are fields of the header to be written otherwise: service, action, cpa_id, conversation_id, message_id,
        from_role, to_role, time_to_live.
        """
        first = self.sealed(document, to_her, how, **said)
        answer = await self.post(first[1], half=how is Sending.HALF_REQUEST, message_id=first[0])
        if how is Sending.DUPLICATE:
            answer = await self.post(first[1], message_id=first[0])
        if how in (Sending.SAME_DOCUMENT, Sending.REUSED_ID):
            again = first[0] if how is Sending.REUSED_ID else self._dice.uuid()
            second = self.sealed(document, to_her, how, **{**said, "message_id": again})
            answer = await self.post(second[1], message_id=second[0])
        return answer

    def sealed(self, document: bytes, to_her: str, how: Sending, **said: Any) -> tuple[str, Wire]:
        """MessageId and bytes of one message, right or wrong as asked."""
        if how is Sending.GARBAGE:
            return "", Wire({"Content-Type": "text/xml", "SOAPAction": '"ebXML"'}, bytes(range(256)) * 4)
        header, schema = self._header(document, to_her, how, said)
        recipient = (
            self.keys.decryption[0].certificate_der if how is Sending.WRONG_KEY else self._certificate_of(to_her)
        )
        if how is Sending.HUGE:
            document += b"<!--" + b"x" * self.huge_bytes + b"-->"
        written = wire.business(
            header,
            document,
            schema=schema,
            key=self._signing(how),
            encrypt_for=recipient,
            ids=(self._dice.uuid(), self._dice.uuid(), self._dice.uuid()),
            ack_requested=how is not Sending.NO_ACK_REQUEST,
            changed=self._changed(header, how),
        )
        spoilers = {
            Sending.WRONG_SIGNATURE: wire.broken_value,
            Sending.SIGNS_OTHER: wire.changed_after_signing,
            Sending.DOCTYPE: wire.with_doctype,
        }
        return header.message_id, spoilers.get(how, lambda w: w)(written)

    def _changed(self, header: HeaderFields, how: Sending) -> Callable[[bytes], bytes]:  # noqa: ARG002
        """What is made of a document's envelope before it is signed."""
        return bytes

    async def ping(self, to_her: str) -> Sent:
        """Asks whether the hub is there."""
        header = self._asking(to_her, "Ping")
        return await self.post(
            wire.signal(envelope_write.ping(header), self.keys.signing), message_id=header.message_id
        )

    async def ask(self, about: str, to_her: str) -> Sent:
        """Asks what became of a message that it sent (StatusRequest)."""
        header = self._asking(to_her, "StatusRequest")
        written = envelope_write.status_request(header, about)
        return await self.post(wire.signal(written, self.keys.signing), message_id=header.message_id)

    def _asking(self, to_her: str, action: str) -> HeaderFields:
        return HeaderFields(
            from_her=self.her_id,
            to_her=to_her,
            cpa_id="_".join(sorted((self.her_id, to_her), key=int)),
            conversation_id=self._dice.uuid(),
            service=envelope_write.SIGNAL_SERVICE,
            action=action,
            message_id=self._dice.uuid(),
            timestamp=datetime.now(UTC),
        )

    def _signing(self, how: Sending) -> SigningKey | None:
        if how is Sending.UNSIGNED:
            return None
        return self.keys.wrong.get(how.removesuffix("-certificate"), self.keys.signing)

    def _header(
        self, document: bytes, to_her: str, how: Sending, said: Mapping[str, Any]
    ) -> tuple[HeaderFields, tuple[str, str]]:
        root = xml.parse(document, xml.Bounds.for_document(wire.LIMIT))
        facts = None if isinstance(root, xml.XmlFault) else documents.read(root)
        named = documents.service_action_role(facts) if facts else ("S-UNKNOWN", "UNKNOWN", "", "")
        apprec = facts is not None and facts.kind == "apprec"
        code = said.get("service", named[0]).removeprefix("S-")
        roles = (f"{code}sender", f"{code}receiver")
        now = datetime.now(UTC)
        to = "8999999" if how is Sending.WRONG_RECEIVER else to_her
        header = HeaderFields(
            from_her=self.her_id,
            to_her=to,
            cpa_id="_".join(sorted((self.her_id, to), key=int)),
            conversation_id=self._dice.uuid(),
            service=named[0],
            action=named[1],
            message_id=self._dice.uuid(),
            timestamp=now - timedelta(hours=1) if how is Sending.EXPIRED else now,
            from_role=roles[1] if apprec else roles[0],
            to_role=roles[0] if apprec else roles[1],
            time_to_live=now - timedelta(minutes=1) if how is Sending.EXPIRED else None,
            software=("Simulated partner", "1"),
        )
        found = self._schemas.find(facts.namespace) if facts else None
        schema = (facts.namespace if facts else "", found.version if found else "")
        return replace(header, **said), schema

    async def post(self, written: Wire, *, half: bool = False, message_id: str = "") -> Sent:
        """One POST to the hub."""
        if half:
            await halves.request(self.hub_url, written)
            return Sent(0, {}, b"", message_id, None, written.body)
        assert self._session is not None, "open the partner with `async with`"
        headers = {**written.headers, **self.more_headers}
        chunked = True if self.chunks and "multipart" in headers.get("Content-Type", "") else None
        async with self._session.post(self.hub_url, data=written.body, headers=headers, chunked=chunked) as r:
            body, headers = await r.read(), dict(r.headers)
            answer = wire.read(headers, body, self.keys.decryption) if body else None
            return Sent(r.status, headers, body, message_id, answer, written.body)


@lru_cache(maxsize=1)
def _catalogue() -> Catalogue:
    """Read once for all partners of a process."""
    return Catalogue.load()


def response(written: Wire) -> web.Response:
    """An answer in the open exchange."""
    return web.Response(body=written.body, headers=dict(written.headers))


def _answers(partner: Partner) -> dict[Receiving | ByMail, Answer]:
    """What it answers, by behaviour; those that are not here answer well."""
    how = Receiving

    def fixed(make: Callable[[Received], web.Response]) -> Answer:
        async def answer(_: web.Request, received: Received) -> web.StreamResponse:
            return make(received)

        return answer

    def wrong_key() -> SigningKey:
        return partner.keys.wrong["revoked"]

    async def slow(request: web.Request, received: Received) -> web.StreamResponse:
        await asyncio.sleep(partner.slow_seconds)
        return await partner._good(request, received)

    async def half(request: web.Request, received: Received) -> web.StreamResponse:
        return await halves.response(request, partner.acknowledged(received))

    async def late_acknowledgment(_: web.Request, received: Received) -> web.StreamResponse:
        partner.later(partner.post_later(partner.acknowledged(received), partner.late_seconds))
        partner.apprecs(received, "1", after=partner.late_seconds * 1.5)
        return web.Response(status=202)

    def acknowledging(*statuses: str, after: float | None = None) -> Answer:
        async def answer(_: web.Request, received: Received) -> web.StreamResponse:
            partner.apprecs(received, *statuses, after=partner.late_seconds if after is None else after)
            return response(partner.acknowledged(received))

        return answer

    async def warning(_: web.Request, received: Received) -> web.StreamResponse:
        partner.apprecs(received, "1")
        return response(partner.error(received, "Warning", "OtherXml", "simulated warning"))

    empty = b'<SOAP:Envelope xmlns:SOAP="http://schemas.xmlsoap.org/soap/envelope/"><SOAP:Header/><SOAP:Body/></SOAP:Envelope>'
    fault = (
        b'<SOAP:Envelope xmlns:SOAP="http://schemas.xmlsoap.org/soap/envelope/"><SOAP:Body><SOAP:Fault>'
        b"<faultcode>SOAP:Client</faultcode><faultstring>simulated</faultstring></SOAP:Fault></SOAP:Body></SOAP:Envelope>"
    )
    return {
        how.SLOW: slow,
        how.HALF_RESPONSE: half,
        how.GARBAGE: fixed(lambda _: web.Response(body=bytes(range(256)) * 8)),
        how.EMPTY_ENVELOPE: fixed(lambda _: web.Response(body=empty, content_type="text/xml")),
        how.UNAVAILABLE: fixed(lambda _: web.Response(status=503)),
        how.FORBIDDEN: fixed(lambda _: web.Response(status=403)),
        how.SOAP_FAULT: fixed(lambda _: web.Response(status=500, body=fault, content_type="text/xml")),
        how.WRONG_SIGNATURE: fixed(lambda r: response(wire.broken_value(partner.acknowledged(r)))),
        how.SIGNS_OTHER: fixed(lambda r: response(wire.changed_after_signing(partner.acknowledged(r)))),
        how.WRONG_DIGEST: fixed(lambda r: response(partner.acknowledged(r, lie=True))),
        how.REVOKED_CERTIFICATE: fixed(lambda r: response(partner.acknowledged(r, key=wrong_key()))),
        how.NO_ACKNOWLEDGMENT: fixed(lambda _: web.Response(status=200)),
        how.LATE_ACKNOWLEDGMENT: late_acknowledgment,
        how.MESSAGE_ERROR: fixed(lambda r: response(partner.error(r, "Error", "SecurityFailure", "simulated refusal"))),
        how.WARNING: warning,
        how.NEGATIVE_APPREC: acknowledging("2", after=0),
        how.LATE_APPREC: acknowledging("1"),
        how.NEVER_APPREC: acknowledging(after=0),
        how.TWO_APPRECS: acknowledging("1", "1", after=0),
        how.CONTRADICTING_APPRECS: acknowledging("1", "2", after=0),
    }


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
