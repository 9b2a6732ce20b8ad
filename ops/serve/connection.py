"""One HTTP connection to the hub: uvicorn's on httptools, where no request loses its body and each gets one answer.

httptools stops at the head of a request that offers another protocol (`Upgrade: h2c`, as Java's HTTP client sends it with
every request): its body is lost, or is answered as the next request. Here the offer is passed over, as RFC 9110 7.8
allows, and the request is read as if it had not been made. What cannot be read for certain is refused once, and the
connection is closed: nobody may take the rest of it for a request of its own (RFC 9112 11.2).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from hub.bounds import cut_short

log = structlog.get_logger("door")
#: Bytes of a request's head; as many of trailers and chunk extensions may come without content between them.
MAX_HEAD = 32_768
#: Header fields of one request; other servers take a hundred.
MAX_FIELDS = 256
#: A request of which nothing more comes for so many seconds is given up.
SILENT_SECONDS = 20.0
#: After a refusal what still comes is thrown away for so long: who is cut off while he writes never hears why.
LINGER_SECONDS = 2.0
#: Header fields that make an offer of another protocol, or are about this connection only.
OFFER = frozenset({b"upgrade", b"http2-settings", b"connection"})


class _Refused(Exception):
    """Raised to the parser, which stops: the status, and why."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        self.status, self.why = status, why
        super().__init__(why)


class Connection(HttpToolsProtocol):
    """As uvicorn's, with bounds, and with certainty about where each request ends."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._under_way = False  #: of the newest request something has come, and not all
        self._headed = False  #: its head is whole
        self._barren = 0  #: bytes that have come since a head, or a piece of a body, was whole
        self._length = 0  #: bytes of its body that have come
        self._ended = False  #: what still comes is not read any more
        self._last_words = b""  #: the refusal that comes after all answers
        self._closed = False  #: nothing more goes out
        self._answering: RequestResponseCycle | None = None  #: the request whose turn it is to be answered
        self._heard = 0.0
        self._silence: asyncio.TimerHandle | None = None

    # --- what comes

    def data_received(self, data: bytes) -> None:
        """The next bytes, cut anywhere."""
        if self._ended:
            return
        self._unset_keepalive_if_required()
        self._barren += len(data)
        try:
            self._read(data)
            if self._barren > MAX_HEAD:
                raise _too_large()
        except _Refused as refused:
            self._refuse(refused.status, refused.why)
        except httptools.HttpParserError as error:
            ours = error.__context__
            known = ours if isinstance(ours, _Refused) else _Refused(HTTPStatus.BAD_REQUEST, _told(error))
            self._refuse(known.status, known.why)
        else:
            if self._under_way:
                self._listen()

    def _read(self, data: bytes) -> None:
        rest: bytes | memoryview = data
        while True:
            try:
                self.parser.feed_data(rest)
                return
            except httptools.HttpParserUpgrade as offer:
                rest = memoryview(rest)[offer.args[0] :]
                self._begin_again()

    def _begin_again(self) -> None:
        """The same request without the offer, to a parser that has not stopped at it."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        if method == b"CONNECT":
            raise _Refused(HTTPStatus.BAD_REQUEST, "CONNECT: this is no proxy")
        head = [b"%s %s HTTP/%s" % (method, self.url, version)]
        head += [b"%s: %s" % field for field in self.headers if field[0] not in OFFER]
        if _closes(self.headers):
            head.append(b"connection: close")
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.parser.feed_data(b"\r\n".join([*head, b"", b""]))

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """The other side says no more: what it has asked is still answered."""
        if self._under_way and not self._ended:
            self._refuse(HTTPStatus.BAD_REQUEST, self._missing())
            return True
        if self._due and self.cycle is not None:
            self.cycle.keep_alive = False
        return self._due

    def connection_lost(self, exc: Exception | None) -> None:
        """No more of it, in either direction."""
        if self._silence is not None:
            self._silence.cancel()
        super().connection_lost(exc)

    # --- what the parser tells

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._under_way, self._headed, self._length = True, False, 0
        super().on_message_begin()
        self.scope["samhub.abort"] = self._abort  # type: ignore[typeddict-unknown-key]

    def on_headers_complete(self) -> None:
        """The head is whole. One with an offer comes again without it."""
        if self.parser.should_upgrade():
            return
        self._check()
        self._barren, self._headed = 0, True
        super().on_headers_complete()
        self.headers = []  # trailers are no header fields (RFC 9110 6.5.1)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._barren = 0
        self._length += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self.parser.should_upgrade():
            return
        self._under_way, self._barren = False, 0
        super().on_message_complete()

    def _check(self) -> None:
        """What httptools lets pass. Raises where it is not certain what was asked, before anybody has heard of it."""
        names = [name for name, _ in self.headers]
        if len(names) > MAX_FIELDS or (self._barren > MAX_HEAD and self._size(names) > MAX_HEAD):
            raise _too_large()
        if self.parser.get_http_version() not in ("1.1", "1.0"):
            raise _Refused(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "HTTP/1.1 is spoken here")
        if b"transfer-encoding" in names and _values(self.headers, b"transfer-encoding") != [b"chunked"]:
            # RFC 9112 6.1; httptools hands on what is in another coding beside chunked as if it were the content
            raise _Refused(HTTPStatus.BAD_REQUEST, "Transfer-Encoding is other than chunked")
        if names.count(b"host") > 1:  # RFC 9112 3.2
            raise _Refused(HTTPStatus.BAD_REQUEST, "Host stands there more than once")

    def _size(self, names: Iterable[bytes]) -> int:
        """Of the head: a segment that is larger holds some of the body as well."""
        return len(self.url) + sum(map(len, names)) + sum([len(value) for _, value in self.headers])

    # --- silence

    def _listen(self) -> None:
        self._heard = self.loop.time()
        if self._silence is None:
            self._silence = self.loop.call_later(SILENT_SECONDS, self._silent)

    def _silent(self) -> None:
        """Nothing may have come for a while: of a request that is under way, and that we do not keep waiting ourselves."""
        self._silence = None
        if self._ended or not self._under_way or self.transport.is_closing():
            return
        left = self._heard + SILENT_SECONDS - self.loop.time()
        if left > 0 or self.flow.read_paused:
            self._silence = self.loop.call_later(max(left, 1.0), self._silent)
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, f"nothing came for {SILENT_SECONDS:g} s; {self._missing()}")

    def _missing(self) -> str:
        if not self._headed:
            return "the request ends before its header does"
        told = b"".join(_values(self.scope["headers"], b"content-length"))
        return cut_short(self._length, told.decode())

    # --- the end

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        """Says no to the newest request, which is the last one, after the answers that are due to those before it."""
        log.warning("request-refused", status=int(status), because=why)
        refused = self.cycle if self._under_way and self._headed else None
        answered = refused.response_started if refused is not None else not self._asked
        self._ended, self._last_words = True, b"" if answered else _answer(status, why)
        if refused is not None and refused is not self._answering:
            self.pipeline.popleft()
        elif refused is not None:
            # Who reads it has what came, then hears that the connection is lost; what he says goes nowhere.
            refused.transport = _Nowhere()
            self._answering = None
        if not self._due:
            self._close()

    def on_response_complete(self) -> None:
        """A request has been answered; whose turn it is next, uvicorn knows."""
        super().on_response_complete()
        if self._ended and not self._due:
            self._close()

    def _abort(self) -> None:
        """At once, whatever is still to be written: for an answer whose reader takes nothing."""
        self.transport.abort()

    def _close(self) -> None:
        if self.transport.is_closing():
            return
        last_words, self._last_words = self._last_words, b""
        self.transport.write(last_words)
        if not self.transport.can_write_eof():
            self.transport.close()
        elif not self._closed:
            self._closed = True
            self.flow.resume_reading()
            self.transport.write_eof()
            self.loop.call_later(LINGER_SECONDS, self.transport.close)

    @property
    def _due(self) -> bool:
        """Whether a whole request waits for its answer."""
        return bool(self.pipeline) or (self._answering is not None and not self._answering.response_complete)

    @property
    def _asked(self) -> bool:
        """Whether there is a request to answer: what trails after one that was answered is none before its target is read."""
        return self._answering is None or (self._under_way and bool(self.url))


class _Nowhere(asyncio.Transport):
    """Where an answer goes whose request has been answered."""

    def write(self, data: object) -> None:
        """Dropped."""

    def close(self) -> None:
        """Is closed."""

    def is_closing(self) -> bool:
        """Always."""
        return True


def _too_large() -> _Refused:
    return _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"more than {MAX_HEAD} bytes or {MAX_FIELDS} fields")


def _told(error: httptools.HttpParserError) -> str:
    """The parser's words, which are its own; those about a callback name no more than that."""
    if isinstance(error, httptools.HttpParserCallbackError):
        return "the request target cannot be read"
    return str(error) or "this is no HTTP"


def _values(fields: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    return [value.strip().lower() for written, value in fields if written == name]


def _closes(fields: Iterable[tuple[bytes, bytes]]) -> bool:
    said = b",".join(_values(fields, b"connection"))
    return b"close" in [word.strip() for word in said.split(b",")]


def _answer(status: HTTPStatus, why: str) -> bytes:
    text = f"{status.phrase}: {why}\n".encode("ascii", "replace")
    head = f"HTTP/1.1 {int(status)} {status.phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    return f"{head}Content-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text
