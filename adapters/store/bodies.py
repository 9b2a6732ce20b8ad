"""Documents by their SHA-256: small ones in the database, large ones in files that are durable before anybody points at them."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from adapters.store.statements import statements
from hub.digest import sha256

#: Above this a body becomes a file: larger blobs make every commit and checkpoint pay for them (performance.md §9).
INLINE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Body:
    """A body named by its digest; `inline` is None when it lies in a file."""

    sha256: str
    size: int
    inline: bytes | None


class Bodies:
    """The folder of large bodies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, digest: str) -> Path:
        """Where a large body lies."""
        return self._folder / digest[:2] / digest

    def prepared(self, content: bytes) -> Body:
        """Writes a large body durably (temporary file, fsync, rename, fsync of the folder); a small one is only named."""
        digest = sha256(content)
        if len(content) <= INLINE:
            return Body(digest, len(content), content)
        target = self.path(digest)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            half = target.with_name(f"{digest}.{os.getpid()}.{os.urandom(4).hex()}.part")
            with half.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            half.replace(target)
            for folder in (target.parent, self._folder):
                _sync(folder)
        return Body(digest, len(content), None)

    def read(self, digest: str, inline: bytes | None) -> bytes:
        """The bytes of a body. Raises FileNotFoundError when its file has gone."""
        return self.path(digest).read_bytes() if inline is None else inline


def keep(connection: sqlite3.Connection, body: Body) -> str:
    """Names a body in the database; the same content is kept once."""
    connection.execute(statements("write")["keep_body"], (body.sha256, body.size, body.inline))
    return body.sha256


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
