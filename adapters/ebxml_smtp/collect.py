"""Collects from the mailbox that a site already has, and deletes only what is kept."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from datetime import datetime

from adapters.ebxml_smtp import mailbox
from adapters.ebxml_smtp.mailbox import TROUBLE, Mailbox
from adapters.ebxml_smtp.receive import Receive, arrival_of
from adapters.ebxml_smtp.settings import MailboxSettings
from hub.message import Answer


class MailboxCollector:
    """Collects in a thread of its own while open (`async with`): the libraries for mailboxes wait on their sockets."""

    def __init__(
        self,
        settings: MailboxSettings,
        receive: Receive,
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        full: Callable[[], Awaitable[Answer | None]],
        trouble: Callable[[str], None],
    ) -> None:
        """`trouble` is told in words when the mailbox cannot be read; collecting goes on by itself."""
        self._settings, self._receive, self._full = settings, receive, full
        self._now, self._new_id, self._trouble = now, new_id, trouble
        self._stopping = threading.Event()
        self._one_at_a_time = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    async def __aenter__(self) -> MailboxCollector:
        self._loop = asyncio.get_running_loop()
        if self._settings.protocol != "off":
            self._thread = threading.Thread(target=self._run, name="mailbox", daemon=True)
            self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """What is being handed over is finished; what waits for new mail is left to end by itself."""
        self._stopping.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, 2)

    async def look(self) -> None:
        """Empties the mailbox now, beside what the thread does (HIS 1037 H-63)."""
        if self._settings.protocol != "off":
            await asyncio.to_thread(self._look)

    def _look(self) -> None:
        try:
            session = mailbox.opened(self._settings)
        except TROUBLE as error:
            self._trouble(self._words(error))
            return
        try:
            self._emptied(session)
        except TROUBLE as error:
            self._trouble(self._words(error))
        finally:
            session.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                session = mailbox.opened(self._settings)
            except TROUBLE as error:
                self._trouble(self._words(error))
                self._stopping.wait(self._settings.poll_seconds)
                continue
            self._stay(session)

    def _stay(self, session: Mailbox) -> None:
        """As long as the session tells of new mail; then it is closed, and asked anew after a while."""
        try:
            self._emptied(session)
            while not self._stopping.is_set() and session.wait(min(self._settings.poll_seconds, 1)):
                self._emptied(session)
        except TROUBLE as error:
            self._trouble(self._words(error))
        finally:
            session.close()
        self._stopping.wait(self._settings.poll_seconds)

    def _emptied(self, session: Mailbox) -> None:
        """Each mail handed over, and deleted when it is durable; what cannot be kept now stays where it is."""
        with self._one_at_a_time:
            for number, raw in session.mails():
                if self._stopping.is_set() or not self._kept(raw):
                    return
                session.delete(number)

    def _kept(self, raw: bytes) -> bool:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(self._hand_over(raw), self._loop).result()

    async def _hand_over(self, raw: bytes) -> bool:
        if await self._full() is not None:
            return False
        answer = await self._receive(arrival_of(raw, self._new_id(), self._now()))
        return answer.status != 503

    def _words(self, error: BaseException) -> str:
        s = self._settings
        return f"mailbox {s.username} at {s.host} ({s.protocol}): {type(error).__name__}; tried again by itself"
