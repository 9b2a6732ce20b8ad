"""Version 3 beside messages: which HER-ids are configured, and notifications that are deleted once they are handled (A11, A6.2 b)."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from adapters.rest import reading, wire
from adapters.rest.streaming import PAGE, EventStream
from adapters.rest.table import KNOWN, Call, Endpoint
from hub.record_systems.facade import MOST
from hub.record_systems.values import Caller


def endpoints() -> tuple[Endpoint, ...]:
    """These rows of version 3."""
    row, w = Endpoint, wire
    locked, order = KNOWN | {423}, KNOWN | {413, 415, 423}
    own, unread = "/mshconfigurations", "/notifications/unread"
    return (
        row("PUT", own, "PutConfigurations", configure, 204, None, order, body=w.PutConfigurations),
        row("DELETE", own, "DeleteConfigurations", unconfigure, 204, None, locked | {404}, query=w.HerIdsQuery),
        row("GET", unread, "GetUnread", undeleted, 200, w.UnreadNotifications, locked, query=w.UnreadQuery),
        row(
            "GET",
            f"{unread}/stream",
            "StreamUnread",
            stream,
            200,
            str,
            locked | {429},
            query=w.HerIdsQuery,
            streams=True,
        ),
        row("POST", "/notifications/delete", "DeleteNotifications", delete, 204, None, order, body=w.PostDelete),
    )


async def configure(call: Call) -> Response:
    """Say how HER-ids are to be served; all of it or nothing (A11)."""
    asked = await reading.body(call.request, wire.PutConfigurations, 1_000_000)
    await call.systems.configure(call.caller, [wire.configuration(one) for one in asked.configurations])
    return Response(status_code=204)


async def unconfigure(call: Call) -> Response:
    """Let HER-ids go, their locks with them (A11.4)."""
    asked = reading.query(call.request, wire.HerIdsQuery)
    await call.systems.unconfigure(call.caller, [str(her) for her in asked.her_ids])
    return Response(status_code=204)


async def undeleted(call: Call) -> Response:
    """Notifications that are not deleted, the oldest first (A6.2 b)."""
    asked = reading.query(call.request, wire.UnreadQuery)
    hers = [str(her) for her in asked.her_ids]
    found = await call.systems.undeleted(call.caller, hers, asked.notifications_to_fetch)
    return JSONResponse({"unreadNotifications": [wire.unread(note) for note in found.events]})


async def delete(call: Call) -> Response:
    """Notifications that have been handled: they are told no more (A6 row 14)."""
    asked = await reading.body(call.request, wire.PostDelete, 100_000)
    await call.systems.delete(call.caller, [str(one) for one in asked.notification_ids])
    return Response(status_code=204)


async def stream(call: Call) -> Response:
    """Notifications that are not deleted, then what happens, as it happens (A6 row 13)."""
    asked = reading.query(call.request, wire.HerIdsQuery)
    hers = [str(her) for her in asked.her_ids]
    streaming, after = call.house.streaming, -1

    async def feed(caller: Caller) -> list[wire.UnreadNote]:
        """Of more than a thousand that stand, those behind them are read in order, whether deleted or not."""
        nonlocal after
        if after < 0:
            newest = await streaming.streams.newest(hers)
            found = await call.systems.undeleted(caller, hers, MOST)
            after = found.events[-1].offset if found.more else max(newest, *(one.offset for one in found.events), 0)
        else:
            found = await call.systems.events(caller, hers, after, PAGE)
            after = found.events[-1].offset if found.events else after
        return [wire.unread(note) for note in found.events]

    return await EventStream(streaming, call.caller, call.systems.still).opened(hers, feed)
