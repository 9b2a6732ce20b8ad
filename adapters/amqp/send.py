"""Gives a parcel to the broker and says what it answered; a bus has no other receipt (nhn-amqp.md §4.3)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from adapters.amqp.line import Line, Trouble
from hub.formats import amqp
from hub.formats.queues import queue_name
from hub.message import Claimed, Outcome, Parcel, Reached


class AmqpSender:
    """hub.ports.Sender for queues of the bus."""

    def __init__(self, line: Line, now: Callable[[], datetime]) -> None:
        self._line, self._now = line, now

    async def send(self, claimed: Claimed, parcel: Parcel) -> Outcome:
        """One attempt; never raises for what the broker does."""
        queue = queue_name(claimed.delivery.address.removeprefix("amqp:"))
        if not queue:
            text = f"{claimed.delivery.address or '(none)'} names no queue"
            return Outcome(Reached.NO, "no-endpoint", text, permanent=True)
        try:
            session = await self._line.session()
        except Trouble as error:
            return Outcome(Reached.NO, "connect-failed", str(error))
        return await session.publish(queue, amqp.enqueued(parcel.headers, self._now()), parcel.body)
