"""Puts a hub together: opens everything in one stack and closes it in reverse. The same for production, demo and tests."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial

import structlog
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from adapters.dispatch.rabbitmq import RabbitDispatch
from adapters.ebxml_http.send import EbxmlHttpSender
from adapters.folder.receipts import file_answered
from adapters.folder.receive import FolderDoor
from adapters.folder.send import FolderSender
from adapters.register.directory import FileDirectory
from adapters.rest.streaming import Streaming
from adapters.store.opening import KeptStore
from adapters.store.opening import opened as opened_store
from adapters.store.writer import Step
from hub import bus, delivery, intake, mailings, submission
from hub.circuit import Circuits
from hub.errors import ConfigurationError
from hub.kit import Kit
from hub.message import Answer, Arrival, Channel
from hub.ports import Clock, Dice, Sender
from hub.record_systems.facade import RecordSystems, TurnAway
from hub.record_systems.streams import Streams
from hub.record_systems.telling import Telling
from ops.bus import BusSide
from ops.config import Configuration
from ops.doors import of_record_systems
from ops.mail import MailSide
from ops.queues import QueueSide
from ops.registers import Registers
from ops.schemas import catalogue
from ops.serve.app import application
from ops.serve.duties import Duties
from ops.serve.guard import Receive, full, guarded, tell_of_folder
from ops.serve.heavy import Heavy
from ops.serve.leases import LeaseClock
from ops.serve.offering import offering
from ops.serve.proxies import certificates
from ops.serve.reloading import Reloading
from ops.serve.spoken import spoken
from ops.serve.systems import Systems
from ops.serve.worker import Worker
from ops.system import SystemClock, SystemDice, ordered_id
from ops.webhooks import WebhookSide
from xsd.catalogue import Catalogue

log = structlog.get_logger("start")
#: What a node does: takes messages in, brings them out.
ROLES = frozenset({"receive", "deliver"})

#: What the kernel does with an arrival.
Work = Callable[[Arrival, Kit], Awaitable[Answer]]


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
    systems: RecordSystems  #: the facade that the doors of record systems speak to
    submit: Receive  #: a record system's document, as the facade hands it over
    mail: MailSide
    roles: frozenset[str]
    queues: QueueSide
    bus: BusSide
    duties: Duties
    registers: Registers
    reloading: Reloading
    streaming: Streaming
    serving: Systems  #: record systems and keys that were made by command, as the store has them
    webhooks: WebhookSide


@asynccontextmanager
async def hub(
    configuration: Configuration,
    *,
    clock: Clock | None = None,
    dice: Dice | None = None,
    on_step: Step | None = None,
    roles: frozenset[str] = ROLES,
    may_migrate: bool = True,
) -> AsyncIterator[Hub]:
    """A hub over its store and registers. Raises ConfigurationError with every mistake found.

    `on_step` is called at the store's durable steps; tests kill the process there. Without `may_migrate` a store whose
    schema is of an older hub is refused: only who serves brings it up to date.

    The store is opened first and closed last: until the senders are closed, outcomes still have to be kept.
    """
    async with AsyncExitStack() as stack:
        clock, dice = clock or SystemClock(), dice or SystemDice()
        registry = CollectorRegistry()
        registers, schemas = _read(configuration, clock)
        bell: list[Worker] = []
        made = await opened_store(
            configuration.store, on_step=on_step, on_due=partial(_ring, bell), may_migrate=may_migrate
        )
        opened = await stack.enter_async_context(made)
        registers.begin(await opened.systems_kept())
        if not opened.space_known:
            log.warning("store-space-unknown", because="the database is on another machine: watch its disk there")
        duties = Duties(registry)
        dispatch = await _dispatch(configuration, stack, duties)
        kept = offering(opened, lambda lanes: bell[0].promised(lanes)) if dispatch is not None else opened
        kit = registers.bind(
            Kit(
                store=spoken(kept, registry, clock.now),
                directory=registers.live("directory"),
                router=registers.live("router"),
                keys=registers.live("keys"),
                schemas=schemas,
                anchors=registers.live("anchors"),
                revocation=registers.live("revocation"),
                clock=clock,
                dice=dice,
                settings=configuration.hub,
                work=stack.enter_context(closing(Heavy())),
            )
        )
        http = await stack.enter_async_context(EbxmlHttpSender(configuration.ebxml_http, partial(_client, kit)))
        made_of = _Parts(configuration, kit, opened, registers, http, registry, dispatch, roles, duties)
        built = _put_together(made_of, bell)
        await stack.enter_async_context(built.mail.sender)
        await stack.enter_async_context(built.queues)
        await stack.enter_async_context(built.bus.line)
        yield built


def _client(kit: Kit, her_id: str) -> tuple[str, str]:
    """What we show to the server of a partner, as the register has it now."""
    party = kit.directory.party(her_id)
    return party.client if party is not None else ("", "")


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
    registers: Registers
    http: EbxmlHttpSender
    registry: CollectorRegistry
    dispatch: RabbitDispatch | None
    roles: frozenset[str]
    duties: Duties


def _put_together(parts: _Parts, bell: list[Worker]) -> Hub:
    """The doors, the senders and the worker; whoever rings the bell wakes the worker."""
    configuration, kit = parts.configuration, parts.kit
    kit.clock_watch.now(kit.clock)  # from here on a jump is seen

    def wake() -> None:
        bell[0].wake()

    def taking(work: Work) -> Receive:
        """Each arrival is judged by the register that there is when it comes."""

        async def received(arrival: Arrival) -> Answer:
            return await work(arrival, kit.present())

        return guarded(received, kit, wake)

    take, hand_over = taking(intake.receive), taking(submission.submit)
    nothing_new, leases = full(kit), LeaseClock(kit)
    facade = RecordSystems(kit, hand_over, _turning_away(kit, wake), nothing_new, wake)
    mail = MailSide(configuration, kit, taking(mailings.receive), taking(mailings.to_postmaster), nothing_new)
    on_bus = BusSide(configuration.amqp, kit, taking(bus.receive), nothing_new, parts.registry, parts.duties)
    most = kit.settings.max_message_bytes
    folders = FolderDoor(facade, kit.clock.now, most, tell_of_folder, Telling("folder-receipts", kit.store, facade))
    queues = QueueSide(configuration, kit, facade, parts.duties, leases)
    name = f"{socket.gethostname()}-{os.getpid()}-{kit.dice.uuid()[:8]}"
    senders = _senders(parts, facade, mail, on_bus, queues)
    bell.append(_worker(parts, senders, folders, leases, name))
    reloading = Reloading(parts.registers, kit, name, wake, parts.duties, leases.now)
    receives = "receive" in parts.roles
    streaming = Streaming(Streams(kit.store, configuration.rest.streams), configuration.rest, begin=parts.duties.begin)
    app = application(
        kit,
        take,
        of_record_systems(facade, kit, configuration, streaming),
        nothing_new,
        parts.registry,
        ordered_id,
        parts.duties,
        lambda: reloading.state,
        certificates(configuration.http),
        doors=receives,
    )
    return Hub(
        configuration,
        kit,
        parts.store,
        parts.registers.live("directory"),
        bell[0],
        app,
        take,
        facade,
        hand_over,
        mail,
        parts.roles,
        queues,
        on_bus,
        parts.duties,
        parts.registers,
        reloading,
        streaming,
        Systems(parts.registers, reloading, parts.store, facade.uses, kit.clock, parts.duties),
        WebhookSide(configuration, kit, facade, parts.duties, leases.now, name),
    )


def _senders(
    parts: _Parts, facade: RecordSystems, mail: MailSide, on_bus: BusSide, queues: QueueSide
) -> Mapping[Channel, Sender]:
    """Who brings a delivery to its end, by its channel; what waits in the house is fetched."""
    return {
        Channel.EBXML_HTTP: parts.http,
        Channel.EBXML_SMTP: mail.sender,
        Channel.AMQP: on_bus.sender,
        Channel.AMQP_SYNC: on_bus.sender,
        Channel.FOLDER: FolderSender(parts.kit.store, partial(file_answered, facade)),
        Channel.QUEUE: queues.sender,
    }


def _worker(
    parts: _Parts, senders: Mapping[Channel, Sender], folders: FolderDoor, leases: LeaseClock, name: str
) -> Worker:
    kit, configuration = parts.kit, parts.configuration
    return Worker(
        kit,
        senders,
        Circuits(kit.settings.circuit_failures, delivery.backoff(kit)),
        folders,
        configuration.work,
        node=name if configuration.store.url else "",
        dispatch=parts.dispatch,
        duties=parts.duties,
        leases=leases,
    )


def _turning_away(kit: Kit, wake: Callable[[], None]) -> TurnAway:
    """Keeps what a door cannot hand over, whatever happens meanwhile."""

    async def away(arrival: Arrival, code: str, because: str) -> Answer:
        async def turned(arrival: Arrival) -> Answer:
            return await submission.turn_away(arrival, code, because, kit.present())

        return await guarded(turned, kit, wake)(arrival)

    return away


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


def _read(configuration: Configuration, clock: Clock) -> tuple[Registers, Catalogue]:
    """Registers and schemas; every mistake in both is told at once."""
    mistakes: list[str] = []
    registers = schemas = None
    try:
        registers = Registers(configuration, clock.now)
    except ConfigurationError as error:
        mistakes += error.mistakes
    try:
        schemas = catalogue(configuration)
    except ConfigurationError as error:
        mistakes += error.mistakes
    if registers is None or schemas is None:
        raise ConfigurationError(mistakes)
    return registers, schemas
