"""The doors of the bus: what lies in our queues is kept first, and only then the broker's no more (nhn-amqp.md §4.5)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from adapters.amqp.line import Delivery, Line
from hub.message import BUS_DOOR, Answer, Arrival

Receive = Callable[[Arrival], Awaitable[Answer]]


class AmqpDoor:
    """Reads our queues while open (`async with`)."""

    def __init__(
        self,
        line: Line,
        receive: Receive,
        queues: Callable[[], Mapping[str, str]],
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        full: Callable[[], Awaitable[Answer | None]],
        full_seconds: float,
    ) -> None:
        """`queues` gives name → kind of each queue that is read; `full` answers while nothing new may be taken."""
        self._line, self._receive, self._queues = line, receive, queues
        self._now, self._new_id = now, new_id
        self._full, self._full_seconds = full, full_seconds
        self._kinds: Mapping[str, str] = {}

    async def __aenter__(self) -> AmqpDoor:
        self._kinds = dict(self._queues())
        await self._line.read(list(self._kinds), self.take)
        return self

    async def __aexit__(self, *_: object) -> None:
        """What is in our hands goes back to the broker with the connection, and comes again."""
        await self._line.read((), self.take)

    async def take(self, queue: str, delivery: Delivery) -> None:
        """Kept, then settled. While nothing can be kept it stays unsettled, and the broker sends no more than our credit."""
        arrival = Arrival(
            self._new_id(), BUS_DOOR + self._kinds[queue], self._now(), dict(delivery.headers), delivery.body
        )
        while not await self._kept(arrival):  # noqa: ASYNC110  nothing tells when there is room again
            await asyncio.sleep(self._full_seconds)
        await delivery.done()

    async def _kept(self, arrival: Arrival) -> bool:
        return await self._full() is None and (await self._receive(arrival)).status != 503
