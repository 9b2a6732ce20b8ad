"""Removes bookmarks that nobody needs any more: what they would say is known without them, or asked of nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

from adapters.store.session import Row, Session
from hub.states import SETTLED, State

#: So many are looked at, and removed, in one transaction.
BATCH = 500
#: A delivery lies aside in a folder (adapters.folder.send); a document was handed out again (adapters.queue.receive).
ASIDE, AGAIN = "folder", "queue-again"


def gone(session: Session, alone: Callable[[], AbstractContextManager[object]], telling: Sequence[str]) -> int:
    """How many went; `telling` are the duties whose bookmarks are offsets.

    Who has been told up to an offset that lies before every notification there is, such as a system that was taken out of
    the register, would be told the same from the beginning. What lies aside in a
    folder is asked for until its delivery is settled. A document that the store has taken is known as a repetition, however
    often it is handed out. One that is moved meanwhile stays.
    """
    oldest = session.run("oldest_notification").fetchone()["value"]
    place, count = "", 0
    while found := session.run("bookmarks_in_order", place, BATCH).fetchall():
        with alone():
            nobodys = [(row["name"], row["value"]) for row in _nobodys(session, found, telling, oldest)]
            count += sum(session.run_each("forget_bookmark", nobodys))
        place = found[-1]["name"]
    return count


def _nobodys(session: Session, found: list[Row], telling: Sequence[str], oldest: int | None) -> Iterator[Row]:
    parts = [(row, *row["name"].partition(":")[::2]) for row in found]
    aside = {rest.partition(":")[0] for _, kind, rest in parts if kind == ASIDE}
    standing = session.standing(sorted(aside)) if aside else {}
    for row, kind, rest in parts:
        if (
            (kind in telling and (oldest is None or row["value"] < oldest))
            or (kind == ASIDE and standing.get(rest.partition(":")[0], State.DONE) in SETTLED)
            or (kind == AGAIN and session.run("body", rest.rpartition(":")[2]).fetchone() is not None)
        ):
            yield row
