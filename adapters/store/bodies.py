"""Documents by their SHA-256: small ones in the database, large ones in files that are durable before anybody points at them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from adapters.store.packing import asis
from adapters.store.session import Session
from hub.digest import sha256
from hub.errors import ContentLost

#: Above this a body becomes a file: larger blobs make every commit and checkpoint pay for them (performance.md §9).
INLINE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Body:
    """A body named by its digest; `inline` is None when it lies in `file`."""

    sha256: str
    size: int
    inline: bytes | None
    file: Path | None = None


class Bodies:
    """The folder of large bodies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.mark = folder / "mark"  #: which store it belongs to, see adapters.store.pairing

    def path(self, digest: str) -> Path:
        """Where a large body lies."""
        return self._folder / digest[:2] / digest

    def prepared(self, content: bytes) -> Body:
        """Writes a large body durably (temporary file, fsync, rename, fsync of the folder); a small one is only named."""
        digest = sha256(content)
        if len(content) <= INLINE:
            return Body(digest, len(content), content)
        target = self.path(digest)
        if not self._whole(target, digest):
            target.parent.mkdir(parents=True, exist_ok=True)
            half = target.with_name(f"{digest}.{os.getpid()}.{os.urandom(4).hex()}.part")
            with half.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            half.replace(target)
        for folder in (target.parent, self._folder, self._folder.parent):  # also when another has just put it there
            sync_folder(folder)
        return Body(digest, len(content), None, target)

    def _whole(self, file: Path, digest: str) -> bool:
        """Whether a file is there with all its bytes; what is not is written anew."""
        try:
            return sha256(file.read_bytes()) == digest
        except OSError:
            return False

    def told(self, digest: str, size: int) -> str:
        """Why the file of a body cannot be whole, without reading it; empty where it may be."""
        try:
            there = self.path(digest).stat().st_size
        except OSError as error:
            return f"body {digest}: its file cannot be read: {error.strerror}"
        return "" if there == size else f"body {digest}: {there} bytes are kept of it, and {size} came"

    def read(self, digest: str, inline: bytes | None) -> bytes:
        """What is kept of a body; nothing of one that was purged. Raises ContentLost when its file cannot be read."""
        if inline is not None:
            return inline
        try:
            return self.path(digest).read_bytes()
        except OSError as error:
            raise ContentLost(f"body {digest}: its file cannot be read: {error.strerror}") from None

    def files(self) -> Iterator[Path]:
        """Every file, those included that were never finished."""
        return (path for path in sorted(self._folder.glob("*/*")) if path.is_file())


def whole(digest: str, content: bytes) -> bytes:
    """The same bytes, which are those that were kept; none stand for a body that was purged. Raises ContentLost."""
    if content and sha256(content) != digest:
        raise ContentLost(f"{len(content)} bytes are kept of body {digest}, and they are not the ones that came")
    return content


def keep(session: Session, body: Body) -> None:
    """Names a body in the database; the same content is kept once, whole again where it was not.

    A file that was purged meanwhile is not named.
    """
    if body.file is not None and not body.file.exists():
        raise sqlite3.OperationalError("a large body was removed while it was named; send it again")
    session.run("keep_body", body.sha256, body.size, None if body.inline is None else asis(body.inline))


def mend(session: Session, body: Body) -> None:
    """Puts the bytes of a small body back in the place of what is kept of it."""
    assert body.inline is not None
    session.run("mend_body", asis(body.inline), body.sha256)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
