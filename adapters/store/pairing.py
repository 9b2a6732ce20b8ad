"""The embedded store and the folder of its large bodies carry one mark: neither is used beside the other of another day."""

from __future__ import annotations

import os
import secrets
import sqlite3

from adapters.store.bodies import Bodies, sync_folder

#: The names under which the store keeps the mark that holds, and the one that is about to.
NOW, NEXT = "bodies", "bodies next"
_KEEP = "INSERT INTO bookmarks (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


def pair(connection: sqlite3.Connection, bodies: Bodies) -> None:
    """From here on both carry a new mark: what was copied before fits neither. One process at a time may do so.

    Wherever it is killed, the folder carries the old mark or the one that the store has named as the next.
    """
    mark = secrets.randbits(62)
    connection.execute(_KEEP, (NEXT, mark))
    write(bodies, mark)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(_KEEP, (NOW, mark))
    connection.execute("DELETE FROM bookmarks WHERE name = ?", (NEXT,))
    connection.execute("COMMIT")


def write(bodies: Bodies, mark: int) -> None:
    """Marks a folder of bodies, durably."""
    bodies.mark.parent.mkdir(parents=True, exist_ok=True)
    half = bodies.mark.with_name(f"{bodies.mark.name}.{os.getpid()}.part")
    with half.open("w") as file:
        file.write(f"{mark}\n")
        file.flush()
        os.fsync(file.fileno())
    half.replace(bodies.mark)
    for folder in (bodies.mark.parent, bodies.mark.parent.parent):
        sync_folder(folder)


def marks(connection: sqlite3.Connection) -> dict[str, int]:
    """What the store says: NOW, and for a moment NEXT; empty where no hub has served it yet."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'bookmarks'").fetchone() is None:
        return {}  # of an older hub
    found = connection.execute("SELECT name, value FROM bookmarks WHERE name IN (?, ?)", (NOW, NEXT))
    return {row[0]: row[1] for row in found}


def apart(connection: sqlite3.Connection, bodies: Bodies) -> str:
    """Why the bodies are not those of this store as it is, in words with what to do; empty where they are."""
    known = marks(connection)
    if not known or _found(bodies) in known.values():
        return ""
    named = {row[0] for row in connection.execute("SELECT sha256 FROM bodies WHERE content IS NULL")}
    there = {file.name for file in bodies.files()}
    if not named and not there:
        return ""  # neither has anything that the other could lack
    return (
        f"the large bodies in {bodies.mark.parent} are not those of this store as it is: one of the two is of another day; "
        f"{len(named - there)} of the {len(named)} that it names are not there, and {len(there - named)} lie there that it "
        "does not name. Put both back from one copy: samhub db restore; or, where that is all there is, use them as they "
        "are: samhub db adopt"
    )


def alone(bodies: Bodies) -> str:
    """What to do where there are bodies, and no store that names them."""
    return (
        f"no store is there, and {bodies.mark.parent} holds the large bodies of one: put it back from its copy "
        "(samhub db restore), or move that folder away to begin anew"
    )


def _found(bodies: Bodies) -> int | None:
    try:
        return int(bodies.mark.read_text("ascii"))
    except (OSError, ValueError):
        return None
