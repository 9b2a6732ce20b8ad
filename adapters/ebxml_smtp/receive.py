"""The hub's own SMTP listener: for its own addresses only, and 250 not before the bytes are durable."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from adapters.ebxml_smtp.settings import ListenerSettings
from hub.formats import mail
from hub.message import Answer, Arrival

Receive = Callable[[Arrival], Awaitable[Answer]]
DOOR = "ebxml_smtp"
#: What is said to a sender that we cannot serve now; it comes again by itself (RFC 5321 4.2.1).
NOT_NOW = "451 4.3.0 cannot be kept now, please come again"


def arrival_of(raw: bytes, id_: str, at: datetime) -> Arrival:
    """A mail as an arrival: the whole of it as received, with its header fields at hand."""
    return Arrival(id_, DOOR, at, dict(mail.read(raw).headers), raw)


class SmtpListener:
    """Listens while open (`async with`); `port` is the one it has."""

    def __init__(
        self,
        settings: ListenerSettings,
        receive: Receive,
        *,
        addresses: Callable[[], Collection[str]],
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        full: Callable[[], Awaitable[Answer | None]],
        max_bytes: int,
        name: str,
    ) -> None:
        """`addresses` are the mail addresses of local parties, lower case; `full` answers when nothing may be taken."""
        self._settings, self._receive = settings, receive
        self._addresses, self._now, self._new_id, self._full = addresses, now, new_id, full
        self._max_bytes, self._name = max_bytes, name
        self._recent: dict[str, deque[float]] = {}
        self._connected = 0
        self._server: asyncio.Server | None = None
        self.port = 0

    async def __aenter__(self) -> SmtpListener:
        s = self._settings
        self._server = await asyncio.get_running_loop().create_server(self._session, s.host, s.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
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
            tls_context=_context(s),
            require_starttls=s.tls == "required",
            timeout=120,
            loop=asyncio.get_running_loop(),
        )

    # --- what the library calls; names are its own

    async def handle_MAIL(
        self, _server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Puts off who sends more than a fair share, and says at once when nothing can be kept."""
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
        """Only addresses of parties that are served here: nothing is relayed."""
        if mail.address(address) not in self._addresses():
            return "550 5.1.1 no such mailbox here; mail is not relayed"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Kept first; what is wrong with it is answered by a receipt of its own, not here."""
        content = envelope.original_content or b""
        answer = await self._receive(arrival_of(content, self._new_id(), self._now()))
        return NOT_NOW if answer.status == 503 else "250 2.0.0 kept"

    async def handle_exception(self, _error: Exception) -> str:
        """Never a trace to the outside."""
        return NOT_NOW

    # --- small words

    def joined(self) -> bool:
        """Counts a connection; false when there are too many already."""
        self._connected += 1
        return self._connected <= self._settings.at_once

    def left(self) -> None:
        """A connection has ended."""
        self._connected -= 1

    def _too_many(self, peer: str) -> bool:
        """More than `per_minute` mails from one address in the last minute."""
        now = asyncio.get_running_loop().time()
        recent = self._recent.setdefault(peer, deque())
        while recent and recent[0] < now - 60:
            recent.popleft()
        if len(self._recent) > 10_000:  # addresses that have been quiet are forgotten
            self._recent = {p: times for p, times in self._recent.items() if times}
        if len(recent) >= self._settings.per_minute:
            return True
        recent.append(now)
        return False


class _Conversation(SMTP):
    """One client; a connection too many is told so and closed."""

    def __init__(self, listener: SmtpListener, **settings: Any) -> None:
        super().__init__(listener, **settings)
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not self._listener.joined() and isinstance(transport, asyncio.Transport):
            transport.write(b"421 4.3.2 too many connections, please come again\r\n")
            transport.close()
            return
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._listener.left()
        if self.transport is not None:
            super().connection_lost(error)


def _peer(session: Session) -> str:
    return str(session.peer[0]) if isinstance(session.peer, tuple) else "?"


def _context(settings: ListenerSettings) -> ssl.SSLContext | None:
    if settings.tls == "off" or settings.certificate is None or settings.key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.certificate, settings.key)
    return context
