"""A mail relay as the far side of ebXML over SMTP."""

from __future__ import annotations

import email
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path

from adapters.ebxml_smtp.send import EbxmlSmtpSender
from adapters.ebxml_smtp.settings import RelaySettings
from hub.message import Channel
from hub.ports import Sender
from tests.conformance.letters import ANSWER, CONNECT, CONTENT, PASSWORD, Got, Letter, enveloped, opened
from tests.mail.servers import DROP, HANG, USUAL, Relay


class MailTransport:
    """tests.conformance.transports.Transport; the mails are read by Python's own library."""

    final = True
    says_later = True

    def __init__(self, folder: Path, *offers: str) -> None:
        """`offers` are what the relay offers besides the usual."""
        self._relay = Relay()
        self._relay.offers += ["AUTH PLAIN", *offers]
        self._listens = False
        self._password = folder / "relay-password"
        self._password.write_text(PASSWORD)

    async def __aenter__(self) -> MailTransport:
        await self.take()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.gone()

    def open(self) -> AbstractAsyncContextManager[Sender]:
        """See Transport.open."""

        async def still_wanted(_: str) -> bool:
            return True

        settings = RelaySettings(
            host="127.0.0.1",
            port=self._relay.port,
            tls="off",
            username="samhub",
            password_file=self._password,
            connect_seconds=CONNECT,
            answer_seconds=ANSWER,
        )
        return EbxmlSmtpSender(settings, lambda _: "legesenter@edi.example", lambda: datetime.now(UTC), still_wanted)

    def letter(self, content: bytes = b"") -> Letter:
        """See Transport.letter; the last line of a mail has an end, and gets one where there is none."""
        return enveloped(Channel.EBXML_SMTP, "mailto:sykehus@edi.example", content + b"\r\n")

    def lost_letter(self) -> Letter:
        """See Transport.lost_letter."""
        return enveloped(Channel.EBXML_SMTP, "", b"")

    async def take(self) -> None:
        """See Transport.take."""
        self._relay.usual.update(USUAL)
        if not self._listens:
            await self._relay.__aenter__()
            self._listens = True

    async def gone(self) -> None:
        """See Transport.gone: nobody listens, and what was open is closed."""
        if self._listens:
            self._listens = False
            await self._relay.__aexit__()

    async def never(self) -> None:
        """See Transport.never."""
        self._relay.usual["rcpt"] = f"550 5.1.1 no such mailbox {CONTENT}"

    async def later(self) -> None:
        """See Transport.later: grey-listed."""
        self._relay.usual["rcpt"] = f"451 4.7.1 come again {CONTENT}"

    async def dies(self) -> None:
        """See Transport.dies: the connection is cut when the final dot has come."""
        self._relay.usual["dot"] = DROP

    async def silent(self) -> None:
        """See Transport.silent."""
        self._relay.usual["dot"] = HANG

    async def got(self) -> list[Got]:
        """See Transport.got."""
        mails = (email.message_from_bytes(one.content).get_payload(decode=True) for one in self._relay.taken)
        return [opened(content) for content in mails if isinstance(content, bytes)]
