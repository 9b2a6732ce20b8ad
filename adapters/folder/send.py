"""Writes a document into a record system's `inbox/`: whole and durable, or not at all."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

from hub.message import Claimed, Outcome, Parcel, Reached


class FolderSender:
    """The sender of channel `folder`; an address is the path of a record system's folder."""

    async def send(self, claimed: Claimed, parcel: Parcel) -> Outcome:
        """Written under the delivery's id, so that a second try after a crash overwrites instead of doubling."""
        target = Path(claimed.delivery.address) / "inbox" / _name(claimed)
        try:
            await asyncio.to_thread(write_durably, target, parcel.body)
        except OSError as error:
            return Outcome(Reached.NO, "folder-unwritable", f"{target.parent}: {error.strerror}")
        return Outcome(Reached.YES, "fetched", f"written to {target.name}")


def _name(claimed: Claimed) -> str:
    kind = re.sub(r"[^A-Za-z0-9_-]", "", claimed.message.type_code) or "document"
    return f"{kind}-{claimed.delivery.id}.xml"


def write_durably(target: Path, content: bytes) -> None:
    """Beside it, synced, renamed, and the folder synced: a reader never sees half a file, a crash loses none."""
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_suffix(".part")
    with half.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    half.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
