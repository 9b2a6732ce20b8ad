"""A simulated partner that is reached by mail: the same message handler, behind a mail server that may misbehave too."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import cast

from aiohttp import web

from adapters.ebxml_smtp import wire as mails
from hub.formats import mail
from hub.message import Parcel
from ops.partner import wire
from ops.partner.behaviours import HTTP_ONLY, ByMail, Receiving
from ops.partner.office import PostOffice, mailed
from ops.partner.partner import Partner, PartnerKeys, Sent
from ops.partner.wire import Wire

#: Header fields of a receipt that go into its mail.
_FIELDS = ("Content-Type", "SOAPAction", "MIME-Version", "In-Reply-To")


def mail_of(her_id: str) -> str:
    """The mail address of a HER-id of the example sector."""
    return f"{her_id}@edi.example"


class MailPartner(Partner):
    """Has an address at a post office (`async with`, as every partner), and mails what it sends to the hub's listener.

    What a hub answers comes back as mail of its own: `send` gives only what the listener said.
    """

    def __init__(
        self,
        her_id: str,
        keys: PartnerKeys,
        office: PostOffice,
        *,
        address: str = "",
        hub_url: str = "",
        hub_address: Callable[[str], str] = mail_of,
        certificate_of: Callable[[str], bytes] = lambda _: b"",
    ) -> None:
        """`hub_url` is `smtp://host:port`; `hub_address` gives the mail address of a HER-id that the hub serves."""
        super().__init__(her_id, keys, hub_url=hub_url, certificate_of=certificate_of)
        self.address, self.office, self._hub_address = address or mail_of(her_id), office, hub_address
        self.mails: list[bytes] = []  #: every mail that it took, in order
        self._first_seen: float | None = None
        self._held: list[bytes] = []

    async def __aenter__(self) -> MailPartner:
        self.office.partners[self.address] = self
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.office.partners.pop(self.address, None)
        await super().__aexit__(*exc)

    @property
    def url(self) -> str:
        """Where the hub finds it."""
        return f"mailto:{self.address}"

    @staticmethod
    def named(how: str) -> Receiving | ByMail:
        """The behaviour of a name, of the mail server or of the message handler behind it, not of what only HTTP can do."""
        if how in HTTP_ONLY:
            raise ValueError(f"{how} is only for partners that are reached by HTTP")
        return ByMail(how) if how in set(ByMail) else Receiving(how)

    async def behave(self, how: Receiving | ByMail) -> None:
        """From now on it does this with what it gets."""
        self.receiving, self._first_seen = how, None

    # --- its mail server

    @property
    def drops(self) -> bool:
        """Whether the connection breaks in the middle of a mail."""
        return self.receiving is ByMail.DROP_MID_DATA

    def at_the_door(self) -> str:
        """What is said to a mail for it before its content comes; empty when it may come."""
        if self.receiving is ByMail.BOUNCE_NOW:
            return "550 5.1.1 simulated: user unknown"
        now = asyncio.get_running_loop().time()
        self._first_seen = self._first_seen if self._first_seen is not None else now
        if self.receiving is ByMail.GREYLIST and now - self._first_seen < self.slow_seconds:
            return "451 4.7.1 simulated: greylisted, please come again"
        return ""

    def take(self, content: bytes, sender: str) -> None:
        """One mail, taken; what follows from it goes on beside."""
        self.mails.append(content)
        if self.receiving is ByMail.BOUNCE_LATER:
            self.later(self._bounced(content, sender))
        elif self.receiving is not ByMail.ACCEPT_AND_LOSE:
            self.later(self._read(content))

    async def _bounced(self, content: bytes, sender: str) -> None:
        await asyncio.sleep(self.late_seconds)
        await self._mailed(bounce(content, self.address, sender), sender="")

    async def _read(self, content: bytes) -> None:
        found = mail.read(content)
        received = wire.read(found.headers, found.body, self.keys.decryption)
        if received is None:
            return
        if received.envelope.kind == "ping":
            await self.post(wire.pong(received, self.keys.signing, self._dice.uuid(), datetime.now(UTC)))
        elif received.envelope.kind != "business":
            self.signals.append(received)
        else:
            self.received.append(received)
            answer = self._answers.get(self.receiving, self._good)
            said = await answer(cast(web.Request, None), received)  # those that need a request are HTTP_ONLY
            await self._answered(cast(web.Response, said), found.message_id, received.from_her)

    async def _answered(self, said: web.Response, message_id: str, to_her: str) -> None:
        """What would have been the answer in the same exchange, as a mail of its own."""
        if said.body:
            headers = {**said.headers, "In-Reply-To": f"<{message_id}>"}
            await self._mailed(self.mail(Wire(headers, cast(bytes, said.body)), to_her), sender=self.address)

    # --- sending

    async def post(self, written: Wire, *, half: bool = False, message_id: str = "") -> Sent:
        """One mail to the hub's listener; the status is its SMTP answer's."""
        if half:
            raise ValueError("half-request is only for partners that are reached by HTTP")
        answer = await self._mailed(self.mail(written), sender=self.address)
        return Sent(int(answer[:3]), {}, b"", message_id, None, written.body)

    def mail(self, written: Wire, to_her: str = "") -> bytes:
        """The mail that would be sent, to the HER-id that its envelope names unless told."""
        headers = {name: written.headers[name] for name in _FIELDS if name in written.headers}
        return mails.mail(
            Parcel(headers, written.body),
            sender=self.address,
            receiver=self._hub_address(to_her or _receiver(written)),
            own_id=f"{self._dice.uuid()}@partner.example",
            now=datetime.now(UTC),
            subject="ebXML",
            eight_bit=False,
        )

    async def _mailed(self, content: bytes, sender: str) -> str:
        if self.receiving is ByMail.REORDER:
            self._held.append(content)
            if len(self._held) == 1:
                self.later(self._let_go(sender))
            return "250 2.0.0 held back"
        answer = await self.hand_over(content, sender)
        if self.receiving is ByMail.DELIVER_TWICE:
            answer = await self.hand_over(content, sender)
        return answer

    async def _let_go(self, sender: str) -> None:
        """What was held, the last first."""
        await asyncio.sleep(self.late_seconds)
        held, self._held = self._held[::-1], []
        for content in held:
            await self.hand_over(content, sender)

    async def hand_over(self, content: bytes, sender: str = "") -> str:
        """Any mail to the hub's listener, as it is; what the listener said."""
        host, _, port = self.hub_url.removeprefix("smtp://").rpartition(":")
        receiver = mail.address(mail.read(content).headers.get("to", ""))
        return await mailed(content, sender, receiver, host, int(port))


def _receiver(written: Wire) -> str:
    """The HER-id in To; of what is no multipart and no envelope, none."""
    found = re.search(rb"<eb:To>.*?>(\d+)</eb:PartyId>", written.body, re.S)
    return found.group(1).decode() if found else ""


def bounce(content: bytes, address: str, to: str, *, status: str = "5.1.1", envelope_id: str = "") -> bytes:
    """A delivery status notification about a mail (RFC 3464), as a mail server writes it, with the headers of what it was."""
    head = re.split(rb"\r?\n\r?\n", content, maxsplit=1)[0]
    about = f"Original-Envelope-Id: {envelope_id}\r\n" if envelope_id else ""
    written = (
        f"From: MAILER-DAEMON@relay.example\r\nTo: <{to}>\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="grense"\r\n\r\n'
        "--grense\r\nContent-Type: text/plain\r\n\r\nYour mail could not be delivered.\r\n"
        "--grense\r\nContent-Type: message/delivery-status\r\n\r\n"
        f"Reporting-MTA: dns; relay.example\r\n{about}\r\n"
        f"Final-Recipient: rfc822; {address}\r\nAction: failed\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; 550 {status} simulated\r\n\r\n"
        "--grense\r\nContent-Type: text/rfc822-headers\r\n\r\n"
    )
    return written.encode() + head + b"\r\n\r\n--grense--\r\n"
