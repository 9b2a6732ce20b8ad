"""When API keys were last used: remembered at each call, and told to the store at most once a minute for each key."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from hub.message import ApiKey

#: A use is kept no sooner than this after the one that was kept before, by one process.
APART = timedelta(minutes=1)


class Uses:
    """Of one process. There are no more of them than there are keys."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[ApiKey, datetime]] = {}
        self._kept: dict[str, datetime] = {}

    def note(self, key: ApiKey, now: datetime) -> None:
        """It has just been shown."""
        self._last[key.sha256] = key, now

    def due(self, now: datetime) -> dict[ApiKey, datetime]:
        """What the store should know now."""
        return {key: at for digest, (key, at) in self._last.items() if self._may_be_told(digest, at, now)}

    def _may_be_told(self, digest: str, at: datetime, now: datetime) -> bool:
        kept = self._kept.get(digest)
        return kept is None or (at > kept and not timedelta() <= now - kept < APART)

    def keep(self, told: Mapping[ApiKey, datetime], now: datetime) -> None:
        """The store knows these."""
        for key, at in told.items():
            self._kept[key.sha256] = now
            if self._last[key.sha256][1] == at:
                del self._last[key.sha256]
