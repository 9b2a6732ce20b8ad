"""Reads the register anew while the hub runs, when it is asked to: by a signal, or by an order that lies in the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from adapters.broker.ending import ended
from hub import following
from hub.errors import ConfigurationError
from hub.events import Entry, Event
from hub.kit import Kit
from hub.ports import Change, NodeRecord
from ops.registers import Register, Registers, touched
from ops.serve.duties import Duties
from ops.serve.unforeseen import guarded

log = structlog.get_logger("register")
#: Bookmark of the last order to read anew; every node that shares the store follows it.
ORDER = "reload"
#: How often an order is looked for, and how often a node says that it lives, in seconds.
LOOK, LIVES = 1.0, 15.0
#: Who has not said so for this long is taken for dead.
DEAD = timedelta(seconds=3 * LIVES)
#: One node at a time looks through what waits.
FOLLOWING = timedelta(seconds=10)


class Reloading:
    """One node's register, kept as fresh as people ask for. All or nothing: on any mistake what was read before holds."""

    def __init__(
        self,
        registers: Registers,
        kit: Kit,
        node: str,
        wake: Callable[[], None],
        duties: Duties,
        leases_now: Callable[[], datetime],
    ) -> None:
        """`wake` is called when something may be due that was not; `leases_now` is the clock of terms and leases."""
        self._registers, self._kit, self._wake = registers, kit, wake
        self._duties, self._leases_now = duties, leases_now
        self._told: Callable[[Kit], object] = lambda _: None
        self._asked = asyncio.Event()
        first = registers.current
        self.state = NodeRecord(node, first.revision, first.since, first.since)

    def ask(self) -> None:
        """Read anew, soon: what SIGHUP does."""
        self._asked.set()

    def tell(self, told: Callable[[Kit], object]) -> None:
        """`told` is called with what is in force, now and whenever that has changed."""
        self._told = told
        told(self._kit.present())

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follows orders while inside, and says which register is run."""
        answered = await self._kit.store.bookmark(ORDER)
        await self._tell(replace(self.state, answered=answered))
        working = self._duties.begin("register", self._work)
        try:
            yield
        finally:
            await ended([working])
            await guarded(self._forget)

    async def _forget(self) -> None:
        await self._kit.store.forget_node(self.state.node)

    async def _work(self) -> None:
        await guarded(self._follow)  # it may have been changed while nobody ran
        while True:
            await guarded(self._once)
            try:
                async with asyncio.timeout(LOOK):
                    await self._asked.wait()
            except TimeoutError:
                continue

    async def _once(self) -> None:
        order = await self._kit.store.bookmark(ORDER)
        if self._asked.is_set() or order > self.state.answered:
            self._asked.clear()
            await self.reload(order)
        elif self._kit.clock.now() - self.state.seen >= timedelta(seconds=LIVES):
            await self._tell(self.state)

    async def reload(self, order: int = 0) -> None:
        """Everything is read and judged, then put in force in one step; or nothing is, and all mistakes are told."""
        try:
            new = await asyncio.to_thread(self._registers.read)
        except ConfigurationError as error:
            return await self._refused(error.mistakes, order)
        except (OSError, ValueError) as error:  # a file without rights, or gone between two looks
            return await self._refused([str(error)], order)
        new, old = self._registers.abreast(new), self._registers.current
        changes = self._registers.take(new)
        text = f"revision {new.revision}; {'; '.join(changes) or 'nothing has changed'}"
        log.info("register-read", revision=new.revision, changes=changes)
        state = replace(
            self.state,
            revision=new.revision,
            since=new.since,
            changes=tuple(changes),
            faults=(),
            answered=max(order, self.state.answered),
        )
        if changes:
            self._told(self._kit.present())
            await self._note("reloaded", text)
            await self._follow(touched(old, new))
        await self._tell(state)
        return None

    async def took(self, old: Register, changes: list[str]) -> None:
        """The register in force was changed otherwise than by reading its files."""
        new = self._registers.current
        if changes:
            self._told(self._kit.present())
            await self._follow(touched(old, new))
            await self._tell(replace(self.state, revision=new.revision, since=new.since, changes=tuple(changes)))

    async def _refused(self, mistakes: list[str], order: int) -> None:
        for mistake in mistakes:
            log.error("register-not-taken", because=mistake, revision=self.state.revision)
        await self._note("reload-refused", f"revision {self.state.revision} stays; {'; '.join(mistakes)}")
        answered = max(order, self.state.answered)
        await self._tell(replace(self.state, changes=(), faults=tuple(mistakes), answered=answered))

    async def _note(self, code: str, because: str) -> None:
        entry = Entry(self._kit.clock.now(), Event.RELOADED, code, because, actor=self.state.node)
        await self._kit.store.apply(Change(journal=(entry,)))

    async def _tell(self, state: NodeRecord) -> None:
        self.state = replace(state, seen=self._kit.clock.now())
        await self._kit.store.tell_node(self.state)

    async def _follow(self, receivers: frozenset[str] | None = None) -> None:
        """What waits goes where the register says now, without waiting for its next attempt."""
        now, store = self._leases_now(), self._kit.store
        if receivers == frozenset() or not await store.lead("follow", self.state.node, now, FOLLOWING):
            return
        if await following.sweep(self._kit.present(), receivers):
            self._wake()
