"""The line to the broker: protected as it must be, told when it is not there, watched while it is (nhn-amqp.md §0.2, §1.5, §9)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from pydantic import ValidationError

import adapters.amqp
from adapters.amqp.settings import AmqpSettings
from hub.errors import ConfigurationError
from ops.bus import way as chosen
from ops.demo.stage import free_ports
from ops.partner.aside import eventually
from ops.servers.rabbitmq import Broker, VirtualHost
from tests.amqp.conftest import DOCTOR, OTHER, PARTNER, MakeHub
from tests.amqp.stage import EXCHANGE, PASSWORD, USER, furnish
from tests.mail.servers import Authority

TLS = """\
listeners.ssl.1 = 127.0.0.1:{port}
ssl_options.cacertfile = {ca}
ssl_options.certfile = {certificate}
ssl_options.keyfile = {key}
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """That of the broker."""
    return Authority.made(tmp_path_factory.mktemp("ca"), "broker-ca")


@pytest.fixture(scope="module")
def protected(authority: Authority) -> Iterator[tuple[Broker, int]]:
    """A broker that speaks TLS, and its port."""
    certificate, key = authority.issue("localhost")
    (port,) = free_ports(1)
    broker = Broker(TLS.format(port=port, ca=authority.file, certificate=certificate, key=key))
    try:
        broker.start()
        furnish(broker, [m.organisation_her_id for m in (DOCTOR, PARTNER, OTHER)])
        yield broker, port
    finally:
        broker.close()


@pytest.fixture
def over_tls(bus_hub: MakeHub, protected: tuple[Broker, int], way: str, tmp_path: Path) -> Callable[..., Any]:
    """A hub that is told a host name and authorities, with a document that waits to go out."""
    (tmp_path / "password").write_text(PASSWORD)

    def make(samples: Any, host: str, ca: Path, user: str = USER) -> tuple[Any, str]:
        settings = {
            "url": f"amqps://{host}:{protected[1]}/{EXCHANGE}",
            "way": way,
            "username": user,
            "password_file": str(tmp_path / "password"),
            "ca_file": str(ca),
            "wait_seconds": 0.2,
        }
        hub = bus_hub(amqp=settings)
        return hub, hub.epj(DOCTOR.her_id).send(samples("dialog-helsefaglig", sender=DOCTOR, receiver=PARTNER))

    return make


def test_it_is_protected_by_tls_and_the_brokers_certificate_is_asked_for(over_tls, authority, samhub_samples):
    """§0.1, §1.1: TLS, a name and a password."""
    hub, message_id = over_tls(samhub_samples, "localhost", authority.file)
    assert hub.until(message_id, "acknowledged").code == "bus-taken"


@pytest.mark.parametrize("wrong", ["authority", "name", "login"])
def test_a_broker_that_is_not_the_one_gets_nothing(over_tls, authority, samhub_samples, tmp_path, wrong, capsys):
    """Neither password nor message; what is wrong is told, and the message waits."""
    other = Authority.made(tmp_path / "other", "other-ca")
    host = "127.0.0.1" if wrong == "name" else "localhost"
    ca = other.file if wrong == "authority" else authority.file
    hub, message_id = over_tls(samhub_samples, host, ca, "nobody" if wrong == "login" else USER)
    told: list[str] = []
    said = "login" if wrong == "login" else "certificate"
    eventually(lambda: told.append(capsys.readouterr().out) or said in "".join(told), 20)

    assert hub.delivery(message_id).state == "waiting"
    assert PASSWORD not in "".join(told)


async def test_what_has_died_in_a_queue_of_ours_is_counted(on_bus: MakeHub, broker: VirtualHost, way: str):
    """§9: the own dead letter queue is watched; AMQP 1.0 has no word for how much lies in a queue."""
    connection = await aio_pika.connect(broker.url)
    async with connection:
        channel = await connection.channel()
        for _ in range(3):
            await channel.default_exchange.publish(aio_pika.Message(b"x"), "8000201_dl")
    hub = on_bus()

    wanted = 'samhub_bus_dead_letters{queue="8000201_dl"} 3.0'
    if way == "0.9.1":
        eventually(lambda: wanted in hub.get("/metrics")[1])
    assert (wanted in hub.get("/metrics")[1]) == (way == "0.9.1")


@pytest.mark.parametrize("url", ["sb.nhn.no/NHNTESTServiceBus", "https://sb.nhn.no", "amqps://me:secret@sb.nhn.no/X"])
def test_an_address_that_cannot_be_meant_is_told(url: str):
    """A password belongs into a file."""
    with pytest.raises(ValidationError):
        AmqpSettings(url=url)


def test_the_parts_of_the_address_are_those_of_the_wire():
    """§1.1: ports, and everything behind the first slash but slashes at its end."""
    found = AmqpSettings(url="amqps://tb.test.nhn.no/NHNTESTServiceBus/")
    assert (found.host, found.port, found.exchange, found.secure) == ("tb.test.nhn.no", 5671, "NHNTESTServiceBus", True)
    assert AmqpSettings(url="amqp://localhost").port == 5672


def test_amqp_1_0_without_its_client_is_told_in_so_many_words(monkeypatch: pytest.MonkeyPatch):
    """The client is compiled, and so an extra."""
    monkeypatch.delitem(sys.modules, "adapters.amqp.way10", raising=False)
    monkeypatch.delattr(adapters.amqp, "way10", raising=False)
    monkeypatch.setitem(sys.modules, "proton", None)
    with pytest.raises(ConfigurationError, match="amqp10"):
        chosen(AmqpSettings(url="amqps://localhost/X", way="1.0"))
