"""Writes one example of each kind into a folder, addressed so that the municipality's side may send it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from uuid import uuid4

from ops.samples.make import make
from ops.sector import SECTOR

NURSING, DOCTOR, PHYSIO, SURGERY, LABORATORY = SECTOR
EXAMPLES = {
    "henvisning": (DOCTOR, SURGERY),
    "dialog-foresporsel": (NURSING, SURGERY),
    "dialog-helsefaglig": (DOCTOR, SURGERY),
    "plo-medisinske": (DOCTOR, NURSING),
    "plo-innleggelse": (NURSING, SURGERY),
}


def write_examples(folder: Path, now: datetime) -> int:
    """Returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (kind, (sender, receiver)) in enumerate(EXAMPLES.items()):
        sample = make(kind, sender=sender, receiver=receiver, gen_date=now, msg_id=str(uuid4()), number=number)
        (folder / f"{kind}.xml").write_bytes(sample.document)
    return len(EXAMPLES)
