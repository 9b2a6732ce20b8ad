"""A connection to the broker that is opened again whenever it is lost, and publishing over it with a clear outcome.

Two connections serve the door, for a broker that is short of memory stops reading from those that publish: what is
consumed and acknowledged must not stand behind it. None of aio-pika's robust objects are used: they restore all that was
ever declared or nothing, so that one queue that is gone would keep every record system's away.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from weakref import WeakValueDictionary

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, DeliveryError, PublishError
from aiormq.exceptions import ChannelAccessRefused
from pamqp.common import FieldTable
from yarl import URL

from adapters.queue.settings import QueueSettings
from adapters.queue.wire import Written
from hub.message import Outcome, Reached

#: What a broker, a socket or a closed channel may raise; anything else is a mistake of ours.
TROUBLE = (*CONNECTION_EXCEPTIONS, TimeoutError)
#: A word about the broker for people: what, and in plain words why.
Told = Callable[[str, str], None]
#: How long a broker that says that it blocks us is given before an attempt ends; it says so for as long as it does.
BLOCKED_SECONDS = 0.2
#: AMQP short strings: message_id, correlation_id.
SHORT = 255


class Link:
    """One connection, kept from the first time it is asked for until `close`."""

    def __init__(self, settings: QueueSettings, name: str, told: Told) -> None:
        """`name` is what the broker's operator sees; `told` hears of loss and return, not of every try."""
        self._settings, self._name, self._told = settings, name, told
        self._connection: AbstractConnection | None = None
        self._open = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.why = "not tried yet"  #: it is not open

    async def opened(self, within: float | None = None) -> AbstractConnection | None:
        """The open connection, waited for; None when it is not there in time."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep())
        try:
            async with asyncio.timeout(within):
                await self._open.wait()
        except TimeoutError:
            return None
        return self._connection

    async def close(self) -> None:
        """For good."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        tries = 0
        while True:
            try:
                connection = await self._connected()
            except Exception as error:  # also what nobody foresaw: the link is tried for as long as the hub runs
                self.why = plain(error)
                tries += 1
                if tries == 1:
                    self._told("broker-unreachable", self.why)
                await asyncio.sleep(min(0.1 * 2 ** min(tries, 10), self._settings.reconnect_seconds))
                continue
            if tries:
                self._told("broker-reached", self._name)
            tries = 0
            await self._until_lost(connection)

    async def _until_lost(self, connection: AbstractConnection) -> None:
        lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def gone(_: object, error: BaseException | None = None) -> None:
            if not lost.done():
                lost.set_result(plain(error) if error is not None else "closed")

        connection.close_callbacks.add(gone)
        self._connection = connection
        self._open.set()
        try:
            self.why = await lost
            self._told("broker-lost", self.why)
        finally:
            self._open.clear()
            self._connection = None
            await asyncio.gather(_closed(connection, self._settings.connect_seconds), return_exceptions=True)

    async def _connected(self) -> AbstractConnection:
        s = self._settings
        password = s.password_file.read_text("utf-8").strip() if s.password_file else ""
        url = URL(s.url).with_user(s.username).with_password(password).update_query(heartbeat=str(s.heartbeat_seconds))
        context = None
        if url.scheme == "amqps":
            context = await asyncio.to_thread(ssl.create_default_context, cafile=s.ca_file)
        names: FieldTable = {"connection_name": f"samhub {self._name}"}
        connection = aio_pika.Connection(url, ssl_context=context, client_properties=names)
        try:
            async with asyncio.timeout(s.connect_seconds):
                await connection.connect()
        except BaseException:  # else it closes itself when it is collected, on whatever loop there is then
            await connection.close()
            raise
        return connection


async def _closed(connection: AbstractConnection, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        await connection.close()


class Publisher:
    """Publishes durably: confirmed by the broker, or a clear word about why not and how far it came."""

    def __init__(self, settings: QueueSettings, link: Link) -> None:
        self._settings, self._link = settings, link
        self._channels: dict[str, AbstractChannel] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def publish(self, queue: str, written: Written) -> Outcome:
        """One attempt; never raises for what the broker does.

        One message_id of a queue is under way at a time: a returned message is known by its message_id alone, and would
        else be taken for its twin, whose confirm would then pass for its own.
        """
        lock = self._locks.setdefault(f"{queue} {written.message_id}", asyncio.Lock())
        async with lock:
            connection = await self._link.opened(self._settings.connect_seconds)
            if connection is None or connection.transport is None:
                return Outcome(Reached.NO, "broker-unreachable", self._link.why)
            try:
                async with asyncio.timeout(BLOCKED_SECONDS):
                    await connection.transport.ready()
            except TimeoutError:
                return Outcome(Reached.NO, "broker-blocked", "the broker says that it takes nothing now")
            try:
                channel = await self._channel(connection, queue)
            except TROUBLE as error:
                return Outcome(Reached.NO, "broker-unreachable", plain(error))
            return await self._published(channel, queue, written)

    async def _channel(self, connection: AbstractConnection, queue: str) -> AbstractChannel:
        """One for each queue: what closes it for one record system closes it for no other."""
        found = self._channels.get(queue)
        if found is None or found.is_closed:
            async with asyncio.timeout(self._settings.connect_seconds):
                found = await connection.channel(publisher_confirms=True, on_return_raises=True)
            self._channels[queue] = found
        return found

    async def _published(self, channel: AbstractChannel, queue: str, written: Written) -> Outcome:
        """Once the bytes may have left, only the broker's own word makes it sure that they did not arrive."""
        seconds = self._settings.confirm_seconds
        try:
            await channel.default_exchange.publish(_message(written), queue, mandatory=True, timeout=seconds)
        except PublishError:
            return Outcome(Reached.NO, "queue-missing", f"the broker has no queue {queue}")
        except DeliveryError:
            return Outcome(Reached.NO, "queue-refused", f"the broker did not keep it in queue {queue} (nack)")
        except ChannelAccessRefused as error:
            return Outcome(Reached.NO, "queue-forbidden", plain(error))
        except TimeoutError:
            return Outcome(Reached.MAYBE, "timed-out", f"no confirm from the broker within {seconds:g} s")
        except TROUBLE as error:
            return Outcome(Reached.MAYBE, "connection-lost", f"no confirm from the broker: {plain(error)}")
        return Outcome(Reached.YES, "fetched", f"published to queue {queue}, confirmed by the broker")


def _message(written: Written) -> aio_pika.Message:
    return aio_pika.Message(
        written.body,
        headers=dict(written.headers),
        content_type=written.content_type,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=written.message_id,
        correlation_id=written.correlation_id if len(written.correlation_id.encode()) <= SHORT else None,
        timestamp=datetime.now(UTC),
        type=written.type,
        app_id="samhub",
    )


def plain(error: BaseException) -> str:
    """What went wrong in one line; the broker names queues and users, never what was published."""
    text = " ".join(str(error).split()) or "without a reason"
    return f"{type(error).__name__}: {text[:200]}"
