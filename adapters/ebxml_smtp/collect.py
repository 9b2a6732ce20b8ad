"""Collects from the mailbox that a site already has, and deletes only what is kept."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from imapclient.exceptions import LoginError

from adapters.ebxml_smtp import mailbox
from adapters.ebxml_smtp.mailbox import Found, Mailbox, Wanted
from adapters.ebxml_smtp.receive import Receive, arrival_of
from adapters.ebxml_smtp.settings import MailboxSettings
from hub.message import Answer

#: So often a mail that the server cannot give is asked for before it is passed over.
TRIES = 3
#: What is passed over is asked for again after so long: the server may have been mended.
AGAIN = timedelta(hours=1)


class Nothing(Exception):
    """A mail that lies there, and of which the server gives nothing."""


class Ungiven(Wanted):
    """What the server could not give: asked for after all others, and after some failures passed over for a while.

    Kept in memory: a restart asks for everything anew.
    """

    def __init__(self, now: Callable[[], datetime], told: Callable[[str, Exception], None]) -> None:
        """`told` hears once of each mail that is passed over."""
        self._now, self._told = now, told
        self._failures: dict[str, int] = {}
        self._again: dict[str, datetime] = {}
        self._known: set[str] = set()

    def ordered(self, keys: Sequence[str]) -> list[str]:
        """Those that failed come last; what does not lie there any more is forgotten."""
        lying, now = set(keys), self._now()
        self._failures = {key: count for key, count in self._failures.items() if key in lying}
        self._again = {key: at for key, at in self._again.items() if key in lying}
        self._known &= lying
        self.apart = self.apart and bool(lying)
        due = (key for key in keys if key not in self._again or self._again[key] <= now)
        return sorted(due, key=lambda key: self._failures.get(key, 0))

    def given(self, key: str) -> None:
        """Mended, or never amiss."""
        self._failures.pop(key, None)
        self._again.pop(key, None)

    def missing(self, key: str) -> None:
        """One that is gone does not lie there the next time, and is forgotten."""
        self.failed(key, Nothing())

    def failed(self, key: str, error: Exception) -> None:
        """Counted; told when it is passed over for the first time."""
        self._failures[key] = self._failures.get(key, 0) + 1
        if self._failures[key] < TRIES:
            return
        self._again[key] = self._now() + AGAIN
        if key not in self._known:
            self._known.add(key)
            self._told(key, error)

    def failed_together(self, error: Exception) -> None:  # noqa: ARG002
        """From now on each is asked for alone, until the mailbox has been empty."""
        self.apart = True


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
        max_bytes: int,
        passed_over: Callable[[str], Awaitable[object]] | None = None,
    ) -> None:
        """`trouble` is told in words when the mailbox or a mail cannot be read; collecting goes on by itself.

        `passed_over` keeps the words about one mail that the server cannot give, where people look for what came in.
        Of a mail larger than `max_bytes` only the beginning is fetched and kept, to be refused as at any other door.
        """
        self._settings, self._receive, self._full, self._max_bytes = settings, receive, full, max_bytes
        self._now, self._new_id, self._trouble = now, new_id, trouble
        self._passed_over = passed_over
        self._wanted = Ungiven(now, self._ungiven)
        self._stopping = threading.Event()
        self._one_at_a_time = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._looking: asyncio.Task[None] | None = None

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
        """Empties the mailbox now, beside what the thread does (HIS 1037 H-63); who asks meanwhile waits for the same."""
        if self._settings.protocol == "off":
            return
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(asyncio.to_thread(self._session))
        await asyncio.shield(self._looking)

    def _session(self, stay: Callable[[Mailbox], None] = lambda _: None) -> None:
        """One session: emptied, and then what `stay` does as long as it lasts. What goes wrong is told."""
        try:
            session = mailbox.opened(self._settings)
            try:
                self._emptied(session)
                stay(session)
            finally:
                session.close()
        except Exception as error:  # the server's fault, or what nobody foresaw: the mail stays, and the thread goes on
            self._told(error)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._session(self._stay)
            self._stopping.wait(self._settings.poll_seconds)

    def _stay(self, session: Mailbox) -> None:
        """As long as the session tells of new mail."""
        while not self._stopping.is_set() and session.wait(self._settings.poll_seconds, self._stopping.is_set):
            self._emptied(session)

    def _emptied(self, session: Mailbox) -> None:
        """Each mail handed over, and deleted when it is durable; what cannot be kept now stays where it is."""
        with self._one_at_a_time:
            for found in session.mails(self._max_bytes, self._wanted):
                if self._stopping.is_set():
                    return
                try:
                    if not self._kept(found):
                        return
                except Exception as error:  # nobody foresaw it: this one stays, those behind it are not held up
                    self._told(error)
                    continue
                session.delete(found.number)

    def _kept(self, found: Found) -> bool:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(self._hand_over(found), self._loop).result()

    async def _hand_over(self, found: Found) -> bool:
        if await self._full() is not None:
            return False
        answer = await self._receive(arrival_of(found.raw, self._new_id(), self._now(), found.size))
        return answer.status != 503

    def _ungiven(self, key: str, error: Exception) -> None:
        s = self._settings
        words = (
            f"mailbox {s.username} at {s.host} ({s.protocol}): the server cannot give the mail {key}: {_plain(error)}"
        )
        self._trouble(f"{words}; it is passed over, and asked for again in an hour")
        if self._passed_over is not None:
            assert self._loop is not None
            asyncio.run_coroutine_threadsafe(_awaited(self._passed_over(words)), self._loop).result()

    def _told(self, error: Exception) -> None:
        s = self._settings
        self._trouble(f"mailbox {s.username} at {s.host} ({s.protocol}): {_plain(error)}; tried again by itself")


async def _awaited(work: Awaitable[object]) -> None:
    await work


def _plain(error: Exception) -> str:
    """What went wrong; of a server's own words only that there were some, for they may hold anything."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate does not hold: {error.verify_message.rstrip('.')}"
    if isinstance(error, Nothing):
        return "it gives nothing of it"
    if isinstance(error, LoginError):
        return "it does not accept our login"
    return type(error).__name__
