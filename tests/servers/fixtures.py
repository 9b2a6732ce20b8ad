"""The servers that tests may ask for."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ops.servers.postgres import PostgresServer, shared_url
from ops.servers.rabbitmq import NAMED, Broker


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


@pytest.fixture
def amqp_url(request: pytest.FixtureRequest) -> str:
    """A RabbitMQ that runs: SAMHUB_TEST_AMQP_URL, else the private one. Take queue names of your own."""
    given = os.environ.get(NAMED, "")
    if given:
        return given
    broker: Broker = request.getfixturevalue("own_broker")
    return broker.url


@pytest.fixture(scope="session")
def postgres_url() -> str:
    """A server that tests share; each makes a schema of its own in it."""
    return shared_url()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server that one test may stop, kill and start as it likes; durable as in production."""
    server = PostgresServer(durable=True).start()
    yield server
    server.close()
