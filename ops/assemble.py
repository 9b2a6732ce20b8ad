"""Puts a hub together: opens everything in one stack and closes it in reverse. The same for production, demo and tests."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from adapters.dispatch.rabbitmq import RabbitDispatch
from adapters.ebxml_http.send import EbxmlHttpSender
from adapters.folder.receive import FolderDoor
from adapters.folder.send import FolderSender
from adapters.register.directory import Defaults, FileDirectory
from adapters.register.keys import FolderKeys
from adapters.revocation.crl import CrlStore
from adapters.store.opening import KeptStore
from adapters.store.opening import opened as opened_store
from adapters.store.writer import Step
from hub import bus, delivery, intake, mailings, submission
from hub.circuit import Circuits
from hub.errors import ConfigurationError
from hub.formats.cpa_certificates import every
from hub.kit import Kit
from hub.message import Answer, Arrival, Channel
from hub.ports import Clock, Dice, Sender
from hub.trust.certificates import TrustAnchors
from ops.bus import BusSide
from ops.config import Configuration
from ops.mail import MailSide
from ops.queues import QueueSide, unserved
from ops.schemas import catalogue
from ops.serve.app import application
from ops.serve.duties import Duties
from ops.serve.guard import Receive, full, guarded, tell_of_folder
from ops.serve.leases import LeaseClock
from ops.serve.offering import offering
from ops.serve.spoken import spoken
from ops.serve.worker import Worker
from ops.system import SystemClock, SystemDice, ordered_id
from routing.decide import TableRouter
from routing.rule import Rule
from routing.table import read_rules
from xsd.catalogue import Catalogue

log = structlog.get_logger("start")
#: What a node does: takes messages in, brings them out.
ROLES = frozenset({"receive", "deliver"})


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub, put together and ready to run."""

    configuration: Configuration
    kit: Kit
    store: KeptStore
    directory: FileDirectory
    worker: Worker
    app: Starlette
    receive: Receive  #: a partner's message, as the ebXML door hands it over
    submit: Receive  #: a record system's document
    mail: MailSide
    roles: frozenset[str]
    queues: QueueSide
    bus: BusSide
    duties: Duties


@asynccontextmanager
async def hub(
    configuration: Configuration,
    *,
    clock: Clock | None = None,
    dice: Dice | None = None,
    on_step: Step | None = None,
    roles: frozenset[str] = ROLES,
) -> AsyncIterator[Hub]:
    """A hub over its store and registers. Raises ConfigurationError with every mistake found.

    `on_step` is called at the store's durable steps; tests kill the process there.

    The store is opened first and closed last: until the senders are closed, outcomes still have to be kept.
    """
    async with AsyncExitStack() as stack:
        clock, dice = clock or SystemClock(), dice or SystemDice()
        registry = CollectorRegistry()
        directory, keys, rules, anchors, schemas = _read(configuration)
        bell: list[Worker] = []
        made = await opened_store(configuration.store, on_step=on_step, on_due=partial(_ring, bell))
        opened = await stack.enter_async_context(made)
        if not opened.space_known:
            log.warning("store-space-unknown", because="the database is on another machine: watch its disk there")
        duties = Duties(registry)
        dispatch = await _dispatch(configuration, stack, duties)
        kept = offering(opened, lambda lanes: bell[0].promised(lanes)) if dispatch is not None else opened
        kit = Kit(
            store=spoken(kept, registry),
            directory=directory,
            router=TableRouter(rules, directory.system),
            keys=keys,
            schemas=schemas,
            anchors=anchors,
            revocation=CrlStore(configuration.revocation, clock.now),
            clock=clock,
            dice=dice,
            settings=configuration.hub,
        )
        http = await stack.enter_async_context(EbxmlHttpSender(configuration.ebxml_http))
        made_of = _Parts(configuration, kit, opened, directory, http, registry, dispatch, roles, duties)
        built = _put_together(made_of, bell)
        await stack.enter_async_context(built.mail.sender)
        await stack.enter_async_context(built.queues)
        await stack.enter_async_context(built.bus.line)
        yield built


def _ring(bell: list[Worker]) -> None:
    """Another node may ring before our worker is there."""
    for worker in bell:
        worker.wake()


@dataclass(frozen=True, slots=True)
class _Parts:
    """What is open already when a hub is put together."""

    configuration: Configuration
    kit: Kit
    store: KeptStore
    directory: FileDirectory
    http: EbxmlHttpSender
    registry: CollectorRegistry
    dispatch: RabbitDispatch | None
    roles: frozenset[str]
    duties: Duties


def _put_together(parts: _Parts, bell: list[Worker]) -> Hub:
    """The doors, the senders and the worker; whoever rings the bell wakes the worker."""
    configuration, kit = parts.configuration, parts.kit
    kit.clock_watch.now(kit.clock)  # from here on a jump is seen
    circuits = Circuits(kit.settings.circuit_failures, delivery.backoff(kit))

    def wake() -> None:
        bell[0].wake()

    async def receive(arrival: Arrival) -> Answer:
        return await intake.receive(arrival, kit)

    async def submit(arrival: Arrival) -> Answer:
        return await submission.submit(arrival, kit)

    async def receive_mail(arrival: Arrival) -> Answer:
        return await mailings.receive(arrival, kit)

    async def receive_postmasters(arrival: Arrival) -> Answer:
        return await mailings.to_postmaster(arrival, kit)

    async def receive_bus(arrival: Arrival) -> Answer:
        return await bus.receive(arrival, kit)

    take, hand_over = guarded(receive, kit, wake), guarded(submit, kit, wake)
    nothing_new, leases = full(kit), LeaseClock(kit)
    takes_mail, aside = guarded(receive_mail, kit, wake), guarded(receive_postmasters, kit, wake)
    mail = MailSide(configuration, kit, takes_mail, aside, nothing_new)
    on_bus = BusSide(
        configuration.amqp, kit, guarded(receive_bus, kit, wake), nothing_new, parts.registry, parts.duties
    )
    most = kit.settings.max_message_bytes
    folders = FolderDoor(hand_over, nothing_new, kit.clock.now, ordered_id, most, tell_of_folder)
    queues = QueueSide(configuration, kit, lambda work: guarded(work, kit, wake), nothing_new, parts.duties, leases)
    senders: Mapping[Channel, Sender] = {
        Channel.EBXML_HTTP: parts.http,
        Channel.EBXML_SMTP: mail.sender,
        Channel.AMQP: on_bus.sender,
        Channel.AMQP_SYNC: on_bus.sender,
        Channel.FOLDER: FolderSender(),
        Channel.QUEUE: queues.sender,
    }
    node = f"{socket.gethostname()}-{os.getpid()}-{kit.dice.uuid()[:8]}" if configuration.store.url else ""
    worker = Worker(
        kit,
        senders,
        circuits,
        folders,
        configuration.work,
        node=node,
        dispatch=parts.dispatch,
        duties=parts.duties,
        leases=leases,
    )
    bell.append(worker)
    receives = "receive" in parts.roles
    app = application(kit, take, nothing_new, wake, parts.registry, ordered_id, parts.duties, doors=receives)
    return Hub(
        configuration,
        kit,
        parts.store,
        parts.directory,
        bell[0],
        app,
        take,
        hand_over,
        mail,
        parts.roles,
        queues,
        on_bus,
        parts.duties,
    )


async def _dispatch(configuration: Configuration, stack: AsyncExitStack, duties: Duties) -> RabbitDispatch | None:
    """The broker of the nodes, where there is one."""
    if not configuration.dispatch.url:
        return None
    if missing := configuration.dispatch.absent():
        raise ConfigurationError([f"dispatch: {file}: no such file" for file in missing])
    if not configuration.store.url:
        raise ConfigurationError(
            ["dispatch.url: nodes share a PostgreSQL: name it as store.url, or leave dispatch.url empty"]
        )

    def told(what: str, why: str) -> None:
        (log.info if what == "broker-reached" else log.warning)(what, because=f"dispatch {why}")

    return await stack.enter_async_context(RabbitDispatch(configuration.dispatch, told, duties.begin))


def _read(
    configuration: Configuration,
) -> tuple[FileDirectory, FolderKeys, tuple[Rule, ...], TrustAnchors, Catalogue]:
    """Registers, keys, routes, authorities and schemas; every mistake in all of them is told at once."""
    mistakes: list[str] = []
    found: list[Any] = []
    for read in (_directory, _rules, _anchors, catalogue):
        try:
            found.append(read(configuration))
        except ConfigurationError as error:
            mistakes += error.mistakes
    if mistakes:
        raise ConfigurationError(mistakes)
    (directory, keys), rules, anchors, schemas = found
    return directory, keys, rules, anchors, schemas


def _directory(configuration: Configuration) -> tuple[FileDirectory, FolderKeys]:
    hub_settings, registry = configuration.hub, configuration.registry
    defaults = Defaults(
        hub_settings.retries,
        timedelta(seconds=hub_settings.retry_interval_seconds),
        timedelta(seconds=hub_settings.persist_duration_seconds),
        timedelta(seconds=hub_settings.time_to_live_seconds) if hub_settings.time_to_live_seconds else None,
        frozenset(function.upper() for function in registry.unagreed_functions),
    )
    directory = FileDirectory(registry.parties, registry.agreements, defaults, by_mail=bool(configuration.relay.host))
    keyless = [
        f"party {p.her_id} is served here but has no keys; name their folder in {registry.parties.name}"
        for p in directory.parties()
        if p.local and p.her_id not in dict(directory.key_folders())
    ]
    if mistakes := [*keyless, *unserved(configuration, directory)]:
        raise ConfigurationError(mistakes)
    return directory, FolderKeys(directory.key_folders())


def _rules(configuration: Configuration) -> tuple[Rule, ...]:
    routes = configuration.registry.routes
    return read_rules(routes.read_text("utf-8"), routes.name) if routes.exists() else ()


def _anchors(configuration: Configuration) -> TrustAnchors:
    trust, mistakes = configuration.trust, list[str]()
    roots, intermediates = (_certificates(folder, mistakes) for folder in (trust.roots, trust.intermediates))
    if not roots:
        mistakes.append(f"{trust.roots}: no root certificate; nothing that partners sign could be trusted")
    if mistakes:
        raise ConfigurationError(mistakes)
    return TrustAnchors(roots, intermediates)


def _certificates(folder: Path, mistakes: list[str]) -> tuple[bytes, ...]:
    found = list[bytes]()
    for file in sorted(folder.glob("*")) if folder.is_dir() else []:
        try:
            found += every(file.read_bytes())
        except ValueError:
            mistakes.append(f"{file}: neither PEM nor DER of a certificate")
    return tuple(found)
