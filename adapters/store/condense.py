"""Packs what was kept as it came, when nobody waits for it any more: in small steps, and what an older hub left as well."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from adapters.store.packing import Packer
from adapters.store.session import Row, Session

#: So many rows go in one transaction; between two of them everybody else may write.
BATCH = 50
BREATH = 0.005
#: What is packed, in the order in which it came → how one of it is put back.
WALKS = {
    "documents_behind": "pack_body",
    "arrivals_behind": "pack_body",
    "parcels_behind": "pack_body",
    "answers_behind": "pack_answer",
    "receipts_behind": "pack_receipt",
}


@dataclass(frozen=True, slots=True)
class Packed:
    """How many were looked at, and how many bytes less they take now."""

    rows: int
    saved: int


def condensed(
    session: Session, alone: Callable[[], AbstractContextManager[object]], packer: Packer, before: int
) -> Packed:
    """Packs what came before `before` (microseconds since 1970) and has not been looked at yet.

    `alone` is a transaction. How far each walk has come is kept, so that no run looks at more than came since the last.
    """
    rows = saved = 0
    for walk, put_back in WALKS.items():
        while found := _batch(session, walk, before):
            _learn(session, alone, packer, found)
            with alone():
                saved += sum(_packed(session, put_back, row, packer) for row in found)
                session.run("keep_bookmark", walk, found[-1]["place"])
            rows += len(found)
            time.sleep(BREATH)
    return Packed(rows, saved)


def _batch(session: Session, walk: str, before: int) -> list[Row]:
    known = session.run("bookmark", walk).fetchone()
    return session.run(walk, known["value"] if known is not None else 0, before, BATCH).fetchall()


def _learn(
    session: Session, alone: Callable[[], AbstractContextManager[object]], packer: Packer, found: list[Row]
) -> None:
    """A dictionary is durable before anything is packed by it."""
    for row in found:
        if row["content"] is None or (wanted := packer.wanted(bytes(row["content"]))) is None:
            continue
        with alone():
            session.run("keep_dictionary", *wanted)
        kept = session.run("dictionary_of", wanted[0]).fetchone()
        if kept is not None:  # else another took its number just now
            packer.know(kept["number"], wanted[0], bytes(kept["content"]))


def _packed(session: Session, put_back: str, row: Row, packer: Packer) -> int:
    """How many bytes less it takes now; nothing where somebody has changed it since it was read."""
    if row["content"] is None:
        return 0  # it lies in a file
    before = bytes(row["content"])
    after = packer.pack(before)
    if len(after) >= len(before):
        return 0
    return (len(before) - len(after)) * session.run(put_back, after, row["name"], before).rowcount
