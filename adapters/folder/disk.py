"""Files that last: written aside and synced, moved under a name that nobody has, and never over what another has laid there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

#: The hub's own place in a record system's folder.
PLACE = ".samhub"


class Unsynced(OSError):
    """The file is there under its name, but the loss of power may take it away."""


def own(folder: Path, room: str) -> Path:
    """A room in the hub's own place."""
    return folder / PLACE / room


def made(folder: Path, *rooms: str) -> Path:
    """A folder below one that is there, made where it is missing.

    The record system's own folder is never made here: where it is missing, a share is not mounted or a name is wrong, and
    nobody would read what was written.
    """
    for room in rooms:
        inner = folder / room
        if not inner.is_dir():
            inner.mkdir(exist_ok=True)
            synced(folder)
        folder = inner
    return folder


def write_durably(target: Path, content: bytes, half: Path | None = None) -> None:
    """As `half`, or beside it, synced, renamed, and the folder synced: a reader never sees half a file, a crash loses none.

    Raises Unsynced when all but the last step is done.
    """
    half = half or target.with_suffix(".part")
    with half.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    half.replace(target)
    lasting(target.parent)


def lasting(*folders: Path) -> None:
    """What was moved in them stays moved. Raises Unsynced."""
    try:
        for folder in folders:
            synced(folder)
    except OSError as error:
        raise Unsynced(error.errno, error.strerror or type(error).__name__) from error


def synced(folder: Path) -> None:
    """What lies in it under which name outlasts the loss of power."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def there(path: Path) -> bool:
    """Whether anything has this name, a link that leads nowhere too. Raises OSError where nobody can say."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    return True


def numbered(stem: str, ending: str) -> Iterator[str]:
    """`henvisning.xml`, `henvisning-2.xml` and so on, without end."""
    yield stem + ending
    number = 2
    while True:
        yield f"{stem}-{number}{ending}"
        number += 1


def named(names: Path, stem: str, ending: str, owner: str, free: Callable[[str], bool]) -> str:
    """The first of its numbered names that is free, kept for `owner` in `names` until it is given back.

    Two processes never get the same one; who dies with a name gets it again.
    """
    for name in numbered(stem, ending):
        ours = names / name
        if ours.is_file() and ours.read_text("utf-8") == owner:
            return name
        if there(ours) or not free(name):
            continue
        if not _kept(ours, owner):
            continue
        if free(name):
            return name
        ours.unlink()  # whoever had it has used it meanwhile
    raise AssertionError("numbers do not end")


def given_back(names: Path, owner: str) -> None:
    """What was kept for `owner` is free again."""
    for ours in names.iterdir() if names.is_dir() else []:
        if ours.read_text("utf-8") == owner:
            ours.unlink(missing_ok=True)


def _kept(ours: Path, owner: str) -> bool:
    try:
        with ours.open("x", encoding="utf-8") as file:
            file.write(owner)
    except FileExistsError:
        return False
    return True
