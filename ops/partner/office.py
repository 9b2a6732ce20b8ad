"""The mail server between a hub and its simulated partners: what is for one of them it hands over, the rest goes onward."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import aiosmtplib
from aiosmtpd.smtp import SMTP, Envelope, Session

from hub.formats import mail
from ops.partner.wire import LIMIT

if TYPE_CHECKING:
    from ops.partner.mail import MailPartner

#: What a mail server says when it has taken a mail.
TAKEN = "250 2.0.0 taken"


class PostOffice:
    """Listens while open (`async with`). It refuses, puts off or drops a mail where its receiver is told to misbehave so."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.host, self.port = host, port
        self.partners: dict[str, MailPartner] = {}  #: by mail address
        self.onward: dict[str, tuple[str, int]] = {}  #: address → host and port of the mail server that has it
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> PostOffice:
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # the library's own log holds what mails hold
        self._server = await asyncio.get_running_loop().create_server(self._session, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    def _session(self) -> SMTP:
        loop = asyncio.get_running_loop()
        return _Conversation(self, data_size_limit=LIMIT, decode_data=False, hostname="relay.example", loop=loop)

    def partner(self, envelope: Envelope) -> MailPartner | None:
        """The partner that a mail is for; None where it goes onward."""
        return next((p for a in envelope.rcpt_tos if (p := self.partners.get(mail.address(a)))), None)

    # --- what the library calls; names are its own

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Known addresses only; a partner may say no, or not now."""
        known = mail.address(address)
        if known not in self.partners and known not in self.onward:
            return "550 5.1.1 no such mailbox"
        refusal = self.partners[known].at_the_door() if known in self.partners else ""
        if not refusal:
            envelope.rcpt_tos.append(address)
        return refusal or "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """To the partner, or onward; what the next mail server says is said back."""
        content = envelope.original_content or b""
        partner = self.partner(envelope)
        if partner is not None:
            partner.take(content, envelope.mail_from or "")
            return TAKEN
        host, port = self.onward[mail.address(envelope.rcpt_tos[0])]
        return await mailed(content, envelope.mail_from or "", envelope.rcpt_tos[0], host, port)


class _Conversation(SMTP):
    """One client; in the middle of DATA the connection may break."""

    def __init__(self, office: PostOffice, **settings: Any) -> None:
        super().__init__(office, **settings)
        self._office = office

    async def smtp_DATA(self, arg: str) -> None:
        """Takes the mail, or drops the connection once the first of it has come."""
        partner = self._office.partner(self.envelope) if self.envelope is not None else None
        if partner is None or not partner.drops:
            await super().smtp_DATA(arg)
            return
        await self.push("354 go on")
        assert isinstance(self.transport, asyncio.Transport)
        await self._reader.read(1)
        self.transport.abort()


async def mailed(content: bytes, sender: str, receiver: str, host: str, port: int) -> str:
    """Hands one mail to a mail server; its answer, code and words, as it is said on the wire."""
    client = aiosmtplib.SMTP(hostname=host, port=port, timeout=30, start_tls=False, local_hostname="relay.example")
    try:
        async with client:
            await client.sendmail(sender, [receiver], content)
    except aiosmtplib.SMTPRecipientsRefused as refused:
        first = refused.recipients[0]
        return f"{first.code} {first.message}"
    except aiosmtplib.SMTPResponseException as refused:
        return f"{refused.code} {refused.message}"
    except (aiosmtplib.SMTPException, OSError) as error:
        return f"450 4.4.1 no answer: {type(error).__name__}"
    return TAKEN
