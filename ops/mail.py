"""The mail side of a hub, put together: the sender through the relay, the listener, and what collects from a mailbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from adapters.ebxml_smtp.collect import MailboxCollector
from adapters.ebxml_smtp.receive import SmtpListener
from adapters.ebxml_smtp.send import EbxmlSmtpSender
from hub.errors import place
from hub.kit import Kit
from hub.message import Answer, Arrival, Channel
from hub.ports import DeliveryFilter
from hub.states import Move, allowed
from hub.submission import turn_away
from ops.config import Configuration
from ops.serve.guard import Receive
from ops.system import ordered_id

log = structlog.get_logger("mail")


class MailSide:
    """One hub's mail. The sender works as long as the hub is put together, the doors while it runs."""

    def __init__(
        self,
        configuration: Configuration,
        kit: Kit,
        take: Receive,
        postmaster: Receive,
        full: Callable[[], Awaitable[Answer | None]],
    ) -> None:
        """`take` is the guarded door for mails, `postmaster` the one for mails to nobody else."""
        self.configuration = configuration
        max_bytes = kit.settings.max_message_bytes * 3 // 2  # base64 grows by a third, line ends and headers by more
        self.collector = MailboxCollector(
            configuration.mailbox,
            take,
            now=kit.clock.now,
            new_id=ordered_id,
            full=full,
            trouble=_told,
            max_bytes=max_bytes,
            passed_over=_kept_for_people(kit),
        )
        self.listener = SmtpListener(
            configuration.listener,
            take,
            postmaster,
            addresses=lambda: {p.mail for p in kit.directory.parties() if p.local and p.mail},
            now=kit.clock.now,
            new_id=ordered_id,
            full=full,
            trouble=_unforeseen,
            warn=_warned,
            max_bytes=max_bytes,
            name=configuration.relay.domain,
        )
        self.sender = EbxmlSmtpSender(
            configuration.relay, _address(kit), kit.clock.now, _still_wanted(kit, self.collector.look)
        )

    @asynccontextmanager
    async def doors(self) -> AsyncIterator[None]:
        """Listens and collects while inside, as far as the configuration says so."""
        async with AsyncExitStack() as stack:
            if self.configuration.listener.host:
                await stack.enter_async_context(self.listener)
            await stack.enter_async_context(self.collector)
            yield


def _address(kit: Kit) -> Callable[[str], str]:
    def of(her_id: str) -> str:
        party = kit.directory.party(her_id)
        return party.mail if party is not None else ""

    return of


def _still_wanted(kit: Kit, look: Callable[[], Awaitable[None]]) -> Callable[[str], Awaitable[bool]]:
    """Whether a delivery still waits for its receipt when our mailbox has been looked into (HIS 1037 H-63)."""

    async def asked(delivery_id: str) -> bool:
        await look()
        found = await kit.store.deliveries(DeliveryFilter(ids=(delivery_id,)))
        return bool(found) and allowed(found[0].state, Move.HAND_OVER)

    return asked


def _kept_for_people(kit: Kit) -> Callable[[str], Awaitable[Answer]]:
    """A mail that its server cannot give stands among what is in quarantine, though nothing of it is here."""

    async def keep(words: str) -> Answer:
        arrival = Arrival(ordered_id(), Channel.EBXML_SMTP, kit.clock.now(), {}, b"")
        return await turn_away(arrival, "mail-ungiven", words, kit)

    return keep


def _unforeseen(error: Exception) -> None:
    log.error("unforeseen", kind=type(error).__name__, where=place(error))


def _warned(words: str) -> None:
    log.warning("listener-certificate", because=words)


def _told(words: str) -> None:
    log.warning("mailbox-unreadable", because=words)
