"""Which message functions of the bus a party can send and receive by its CPA or CPP, and over which queue (nhn-amqp.md §4.1, §5.2)."""

from __future__ import annotations

from collections.abc import Iterator

from hub.formats.cpa import APPREC, Binding, Channel, CollaborationRole, CpaParty
from hub.formats.queues import QueueKind, queue_name


def functions(party: CpaParty, *, sending: bool) -> frozenset[str]:
    """All functions, in upper case: names of processes, and actions of older files, where the action is the function."""
    found = [(role.process, binding.action) for role in party.roles for binding in _over_amqp(role, sending=sending)]
    processes = {process for process, action in found if action.upper() != APPREC}
    return frozenset(name.upper() for name in (*processes, *(action for _, action in found)) if name)


def binding(party: CpaParty, function: str, *, sending: bool) -> Binding | None:
    """What a function means here, ignoring case: the first message of the process of that name, else any such action.

    In `2_0b` files the action is a verb, and only the process has the name of the function (§5.2). What is not agreed
    over AMQP is not found. A party that can only receive the AppRec of a process cannot receive its message; the library
    takes the AppRec for it, and looks at the first role of that name alone.
    """
    wanted = function.upper()
    every = [(role, found) for role in party.roles for found in _over_amqp(role, sending=sending)]
    by_process = (f for role, f in every if role.process.upper() == wanted and f.action.upper() != APPREC)
    by_action = (f for _, f in every if f.action.upper() == wanted)
    return next(by_process, None) or next(by_action, None)


def _over_amqp(role: CollaborationRole, *, sending: bool) -> Iterator[Binding]:
    for found in role.can_send if sending else role.can_receive:
        if any(channel.protocol == "AMQP" for channel in found.channels):
            yield found


def kind(found: Binding) -> QueueKind:
    """Whether it goes to the queue for questions or to the asynchronous one: seen in its channel alone (§5.2)."""
    channel = next(channel for channel in found.channels if channel.protocol == "AMQP")
    return QueueKind.SYNC if _is_sync(channel) else QueueKind.ASYNC


def _is_sync(channel: Channel) -> bool:
    """By the queue's usual name, else by the channel's: `AMQPSync_…`, `syncAMQPChannelC2`."""
    for endpoint in channel.endpoints:
        ending = queue_name(endpoint).lower().rpartition("_")[2]
        if ending in (QueueKind.SYNC, QueueKind.ASYNC):
            return ending == QueueKind.SYNC
    name = channel.id.lower()
    return "sync" in name and "async" not in name
