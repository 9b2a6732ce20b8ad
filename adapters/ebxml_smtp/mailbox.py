"""The two ways to read a mailbox, behind one shape: what lies there, and away with what is kept."""

from __future__ import annotations

import contextlib
import poplib
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError

from adapters.ebxml_smtp.settings import MailboxSettings

#: What reading a mailbox may raise when the server or the line is at fault.
TROUBLE = (OSError, IMAPClientError, poplib.error_proto, EOFError)
#: Longest line taken by POP3; the library's own limit is shorter than what some partners write an envelope in.
LONGEST_LINE = 1_000_000
#: A server may end an IDLE after half an hour (RFC 2177 3).
LONGEST_IDLE = 600.0
PORTS = {("imap", "implicit"): 993, ("pop3", "implicit"): 995, ("imap", ""): 143, ("pop3", ""): 110}


class Mailbox(Protocol):
    """An open session with a mailbox."""

    def mails(self) -> Iterator[tuple[int, bytes]]:
        """Every mail that lies there: its number in this session, and its bytes."""
        ...

    def delete(self, number: int) -> None:
        """Away with it; may become final only when the session is closed in order."""
        ...

    def wait(self, seconds: float, stopping: Callable[[], bool]) -> bool:
        """Waits for new mail, at most so long; False when this protocol cannot, and must be asked anew."""
        ...

    def close(self) -> None:
        """Ends the session in order."""
        ...


def opened(settings: MailboxSettings) -> Mailbox:
    """Logs in. Raises one of TROUBLE."""
    secret = settings.password_file.read_text("utf-8").strip() if settings.password_file else ""
    kind = Imap if settings.protocol == "imap" else Pop
    return kind(settings, secret)


def _port(settings: MailboxSettings) -> int:
    key = settings.protocol, "implicit" if settings.tls == "implicit" else ""
    return settings.port or PORTS[key]


def _context(settings: MailboxSettings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=settings.ca_file or None)


class Imap:
    """IMAP4rev1, told of new mail by IDLE (RFC 2177) where the server can."""

    def __init__(self, settings: MailboxSettings, secret: str) -> None:
        context = _context(settings)
        self._client = IMAPClient(
            settings.host,
            _port(settings),
            use_uid=True,
            ssl=settings.tls == "implicit",
            ssl_context=context if settings.tls == "implicit" else None,
            timeout=settings.answer_seconds,
        )
        if settings.tls == "starttls":
            self._client.starttls(context)
        self._client.login(settings.username, secret)
        self._client.select_folder(settings.folder)

    def mails(self) -> Iterator[tuple[int, bytes]]:
        """One after another, so that only one is in memory.

        Also what is marked as deleted: a line may have broken between our mark and EXPUNGE, and what is kept is known.
        """
        for uid in self._client.search("ALL"):
            found = self._client.fetch([uid], ["BODY.PEEK[]"]).get(uid, {})
            if (raw := found.get(b"BODY[]")) is not None:
                yield uid, raw

    def delete(self, number: int) -> None:
        """Marked and expunged at once; of others' marks only where the server knows no UID EXPUNGE."""
        self._client.delete_messages([number])
        self._client.expunge([number] if self._client.has_capability("UIDPLUS") else None)

    def wait(self, seconds: float, stopping: Callable[[], bool]) -> bool:
        """True as soon as something happens in the folder, or after so many seconds."""
        if not self._client.has_capability("IDLE"):
            return False
        end = time.monotonic() + min(seconds, LONGEST_IDLE)
        self._client.idle()
        happened: list[object] = []
        while not happened and not stopping() and (left := end - time.monotonic()) > 0:
            happened = self._client.idle_check(timeout=min(left, 0.5))
        self._client.idle_done()
        return True

    def close(self) -> None:
        """Logs out; a line that is gone is let go."""
        with contextlib.suppress(*TROUBLE):
            self._client.logout()


class _LongLines(poplib.POP3):
    """poplib takes lines of 2 kB; a line too long breaks the session, and no mail behind it would ever be read."""

    def _getline(self) -> tuple[bytes, int]:
        line = self.file.readline(LONGEST_LINE + 1)
        if len(line) > LONGEST_LINE:
            raise poplib.error_proto("line too long")
        if not line:
            raise poplib.error_proto("-ERR EOF")
        return line.removesuffix(b"\n").removesuffix(b"\r"), len(line)


class _LongLinesOverTls(_LongLines, poplib.POP3_SSL):
    """The same over implicit TLS."""


class Pop:
    """POP3: deletions become final with QUIT, so a session that breaks shows the same mails again."""

    def __init__(self, settings: MailboxSettings, secret: str) -> None:
        where, timeout = (settings.host, _port(settings)), settings.answer_seconds
        if settings.tls == "implicit":
            self._client: poplib.POP3 = _LongLinesOverTls(*where, timeout=timeout, context=_context(settings))
        else:
            self._client = _LongLines(*where, timeout=timeout)
        if settings.tls == "starttls":
            self._client.stls(_context(settings))
        self._client.user(settings.username)
        self._client.pass_(secret)

    def mails(self) -> Iterator[tuple[int, bytes]]:
        """One after another; line ends are CRLF again, as they were on the wire."""
        for number in range(1, self._client.stat()[0] + 1):
            _, lines, _ = self._client.retr(number)
            yield number, b"\r\n".join(lines) + b"\r\n"

    def delete(self, number: int) -> None:
        """Final with `close`."""
        self._client.dele(number)

    def wait(self, seconds: float, stopping: Callable[[], bool]) -> bool:  # noqa: ARG002
        """POP3 has no way to be told."""
        return False

    def close(self) -> None:
        """QUIT, which makes the deletions final; a line that is gone leaves the mails where they are."""
        with contextlib.suppress(*TROUBLE):
            self._client.quit()
