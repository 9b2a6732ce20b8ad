"""Connections to the relay, opened when first needed and kept: a new STARTTLS session for every mail costs four times as much."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiosmtplib

from adapters.ebxml_smtp.pipeline import Pipelined, pipelined
from adapters.ebxml_smtp.settings import RelaySettings

#: What opening a connection, or talking over one, may raise when the relay or the line is at fault.
TROUBLE = (aiosmtplib.SMTPException, OSError)
#: A pipelining session used so lately is not asked by RSET whether it still lives: the next mail asks it in one go.
JUST_NOW = 1.0


class Unprotected(aiosmtplib.SMTPException):
    """The connection cannot be protected as the settings demand; says why."""


class NoLogin(aiosmtplib.SMTPException):
    """The relay does not take our login; says why."""


class Busy(aiosmtplib.SMTPException):
    """All connections are taken, and none came free in time."""


class Relay:
    """A small pool. Open it with `async with`; `connection()` lends one connection for one mail."""

    def __init__(self, settings: RelaySettings) -> None:
        self._settings = settings
        self._idle: list[tuple[aiosmtplib.SMTP, float]] = []
        self._free = asyncio.Semaphore(settings.connections)
        self._context: ssl.SSLContext | None = None
        self._trouble: tuple[float, BaseException] | None = None
        self.opened = 0  #: how many connections have been opened in all

    async def __aenter__(self) -> Relay:
        return self

    async def __aexit__(self, *_: object) -> None:
        for client, _since in self._idle:
            with contextlib.suppress(*TROUBLE):
                await client.quit(timeout=1)
        self._idle.clear()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """A connection that has said EHLO. One that broke, or was left in the middle, is closed and not lent again.

        Raises one of TROUBLE when none can be opened, or none comes free: who waits here keeps others from their turn.
        """
        await self._turn()
        try:
            client = await self._taken() or await self._opened()
            try:
                yield client
            except aiosmtplib.SMTPResponseException:
                await _put_back(client)
                raise
            except BaseException:
                client.close()
                raise
            finally:
                if client.is_connected:
                    self._idle.append((client, asyncio.get_running_loop().time()))
        finally:
            self._free.release()

    async def _turn(self) -> None:
        try:
            async with asyncio.timeout(self._settings.connect_seconds):
                await self._free.acquire()
        except TimeoutError:
            count, seconds = self._settings.connections, self._settings.connect_seconds
            raise Busy(f"none of {count} connections came free in {seconds:g} s") from None

    async def _taken(self) -> aiosmtplib.SMTP | None:
        """An idle connection that still answers; the relay may have closed it, or may close it after so many mails."""
        now = asyncio.get_running_loop().time()
        while self._idle:
            client, since = self._idle.pop()
            if isinstance(client.protocol, Pipelined) and now - since < JUST_NOW:
                return client
            if now - since <= self._settings.idle_seconds:
                with contextlib.suppress(*TROUBLE):
                    await client.rset(timeout=5)
                    return client
            client.close()
        return None

    async def _opened(self) -> aiosmtplib.SMTP:
        """A new one. What failed slowly is not tried again at once for everybody who waits, but after as long a time."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        if self._trouble is not None and started < self._trouble[0]:
            raise self._trouble[1].with_traceback(None)  # else it grows with everybody who is told
        client = self._client()
        try:
            await client.connect()
            await self._introduced(client)
        except TROUBLE as error:
            client.close()
            self._trouble = loop.time() + (loop.time() - started), error
            raise
        except BaseException:
            client.close()
            raise
        self._trouble = None
        self.opened += 1
        client.timeout = self._settings.answer_seconds
        if self._settings.pipelining and client.supports_extension("pipelining"):
            pipelined(client)
        return client

    def _client(self) -> aiosmtplib.SMTP:
        s = self._settings
        if self._context is None and s.tls != "off":
            self._context = ssl.create_default_context(cafile=s.ca_file or None)
        return aiosmtplib.SMTP(
            hostname=s.host,
            port=s.port,
            timeout=s.connect_seconds,
            start_tls=False,  # by ourselves, to tell what failed
            tls_context=self._context,
            local_hostname=s.domain,
        )

    async def _introduced(self, client: aiosmtplib.SMTP) -> None:
        """EHLO, STARTTLS by policy, EHLO again, login."""
        s = self._settings
        await _greeted(client)
        offered = client.supports_extension("starttls")
        if s.tls != "off" and offered:
            await _protected(client)
            await _greeted(client)
        elif s.tls == "required" or (s.tls == "opportunistic" and s.username):
            why = "relay.tls demands it" if s.tls == "required" else "our password is not said in the clear"
            raise Unprotected(f"STARTTLS is not offered, and {why}")
        if s.username:
            await _logged_in(client, s)


async def _greeted(client: aiosmtplib.SMTP) -> None:
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        await client.helo()  # an old one; its refusal is told


async def _protected(client: aiosmtplib.SMTP) -> None:
    """Never goes on in the clear, or unchecked, after a handshake that failed."""
    try:
        await client.starttls()
    except ssl.SSLCertVerificationError as error:
        raise Unprotected(f"its certificate does not hold: {error.verify_message.rstrip('.')}") from error
    except ssl.SSLError as error:
        raise Unprotected(f"no TLS session came about: {error.reason or type(error).__name__}") from error
    except aiosmtplib.SMTPResponseException as error:
        raise Unprotected(f"STARTTLS is offered, but answered by {error.code}") from error


async def _logged_in(client: aiosmtplib.SMTP, settings: RelaySettings) -> None:
    try:
        secret = settings.password_file.read_text("utf-8").strip() if settings.password_file else ""
        await client.login(settings.username, secret)
    except aiosmtplib.SMTPAuthenticationError as error:
        raise NoLogin(f"answered by {error.code}") from error
    except OSError as error:
        if isinstance(error, aiosmtplib.SMTPException):  # the line, not the file
            raise
        raise NoLogin(f"{settings.password_file} cannot be read ({type(error).__name__})") from error
    except aiosmtplib.SMTPResponseException:
        raise
    except aiosmtplib.SMTPException as error:  # no word of AUTH, or of a way that we know
        raise NoLogin("no way to log in is offered that we know") from error


async def _put_back(client: aiosmtplib.SMTP) -> None:
    """After a refusal: the session is as before, or it is closed."""
    try:
        await client.rset(timeout=5)
    except TROUBLE:
        client.close()
