"""The hub's own SMTP listener: for its own addresses only, and 250 not before the bytes are durable."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session, TLSSetupException

from adapters.ebxml_smtp.certificate import Certificate
from adapters.ebxml_smtp.settings import ListenerSettings
from hub.formats import mail
from hub.message import Answer, Arrival

Receive = Callable[[Arrival], Awaitable[Answer]]
DOOR = "ebxml_smtp"
#: What is said to a sender that we cannot serve now; it comes again by itself (RFC 5321 4.2.1).
NOT_NOW = "451 4.3.0 cannot be kept now, please come again"
STOPPING = "421 4.3.2 closing down, please come again"
#: Longest line taken. RFC 5321 4.5.3.1.6 says 998, but some write a whole envelope in one, and cutting it would spoil it.
LONGEST_LINE = 1_000_000


def arrival_of(raw: bytes, id_: str, at: datetime, size: int = 0) -> Arrival:
    """A mail as an arrival, as received, with its header fields at hand; `size` where `raw` is only its beginning."""
    return Arrival(id_, DOOR, at, dict(mail.read(raw).headers), raw, size=size)


class SmtpListener:
    """Listens while open (`async with`); `port` is the one it has."""

    def __init__(
        self,
        settings: ListenerSettings,
        receive: Receive,
        postmaster: Receive,
        *,
        addresses: Callable[[], Collection[str]],
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        full: Callable[[], Awaitable[Answer | None]],
        trouble: Callable[[Exception], None],
        warn: Callable[[str], None],
        max_bytes: int,
        name: str,
    ) -> None:
        """`addresses` are the mail addresses of local parties, lower case; `full` answers when nothing may be taken.

        `postmaster` gets what is for nobody else, whom every domain has (RFC 5321 4.5.1).
        `trouble` is told what nobody foresaw, `warn` in words what the operator should see to.
        """
        self._settings, self._trouble, self._warn = settings, trouble, warn
        self._receive, self._postmaster = receive, postmaster
        self._addresses, self._now, self._new_id, self._full = addresses, now, new_id, full
        self._max_bytes, self._name = max_bytes, name
        self._recent: dict[str, deque[float]] = {}
        self._tidy_at = 0.0
        self._certificate: Certificate | None = None
        self._server: asyncio.Server | None = None
        self._keeping: set[asyncio.Task[Answer]] = set()
        self.stopping = False
        self.open: set[_Conversation] = set()
        self.port = 0

    async def __aenter__(self) -> SmtpListener:
        s = self._settings
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # the library's own log holds what clients write
        if s.tls != "off" and s.certificate is not None and s.key is not None:
            self._certificate = Certificate(s.certificate, s.key, self._warn)
        self._server = await asyncio.get_running_loop().create_server(self._session, s.host, s.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """What is being kept is finished and answered; everybody else is told to come again."""
        if self._server is None:
            return
        self.stopping = True
        self._server.close()
        while self._keeping:
            await asyncio.wait(self._keeping)
            await asyncio.sleep(0)  # for its answer to be written
        for conversation in list(self.open):
            conversation.dismiss(STOPPING)
        await self._server.wait_closed()

    def _session(self) -> SMTP:
        """A conversation with one client."""
        s = self._settings
        return _Conversation(
            self,
            data_size_limit=self._max_bytes,
            enable_SMTPUTF8=False,
            decode_data=False,
            hostname=self._name,
            ident="ready",
            tls_context=self._certificate.context() if self._certificate else None,
            require_starttls=s.tls == "required",
            timeout=s.idle_seconds,
            loop=asyncio.get_running_loop(),
        )

    # --- what the library calls; names are its own

    async def handle_EHLO(
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, offers: list[str]
    ) -> list[str]:
        """PIPELINING, which saves the sender round trips (RFC 2920); no AUTH: nobody has a login here."""
        session.host_name = hostname
        *first, last = (offer for offer in offers if not offer[4:].startswith("AUTH"))
        return [*first, "250-PIPELINING", last]

    async def handle_MAIL(
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Puts off who sends more than a fair share, and says at once when nothing can be kept."""
        if self.stopping:
            return STOPPING
        if self._too_many(_peer(session)):
            return "450 4.7.1 too many mails from your address, please come again in a minute"
        if await self._full() is not None:
            return "452 4.3.1 the store is nearly full, please come again"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Only addresses of parties that are served here, and the postmaster: nothing is relayed."""
        if mail.address(address) not in self._addresses() and not self._is_postmaster(address):
            return "550 5.1.1 no such mailbox here; mail is not relayed"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, session: Session, envelope: Envelope) -> str:
        """Kept first; what is wrong with it is answered by a receipt of its own, not here."""
        content = envelope.original_content or b""
        keeping = asyncio.create_task(self._kept(content, envelope.rcpt_tos, _peer(session)))
        self._keeping.add(keeping)
        keeping.add_done_callback(self._keeping.discard)
        answer = await asyncio.shield(keeping)  # also when the client leaves meanwhile: it comes again, and is known
        return NOT_NOW if answer.status == 503 else "250 2.0.0 kept"

    async def _kept(self, content: bytes, receivers: Sequence[str], peer: str) -> Answer:
        ours = self._addresses()
        receive = self._receive if any(mail.address(one) in ours for one in receivers) else self._postmaster
        return await receive(replace(arrival_of(content, self._new_id(), self._now()), peer=peer))

    async def handle_exception(self, error: Exception) -> str:
        """Told inside, unless a client did not like our certificate; never a trace to the outside."""
        if not isinstance(error, TLSSetupException):
            self._trouble(error)
        return NOT_NOW

    # --- small words

    @property
    def crowded(self) -> bool:
        """Whether there are as many connections as may be."""
        return len(self.open) >= self._settings.at_once

    def _is_postmaster(self, address: str) -> bool:
        """Of this host, or of a domain that we take mail for."""
        local, _, domain = address.lower().partition("@")
        ours = {"", self._name.lower(), *(one.partition("@")[2] for one in self._addresses())}
        return local == "postmaster" and domain in ours

    def _too_many(self, peer: str) -> bool:
        """More than `per_minute` mails from one address in the last minute."""
        now = asyncio.get_running_loop().time()
        if now > self._tidy_at:  # addresses that have been quiet are forgotten
            self._tidy_at = now + 60
            self._recent = {p: times for p, times in self._recent.items() if times[-1] > now - 60}
        recent = self._recent.setdefault(peer, deque(maxlen=self._settings.per_minute))
        if len(recent) == recent.maxlen and recent[0] > now - 60:
            return True
        recent.append(now)
        return False


class _Conversation(SMTP):
    """One client; a connection too many is told so and closed."""

    line_length_limit = LONGEST_LINE

    def __init__(self, listener: SmtpListener, **settings: Any) -> None:
        super().__init__(listener, **settings)
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Also called once more by the library when STARTTLS has put another transport between."""
        if self not in self._listener.open and self._listener.crowded and isinstance(transport, asyncio.Transport):
            transport.write(b"421 4.3.2 too many connections, please come again\r\n")
            transport.close()
            return
        self._listener.open.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._listener.open.discard(self)
        if self.transport is not None:
            super().connection_lost(error)

    def eof_received(self) -> bool | None:
        return super().eof_received() if self.transport is not None else False

    def data_received(self, data: bytes) -> None:
        if self.transport is not None:
            super().data_received(data)

    def dismiss(self, word: str) -> None:
        """Says why, and hangs up."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.write(f"{word}\r\n".encode("ascii"))
            self.transport.close()


def _peer(session: Session) -> str:
    return str(session.peer[0]) if isinstance(session.peer, tuple) else "?"
