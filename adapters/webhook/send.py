"""Posts an event to a record system's webhook and says whether it was taken; its answer's body is nobody's concern."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from datetime import datetime

import aiohttp

from adapters.webhook import wire
from adapters.webhook.names import Names
from adapters.webhook.settings import WebhookSettings
from hub.errors import bare
from hub.message import Outcome, Reached, RecordSystem
from hub.record_systems.values import Happened

#: So many bytes of an answer's body are read, so that its connection may be used again, and no longer than so many seconds.
MOST, PATIENCE = 4096, 1.0


class WebhookSender:
    """A session with kept connections to all record systems. Open it with `async with`."""

    def __init__(self, settings: WebhookSettings, now: Callable[[], datetime], software: str) -> None:
        self._settings, self._now = settings, now
        self._headers = {"User-Agent": software, "Content-Type": "application/json", "Accept-Encoding": "identity"}
        self._session: aiohttp.ClientSession | None = None
        self._names: Names | None = None

    async def __aenter__(self) -> WebhookSender:
        s = self._settings
        self._names = Names()
        context = ssl.create_default_context(cafile=s.ca_file) if s.ca_file else True
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=s.answer_seconds),
            connector=aiohttp.TCPConnector(limit=0, ssl=context, resolver=self._names),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers=self._headers,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()
        if self._names is not None:
            await self._names.close()

    async def send(self, system: RecordSystem, happened: Happened) -> Outcome:
        """One try, signed at its own moment. Raises nothing."""
        hook = system.webhook
        if hook is None:  # taken from it while this waited
            return Outcome(Reached.NO, "no-endpoint", "the record system has no webhook any more")
        body = wire.event(happened)
        try:
            return await self._posted(hook.url, body, wire.signature(body, hook.secrets, self._now()))
        except TimeoutError:
            return Outcome(Reached.NO, "timed-out", f"no answer within {self._settings.answer_seconds:g} s")
        except aiohttp.ClientConnectorError as error:
            return Outcome(Reached.NO, "connect-failed", f"no connection: {_plain(error)}")
        except (aiohttp.ClientError, OSError) as error:
            return Outcome(Reached.NO, "connection-lost", f"the connection broke: {type(error).__name__}")
        except Exception as error:  # a library's surprise is no reason to tell nothing any more
            return Outcome(Reached.NO, "unforeseen", bare(error), ours=True)

    async def _posted(self, url: str, body: bytes, signature: str) -> Outcome:
        assert self._session is not None, "open the sender with `async with`"
        headers = {wire.SIGNATURE: signature}
        async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
            said = wire.outcome(answer.status, answer.headers, self._now())
            with contextlib.suppress(aiohttp.ClientError, OSError):  # what it said counts, whatever follows
                async with asyncio.timeout(PATIENCE):
                    await _read(answer.content)
            return said


async def _read(content: aiohttp.StreamReader) -> None:
    left = MOST
    while left > 0 and (piece := await content.read(left)):
        left -= len(piece)


def _plain(error: aiohttp.ClientConnectorError) -> str:
    """Why no connection came to be, without the address, which may be secret."""
    why = getattr(error, "certificate_error", None) or getattr(error, "os_error", None) or error
    if isinstance(why, ssl.SSLError):
        return str(why).partition(" (_ssl.c")[0]
    return str(getattr(why, "strerror", None) or type(why).__name__)
