"""Sends a parcel as a mail through the relay and says how far it came; receipts come back by themselves, as mail."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime

import aiosmtplib
from aiosmtplib.protocol import normalize_message_line_endings

from adapters.ebxml_smtp import pipeline, wire
from adapters.ebxml_smtp.pipeline import Envelope, Pipelined, Stale
from adapters.ebxml_smtp.relay import TROUBLE, Busy, NoLogin, Relay, Unprotected
from adapters.ebxml_smtp.settings import RelaySettings
from hub.formats import mail
from hub.message import Claimed, Outcome, Parcel, Reached


class Garbled(aiosmtplib.SMTPException):
    """The relay has the mail and said something that means neither yes nor no."""


class EbxmlSmtpSender:
    """hub.ports.Sender for `mailto:` addresses. Open it with `async with`."""

    def __init__(
        self,
        settings: RelaySettings,
        address_of: Callable[[str], str],
        now: Callable[[], datetime],
        still_wanted: Callable[[str], Awaitable[bool]],
    ) -> None:
        """`address_of` gives the mail address of a local HER-id.

        `still_wanted` is asked before a resend, by the delivery's id: it looks into our own mailbox first, where the
        missing receipt may lie unread (HIS 1037 H-63).
        """
        self._settings, self._address_of, self._now = settings, address_of, now
        self._still_wanted = still_wanted
        self._relay = Relay(settings)

    async def __aenter__(self) -> EbxmlSmtpSender:
        await self._relay.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._relay.__aexit__(*exc)

    async def send(self, claimed: Claimed, parcel: Parcel) -> Outcome:
        """One attempt; never raises for what the relay does."""
        receiver = wire.address_of(claimed.delivery.address)
        sender = self._address_of(claimed.delivery.sender)
        if missing := self._missing(sender, receiver, claimed):
            return Outcome(Reached.NO, "no-endpoint", missing, permanent=True)
        if claimed.delivery.handed_over and not await self._still_wanted(claimed.delivery.id):
            return Outcome(Reached.YES, "acknowledged", "its receipt lay in our mailbox; it is not sent again")
        try:
            return await self._carried(claimed, parcel, sender, receiver)
        except TROUBLE as error:
            return _failed(error, self._where)

    def _missing(self, sender: str, receiver: str, claimed: Claimed) -> str:
        if not self._settings.host:
            return "no relay is set up: see relay.host"
        if not receiver or not Envelope("", receiver).can_be_said:
            return f"{claimed.delivery.address or '(none)'} is not a mail address"
        if not sender:
            return f"HER-id {claimed.delivery.sender} has no mail address here: add `mail` to the party"
        if not Envelope(sender, receiver).can_be_said:
            return f"HER-id {claimed.delivery.sender}: its `mail` is no mail address"
        return ""

    async def _carried(self, claimed: Claimed, parcel: Parcel, sender: str, receiver: str) -> Outcome:
        """Over a connection; one that the relay had closed meanwhile costs only another one, for a new one is not stale.

        There are never more kept ones than connections; others may put back as many again while we try.
        """
        for _ in range(self._settings.connections + 1):
            with contextlib.suppress(Stale):
                async with self._relay.connection() as client:
                    return await self._mailed(client, claimed, parcel, sender, receiver)
        return Outcome(Reached.NO, "connection-lost", f"{self._where}: the relay closed each connection after one mail")

    async def _mailed(
        self, client: aiosmtplib.SMTP, claimed: Claimed, parcel: Parcel, sender: str, receiver: str
    ) -> Outcome:
        content = wire.mail(
            parcel,
            sender=sender,
            receiver=receiver,
            own_id=mail.own_message_id(claimed.delivery.id, claimed.attempt, self._settings.domain),
            now=self._now(),
            subject=claimed.message.action or "ebXML",
            eight_bit=client.supports_extension("8bitmime"),
        )
        limit = _limit(client)
        if limit and len(content) > limit:
            text = f"{len(content)} bytes; the relay takes {limit} (RFC 1870)"
            return Outcome(Reached.YES, "mail-too-large", text, permanent=True)
        deadline = asyncio.get_running_loop().time() + self._settings.answer_seconds
        options = self._options(client, claimed, receiver, len(content))
        await _begun(client, Envelope(sender, receiver, *options), deadline)
        try:
            async with asyncio.timeout_at(deadline):
                await _ended(client, content)
        except TimeoutError:
            client.close()
            text = f"{self._where}: the relay did not say in time whether it took the mail"
            return Outcome(Reached.MAYBE, "timed-out", text)
        except (OSError, Garbled):
            client.close()
            text = f"{self._where}: the connection broke before the relay said whether it took the mail"
            return Outcome(Reached.MAYBE, "connection-lost", text)
        return Outcome(Reached.YES, "handed-over", f"the relay took {len(content)} bytes for {receiver}")

    @property
    def _where(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    def _options(
        self, client: aiosmtplib.SMTP, claimed: Claimed, receiver: str, size: int
    ) -> tuple[list[str], list[str]]:
        """SIZE, 8BITMIME, and delivery status notifications that come back under the delivery's id (RFC 3461 4.4)."""
        mail_options = [f"SIZE={size}"] if client.supports_extension("size") else []
        mail_options += ["BODY=8BITMIME"] if client.supports_extension("8bitmime") else []
        if not (self._settings.dsn and client.supports_extension("dsn")):
            return mail_options, []
        return [*mail_options, "RET=HDRS", f"ENVID={claimed.delivery.id}"], [
            "NOTIFY=FAILURE,DELAY",
            f"ORCPT=rfc822;{receiver}",
        ]


async def _begun(client: aiosmtplib.SMTP, envelope: Envelope, deadline: float) -> None:
    """MAIL, RCPT and DATA, up to the relay's word that it listens: until then nothing has been handed over."""
    if isinstance(client.protocol, Pipelined):
        await pipeline.begun(client, client.protocol, envelope, deadline)
        return
    async with asyncio.timeout_at(deadline):
        await client.mail(envelope.sender, options=envelope.mail_options)
        await client.rcpt(envelope.receiver, options=envelope.rcpt_options)
        answer = await client.execute_command(b"DATA")
    if answer.code != 354:
        raise aiosmtplib.SMTPDataError(answer.code, answer.message)


async def _ended(client: aiosmtplib.SMTP, content: bytes) -> None:
    """The mail and the final dot. From here on the relay may have taken it, whatever happens (RFC 5321 4.5.4.1)."""
    protocol = client.protocol
    if protocol is None:
        raise aiosmtplib.SMTPServerDisconnected("closed")
    lines = normalize_message_line_endings(content).replace(b"\r\n.", b"\r\n..")
    protocol.write(lines + b".\r\n")
    try:
        answer = await protocol.read_response()
    except aiosmtplib.SMTPResponseException as error:
        raise Garbled("what came was no answer") from error
    if 400 <= answer.code < 600:
        raise aiosmtplib.SMTPDataError(answer.code, answer.message)
    if not 200 <= answer.code < 300:
        raise Garbled(f"answered by {answer.code}")


def _limit(client: aiosmtplib.SMTP) -> int:
    """Largest mail that the relay says it takes, in bytes; 0 where it does not say."""
    said = client.esmtp_extensions.get("size", "")
    return int(said) if said.isdecimal() else 0


def _failed(error: Exception, where: str) -> Outcome:
    """What went wrong before the mail was handed over; the relay's own words stay out, they may hold addresses of others."""
    match error:
        case NoLogin():
            return Outcome(Reached.NO, "mail-login", f"{where}: {error.message}")
        case Unprotected():
            return Outcome(Reached.NO, "mail-tls", f"{where}: {error.message}")
        case Busy():
            return Outcome(Reached.NO, "timed-out", f"{where}: {error.message}")
        case aiosmtplib.SMTPConnectResponseError() | aiosmtplib.SMTPHeloError():
            return Outcome(Reached.NO, "connect-failed", f"{where} does not want to talk to us: {error.code}")
        case aiosmtplib.SMTPConnectError() if not isinstance(error, TimeoutError):
            return Outcome(Reached.NO, "connect-failed", f"{where}: {type(error).__name__}")
        case aiosmtplib.SMTPResponseException():
            return wire.refused(error.code, error.message, _STEPS.get(type(error), "a command"))
        case TimeoutError():
            return Outcome(Reached.NO, "timed-out", f"{where} did not answer in time")
        case _:
            return Outcome(Reached.NO, "connection-lost", f"{where}: {type(error).__name__}")


_STEPS: dict[type, str] = {
    aiosmtplib.SMTPSenderRefused: "MAIL",
    aiosmtplib.SMTPRecipientRefused: "RCPT",
    aiosmtplib.SMTPDataError: "DATA",
}
