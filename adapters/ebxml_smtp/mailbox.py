"""The two ways to read a mailbox, behind one shape: what lies there, and away with what is kept."""

from __future__ import annotations

import contextlib
import poplib
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError

from adapters.ebxml_smtp.settings import MailboxSettings
from hub.bounds import DRAINED
from hub.formats.words import quoted
from hub.message import BEGINNING

#: What reading a mailbox may raise when the server or the line is at fault.
TROUBLE = (OSError, IMAPClientError, poplib.error_proto, EOFError)
#: Longest answer of one line taken by POP3.
LONGEST_LINE = 2_048
#: Mails whose size is asked for in one command; a longer one would not be taken everywhere.
AT_ONCE = 100
#: Lines asked for of a mail that is too large: about as much as is kept of it.
FIRST_LINES = BEGINNING // 64
#: A server may end an IDLE after half an hour (RFC 2177 3).
LONGEST_IDLE = 600.0
PORTS = {("imap", "implicit"): 993, ("pop3", "implicit"): 995, ("imap", ""): 143, ("pop3", ""): 110}


@dataclass(frozen=True)
class Found:
    """A mail that lies there."""

    number: int  #: in this session
    raw: bytes
    size: int = 0  #: of the whole, where `raw` is only the beginning of one that is too large


class Wanted:
    """Which mails are asked for, in which order, and what happens where the server cannot give one: here it is raised."""

    apart = False  #: whether nothing may be asked of several mails together, since one of them spoils it

    def ordered(self, keys: Sequence[str]) -> list[str]:
        """Of what lies there, by keys that a mail keeps from session to session: what is asked for, and when."""
        return list(keys)

    def given(self, key: str) -> None:
        """The server has given it."""

    def missing(self, key: str) -> None:
        """The server named it, and gave nothing: somebody has taken it away meanwhile, or nobody ever can."""

    def failed(self, key: str, error: Exception) -> None:  # noqa: ARG002
        """The server could not give it, while it can be asked for others."""
        raise error

    def failed_together(self, error: Exception) -> None:
        """The server could not say something of many."""
        raise error


EVERY = Wanted()


class Mailbox(Protocol):
    """An open session with a mailbox."""

    def mails(self, most: int, wanted: Wanted = EVERY) -> Iterator[Found]:
        """Every mail that lies there, one after another, so that only one is in memory; the whole up to `most` bytes.

        Raises one of TROUBLE when the line is at fault, after it has told `wanted` of the mail that was asked for.
        """
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


def _over(error: Exception) -> bool:
    """Whether the session is over; a server that says no to one command can be asked for the next."""
    if isinstance(error, poplib.error_proto):
        return not (
            error.args and isinstance(error.args[0], bytes)
        )  # its own words come as bytes, the library's as text
    return not isinstance(error, IMAPClientError) or isinstance(error, IMAPClientAbortError)


@contextlib.contextmanager
def _telling(key: str, wanted: Wanted) -> Iterator[None]:
    """What the server does not give is told; when the session is over with it, that goes on."""
    try:
        yield
    except TROUBLE as error:
        wanted.failed(key, error)
        if _over(error):
            raise


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
        self._validity = self._client.select_folder(settings.folder).get(b"UIDVALIDITY", 0)

    def mails(self, most: int, wanted: Wanted = EVERY) -> Iterator[Found]:
        """Asked for its size first (RFC 3501 6.4.5), and of one that is too large only for the beginning.

        Also what is marked as deleted: a line may have broken between our mark and EXPUNGE, and what is kept is known.
        """
        uids = {f"UID {uid} of {self._validity}": uid for uid in self._client.search("ALL")}
        keys = wanted.ordered(list(uids))
        for first in range(0, len(keys), AT_ONCE):
            some = keys[first : first + AT_ONCE]
            sizes = self._sizes([uids[key] for key in some], wanted)
            for key in some:
                found = None
                with _telling(key, wanted):
                    found = self._given(uids[key], sizes.get(uids[key]), most)
                    (wanted.given if found is not None else wanted.missing)(key)
                if found is not None:
                    yield found

    def _sizes(self, uids: Sequence[int], wanted: Wanted) -> dict[int, int]:
        """Those of many in one command; where it is refused, or was, because of one of them, each is asked for its own."""
        if wanted.apart:
            return {}
        try:
            told = self._client.fetch(uids, ["RFC822.SIZE"])
        except TROUBLE as error:
            wanted.failed_together(error)
            if _over(error):
                raise
            return {}
        return {uid: about.get(b"RFC822.SIZE", 0) for uid, about in told.items()}

    def _given(self, uid: int, size: int | None, most: int) -> Found | None:
        """None where it has gone meanwhile."""
        if size is None:
            size = self._client.fetch([uid], ["RFC822.SIZE"]).get(uid, {}).get(b"RFC822.SIZE", 0)
        part = f"<0.{BEGINNING}>" if size > most else ""
        found = self._client.fetch([uid], [f"BODY.PEEK[]{part}"]).get(uid, {})
        raw = found.get(b"BODY[]<0>" if part else b"BODY[]")
        return Found(uid, raw, size if part else 0) if raw is not None else None

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
    """poplib takes lines of 2 kB, and as many as come; here a mail's lines are as long as they are, but bounded in all.

    A line that it will not take breaks the session, and no mail behind it would ever be read: what is too much is read
    and let go, but not without end.
    """

    #: While a mail is read: bytes of it that are still taken; below zero it was larger.
    room: int | None = None

    def _getline(self) -> tuple[bytes, int]:
        most = LONGEST_LINE if self.room is None else max(self.room, 0)
        line = self.file.readline(most + len(b".\r\n"))
        size = len(line) + self._let_go(line)
        if self.room is not None:
            self.room -= size - line.startswith(b"..")  # the first dot is none of its own (RFC 1939 3)
            _ends(-self.room)
            line = line if self.room >= 0 or line in (b".\r\n", b".\n") else line[:most]
        return line.removesuffix(b"\n").removesuffix(b"\r"), size

    def _let_go(self, line: bytes) -> int:
        """What of the line is left, up to its end."""
        size = 0
        while not line.endswith(b"\n"):
            if self.room is None and line:
                raise poplib.error_proto("line too long")
            line = self.file.readline(BEGINNING)
            if not line:
                raise poplib.error_proto("-ERR EOF")
            size += len(line)
            _ends(size)
        return size


def _ends(size: int) -> None:
    """No mail is so many bytes too large; who says so much, and goes on, is not listened to any longer."""
    if size > DRAINED:
        raise poplib.error_proto("-ERR a mail without end")


class _LongLinesOverTls(_LongLines, poplib.POP3_SSL):
    """The same over implicit TLS."""


class Pop:
    """POP3: deletions become final with QUIT, so a session that breaks shows the same mails again."""

    def __init__(self, settings: MailboxSettings, secret: str) -> None:
        where, timeout = (settings.host, _port(settings)), settings.answer_seconds
        if settings.tls == "implicit":
            self._client: _LongLines = _LongLinesOverTls(*where, timeout=timeout, context=_context(settings))
        else:
            self._client = _LongLines(*where, timeout=timeout)
        if settings.tls == "starttls":
            self._client.stls(_context(settings))
        self._client.user(settings.username)
        self._client.pass_(secret)

    def mails(self, most: int, wanted: Wanted = EVERY) -> Iterator[Found]:
        """Asked for its size first (RFC 1939 5), and of one that is too large only for the beginning."""
        lines = (line.split()[:2] for line in self._client.list()[1])
        sizes = {int(number): int(size) for number, size in lines}
        names = self._names()
        numbers = {names.get(number, f"number {number}, {size} bytes"): number for number, size in sizes.items()}
        for key in wanted.ordered(list(numbers)):
            number, size = numbers[key], sizes[numbers[key]]
            found = None
            with _telling(key, wanted):
                found = self._beginning(number, size) if size > most else self._whole(number, size, most)
                wanted.given(key)
            if found is not None:
                yield found

    def _names(self) -> dict[int, str]:
        """What each is called in every session; a server need not know UIDL (RFC 1939 7)."""
        try:
            lines = [line.split()[:2] for line in self._client.uidl()[1]]
        except poplib.error_proto as error:
            if _over(error):
                raise
            return {}
        return {int(pair[0]): f"UIDL {quoted(pair[1].decode('latin-1'))}" for pair in lines if len(pair) > 1}

    def _whole(self, number: int, size: int, most: int) -> Found:
        """Line ends are CRLF again, as they were on the wire. A server that told too small a size gets no further with it."""
        raw, cut = self._read(lambda: self._client.retr(number), most)
        return Found(number, raw[:BEGINNING], max(size, most + 1)) if cut else Found(number, raw)

    def _beginning(self, number: int, size: int) -> Found:
        """By TOP where the server knows it; else it is all read, and let go."""
        try:
            raw, _ = self._read(lambda: self._client.top(number, FIRST_LINES), BEGINNING)
        except poplib.error_proto:
            raw, _ = self._read(lambda: self._client.retr(number), BEGINNING)
        return Found(number, raw[:BEGINNING], size)

    def _read(self, asked: Callable[[], tuple[bytes, list[bytes], int]], room: int) -> tuple[bytes, bool]:
        """Its first bytes, up to `room`, and whether there were more."""
        self._client.room = room + LONGEST_LINE  # for what is said around it
        try:
            _, lines, _ = asked()
            return b"\r\n".join(lines) + b"\r\n", self._client.room < 0
        finally:
            self._client.room = None

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
