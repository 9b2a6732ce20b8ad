"""Brings documents into the queue that a record system consumes."""

from __future__ import annotations

from adapters.queue import wire
from adapters.queue.publish import Publisher
from hub.message import Claimed, Outcome, Parcel, Reached


class QueueSender:
    """The sender of channel `queue`; an address is the name of a queue."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def send(self, claimed: Claimed, parcel: Parcel) -> Outcome:
        """Published under the same message_id at every attempt, so that the record system can drop a second one."""
        if not claimed.delivery.address:
            return Outcome(Reached.NO, "no-endpoint", "no queue is named", permanent=True)
        return await self._publisher.publish(claimed.delivery.address, wire.document(claimed, parcel.body))
