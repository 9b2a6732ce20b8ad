"""The routes of the REST door: send, list, fetch, mark as fetched, read status, answer by AppRec."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar
from uuid import uuid4

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.rest import wire
from adapters.rest.problems import Problem, unreadable
from hub.errors import StoreUnavailable
from hub.formats import coding
from hub.formats.languages import wanted
from hub.formats.lifted import Lifted, Lifter, received
from hub.ports import Clock
from hub.record_systems.facade import RecordSystems, unavailable
from hub.record_systems.values import Caller, Fault, Order, Refused, Said

Model = TypeVar("Model", bound=BaseModel)
Handler = Callable[[Request, Caller], Awaitable[Response]]
#: Orders that are journaled though nothing can be weighed of them.
_NOTED = frozenset({"request", "too-large", "content-coding"})


class RestDoor:
    """EDI 2.0 v3 below `/api/v3`, one API key per record system."""

    def __init__(self, systems: RecordSystems, clock: Clock, max_document: int) -> None:
        """Documents of at most `max_document` bytes are taken."""
        self._systems, self._clock, self._max = systems, clock, max_document

    def routes(self) -> list[Route]:
        """All routes; mount them below `/api/v3`."""
        return [
            Route("/ping", self._ping),
            Route("/messages", self._known(self._send), methods=["POST"]),
            Route("/messages/{id}", self._known(self._message)),
            Route("/messages/{id}/business-document", self._known(self._document)),
            Route("/messages/{id}/status", self._known(self._status)),
            Route("/messages/{id}/apprec", self._known(self._apprec), methods=["POST"]),
            Route("/messages/{id}/downloaded", self._known(self._downloaded), methods=["PUT"]),
            Route("/notifications", self._known(self._notifications)),
        ]

    def _known(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Who calls comes first (A15.1)."""

        async def checked(request: Request) -> Response:
            caller = self._caller(request)
            try:
                return await self._answered(handler, request, caller)
            except Problem as problem:
                problem.language = caller.system.language
                raise

        return checked

    async def _answered(self, handler: Handler, request: Request, caller: Caller) -> Response:
        try:
            return await handler(request, caller)
        except StoreUnavailable as error:
            raise Problem(unavailable(error)) from None
        except Refused as error:
            raise Problem(error.said) from None
        except Problem as problem:
            if request.method != "GET" and problem.said.code in _NOTED:
                await self._systems.unreadable(caller, problem.said)
            raise

    def _caller(self, request: Request) -> Caller:
        key = request.headers.get("x-api-key", "")
        proven = "" if key else str(request.scope.get("samhub.certificate", ""))
        caller = self._systems.by_certificate(proven) if proven else self._systems.by_key(key)
        if caller is None:
            said = Said("refused", "unauthorized", "header X-API-Key is missing or not known here")
            raise Problem(said, headers={"WWW-Authenticate": 'ApiKey realm="samhub"'})
        return caller

    async def _ping(self, _: Request) -> Response:
        return JSONResponse({"response": "pong", "timestampUtc": self._clock.now().isoformat()})

    async def _send(self, request: Request, caller: Caller) -> Response:
        if (busy := await self._systems.busy()) is not None:
            raise Problem(busy)
        order = await _read(request, wire.PostMessage, self._max)
        document = wire.document(order.business_document)
        if document is None:
            raise unreadable("businessDocument is not base64", ("businessDocument", "not base64"))
        receivers = tuple(str(her) for her in order.receiver_her_ids)
        said = await self._systems.submit(caller, Order(document, "rest", str(order.sender_her_id), receivers))
        if said.decided != "taken":
            raise Problem(said)
        where = f"{request.url.path.rstrip('/')}/{said.message_id}"
        answer = {"id": said.message_id, "businessDocumentId": said.business_document_id, "duplicate": said.duplicate}
        return JSONResponse(answer, status_code=202, headers={"Location": where})

    async def _message(self, request: Request, caller: Caller) -> Response:
        return JSONResponse(wire.message(await self._systems.message(caller, _id(request))))

    async def _document(self, request: Request, caller: Caller) -> Response:
        content = await self._systems.document(caller, _id(request))
        encoded = base64.b64encode(content).decode()
        return JSONResponse(
            {"businessDocument": encoded, "contentType": "application/xml", "contentTransferEncoding": "base64"}
        )

    async def _status(self, request: Request, caller: Caller) -> Response:
        found = await self._systems.status(caller, _id(request))
        language = wanted(request.headers.get("accept-language", ""), caller.system.language)
        return JSONResponse({"statusList": [wire.status(one, language) for one in found.receivers]})

    async def _apprec(self, request: Request, caller: Caller) -> Response:
        order = await _read(request, wire.PostAppRec, 100_000)
        her = str(order.app_rec_sender_her_id)
        faults = (_fault(one) for one in order.app_rec_error_list or ())
        made = await self._systems.answer(caller, her, _id(request), order.status, faults)
        return JSONResponse({"id": made.message_id, "businessDocumentId": made.business_document_id}, status_code=202)

    async def _downloaded(self, request: Request, caller: Caller) -> Response:
        order = await _read(request, wire.PutDownloaded, 10_000)
        await self._systems.fetched(caller, str(order.receiver_her_id), _id(request))
        return Response(status_code=204)

    async def _notifications(self, request: Request, caller: Caller) -> Response:
        query = {name.lower(): request.query_params.getlist(name) for name in request.query_params}
        try:
            hers = [int(her) for her in query.get("herids", [])]
            offset = int(query.get("offset", ["0"])[0])
            limit = int(query.get("notificationstofetch", ["100"])[0])
        except ValueError:
            raise unreadable("HerIds, Offset and NotificationsToFetch are numbers") from None
        found = await self._systems.events(caller, [str(her) for her in hers], offset, limit)
        return JSONResponse({"notifications": [wire.notification(n) for n in found.events]})


def _id(request: Request) -> str:
    return str(request.path_params["id"])


#: What JSON may not begin with, and .NET's writers begin with (RFC 8259 8.1: a reader may pass it over).
BOM = b"\xef\xbb\xbf"


async def _read(request: Request, model: type[Model], max_document: int) -> Model:
    limit = max_document * 3 // 2 + 10_000  # base64 grows by a third, and by its line ends as JSON escapes them
    found = await _body(request, limit)
    if found.size > limit:
        raise unreadable(f"larger than {max_document} bytes of document", code="too-large")
    try:
        return model.model_validate_json(found.body.removeprefix(BOM), context=found)
    except ValidationError as error:
        members = [_member(e["loc"], e["type"], e.get("ctx", {})) for e in error.errors(include_input=False)]
        raise unreadable("the request is not as it should be; see validationErrors", *members) from None


async def _body(request: Request, limit: int) -> Lifted:
    """The body out of its content codings (RFC 9110 8.4), a long document lifted out of it while it comes."""
    said = ", ".join(request.headers.getlist("content-encoding"))
    try:
        found = await received(request.stream(), limit, lambda: Lifter(wire.DOCUMENTS, uuid4().hex), said)
    except ClientDisconnect:
        raise unreadable("the connection was lost before the whole request had come") from None
    if isinstance(found, Lifted):
        return found
    if found.known:
        raise unreadable(found.text)
    raise Problem(Said("refused", "content-coding", found.text), headers={"Accept-Encoding": coding.ACCEPTED})


def _member(place: tuple[int | str, ...], kind: str, about: Mapping[str, object]) -> tuple[str, str]:
    """Which member, and what is wrong with it; where only some words are taken, which."""
    allowed = about.get("expected")
    return ".".join(str(part) for part in place), f"{kind}: {allowed}" if allowed else kind


def _fault(given: wire.AppRecErrorIn) -> Fault:
    return Fault(given.error_code, given.oid or "", given.description or "", given.details or "")
