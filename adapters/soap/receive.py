"""The SOAP door: `GET ?wsdl` for the contract, `POST` for every operation; answers whatever comes in the caller's words."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, Generic, TypeVar
from uuid import uuid4

from lxml import etree
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from adapters.soap import envelope, package
from adapters.soap.contract import Contract
from adapters.soap.envelope import Exchange
from adapters.soap.package import Package
from adapters.soap.port import CallerT, Operations, Refused
from adapters.soap.wsdl import Version, wsdl
from hub.formats import coding
from hub.formats.lifted import Lifted, Lifter, elements, received
from hub.ports import Clock

#: Bytes of a body below which it is read where it came in: handing it to a thread costs more.
SMALL = 100_000
#: Bytes around the documents of a request.
AROUND = 200_000
#: A missing or wrong HTTP Basic is challenged; some toolkits send it only then.
CHALLENGE = 'Basic realm="samhub", charset="UTF-8"'
#: Where SOAP has the HTTP status carry nothing: at 400 or 415 toolkits do not read the fault (SOAP 1.1, 6.2).
FAULT = 500
#: No element of any contract: what lies beside an envelope is nobody's to look into.
NOTHING = elements("\0")
Result = TypeVar("Result")


class SoapDoor(Generic[CallerT]):
    """One version of the contract at one path."""

    def __init__(
        self,
        operations: Operations[CallerT],
        contract: Contract,
        address: str,
        clock: Clock,
        max_document: int,
        unforeseen: Callable[[Exception], None],
    ) -> None:
        """`address` is where clients find it, for the WSDL; empty: where it listens. It is never taken from a request.

        `unforeseen` is told of what nobody foresaw.
        """
        self._operations, self._contract, self._address = operations, contract, address
        self._clock, self._max, self._unforeseen = clock, max_document, unforeseen
        self._documents = elements(*contract.documents)

    def routes(self, path: str) -> list[Route]:
        """The contract to look at, and the door itself."""
        return [Route(path, self._door, methods=["GET", "POST"])]

    async def _door(self, request: Request) -> Response:
        return await (self._post(request) if request.method == "POST" else self._described(request))

    async def _described(self, request: Request) -> Response:
        query = {name.lower(): value.strip() for name, value in request.query_params.items()}
        address = self._address or _bound(request)
        if "wsdl" in query:
            version: Version = "1.2" if query["wsdl"] in ("12", "1.2") else "1.1"
            return Response(wsdl(self._contract, address, version), media_type="text/xml")
        if "xsd" in query:
            return Response(self._contract.raw, media_type="text/xml")
        return PlainTextResponse(
            f"SOAP for record systems.\nWSDL: {address}?wsdl (SOAP 1.1), {address}?wsdl=12 (SOAP 1.2)\n"
        )

    # --- POST

    async def _post(self, request: Request) -> Response:
        own = request.scope.get("samhub.request_id") or str(uuid4())
        exchange = _first_sight(request)
        try:
            kind, content = await self._answered(request, exchange)
            return Response(content, headers={"Content-Type": kind})
        except _Challenged as challenged:
            return self._fault(exchange, challenged.refused, own, 401)
        except Refused as refused:
            return self._fault(exchange, refused, own)
        except Exception as error:
            self._unforeseen(error)
            text = f"something nobody foresaw; tell the hub's people the request id {own}"
            return self._fault(exchange, Refused("unforeseen", text, client_fault=False, error_code=0), own)

    def _fault(self, exchange: Exchange, refused: Refused, own: str, status: int = FAULT) -> Response:
        kind, content = envelope.fault(exchange, self._contract, refused, own, self._clock.now())
        headers = {"Content-Type": kind} | ({"WWW-Authenticate": CHALLENGE} if status == 401 else {})
        return Response(content, status, headers)

    async def _answered(self, request: Request, exchange: Exchange) -> tuple[str, bytes]:
        spoken = request.headers.get("accept-language", "")
        caller = await self._by_http(request)
        if caller is not None and _large(request):
            busy = await self._operations.busy(caller, spoken)
            if busy is not None:
                raise busy
        try:
            caller, name, values = await self._order(request, exchange, caller)
        except Refused as refused:
            if caller is not None:
                await self._operations.unreadable(caller, refused.reason)
            raise
        result = await self._operations.call(name, caller, values, spoken)
        heavy = sum(len(v) for v in (*values.values(), *result.values()) if isinstance(v, bytes | list))
        now = self._clock.now()
        return await _worked(heavy, lambda: envelope.reply(exchange, self._contract, name, result, now))

    async def _order(
        self, request: Request, exchange: Exchange, caller: CallerT | None
    ) -> tuple[CallerT, str, dict[str, Any]]:
        """Who calls, for what, and its values; what they were read from is let go of before anything is done."""
        kind, came, now = request.headers.get("content-type", ""), await self._came(request), self._clock.now()
        found, element = await _worked(len(came.body), partial(self._opened, kind, came.body, exchange, now))
        caller = await self._known(caller, exchange)
        read = partial(envelope.asked, element, found, self._contract, came.meant)
        name, values = await _worked(len(came.body), read)
        return caller, name, values

    def _opened(self, kind: str, body: bytes, exchange: Exchange, now: datetime) -> tuple[Package, etree._Element]:
        found = package.read(kind, body)
        return found, envelope.opened(found, exchange, now, self._most)

    async def _by_http(self, request: Request) -> CallerT | None:
        """Who HTTP Basic says it is, else a client certificate; None where neither does and a UsernameToken may."""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if not scheme:
            proven = str(request.scope.get("samhub.certificate", ""))
            return await self._operations.certified(proven) if proven else None
        if scheme.lower() != "basic":
            raise _Challenged("HTTP Basic is wanted: the record system's id and its API key")
        try:
            system_id, colon, key = base64.b64decode(given.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise _Challenged("Authorization is no HTTP Basic") from None
        caller = await self._operations.identified(system_id, key) if colon else None
        if caller is None:
            raise _Challenged("no record system here has this id and this API key")
        return caller

    async def _known(self, caller: CallerT | None, exchange: Exchange) -> CallerT:
        """The caller that Basic named, else that of the UsernameToken; who names two must be the same (both are checked)."""
        token = exchange.asked.token
        if token is not None:
            named = await self._operations.identified(*token)
            if named is None or (caller is not None and named != caller):
                text = "the UsernameToken names no record system of this API key"
                raise Refused("unauthorized", text, "Check id and API key.", error_code=0)
            return named
        if caller is None:
            raise _Challenged(
                "nobody is named: HTTP Basic, or a WS-Security UsernameToken with PasswordText, is wanted"
            )
        return caller

    @property
    def _most(self) -> int:
        """Bytes of a whole request: base64 grows by a third, and by its line ends."""
        return self._max * 3 // 2 + AROUND

    async def _came(self, request: Request) -> Lifted:
        """The body out of its content codings, of at most so many bytes as came and as came out.

        A long document in base64 is lifted out of it while it comes; one that lies beside the envelope stays where it is.
        """
        said = ", ".join(request.headers.getlist("content-encoding"))
        beside = request.headers.get("content-type", "").lower().startswith("multipart/")
        form = NOTHING if beside else self._documents
        try:
            found = await received(request.stream(), self._most, lambda: Lifter(form, uuid4().hex), said)
        except ClientDisconnect:
            raise Refused("request", "the connection was lost before the whole request had come") from None
        if not isinstance(found, Lifted):
            hint = f"Send it as it is, or as {coding.ACCEPTED}."
            raise Refused("request" if found.known else "content-coding", found.text, hint)
        if found.size > self._most:
            raise Refused("too-large", f"larger than {self._max} bytes of document", "Split the message.", error_code=0)
        return found


class _Challenged(Exception):
    """Nobody known calls; HTTP asks for Basic (RFC 9110 11.6.1)."""

    def __init__(self, text: str) -> None:
        self.refused = Refused("unauthorized", text, "The id of the record system and its API key.", error_code=0)
        super().__init__(text)


def _large(request: Request) -> bool:
    """Whether a document may be in it that is better refused before it has been read; a small one is soon read."""
    length = request.headers.get("content-length", "")
    return not length.isdigit() or len(length) > len(str(SMALL)) or int(length) > SMALL


def _bound(request: Request) -> str:
    """Where this connection came in, as the socket knows it."""
    host, port = request.scope.get("server") or ("127.0.0.1", 0)
    return f"{request.scope['scheme']}://{f'[{host}]' if ':' in host else host}:{port}{request.scope['path']}"


def _first_sight(request: Request) -> Exchange:
    """The SOAP version that the Content-Type speaks of, for a fault before the envelope is read."""
    said = request.headers.get("content-type", "").lower()
    return Exchange(envelope.SOAP_12 if "application/soap+xml" in said else envelope.SOAP_11)


async def _worked(size: int, work: Callable[[], Result]) -> Result:
    """In a thread where it is long work, so that nobody else waits."""
    return await asyncio.to_thread(work) if size > SMALL else work()
