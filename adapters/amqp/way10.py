"""AMQP 1.0 by qpid-proton, which has a thread and a loop of its own; orders go in and outcomes come out (nhn-amqp.md §1.5)."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import cproton
from proton import Delivery, Endpoint, Event, Message, ProtonException, SSLDomain, symbol
from proton.handlers import IncomingMessageHandler, MessagingHandler
from proton.reactor import ApplicationEvent, Container, EventInjector

from adapters.amqp import wire
from adapters.amqp.line import Session, Take, Trouble
from adapters.amqp.settings import AmqpSettings
from adapters.amqp.wire import Sections
from adapters.broker.ending import ended
from hub.formats import queues as addresses
from hub.formats.amqp import DELIVERY
from hub.formats.queues import QueueAddress
from hub.message import Outcome, Reached

#: Sender links kept open, each in a session of its own; the library keeps five (§1.5).
LINKS = 32
#: What a broker says that lasts; all else may pass (§1.5).
LASTING = frozenset(
    {
        "amqp:not-found",
        "amqp:unauthorized-access",
        "amqp:not-allowed",
        "amqp:not-implemented",
        "amqp:invalid-field",
        "amqp:decode-error",
        "amqp:link:message-size-exceeded",
        "amqp:precondition-failed",
    }
)


async def opened(settings: AmqpSettings, queues: Sequence[str], take: Take) -> Session:
    """A session that reads `queues`. Raises Trouble. Declares nothing: queues are made by who runs the bus (§0.15)."""
    logging.getLogger("proton").setLevel(logging.CRITICAL)  # it tells the same in its words
    session = Session10(settings, queues, take)
    session.start()
    try:
        async with asyncio.timeout(settings.connect_seconds):
            await asyncio.shield(session.ready)
    except TimeoutError:
        await session.close()
        raise Trouble("no connection in time") from None
    except (Trouble, asyncio.CancelledError):  # else its thread would go on by itself
        await session.close()
        raise
    return session


@dataclass(eq=False)
class _Order:
    """A message to be sent, between the two loops."""

    target: str
    message: Message
    outcome: asyncio.Future[Outcome]
    given_up: bool = False  #: nobody waits any more; if it has not gone out yet, it does not
    sent: bool = False


@dataclass(eq=False)
class _Sending:
    """A sender link with what waits for its credit."""

    link: Any
    waiting: list[_Order] = field(default_factory=list)


class Session10:
    """adapters.amqp.line.Session: what asyncio sees of the thread."""

    def __init__(self, settings: AmqpSettings, queues: Sequence[str], take: Take) -> None:
        self._settings, self._take = settings, take
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._gone: asyncio.Future[str] = self._loop.create_future()
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self._reactor = _Reactor(settings, queues, self)
        self._thread = threading.Thread(target=self._reactor.run, name="amqp-1.0", daemon=True)

    def start(self) -> None:
        """Connects, in the thread."""
        self._thread.start()

    async def publish(self, queue: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Waits for the broker's outcome; what has not left us in time is not sent any more."""
        target = addresses.target(QueueAddress(queue, self._settings.exchange), self._settings.syntax)
        order = _Order(target, _message(wire.to_sections(headers, body)), self._loop.create_future())
        self._reactor.order("on_publish", order)
        either: set[asyncio.Future[Any]] = {order.outcome, self._gone}
        await asyncio.wait(either, timeout=self._settings.answer_seconds, return_when=asyncio.FIRST_COMPLETED)
        if order.outcome.done():
            return order.outcome.result()
        order.given_up = True
        reached = Reached.MAYBE if order.sent else Reached.NO
        if self._gone.done():
            return Outcome(reached, "connection-lost", self._gone.result())
        return Outcome(reached, "timed-out", "the broker did not say in time whether it took it")

    async def depth(self, queue: str) -> int | None:  # noqa: ARG002
        """AMQP 1.0 has no word for it."""
        return None

    async def lost(self) -> str:
        """When the connection, or a link that reads, is gone."""
        return await asyncio.shield(self._gone)

    async def close(self) -> None:
        """In order within close_seconds, else without; what is in our hands the broker gives out again (§1.5)."""
        self.closed("the connection was closed")
        await ended(self._tasks)
        for farewell in ("on_leave", "on_abandon"):
            if self._thread.is_alive():
                self._reactor.order(farewell, None)
                await asyncio.to_thread(self._thread.join, self._settings.close_seconds)

    # --- from the thread

    def tell(self, work: Callable[..., None], *args: Any) -> None:
        """Runs something in our own loop; nothing when that is gone."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(work, *args)

    def began(self) -> None:
        """Everything is open."""
        if not self.ready.done():
            self.ready.set_result(None)

    def closed(self, why: str) -> None:
        """It is over; who still waits to begin hears it too."""
        if not self.ready.done():
            self.ready.set_exception(Trouble(why))
            self.ready.exception()  # heard, also when nobody asks
        if not self._gone.done():
            self._gone.set_result(why)

    def came(self, queue: str, delivery: Delivery10) -> None:
        """A task for each message; our credit is the limit."""
        if self._gone.done():
            return
        task = self._loop.create_task(self._take(queue, delivery))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.closed(type(error).__name__)


class Delivery10:
    """adapters.amqp.line.Delivery."""

    def __init__(self, reactor: _Reactor, delivery: Any, headers: Mapping[str, str], body: bytes) -> None:
        self._reactor, self._delivery = reactor, delivery
        self.headers, self.body = headers, body

    async def done(self) -> None:
        """Accepted, and room for one more; on a link that is gone it does nothing, and the message comes again (§8: 2022)."""
        self._reactor.order("on_accept", self._delivery)


class _Injector(EventInjector):  # type: ignore[misc]
    """Brings orders into the thread. The library's own never closes its pipe, and would write into it for ever."""

    def __init__(self) -> None:
        super().__init__()
        self._open, self._lock = True, threading.Lock()

    def trigger(self, event: Any) -> None:
        """From any thread; nothing once it has ended."""
        with self._lock:
            if self._open:
                super().trigger(event)

    def close(self) -> None:
        """In the thread: the loop need not wait for orders any more."""
        with self._lock:
            if self._open:
                super().close()

    def end(self) -> None:
        """When the loop has ended."""
        with self._lock:
            self._open = False
            for end in self.pipe:
                os.close(end)


class _Reactor(MessagingHandler):  # type: ignore[misc]  # the library has no types
    """Everything that happens in the thread. Credit is given by hand: one more for each that is done (§8: 2021)."""

    handlers: list[Any]

    def __init__(self, settings: AmqpSettings, queues: Sequence[str], session: Session10) -> None:
        super().__init__(prefetch=0, auto_accept=False, auto_settle=True, peer_close_is_error=True)
        self.handlers = [h for h in self.handlers if not isinstance(h, IncomingMessageHandler)]
        self._settings, self._queues, self._session = settings, queues, session
        self._injector = _Injector()
        self._senders: OrderedDict[str, _Sending] = OrderedDict()
        self._unsettled: dict[Any, _Order] = {}
        self._opening: set[Any] = set()
        self._names: dict[str, str] = {}  #: name of a receiver link → queue
        self._connection: Any = None
        self._container: Any = None

    def run(self) -> None:
        """The thread's own function; whatever ends it is told."""
        try:
            Container(self).run()
        except Exception as error:
            self._over(f"the client has failed ({type(error).__name__})")
        finally:
            self._over("the connection was closed")
            self._injector.end()

    def order(self, name: str, what: Any) -> None:
        """From any thread; nothing when ours has ended."""
        self._injector.trigger(ApplicationEvent(name.removeprefix("on_"), subject=what))

    # --- connecting

    def on_reactor_init(self, event: Event) -> None:
        """Before anything else: orders may come, and the connection is begun."""
        self._container = event.container
        self._container.selectable(self._injector)
        s = self._settings
        where = f"{'amqps' if s.secure else 'amqp'}://{s.host}:{s.port}"
        self._connection = self._container.connect(
            where,
            user=s.username or None,
            password=_password(s) or None,
            allowed_mechs="PLAIN" if s.username else "ANONYMOUS",
            allow_insecure_mechs=True,  # PLAIN over TLS is what the bus has; without TLS the settings say so
            ssl_domain=_tls(s),
            reconnect=False,
            heartbeat=30,
        )

    def on_connection_opened(self, event: Event) -> None:
        """Each link in a session of its own: a queue that is missing ends only that (§1.2)."""
        for queue in self._queues:
            name = f"receiver-link-{uuid4()}"
            session = event.connection.session()
            session.open()
            source = addresses.source(queue, self._settings.syntax)
            link = self._container.create_receiver(session, source, name=name)
            self._names[name] = queue
            self._opening.add(name)
            link.flow(self._settings.credit)
        if not self._queues:
            self._session.tell(self._session.began)

    def on_link_opened(self, event: Event) -> None:
        """Reading is begun when all links are open."""
        name = event.link.name
        if name in self._opening:
            self._opening.discard(name)
            if not self._opening:
                self._session.tell(self._session.began)

    # --- reading

    def on_delivery(self, event: Event) -> None:
        """A whole message, or an outcome; what cannot be decoded is handed on as it is, else it would come for ever."""
        delivery = event.delivery
        if not delivery.link.is_receiver or delivery.partial or not delivery.readable:
            return
        if delivery.aborted:
            delivery.settle()
            delivery.link.flow(1)
            return
        raw = delivery.link.recv(delivery.pending) or b""
        delivery.link.advance()
        queue = self._names[delivery.link.name]
        headers, body = _read(raw, queue)
        self._session.tell(self._session.came, queue, Delivery10(self, delivery, headers, body))

    def on_accept(self, event: Event) -> None:
        """Order: this message is done."""
        delivery = event.subject
        if delivery.link.state & Endpoint.LOCAL_ACTIVE and delivery.link.state & Endpoint.REMOTE_ACTIVE:
            delivery.update(Delivery.ACCEPTED)
            delivery.settle()
            delivery.link.flow(1)

    # --- sending

    def on_publish(self, event: Event) -> None:
        """Order: this message is to be sent."""
        order = event.subject
        if self._connection is None or not self._connection.state & Endpoint.REMOTE_ACTIVE:
            self._tell(order, Outcome(Reached.NO, "connect-failed", "the connection is not there"))
            return
        sending = self._senders.get(order.target)
        if sending is None:
            sending = self._sender(order.target)
        self._senders.move_to_end(order.target)
        sending.waiting.append(order)
        self._flush(sending)

    def _sender(self, target: str) -> _Sending:
        """A link is closed only to make room: this broker does not always answer when one is."""
        while len(self._senders) >= LINKS:
            _, oldest = self._senders.popitem(last=False)
            self._fail(oldest, Outcome(Reached.NO, "connection-lost", "its link had to make room"))
            oldest.link.session.close()
        session = self._connection.session()
        session.open()
        link = self._container.create_sender(session, target, name=f"sender-link-{uuid4()}")
        made = self._senders[target] = _Sending(link)
        return made

    def on_sendable(self, event: Event) -> None:
        """There is credit."""
        for sending in self._senders.values():
            if sending.link == event.link:
                self._flush(sending)

    def _flush(self, sending: _Sending) -> None:
        while sending.waiting and sending.link.credit > 0:
            order = sending.waiting.pop(0)
            if order.given_up:
                continue
            order.sent = True
            self._unsettled[sending.link.send(order.message)] = order

    def on_accepted(self, event: Event) -> None:
        """The broker has it."""
        size = len(bytes(order.message.body)) if (order := self._unsettled.get(event.delivery)) else 0
        self._settle(event, Outcome(Reached.YES, "bus-taken", f"the broker took {size} bytes"))

    def on_rejected(self, event: Event) -> None:
        """The broker will not have it."""
        why = _said(event.delivery.remote.condition) or "rejected"
        self._settle(event, Outcome(Reached.NO, "bus-not-taken", f"the broker said {why}"))

    def on_released(self, event: Event) -> None:
        """RabbitMQ 4: no queue is bound (§1.2); other brokers: not now."""
        self._settle(event, Outcome(Reached.NO, "bus-unroutable", "released: no queue is bound there", permanent=True))

    def on_modified(self, event: Event) -> None:
        """Not now."""
        self._settle(event, Outcome(Reached.NO, "bus-not-taken", "the broker gave it back"))

    def _settle(self, event: Event, outcome: Outcome) -> None:
        order = self._unsettled.pop(event.delivery, None)
        if order is not None:
            self._tell(order, outcome)

    def _tell(self, order: _Order, outcome: Outcome) -> None:
        self._session.tell(_resolved, order.outcome, outcome)

    # --- losing

    def on_link_error(self, event: Event) -> None:
        """A link that was refused or is detached."""
        self._broken(event.link.session, _said(event.link.remote_condition))

    def on_session_error(self, event: Event) -> None:
        """RabbitMQ 3 ends the whole session when exchange or queue is missing (§1.2)."""
        self._broken(event.session, _said(event.session.remote_condition))

    def _broken(self, session: Any, why: str) -> None:
        """A session holds one link: one that reads ends all, one that sends only what waited for it."""
        for target, sending in list(self._senders.items()):
            if sending.link.session == session:
                del self._senders[target]
                lasting = why.partition(" ")[0] in LASTING
                code = (
                    "bus-unroutable"
                    if why.startswith("amqp:not-found")
                    else "bus-not-allowed"
                    if lasting
                    else "bus-not-taken"
                )
                outcome = Outcome(Reached.NO, code, f"the broker said {why}", permanent=lasting)
                self._fail(sending, outcome)
                session.close()
                return
        self._over(f"a queue cannot be read: {why}")
        self._connection.close()

    def _fail(self, sending: _Sending, outcome: Outcome) -> None:
        """What has gone out on it may have been taken."""
        for order in sending.waiting:
            self._tell(order, outcome)
        for delivery, order in list(self._unsettled.items()):
            if delivery.link == sending.link:
                del self._unsettled[delivery]
                maybe = Outcome(
                    Reached.MAYBE, "connection-lost", "the link ended before the broker said whether it took it"
                )
                self._tell(order, outcome if outcome.permanent else maybe)

    def on_connection_error(self, event: Event) -> None:
        """The broker closes the connection, and says why."""
        self._over(_said(event.connection.remote_condition))

    def on_transport_error(self, event: Event) -> None:
        """No connection, or no longer."""
        said = _said(event.transport.condition)
        login = said.startswith("amqp:unauthorized-access")
        self._over("the broker does not accept our login" if login else said or "the connection broke")

    def on_disconnected(self, event: Event) -> None:  # noqa: ARG002
        """The socket is gone."""
        self._over("the connection broke")

    def on_leave(self, event: Event) -> None:  # noqa: ARG002
        """Order: goodbye."""
        if self._connection is not None:
            self._connection.close()
        self._injector.close()

    def on_abandon(self, _: Event) -> None:
        """Order: without goodbye."""
        self._container.stop()

    def _over(self, why: str) -> None:
        for sending in self._senders.values():
            self._fail(sending, Outcome(Reached.NO, "connection-lost", why))
        self._senders.clear()
        self._session.tell(self._session.closed, why)


def _resolved(future: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not future.done():
        future.set_result(outcome)


def _read(raw: bytes, queue: str) -> tuple[Mapping[str, str], bytes]:
    message = Message()
    try:
        message.decode(raw)
        return wire.from_sections(_sections(message), queue)
    except (ProtonException, ValueError, TypeError, KeyError, UnicodeDecodeError) as error:
        return {f"{DELIVERY}queue": queue, f"{DELIVERY}fault": f"not AMQP 1.0 ({type(error).__name__})"}, raw


def _sections(message: Any) -> Sections:
    return Sections(
        body=message.body,
        properties={
            "message-id": message.id,
            "correlation-id": message.correlation_id,
            "subject": message.subject,
            "to": message.address,
            "reply-to": message.reply_to,
            "content-type": message.content_type,
        },
        application_properties=message.properties or {},
        annotations=message.annotations or {},
        ttl=round(message.ttl * 1000) or None,
        durable=message.durable,
        delivery_count=message.delivery_count,
    )


def _message(made: Sections) -> Message:
    fields = made.properties
    message = Message(body=bytes(made.body), durable=made.durable, properties=dict(made.application_properties))
    message.inferred = True  # one Data section, also where it is empty (§4.6)
    message.id, message.correlation_id = fields.get("message-id"), fields.get("correlation-id")
    message.subject, message.address = fields.get("subject"), fields.get("to")
    message.reply_to = fields.get("reply-to")
    if fields.get("content-type"):
        message.content_type = symbol(fields["content-type"])
    if made.ttl:
        message.ttl = made.ttl / 1000
    return message


def _said(condition: Any) -> str:
    """Name and words of a condition; they are about entities of the broker's own."""
    return f"{condition.name} {condition.description or ''}".strip()[:200] if condition else ""


def _password(settings: AmqpSettings) -> str:
    return settings.password_file.read_text("utf-8").strip() if settings.password_file else ""


def _tls(settings: AmqpSettings) -> Any:
    if not settings.secure:
        return None
    domain = SSLDomain(SSLDomain.MODE_CLIENT)
    system = ssl.get_default_verify_paths()
    domain.set_trusted_ca_db(settings.ca_file or system.cafile or system.openssl_cafile)
    domain.set_peer_authentication(SSLDomain.VERIFY_PEER_NAME)
    cproton.pn_ssl_domain_set_protocols(domain._domain, "TLSv1.2 TLSv1.3")  # §0.2; the wrapper has no word for it
    return domain
