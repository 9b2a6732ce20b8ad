"""Whatever becomes of the broker, nothing is lost, and each message comes once by its message_id."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from uuid import uuid4

import aio_pika
import pytest

from hub import submission
from ops.partner.aside import eventually
from tests.queue.conftest import DOCTOR, PHYSIO
from tests.support.queue_system import QueueSystem

LOAD = 60  #: documents each way while the broker goes and comes


@pytest.fixture
def office(make_office, own_broker):
    """An office on a broker that the test may do anything to."""
    return make_office(own_broker.url)


class Load:
    """Documents both ways, handed over and sent from threads of their own while the test disturbs the broker."""

    def __init__(self, office, samples):
        self.office = office
        self.out = [samples(sender=DOCTOR, receiver=office.partner) for _ in range(LOAD)]
        self.into = [samples("epikrise", sender=office.partner, receiver=DOCTOR) for _ in range(LOAD)]
        self.published = []
        self.threads = [threading.Thread(target=self._publish), threading.Thread(target=self._send)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        eventually(lambda: len(self.published) > LOAD // 6, 30, "the load to begin")
        return self

    def __exit__(self, *_):
        for thread in self.threads:
            thread.join(120)

    def _publish(self):
        for document in self.out:
            self.published.append(self.office.publish(document.document))

    def _send(self):
        for document in self.into:
            assert self.office.partner.send(document).kind == "acknowledgment"
            time.sleep(0.02)

    def count(self):
        """All came to rest; each document, AppRec and answer is there, once by its id. How many came twice."""
        office, system = self.office, self.office.system
        eventually(lambda: office.hub.count("done") == 4 * LOAD, 60, f"{4 * LOAD} deliveries done")
        eventually(lambda: len(system.documents) >= 2 * LOAD, 30, "all documents in the queue")
        eventually(lambda: all(system.answers(own) for own in self.published), 30, "all answers")
        eventually(lambda: events("MessageApprecInfoUpdated", system) >= LOAD, 30, "all events")
        assert Counter(d.headers["msg-id"] for d in system.documents if d.headers["kind"] == "business") == Counter(
            d.msg_id for d in self.into
        )
        assert Counter(d.headers["original-msg-id"] for d in system.documents if d.headers["kind"] == "apprec") == (
            Counter(d.msg_id for d in self.out)
        )
        assert events("MessageApprecInfoUpdated", system) == LOAD
        sent = {(r.document.msg_id, r.envelope.message_id) for r in office.partner.received if r.document}
        assert {m for m, _ in sent} >= {d.msg_id for d in self.out} and len(sent) == 2 * LOAD
        offsets = list(dict.fromkeys(c.event["offset"] for c in system.came if "offset" in (c.json or {})))
        assert offsets == sorted(offsets)
        return len(system.came) - len(system.seen)


def events(kind, system):
    """How many events of a kind."""
    return sum(e["type"] == kind for e in system.events)


@pytest.mark.parametrize("how", ["restarted", "killed", "cut off three times"])
def test_under_load_nothing_is_lost_and_nothing_goes_twice(how, office, own_broker, samhub_samples):
    """A broker that is restarted or killed in the middle, connections that are cut: counted by what all hold afterwards."""
    load = Load(office, samhub_samples)
    with load:
        if how == "restarted":
            own_broker.restart()
        elif how == "killed":
            own_broker.kill()
            own_broker.start()
        else:
            for _ in range(3):
                own_broker.cut()

    doubles = load.count()

    print(f"{how}: {LOAD} each way, {doubles} messages came to the record system more than once")


def test_a_broker_that_is_short_of_memory_is_waited_for(office, own_broker, samhub_samples):
    """Blocked: the document waits here and says why; it comes when the alarm is over, once."""
    office.accepted(samhub_samples(sender=DOCTOR, receiver=office.partner).document)
    own_broker.alarm(True)
    sent = office.partner.send(samhub_samples("epikrise", sender=office.partner, receiver=DOCTOR))
    eventually(lambda: office.hub.delivery(sent.message_id).code == "broker-blocked", 20, "broker-blocked")
    tries = office.hub.story(sent.message_id).attempts
    assert {a.reached for a in tries if a.code == "broker-blocked"} == {"no"}

    own_broker.alarm(False)

    office.hub.until(sent.message_id, "done", seconds=20)
    ours = office.hub.story(sent.message_id).message.id
    assert sum(d.message_id == ours for d in office.system.documents) == 1


def test_documents_are_taken_while_the_broker_blocks_who_publishes(office, own_broker, samhub_samples):
    """The alarm stops the answers, not the hand-overs: what lay in the queue is stored and goes out."""
    office.accepted(samhub_samples(sender=DOCTOR, receiver=office.partner).document)
    office.hub.stop()
    own = office.publish(samhub_samples(sender=DOCTOR, receiver=office.partner).document)
    own_broker.alarm(True)

    office.hub.start()

    eventually(lambda: office.hub.count("arrival:accepted") >= 3, 20, "the document to be stored")
    office.partner.await_received(2)
    assert office.system.answers(own) == []
    own_broker.alarm(False)
    assert office.answer(own)["type"] == "MessageAccepted"


def test_a_queue_that_is_gone_is_said_and_waited_for(office, samhub_samples):
    """The record system's queue was deleted: queue-missing; where it is declared again, the document comes."""
    ours = office.accepted(samhub_samples(sender=DOCTOR, receiver=office.partner).document)
    office.hub.until(ours, "done")
    office.documents(1)
    office.aside.run(office.system.on_channel(lambda c: c.queue_delete(office.system.from_hub)))

    sent = office.partner.send(samhub_samples("epikrise", sender=office.partner, receiver=DOCTOR))
    eventually(lambda: office.hub.delivery(sent.message_id).code == "queue-missing", 20, "queue-missing")
    office.aside.run(
        office.system.on_channel(
            lambda c: c.declare_queue(office.system.from_hub, durable=True, arguments={"x-queue-type": "classic"})
        )
    )

    office.hub.until(sent.message_id, "done", seconds=20)
    office.aside.run(office.system.again())
    office.documents(2)


def test_the_queue_to_the_hub_is_declared_and_consumed_again_when_it_is_gone(office, samhub_samples):
    """Deleted under a running consumer."""
    office.accepted(samhub_samples(sender=DOCTOR, receiver=office.partner).document)

    office.aside.run(office.system.on_channel(lambda c: c.queue_delete(office.system.to_hub)))

    office.accepted(samhub_samples(sender=DOCTOR, receiver=office.partner).document)


def test_a_queue_that_its_owner_declared_otherwise_is_used_as_it_is(make_office, own_broker, samhub_samples):
    """Other arguments than ours: the broker refuses the declaration, the hub goes on with what is there."""
    names = f"test.{uuid4()}"
    system = QueueSystem(own_broker.url, "", "")

    async def otherwise(channel):
        for name in ("to-hub", "from-hub"):
            await channel.declare_queue(f"{names}.{name}", durable=True, arguments={"x-max-length": 100})

    asyncio.run(system.on_channel(otherwise))
    office = make_office(own_broker.url, names=names)

    ours = office.accepted(samhub_samples(sender=DOCTOR, receiver=office.partner).document)

    office.hub.until(ours, "done")


def test_queues_that_the_owner_declares_are_waited_for(make_office, own_broker, samhub_samples):
    """declare = false: nothing is made by us; consumed as soon as it is there."""
    office = make_office(own_broker.url, queue={"declare": False})
    time.sleep(0.5)
    names = [q["name"] for q in own_broker.manage("GET", "queues/%2F")]
    assert office.system.to_hub not in names

    async def declared(channel):
        for name in (office.system.to_hub, office.system.from_hub):
            await channel.declare_queue(name, durable=True)

    office.aside.run(office.system.on_channel(declared))

    office.hub.until(office.accepted(samhub_samples(sender=DOCTOR, receiver=office.partner).document), "done")


def test_a_full_queue_refuses_and_is_tried_again(make_office, own_broker, samhub_samples):
    """Its owner allows one message and rejects more: queue-refused, until there is room."""
    names = f"test.{uuid4()}"
    full = {"x-max-length": 1, "x-overflow": "reject-publish"}
    system = QueueSystem(own_broker.url, "", f"{names}.from-hub")

    async def narrow(channel):
        await channel.declare_queue(system.from_hub, durable=True, arguments=full)
        await channel.default_exchange.publish(aio_pika.Message(b"", message_id="in the way"), system.from_hub)

    asyncio.run(system.on_channel(narrow))
    office = make_office(own_broker.url, names=names, consumes=False)
    sent = office.partner.send(samhub_samples("epikrise", sender=office.partner, receiver=DOCTOR))
    eventually(lambda: office.hub.delivery(sent.message_id).code == "queue-refused", 20, "queue-refused")

    office.consume()

    office.hub.until(sent.message_id, "done", seconds=20)


def test_quorum_queues_where_they_are_asked_for(make_office, own_broker, samhub_samples):
    """All three of the record system's, and its messages go both ways."""
    office = make_office(own_broker.url, queue={"kind": "quorum"})

    office.hub.until(office.accepted(samhub_samples(sender=DOCTOR, receiver=office.partner).document), "done")

    own = [q for q in own_broker.manage("GET", "queues/%2F") if q["name"].startswith(office.system.to_hub[:-7])]
    assert [q["type"] for q in own] == ["quorum"] * 3


@pytest.mark.parametrize("kind", ["classic", "quorum"])
def test_a_document_that_comes_again_without_an_end_is_put_aside(
    kind, make_office, own_broker, samhub_samples, monkeypatch
):
    """As one that ends the process each time: after so many times it is in quarantine, and those beside it have gone out."""
    poison = samhub_samples(sender=DOCTOR, receiver=PHYSIO)
    usual, handed_out = submission._kept, []

    async def fatal(inspection, *more):
        if inspection.raw == poison.document:
            handed_out.append(inspection.arrival.id)
            await asyncio.sleep(3600)
        return await usual(inspection, *more)

    monkeypatch.setattr(submission, "_kept", fatal)
    office = make_office(own_broker.url, queue={"kind": kind, "delivery_limit": 3})
    own = office.publish(poison.document)
    good = office.accepted(samhub_samples(sender=DOCTOR, receiver=office.partner).document)
    for times in (1, 2, 3):  # as the hub sees it: the broker still counts it for a line that it has just cut
        eventually(lambda times=times: len(handed_out) == times, 20, "the poison to be handed out")
        own_broker.cut()

    answer = office.answer(own)

    assert (answer["type"], answer["code"]) == ("MessageRefused", "delivery-limit")
    assert office.hub.count("arrival:quarantined") == 1
    assert [d.body for d in eventually(office.dead)] == [poison.document]
    office.hub.until(good, "done")


def test_what_nobody_foresaw_is_kept_answered_and_put_aside(office, samhub_samples, monkeypatch):
    """An error of ours: told without a trace of it, the bytes in quarantine and in the dead-letter queue, once."""

    async def broken(*_):
        raise ZeroDivisionError("content")

    document = samhub_samples(sender=DOCTOR, receiver=office.partner).document
    monkeypatch.setattr(submission, "_kept", broken)

    answer = office.answer(office.publish(document))

    assert answer["code"] == "unforeseen" and "content" not in str(answer) and "ZeroDivision" not in str(answer)
    assert office.hub.count("arrival:quarantined") == 1
    assert [d.body for d in eventually(office.dead)] == [document]


def test_documents_wait_in_the_queue_while_the_store_is_full(office, own_broker, samhub_samples):
    """Unacknowledged, not refused; taken when there is room."""
    office.accepted(samhub_samples(sender=DOCTOR, receiver=office.partner).document)
    office.hub.restart(store={"min_free_bytes": 10**18})
    own = office.publish(samhub_samples(sender=DOCTOR, receiver=office.partner).document)
    eventually(lambda: own_broker.depth(office.system.to_hub).unacked == 1, 20, "it to be handed out")
    assert office.system.answers(own) == []

    office.hub.restart(store={"min_free_bytes": 0})

    assert office.answer(own)["type"] == "MessageAccepted"
