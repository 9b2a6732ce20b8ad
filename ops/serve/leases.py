"""The clock by which leases and terms run: no wall clock of any node, for two of them may differ, and each may be set.

Where nodes share a store it is the server's, which each follows by its own monotonic clock and asks again and again; an
embedded store has one process, whose monotonic clock it is.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from hub.clock import JUMP
from hub.kit import Kit

log = structlog.get_logger("leases")


class LeaseClock:
    """One for each process. Until it has been `compared` once it goes on from the wall clock."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._began, self._monotonic = kit.clock.now(), kit.clock.monotonic()
        self._asked = False
        self._unsure_until = self._monotonic

    def now(self) -> datetime:
        """Now, by this clock."""
        return self._began + timedelta(seconds=self._kit.clock.monotonic() - self._monotonic)

    @property
    def sure(self) -> bool:
        """Whether what others have is told by it: not before all have seen that the server's clock was set."""
        return self._kit.clock.monotonic() >= self._unsure_until

    async def compared(self) -> bool:
        """Asks the store for the time; true when its clock has jumped, and our leases must be lengthened by it at once."""
        before = self._kit.clock.monotonic()
        told = await self._kit.store.clock()
        if told is None:
            return False
        by = told - self.now()
        self._began, self._monotonic = told, (before + self._kit.clock.monotonic()) / 2
        jumped, self._asked = self._asked and abs(by) > JUMP, True
        if jumped:
            self._unsure_until = self._monotonic + self._kit.settings.lease_seconds
            log.warning(
                "store-clock-jumped", code="clock-jumped", because=f"the clock of the store's server was set, by {by}"
            )
        return jumped
