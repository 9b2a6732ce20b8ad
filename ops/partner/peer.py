"""A partner that is one of the handlers that were met: it looks at, answers and hears what that one does (ops.partner.peers)."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, cast

from aiohttp import web

from hub.formats import envelope_write, fault
from hub.formats.envelope import Envelope
from hub.formats.envelope_write import HeaderFields
from hub.trust.signature import SigningKey
from ops.partner import door, wire
from ops.partner.behaviours import Sending
from ops.partner.partner import Partner, PartnerKeys, Sent, response
from ops.partner.peers import Manner
from ops.partner.terms import Terms
from ops.partner.wire import Received, Wire

#: What Java's own client sends with every request over http.
H2C = {
    "Connection": "Upgrade, HTTP2-Settings",
    "HTTP2-Settings": "AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA",
    "Upgrade": "h2c",
    "User-Agent": "Java-http-client/17.0.15",
}
LIFETIME = timedelta(minutes=1)


class Standing(StrEnum):
    """How a message of its own stands, as the peer sees it."""

    WAITING = "waiting"  #: sent; nothing that it takes for a receipt has come
    DELIVERED = "delivered"
    FAILED = "failed"


class Refusal(Exception):
    """Why it does not take a message: errorCode, place and words; `fault`: said by a SOAP Fault, `aloud`: in the exchange."""

    def __init__(self, code: str, location: str, text: str, *, fault: bool = False, aloud: bool = False) -> None:
        self.code, self.location, self.text, self.fault, self.aloud = code, location, text, fault, aloud
        super().__init__(text)


UNAUTHORIZED = Refusal("SecurityFailure", "", "Unauthorized Msg", aloud=True)


class Peer(Partner):
    """Reached by HTTP. Besides its manners it misbehaves by name, as every simulated partner does."""

    def __init__(
        self,
        her_id: str,
        keys: PartnerKeys,
        *,
        manners: frozenset[Manner],
        terms: Sequence[Terms] = (),
        held: Sequence[Terms] = (),
        hub_url: str = "",
        certificate_of: Callable[[str], bytes] = lambda _: b"",
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """`terms` are its agreements with parties of the hub; without any it takes whatever CPAId comes.

        `held` are those that it looks at from when it is told to play a peer.
        """
        super().__init__(her_id, keys, hub_url=hub_url, certificate_of=certificate_of, host=host, port=port)
        self.standing: dict[str, Standing] = {}  #: of its own messages and questions, by MessageId
        self.told: dict[str, str] = {}  #: code and words of what was refused, by MessageId
        self._given: dict[str, Wire] = {}  #: the receipt of each message that it took, by MessageId
        self._asked: dict[str, str] = {}  #: MessageId of the last question about a message, by what it was about
        self.manners: frozenset[Manner] = manners
        self.terms: dict[str, Terms] = {}
        self._held = tuple(held)
        self.become(manners, terms)

    def play(self, manners: frozenset[Manner]) -> None:
        """From now on it has these manners, and the agreements that it held from the beginning; without manners none."""
        self.become(manners, self._held if manners else ())

    def agree(self, *terms: Terms) -> None:
        """It has these agreements too."""
        self.terms |= {one.cpa_id: one for one in terms}

    def _has(self, manner: Manner) -> bool:
        return manner in self.manners

    def become(self, manners: frozenset[Manner], terms: Sequence[Terms] = ()) -> None:
        """From now on it has these manners and these agreements, and no others."""
        self.manners, self.terms = manners, {}
        self.agree(*terms)
        offers = Manner.OFFERS_H2C in manners
        self.more_headers, self.chunks = (H2C if offers else {}), offers

    # --- agreements

    def _by_cpa(self, cpa_id: str) -> Terms | None:
        return self.terms.get(cpa_id) if self.terms else Terms(cpa_id, "")

    def _with(self, her_id: str) -> Terms | None:
        return next((t for t in self.terms.values() if t.her_id in ("", her_id)), None)

    def _in_exchange(self, e: Envelope, *, signal: bool = False) -> bool:
        """Whether an answer goes back in the exchange that its message came in."""
        terms = self._by_cpa(e.cpa_id)
        if self._has(Manner.SYNC_BY_ELEMENT):
            return e.sync_reply or (terms is not None and not self.terms)
        return terms is None or (terms.signals_in_exchange if signal else terms.sync)

    # --- receiving

    async def _post(self, request: web.Request) -> web.StreamResponse:
        if not self.manners:
            return await super()._post(request)
        if request.transport is not None and request.transport in self._stale:
            request.transport.abort()
            return web.Response()
        received = wire.read(dict(request.headers), await door.body(request), self.keys.decryption)
        if received is None:
            return self._in_its_form(
                web.Response(status=500, body=fault.write("Client", "not ebXML"), content_type="text/xml")
            )
        business = received.envelope.kind == "business"
        answer = await self._business(request, received) if business else self._signal(received)
        return self._in_its_form(answer) if isinstance(answer, web.Response) else answer

    def _in_its_form(self, answer: web.Response) -> web.Response:
        """Its status where there is nothing to say, or a Fault; compressed."""
        body, status = cast(bytes, answer.body or b""), answer.status
        if not body:
            return web.Response(status=204) if status == 202 and self._has(Manner.NO_CONTENT) else answer
        if b"Fault>" in body and self._has(Manner.FAULT_WITH_200):
            status = 200
        headers = {name: value for name, value in answer.headers.items() if name.lower() != "content-length"}
        if self._has(Manner.GZIP):
            body, headers = gzip.compress(body), {**headers, "Content-Encoding": "gzip"}
        return web.Response(status=status, body=body, headers=headers)

    async def _business(self, request: web.Request, received: Received) -> web.StreamResponse:
        given = self._given.get(received.envelope.message_id)
        if given is not None:  # it came before: the same receipt (ebMS 2.0 6.5.6)
            self.received.append(received)
            return self._answered(given, received)
        try:
            self._judge(request, await door.body(request), received)
        except Refusal as refusal:
            self.received.append(received)
            return self._refused(refusal, received)
        self.received.append(received)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return await self._answers.get(self.receiving, self._good)(request, received)
        finally:
            self._at_once -= 1

    async def _good(self, request: web.Request, received: Received) -> web.StreamResponse:  # noqa: ARG002
        self.apprecs(received, "1")
        if not received.envelope.ack_requested:
            return web.Response(status=202)
        given = self._given[received.envelope.message_id] = self.acknowledged(received)
        return self._answered(given, received)

    def _answered(self, written: Wire, received: Received, *, signal: bool = False) -> web.Response:
        """In the exchange, or by itself a moment later."""
        if self._in_exchange(received.envelope, signal=signal):
            return response(written)
        self.later(self.post_later(written, 0))
        return web.Response(status=202)

    def _judge(self, request: web.Request, body: bytes, received: Received) -> None:
        """Raises Refusal for what is not as agreed."""
        e = received.envelope
        terms = self._known(e)
        if not terms.her_id:
            return
        if not terms.knows(e.service, e.action) or (
            self._has(Manner.COMPARES_TYPE) and e.service_type != terms.service_type
        ):
            self._unauthorized()
            raise Refusal("ValueNotRecognized", "//Header/MessageHeader/Action", "Value not found.")
        if self._has(Manner.COMPARES):
            for place, text in terms.differences(e):
                nowhere = self._has(Manner.SAYS_NO_PLACE)
                raise Refusal("Inconsistent", "" if nowhere else place, "Agreement violation" if nowhere else text)
        if self._has(Manner.PROVES):
            _proven(dict(request.headers), body, received, terms)
        if e.time_to_live is not None and e.time_to_live <= datetime.now(UTC):
            raise Refusal("TimeToLiveExpired", "//Header/MessageHeader/MessageData/TimeToLive", "")

    def _known(self, e: Envelope) -> Terms:
        terms = self._by_cpa(e.cpa_id)
        if terms is not None:
            return terms
        self._unauthorized()
        fault = self._has(Manner.FAULT_FOR_UNKNOWN)
        raise Refusal("ValueNotRecognized", "//Header/MessageHeader/CPAId", f"CPA {e.cpa_id} not found!", fault=fault)

    def _unauthorized(self) -> None:
        if self._has(Manner.UNAUTHORIZED_FOR_UNKNOWN):
            raise UNAUTHORIZED

    def _refused(self, refusal: Refusal, received: Received) -> web.StreamResponse:
        if refusal.fault:
            return web.Response(status=500, body=fault.write("Client", refusal.text), content_type="text/xml")
        written = self._error(received, refusal)
        return response(written) if refusal.aloud else self._answered(written, received)

    # --- receipts and questions

    def _signal(self, received: Received) -> web.StreamResponse:
        kind = received.envelope.kind
        if kind in ("ping", "status_request"):
            return self._question(received)
        self.signals.append(received)
        e = received.envelope
        if kind == "acknowledgment" and not e.ref_to_message_id:
            if self._has(Manner.MESSAGE_DATA_ONLY):
                return web.Response(status=500)
            if self._has(Manner.UNAUTHORIZED_WITHOUT_REFERENCE):
                return response(self._error(received, UNAUTHORIZED))
        if self._heard(received):
            return web.Response(status=202)
        if self._has(Manner.MESSAGE_DATA_ONLY):
            return web.Response(status=500)
        if kind == "error" and self._has(Manner.ANSWERS_ERRORS):
            return response(self._error(received, UNAUTHORIZED))
        return web.Response(status=202)

    def _question(self, received: Received) -> web.StreamResponse:
        """Pong, or what it knows of a message (ebMS 2.0 7, 8), signed or not."""
        e = received.envelope
        try:
            self._known(e)
        except Refusal as refusal:
            return self._refused(refusal, received)
        key, own, now = self.keys.signing, self._own_id(), datetime.now(UTC)
        known = any(r.envelope.message_id == e.ref_to_message_id for r in self.received)
        status = "Received" if known else "NotRecognized"
        ping = e.kind == "ping"
        written = wire.pong(received, key, own, now) if ping else wire.status_of(received, key, own, now, status)
        return self._answered(self._as_signal(written), received, signal=True)

    def _heard(self, received: Received) -> bool:
        """A receipt or an answer, taken where it is about something of its own."""
        e = received.envelope
        about = e.ref_to_message_id
        if not about and e.acknowledgment is not None and not self._has(Manner.MESSAGE_DATA_ONLY):
            about = e.acknowledgment.ref_to_message_id
        if e.kind == "status_response":  # what it names there is what was asked about
            about = self._asked.get(about, "")
        if about not in self.standing:
            return False
        refused = e.kind == "error" and (self._has(Manner.FAILS_BY_WARNING) or e.highest_severity != "Warning")
        self.standing[about] = Standing.FAILED if refused else Standing.DELIVERED
        self.told[about] = e.status or "; ".join(f"{found.code} {found.text}" for found in e.errors)
        return True

    # --- what it writes

    def acknowledged(self, received: Received, *, key: SigningKey | None = None, lie: bool = False) -> Wire:
        """A signed Acknowledgment in its form."""
        refers, own = self._has(Manner.REFERS), self._own_id()
        signing = key or self.keys.signing
        return self._chained(wire.acknowledgment(received, signing, own, datetime.now(UTC), lie=lie, refers=refers))

    def error(self, received: Received, severity: str, code: str, text: str) -> Wire:
        """A MessageError in its form."""
        return self._as_signal(super().error(received, severity, code, text))

    def _error(self, received: Received, refusal: Refusal) -> Wire:
        said = {"code": refusal.code, "location": refusal.location, "text": refusal.text}
        written = wire.error_at(received, self.keys.signing, self._own_id(), datetime.now(UTC), **said)
        return self._as_signal(written)

    def _as_signal(self, written: Wire) -> Wire:
        return wire.without_signature(written) if self._has(Manner.UNSIGNED_SIGNALS) else self._chained(written)

    def _chained(self, written: Wire) -> Wire:
        return wire.with_chain(written, self.keys.chain) if self._has(Manner.CHAIN) else written

    def _own_id(self) -> str:
        return self._dice.uuid() + ("@127.0.0.1" if self._has(Manner.HOST_IN_IDS) else "")

    # --- sending

    def sealed(self, document: bytes, to_her: str, how: Sending, **said: Any) -> tuple[str, Wire]:
        """MessageId and bytes of one message in its form, right or wrong as asked."""
        message_id, written = super().sealed(document, to_her, how, **said)
        self.standing[message_id] = Standing.WAITING
        return message_id, self._chained(written)

    def _changed(self, header: HeaderFields, how: Sending) -> Callable[[bytes], bytes]:
        if not self.manners:
            return super()._changed(header, how)
        terms = self._by_cpa(header.cpa_id) or Terms(header.cpa_id, "")
        asks = how is not Sending.NO_ACK_REQUEST and terms.ack != "never"
        signed, duplicates = terms.ack_signed == "always", terms.duplicates == "always"
        return lambda e: wire.as_agreed(e, sync=terms.sync, ack=asks, signed=signed, duplicates=duplicates)

    def _header(
        self, document: bytes, to_her: str, how: Sending, said: Mapping[str, Any]
    ) -> tuple[HeaderFields, tuple[str, str]]:
        header, schema = super()._header(document, to_her, how, said)
        if not self.manners:
            return header, schema
        terms = self._by_cpa(said["cpa_id"]) if "cpa_id" in said else self._with(to_her)
        if terms is not None:
            header = replace(header, cpa_id=terms.cpa_id, service_type=terms.service_type)
        if self._has(Manner.TIME_TO_LIVE) and header.time_to_live is None:
            header = replace(header, time_to_live=header.timestamp + LIFETIME)
        own = said.get("message_id") or self._own_id()
        return replace(header, message_id=own, software=("", "")), schema

    async def ping(self, to_her: str) -> Sent:
        """Asks whether the hub is there; `standing` says whether it has heard."""
        return await self._asks(to_her, "Ping", envelope_write.ping)

    async def ask(self, about: str, to_her: str) -> Sent:
        """Asks what became of a message; `told` has the answer."""
        return await self._asks(to_her, "StatusRequest", lambda h: envelope_write.status_request(h, about), about)

    async def _asks(self, to_her: str, action: str, write: Callable[[HeaderFields], bytes], about: str = "") -> Sent:
        terms = self._with(to_her)
        header = replace(self._asking(to_her, action), message_id=self._own_id(), timestamp=datetime.now(UTC))
        if terms is not None:
            header = replace(header, cpa_id=terms.cpa_id)
        envelope = write(header)
        if terms is not None:
            asks = self._has(Manner.PING_ASKS_RECEIPT) and action == "Ping" and terms.ack != "never"
            sync = terms.signals_in_exchange
            envelope = wire.as_agreed(
                envelope, sync=sync, ack=asks, signed=terms.ack_signed == "always", duplicates=asks
            )
        self.standing[header.message_id], self._asked[about] = Standing.WAITING, header.message_id
        signed = self._chained(wire.signal(envelope, self.keys.signing))
        written = wire.without_signature(signed) if self._has(Manner.UNSIGNED_QUESTIONS) else signed
        return await self.post(written, message_id=header.message_id)

    async def post(self, written: Wire, *, half: bool = False, message_id: str = "") -> Sent:
        """One POST to the hub; the answer is heard where this peer hears any."""
        sent = await super().post(written, half=half, message_id=message_id)
        if sent.answer is not None and message_id in self.standing and self._hears(sent, written):
            self._heard(sent.answer)
        return sent

    def _hears(self, sent: Sent, written: Wire) -> bool:
        if self._has(Manner.HEARS_WHERE_WRITTEN):
            return b"<eb:SyncReply" in written.body and 200 <= sent.status < 300
        if self._has(Manner.HEARS_WHERE_AGREED):
            asked = sent.answer is not None and sent.answer.envelope.kind in ("pong", "status_response")
            cpa_id = sent.answer.envelope.cpa_id if sent.answer is not None else ""
            terms = self._by_cpa(cpa_id)
            return terms is None or (terms.signals_in_exchange if asked else terms.sync)
        return True


def _proven(headers: Mapping[str, str], body: bytes, received: Received, terms: Terms) -> None:
    if not received.references:
        raise Refusal("SecurityFailure", "//Header/Signature", "Signature not found.")
    certificate = wire.proven_by(headers, body)
    if certificate is None or (terms.certificates and certificate not in terms.certificates):
        raise Refusal("SecurityFailure", "//Header/Signature", "Invalid Signature!")
