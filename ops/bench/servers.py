"""PostgreSQL and RabbitMQ for figures of several nodes: those that the environment names, else private ones."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from yarl import URL

from ops.servers import databases, postgres, rabbitmq


@dataclass(frozen=True, slots=True)
class Servers:
    """Both of them, running."""

    amqp_url: str
    password: Path  #: file that holds the broker's password

    @property
    def broker(self) -> dict[str, Any]:
        """The broker as settings: a configuration holds no login."""
        url = URL(self.amqp_url)
        return {"url": str(url.with_user(None)), "username": url.user or "guest", "password_file": self.password}

    @contextmanager
    def store(self) -> Iterator[dict[str, Any]]:
        """An empty place in the PostgreSQL as settings, removed afterwards."""
        with databases.database(f"bench_{uuid.uuid4().hex[:12]}", empty=True) as address:
            url = URL(address)
            file = self.password.with_name("store-password")
            file.write_text(url.password or "", "utf-8")
            yield {"url": str(url.with_password(None)), "password_file": file, "min_free_bytes": 50_000_000}


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
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="samhub-bench-")))
        (folder / "password").write_text(URL(url).password or "guest", "utf-8")
        yield Servers(url, folder / "password")
