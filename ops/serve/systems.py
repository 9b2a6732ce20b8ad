"""Record systems and API keys as people make and end them: looked for once a second, in force in one step, without a reload."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from adapters.broker.ending import ended
from adapters.store.opening import KeptStore
from hub.errors import StoreUnavailable
from hub.ports import Clock
from hub.record_systems.kept import REVISION
from hub.record_systems.uses import Uses
from ops.registers import Registers
from ops.serve.duties import Duties
from ops.serve.reloading import Reloading
from ops.serve.unforeseen import guarded

log = structlog.get_logger("register")
#: How often the revision is looked at, in seconds: what a command ends is refused by every process within two of them.
LOOK = 1.0


class Systems:
    """Those of one process, as fresh as the store's."""

    def __init__(
        self, registers: Registers, reloading: Reloading, store: KeptStore, uses: Uses, clock: Clock, duties: Duties
    ) -> None:
        self._registers, self._reloading, self._store = registers, reloading, store
        self._uses, self._clock, self._duties = uses, clock, duties

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follows the store while inside."""
        working = self._duties.begin("record systems", self._work)
        try:
            yield
        finally:
            await ended([working])

    async def _work(self) -> None:
        while True:
            await guarded(self._once)
            await asyncio.sleep(LOOK)

    async def _once(self) -> None:
        """While the store cannot be read nothing is asked of it twice: reloading looks at it too, and tells of it."""
        try:
            await self.look()
            await self._tell_uses()
        except StoreUnavailable:
            return

    async def look(self) -> bool:
        """Puts in force what was made or ended since, if anything was: one read where nothing was.

        A record system that cannot stand beside what the party file says is left out, and told; keys are ended all the same.
        """
        if await self._store.bookmark(REVISION) == self._registers.current.kept.revision:
            return False
        kept = await self._store.systems_kept()
        while True:
            old = self._registers.current
            new = await asyncio.to_thread(self._registers.serving, kept)
            if self._registers.current is old:  # else the files were read anew meanwhile
                break
        changes = self._registers.take(new)
        log.info("systems-read", revision=kept.revision, changes=changes)
        for mistake in new.directory.mistakes:
            log.error("system-not-taken", because=mistake)
        await self._reloading.took(old, changes)
        return True

    async def _tell_uses(self) -> None:
        now = self._clock.now()
        if used := self._uses.due(now):
            await self._store.keys_used(used)
            self._uses.keep(used, now)
