"""What record systems do not want for their HER-ids (EDI 2.0 A11.3): kept in the store for every node, remembered here."""

from __future__ import annotations

from collections.abc import Mapping

from hub.message import Configuration
from hub.ports import Store

#: Bookmark that grows with every change of a configuration.
REVISION = "configured"
#: Seconds that another node's news may wait: one short look at the store in so long a time, whatever the traffic.
FRESH = 1.0


class Filters:
    """One process's memory of them."""

    def __init__(self) -> None:
        self._known: Mapping[str, Configuration] = {}
        self._revision, self._looked = -1, float("-inf")

    async def of(self, her_id: str, store: Store, monotonic: float) -> Configuration:
        """The configuration of a HER-id; one that wants everything where there is none. Raises StoreUnavailable."""
        if not 0 <= monotonic - self._looked < FRESH:
            await self.now(store)
            self._looked = monotonic
        return self._known.get(her_id) or Configuration(her_id)

    async def now(self, store: Store) -> Mapping[str, Configuration]:
        """All of them by HER-id, as they are at this moment. Raises StoreUnavailable."""
        revision = await store.bookmark(REVISION)
        if revision != self._revision:
            self._known = {one.her_id: one for one in await store.configurations(())}
            self._revision = revision
        return self._known

    def forget(self) -> None:
        """It was changed here: it is looked at again when it is needed next."""
        self._looked = float("-inf")
