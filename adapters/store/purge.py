"""Removes the content of what was settled long ago; what is known about it stays: who, when, digests, receipts, journal."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar

from adapters.store.bodies import Bodies
from adapters.store.rows import micros
from adapters.store.statements import statements

Item = TypeVar("Item")
#: So many bodies go in one transaction; between two of them everybody else may write.
BATCH = 100
BREATH = 0.005
#: What PRAGMA auto_vacuum says of a store whose pages can be given back; how many go in a step; what part may stay.
INCREMENTAL, STEP, SPARE = 2, 200, 20
#: A file that no row names and that is younger than this may be about to be named.
YOUNG = 86_400.0


@dataclass(frozen=True, slots=True)
class Purged:
    """What went, or would go."""

    bodies: int
    size: int
    files: int  #: among them and beside them, such as what a crash left


@dataclass(frozen=True, slots=True)
class Rule:
    """Of which messages the content goes, and what of it."""

    sealed: bool = False  #: only what went or came over the wire; documents stay
    only: str = ""  #: of this type only, in small letters
    others: tuple[str, ...] = ()  #: not of these, which have rules of their own
    confirmed: bool = False  #: what all its receivers have, as soon as nobody needs it for an AppRec (EDI 2.0 A13.2)
    unfetched: bool = False  #: also what no record system fetched, or none answered in time (EDI 2.0 A13.3)
    quarantine: datetime | None = None  #: what was not taken goes if it came before then; None: as all else

    def values(self, before: datetime) -> dict[str, object]:
        """As the statements have it."""
        return {
            "before": micros(before),
            "quarantine": micros(self.quarantine or before),
            "only": self.only,
            "others": f"|{'|'.join(self.others)}|",
            "sealed": self.sealed,
            "confirmed": self.confirmed,
            "unfetched": self.unfetched,
        }


#: Everything, by one age.
WHOLE = Rule()


def purge(connection: sqlite3.Connection, bodies: Bodies, before: datetime, *, really: bool, rule: Rule) -> Purged:
    """Documents, arrivals and parcels that only messages settled before `before` name; `connection` is this call's own.

    A delivery that asks for a person is not settled. Content that is kept again later is kept whole.
    """
    connection.execute("PRAGMA secure_delete = 1")  # freed pages are overwritten: it is health data
    values = rule.values(before)
    newest = _looked(connection, values)
    going = connection.execute("SELECT sha256, size FROM going").fetchall()
    if not really:
        files = sum(bodies.path(row[0]).exists() for row in going)
        return Purged(len(going), sum(row[1] for row in going), files)
    count, size = 0, 0
    for batch in _batches(going):
        with alone(connection):
            gone = [row for row in batch if not _wanted(connection, row[0], values, newest)]
            connection.executemany(statements("purge")["empty"], [{"sha256": row[0]} for row in gone])
        count, size = count + len(gone), size + sum(row[1] for row in gone)
    files = _files_gone(connection, bodies)
    give_back(connection)
    return Purged(count, size, files)


def _looked(connection: sqlite3.Connection, values: dict[str, object]) -> tuple[int, int, int]:
    """Fills the temporary tables from one moment; returns the newest rows of that moment."""
    sql = statements("purge")
    connection.execute("BEGIN")
    try:
        for name in ("old", "old_by_id", "needed", "needed_documents", "needed_parcels", "needed_arrivals"):
            connection.execute(sql[name], values)
        for name in ("going", "named", "named_by_content"):
            connection.execute(sql[name])
        newest: tuple[int, int, int] = tuple(connection.execute(sql["newest"]).fetchone())
    finally:
        connection.execute("COMMIT")
    return newest


def give_back(connection: sqlite3.Connection) -> None:
    """Gives pages that hold nothing back to the disk, in steps, but for some that what comes next will fill.

    Of a store that was made by an older hub they are only filled again.
    """
    if connection.execute("PRAGMA auto_vacuum").fetchone()[0] != INCREMENTAL:
        return
    while True:
        free, pages = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_count"))
        if free <= max(pages // SPARE, STEP):
            return
        connection.execute(f"PRAGMA incremental_vacuum({STEP})").fetchall()
        time.sleep(BREATH)


def _wanted(
    connection: sqlite3.Connection, sha256: str, values: dict[str, object], newest: tuple[int, int, int]
) -> bool:
    """Whether somebody has come to need it since we looked: sent again by a person, or come again."""
    message, arrival, parcel = newest
    asked = {**values, "sha256": sha256, "message": message, "arrival": arrival, "parcel": parcel}
    return connection.execute(statements("purge")["wanted_again"], asked).fetchone() is not None


def _files_gone(connection: sqlite3.Connection, bodies: Bodies) -> int:
    """Removes every file that no row names: the row went before it, and a body is named only while its file is there."""
    count = 0
    for batch in _batches(bodies.files()):
        with alone(connection):
            gone = [file for file in batch if _nobodys(connection, file)]
            for file in gone:
                file.unlink()
        count += len(gone)
    return count


def _nobodys(connection: sqlite3.Connection, file: Path) -> bool:
    sql = statements("purge")
    if connection.execute(sql["has_file"], (file.name,)).fetchone():
        return False
    if connection.execute(sql["known"], (file.name,)).fetchone():
        return True
    return time.time() - file.stat().st_mtime > YOUNG


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch


@contextmanager
def alone(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that nobody else writes beside."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    time.sleep(BREATH)
