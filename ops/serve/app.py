"""The web application: the ebXML and REST doors, health and metrics, on one port."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import structlog
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Message, Scope, Send
from starlette.types import Receive as AsgiReceive

from adapters.ebxml_http.receive import endpoint
from adapters.rest.problems import Problem, handle
from hub.errors import place
from hub.kit import Kit
from hub.ports import CircuitRecord, HookLane, NodeRecord
from ops.certs import check
from ops.serve import workers
from ops.serve.duties import Duties
from ops.serve.guard import Full, Receive
from ops.serve.reloading import DEAD

#: Ready is whose store has been written within so many seconds.
LATELY = 10.0


def application(
    kit: Kit,
    receive: Receive,
    systems: Sequence[BaseRoute],
    full: Full,
    registry: CollectorRegistry,
    new_id: Callable[[], str],
    duties: Duties,
    node: Callable[[], NodeRecord],
    certificate: Callable[[Scope], str],
    *,
    doors: bool = True,
) -> Starlette:
    """All routes of one hub, with those of its record systems; without `doors` only what machines ask about the process."""
    health = _Health(kit, registry, duties, node)
    ebxml = endpoint(receive, kit.clock.now, new_id, kit.settings.max_message_bytes, full)
    taking = [Route("/ebxml", ebxml, methods=["POST"]), *systems]
    app = _Application(
        routes=[
            *(taking if doors else ()),
            Route("/metrics", health.metrics),
            Route("/health/live", health.live),
            Route("/health/ready", health.ready),
        ],
        exception_handlers={Problem: handle, HTTPException: handle, Exception: handle},
    )
    app.router.redirect_slashes = False
    app.new_id, app.certificate = new_id, certificate
    return app


log = structlog.get_logger("door")
#: Of partners, and of machines that ask about the process.
_UNNUMBERED = ("/ebxml", "/metrics", "/health")


class _Application(Starlette):
    """A path with a slash behind it is the same path: few message handlers follow a redirect with a POST.

    Each request of a record system has an id of ours: in the answer, its header and each line of the log about it.
    """

    new_id: Callable[[], str]
    certificate: Callable[[Scope], str]

    async def __call__(self, scope: Scope, receive: AsgiReceive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http" or scope["path"].startswith(_UNNUMBERED):
            await self._routed(scope, receive, send)
            return
        own = scope["samhub.request_id"] = self.new_id()
        scope["samhub.certificate"] = self.certificate(scope)

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", own.encode())]
            await send(message)

        with structlog.contextvars.bound_contextvars(request=own):
            await self._routed(scope, receive, sent)

    async def _routed(self, scope: Scope, receive: AsgiReceive, send: Send) -> None:
        path = scope.get("path", "")
        if path[-1:] == "/" and path != "/":
            scope["path"] = path[:-1]
        try:
            await super().__call__(scope, receive, send)
        except Exception as error:  # nobody foresaw it; it has been answered, and its words may hold content
            log.error("unforeseen", kind=type(error).__name__, where=place(error), code="unforeseen")


class _Health:
    """What machines ask."""

    def __init__(self, kit: Kit, registry: CollectorRegistry, duties: Duties, node: Callable[[], NodeRecord]) -> None:
        self._kit, self._registry, self._duties, self._node = kit, registry, duties, node

    async def live(self, _: Request) -> Response:
        """Whether the process is of use: its loop turns, else nobody would answer, and no duty of it keeps ending."""
        if ending := self._duties.ending:
            return JSONResponse({"status": "not live", "duties": ending}, status_code=503)
        return JSONResponse({"status": "live"})

    async def ready(self, _: Request) -> Response:
        store, ending = self._kit.store, self._duties.ending
        writable = await store.writable() and await store.proven(LATELY)
        ready = writable and not ending
        said: dict[str, object] = {
            "status": "ready" if ready else "not ready",
            "store": "writable" if writable else "not writable",
        }
        if not writable:
            said["because"] = store.unwritable() or f"no write has succeeded in the last {LATELY:.0f} seconds"
        said |= {"duties": ending} if ending else {}
        return JSONResponse(said | _of_register(self._node()), status_code=200 if ready else 503)

    async def metrics(self, _: Request) -> Response:
        counted = generate_latest(self._registry if workers.number() is None else _of_all_workers())
        store = self._kit.store
        standing = generate_latest(_standing(await store.counts(), await store.refusals()))
        running = generate_latest(_running(await store.nodes(), self._kit.clock.now()))
        ends = generate_latest(_ends(self._kit.present()))
        left_alone = generate_latest(_left_alone(await store.circuits()))
        room = generate_latest(_room(store.room()))
        hooks = generate_latest(_hooks(await store.hooks()))
        told = counted + standing + running + ends + left_alone + room + hooks
        return Response(told, media_type=CONTENT_TYPE_LATEST)


def _standing(counts: Mapping[str, int], refusals: Mapping[tuple[str, str], int]) -> CollectorRegistry:
    """How many deliveries and arrivals stand in each state, as the store knows it now, and why arrivals were not taken."""
    family = GaugeMetricFamily("samhub_standing", "Deliveries and arrivals by state.", labels=["state"])
    for state, count in counts.items():
        family.add_metric([state], count)
    text = "Arrivals that were not taken and nobody has put away, by state and code."
    refused = GaugeMetricFamily("samhub_arrivals_open", text, labels=["state", "code"])
    for (state, code), count in refusals.items():
        refused.add_metric([state, code], count)
    registry = CollectorRegistry()
    registry.register(_Once(family))
    registry.register(_Once(refused))
    return registry


def _left_alone(circuits: Sequence[CircuitRecord]) -> CollectorRegistry:
    """Addresses that every node leaves alone: which, and why, is told by samhub circuit list."""
    text = "Addresses that are left alone, but for a probe now and then, until they answer."
    registry = CollectorRegistry()
    registry.register(_Once(GaugeMetricFamily("samhub_circuits_open", text, value=len(circuits))))
    return registry


def _hooks(lanes: Sequence[HookLane]) -> CollectorRegistry:
    """Events that record systems have not been told: which, and why, is told by samhub webhook list."""
    text = "Record systems, and messages of theirs, of which events are not told over a webhook, by state."
    family = GaugeMetricFamily("samhub_webhooks", text, labels=["state"])
    family.add_metric(["given-up"], sum(lane.given_up_at is not None for lane in lanes))
    family.add_metric(["tried-again"], sum(lane.given_up_at is None and lane.tries > 0 for lane in lanes))
    registry = CollectorRegistry()
    registry.register(_Once(family))
    return registry


def _room(found: tuple[int, int] | None) -> CollectorRegistry:
    """How much room the store's disk has, and below what nothing new is taken; nothing where that cannot be known."""
    registry = CollectorRegistry()
    if found is not None:
        for name, text, value in (
            ("samhub_store_free_bytes", "Free bytes of the store's disk.", found[0]),
            (
                "samhub_store_min_free_bytes",
                "With less than this nothing new is taken (store.min_free_bytes).",
                found[1],
            ),
        ):
            family = GaugeMetricFamily(name, text)
            family.add_metric([], value)
            registry.register(_Once(family))
    return registry


def _ends(kit: Kit) -> CollectorRegistry:
    """Until when our own certificates and the revocation lists last, as seconds since 1970."""
    text = "End of the certificates of parties that are served here."
    own = GaugeMetricFamily("samhub_certificate_end_timestamp_seconds", text, labels=["her_id", "use"])
    for row in check.rows(kit, own=True):
        if row.not_after is not None:
            own.add_metric([row.her_id, row.use], row.not_after.timestamp())
    text = "nextUpdate of the newest revocation list of each authority in use; 0 where there is none."
    lists = GaugeMetricFamily("samhub_crl_next_update_timestamp_seconds", text, labels=["issuer"])
    for one in check.lists(kit):
        if one.state != "broken" and (one.next_update or one.state == "missing"):
            lists.add_metric([one.issuer], one.next_update.timestamp() if one.next_update else 0)
    registry = CollectorRegistry()
    for family in (own, lists):
        registry.register(_Once(family))
    return registry


def _of_register(node: NodeRecord) -> dict[str, object]:
    """Which register this process runs; one that could not take what lies in the files is red, and serves on."""
    said = {"revision": node.revision, "since": node.since.isoformat(timespec="seconds")}
    return {"register": {**said, "state": "red" if node.faults else "good", "faults": list(node.faults)}}


def _running(nodes: Sequence[NodeRecord], now: datetime) -> CollectorRegistry:
    """What every node that shares the store runs: whichever of them is asked, all are told."""
    since = GaugeMetricFamily(
        "samhub_register_read_timestamp_seconds",
        "When each node read the register that it runs, by node and revision.",
        labels=["node", "revision"],
    )
    red = GaugeMetricFamily(
        "samhub_register_red", "1 where a node could not take what lies in the register's files.", labels=["node"]
    )
    registry = CollectorRegistry()
    for one in nodes:
        if now - one.seen < DEAD:
            since.add_metric([one.node, one.revision], one.since.timestamp())
            red.add_metric([one.node], float(bool(one.faults)))
    registry.register(_Once(since))
    registry.register(_Once(red))
    return registry


class _Once(Collector):
    """Tells one family of metrics that is known already."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterable[Metric]:
        """See prometheus_client."""
        return [self._family]


def _of_all_workers() -> CollectorRegistry:
    """The counts of every worker behind this port."""
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    return together
