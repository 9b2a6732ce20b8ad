"""The one connection to the broker: kept, made anew when it is lost, and lent to who sends (nhn-amqp.md §1.5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol

from adapters.amqp.settings import AmqpSettings
from adapters.broker.ending import Begin, begun, ended
from hub.message import Outcome


class Trouble(Exception):
    """The broker cannot be reached, or does not let us do this; the text is for people."""


class Delivery(Protocol):
    """A message in our hands that the broker still owns."""

    @property
    def headers(self) -> Mapping[str, str]:
        """As hub.formats.amqp reads them."""
        ...

    @property
    def body(self) -> bytes:
        """As it came."""
        ...

    async def done(self) -> None:
        """The broker may forget it. Said on a dead connection it is lost, and the message comes again."""
        ...


class Session(Protocol):
    """An open connection with its consumers."""

    async def publish(self, queue: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """One message to one queue; never raises for what the broker does."""
        ...

    async def depth(self, queue: str) -> int | None:
        """How many messages lie in a queue; None where there is none, or where nobody tells."""
        ...

    async def lost(self) -> str:
        """Waits until the connection is gone; why."""
        ...

    async def close(self) -> None:
        """Ends in order, or after a moment without it."""
        ...


Take = Callable[[str, Delivery], Coroutine[Any, Any, None]]
#: Opens a session that reads these queues and hands each message to `take`. Raises Trouble.
Open = Callable[[AmqpSettings, Sequence[str], Take], Coroutine[Any, Any, Session]]
Told = Callable[[str], None]


class Line:
    """Holds a session while open (`async with`), reading the queues that `queues` names each time it connects."""

    def __init__(
        self,
        settings: AmqpSettings,
        open_: Open,
        fraction: Callable[[], float],
        told: Told,
        begin: Begin = begun,
    ) -> None:
        """`fraction` is chance in [0, 1); `told` hears in words when the connection comes and goes."""
        self._settings, self._open, self._fraction, self._told = settings, open_, fraction, told
        self._begin = begin
        self._queues: Sequence[str] = ()
        self._take: Take | None = None
        self._session: Session | None = None
        self._there = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Line:
        if self._settings.url:
            self._task = self._begin("bus line", self._keep)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            await ended([self._task])
        await self._drop()

    async def read(self, queues: Sequence[str], take: Take) -> None:
        """From now on these queues are read; the connection is made anew for it."""
        self._queues, self._take = tuple(queues), take
        await self._drop()

    async def session(self) -> Session:
        """The open session, waited for a moment. Raises Trouble."""
        if not self._settings.url:
            raise Trouble("no broker is set up: see amqp.url")
        try:
            async with asyncio.timeout(self._settings.connect_seconds):
                await self._there.wait()
        except TimeoutError:
            raise Trouble(f"no connection to {self._where}") from None
        session = self._session
        if session is None:
            raise Trouble(f"no connection to {self._where}")
        return session

    @property
    def _where(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    async def _keep(self) -> None:
        failures = 0
        while True:
            try:
                await self._held()
                failures = 0
            except Trouble as error:
                failures += 1
                self._told(f"{self._where}: {error}; tried again by itself")
            except Exception as error:  # nobody foresaw it; without a line nothing would ever go again
                failures += 1
                self._told(f"{self._where}: unforeseen ({type(error).__name__}); tried again by itself")
            await asyncio.sleep(self._wait(failures))

    async def _held(self) -> None:
        """One session, from its beginning to its end. Raises Trouble when it cannot be begun."""
        queues = self._queues
        session = await self._open(self._settings, queues, self._take or _nobody)
        if queues is self._queues:
            await self._hold(session)
        else:  # others are asked for meanwhile
            await session.close()

    async def _hold(self, session: Session) -> None:
        """Lends it until it is gone."""
        self._session = session
        self._there.set()
        try:
            why = await session.lost()
            self._told(f"{self._where}: {why}; made anew")
        finally:
            self._there.clear()
            if self._session is session:
                self._session = None
            await session.close()

    async def _drop(self) -> None:
        """Lets the present session go; the next has everything rebuilt (§1.5)."""
        session, self._session = self._session, None
        if session is not None:
            self._there.clear()
            await session.close()

    def _wait(self, failures: int) -> float:
        """At once the first time; then min(30 s, (2^n − 1) × about 3 s), spread by a fifth to either side (§1.5)."""
        first = self._settings.wait_seconds * (0.8 + 0.4 * self._fraction())
        return min(self._settings.longest_wait_seconds, float(2 ** min(failures, 10) - 1) * first)


async def _nobody(_queue: str, _delivery: Delivery) -> None:
    raise AssertionError("no queue is read before somebody takes what lies in it")
