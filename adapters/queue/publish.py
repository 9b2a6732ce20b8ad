"""Publishing into the queues of record systems, with a clear outcome.

Two connections serve the door, for a broker that is short of memory stops reading from those that publish: what is
consumed and acknowledged must not stand behind it.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from weakref import WeakValueDictionary

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import DeliveryError, PublishError
from aiormq.exceptions import ChannelAccessRefused

from adapters.broker.link import TROUBLE, Link, plain
from adapters.queue.settings import QueueSettings
from adapters.queue.wire import Written
from hub.message import Outcome, Reached

#: How long a broker that says that it blocks us is given before an attempt ends; it says so for as long as it does.
BLOCKED_SECONDS = 0.2
#: AMQP short strings: message_id, correlation_id.
SHORT = 255


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
        except asyncio.CancelledError:
            if _is_stopped():
                raise
            return Outcome(Reached.MAYBE, "connection-lost", "no confirm from the broker: the connection was closed")
        return Outcome(Reached.YES, "fetched", f"published to queue {queue}, confirmed by the broker")


def _is_stopped() -> bool:
    """Whether it is us who shall stop: the library also says so to who waits on a connection that is closed."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


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
