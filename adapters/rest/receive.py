"""The routes of the REST door: send, list, fetch, mark as fetched, read status, answer by AppRec."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import uuid4

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.rest import wire
from adapters.rest.problems import Problem
from hub import ids, mailbox, submission
from hub.codes import reason
from hub.errors import NotAllowed, NotFound, StoreUnavailable
from hub.events import Entry, Event
from hub.formats import coding
from hub.formats.apprec import AppRecError
from hub.formats.apprec_write import APPREC_OID
from hub.formats.lifted import Lifted, Lifter, received
from hub.kit import Kit
from hub.message import Answer, Arrival, DeliveryRecord, MessageRecord, RecordSystem
from hub.ports import Change, DeliveryFilter

Model = TypeVar("Model", bound=BaseModel)
#: The largest offset there can be.
LARGEST = 2**63 - 1
Handler = Callable[[Request, RecordSystem], Awaitable[Response]]


class RestDoor:
    """EDI 2.0 v3 below `/api/v3`, one API key per record system."""

    def __init__(self, kit: Kit, full: Callable[[], Awaitable[Answer | None]], wake: Callable[[], None]) -> None:
        """`full` refuses new messages while it answers; `wake` is called when something new may have to go out."""
        self._kit, self._full, self._wake = kit, full, wake

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
            system = self._caller(request)
            try:
                answer = await handler(request, system)
            except StoreUnavailable as error:
                raise Problem(503, "store-unavailable", str(error)) from None
            except Problem as problem:
                await self._note(request, system, problem)
                raise
            if request.method != "GET":
                self._wake()
            return answer

        return checked

    async def _note(self, request: Request, system: RecordSystem, problem: Problem) -> None:
        """An order that cannot be read leaves no message to look at: who gave it, and why it was refused, is journaled."""
        if request.method == "GET" or problem.code not in ("request", "too-large", "content-coding"):
            return
        now = self._kit.clock.now()
        entry = Entry(now, Event.REFUSED, problem.code, problem.detail, actor=system.id)
        await self._kit.store.apply(Change(journal=(entry,)))

    def _caller(self, request: Request) -> RecordSystem:
        key = request.headers.get("x-api-key", "")
        digest = hashlib.sha256(key.encode()).hexdigest()
        for system in self._kit.directory.systems():
            if system.key_sha256 and hmac.compare_digest(system.key_sha256, digest):
                return system
        raise Problem(401, "unauthorized", "header X-API-Key is missing or not known here")

    async def _ping(self, _: Request) -> Response:
        return JSONResponse({"response": "pong", "timestampUtc": self._kit.clock.now().isoformat()})

    async def _send(self, request: Request, system: RecordSystem) -> Response:
        if refusal := await self._full():
            raise Problem(refusal.status, refusal.code, refusal.because)
        order = await _read(request, wire.PostMessage, self._kit.settings.max_message_bytes)
        _owns(system, order.sender_her_id)
        document = wire.document(order.business_document)
        if document is None:
            raise Problem(400, "request", "businessDocument is not base64", ["businessDocument"])
        receivers = tuple(str(her) for her in order.receiver_her_ids)
        kit = self._kit
        arrival = Arrival(kit.dice.uuid(), "rest", kit.clock.now(), {}, document, system.id, receivers)
        answer = await submission.submit(arrival, kit, str(order.sender_her_id))
        if answer.status >= 300:
            raise Problem(answer.status, answer.code, f"{reason(answer.code).text}: {answer.because}")
        where = f"{request.url.path.rstrip('/')}/{answer.message_id}"
        return JSONResponse({"id": answer.message_id}, status_code=202, headers={"Location": where})

    async def _message(self, request: Request, system: RecordSystem) -> Response:
        record, deliveries = await self._entitled(request, system)
        return JSONResponse(wire.message(record, [d.receiver for d in deliveries]))

    async def _document(self, request: Request, system: RecordSystem) -> Response:
        record, _ = await self._entitled(request, system)
        content = await self._kit.store.document(record.id)
        if content is None:
            raise Problem(404, "not-found", f"the document of message {record.id} is not here any more")
        encoded = base64.b64encode(content).decode()
        return JSONResponse(
            {"businessDocument": encoded, "contentType": "application/xml", "contentTransferEncoding": "base64"}
        )

    async def _status(self, request: Request, system: RecordSystem) -> Response:
        _, deliveries = await self._entitled(request, system)
        return JSONResponse({"statusList": [wire.status(d) for d in deliveries]})

    async def _apprec(self, request: Request, system: RecordSystem) -> Response:
        order = await _read(request, wire.PostAppRec, 100_000)
        _owns(system, order.app_rec_sender_her_id)
        if order.rejected and not order.app_rec_error_list:
            raise Problem(400, "request", "appRecErrorList is required when rejected", ["appRecErrorList"])
        errors = tuple(_error(e) for e in order.app_rec_error_list or ()) if order.rejected else ()
        her = str(order.app_rec_sender_her_id)
        made = await _or_problem(mailbox.answer(_id(request), her, errors, system, self._kit))
        return JSONResponse({"id": made}, status_code=202)

    async def _downloaded(self, request: Request, system: RecordSystem) -> Response:
        order = await _read(request, wire.PutDownloaded, 10_000)
        _owns(system, order.receiver_her_id)
        her = str(order.receiver_her_id)
        await _or_problem(mailbox.fetched(_id(request), her, system, self._kit))
        return Response(status_code=204)

    async def _notifications(self, request: Request, system: RecordSystem) -> Response:
        query = {name.lower(): request.query_params.getlist(name) for name in request.query_params}
        try:
            hers = [int(her) for her in query.get("herids", [])]
            offset = int(query.get("offset", ["0"])[0])
            limit = int(query.get("notificationstofetch", ["100"])[0])
        except ValueError:
            raise Problem(400, "request", "HerIds, Offset and NotificationsToFetch are numbers") from None
        if not 1 <= len(hers) <= 1500 or not 1 <= limit <= 1000 or not 0 <= offset <= LARGEST:
            raise Problem(400, "request", "HerIds 1 to 1500, Offset from 0, NotificationsToFetch 1 to 1000")
        for her in hers:
            _owns(system, her)
        found = await self._kit.store.notifications([str(her) for her in hers], offset, limit)
        return JSONResponse({"notifications": [wire.notification(n) for n in found]})

    async def _entitled(self, request: Request, system: RecordSystem) -> tuple[MessageRecord, list[DeliveryRecord]]:
        """The message, if the caller serves its sender or one of its receivers (A12: 1201)."""
        message_id = _id(request)
        record = await self._kit.store.message(message_id)
        if record is None:
            raise Problem(404, "not-found", f"message {message_id} is not known here")
        deliveries = await self._kit.store.deliveries(DeliveryFilter(message_id=message_id, limit=1000))
        concerned = {record.from_her, record.to_her, *(d.receiver for d in deliveries)}
        if not concerned & system.her_ids:
            raise Problem(403, "not-concerned", "the record system serves neither its sender nor a receiver of it")
        return record, deliveries


def _id(request: Request) -> str:
    """Our id that is asked for: a UUID, however it is spelt."""
    written = str(request.path_params["id"])
    return ids.hyphenated(ids.plain(written)) if ids.is_uuid(written) else written


async def _or_problem(work: Awaitable[str | None]) -> str | None:
    try:
        return await work
    except NotFound as error:
        raise Problem(404, "not-found", str(error)) from None
    except NotAllowed as error:
        raise Problem(reason(error.code).http, error.code, str(error)) from None


#: What JSON may not begin with, and .NET's writers begin with (RFC 8259 8.1: a reader may pass it over).
BOM = b"\xef\xbb\xbf"


async def _read(request: Request, model: type[Model], max_document: int) -> Model:
    limit = max_document * 3 // 2 + 10_000  # base64 grows by a third, and by its line ends as JSON escapes them
    found = await _body(request, limit)
    if found.size > limit:
        raise Problem(413, "too-large", f"larger than {max_document} bytes of document")
    try:
        return model.model_validate_json(found.body.removeprefix(BOM), context=found)
    except ValidationError as error:
        places = [f"{'.'.join(str(p) for p in e['loc'])}: {e['type']}" for e in error.errors(include_input=False)]
        raise Problem(400, "request", "the request is not as it should be; see validationErrors", places) from None


async def _body(request: Request, limit: int) -> Lifted:
    """The body out of its content codings (RFC 9110 8.4), a long document lifted out of it while it comes."""
    said = ", ".join(request.headers.getlist("content-encoding"))
    try:
        found = await received(request.stream(), limit, lambda: Lifter(wire.DOCUMENTS, uuid4().hex), said)
    except ClientDisconnect:
        raise Problem(400, "request", "the connection was lost before the whole request had come") from None
    if isinstance(found, Lifted):
        return found
    if found.known:
        raise Problem(400, "request", found.text)
    raise Problem(415, "content-coding", found.text, headers={"Accept-Encoding": coding.ACCEPTED})


def _owns(system: RecordSystem, her_id: int) -> None:
    if str(her_id) not in system.her_ids:
        raise Problem(403, "not-your-party", f"HER-id {her_id} is not served by this record system")


def _error(given: wire.AppRecErrorIn) -> AppRecError:
    return AppRecError(given.error_code, given.oid or APPREC_OID, given.description or "", given.details or "")
