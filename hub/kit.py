"""What the kernel is given to work with: the ports, the keys, the schemas, the trust anchors and its settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from hub.circuit import Askers
from hub.clock import ClockWatch
from hub.configured import Filters
from hub.learnt import Memory
from hub.ports import Clock, Dice, Directory, Router, Store
from hub.settings import Settings
from hub.trust.certificates import RevocationSource, TrustAnchors
from hub.trust.cms import DecryptionKey
from hub.trust.pattern import Patterns
from hub.trust.signature import SigningKey
from xsd.catalogue import Catalogue

Found = TypeVar("Found")


class Work(Protocol):
    """Does what takes long, so that nobody else has to wait for it."""

    async def __call__(self, task: Callable[[], Found], /) -> Found:
        """What `task` returns or raises."""
        ...


async def at_once(task: Callable[[], Found], /) -> Found:
    """Here and now: where nobody else waits."""
    return task()


class Keys(Protocol):
    """Our own private keys, loaded once at start (loading one costs 30 ms)."""

    def signing_key(self, her_id: str) -> SigningKey | None:
        """The key that signs for this local party."""
        ...

    def decryption_keys(self, her_id: str) -> Sequence[DecryptionKey]:
        """Keys that open what is encrypted for this local party, the newest first; old ones stay through roll-over."""
        ...


@dataclass(frozen=True, slots=True)
class Kit:
    """Everything from outside, handed in once."""

    store: Store
    directory: Directory
    router: Router
    keys: Keys
    schemas: Catalogue
    anchors: TrustAnchors
    revocation: RevocationSource
    clock: Clock
    dice: Dice
    settings: Settings
    work: Work = at_once  #: for what is large: see hub.checks.inspection
    askers: Askers = field(default_factory=Askers)  #: only remembered
    patterns: Patterns = field(default_factory=Patterns)  #: envelopes that were proven: only remembered
    clock_watch: ClockWatch = field(default_factory=ClockWatch)  #: whether `clock` is trusted: only remembered
    filters: Filters = field(default_factory=Filters)  #: what record systems do not want: remembered from the store
    learnt: Memory = field(default_factory=Memory.empty)  #: of partners: remembered from the store
    snapshot: Callable[[], Kit] | None = None  #: the same with the register as it is now, where that may change

    def present(self) -> Kit:
        """For one piece of work, which ends with the register that it began with."""
        return self.snapshot() if self.snapshot is not None else self
