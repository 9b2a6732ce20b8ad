"""All streams of what happens in one process: whoever waits for news of its HER-ids is rung, and reads for itself.

One look into the store is enough for all of them, and none is taken while nothing new has been written. What a stream has
told is its own affair: it reads on from its own offset, so nothing is kept for it here, and nothing is lost or told twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hub.ports import Store
from hub.record_systems.facade import MOST
from hub.record_systems.values import refused


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """One that waits: whose it is, for whom, and how it is rung."""

    system: str
    her_ids: tuple[str, ...]
    ring: Callable[[], None]


class Streams:
    """Those that are open, and how far everybody has been rung."""

    def __init__(self, store: Store, most: int) -> None:
        """A record system may have `most` of them."""
        self._store, self._most = store, most
        self._open: set[Stream] = set()
        self._waiting: dict[str, set[Stream]] = {}  #: HER-id → who waits for it
        self._of_system: Counter[str] = Counter()
        self._position = 0

    def __len__(self) -> int:
        return len(self._open)

    async def open(self, stream: Stream) -> None:
        """From now on it is rung; what was there before, it reads by itself. Raises Refused where it is one too many."""
        if self._of_system[stream.system] >= self._most:
            raise refused("too-many-streams", f"{stream.system} has {self._most} open already")
        newest = await self._store.newest_offset(stream.her_ids)
        if not self._open:
            self._position = newest
        self._open.add(stream)
        self._of_system[stream.system] += 1
        for her_id in stream.her_ids:
            self._waiting.setdefault(her_id, set()).add(stream)

    def close(self, stream: Stream) -> None:
        """It waits no more; said twice, it counts once."""
        if stream not in self._open:
            return
        self._open.discard(stream)
        self._of_system[stream.system] -= 1
        for her_id in stream.her_ids:
            others = self._waiting.get(her_id, set())
            others.discard(stream)
            if not others:
                self._waiting.pop(her_id, None)

    async def newest(self, her_ids: Sequence[str]) -> int:
        """From where a stream begins that says nothing of it: now (EDI 2.0 A6 row 5)."""
        return await self._store.newest_offset(her_ids)

    async def look(self) -> None:
        """Rings those for whom there is something new; of more than is worth looking at, all."""
        newest = await self._store.newest_offset(sorted(self._waiting))
        if newest <= self._position:
            return
        found = await self._store.notifications(sorted(self._waiting), self._position, MOST)
        for note in found:
            for stream in self._waiting.get(note.receiver, ()):
                stream.ring()
        if len(found) == MOST:
            self.ring_all()
        self._position = max(self._position, newest)

    def ring_all(self) -> None:
        """Something has changed for every one of them."""
        for stream in self._open:
            stream.ring()
