"""The web application: the ebXML and REST doors, health and metrics, on one port."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from adapters.ebxml_http.receive import endpoint
from adapters.rest.problems import Problem, handle
from adapters.rest.receive import RestDoor
from hub.kit import Kit
from ops.serve import workers
from ops.serve.guard import Full, Receive


def application(
    kit: Kit,
    receive: Receive,
    full: Full,
    wake: Callable[[], None],
    registry: CollectorRegistry,
    new_id: Callable[[], str],
    *,
    doors: bool = True,
) -> Starlette:
    """All routes of one hub; without `doors` only what machines ask about the process."""
    health = _Health(kit, registry)
    ebxml = endpoint(receive, kit.clock.now, new_id, kit.settings.max_message_bytes, full)
    taking = [
        Route("/ebxml", ebxml, methods=["POST"]),
        Mount("/api/v3", routes=RestDoor(kit, full, wake).routes()),
    ]
    return Starlette(
        routes=[
            *(taking if doors else ()),
            Route("/metrics", health.metrics),
            Route("/health/live", health.live),
            Route("/health/ready", health.ready),
        ],
        exception_handlers={Problem: handle, HTTPException: handle, Exception: handle},
    )


class _Health:
    """What machines ask."""

    def __init__(self, kit: Kit, registry: CollectorRegistry) -> None:
        self._kit, self._registry = kit, registry
        self._standing = Gauge("samhub_standing", "Deliveries and arrivals by state.", ["state"], registry=registry)

    async def live(self, _: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def ready(self, _: Request) -> Response:
        writable = await self._kit.store.writable()
        said = {"status": "ready" if writable else "not ready", "store": "writable" if writable else "not writable"}
        return JSONResponse(said, status_code=200 if writable else 503)

    async def metrics(self, _: Request) -> Response:
        self._standing.clear()
        for state, count in (await self._kit.store.counts()).items():
            self._standing.labels(state).set(count)
        return Response(generate_latest(self._registry) + _of_all_workers(), media_type=CONTENT_TYPE_LATEST)


def _of_all_workers() -> bytes:
    """The counts of every worker behind this port; empty where there is only one."""
    if workers.number() is None:
        return b""
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return generate_latest(together)
