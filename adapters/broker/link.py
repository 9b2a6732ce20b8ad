"""A connection to the broker that is opened again whenever it is lost.

None of aio-pika's robust objects are used: they restore all that was ever declared or nothing, so that one queue that is
gone would keep all others away.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import CONNECTION_EXCEPTIONS
from pamqp.common import FieldTable
from yarl import URL

from adapters.broker.ending import Begin, begun, ended
from adapters.broker.settings import BrokerSettings

#: What a broker, a socket or a closed channel may raise; anything else is a mistake of ours.
TROUBLE = (*CONNECTION_EXCEPTIONS, TimeoutError)
#: A word about the broker for people: what, and in plain words why.
Told = Callable[[str, str], None]


class Link:
    """One connection, kept from the first time it is asked for until `close`."""

    def __init__(self, settings: BrokerSettings, name: str, told: Told, begin: Begin = begun) -> None:
        """`name` is what the broker's operator sees; `told` hears of loss and return, not of every try."""
        self._settings, self._name, self._told, self._begin = settings, name, told, begin
        self._connection: AbstractConnection | None = None
        self._open = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.why = "not tried yet"  #: it is not open

    async def opened(self, within: float | None = None) -> AbstractConnection | None:
        """The open connection, waited for; None when it is not there in time."""
        if self._task is None:
            self._task = self._begin(f"link {self._name}", self._keep)
        try:
            async with asyncio.timeout(within):
                await self._open.wait()
        except TimeoutError:
            return None
        return self._connection

    async def close(self) -> None:
        """For good."""
        if self._task is not None:
            await ended([self._task])

    async def _keep(self) -> None:
        tries = 0
        while True:
            try:
                connection = await self._connected()
            except Exception as error:  # also what nobody foresaw: the link is tried for as long as the hub runs
                self.why = plain(error)
                tries += 1
                if tries == 1:
                    self._told("broker-unreachable", self.why)
                await asyncio.sleep(min(0.1 * 2 ** min(tries, 10), self._settings.reconnect_seconds))
                continue
            if tries:
                self._told("broker-reached", self._name)
            tries = 0
            await self._until_lost(connection)

    async def _until_lost(self, connection: AbstractConnection) -> None:
        lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def gone(_: object, error: BaseException | None = None) -> None:
            if not lost.done():
                lost.set_result(plain(error) if error is not None else "closed")

        connection.close_callbacks.add(gone)
        self._connection = connection
        self._open.set()
        try:
            self.why = await lost
            self._told("broker-lost", self.why)
        finally:
            self._open.clear()
            self._connection = None
            await asyncio.gather(_closed(connection, self._settings.connect_seconds), return_exceptions=True)

    async def _connected(self) -> AbstractConnection:
        s = self._settings
        password = s.password_file.read_text("utf-8").strip() if s.password_file else ""
        url = URL(s.url).with_user(s.username).with_password(password).update_query(heartbeat=str(s.heartbeat_seconds))
        context = None
        if url.scheme == "amqps":
            context = await asyncio.to_thread(ssl.create_default_context, cafile=s.ca_file)
        names: FieldTable = {"connection_name": f"samhub {self._name}"}
        connection = aio_pika.Connection(url, ssl_context=context, client_properties=names)
        try:
            async with asyncio.timeout(s.connect_seconds):
                await connection.connect()
        except BaseException:  # else it closes itself when it is collected, on whatever loop there is then
            await connection.close()
            raise
        return connection


async def _closed(connection: AbstractConnection, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        await connection.close()


def plain(error: BaseException) -> str:
    """What went wrong in one line; the broker names queues and users, never what was published."""
    text = " ".join(str(error).split()) or "without a reason"
    return f"{type(error).__name__}: {text[:200]}"
