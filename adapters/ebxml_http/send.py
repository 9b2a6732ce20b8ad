"""Posts a parcel to a partner's message handler and says how far it came; what the answer means is the kernel's."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

import aiohttp
from tenacity import AsyncRetrying, RetryError, retry_if_exception, stop_after_attempt, wait_fixed
from yarl import URL

from adapters.ebxml_http.settings import EbxmlHttpSettings
from adapters.ebxml_http.wire import outcome
from hub.message import Claimed, Outcome, Parcel, Reached

#: A problem of the connection itself: nothing was handed over, so a short second try does no harm.
BLIPS = (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError, ConnectionRefusedError)
#: A kept connection that the other side has closed meanwhile: the same bytes go out once more, on a new one. It may
#: have them already, and then knows them again by their MessageId.
CLOSED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
#: What can be taken off again, and nothing that a library at hand may add to it (RFC 9110 12.5.3).
ACCEPTED = {"Accept-Encoding": "gzip, deflate"}
#: Alerts by which the other side ends a handshake that is over for us already, as TLS 1.3 has it where it wants our
#: certificate (RFC 8446 4.4.2.4, 6.2): what we sent meanwhile has been read by nobody.
HANDSHAKE_ALERTS = (
    "CERTIFICATE_REQUIRED",
    "HANDSHAKE_FAILURE",
    "BAD_CERTIFICATE",
    "UNSUPPORTED_CERTIFICATE",
    "CERTIFICATE_REVOKED",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_UNKNOWN",
    "UNKNOWN_CA",
    "ACCESS_DENIED",
    "DECRYPT_ERROR",
    "INSUFFICIENT_SECURITY",
    "UNRECOGNIZED_NAME",
    "NO_APPLICATION_PROTOCOL",
)


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
        # Unpacked by ourselves: within a bound, and what cannot be unpacked is an outcome like any other.
        self._session = aiohttp.ClientSession(
            timeout=timeout, connector=connector, auto_decompress=False, headers=ACCEPTED
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, claimed: Claimed, parcel: Parcel) -> Outcome:
        """One attempt; a connection that cannot be opened, or was closed, is tried again within it. Raises nothing."""
        address = claimed.delivery.address
        if wrong := _wrong(address):
            return Outcome(Reached.NO, "no-endpoint", wrong, permanent=True)
        try:
            return await self._with_blips(address, parcel)
        except BLIPS as error:
            return Outcome(Reached.NO, "connect-failed", _plain(error))
        except RetryError:
            return Outcome(Reached.NO, "connect-failed", "the connection could not be opened")
        except TimeoutError:
            return Outcome(Reached.MAYBE, "timed-out", f"no answer within {self._settings.answer_seconds:g} s")
        except aiohttp.InvalidURL:
            return Outcome(Reached.NO, "no-endpoint", f"{_shown(address)} is not an http address", permanent=True)
        except (aiohttp.ClientError, OSError) as error:
            if _ends_handshake(error):
                return Outcome(Reached.NO, "connect-failed", f"the partner ended the TLS handshake: {_plain(error)}")
            return Outcome(Reached.MAYBE, "connection-lost", _plain(error))
        except Exception as error:  # a library's surprise is no reason to leave the delivery without an outcome
            return Outcome(Reached.MAYBE, "connection-lost", f"unforeseen: {type(error).__name__}")

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
        """Unless it was us who closed the connection, or the other side has said why it did."""
        blip = isinstance(error, (*BLIPS, *CLOSED)) and not _ends_handshake(error)
        return blip and self._session is not None and not self._session.closed

    async def _post(self, address: str, parcel: Parcel) -> Outcome:
        assert self._session is not None, "open the sender with `async with`"
        async with self._session.post(
            address, data=parcel.body, headers=dict(parcel.headers), allow_redirects=False
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


def _wrong(address: str) -> str:
    """Why nothing can be sent to an address; found out before anything is, so that nothing counts as sent."""
    if address.partition(":")[0].lower() not in ("http", "https"):
        return f"{_shown(address)} is not an http address"
    try:
        url = URL(address)
        host = url.raw_host or ""
        if ":" not in host:  # an IPv6 address is no name
            host.encode("idna")
        good = bool(host) and url.port not in (None, 0)
    except ValueError:  # UnicodeError among them: a label that is empty or too long
        good = False
    return "" if good else f"{_shown(address)} names no host and port that there can be"


def _shown(address: str) -> str:
    """An address as it may stand in a reason: without a login."""
    scheme, slashes, rest = address[:200].partition("//")
    host, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{host.rpartition('@')[2]}{slash}{path}" or "(none)"


def _ends_handshake(error: BaseException) -> bool:
    """Whether the other side's last word was that the TLS handshake failed; its words are OpenSSL's."""
    words = _openssl(error)
    return any(f"ALERT_{alert}" in words or f"_{alert}]" in words for alert in HANDSHAKE_ALERTS)


def _openssl(error: BaseException) -> str:
    """What OpenSSL says, where it says something: `[SSL: REASON] in words`."""
    for one in (error, error.__cause__, getattr(error, "os_error", None)):
        words = str(getattr(one, "strerror", None) or "")
        if words.startswith("[SSL") or isinstance(one, ssl.SSLError):
            return words.partition(" (_ssl.c")[0]
    return ""


def _plain(error: BaseException) -> str:
    """An error in words without addresses of memory or content."""
    words = _openssl(error)
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{error.host}:{error.port}: {words or error.os_error.strerror or type(error.os_error).__name__}"
    return words or type(error).__name__
