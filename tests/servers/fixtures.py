"""The servers that tests may ask for: one PostgreSQL and one RabbitMQ for a whole run, and private ones to be killed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from uuid import uuid4

import pytest

from ops.servers import keeper
from ops.servers.postgres import PostgresServer, shared_url
from ops.servers.rabbitmq import NAMED, Broker, VirtualHost


@pytest.fixture(scope="session")
def shared_broker() -> VirtualHost:
    """The virtual host "/" of the run's one broker, which goes on running: take names of your own, or a `vhost`.

    For what needs "/", such as queues of the national bus; those have fixed names, so only one such test runs at a time
    (tests/support/order.py).
    """
    return VirtualHost(**keeper.lent("rabbitmq"))


@pytest.fixture
def vhost(shared_broker: VirtualHost) -> Iterator[VirtualHost]:
    """A virtual host of this test's own on the run's one broker."""
    room = shared_broker.room(f"test-{uuid4()}")
    yield room
    room.drop()


@pytest.fixture
def amqp_url(request: pytest.FixtureRequest) -> str:
    """A RabbitMQ that runs: SAMHUB_TEST_AMQP_URL, else a virtual host of this test's own. Take queue names of your own."""
    given = os.environ.get(NAMED, "")
    if given:
        return given
    room: VirtualHost = request.getfixturevalue("vhost")
    return room.url


@pytest.fixture(scope="session")
def private_broker() -> Iterator[Broker]:
    """One private broker for all tests of this process; ask for `own_broker`, which gives it whole."""
    broker = Broker()
    try:
        yield broker.start()
    finally:
        broker.close()


@pytest.fixture
def own_broker(private_broker: Broker) -> Broker:
    """A private broker that a test may stop, kill, choke and cut: nobody else's test runs on it meanwhile.

    Queues of earlier tests are still there: take a virtual host or names of your own.
    """
    return private_broker.whole()


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """A server that tests share; each makes a database of its own in it."""
    return shared_url()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server that one test may stop, kill and start as it likes; durable as in production."""
    server = PostgresServer(durable=True).start()
    yield server
    server.close()
