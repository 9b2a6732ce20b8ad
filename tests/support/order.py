"""What runs beside what: tests are put into groups by what they need, and suites that wait run beside suites that compute.

A group stays in one process, in its order. A file is a group, for its tests share what it has made; of a long file whose tests
share nothing dear each test is one; and what has one place for everybody, as the queues of the national bus, is one group
whatever its files. The longest come first, so that none is left over at the end.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

#: Start of a test's id → its group, where that is not its file.
TOGETHER = {
    "tests/acceptance/": "acceptance",  # the official cases are played once for all who look
    "tests/amqp/test_agreements.py": "bus",
    "tests/amqp/test_journeys.py": "bus",
    "tests/amqp/test_kills.py": "bus",
    "tests/amqp/test_line.py": "bus",
}
#: Files whose tests share nothing dear.
APART = (
    "tests/crash/test_mail.py",
    "tests/crash/test_queue.py",
    "tests/crash/test_steps.py",
    "tests/nodes/test_faults.py",
    "tests/nodes/test_sharing.py",
    "tests/nodes/test_steps.py",
)
#: Folders whose tests mostly wait: for hubs that die, brokers that restart, times that pass.
WAITING = (
    "bus",
    *(f"tests/{name}/" for name in ("amqp", "blackbox", "crash", "journeys", "mail", "nodes", "queue", "servers")),
)


def group(nodeid: str) -> str:
    """What a test belongs to."""
    file = nodeid.split("::")[0]
    if file.startswith("tests/conformance/test_door") and "[amqp" in nodeid:
        return "bus"
    if file in APART:
        return nodeid
    return next((name for start, name in TOGETHER.items() if file.startswith(start)), file)


def waits(name: str) -> bool:
    """Whether a group mostly waits."""
    return name.startswith(WAITING)


class Beside(LoadScopeScheduling):  # type: ignore[misc]
    """Every other process takes what waits first, the rest take what computes; who has no more of its own helps the others."""

    def schedule(self) -> None:
        """See LoadScopeScheduling; the order is ours."""
        self.config.option.loadscopereorder = False
        super().schedule()

    def remove_node(self, node: Any) -> str | None:
        """A process has ended in the midst of a test: that one has failed, and the others of its groups go on elsewhere."""
        workload = self.assigned_work.pop(node)
        broken = next((test for unit in workload.values() for test, done in unit.items() if not done), None)
        if broken is None:
            return None
        for scope, unit in workload.items():
            unit.update({broken: True} if broken in unit else {})
            if not all(unit.values()):
                self.workqueue[scope] = unit
        for other in self.assigned_work:
            self._reschedule(other)
        return broken

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        waiting = int(node.gateway.id.removeprefix("gw")) % 2 == 0
        mine = next((scope for scope in self.workqueue if waits(scope) == waiting), None)
        if mine is not None:
            self.workqueue.move_to_end(mine, last=False)
        super()._assign_work_unit(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Beside:
    """Whatever --dist says."""
    return Beside(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest groups first, where several processes share them; and nobody uses the one bus beside others."""
    astray = [item.nodeid for item in items if _on_the_bus(item) and group(item.nodeid) != "bus"]
    if astray:
        raise pytest.UsageError(f"these use the queues of the bus: add them to its group in {__name__}: {astray}")
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: -LONG.get(group(item.nodeid), LONG.get(item.nodeid.split("::")[0], 0)))


def _on_the_bus(item: pytest.Item) -> bool:
    """Whether it uses the queues of the bus, which have fixed names, on the broker that all share."""
    names = getattr(item, "fixturenames", ())
    return "shared_broker" in names and not {"vhost", "own_broker"} & set(names)


#: Seconds that a group took by itself, as far as it is worth to know: they only order the groups.
LONG: dict[str, float] = {
    "bus": 155,
    "tests/amqp/test_faults.py": 136,
    "acceptance": 80,
    "tests/nodes/test_dispatch.py": 79,
    "tests/conformance/test_store_model.py": 67,
    "tests/blackbox/test_hub.py": 44,
    "tests/nodes/test_workers.py": 39,
    "tests/nodes/test_faults.py": 39,
    "tests/nodes/test_backlog.py": 35,
    "tests/nodes/test_steps.py": 29,
    "tests/queue/test_broker.py": 28,
    "tests/bad_input/test_framing.py": 26,
    "tests/agreement/test_agreement.py": 26,
    "tests/nodes/test_sharing.py": 24,
    "tests/mail/test_relay.py": 20,
    "tests/postgres/test_loss.py": 19,
    "tests/conformance/test_sender_outcome.py": 15,
    "tests/mail/test_witness_postfix.py": 13,
    "tests/blackbox/test_site.py": 12,
    "tests/journeys/test_no_content.py": 12,
    "tests/servers/test_run.py": 12,
    "tests/postgres/test_growth.py": 11,
    "tests/crash/test_random_kills.py": 11,
    "tests/servers/test_rabbitmq.py": 11,
    "tests/conformance/test_sender_again.py": 10,
    "tests/journeys/test_plugin.py": 10,
    "tests/queue/test_login.py": 9,
    "tests/postgres/test_move.py": 9,
    "tests/fuzz/test_ebxml_door.py": 9,
    "tests/mail/test_demo.py": 9,
    "tests/crash/test_mail.py": 9,
    "tests/postgres/test_claiming.py": 8,
    "tests/crash/test_disk.py": 8,
    "tests/journeys/test_command_line.py": 8,
    "tests/mail/test_collector.py": 8,
    "tests/conformance/test_sender_closing.py": 7,
    "tests/crash/test_steps.py": 7,
    "tests/postgres/test_house.py": 7,
    "tests/conformance/test_door_word.py": 6,
}
