"""PostgreSQL and RabbitMQ for figures of several nodes: those that the environment names, else private ones."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass

from ops.servers import postgres, rabbitmq


@dataclass(frozen=True, slots=True)
class Servers:
    """Both of them, running."""

    amqp_url: str

    def database(self) -> AbstractContextManager[str]:
        """The address of an empty place in the PostgreSQL, removed afterwards."""
        return postgres.schema(f"bench_{uuid.uuid4().hex[:12]}")


@asynccontextmanager
async def servers() -> AsyncIterator[Servers]:
    """Both, for as long as the figures take. Raises HubError where they are missing, with what to install."""
    with ExitStack() as stack:
        url = os.environ.get(rabbitmq.NAMED, "")
        if not url:
            broker = await asyncio.to_thread(rabbitmq.Broker)
            stack.callback(broker.close)
            url = (await asyncio.to_thread(broker.start)).url
        await asyncio.to_thread(postgres.shared_url)
        yield Servers(url)
