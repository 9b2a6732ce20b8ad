"""How the hub comes to its broker: over TLS that holds, with a password that nobody reads elsewhere."""

from __future__ import annotations

import logging

import pytest
from pydantic import ValidationError

from adapters.queue.settings import QueueSettings
from adapters.register.file import read
from hub.errors import ConfigurationError
from ops.demo.stage import free_ports
from ops.partner.aside import eventually
from ops.servers.rabbitmq import Broker
from tests.mail.servers import Authority
from tests.queue.conftest import DOCTOR
from tests.support.logins import queue_section

TLS = """\
listeners.ssl.1 = 127.0.0.1:{port}
ssl_options.cacertfile = {ca}
ssl_options.certfile = {certificate}
ssl_options.keyfile = {key}
"""


@pytest.fixture(scope="module")
def protected(tmp_path_factory):
    """The address of a broker with TLS, and the file of the authority that its certificate is from."""
    authority = Authority.made(tmp_path_factory.mktemp("tls"), "broker")
    certificate, key = authority.issue("127.0.0.1")
    (port,) = free_ports(1)
    broker = Broker(TLS.format(port=port, ca=authority.file, certificate=certificate, key=key))
    try:
        broker.start()
        yield f"amqps://guest:guest@127.0.0.1:{port}/", broker.url, authority.file
    finally:
        broker.close()


def test_over_tls_with_the_authority_that_is_named(protected, make_office, samhub_samples):
    """Both connections of the hub; the record system here goes without."""
    url, clear, authority = protected
    office = make_office(url, queue={"ca_file": str(authority)}, system_url=clear)

    office.hub.until(office.accepted(samhub_samples(sender=DOCTOR, receiver=office.partner).document), "done")


def test_nothing_is_published_to_a_broker_whose_certificate_does_not_hold(protected, make_office, samhub_samples):
    """The system's authorities do not know it: said so, and the document waits."""
    url, clear, _ = protected
    office = make_office(url, system_url=clear, consumes=False)

    sent = office.partner.send(samhub_samples("epikrise", sender=office.partner, receiver=DOCTOR))

    eventually(lambda: office.hub.delivery(sent.message_id).code == "broker-unreachable", 20)
    assert "certificate verify failed" in office.hub.delivery(sent.message_id).because.lower()


def test_a_password_that_is_wrong_is_said_without_it(
    make_office, amqp_url, samhub_samples, tmp_path, told, capfd, caplog
):
    """The document waits; neither the log of the hub nor that of the library says the password."""
    caplog.set_level(logging.DEBUG)
    office = make_office(amqp_url)
    (file,) = tmp_path.glob("password-*")
    file.write_text("feil-hemmelighet\n")
    office.hub.restart()
    sent = office.partner.send(samhub_samples("epikrise", sender=office.partner, receiver=DOCTOR))

    eventually(lambda: office.hub.delivery(sent.message_id).code == "broker-unreachable", 20)

    printed = "".join(capfd.readouterr())
    assert "broker-unreachable" in [entry["event"] for entry in told]
    said = f"{told}{printed}{caplog.text}{office.hub.delivery(sent.message_id).because}"
    assert "feil-hemmelighet" not in said
    file.write_text("guest\n")  # read anew at every try
    office.hub.until(sent.message_id, "done", seconds=20)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"url": "http://rabbit"}, "must be amqp"),
        ({"url": "amqp://samhub:hemmelig@rabbit/"}, "must not hold a login"),
        ({"url": "amqp://rabbit/"}, "password_file is missing"),
    ],
)
def test_a_setting_that_cannot_be_is_said(given, wanted):
    """And a login in the address is not repeated by `config show`."""
    with pytest.raises(ValidationError, match=wanted) as found:
        QueueSettings(**given)
    assert all("hemmelig" not in e["msg"] for e in found.value.errors(include_input=False))


def test_a_record_system_by_queue_without_a_broker_is_a_mistake(samhub_hub, tmp_path):
    """Told by `samhub config check`, with the other mistakes."""
    with pytest.raises(ConfigurationError, match=r"legesenter: channel is queue, but queue\.url is empty"):
        samhub_hub([], local=[DOCTOR], queue_systems={DOCTOR.system: "samhub.x"})


def test_a_password_file_that_is_not_there_is_a_mistake(samhub_hub, tmp_path):
    """Before the first document needs it."""
    section = queue_section("amqp://127.0.0.1:1/", tmp_path, password_file=str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="none: no such file"):
        samhub_hub([], local=[DOCTOR], queue_systems={DOCTOR.system: "samhub.x"}, settings={"queue": section})


def test_two_record_systems_at_one_queue_are_a_mistake(tmp_path):
    """Each would get the other's documents."""
    rows = '[[system]]\nid = "{0}"\nher_ids = ["{1}"]\nchannel = "queue"\nfrom_hub = "one"\n'
    (tmp_path / "parties.toml").write_text(rows.format("a", "1") + rows.format("b", "2"))
    with pytest.raises(ConfigurationError, match="system b: queue one is used by a already"):
        read(tmp_path / "parties.toml")
