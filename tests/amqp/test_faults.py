"""Whatever happens to the broker, to the line or to a message: each document comes once, and nothing stays behind."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aio_pika
import pytest

from ops.partner.aside import eventually
from ops.samples.make import Sample
from ops.servers.rabbitmq import Broker
from tests.amqp.conftest import DOCTOR, EVERYBODY, PARTNER, MakeHub
from tests.amqp.dotnet import DotNet
from tests.amqp.stage import EXCHANGE, furnish, lying, quiet
from tests.amqp.test_journeys import MakeParty, MakeSample, posted

COUNT = 20


@pytest.fixture
def broker(own_broker: Broker) -> Broker:
    """One that may be stopped and killed."""
    furnish(own_broker, EVERYBODY)
    return own_broker


@pytest.fixture
def sample(samhub_samples: Callable[..., Sample]) -> MakeSample:
    """A document from the partner to the doctor, or back."""

    def make_one(kind: str = "dialog-helsefaglig", *, back: bool = False) -> Sample:
        ends = {"sender": DOCTOR, "receiver": PARTNER} if back else {"sender": PARTNER, "receiver": DOCTOR}
        return samhub_samples(kind, **ends)

    return make_one


def stop_and_start(broker: Broker) -> None:
    """In an orderly way."""
    broker.restart()


def power_failure(broker: Broker) -> None:
    """Killed, and there again; its queues are no news to it, as on a bus that has run for a while."""
    broker.settle()
    broker.kill()
    broker.start()


def cut_lines(broker: Broker) -> None:
    """Every connection, twice."""
    for _ in range(2):
        broker.cut()


def choke(broker: Broker) -> None:
    """The memory alarm, longer than we wait for a confirm."""
    broker.alarm(True)
    time.sleep(3)
    broker.alarm(False)


FAULTS = {f.__name__: f for f in (stop_and_start, power_failure, cut_lines, choke)}


@pytest.mark.parametrize("fault", FAULTS)
def test_through_it_all_each_document_comes_and_goes_once(
    on_bus: MakeHub, dotnet: MakeParty, sample: MakeSample, broker: Broker, fault: str
):
    """Both try again under the same message-id; acks and confirms may be lost, and come to nothing (§4.5)."""
    hub, party = on_bus(amqp={"answer_seconds": 2}), dotnet()
    party.stubborn = True
    doctor, taken = hub.epj(DOCTOR.her_id), list[bytes]()
    theirs, ours = ([sample(back=back) for _ in range(COUNT)] for back in (False, True))
    aside = ThreadPoolExecutor(1)
    for number in range(COUNT):
        if number == COUNT // 3:
            trouble = aside.submit(FAULTS[fault], broker)
        doctor.send(ours[number])
        posted(party, hub, theirs[number].document)
        taken += [h.document for h in doctor.take()]
    trouble.result()

    eventually(lambda: taken.extend(h.document for h in doctor.take()) or len(taken) >= COUNT, 60)
    assert Counter(taken) == Counter(one.document for one in theirs)
    eventually(lambda: (hub.count("acknowledged"), hub.count("done")) == (COUNT, 2 * COUNT), 60)
    about = {"APPREC": Counter[str](), "DIALOG_HELSEFAGLIG": Counter[str]()}
    for function, named, _ in received(party):
        about[function][named] += 1
    assert about["APPREC"] == Counter(one.msg_id for one in theirs)
    assert about["DIALOG_HELSEFAGLIG"] == Counter(one.msg_id for one in ours)
    quiet(broker, 30)


def received(party: DotNet) -> set[tuple[str, str, str]]:
    """Function, MsgId that it is about, and message-id of all that lies there; what came twice is the same message."""
    found: dict[str, tuple[str, bytes]] = {}
    about = set()
    while (message := party.receive(seconds=1)) is not None:
        same = (message.subject, message.body)
        assert found.setdefault(str(message.id), same) == same, "other bytes under the same id"
        named = "X-MessageInfo-OriginalMsgId" if message.subject == "APPREC" else "X-MessageInfo-MsgId"
        about.add((message.subject, message.properties[named], str(message.id)))
    return about


# --- messages that nobody can read


async def raw(broker: Broker, body: bytes, queue: str = "8000201_async", **more: Any) -> None:
    """A message by 0.9.1, as it is."""
    connection = await aio_pika.connect(broker.url)
    async with connection:
        channel = await connection.channel()
        await channel.default_exchange.publish(aio_pika.Message(body, **more), queue, timeout=5)


async def test_what_nobody_can_read_holds_nobody_up(
    on_bus: MakeHub, dotnet: MakeParty, sample: MakeSample, broker: Broker
):
    """§1.4, POISON: garbage in body or headers, ids of type uuid, an empty message: kept, settled, and the next is taken."""
    hub, party = on_bus(), dotnet()
    await raw(broker, b"")
    await raw(broker, b"\x00\xff" * 1000)
    await raw(broker, b"x", headers={"fromHerId": "8009002", "toHerId": "8000202"}, message_id="å" * 100)
    odd = party.sealed(sample().document, hub.pki.folder / "legesenter" / "encrypt.cert.pem")
    party.send("8000201_async", odd, DOCTOR.her_id, "DIALOG_HELSEFAGLIG", id_type="uuid")
    text = sample().document
    party.send("8000201_async", text, DOCTOR.her_id, "DIALOG_HELSEFAGLIG", value=True)
    posted(party, hub, sample().document)

    doctor, taken = hub.epj(DOCTOR.her_id), list[bytes]()
    eventually(lambda: taken.extend(h.document for h in doctor.take()) or len(taken) == 2, 20)
    eventually(lambda: hub.count("arrival:quarantined") + hub.count("arrival:refused") == 4, 20)
    while party.receive(seconds=1) or party.receive("error", seconds=1):
        pass
    assert hub.count("arrival:quarantined") >= 2
    quiet(broker)


async def test_sections_that_are_no_amqp_are_kept_and_settled_too(
    on_bus: MakeHub, dotnet: MakeParty, sample: MakeSample, broker: Broker, way: str
):
    """A 0.9.1 sender may write anything into the headers that hold them."""
    if way == "1.0":  # the broker itself cannot give such a message to an AMQP 1.0 client
        return
    hub, party = on_bus(), dotnet()
    for garbage in (bytearray(b"\x00\x53\x73\xc0\xff"), bytearray(b"\xff" * 300), "text"):
        headers = {"x-amqp-1.0-properties": garbage, "x-amqp-1.0-app-properties": garbage}
        await raw(broker, b"x", headers=headers)
    posted(party, hub, sample().document)

    assert hub.epj(DOCTOR.her_id).take_one(20).document
    eventually(lambda: hub.count("arrival:quarantined") == 3)
    party.must()
    quiet(broker)


def test_what_is_larger_than_is_taken_is_told_and_its_beginning_kept(
    on_bus: MakeHub, dotnet: MakeParty, sample: MakeSample, broker: Broker
):
    """§4.6: the limit is a setting; what is within comes through whole."""
    hub, party = on_bus(hub={"max_message_bytes": 1_000_000}), dotnet()
    party.send("8000201_async", b"\x30" * 3_000_000, DOCTOR.her_id, "DIALOG_HELSEFAGLIG")
    assert party.must("error").properties["errorCondition"] == "transport:unsupported-message"

    posted(party, hub, sample().document)
    assert hub.epj(DOCTOR.her_id).take_one().document
    party.must()
    quiet(broker)


# --- when we cannot take


def test_while_nothing_can_be_kept_nothing_is_settled(
    on_bus: MakeHub, dotnet: MakeParty, sample: MakeSample, broker: Broker
):
    """No more than our credit is in our hands, and no message uses up its deliveries."""
    hub, party = on_bus(store={"min_free_bytes": 10**18}, amqp={"credit": 4}), dotnet()
    sent = [sample().document for _ in range(6)]
    for document in sent:
        posted(party, hub, document)
    eventually(lambda: lying(broker).get("8000201_async") == (2, 4))

    hub.stop()
    hub.start(store={"min_free_bytes": 0})
    doctor, taken = hub.epj(DOCTOR.her_id), list[bytes]()
    eventually(lambda: taken.extend(h.document for h in doctor.take()) or len(taken) == 6, 20)
    assert Counter(taken) == Counter(sent)
    for _ in sent:
        party.must()
    quiet(broker)


def test_a_queue_that_is_missing_is_told_and_looked_for_again(
    on_bus: MakeHub, dotnet: MakeParty, sample: MakeSample, broker: Broker, capsys: pytest.CaptureFixture[str]
):
    """We never make it ourselves (§0.15); what can be sent is sent meanwhile."""
    broker.manage("DELETE", "queues/%2F/8000201_sync")
    hub, party = on_bus(), dotnet()
    eventually(lambda: "8000201_sync" in capsys.readouterr().out, 20)
    message_id = hub.epj(DOCTOR.her_id).send(sample(back=True))
    time.sleep(1)
    assert hub.delivery(message_id).state in ("waiting", "sent", "acknowledged")

    broker.manage("PUT", "queues/%2F/8000201_sync", {"durable": True})
    hub.until(message_id, "acknowledged", seconds=30)
    posted(party, hub, sample().document)
    assert hub.epj(DOCTOR.her_id).take_one(30).document


def test_a_queue_that_is_deleted_while_it_is_read_is_read_again_when_it_is_back(
    on_bus: MakeHub, dotnet: MakeParty, sample: MakeSample, broker: Broker
):
    """Who runs the bus makes it anew; no connection breaks by that, and nobody has to start the hub again."""
    hub, party, one, other = on_bus(), dotnet(), sample().document, sample().document
    doctor = hub.epj(DOCTOR.her_id)
    posted(party, hub, one)
    assert doctor.take_one(30).document == one

    broker.manage("DELETE", "queues/%2F/8000201_async")
    broker.manage("PUT", "queues/%2F/8000201_async", {"durable": True})
    broker.manage("POST", f"bindings/%2F/e/{EXCHANGE}/q/8000201_async", {"routing_key": "8000201_async"})

    posted(party, hub, other)
    assert doctor.take_one(60).document == other


def test_a_partner_without_a_queue_is_a_failure_not_a_silence(on_bus: MakeHub, sample: MakeSample, broker: Broker, way):
    """§1.2: a 0.9.1 publisher is told; RabbitMQ 3.10 tells an AMQP 1.0 one that it took what nobody will get."""
    broker.manage("DELETE", "queues/%2F/8009001_async")
    hub = on_bus()
    message_id = hub.epj(DOCTOR.her_id).send(sample(back=True))

    if way == "0.9.1":
        assert hub.until(message_id, "dead").code == "bus-unroutable"
    else:  # nothing is green all the same: its AppRec will be missed
        assert hub.until(message_id, "acknowledged").apprec_due_at is not None
