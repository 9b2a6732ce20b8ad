"""Runs a hub: its web application on a socket, its worker beside it, until it is told to stop."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime

import structlog
import uvicorn

from adapters.broker.ending import ended
from hub.errors import ConfigurationError
from ops.assemble import Hub
from ops.serve import workers
from ops.serve.connection import Connection
from ops.serve.keeping import Keeping

log = structlog.get_logger("start")
OFFSETS_SINCE = datetime(2020, 1, 1, tzinfo=UTC)


class _Server(uvicorn.Server):
    """uvicorn, without taking over the signals of the process."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Who runs us minds the signals."""
        yield


@asynccontextmanager
async def running(hub: Hub, gone: Callable[[], object] = lambda: None) -> AsyncIterator[str]:
    """The hub serves while inside; gives its URL. On leaving, connections are finished, then the worker is stopped.

    `gone` is called when the port is served no more, whatever ended that: such a hub is of no use.
    """
    http = hub.configuration.http
    own = listener(http.host, http.port, shared=workers.number() is not None)
    config = uvicorn.Config(
        hub.app,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        lifespan="off",
        limit_concurrency=http.at_once,
        timeout_graceful_shutdown=5,
        http=Connection,
        ws="none",
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve([own]))
    serving.add_done_callback(lambda _: server.should_exit or log.error("port-given-up", code="unforeseen"))
    serving.add_done_callback(lambda _: gone())
    working = [hub.duties.begin("worker", hub.worker.run)] if "deliver" in hub.roles else []
    house = Keeping(hub.store, hub.kit, hub.configuration.purge, hub.worker.node)
    working.append(hub.duties.begin("keeping house", house.run))
    try:
        await _started(server, serving)
        async with _doors(hub):
            yield f"http://{http.host}:{own.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        await ended(working)
        own.close()


@asynccontextmanager
async def _doors(hub: Hub) -> AsyncIterator[None]:
    """Orders to read the register anew, record systems as people make them, and the doors beside HTTP.

    Of several workers behind one port the first has mail and the national bus; queues are shared by all.
    """
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(hub.reloading.running())
        await stack.enter_async_context(hub.streaming.watching())
        await stack.enter_async_context(hub.serving.running())
        await stack.enter_async_context(hub.queues.doors(hub.roles))
        if "deliver" in hub.roles:
            await stack.enter_async_context(hub.webhooks.telling())
        if "receive" in hub.roles and not workers.number():
            await stack.enter_async_context(hub.mail.doors())
            await stack.enter_async_context(hub.bus.doors())
        yield


def listener(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Bound before anything starts, so that a taken port is told at once and port 0 is known.

    Workers of one hub share the port: the system spreads connections over them. Raises ConfigurationError where it cannot
    be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, else asyncio leaves Nagle on
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        hint = (
            "stop what listens there, or set http.port"
            if error.errno == errno.EADDRINUSE
            else "see http.host, http.port"
        )
        raise ConfigurationError([f"cannot listen at {host}:{port}: {error.strerror or error}; {hint}"]) from None
    return made


async def _started(server: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    while not server.started:
        if serving.done():
            serving.result()
        await asyncio.sleep(0.005)


def least_offset(now: datetime) -> int:
    """Above what notifications have ever been given an offset: milliseconds since 2020, at fewer than a thousand a second.

    A store that was restored from a copy, moved or begun anew knows nothing of those that it gave since, and record
    systems ask for what is above the last that they have seen.
    """
    return int((now - OFFSETS_SINCE).total_seconds() * 1000)


async def until(stop: asyncio.Event, hub: Hub, ready: Callable[[str], None]) -> None:
    """Serves until `stop` is set; `ready` is told the URL."""
    await hub.store.raise_offsets(least_offset(hub.kit.clock.now()))
    async with running(hub, stop.set) as url:
        ready(url)
        await stop.wait()
