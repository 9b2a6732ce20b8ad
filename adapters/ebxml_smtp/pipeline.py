"""MAIL, RCPT and DATA in one write, where the relay offers it (RFC 2920): two round trips for a mail instead of five.

aiosmtplib asks one thing at a time, and drops what follows the first answer in a packet. So a session that has been
introduced gets another protocol, which keeps every answer until it is read. It is new and empty: what came in the clear
before STARTTLS, or around a login, is none of its answers, and EHLO, STARTTLS, AUTH and QUIT are asked one at a time.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import aiosmtplib
from aiosmtplib import SMTPResponse
from aiosmtplib.email import quote_address
from aiosmtplib.protocol import SMTPProtocol

#: Most bytes of answers between two writes; each may have many lines, but none says more than this.
MOST = 65_536
#: Instead of a code, where what came was no answer; the same number as in aiosmtplib.
NO_ANSWER = -1
LISTENING, CLOSING = 354, 421
_LINE = re.compile(rb"(\d{3})(?:([ -])(.*?))?\r?", re.DOTALL)


class Stale(aiosmtplib.SMTPException):
    """A kept connection that the relay had given up before this mail: another one is tried at once."""


@dataclass(frozen=True)
class Envelope:
    """What is said before the content (RFC 5321 3.3), with the parameters that the relay takes."""

    sender: str
    receiver: str
    mail_options: Sequence[str] = ()
    rcpt_options: Sequence[str] = ()

    def commands(self) -> bytes:
        """MAIL, RCPT and DATA. Raises ValueError for what does not fit on one line, as aiosmtplib does."""
        mail = " ".join((f"MAIL FROM:{quote_address(self.sender)}", *self.mail_options))
        rcpt = " ".join((f"RCPT TO:{quote_address(self.receiver)}", *self.rcpt_options))
        if not (mail + rcpt).isprintable():
            raise ValueError("a control character in an address")
        return f"{mail}\r\n{rcpt}\r\nDATA\r\n".encode("ascii")

    @property
    def can_be_said(self) -> bool:
        """Whether the addresses go into commands as they are: ASCII, no blanks, and not read as some other address."""
        try:
            said = self.commands().decode("ascii")
            return f":<{self.sender}>\r" in said and f":<{self.receiver}>\r" in said
        except ValueError:
            return False

    def refusal(self, answers: Sequence[SMTPResponse]) -> aiosmtplib.SMTPResponseException | None:
        """What was refused first: what is said to the commands behind it only follows from it."""
        for step, (code, words) in enumerate(answers):
            if step == 0 and code != 250:
                return aiosmtplib.SMTPSenderRefused(code, words, self.sender)
            if step == 1 and code not in (250, 251):
                return aiosmtplib.SMTPRecipientRefused(code, words, self.receiver)
            if step == 2 and code != LISTENING:
                return aiosmtplib.SMTPDataError(code, words)
        return None


class Pipelined(SMTPProtocol):
    """Reads answers whole and in order, however they are cut into packets (RFC 2920 3.1, RFC 5321 4.2.1)."""

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        super().__init__(connection_lost_callback=lambda _: client.close())
        self._answers: deque[SMTPResponse] = deque()
        self._said: list[bytes] = []  # lines of an answer that goes on
        self._rest = b""  # of a line
        self._heard = 0
        self._news = asyncio.Event()
        self.kept = False  #: whether a mail has gone over it before

    def write(self, data: bytes) -> None:
        """What came before we asked answers nothing; every answer to the write before has been read, or we hang up."""
        self._answers.clear()
        self._heard = 0
        super().write(data)

    def data_received(self, data: bytes) -> None:
        self._heard += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        good = self._heard <= MOST and all(self._understood(line) for line in lines)
        if not good:
            self._answers.append(SMTPResponse(NO_ANSWER, ""))
            self._hang_up()
        self._news.set()

    def _understood(self, line: bytes) -> bool:
        """A line of an answer; the last one has no hyphen behind its code."""
        if (read := _LINE.fullmatch(line)) is None:
            return False
        code, more, words = read.groups()
        self._said.append((words or b"").strip())
        if more != b"-":
            said = b"\n".join(self._said).decode("utf-8", "surrogateescape")
            self._answers.append(SMTPResponse(int(code), said))
            self._said.clear()
        return True

    def _hang_up(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Answers that came before are still there to be read."""
        super().connection_lost(exc)
        self._news.set()

    async def read_response(self, timeout: float | None = None) -> SMTPResponse:  # noqa: ASYNC109 - the library's own
        """The next answer; its code is NO_ANSWER where it was none. Raises when none can come any more, or in time."""
        try:
            async with asyncio.timeout(timeout):
                while not self._answers and self.transport is not None:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError as error:
            raise aiosmtplib.SMTPReadTimeoutError("no answer in time") from error
        if not self._answers:
            raise aiosmtplib.SMTPServerDisconnected("closed")
        return self._answers.popleft()


def pipelined(client: aiosmtplib.SMTP) -> None:
    """From here on this session may be asked several things at once; only for one that waits for no answer."""
    assert client.transport is not None
    protocol = Pipelined(client)
    client.transport.set_protocol(protocol)
    protocol.connection_made(client.transport)
    client.protocol = protocol


async def begun(client: aiosmtplib.SMTP, protocol: Pipelined, envelope: Envelope, deadline: float) -> None:
    """Up to the relay's word that it listens. Raises what was refused first, whatever becomes of the session after that."""
    kept, protocol.kept = protocol.kept, True
    answers: list[SMTPResponse] = []
    lost: OSError | None = None
    try:
        async with asyncio.timeout_at(deadline):
            await _asked(protocol, envelope, answers)
    except OSError as error:
        lost = error
    closing = any(answer.code == CLOSING for answer in answers)
    if lost or closing:
        client.close()
    if kept and (answers[0].code == CLOSING if answers else isinstance(lost, ConnectionError)):
        raise Stale("closed by the relay before this mail")
    if trouble := envelope.refusal(answers) or lost:
        raise trouble


async def _asked(protocol: Pipelined, envelope: Envelope, answers: list[SMTPResponse]) -> None:
    """Adds every answer as it comes.

    A relay that listens although it refused sender or receiver gets the lone dot; what it says to that changes nothing
    (RFC 2920 3.1).
    """
    protocol.write(envelope.commands())
    while len(answers) < 3 and CLOSING not in (answer.code for answer in answers):
        answers.append(await protocol.read_response())
    if answers[-1].code == LISTENING and envelope.refusal(answers):
        protocol.write(b".\r\n")
        await protocol.read_response()
