"""Posts a parcel to a partner's message handler and says how far it came; what the answer means is the kernel's."""

from __future__ import annotations

import ssl

import aiohttp
from tenacity import AsyncRetrying, RetryError, retry_if_exception, stop_after_attempt, wait_fixed

from adapters.ebxml_http.settings import EbxmlHttpSettings
from hub.message import Claimed, Outcome, Parcel, Reached

#: Answers that say "not now" rather than "no": a resend may pass (RFC 9110 15.5.9, 15.6; RFC 6585 4).
TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
#: A problem of the connection itself: nothing was handed over, so a short second try does no harm.
BLIPS = (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError, ConnectionRefusedError)
#: A kept connection that the other side has closed meanwhile: the same bytes go out once more, on a new one. It may
#: have them already, and then knows them again by their MessageId.
CLOSED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


class EbxmlHttpSender:
    """A session with kept connections to all partners. Open it with `async with`."""

    def __init__(self, settings: EbxmlHttpSettings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> EbxmlHttpSender:
        s = self._settings
        timeout = aiohttp.ClientTimeout(total=s.answer_seconds, sock_connect=s.connect_seconds)
        context = ssl.create_default_context(cafile=s.ca_file) if s.ca_file else True
        connector = aiohttp.TCPConnector(limit=0, ssl=context)
        self._session = aiohttp.ClientSession(timeout=timeout, connector=connector, auto_decompress=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, claimed: Claimed, parcel: Parcel) -> Outcome:
        """One attempt; a connection that cannot be opened, or was closed, is tried again within it."""
        address = claimed.delivery.address
        if not address.startswith(("http://", "https://")):
            return Outcome(Reached.NO, "no-endpoint", f"{address or '(none)'} is not an http address", permanent=True)
        try:
            return await self._with_blips(address, parcel)
        except BLIPS as error:
            return Outcome(Reached.NO, "connect-failed", _plain(error))
        except RetryError:
            return Outcome(Reached.NO, "connect-failed", "the connection could not be opened")
        except TimeoutError:
            return Outcome(Reached.MAYBE, "timed-out", f"no answer within {self._settings.answer_seconds:g} s")
        except (aiohttp.ClientError, OSError) as error:
            return Outcome(Reached.MAYBE, "connection-lost", _plain(error))

    async def _with_blips(self, address: str, parcel: Parcel) -> Outcome:
        s = self._settings
        tries = AsyncRetrying(
            stop=stop_after_attempt(s.blip_tries),
            wait=wait_fixed(s.blip_seconds),
            retry=retry_if_exception(self._is_worth_another),
            reraise=True,
        )
        return await tries(self._post, address, parcel)

    def _is_worth_another(self, error: BaseException) -> bool:
        """Unless it was us who closed the connection."""
        return isinstance(error, (*BLIPS, *CLOSED)) and self._session is not None and not self._session.closed

    async def _post(self, address: str, parcel: Parcel) -> Outcome:
        assert self._session is not None, "open the sender with `async with`"
        async with self._session.post(
            address, data=parcel.body, headers=dict(parcel.headers), allow_redirects=False
        ) as r:
            answer = await r.content.read(self._settings.max_answer_bytes)
            while not r.content.at_eof() and len(answer) < self._settings.max_answer_bytes:
                answer += await r.content.read(self._settings.max_answer_bytes - len(answer))
            return outcome(r.status, dict(r.headers.items()), answer)


def outcome(status: int, headers: dict[str, str], answer: bytes) -> Outcome:
    """What an HTTP status and body say, before the kernel has looked for a receipt in it."""
    fault = b"Fault>" in answer and b"schemas.xmlsoap.org/soap/envelope" in answer
    if status in (200, 202, 204) and not fault:
        code = "handed-over" if not answer.strip() else "unreadable-answer"
        text = (
            f"HTTP {status}, no receipt in the answer"
            if not answer.strip()
            else f"HTTP {status}, the answer is no receipt"
        )
        return Outcome(Reached.YES, code, text, answer=answer, answer_headers=headers)
    if fault:
        client = b"Client</" in answer
        text = f"HTTP {status}, SOAP Fault ({'Client' if client else 'Server'})"
        return Outcome(Reached.YES, "soap-fault", text, permanent=client, answer=answer, answer_headers=headers)
    if status in TEMPORARY:
        return Outcome(Reached.NO, "http-temporary", f"HTTP {status}")
    return Outcome(Reached.YES, "http-permanent", f"HTTP {status}", permanent=True)


def _plain(error: BaseException) -> str:
    """An error in words without addresses of memory or content."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{error.host}:{error.port}: {error.os_error.strerror or type(error.os_error).__name__}"
    return type(error).__name__
