"""EDI 2.0 version 3: every endpoint, with its answers (edi20-and-national-rules.md A6)."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from adapters.rest import reading, wire
from adapters.rest.demands import utf_8_declared
from adapters.rest.problems import Problem, unreadable
from adapters.rest.streaming import PAGE, EventStream
from adapters.rest.table import ALWAYS, KNOWN, OF_MESSAGE, Call, Endpoint, Version
from hub.formats.languages import wanted
from hub.record_systems.values import Caller, Order

#: Of an order with a body.
_BODY = frozenset({413, 415, 423})


def version(national: bool, more: tuple[Endpoint, ...] = ()) -> Version:
    """All rows, and `more`; a national one asks for every member that EDI 2.0 asks for."""
    post = wire.PostMessage if national else wire.EasyPostMessage
    poll = wire.NotificationsQuery if national else wire.EasyNotificationsQuery
    row, one, told, m, w = Endpoint, "/messages/{id}", "/notifications", OF_MESSAGE, wire
    s = KNOWN | {423, 429}
    return Version(
        3,
        (
            row("GET", "/ping", "Ping", ping, 200, w.Pong, ALWAYS, known=False),
            row("POST", "/messages", "PostMessage", send, 202, w.Sent, KNOWN | _BODY | {409}, body=post),
            row("GET", one, "GetMessage", message, 200, w.Message, m),
            row("GET", f"{one}/business-document", "GetBusinessDocument", document, 200, w.Document, m),
            row("GET", f"{one}/status", "GetStatus", status, 200, w.StatusList, m),
            row("POST", f"{one}/apprec", "PostAppRec", apprec, 202, w.Made, m | _BODY | {409}, body=w.PostAppRec),
            row("PUT", f"{one}/downloaded", "PutDownloaded", downloaded, 204, None, m | _BODY, body=w.PutDownloaded),
            row("GET", told, "GetNotifications", notifications, 200, w.Notifications, KNOWN | {423}, query=poll),
            row(
                "GET",
                f"{told}/stream",
                "StreamNotifications",
                stream,
                200,
                w.Note,
                s,
                query=w.StreamQuery,
                streams=True,
            ),
            *more,
        ),
    )


async def ping(call: Call) -> Response:
    """Whether somebody is there; of anybody (A6 row 1)."""
    return JSONResponse({"response": "pong", "timestampUtc": call.house.clock.now().isoformat()})


async def send(call: Call) -> Response:
    """Send a document (A7)."""
    house = call.house
    if (busy := await call.systems.busy()) is not None:
        raise Problem(busy)
    model = wire.PostMessage if house.national else wire.EasyPostMessage
    order = await reading.body(call.request, model, house.max_document)
    content = wire.document(order.business_document)
    if content is None:
        raise unreadable("businessDocument is not base64", ("businessDocument", "not base64"))
    sender = str(order.sender_her_id)
    if house.national:
        utf_8_declared(content)
        if sender in call.caller.her_ids and not call.systems.of_level_2(sender):
            raise unreadable("the sender is of level 2, a service or a person (HIS 1153)", ("senderHerId", "level 1"))
    wished = wire.transport(order.transport_metadata_overrides, _application(call, order))
    said = await call.systems.submit(
        call.caller,
        Order(
            content,
            "rest",
            sender,
            tuple(str(her) for her in order.receiver_her_ids),
            message_type=order.message_type_identificator or "",
            transport=wished,
        ),
    )
    if said.decided != "taken":
        raise Problem(said)
    where = f"{call.request.url.path.rstrip('/')}/{said.message_id}"
    sent: wire.Sent = {
        "id": said.message_id,
        "businessDocumentId": said.business_document_id,
        "duplicate": said.duplicate,
    }
    return JSONResponse(sent, status_code=202, headers={"Location": where})


def _named(call: Call, order: wire.EasyPostMessage | wire.PostAppRec) -> tuple[str, str]:
    """Name and version of the application: in the order, else in nhn-source-system (A2.1, A14.2).

    A version belongs to the name beside it, never to another.
    """
    named = order.application_name or "", order.application_version or ""
    return named if any(named) else call.application


def _application(call: Call, order: wire.EasyPostMessage) -> tuple[str, str]:
    """Raises Problem where both are asked for and are not there (A7.1)."""
    name, version = _named(call, order)
    if call.house.national and not (name and version):
        missing = "applicationVersion" if name else "applicationName"
        raise unreadable("name and version of the application are asked for (A7.1)", (missing, "missing"))
    return name, version


async def message(call: Call) -> Response:
    """What is known about a message (A6 row 7)."""
    return JSONResponse(wire.message(await call.systems.message(call.caller, call.at["id"])))


async def document(call: Call) -> Response:
    """Its document (A6 row 8)."""
    return JSONResponse(wire.business_document(await call.systems.document(call.caller, call.at["id"])))


async def status(call: Call) -> Response:
    """What became of it at each receiver (A8)."""
    found = await call.systems.status(call.caller, call.at["id"])
    language = wanted(call.request.headers.get("accept-language", ""), call.caller.system.language)
    return JSONResponse({"statusList": [wire.status(one, language) for one in found.receivers]})


async def apprec(call: Call) -> Response:
    """Answer it by an AppRec (A9.6)."""
    order = await reading.body(call.request, wire.PostAppRec, 100_000)
    faults = [wire.fault(one) for one in order.app_rec_error_list or ()]
    her, said = str(order.app_rec_sender_her_id), wire.apprec_status(order.app_rec_status)
    wished = wire.transport(order.transport_metadata_overrides, _named(call, order))
    made = await call.systems.answer(call.caller, her, call.at["id"], said, faults, wished)
    told: wire.Made = {"id": made.message_id, "businessDocumentId": made.business_document_id}
    return JSONResponse(told, status_code=202)


async def downloaded(call: Call) -> Response:
    """Say that it is safe here; said twice, it counts once (A9.2)."""
    order = await reading.body(call.request, wire.PutDownloaded, 10_000)
    await call.systems.fetched(call.caller, str(order.receiver_her_id), call.at["id"])
    return Response(status_code=204)


async def notifications(call: Call) -> Response:
    """What has happened after an offset (A10.3)."""
    model = wire.NotificationsQuery if call.house.national else wire.EasyNotificationsQuery
    asked = reading.query(call.request, model)
    hers = [str(her) for her in asked.her_ids]
    found = await call.systems.events(call.caller, hers, asked.offset, asked.notifications_to_fetch)
    return JSONResponse({"notifications": [wire.notification(note) for note in found.events]})


async def stream(call: Call) -> Response:
    """What happens after an offset, or from now on, as it happens (A10.5)."""
    asked = reading.query(call.request, wire.StreamQuery)
    hers = [str(her) for her in asked.her_ids]
    streaming = call.house.streaming
    after = asked.offset

    async def feed(caller: Caller) -> list[wire.Note]:
        nonlocal after
        if after is None:
            after = await streaming.streams.newest(hers)
        found = await call.systems.events(caller, hers, after, PAGE)
        after = found.events[-1].offset if found.events else after
        return [wire.notification(note) for note in found.events]

    ends = asked.offset is not None  # who gave none might not know yet where to go on
    return await EventStream(streaming, call.caller, call.systems.still, ends=ends).opened(hers, feed)
