"""An embedded store is served by one process: a second hub on it is turned away at its start, in one sentence."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hub.errors import StoreUnavailable


@contextmanager
def alone(store: Path) -> Iterator[None]:
    """Nobody else serves the store at this path while inside; the system lets go of it when the process ends.

    Raises StoreUnavailable where somebody does. Commands that look at the store, or write a little, are no hub.
    """
    store.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(store.with_name(f"{store.name}.serving"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = os.read(handle, 20).decode(errors="replace").strip() or "?"
            text = "stop it, give this one a store.path of its own, or a PostgreSQL (store.url) to both"
            raise StoreUnavailable(f"{store}: another hub serves it (process {who}): {text}") from None
        os.truncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        os.close(handle)
