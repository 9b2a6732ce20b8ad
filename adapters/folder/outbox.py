"""What lies in one record system's `outbox/`: which files are whole, and how each is taken under a name that nobody has."""

from __future__ import annotations

import os
import stat
from datetime import datetime, timedelta
from pathlib import Path

from adapters.folder import disk

#: A file younger than this may still be being written.
SETTLE = timedelta(seconds=1)
#: Endings of what is still being written, or is nobody's document.
UNFINISHED = frozenset({".part", ".tmp", ".half", ".filepart", ".crdownload", ".swp", ".bak", ".lock"})
#: Bytes of a file's name that are kept; a disk takes up to 255, and endings and numbers come after it.
LONGEST_STEM = 150
#: How the receipt of what waits begins: it is ours, and gives way.
WAITS = b"waits\n"
#: Which file, how large, and when it was written last: by that it is known whether somebody still writes.
Look = tuple[int, int, int]


class Outbox:
    """One record system's outbox, looked at again and again. Every call works on the disk: in a thread."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.outbox = folder, folder / "outbox"
        self.place = disk.own(folder, "outbox")  #: where a file lies from when it is taken until it is put away
        self._looks: dict[Path, Look] = {}

    def whole(self, now: datetime) -> tuple[list[Path], list[Path]]:
        """Files that lie in the hub's place, and those in outbox: quiet for a while, and the same as at the last look."""
        if not self.outbox.is_dir():
            return [], []
        seen: dict[Path, Look] = {}
        found = [self._quiet(room, seen, now) for room in (self.place, self.outbox)]
        self._looks = seen
        return found[0], found[1]

    def _quiet(self, room: Path, seen: dict[Path, Look], now: datetime) -> list[Path]:
        found = []
        for file in sorted(room.iterdir()) if room.is_dir() else []:
            if unfinished(file) or (look := _look(file)) is None:
                continue
            seen[file] = look
            if self._looks.get(file) == look and look[2] <= (now - SETTLE).timestamp() * 1e9:
                found.append(file)
        return found

    def odd(self) -> list[Path]:
        """What is named like a document and is no file: a folder, a link, a pipe."""
        return [p for p in sorted(self.outbox.iterdir()) if is_xml(p) and not unfinished(p) and _look(p) is None]

    def take(self, file: Path) -> Path:
        """Renamed into the hub's place, under a name that is free there, in taken/, in refused/ and in receipts/."""
        disk.made(self.folder, disk.PLACE, self.place.name)
        stem, ending = clean(file.stem), file.suffix
        name = next(name for name in disk.numbered(stem, ending) if self._free(name))
        placed = self.place / name
        file.rename(placed)
        if file in self._looks:
            self._looks[placed] = self._looks.pop(file)
        return placed

    def _free(self, name: str) -> bool:
        stem = Path(name).stem
        if any(disk.there(self.outbox / room / name) for room in ("taken", "refused")):
            return False
        return gives_way(self.receipt(stem)) and all(one.stem != stem for one in self.place.iterdir())

    def receipt(self, stem: str) -> Path:
        """Where it is told what became of a file."""
        return self.folder / "receipts" / f"{stem}.txt"

    def same(self, placed: Path) -> bool:
        """Whether nobody has written to it since it was looked at."""
        return self._looks.get(placed) == _look(placed)

    def put_away(self, placed: Path, where: str) -> None:
        """Into taken/ or refused/, over nothing."""
        room = disk.made(self.outbox, where)
        ending = placed.suffix
        name = next(name for name in disk.numbered(placed.stem, ending) if not disk.there(room / name))
        placed.rename(room / name)
        self._looks.pop(placed, None)


def readable(file: Path) -> None:
    """Raises OSError where it cannot be read; never waits for a pipe, never follows a link."""
    os.close(os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK))


def read(file: Path, most: int) -> bytes:
    """Its bytes, no further than one over what is taken: the kernel then refuses it by its size."""
    with file.open("rb") as opened:
        return opened.read(most + 1)


def is_xml(file: Path) -> bool:
    """Only .xml is taken, however it is spelt."""
    return file.suffix.lower() == ".xml"


def unfinished(file: Path) -> bool:
    """Hidden, or named as what is still being written."""
    return file.name.startswith((".", "~")) or file.name.endswith("~") or file.suffix.lower() in UNFINISHED


def clean(stem: str) -> str:
    """A name that every disk, header and line of a log takes: letters that show, and not too many."""
    shown = os.fsencode(stem).decode("utf-8", "replace")
    shown = "".join(c if c.isprintable() and c not in '<>:"/\\|?*' else "_" for c in shown).strip().lstrip(".~ ")
    return shown.encode()[:LONGEST_STEM].decode("utf-8", "ignore").strip() or "document"


def gives_way(receipt: Path) -> bool:
    """Whether a receipt may be written there: nothing is, or what told that a file waits.

    Where nobody can say, nothing can be written either: that keeps no document waiting.
    """
    try:
        if not disk.there(receipt):
            return True
    except OSError:
        return True
    return receipt.is_file() and not receipt.is_symlink() and receipt.open("rb").read(len(WAITS)) == WAITS


def _look(file: Path) -> Look | None:
    """None of what is no file, or has gone meanwhile."""
    try:
        found = file.lstat()
    except OSError:
        return None
    return (found.st_ino, found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None
