"""Puts a hub together: opens everything in one stack and closes it in reverse. The same for production, demo and tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from adapters.ebxml_http.send import EbxmlHttpSender
from adapters.folder.receive import FolderDoor
from adapters.folder.send import FolderSender
from adapters.register.directory import FileDirectory
from adapters.revocation.crl import CrlStore
from adapters.store.sqlite import SqliteStore
from hub import delivery, intake, submission
from hub.circuit import Circuits
from hub.kit import Kit
from hub.message import Answer, Arrival, Channel
from hub.ports import Clock, Dice, Sender, Store
from hub.trust.certificates import TrustAnchors
from ops.config import Configuration, TrustSettings
from ops.serve.app import application
from ops.serve.guard import Receive, guarded
from ops.serve.spoken import spoken
from ops.serve.worker import Worker
from ops.system import SystemClock, SystemDice, ordered_id
from xsd.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub, put together and ready to run."""

    configuration: Configuration
    kit: Kit
    store: SqliteStore
    directory: FileDirectory
    worker: Worker
    app: Starlette
    receive: Receive  #: a partner's message, as the ebXML door hands it over
    submit: Receive  #: a record system's document


@asynccontextmanager
async def hub(
    configuration: Configuration, *, clock: Clock | None = None, dice: Dice | None = None, store: Store | None = None
) -> AsyncIterator[Hub]:
    """A hub over its store and registers. Raises ConfigurationError with every mistake found.

    The store is opened first and closed last: until the senders are closed, outcomes still have to be kept.
    """
    async with AsyncExitStack() as stack:
        clock, dice = clock or SystemClock(), dice or SystemDice()
        registry = CollectorRegistry()
        directory, router, keys, anchors = _read(configuration)
        opened = await stack.enter_async_context(_store(configuration))
        kit = Kit(
            store=spoken(store or opened, registry),
            directory=directory,
            router=router,
            keys=keys,
            schemas=Catalogue.load(),
            anchors=anchors,
            revocation=CrlStore(configuration.revocation, clock.now),
            clock=clock,
            dice=dice,
            settings=configuration.hub,
        )
        http = await stack.enter_async_context(EbxmlHttpSender(configuration.ebxml_http))
        yield _put_together(configuration, kit, opened, directory, {Channel.EBXML_HTTP: http}, registry)


def _put_together(
    configuration: Configuration,
    kit: Kit,
    store: SqliteStore,
    directory: FileDirectory,
    senders: Mapping[Channel, Sender],
    registry: CollectorRegistry,
) -> Hub:
    circuits = Circuits(kit.settings.circuit_failures, delivery.backoff(kit))
    workers: list[Worker] = []

    def wake() -> None:
        workers[0].wake()

    async def receive(arrival: Arrival) -> Answer:
        return await intake.receive(arrival, kit)

    async def submit(arrival: Arrival) -> Answer:
        return await submission.submit(arrival, kit)

    take, hand_over = guarded(receive, kit, wake), guarded(submit, kit, wake)
    folders = FolderDoor(hand_over, kit.clock.now, ordered_id)
    everywhere = {**senders, Channel.FOLDER: FolderSender()}
    workers.append(Worker(kit, everywhere, circuits, folders, configuration.work))
    app = application(kit, take, wake, registry, ordered_id)
    return Hub(configuration, kit, store, directory, workers[0], app, take, hand_over)


def _store(configuration: Configuration) -> AsyncExitStack:
    raise NotImplementedError


def anchors(trust: TrustSettings) -> TrustAnchors:
    """The certificates in the folders of trusted authorities."""
    raise NotImplementedError
