"""Record systems at queues come and go while the hub runs."""

from __future__ import annotations

from uuid import uuid4

from adapters.register.file import SystemRow, read
from hub.record_systems.keys import Act
from ops import systems
from ops.partner.aside import eventually
from tests.queue.conftest import DOCTOR
from tests.support.queue_system import QueueSystem


def test_queues_are_consumed_from_the_command_on_and_no_more_once_it_is_taken_away(office, amqp_url, samhub_samples):
    """What it publishes is answered at its own queue; afterwards it lies there, and the other system's is still answered."""
    hub, names = office.hub, f"test.{uuid4()}"
    file, act = read(hub.built.configuration.registry.parties), Act(hub.clock.now(), "kari")
    row = SystemRow(
        id="nytt", her_ids=[DOCTOR.her_id], channel="queue", to_hub=f"{names}.to-hub", from_hub=f"{names}.from-hub"
    )
    hub.run(systems.added(hub.built.store, file, row, None, act))
    hub.run(hub.built.serving.look())
    hub.run(hub.built.queues._door.follow())
    letters = [samhub_samples(sender=DOCTOR, receiver=office.partner).document for _ in range(2)]
    system = QueueSystem(amqp_url, row.to_hub, row.from_hub)
    _, leave = office.aside.enter(system)
    try:
        first = office.aside.run(system.publish(letters[0], ""))
        assert eventually(lambda: system.answers(first), 20, "an answer")[-1]["type"] == "MessageAccepted"

        hub.run(systems.removed(hub.built.store, file, "nytt", act))
        hub.run(hub.built.serving.look())
        hub.run(hub.built.queues._door.follow())
        office.aside.run(system.publish(letters[1], ""))
        assert office.accepted(samhub_samples(sender=DOCTOR, receiver=office.partner).document)
        assert [one.body for one in office.aside.run(system.lying(row.to_hub))] == [letters[1]]
    finally:
        leave()
