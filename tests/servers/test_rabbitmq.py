"""The private RabbitMQ of the tests does what tests need to make of it."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import aio_pika
import pytest
from aio_pika import DeliveryMode, Message

from ops.servers.rabbitmq import Broker, Depth


async def put(url: str, queue: str, count: int = 1, seconds: float = 5) -> None:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        await channel.declare_queue(queue, durable=True)
        for _ in range(count):
            message = Message(b"...", delivery_mode=DeliveryMode.PERSISTENT)
            await channel.default_exchange.publish(message, queue, timeout=seconds)


async def take(url: str, queue: str) -> bytes | None:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        declared = await channel.declare_queue(queue, durable=True)
        found = await declared.get(fail=False, no_ack=True)
        return found.body if found is not None else None


@pytest.fixture
def queue() -> str:
    """A name that no other test uses."""
    return f"test.{uuid4()}"


async def test_what_is_put_there_is_taken_out(amqp_url: str, queue: str) -> None:
    """Whichever broker it is."""
    await put(amqp_url, queue)

    assert await take(amqp_url, queue) == b"..."


async def test_what_is_durable_outlives_a_restart_and_a_kill(own_broker: Broker, queue: str) -> None:
    """The same ports, the same queues."""
    await put(own_broker.url, queue, 2)

    own_broker.restart()
    own_broker.kill()
    own_broker.start()

    assert own_broker.depth(queue) == Depth(2, 0)
    assert await take(own_broker.url, queue) == b"..."


async def test_an_alarm_blocks_who_publishes_until_it_is_off(own_broker: Broker, queue: str) -> None:
    """No confirm in time; afterwards as before."""
    own_broker.alarm(True)
    with pytest.raises(TimeoutError):
        await put(own_broker.url, queue, seconds=0.5)
    own_broker.alarm(False)

    await put(own_broker.url, queue)


async def test_connections_are_cut(own_broker: Broker, queue: str) -> None:
    """Every one that is open."""
    connection = await aio_pika.connect(own_broker.url)
    cut = asyncio.Event()
    connection.close_callbacks.add(lambda *_: cut.set())

    own_broker.cut()

    await asyncio.wait_for(cut.wait(), 5)


async def test_a_vhost_and_a_user_of_their_own(own_broker: Broker, queue: str) -> None:
    """A user that may read only is told so."""
    url = own_broker.add_vhost(f"v{queue}")
    await put(url, queue)
    reader = own_broker.add_user(f"u{queue}", "hemmelig&/:", f"v{queue}", configure="", write="")
    connection = await aio_pika.connect(reader)
    async with connection:
        channel = await connection.channel()
        with pytest.raises(aio_pika.exceptions.ChannelClosed):
            await channel.default_exchange.publish(Message(b""), queue)

    assert own_broker.depth(queue, f"v{queue}").ready == 1


def test_its_data_lie_in_its_own_folder(own_broker: Broker) -> None:
    """Under a node name of its own, which no other broker of this machine has."""
    assert [f.name for f in (own_broker.folder / "mnesia").glob("*@localhost")] == [
        f"samhub{own_broker.port}@localhost"
    ]
