"""The page that record systems are written by says what is, and its program runs as it stands there."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from uuid import uuid4

import aio_pika
import pytest

from hub.codes import REASONS
from hub.events import NotificationType
from ops.partner.aside import eventually
from tests.queue.conftest import DOCTOR, QueueSystem
from tests.support.standards import REPO

PAGE = REPO / "adapters" / "queue" / "README.md"


@pytest.fixture
def program(tmp_path):
    """The page's program in Python, as a file."""
    [text] = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    file = tmp_path / "example.py"
    file.write_text(text, "utf-8")
    return file


def test_the_program_of_the_page_hands_over_and_hears_of_it(make_office, amqp_url, samhub_samples, program, tmp_path):
    """Run by itself: it sees the answer, the AppRec and where the document stands."""
    office = make_office(amqp_url)
    queues = (office.system.to_hub, office.system.from_hub)
    office.aside.run(office.system.__aexit__())  # the program consumes instead
    referral = samhub_samples(sender=DOCTOR, receiver=office.partner)
    document = tmp_path / "henvisning.xml"
    document.write_bytes(referral.document)

    out = tmp_path / "out.txt"
    with out.open("w") as told:
        process = subprocess.Popen(
            [sys.executable, program, amqp_url, *queues, document], stdout=told, stderr=subprocess.STDOUT
        )
    try:
        wanted = "MessageApprecInfoUpdated"
        eventually(lambda: wanted in out.read_text(), 20, wanted)
        eventually(lambda: "apprec " in out.read_text(), 20, "the AppRec")
    finally:
        process.kill()
        process.wait()

    lines = out.read_text().splitlines()
    assert lines[0] == "MessageAccepted"
    assert not any("Error" in line for line in lines)


def test_the_page_names_every_event_and_the_codes_of_the_door():
    """A record system that is written by it meets no surprise."""
    text = PAGE.read_text("utf-8")
    for kind in set(NotificationType) - {NotificationType.NEW_MESSAGE}:
        assert kind in text
    for code in ("queue-missing", "queue-refused", "broker-blocked"):
        assert code in REASONS and code in text


def test_a_queue_of_its_own_that_it_names_gets_the_answer_too(office, samhub_samples):
    """reply_to: a queue that the broker named gets it with the publisher's correlation_id; another one gets nothing."""
    document = samhub_samples(sender=DOCTOR, receiver=office.partner).document
    office.accepted(document)

    async def asked(name):
        async with await aio_pika.connect(office.system.url) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(name, exclusive=True)
            own = await office.system.publish(document, reply_to=queue.name, correlation_id="mine")
            while not office.system.answers(own):
                await asyncio.sleep(0.01)
            found = await queue.get(fail=False, no_ack=True)
            return (found.correlation_id, found.type) if found is not None else None

    assert office.aside.run(asked("")) == ("mine", "status")
    assert office.aside.run(asked(f"samhub.other.from-hub.{uuid4()}")) is None


def test_the_rights_of_the_page_are_enough_and_reach_no_other_queue(make_office, vhost, samhub_samples):
    """A record system with its own two names; the hub's user with what begins with samhub."""
    url = vhost.add_user("hub", "hemmelig", **rights("samhub"))
    epj = vhost.add_user("epj", "hemmelig", **rights("legesenter"))
    office = make_office(url, system_url=epj, names="samhub.legesenter")
    office.system.exchange = office.system.to_hub
    document = samhub_samples(sender=DOCTOR, receiver=office.partner).document

    ours = office.accepted(document)

    office.hub.until(ours, "done")
    assert [d.headers["kind"] for d in office.documents(1)] == ["apprec"]
    for exchange in ("", "samhub.other.to-hub"):
        other = QueueSystem(epj, "samhub.other.to-hub", "", exchange)
        with pytest.raises(aio_pika.exceptions.ChannelClosed, match="ACCESS_REFUSED"):
            office.aside.run(other.publish(document, tries=1))


def rights(user):
    """configure, write and read as the page says them."""
    text = PAGE.read_text("utf-8")
    [line] = re.findall(rf"set_permissions -p samhub {user} (.*)", text)
    return dict(zip(("configure", "write", "read"), re.findall(r"'(.*?)'", line), strict=True))
