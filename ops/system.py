"""The real clock and the real dice, handed to the kernel by those who assemble it."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime

from uuid_utils import uuid4, uuid7


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        """Now, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds for which this machine was awake."""
        return time.monotonic()


class SystemDice:
    """Chance of this machine."""

    def uuid(self) -> str:
        """A random UUID (version 4), as partners expect MsgId and MessageId to be."""
        return str(uuid4())

    def fraction(self) -> float:
        """Uniform in [0, 1); only stretches waiting times."""
        return random.random()  # noqa: S311  not a secret


def ordered_id() -> str:
    """A UUID that sorts by time (version 7), for our own rows."""
    return str(uuid7())
