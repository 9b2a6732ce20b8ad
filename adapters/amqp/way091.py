"""AMQP 0.9.1 by aio-pika: one connection, a channel that publishes with confirms, and one that reads (nhn-amqp.md §1.4)."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import aio_pika
import pamqp.decode
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractIncomingMessage, HeadersType
from aio_pika.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelClosed,
    ChannelInvalidStateError,
    ChannelNotFoundEntity,
    DeliveryError,
    ProbableAuthenticationError,
    PublishError,
)

from adapters.amqp import wire
from adapters.amqp.line import Session, Take, Trouble
from adapters.amqp.settings import AmqpSettings
from adapters.amqp.wire import Delivered
from adapters.broker.ending import ended
from hub.errors import causes
from hub.message import Outcome, Reached

TROUBLE = (AMQPError, OSError, TimeoutError, ChannelInvalidStateError, RuntimeError)


async def opened(settings: AmqpSettings, queues: Sequence[str], take: Take) -> Session:
    """A session that reads `queues`. Raises Trouble. Declares nothing: queues are made by who runs the bus (§0.15)."""
    tolerant()
    for library in ("aiormq", "aio_pika"):  # their own log tells the same in their words, with stack traces
        logging.getLogger(library).setLevel(logging.CRITICAL)
    try:
        async with asyncio.timeout(settings.connect_seconds):
            connection = await aio_pika.connect(
                host=settings.host,
                port=settings.port,
                login=settings.username,
                password=_password(settings),
                virtualhost="/",
                ssl=settings.secure,
                ssl_context=_context(settings),
                client_properties={"connection_name": "samhandling-hub"},
            )
    except (AuthenticationError, ProbableAuthenticationError):
        raise Trouble("the broker does not accept our login") from None
    except TROUBLE as error:
        raise Trouble(_unreached(error)) from None
    session = Session091(connection, settings, take)
    try:
        async with asyncio.timeout(settings.connect_seconds):
            await session.begin(queues)
    except TROUBLE as error:
        await session.close()
        raise Trouble(_plain(error)) from None
    except asyncio.CancelledError:
        await session.close()
        raise
    return session


def _is_stopped() -> bool:
    """Whether it is us who shall stop: the library also says so to who waits on a connection that is closed."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


class Session091:
    """adapters.amqp.line.Session."""

    def __init__(self, connection: AbstractConnection, settings: AmqpSettings, take: Take) -> None:
        self._connection, self._settings, self._take = connection, settings, take
        self._gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        self._publishing: AbstractChannel
        self._exchange: AbstractExchange
        self._reopening = asyncio.Lock()
        connection.close_callbacks.add(self._closed)

    async def begin(self, queues: Sequence[str]) -> None:
        """Channels and consumers; a queue that is missing ends it, for nobody would know that it is not read."""
        await self._open_publishing()
        if not queues:
            return
        reading = await self._connection.channel(publisher_confirms=False)
        await reading.set_qos(prefetch_count=self._settings.credit)
        reading.close_callbacks.add(self._closed)
        underlay = await reading.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(self._deleted)  # the channel itself stays open
        for name in queues:
            queue = await reading.declare_queue(name, passive=True)
            await queue.consume(self._consumer(name))

    async def _open_publishing(self) -> None:
        self._publishing = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
        name = self._settings.exchange
        self._exchange = (
            await self._publishing.get_exchange(name, ensure=True) if name else self._publishing.default_exchange
        )

    def _consumer(self, queue: str) -> Any:
        """A task for each message: the channel's own limit is the only one."""

        async def came(message: AbstractIncomingMessage) -> None:
            task = asyncio.create_task(self._take(queue, Delivery091(queue, message)))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

        return came

    def _ended(self, task: asyncio.Task[None]) -> None:
        """What fails while a message is taken leaves it unsettled; a new connection brings it again."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._closed(None, error)

    async def publish(self, queue: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """With confirm and the mandatory flag: an unroutable message is a failure, not a silence (§1.2)."""
        try:
            exchange = await self._usable()
            await exchange.publish(
                _message(headers, body), queue, mandatory=True, timeout=self._settings.answer_seconds
            )
        except TROUBLE as error:
            return self._failed(error, queue)
        except asyncio.CancelledError:
            if _is_stopped():
                raise
            return Outcome(Reached.MAYBE, "connection-lost", "closed before the broker said whether it took it")
        return Outcome(Reached.YES, "bus-taken", f"the broker took {len(body)} bytes for {queue}")

    async def _usable(self) -> AbstractExchange:
        """A channel that a refusal has closed is opened anew."""
        async with self._reopening:
            if self._publishing.is_closed:
                async with asyncio.timeout(self._settings.connect_seconds):
                    await self._open_publishing()
            return self._exchange

    def _failed(self, error: BaseException, queue: str) -> Outcome:
        """What may be tried again and what may not (§1.5); after a timeout the broker may have it all the same."""
        match error:
            case PublishError():
                return Outcome(Reached.NO, "bus-unroutable", f"no queue {queue} behind {self._where}", permanent=True)
            case DeliveryError():
                return Outcome(Reached.NO, "bus-not-taken", "the broker said no")
            case ChannelNotFoundEntity():
                return Outcome(
                    Reached.NO, "bus-not-allowed", f"there is no exchange {self._settings.exchange}", permanent=True
                )
            case ChannelClosed():
                return Outcome(Reached.NO, "bus-not-allowed", f"the broker closed the channel: {_plain(error)}")
            case TimeoutError():
                return Outcome(Reached.MAYBE, "timed-out", "the broker did not say in time whether it took it")
            case _:
                return Outcome(
                    Reached.MAYBE, "connection-lost", f"{_plain(error)} before the broker said whether it took it"
                )

    @property
    def _where(self) -> str:
        return f"exchange {self._settings.exchange}" if self._settings.exchange else "the default exchange"

    async def depth(self, queue: str) -> int | None:
        """By a channel of its own, for a missing queue closes it."""
        channel = await self._connection.channel(publisher_confirms=False)
        try:
            found = await channel.declare_queue(queue, passive=True)
            return found.declaration_result.message_count
        except TROUBLE:
            return None
        finally:
            if not channel.is_closed:
                await channel.close()

    async def lost(self) -> str:
        """When connection or reading channel is closed by anybody but us."""
        return await asyncio.shield(self._gone)

    def _deleted(self, *_: object) -> None:
        """Who runs the bus has taken a queue away: all is rebuilt, so that it is read again when it is back."""
        self._closed(None, ConnectionError("a queue of ours was deleted"))

    def _closed(self, _: object, error: BaseException | None = None) -> None:
        if not self._gone.done():
            self._gone.set_result(_plain(error) if error is not None else "the connection was closed")

    async def close(self) -> None:
        """What is in our hands is left unsettled: the broker gives it out again."""
        self._closed(None)
        await ended(self._tasks)
        try:
            async with asyncio.timeout(self._settings.close_seconds):
                await self._connection.close()
        except TROUBLE:
            self._connection.transport = None


class Delivery091:
    """adapters.amqp.line.Delivery."""

    def __init__(self, queue: str, message: AbstractIncomingMessage) -> None:
        self._message = message
        self.headers, self.body = wire.from_delivered(_delivered(queue, message))

    async def done(self) -> None:
        """An ack on a dead channel is lost without a word, and the message comes again (§4.5)."""
        try:
            await self._message.ack()
        except TROUBLE:
            return


def _delivered(queue: str, message: AbstractIncomingMessage) -> Delivered:
    own = message.properties  # raw: expiration as it was written, and headers as they came
    return Delivered(
        body=message.body,
        headers=message.headers,
        message_id=message.message_id,
        correlation_id=message.correlation_id,
        reply_to=message.reply_to,
        content_type=message.content_type,
        expiration=own.expiration,
        type=message.type,
        queue=queue,
        exchange=message.exchange or "",
        routing_key=message.routing_key or "",
        redelivered=bool(message.redelivered),
    )


def _message(headers: Mapping[str, str], body: bytes) -> aio_pika.Message:
    made = wire.to_publishing(headers, body)
    table: HeadersType = dict(made.headers)
    return aio_pika.Message(
        made.body,
        headers=table,
        message_id=made.message_id,
        correlation_id=made.correlation_id,
        reply_to=made.reply_to,
        content_type=made.content_type,
        expiration=made.expiration / 1000 if made.expiration is not None else None,
        delivery_mode=made.delivery_mode,
    )


def tolerant() -> None:
    """Lets the library read a short string that is no UTF-8, as RabbitMQ makes of an AMQP 1.0 uuid (§1.4, POISON).

    Without this it drops the whole connection, the message comes again with the next one, and so for ever.
    """
    pamqp.decode.METHODS["shortstr"] = _short_string


def _short_string(value: bytes) -> tuple[int, str]:
    length = value[0]
    raw = bytes(value[1 : length + 1])
    try:
        return length + 1, raw.decode("utf-8")
    except UnicodeDecodeError:
        return length + 1, _odd(raw)


def _odd(raw: bytes) -> str:
    """Sixteen bytes are a uuid, written as RabbitMQ 4 writes it; all else byte for byte."""
    return f"urn:uuid:{UUID(bytes=raw)}" if len(raw) == 16 else raw.decode("latin-1")


#: What lies behind the library's own error, and what that means to a person.
_BEHIND: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "its name is not known"),
    (ConnectionRefusedError, "nobody listens there"),
    (ssl.SSLError, "TLS does not come about"),
    (TimeoutError, "no answer in time"),
    (EOFError, "the line was closed while it was being opened"),
    (ConnectionResetError, "the line was cut while it was being opened"),
    (BrokenPipeError, "the line was cut while it was being opened"),
)


def _unreached(error: BaseException) -> str:
    """Why there is no connection; the library wraps what the network and TLS say.

    A line that is reset while we log in makes a circle of causes: the library raises its error from the reset, and the
    reset again, while it handles that error, where it waits for the line to be closed.
    """
    found = tuple(causes(error))
    for link in found:
        if isinstance(link, ssl.SSLCertVerificationError):
            return f"its certificate does not hold: {link.verify_message.rstrip('.')}"
    for link in found:
        for kind, words in _BEHIND:
            if isinstance(link, kind):
                return f"no connection: {words} ({type(link).__name__})"
    return f"no connection ({type(error).__name__})"


def _password(settings: AmqpSettings) -> str:
    return settings.password_file.read_text("utf-8").strip() if settings.password_file else ""


def _context(settings: AmqpSettings) -> ssl.SSLContext | None:
    if not settings.secure:
        return None
    context = ssl.create_default_context(cafile=settings.ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # §0.2
    return context


def _plain(error: BaseException) -> str:
    """What happened: the broker's words, which are about entities of its own, else the kind of error."""
    said = next((part for part in reversed(error.args) if isinstance(part, str)), "")
    return said[:200] if isinstance(error, AMQPError) and said else type(error).__name__
