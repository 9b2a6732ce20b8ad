"""Names and addresses of the queues of a party on the message bus (nhn-amqp.md §1.2, §1.3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal
from urllib.parse import quote

#: How an AMQP 1.0 link names its queue: `v1` up to RabbitMQ 4.2, `v2` from 4.0, `plain` without an exchange of ours.
AddressSyntax = Literal["v1", "v2", "plain"]


class QueueKind(StrEnum):
    """What a queue of a party is for; the value is the usual ending of its name."""

    ASYNC = "async"  #: others send to the party, and it answers asynchronously to theirs
    SYNC = "sync"  #: others ask the party
    SYNCREPLY = "syncreply"  #: answers to what the party asked
    ERROR = "error"  #: reports about what the party sent

    @property
    def registered_as(self) -> str:
        """Its type in the address registry, code list 9044."""
        return f"E_SB_{self.value.upper()}"


#: Type in the address registry → kind. A dead letter queue is not registered.
REGISTERED = {kind.registered_as: kind for kind in QueueKind}


@dataclass(frozen=True, slots=True)
class QueueAddress:
    """A registered address in its parts: `host/EXCHANGE/QUEUE`, of which older or local ones may have only the last."""

    queue: str
    exchange: str = ""
    host: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.host, self.exchange, self.queue) if part)


def address(written: str) -> QueueAddress | None:
    """The parts of a registered address; None when it names no queue. What stands before the last two is the host."""
    whole = written.strip()
    whole = whole.partition("://")[2] if "://" in whole else whole.removeprefix("async:").removeprefix("sync:")
    rest, _, queue = whole.rpartition("/")
    if not queue or any(letter.isspace() for letter in whole):
        return None
    host, _, exchange = rest.rpartition("/")
    return QueueAddress(queue, exchange, host)


def queue_name(written: str) -> str:
    """The part behind the last slash: all that the .NET library uses of an address (§1.3), and all that is sent (§2.1)."""
    return written.strip().rpartition("/")[2]


def target(to: QueueAddress, syntax: AddressSyntax) -> str:
    """The address of a sender link (§1.2)."""
    if syntax == "v2":
        return f"/exchanges/{_quoted(to.exchange)}/{_quoted(to.queue)}" if to.exchange else source(to.queue, "v2")
    return f"/exchange/{to.exchange}/{to.queue}" if syntax == "v1" and to.exchange else to.queue


def source(queue: str, syntax: AddressSyntax) -> str:
    """The address of a receiver link; `/queue/…` would declare the queue, which clients must not do (§0.15)."""
    if syntax == "v2":
        return f"/queues/{_quoted(queue)}"
    return f"/amq/queue/{queue}" if syntax == "v1" else queue


def _quoted(part: str) -> str:
    return quote(part, safe="")
