"""EDI 2.0 version 2: every endpoint, with its answers (edi20-and-national-rules.md A5)."""

from __future__ import annotations

from pydantic import ValidationError
from starlette.responses import JSONResponse, Response

from adapters.rest import reading, wire, wire_2
from adapters.rest.demands import utf_8_declared
from adapters.rest.problems import Problem, unreadable
from adapters.rest.table import KNOWN, OF_MESSAGE, Call, Endpoint, Version
from hub import ids
from hub.record_systems.values import Info, Order
from hub.states import State

#: Of a query, and of an order, that a locked HER-id may stand against.
_LIST, _POST = KNOWN | {423}, KNOWN | {409, 413, 415, 423}


def version() -> Version:
    """All rows."""
    row, one, m, w = Endpoint, "/messages/{id}", OF_MESSAGE, wire_2
    return Version(
        2,
        (
            row("GET", "/messages", "GetMessages", listing, 200, list[w.Message], _LIST, query=w.MessagesQuery),
            row("POST", "/messages", "PostMessage", send, 201, str, _POST, body=w.PostMessageRequest),
            row("GET", one, "GetMessage", message, 200, w.Message, m),
            row("GET", f"{one}/business-document", "GetBusinessDocument", document, 200, wire.Document, m),
            row("GET", f"{one}/status", "GetStatusInfo", status, 200, list[w.StatusInfo], m),
            row("GET", f"{one}/apprec", "GetApprecInfo", apprecs, 200, list[w.ApprecInfo], m),
            row("POST", f"{one}/apprec/{{herId}}", "PostApprec", apprec, 201, str, m | _POST, body=w.PostAppRecRequest),
            row("PUT", f"{one}/read/{{herId}}", "MarkMessageAsRead", read, 204, None, m),
        ),
    )


async def listing(call: Call) -> Response:
    """What waits to be read, once for each receiver that has not read it (A5 row 1, A15.5)."""
    asked = reading.query(call.request, wire_2.MessagesQuery)
    hers = [str(her) for her in asked.receiver_her_ids]
    found = await call.systems.unread(
        call.caller,
        hers,
        asked.messages_to_fetch,
        sender=str(asked.sender_her_id or ""),
        business_document_id=asked.business_document_id or "",
        descending=asked.order_by in ("2", "Descending"),
    )
    shown = wire_2.message if asked.include_metadata else wire_2.listed
    rows = [shown(info, her) for info in found.messages for her in await _waiting(call, info, hers)]
    return JSONResponse(rows[: asked.messages_to_fetch])


async def _waiting(call: Call, info: Info, hers: list[str]) -> list[str]:
    """Those of its receivers that have not read it: of several that are asked for, some may have."""
    asked = [her for her in dict.fromkeys(info.receivers) if her in hers]
    if len(asked) < 2:
        return asked
    standing = await call.systems.status(call.caller, info.record.id)
    ready = {one.receiver for one in standing.receivers if one.state == State.AVAILABLE}
    return [her for her in asked if her in ready]


async def send(call: Call) -> Response:
    """Send a document (A5 row 2): 201 with the id as JSON, and nothing behind it."""
    if (busy := await call.systems.busy()) is not None:
        raise Problem(busy)
    asked = await reading.body(call.request, wire_2.PostMessageRequest, call.house.max_document)
    content = wire.document(asked.business_document)
    if content is None:
        raise unreadable("businessDocument is not base64", ("businessDocument", "not base64"))
    if call.house.national:
        utf_8_declared(content)
    subset = tuple(str(her) for her in asked.receiver_her_ids_subset or ())
    wished = wire_2.transport(asked.eb_xml_overrides, call.application)
    said = await call.systems.submit(call.caller, Order(content, "rest", receivers=subset, transport=wished))
    if said.decided != "taken":
        raise Problem(said)
    return _created(call.request.url.path, said.message_id)


def _created(where: str, own: str) -> Response:
    return JSONResponse(own, status_code=201, headers={"Location": f"{where.rstrip('/')}/{own}"})


async def message(call: Call) -> Response:
    """What is known about a message (A5 row 3)."""
    info = await call.systems.message(call.caller, _id(call))
    return JSONResponse(wire_2.message(info, _receiver(call, info)))


def _receiver(call: Call, info: Info) -> str:
    """Of several receivers the one that asks; for its sender the primary one."""
    return next((her for her in info.receivers if her in call.caller.her_ids), info.record.to_her)


async def document(call: Call) -> Response:
    """Its document (A5 row 4)."""
    return JSONResponse(wire.business_document(await call.systems.document(call.caller, _id(call))))


async def status(call: Call) -> Response:
    """What became of it (A5 row 5)."""
    found = await call.systems.status(call.caller, _id(call))
    return JSONResponse([wire_2.status(one) for one in found.receivers])


async def apprecs(call: Call) -> Response:
    """The AppRecs about it, of those receivers that have answered (A5 row 6)."""
    found = await call.systems.status(call.caller, _id(call))
    told = [wire_2.apprec(one) for one in found.receivers]
    return JSONResponse([one for one in told if one is not None])


async def apprec(call: Call) -> Response:
    """Answer it by an AppRec (A5 row 7)."""
    own, her = _id(call), _her_id(call)
    asked = await reading.body(call.request, wire_2.PostAppRecRequest, 100_000)
    faults = [wire.fault(one) for one in asked.app_rec_error_list or ()]
    wished = wire_2.transport(asked.eb_xml_overrides, call.application)
    said = wire.apprec_status(asked.app_rec_status)
    made = await call.systems.answer(call.caller, her, own, said, faults, wished)
    mount = call.request.url.path.lower().partition("/messages/")[0]
    return _created(f"{mount}/Messages", made.message_id)


async def read(call: Call) -> Response:
    """Say that it is safe here; said twice, it counts once, and a body is not looked at (A5 row 8)."""
    await call.systems.fetched(call.caller, _her_id(call), _id(call))
    return Response(status_code=204)


def _id(call: Call) -> str:
    """Raises Problem where it is no UUID, as the contract asks."""
    if not ids.is_uuid(call.at["id"]):
        raise unreadable("the id of a message is a UUID", ("id", "uuid"))
    return call.at["id"]


def _her_id(call: Call) -> str:
    try:
        return str(wire_2.InPath(HerId=call.at["herId"]).her_id)
    except ValidationError:
        raise unreadable("a HER-id is a number from 1", ("herId", "int32")) from None
