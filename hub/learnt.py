"""What partners have shown of themselves: kept in the store for every node, remembered here, written only when it changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub.ports import Learnt

#: The partner's Acknowledgments have MessageData/RefToMessageId: `yes` or `no`.
ACKNOWLEDGMENT_REFERS = "acknowledgment-refers"
#: How long another node's news may wait. One short look at the store in so long a time, whatever the traffic.
FRESH = timedelta(seconds=30)


@dataclass(slots=True)
class Memory:
    """One process's memory of it."""

    _known: Mapping[tuple[str, str], Learnt]
    _read_at: datetime | None = None

    @classmethod
    def empty(cls) -> Memory:
        """Knows nothing until it is refreshed."""
        return cls({})

    async def refresh(self, read: Callable[[], Awaitable[list[Learnt]]], now: datetime) -> None:
        """Reads all of it, where it has not been read for a while, or something was learnt since."""
        if self._read_at is None or not timedelta() <= now - self._read_at < FRESH:
            self._known = {(one.her_id, one.fact): one for one in await read()}
            self._read_at = now

    def value(self, her_id: str, fact: str) -> str:
        """What is known, empty for nothing."""
        found = self._known.get((her_id, fact))
        return found.value if found is not None else ""

    def news(self, her_id: str, fact: str, value: str, now: datetime) -> tuple[Learnt, ...]:
        """What is to be kept of it: nothing where it is known so. Until it is read again nobody here believes it."""
        if self.value(her_id, fact) == value:
            return ()
        self._read_at = None
        return (Learnt(her_id, fact, value, now),)
