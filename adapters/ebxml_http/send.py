"""Posts a parcel to a partner's message handler and says how far it came; what the answer means is the kernel's."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_fixed

from adapters.ebxml_http import tls
from adapters.ebxml_http.settings import EbxmlHttpSettings
from adapters.ebxml_http.wire import outcome
from hub.errors import ConfigurationError, bare
from hub.formats import address
from hub.message import Claimed, Outcome, Parcel, Reached

#: A problem of the connection itself: nothing was handed over, so a short second try does no harm.
BLIPS = (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError, ConnectionRefusedError)
#: A kept connection that the other side has closed meanwhile: the same bytes go out once more, on a new one. It may
#: have them already, and then knows them again by their MessageId.
CLOSED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
#: What can be taken off again, and nothing that a library at hand may add to it (RFC 9110 12.5.3).
ACCEPTED = {"Accept-Encoding": "gzip, deflate"}
#: So long the other side may take to say what it has against our handshake, in seconds.
HANDSHAKE_SECONDS = 2.0


class EbxmlHttpSender:
    """A session with kept connections to all partners. Open it with `async with`.

    That raises ConfigurationError where a file that the settings name is of no use.
    """

    def __init__(
        self, settings: EbxmlHttpSettings, client_of: Callable[[str], tls.Client] = lambda _: ("", "")
    ) -> None:
        """`client_of`: the certificate that we show to the server of a partner (HER-id); none: that of the settings."""
        self._settings = settings
        self._tls = tls.Contexts(settings.ca_file, (settings.client_certificate, settings.client_key), client_of)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> EbxmlHttpSender:
        s = self._settings
        timeout = aiohttp.ClientTimeout(total=s.answer_seconds, sock_connect=s.connect_seconds)
        try:
            self._tls.of("")
        except OSError as error:
            files = ", ".join(filter(None, (s.ca_file, s.client_certificate, s.client_key)))
            why = tls.words(error) or error.strerror or type(error).__name__
            raise ConfigurationError([f"ebxml_http: {files}: {why}"]) from None
        connector = aiohttp.TCPConnector(limit=0)
        # Unpacked by ourselves: within a bound, and what cannot be unpacked is an outcome like any other.
        self._session = aiohttp.ClientSession(
            timeout=timeout, connector=connector, auto_decompress=False, headers=ACCEPTED
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, claimed: Claimed, parcel: Parcel) -> Outcome:
        """One attempt; a connection that cannot be opened, or was closed, is tried again within it. Raises nothing.

        Until the whole request has been written nothing is handed over: half of one is read by nobody (RFC 9112 8).
        """
        where, went = claimed.delivery.address, _Went()
        if wrong := _wrong(where):
            return Outcome(Reached.NO, "no-endpoint", wrong, permanent=True)
        try:
            context = self._tls.of(claimed.delivery.receiver)
        except OSError as error:  # ssl.SSLError is one
            because = f"the client certificate for HER-id {claimed.delivery.receiver} is of no use: {_plain(error)}"
            return Outcome(Reached.NO, "connect-failed", because, ours=True)
        try:
            return await self._with_blips(where, parcel, went, context)
        except BLIPS as error:
            if went.whole:  # on a connection that broke before this one
                return Outcome(Reached.MAYBE, "connection-lost", f"it broke, and then: {_plain(error)}")
            return Outcome(Reached.NO, "connect-failed", _plain(error))
        except TimeoutError:
            return Outcome(went.reached, "timed-out", f"no answer within {self._settings.answer_seconds:g} s")
        except aiohttp.InvalidURL:
            return Outcome(Reached.NO, "no-endpoint", f"{address.shown(where)} is not an http address", permanent=True)
        except (aiohttp.ClientError, OSError) as error:
            return await self._broken(where, error, went, context)
        except Exception as error:  # a library's surprise is no reason to leave the delivery without an outcome
            return Outcome(went.reached, "unforeseen", bare(error), ours=True)

    async def _broken(self, where: str, error: Exception, went: _Went, context: ssl.SSLContext) -> Outcome:
        """A connection that broke before an answer came: not reached, where the other side never ended its handshake."""
        why = _plain(error) if tls.ends_handshake(error) else ""
        if not why and where.lower().startswith("https:") and isinstance(error, CLOSED):
            why = await tls.refusal(where, context, min(HANDSHAKE_SECONDS, self._settings.answer_seconds))
        if why:
            return Outcome(Reached.NO, "connect-failed", f"the partner ended the TLS handshake: {why}")
        return Outcome(went.reached, "connection-lost", _plain(error))

    async def _with_blips(self, where: str, parcel: Parcel, went: _Went, context: ssl.SSLContext) -> Outcome:
        s = self._settings
        tries = AsyncRetrying(
            stop=stop_after_attempt(s.blip_tries),
            wait=wait_fixed(s.blip_seconds),
            retry=retry_if_exception(self._is_worth_another),
            reraise=True,
        )
        return await tries(self._post, where, parcel, went, context)

    def _is_worth_another(self, error: BaseException) -> bool:
        """Unless it was us who closed the connection, or the other side has said why it did."""
        blip = isinstance(error, (*BLIPS, *CLOSED)) and not tls.ends_handshake(error)
        return blip and self._session is not None and not self._session.closed

    async def _post(self, where: str, parcel: Parcel, went: _Went, context: ssl.SSLContext) -> Outcome:
        assert self._session is not None, "open the sender with `async with`"
        async with self._session.post(
            where, data=_Body(parcel.body, went), headers=dict(parcel.headers), allow_redirects=False, ssl=context
        ) as answer:
            return await self._answered(answer)

    async def _answered(self, answer: aiohttp.ClientResponse) -> Outcome:
        """The outcome of an answer that has begun; where only its status came, that is what it says."""
        most, now = self._settings.max_answer_bytes, datetime.now(UTC)
        try:
            body = await _read(answer.content, most + 1)
        except (aiohttp.ClientError, OSError):
            if 200 <= answer.status < 300:
                text = f"HTTP {answer.status}, and the answer broke off"
                return Outcome(Reached.MAYBE, "connection-lost", text, answered=True)
            body = b""
        return outcome(answer.status, _headers(answer), body, most, now)


#: Bytes of a body that are written in one go.
PIECE = 128 * 1024


@dataclass(slots=True)
class _Went:
    """Whether the whole of a request has been written, on any connection of one attempt."""

    whole: bool = False

    @property
    def reached(self) -> Reached:
        """How far that is, where no answer came."""
        return Reached.MAYBE if self.whole else Reached.NO


class _Body(aiohttp.BytesPayload):
    """The body of one request, which tells when all of it has been written."""

    def __init__(self, value: bytes, went: _Went) -> None:
        super().__init__(value)
        self._went = went

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """As the library does, but piece by piece: to hand on a large one at once holds the loop until it is copied."""
        with memoryview(self._value)[:content_length] as body:
            for start in range(0, len(body), PIECE):
                await writer.write(body[start : start + PIECE])
        self._went.whole = True


async def _read(content: aiohttp.StreamReader, most: int) -> bytes:
    """The first `most` bytes of an answer."""
    pieces, size = [], 0
    while size < most and (piece := await content.read(most - size)):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _headers(answer: aiohttp.ClientResponse) -> dict[str, str]:
    """The last of each name, but all content codings: each line adds to them (RFC 9110 5.3)."""
    headers = dict(answer.headers.items())
    if codings := answer.headers.getall("Content-Encoding", []):
        headers = {name: value for name, value in headers.items() if name.lower() != "content-encoding"}
        headers["Content-Encoding"] = ", ".join(codings)
    return headers


def _wrong(where: str) -> str:
    """Why nothing can be sent to an address; found out before anything is, so that nothing counts as sent."""
    web = where.partition(":")[0].lower() in ("http", "https")
    return address.fault(where) if web else f"{address.shown(where)} is not an http address"


def _plain(error: BaseException) -> str:
    """An error in words without addresses of memory or content."""
    words = tls.words(error)
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{error.host}:{error.port}: {words or error.os_error.strerror or type(error.os_error).__name__}"
    return words or type(error).__name__
