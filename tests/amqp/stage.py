"""A broker as NHN runs one: a direct exchange, quorum queues with a limit of deliveries, and where the dead letters go."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from urllib.parse import quote

from ops.servers.rabbitmq import VirtualHost

EXCHANGE = "BUS"
USER, PASSWORD = "orgusr", "hemmelig/ord"
#: Queues beside these belong to others who use the same broker.
OF_THE_BUS = re.compile(r"\d+_(async|sync|syncreply|error|dl)")
LIMIT = 10  #: deliveries before a message is given up, about as many as there (nhn-amqp.md §4.5)


def furnish(broker: VirtualHost, owners: Sequence[str]) -> None:
    """Exchange and queues of these HER-ids, anew and empty; and a user that may use them but make none (§0.15)."""
    vhost = quote("/", "")
    broker.manage("PUT", f"exchanges/{vhost}/{EXCHANGE}", {"type": "direct", "durable": True})
    for owner in owners:
        dead = f"{owner}_dl"
        _queue(broker, dead, {})
        for kind in ("async", "sync", "syncreply", "error"):
            arguments = {
                "x-queue-type": "quorum",
                "x-delivery-limit": LIMIT,
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": dead,
            }
            _queue(broker, f"{owner}_{kind}", arguments)
            binding = {"routing_key": f"{owner}_{kind}"}
            broker.manage("POST", f"bindings/{vhost}/e/{EXCHANGE}/q/{owner}_{kind}", binding)
    broker.add_user(USER, PASSWORD, configure="^$")


def _queue(broker: VirtualHost, name: str, arguments: dict[str, object]) -> None:
    path = f"queues/{quote('/', '')}/{name}"
    if any(found["name"] == name for found in broker.manage("GET", "queues?columns=name")):
        broker.manage("DELETE", path)
    broker.manage("PUT", path, {"durable": True, "arguments": arguments})


def lying(broker: VirtualHost) -> dict[str, tuple[int, int]]:
    """Queue → (ready, unsettled), of all queues of the bus in which something lies."""
    columns = ("name", "messages_ready", "messages_unacknowledged")
    told = json.loads(broker.ctl("list_queues", "--formatter", "json", "--silent", *columns))
    found = {row["name"]: (row["messages_ready"], row["messages_unacknowledged"]) for row in told}
    return {name: depth for name, depth in found.items() if depth != (0, 0) and OF_THE_BUS.fullmatch(name)}


def quiet(broker: VirtualHost, seconds: float = 10) -> None:
    """Nothing lies in any queue, nothing is unsettled, and nothing has died."""
    end = time.monotonic() + seconds
    while found := lying(broker):
        assert time.monotonic() < end, f"ready and unsettled: {found}"
