"""Connections to the relay, opened when first needed and kept: a new STARTTLS session for every mail costs four times as much."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiosmtplib

from adapters.ebxml_smtp.settings import RelaySettings


class Relay:
    """A small pool. Open it with `async with`; `connection()` lends one connection for one mail."""

    def __init__(self, settings: RelaySettings) -> None:
        self._settings = settings
        self._idle: list[tuple[aiosmtplib.SMTP, float]] = []
        self._free = asyncio.Semaphore(settings.connections)

    async def __aenter__(self) -> Relay:
        return self

    async def __aexit__(self, *_: object) -> None:
        for client, _since in self._idle:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await client.quit(timeout=1)
        self._idle.clear()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """A connection that has said EHLO. One that broke, or was left in the middle, is closed and not lent again.

        Raises aiosmtplib.SMTPException or OSError when none can be opened.
        """
        async with self._free:
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

    async def _taken(self) -> aiosmtplib.SMTP | None:
        """An idle connection that still answers; the relay may have closed it meanwhile."""
        now = asyncio.get_running_loop().time()
        while self._idle:
            client, since = self._idle.pop()
            if now - since > self._settings.idle_seconds:
                client.close()
                continue
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await client.rset(timeout=5)
                return client
            client.close()
        return None

    async def _opened(self) -> aiosmtplib.SMTP:
        s = self._settings
        context = ssl.create_default_context(cafile=s.ca_file or None)
        client = aiosmtplib.SMTP(
            hostname=s.host,
            port=s.port,
            timeout=s.connect_seconds,
            start_tls={"required": True, "opportunistic": None, "off": False}[s.tls],
            tls_context=None if s.tls == "off" else context,
            local_hostname=s.domain,
            username=s.username or None,
            password=_password(s) if s.username else None,
        )
        await client.connect()
        client.timeout = s.answer_seconds
        return client


async def _put_back(client: aiosmtplib.SMTP) -> None:
    """After a refusal: the session is as before, or it is closed."""
    try:
        await client.rset(timeout=5)
    except (aiosmtplib.SMTPException, OSError):
        client.close()


def _password(settings: RelaySettings) -> str:
    return settings.password_file.read_text("utf-8").strip() if settings.password_file else ""
